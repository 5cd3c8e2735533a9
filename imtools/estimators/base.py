"""What every estimator shares: how it predicts, and the fits by name.

An estimator is fitted on training catalogues, takes its intervals from validation catalogues, and
returns quantiles of log10 dN for maps it has not seen.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools.datasets import network_inputs
from imtools.training import check_maps, describe_maps

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)  # 95 % and 68 % intervals, and the median
ESTIMATORS = {}


def register(name):
    """Return a decorator that enters a fit into ``ESTIMATORS`` under `name`."""

    def enter(fit):
        ESTIMATORS[name] = fit
        return fit

    return enter


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimator(ABC):
    """What every method knows of the maps it was fitted on, and of its own errors."""

    name: str  # coordinate value along ``method``
    maps: dict  # what `training.describe_maps` said of the training maps
    transform: str  # scaling of the maps that it was fitted with
    log_l_edges: np.ndarray  # bin edges, log10 Lsun
    offsets: np.ndarray = None  # quantiles about the median, dex, shape (quantile, log_l)

    @abstractmethod
    def point(self, inputs):
        """Return the point estimate of log10 dN, shape (n, n_bins), from network inputs."""

    def predict(self, maps, experiment, rng=None):
        """Return quantiles of log10 dN for each map.

        Parameters
        ----------
        maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
            Maps as those in training: shape, pixels, channels, pooling.
        experiment : Experiment
            Its noise is added to the maps; its scaling must be the one of the fit.
        rng : numpy.random.Generator, optional
            Source of the noise; not needed where there is none.

        Returns
        -------
        xarray.DataArray, dims ("sample", "quantile", "log_l"), units log10(1)
            Coordinates of `maps` on ``sample`` stay.

        Raises
        ------
        ValueError
            If the maps differ from those in training, or are scaled differently.
        """
        values = self.quantiles(self._seen(maps, experiment, rng))
        return _labelled(values, maps, self.log_l_edges, experiment.counts.floor)

    def median(self, maps, experiment, rng=None):
        """Return the median alone, shape (n, n_bins); everything else as in `predict`."""
        return self.point(self._seen(maps, experiment, rng))

    def quantiles(self, inputs):
        """Return quantiles of log10 dN, shape (n, quantile, n_bins), from network inputs."""
        return self.point(inputs)[:, None, :] + self.offsets

    def _seen(self, maps, experiment, rng):
        """Return what `point` reads of maps that are those of the fit."""
        caller = f"{type(self).__name__}.predict"
        check_maps(maps, self.maps, caller=caller)
        if experiment.preprocessing.transform != self.transform:
            msg = (
                f"{caller}: transform is {experiment.preprocessing.transform!r}, expected "
                f"{self.transform!r} as in the fit; use the experiment of the fit"
            )
            raise ValueError(msg)
        return self.inputs(maps, experiment, rng)

    def inputs(self, maps, experiment, rng=None):
        """Return what `point` reads: here the maps as a network sees them."""
        return network_inputs(maps, experiment, rng)


def predict_all(methods, maps, experiment, *, seed):
    """Return the predictions of several estimators for the same maps with the same noise.

    Parameters
    ----------
    methods : list of Estimator
        Fitted; their names differ.
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Maps, mostly of the test catalogues.
    experiment : Experiment
        Its noise is added.
    seed : int
        Of the noise, the same for each method.

    Returns
    -------
    xarray.DataArray, dims ("method", "sample", "quantile", "log_l"), units log10(1)
    """
    each = [m.predict(maps, experiment, np.random.default_rng(seed)) for m in methods]
    label = {"long_name": "estimator"}
    names = xr.Variable("method", [m.name for m in methods], label)
    return xr.concat(each, dim=names, combine_attrs="override")


def common(name, experiment, data):
    """Return what every estimator is told of itself and of its training maps."""
    return {
        "name": name,
        "maps": describe_maps(data["map"]),
        "transform": experiment.preprocessing.transform,
        "log_l_edges": np.log10(experiment.l_edges),
    }


def offsets_of(residuals):
    """Return quantiles of `residuals` (n, n_bins) about the estimate, which stays the median."""
    offsets = np.quantile(residuals, QUANTILES, axis=0)
    side = np.sign(np.array(QUANTILES) - 0.5)[:, None]
    return side * np.maximum(side * offsets, 0)


def _labelled(values, maps, log_l_edges, floor):
    centres = (log_l_edges[1:] + log_l_edges[:-1]) / 2
    log_l = {"units": "log10(Lsun)", "long_name": "log10 of luminosity, bin centre"}
    on_sample = {k: c.variable for k, c in maps.coords.items() if c.dims == ("sample",)}
    return xr.DataArray(
        values, dims=("sample", "quantile", "log_l"), name="log_dn",
        coords=on_sample | {
            "quantile": ("quantile", list(QUANTILES), {"units": "1", "long_name": "quantile"}),
            "log_l": ("log_l", centres, log_l),
        },
        attrs={
            "units": "log10(1)", "long_name": "log10 of sources per luminosity bin",
            "convention": "log_dn", "floor": floor, "log_l_edges": log_l_edges.tolist(),
        },
    )  # fmt: skip
