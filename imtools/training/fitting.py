"""From two data sets and an experiment to a network in a run folder."""

from functools import partial
from pathlib import Path

import keras
import numpy as np

from imtools import networks
from imtools.datasets import Batches, network_inputs, typical_spread
from imtools.run_folder import append_row, locked
from imtools.training.checkpoints import FOLDER, HISTORY
from imtools.training.failures import told_in_status
from imtools.training.geometry import describe_maps
from imtools.training.loop import device_name, fit, make_deterministic
from imtools.training.reference import write_reference
from imtools.training.resuming import configuration_of, find_start, write_end, write_progress
from imtools.training.saved import load_model, save_model
from imtools.training.splits import check_splits
from imtools.training.targets import Target

MAX_ADAPT = 1024  # training maps that set the scales of a network's first layers
MAX_ADAPT_BYTES = 2**31
N_SCALE = 64  # training maps that set the temperature scale of a summary
_ADAPT, _VALIDATE, _BATCHES, _SCALE = 0, 1, 2, 4  # what a random stream is for; 3: reference.nc


def train(experiment, data_train, data_validation, run_dir, *, resume=True, force=False):
    """Train the network of an experiment and keep the best by validation in a run folder.

    At the end of epochs a checkpoint is written. A training that was killed goes on from there when
    it is called again, and ends as if it had never stopped: on a CPU with TensorFlow, bit for bit.

    Parameters
    ----------
    experiment : Experiment
        All settings; its seed sets every random number drawn here.
    data_train, data_validation : xarray.Dataset
        Variables ``map`` (sample, freq, dec, ra) in uK, free of noise, and ``counts`` (sample,
        log_l), and the coordinate ``catalogue`` on ``sample``. No catalogue is in both.
    run_dir : path-like
        Folder of the run: ``model.keras``, ``manifest.json`` and ``history.csv`` are written there
        after each epoch, so what a killed training leaves can be used; ``reference.nc`` at the end.
    resume : bool
        Go on with what was trained in `run_dir`; if it is done, return it. Else start anew.
    force : bool
        Go on though settings, maps, versions or the device are others.

    Returns
    -------
    dict
        The manifest: architecture, experiment, scaling of the targets, the maps it was trained on,
        device, best epoch of each network of the ensemble and its validation loss, and ``seams``
        where it was resumed.

    Raises
    ------
    ValueError
        If the data sets share a catalogue, hold fewer maps than a batch, or the additive network
        shall learn what does not add up; if `run_dir` holds another training, or a damaged one.
    NonFiniteLossError
        If the loss becomes NaN; the status is then ``failed``, and the best network is kept.
    OutOfMemoryError
        If a batch does not fit into memory.
    BlockingIOError
        If another process trains in `run_dir`.
    """
    _check_sum(experiment)
    check_splits(train=data_train, validation=data_validation)
    experiment = _with_temp_scale(experiment, data_train["map"])
    run_dir, data = Path(run_dir), (data_train, data_validation)
    with locked(run_dir / FOLDER), told_in_status(run_dir, experiment):
        configuration = configuration_of(experiment, *data)
        start = find_start(run_dir, configuration, resume=resume, force=force)
        if start.done:
            return load_model(run_dir)[1]
        manifest = _train_members(experiment, data, run_dir, start, configuration)
        write_reference(run_dir, *data)
        write_end(run_dir, configuration=configuration)
    return manifest


def _train_members(experiment, data, run_dir, start, configuration):
    """Train each network of the ensemble, from `start` on, and return the manifest."""
    data_train, data_validation = data
    make_deterministic()
    keras.utils.set_random_seed(experiment.data.seed)
    target = Target.of(experiment, data_train["counts"].values)
    manifest = _first_manifest(experiment, data_train, target)
    some = data_train["map"][:: _stride(data_train["map"])]
    adapt_inputs = network_inputs(some, experiment, _rng(experiment, _ADAPT))
    judges = _judges(experiment, data_validation)
    validation = (
        network_inputs(judges["map"], experiment, _rng(experiment, _VALIDATE)),
        judges["counts"].values,
    )
    manifest |= {"best": list(start.best), "seams": start.seams}
    members = []
    for k in range(experiment.network.n_ensemble):
        members.append(_new_network(experiment, adapt_inputs, target))
        if k < start.member:
            members[k].set_weights(start.weights[k])
            continue
        kept = {"configuration": configuration, "members": list(members), "manifest": manifest}
        fit(
            members[k],
            Batches(data_train, experiment, _seed(experiment, _BATCHES, k)),
            validation,
            experiment.training,
            target=target,
            keep=_keeper(members, manifest, run_dir),
            log=_logger(k, run_dir / HISTORY),
            start=start.progress if k == start.member else None,
            save=partial(write_progress, run_dir, **kept),
            label=f"train {k + 1}/{experiment.network.n_ensemble}",
        )
    return manifest


def _stride(maps):
    """Return the step through the maps that leaves few enough to adapt the network's layers."""
    most = max(1, min(MAX_ADAPT, MAX_ADAPT_BYTES // (4 * maps[0].size)))
    return -(-maps.sizes["sample"] // most)


def _with_temp_scale(experiment, maps):
    """Return the experiment with the temperature scale of its summary set, if it reads one."""
    if experiment.network.reads == "map" or experiment.network.temp_scale > 0:
        return experiment
    some = maps[:: -(-maps.sizes["sample"] // N_SCALE)]
    scale = typical_spread(some, experiment, _rng(experiment, _SCALE))
    return experiment.replace(temp_scale=scale)


def _check_sum(experiment):
    """Raise if a network that adds or counts sources shall learn anything but log10 dN."""
    training, name = experiment.training, experiment.network.architecture
    if name in ("additive", "counting") and not (training.target == "dn" and training.target_log):
        msg = (
            f"train: target is {training.target!r} and target_log {training.target_log}, expected "
            f"'dn' and true for the {name} network, which answers with the log10 of counts"
        )
        raise ValueError(msg)


def _judges(experiment, data_validation):
    """Return the validation maps that choose the best epoch, evenly spaced among all."""
    n = experiment.training.validation_steps * experiment.training.batch_size
    n_all = data_validation.sizes["sample"]
    if not 0 < n < n_all:
        return data_validation
    return data_validation.isel(sample=np.arange(n) * n_all // n)


def _first_manifest(experiment, data_train, target):
    """Return what is known of the network before it is trained."""
    return {
        "architecture": experiment.network.architecture,
        "experiment": experiment.model_dump(),
        "maps": describe_maps(data_train["map"]),
        "log_l_edges": np.log10(experiment.l_edges).tolist(),
        "target": {"mean": target.mean, "width": target.width},
        "n_maps": int(data_train.sizes["sample"]),
        "catalogues": sorted(set(data_train["catalogue"].values.tolist())),
        "device": device_name(),
        "best": [],
    }


def _new_network(experiment, adapt_inputs, target):
    settings = experiment.network.model_dump(exclude={"architecture"})
    settings["log_l_edges"] = target.edges.tolist()
    shape = adapt_inputs.shape[1:]
    model = networks.build(experiment.network.architecture, shape, target.mean.size, **settings)
    size, scale = experiment.training.batch_size, (target.mean, target.width)
    networks.adapt(model, adapt_inputs, target=scale, batch_size=size)
    return model


def _keeper(members, manifest, run_dir):
    """Return the function that saves the mean of `members` when the last has become better."""
    model, earlier = networks.average(members), list(manifest["best"])

    def keep(epoch, loss):
        manifest["best"] = [*earlier, {"epoch": epoch, "validation_loss": loss}]
        save_model(model, manifest, run_dir)

    return keep


def _logger(member, path):
    def log(row):
        append_row({"member": member} | row, path)

    return log


def _seed(experiment, *key):
    """Return a whole number that belongs to the experiment's seed and to `key`."""
    return int(np.random.SeedSequence(experiment.data.seed, spawn_key=key).generate_state(1)[0])


def _rng(experiment, *key):
    return np.random.default_rng(np.random.SeedSequence(experiment.data.seed, spawn_key=key))
