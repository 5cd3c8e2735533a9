"""From two data sets and an experiment to a network in a run folder."""

from pathlib import Path

import keras
import numpy as np

from imtools import networks
from imtools.datasets import Batches, network_inputs
from imtools.run_folder import append_row, write_status
from imtools.training.geometry import describe_maps
from imtools.training.loop import NonFiniteLossError, device_name, fit
from imtools.training.reference import write_reference
from imtools.training.saved import save_model
from imtools.training.splits import check_splits
from imtools.training.targets import Target

MAX_ADAPT = 1024  # training maps that set the scales of a network's first layers
_ADAPT, _VALIDATE, _BATCHES = range(3)  # what a random stream is for


def train(experiment, data_train, data_validation, run_dir):
    """Train the network of an experiment and keep the best by validation in a run folder.

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

    Returns
    -------
    dict
        The manifest: architecture, experiment, scaling of the targets, the maps it was trained on,
        device, best epoch of each network of the ensemble and its validation loss.

    Raises
    ------
    ValueError
        If the data sets share a catalogue, hold fewer maps than a batch, or the additive network
        shall learn what does not add up.
    NonFiniteLossError
        If the loss becomes NaN; the status is then ``failed``, and the best network is kept.
    """
    _check_sum(experiment)
    check_splits(train=data_train, validation=data_validation)
    run_dir = Path(run_dir)
    keras.utils.set_random_seed(experiment.data.seed)
    target = Target.of(experiment, data_train["counts"].values)
    manifest = _first_manifest(experiment, data_train, target)
    some = data_train["map"][:: -(-data_train.sizes["sample"] // MAX_ADAPT)]
    adapt_inputs = network_inputs(some, experiment, _rng(experiment, _ADAPT))
    judges = _judges(experiment, data_validation)
    validation = (
        network_inputs(judges["map"], experiment, _rng(experiment, _VALIDATE)),
        judges["counts"].values,
    )
    members = []
    for k in range(experiment.network.n_ensemble):
        members.append(_new_network(experiment, adapt_inputs, target))
        batches = Batches(data_train, experiment, _seed(experiment, _BATCHES, k))
        keep, log = _keeper(members, manifest, run_dir), _logger(k, run_dir / "history.csv")
        label = f"train {k + 1}/{experiment.network.n_ensemble}"
        settings = {"target": target, "keep": keep, "log": log, "label": label}
        try:
            fit(members[k], batches, validation, experiment.training, **settings)
        except NonFiniteLossError as error:
            write_status(run_dir, "failed", reason=f"nan: {error}")
            raise
    write_reference(run_dir, data_train, data_validation)
    return manifest


def _check_sum(experiment):
    """Raise if an additive network shall learn anything but log10 dN."""
    training = experiment.training
    if experiment.network.architecture == "additive" and (training.target, training.target_log) != (
        "dn",
        True,
    ):
        msg = (
            f"train: target is {training.target!r} and target_log {training.target_log}, expected "
            "'dn' and true for the additive network, which answers with the log10 of a sum"
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
