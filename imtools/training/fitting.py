"""From two data sets and an experiment to a network in a run folder."""

from pathlib import Path

import keras
import numpy as np

from imtools import networks
from imtools.datasets import Batches, log_counts_array, network_inputs
from imtools.run_folder import append_row, write_status
from imtools.training.geometry import describe_maps
from imtools.training.loop import NonFiniteLossError, device_name, fit
from imtools.training.reference import write_reference
from imtools.training.saved import save_model
from imtools.training.splits import check_splits

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
        If the data sets share a catalogue, hold fewer maps than a batch, or the network's output
        is not one value a bin.
    NonFiniteLossError
        If the loss becomes NaN; the status is then ``failed``, and the best network is kept.
    """
    if experiment.network.output != "point":
        msg = (
            f"train: output is {experiment.network.output!r}, expected 'point': the mean squared "
            "error, the only loss there is, fits nothing else"
        )
        raise ValueError(msg)
    check_splits(train=data_train, validation=data_validation)
    run_dir = Path(run_dir)
    keras.utils.set_random_seed(experiment.data.seed)
    manifest = _first_manifest(experiment, data_train)
    mean, width = (np.array(manifest["target"][k], "float32") for k in ("mean", "width"))

    def scale(log_dn):
        return (log_dn - mean) / width

    some = data_train["map"][:: -(-data_train.sizes["sample"] // MAX_ADAPT)]
    adapt_inputs = network_inputs(some, experiment, _rng(experiment, _ADAPT))
    validation = (
        network_inputs(data_validation["map"], experiment, _rng(experiment, _VALIDATE)),
        scale(log_counts_array(data_validation, experiment)),
    )
    members = []
    for k in range(experiment.network.n_ensemble):
        members.append(_new_network(experiment, adapt_inputs, (mean, width)))
        batches = Batches(data_train, experiment, _seed(experiment, _BATCHES, k))
        keep, log = _keeper(members, manifest, run_dir), _logger(k, run_dir / "history.csv")
        label = f"train {k + 1}/{experiment.network.n_ensemble}"
        settings = {"scale": scale, "keep": keep, "log": log, "label": label}
        try:
            fit(members[k], batches, validation, experiment.training, **settings)
        except NonFiniteLossError as error:
            write_status(run_dir, "failed", reason=f"nan: {error}")
            raise
    write_reference(run_dir, data_train, data_validation)
    return manifest


def _first_manifest(experiment, data_train):
    """Return what is known of the network before it is trained."""
    log_dn = log_counts_array(data_train, experiment)
    width = log_dn.std(axis=0)
    return {
        "architecture": experiment.network.architecture,
        "experiment": experiment.model_dump(),
        "maps": describe_maps(data_train["map"]),
        "log_l_edges": np.log10(experiment.l_edges).tolist(),
        # a bin that is the same in every training map has no width to divide by
        "target": {"mean": log_dn.mean(axis=0), "width": np.where(width > 0, width, 1)},
        "n_maps": int(data_train.sizes["sample"]),
        "catalogues": sorted(set(data_train["catalogue"].values.tolist())),
        "device": device_name(),
        "best": [],
    }


def _new_network(experiment, adapt_inputs, target):
    settings = experiment.network.model_dump(exclude={"architecture"})
    shape = adapt_inputs.shape[1:]
    model = networks.build(experiment.network.architecture, shape, target[0].size, **settings)
    size = experiment.training.batch_size
    networks.adapt(model, adapt_inputs, target=target, batch_size=size)
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
