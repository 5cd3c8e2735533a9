"""A trained network as a run left it, with its errors and the maps that it knows."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from imtools.estimators import Network
from imtools.estimators.base import errors_of
from imtools.experiment import Experiment
from imtools.run_folder import data_root
from imtools.training import Target, experiment_of, load_model, read_reference


@dataclass(frozen=True, kw_only=True, eq=False)
class Trained:
    """A network and what it was trained on; `open_trained` makes it."""

    folder: Path  # of the run
    network: Network  # with intervals from the validation maps
    experiment: Experiment  # of the training
    reference: xr.Dataset  # see `training.write_reference`


def open_trained(run):
    """Return the network of a run, ready to predict.

    Parameters
    ----------
    run : path-like
        Folder with ``model.keras``, ``manifest.json`` and ``reference.nc``, or its name in
        data/runs.

    Raises
    ------
    FileNotFoundError
        If the folder or one of the files is not there.
    ValueError
        If the model is damaged, unsafe, or not the one that the reference belongs to.
    """
    folder = find_run(run)
    model, manifest = load_model(folder)
    reference, experiment = read_reference(folder), experiment_of(manifest)
    network = Network(
        name="network", model=model, maps=manifest["maps"],
        target=Target.from_manifest(manifest), reads=experiment.network.reads,
        temp_scale=experiment.network.temp_scale,
        transform=experiment.preprocessing.transform,
        log_l_edges=np.array(manifest["log_l_edges"]),
        **errors_of(reference["residual"].values),
    )  # fmt: skip
    return Trained(folder=folder, network=network, experiment=experiment, reference=reference)


def find_run(run):
    """Return the folder of a run, given as its path or as its name in data/runs."""
    for folder in (Path(run), data_root() / "runs" / run):
        if folder.is_dir():
            return folder
    msg = f"predict: {run} is no folder and no run in {data_root() / 'runs'}; see `imtools runs`"
    raise FileNotFoundError(msg)
