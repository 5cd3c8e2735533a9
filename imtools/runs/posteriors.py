"""What a run of notebook 07 knows of its test maps: intervals, truth, coverage and parameters."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from imtools.evaluation.intervals import compare_widths
from imtools.run_folder import data_root, open_netcdf
from imtools.runs.answers import has_answers, read_answers
from imtools.runs.listing import run_folders

CALIBRATION = "calibration.nc"
PARAMETERS = "parameters.nc"
AGAINST = "mcmc_pk_vid"  # widths are compared with those of this method


@dataclass(frozen=True, kw_only=True, eq=False)
class Posteriors:
    """What the methods of a run say of its test maps, and what of it is true."""

    predictions: xr.DataArray  # log10 dN (method, sample, quantile, log_l)
    truth: xr.DataArray  # dN (sample, log_l)
    calibration: xr.Dataset  # from evaluation.calibration.calibrate_all
    widths: xr.Dataset  # from evaluation.intervals.compare_widths
    parameters: xr.Dataset | None  # draws (method, sample, draw, parameter), truth; or none kept

    @property
    def methods(self):
        """Names of the methods."""
        return self.predictions["method"].values.tolist()

    @property
    def floor(self):
        """Sources that an empty bin stands for under a logarithm."""
        return float(self.calibration.attrs["floor"])

    @property
    def order(self):
        """Return the maps from that of fewest sources to that of most, as indices."""
        return np.argsort(self.truth.sum("log_l").values, kind="stable")

    def samples(self, methods, sample):
        """Return draws of the parameters of one map, by those of `methods` that have any.

        Parameters
        ----------
        methods : sequence of str
            Names.
        sample : int
            Which map.

        Returns
        -------
        draws : dict of str to numpy.ndarray, shape (n_draws, n_parameters)
        names : list of str
        truth : list of float
        """
        if self.parameters is None:
            return {}, [], []
        one = self.parameters.isel(sample=sample)
        known = one["method"].values.tolist()
        draws = {m: one["draws"].sel({"method": m}).values for m in methods if m in known}
        return draws, one["parameter"].values.tolist(), one["truth"].values.tolist()


def has_posteriors(folder):
    """Return whether a run has left intervals for its test maps, and whether they hold."""
    return has_answers(folder) and (Path(folder) / CALIBRATION).exists()


def posterior_runs(root=None):
    """Return the folders of the runs that have posteriors, by name, newest first.

    Parameters
    ----------
    root : path-like, optional
        By default ``runs`` under `run_folder.data_root`.
    """
    root = data_root() / "runs" if root is None else Path(root)
    found = [folder for folder in run_folders(root) if has_posteriors(folder)]
    newest = sorted(found, key=lambda f: (f / CALIBRATION).stat().st_mtime, reverse=True)
    return {folder.relative_to(root).as_posix(): folder for folder in newest}


def read_posteriors(folder):
    """Return what a run knows of its test maps.

    Parameters
    ----------
    folder : path-like
        Of a run of ``07_against_the_power_spectrum.ipynb``.

    Returns
    -------
    Posteriors

    Raises
    ------
    FileNotFoundError
        If the run has no predictions or no calibration.
    ValueError
        If these are not of the same maps and methods.
    """
    folder = Path(folder)
    if not has_posteriors(folder):
        msg = (
            f"posteriors: {folder.name} has no predictions or no {CALIBRATION}, expected both; "
            "choose a run of 07_against_the_power_spectrum.ipynb"
        )
        raise FileNotFoundError(msg)
    answers = read_answers(folder)
    calibration = _load(folder / CALIBRATION)
    predictions, parameters = answers["log_dn"], None
    if (folder / PARAMETERS).exists():
        # coordinates of maps, such as which draw of a catalogue each is, are in the way of `draw`
        parameters = _load(folder / PARAMETERS).reset_coords(drop=True)
    _check_same(folder, predictions, calibration, parameters)
    names = predictions["method"].values.tolist()
    against = AGAINST if AGAINST in names else names[0]
    widths = compare_widths(predictions, against=against, rng=np.random.default_rng(0))
    return Posteriors(
        predictions=predictions, truth=answers["counts"], calibration=calibration, widths=widths,
        parameters=parameters,
    )  # fmt: skip


def _check_same(folder, predictions, calibration, parameters):
    """Raise if the files of a run are of several runs."""
    n = predictions.sizes["sample"]
    same = calibration.attrs["n_maps"] == n and set(predictions["method"].values) <= set(
        calibration["method"].values
    )
    if not same or (parameters is not None and parameters.sizes["sample"] != n):
        msg = (
            f"posteriors: the files of {folder.name} are of other maps or methods than its "
            f"predictions ({n} maps); run its notebook anew"
        )
        raise ValueError(msg)


def _load(path):
    with open_netcdf(path) as file:
        return file.load()
