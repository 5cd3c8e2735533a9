"""What a run answered to its test maps, beside the truth: read when it is asked for."""

from pathlib import Path

import numpy as np
import xarray as xr

from imtools.experiment import Experiment
from imtools.run_folder import open_netcdf

PREDICTIONS = "predictions.nc"
REFERENCE = "one_point_reference.nc"


def has_answers(folder):
    """Return whether a run has left predictions for its test maps."""
    return (Path(folder) / PREDICTIONS).exists()


def read_answers(folder):
    """Return the predictions of a run and the true counts of the same maps.

    Parameters
    ----------
    folder : path-like
        Run folder. Where its ``predictions.nc`` lacks the truth, as those of early runs do, the
        test catalogues of its data set are asked, and no map of them is read.

    Returns
    -------
    xarray.Dataset
        ``log_dn`` (method, sample, quantile, log_l) and ``counts`` (sample, log_l).

    Raises
    ------
    FileNotFoundError
        If the run has no predictions, or the data set is gone.
    ValueError
        If predictions and truth are not of the same maps.
    """
    folder = Path(folder)
    if not has_answers(folder):
        msg = f"answers: {folder.name} has no {PREDICTIONS}; choose a run that was scored"
        raise FileNotFoundError(msg)
    with open_netcdf(folder / PREDICTIONS) as file:
        dataset = file.load()
    if "counts" not in dataset:
        dataset["counts"] = _truth(folder, dataset)
    dataset["counts"].attrs.setdefault("convention", "dn")
    return dataset


def read_reference(folder):
    """Return the one-point reference of a run as from `statistics.reference_error`, or None."""
    path = Path(folder) / REFERENCE
    if not path.exists():
        return None
    with open_netcdf(path) as file:
        return file.load()


def _truth(folder, predictions):
    """Return the true counts of the maps in `predictions`, from the data set of a run."""
    from imtools.datasets import catalogue_path, set_folder

    text = (folder / "experiment.json").read_text(encoding="utf-8")
    sets = set_folder(Experiment.from_json(text))
    parts = []
    for catalogue in dict.fromkeys(predictions["catalogue"].values.tolist()):
        path = catalogue_path(sets, catalogue)
        if not path.exists():
            msg = f"answers: {path} is gone, and with it the truth of {folder.name}; make it again"
            raise FileNotFoundError(msg)
        with open_netcdf(path) as file:
            parts.append(file["counts"].load())
    counts = xr.concat(parts, "sample", coords="minimal", compat="override", join="exact")
    same = counts.sizes["sample"] == predictions.sizes["sample"] and np.allclose(
        counts["log_l"], predictions["log_l"]
    )
    if not same or (counts["catalogue"].values != predictions["catalogue"].values).any():
        msg = f"answers: the data set of {folder.name} has changed since; make its predictions anew"
        raise ValueError(msg)
    return ("sample", "log_l"), counts.values, counts.attrs
