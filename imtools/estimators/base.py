"""What every estimator shares: how it predicts, and the fits by name.

An estimator is fitted on training catalogues, takes its intervals from validation catalogues, and
returns quantiles of log10 dN for maps it has not seen, or draws of it.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools.datasets import network_inputs, parts_of
from imtools.training import check_maps, check_splits, describe_maps

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)  # 95 % and 68 % intervals, and the median
N_DRAWS = 200  # of the posterior of a map: a 95 % interval ends at the fifth from each side
DRAWN = 2**22  # numbers that are drawn at a time
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
    residuals: np.ndarray = None  # true minus estimated log10 dN of other maps, (map, log_l)

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
            If there are no maps, or they differ from those in training or are scaled differently.
        """
        values = self.read_maps(self.quantiles, maps, experiment, rng)
        along = ("quantile", list(QUANTILES), {"units": "1", "long_name": "quantile"})
        return labelled(values, maps, self.log_l_edges, experiment, along)

    def draws(self, maps, experiment, rng, n_draws=N_DRAWS):
        """Return draws of log10 dN for each map, all bins of a draw together.

        Parameters
        ----------
        maps, experiment
            As in `predict`.
        rng : numpy.random.Generator
            Source of the noise, which is that of `predict` with an equal one, then of the draws.
        n_draws : int
            Draws a map.

        Returns
        -------
        xarray.DataArray, float32, dims ("sample", "draw", "log_l"), units log10(1)
            What the counts in the field of the map may be, as the method has it; fewer sources
            than the floor stand as the floor.

        Raises
        ------
        ValueError
            As in `predict`, or if the method knows nothing of its errors, or there are no draws.
        """
        check_some(n_draws, "draws", caller=f"{type(self).__name__}.draws")
        answer = self.read_maps(self.answer, maps, experiment, rng)
        size = (len(answer), n_draws, self.log_l_edges.size - 1)
        values = np.empty(size, dtype=np.float32)
        step = max(1, DRAWN // (size[1] * size[2]))
        sample = self.sampler(rng)
        for i in range(0, len(answer), step):
            values[i : i + step] = sample(answer[i : i + step], n_draws)
        np.maximum(values, np.float32(np.log10(experiment.counts.floor)), out=values)
        along = ("draw", np.arange(n_draws), {"units": "1", "long_name": "draw"})
        return labelled(values, maps, self.log_l_edges, experiment, along)

    def median(self, maps, experiment, rng=None):
        """Return the median alone, shape (n, n_bins); everything else as in `predict`."""
        return self.read_maps(self.point, maps, experiment, rng)

    def quantiles(self, inputs):
        """Return quantiles of log10 dN, shape (n, quantile, n_bins), from network inputs."""
        return self.point(inputs)[:, None, :] + self.offsets

    def answer(self, inputs):
        """Return what `sampler` draws about, from network inputs: here the point estimate."""
        return self.point(inputs)

    def sampler(self, rng):
        """Return a function of (answer, n_draws) that draws log10 dN, (n, n_draws, n_bins).

        Here a draw is the estimate plus the error of one validation map, all bins of it: the
        dependence between bins is that of the errors, and every map has the same one.
        """
        if self.residuals is None:
            msg = f"{type(self).__name__}.draws: {self.name} has no residuals; fit it again"
            raise ValueError(msg)
        residuals = np.asarray(self.residuals, dtype=np.float32)

        def sample(answer, n_draws):
            chosen = rng.integers(len(residuals), size=(len(answer), n_draws))
            return answer[:, None].astype(np.float32) + residuals[chosen]

        return sample

    def read_maps(self, function, maps, experiment, rng):
        """Return what `function` makes of maps that are those of the fit, a part at a time."""
        caller = f"{type(self).__name__}.predict"
        check_maps(maps, self.maps, caller=caller)
        check_some(maps.sizes["sample"], "maps", caller=caller)
        if experiment.preprocessing.transform != self.transform:
            msg = (
                f"{caller}: transform is {experiment.preprocessing.transform!r}, expected "
                f"{self.transform!r} as in the fit; use the experiment of the fit"
            )
            raise ValueError(msg)
        parts = (self.inputs(part, experiment, rng) for part in parts_of(maps))
        return np.concatenate([function(part) for part in parts])

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


def check_some(n, what, *, caller):
    """Raise unless there is at least one of what is counted."""
    if n < 1:
        msg = f"{caller}: {n} {what}, expected at least 1"
        raise ValueError(msg)


def check_sides(data_train, data_validation, *, caller):
    """Raise unless there are maps to fit on, and to choose by others of other catalogues."""
    for side, data in (("training", data_train), ("validation", data_validation)):
        check_some(data.sizes["sample"], f"{side} maps", caller=caller)
    check_splits(train=data_train, validation=data_validation)


def common(name, experiment, data):
    """Return what every estimator is told of itself and of its training maps."""
    return {
        "name": name,
        "maps": describe_maps(data["map"]),
        "transform": experiment.preprocessing.transform,
        "log_l_edges": np.log10(experiment.l_edges),
    }


def errors_of(residuals):
    """Return what an estimator keeps of true minus estimated log10 dN, shape (map, log_l)."""
    return {"offsets": offsets_of(residuals), "residuals": residuals.astype(np.float32)}


def offsets_of(residuals):
    """Return quantiles of `residuals` (n, n_bins) about the estimate, which stays the median."""
    offsets = np.quantile(residuals, QUANTILES, axis=0)
    side = np.sign(np.array(QUANTILES) - 0.5)[:, None]
    return side * np.maximum(side * offsets, 0)


def labelled(values, maps, log_l_edges, experiment, along):
    """Return log10 dN, (sample, ..., log_l), as a DataArray.

    Parameters
    ----------
    values : numpy.ndarray
        Its axes are those of `maps`, of `along`, and the luminosity bins.
    maps : xarray.DataArray
        Whose coordinates on ``sample`` are kept.
    log_l_edges : numpy.ndarray
        Bin edges, log10 Lsun.
    experiment : Experiment
        Whose floor it is.
    along : tuple
        Name, values and attributes of the coordinate in between.
    """
    centres = (log_l_edges[1:] + log_l_edges[:-1]) / 2
    log_l = {"units": "log10(Lsun)", "long_name": "log10 of luminosity, bin centre"}
    on_sample = {k: c.variable for k, c in maps.coords.items() if c.dims == ("sample",)}
    return xr.DataArray(
        values, dims=("sample", along[0], "log_l"), name="log_dn",
        coords=on_sample | {along[0]: along, "log_l": ("log_l", centres, log_l)},
        attrs={
            "units": "log10(1)", "long_name": "log10 of sources per luminosity bin",
            "convention": "log_dn", "floor": experiment.counts.floor,
            "log_l_edges": log_l_edges.tolist(),
        },
    )  # fmt: skip
