"""One interface over everything that reads a luminosity function off maps.

An estimator is fitted on training catalogues, takes its intervals from validation catalogues, and
returns quantiles of log10 dN for maps it has not seen.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from sklearn.linear_model import Ridge

from imtools.datasets import log_counts_array, network_inputs
from imtools.training import check_maps, describe_maps, load_model, train
from imtools.training.loop import predict

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)  # 95 % and 68 % intervals, and the median
N_HISTOGRAM_BINS = 160
ALPHAS = tuple(10.0 ** np.arange(-3, 5))  # strengths of the ridge penalty that are tried
ESTIMATORS = {}


def _register(name):
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
        values = self.median(maps, experiment, rng)[:, None, :] + self.offsets
        return _labelled(values, maps, self.log_l_edges, experiment.counts.floor)

    def median(self, maps, experiment, rng=None):
        """Return the median alone, shape (n, n_bins); everything else as in `predict`."""
        caller = f"{type(self).__name__}.predict"
        check_maps(maps, self.maps, caller=caller)
        if experiment.preprocessing.transform != self.transform:
            msg = (
                f"{caller}: transform is {experiment.preprocessing.transform!r}, expected "
                f"{self.transform!r} as in the fit; use the experiment of the fit"
            )
            raise ValueError(msg)
        return self.point(network_inputs(maps, experiment, rng))


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorMean(Estimator):
    """The mean of the training maps, whatever the map: what a network must beat."""

    mean: np.ndarray  # of log10 dN, shape (log_l,)

    def point(self, inputs):
        """Return the same for every map."""
        return np.broadcast_to(self.mean, (len(inputs), self.mean.size))


@dataclass(frozen=True, kw_only=True, eq=False)
class HistogramRegression(Estimator):
    """Ridge regression of log10 dN on the logarithm of a map's voxel histogram."""

    bins: np.ndarray  # edges of the voxel histogram, in scaled temperature
    ridge: Ridge  # fitted

    def point(self, inputs):
        """Return the regression's values."""
        return self.ridge.predict(_log_histogram(inputs, self.bins))


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Estimator):
    """A trained network."""

    model: object  # keras.Model
    mean: np.ndarray  # of log10 dN over the training maps, shape (log_l,)
    width: np.ndarray  # its standard deviation

    def point(self, inputs):
        """Return the network's values, brought back from standardised to log10 dN."""
        return predict(self.model, inputs, 32) * self.width + self.mean


@_register("prior_mean")
def fit_prior_mean(experiment, data_train, data_validation=None, run_dir=None):
    """Fit the prior mean; its intervals are those of the training maps themselves.

    Parameters are those of `fit_histogram_regression`; only `data_train` is used.
    """
    log_dn = log_counts_array(data_train, experiment)
    mean = log_dn.mean(axis=0)
    common = _common("prior_mean", experiment, data_train)
    return PriorMean(**common, mean=mean, offsets=_offsets(log_dn - mean))


@_register("histogram_regression")
def fit_histogram_regression(experiment, data_train, data_validation, run_dir=None):
    """Fit a ridge regression on the histogram of the voxels.

    Parameters
    ----------
    experiment : Experiment
        Its noise is drawn once for each training map.
    data_train : xarray.Dataset
        Variables ``map`` and ``counts`` over ``sample``, to fit on.
    data_validation : xarray.Dataset
        Maps of other catalogues, which choose the penalty and give the intervals.
    run_dir : path-like, optional
        Not used; every ``fit_`` function takes it.

    Returns
    -------
    HistogramRegression
        With 160 bins over the range of the training maps.
    """
    rngs = np.random.default_rng([experiment.data.seed, 1]).spawn(2)
    inputs = network_inputs(data_train["map"], experiment, rngs[0])
    bins = np.linspace(inputs.min(), inputs.max(), N_HISTOGRAM_BINS + 1)
    features = _log_histogram(inputs, bins)
    inputs = network_inputs(data_validation["map"], experiment, rngs[1])
    validation = _log_histogram(inputs, bins)
    log_dn, truth = (log_counts_array(d, experiment) for d in (data_train, data_validation))
    ridge = _best_ridge((features, log_dn), (validation, truth))
    common = _common("histogram_regression", experiment, data_train)
    offsets = _offsets(truth - ridge.predict(validation))
    return HistogramRegression(**common, bins=bins, ridge=ridge, offsets=offsets)


@_register("network")
def fit_network(experiment, data_train, data_validation, run_dir):
    """Train the network of `experiment` in `run_dir` and return it as an estimator."""
    train(experiment, data_train, data_validation, run_dir)
    return load_network(run_dir, experiment, data_validation)


def load_network(run_dir, experiment, data_validation):
    """Return the network that a run has trained, with intervals from validation catalogues.

    Parameters
    ----------
    run_dir : path-like
        Folder with ``model.keras`` and its manifest, both verified.
    experiment : Experiment
        Its noise is added to the validation maps.
    data_validation : xarray.Dataset
        Variables ``map`` and ``counts`` over ``sample``.

    Raises
    ------
    ValueError
        If the model is damaged, of another format or unsafe, or the maps differ from its own.
    """
    model, manifest = load_model(run_dir)
    target = {k: np.array(manifest["target"][k]) for k in ("mean", "width")}
    known = {
        "name": "network",
        "maps": manifest["maps"],
        "transform": manifest["experiment"]["preprocessing"]["transform"],
        "log_l_edges": np.array(manifest["log_l_edges"]),
    }
    network = Network(**known, **target, model=model)
    rng = np.random.default_rng([experiment.data.seed, 2])
    median = network.median(data_validation["map"], experiment, rng)
    offsets = _offsets(log_counts_array(data_validation, experiment) - median)
    return replace(network, offsets=offsets)


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


def _common(name, experiment, data):
    return {
        "name": name,
        "maps": describe_maps(data["map"]),
        "transform": experiment.preprocessing.transform,
        "log_l_edges": np.log10(experiment.l_edges),
    }


def _log_histogram(inputs, bins):
    """Return ln(1 + voxels in each bin), shape (n, n_bins); a voxel outside counts at the end."""
    clipped = np.clip(inputs.reshape(len(inputs), -1), bins[0], bins[-1])
    span, n = (bins[0], bins[-1]), bins.size - 1
    return np.log1p(np.stack([np.histogram(one, n, span)[0] for one in clipped]))


def _best_ridge(training, validation):
    """Return the ridge regression whose penalty does best on the validation maps."""
    features, log_dn = training
    width = np.where(log_dn.std(axis=0) > 0, log_dn.std(axis=0), 1)
    scale = np.where(features.std(axis=0) > 0, features.std(axis=0), 1)

    def loss(ridge):
        return np.mean(((ridge.predict(validation[0] / scale) - validation[1]) / width) ** 2)

    best = min((Ridge(alpha=a).fit(features / scale, log_dn) for a in ALPHAS), key=loss)
    best.coef_ = best.coef_ / scale  # so that it takes features as they are
    return best


def _offsets(residuals):
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
