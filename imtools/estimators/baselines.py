"""What costs nothing: the mean of the training maps, and a ridge regression on their histograms."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import Ridge

from imtools.datasets import log_counts_array, parts_of, scaled_maps
from imtools.estimators.base import (
    Estimator,
    check_sides,
    check_some,
    common,
    errors_of,
    register,
)

N_HISTOGRAM_BINS = 160
ALPHAS = tuple(10.0 ** np.arange(-3, 5))  # strengths of the ridge penalty that are tried


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorMean(Estimator):
    """The mean of the training maps, whatever the map: what a network must beat."""

    mean: np.ndarray  # of log10 dN, shape (log_l,)

    def point(self, inputs):
        """Return the same for every map."""
        return np.broadcast_to(self.mean, (len(inputs), self.mean.size))

    def inputs(self, maps, experiment, rng=None):
        """Return nothing of each map."""
        return np.empty((maps.sizes["sample"], 0))


@dataclass(frozen=True, kw_only=True, eq=False)
class HistogramRegression(Estimator):
    """Ridge regression of log10 dN on the logarithm of a map's voxel histogram."""

    bins: np.ndarray  # edges of the voxel histogram, in scaled temperature
    ridge: Ridge  # fitted

    def point(self, inputs):
        """Return the regression's values."""
        return self.ridge.predict(inputs)

    def inputs(self, maps, experiment, rng=None):
        """Return the logarithm of each map's voxel histogram."""
        parts = (scaled_maps(part, experiment, rng) for part in parts_of(maps))
        return np.concatenate([log_histogram(part, self.bins) for part in parts])


@register("prior_mean")
def fit_prior_mean(experiment, data_train, data_validation=None, run_dir=None):
    """Fit the prior mean; its intervals are those of the training maps themselves.

    Parameters are those of `fit_histogram_regression`; only `data_train` is used.
    """
    check_some(data_train.sizes["sample"], "training maps", caller="fit_prior_mean")
    log_dn = log_counts_array(data_train, experiment)
    mean = log_dn.mean(axis=0)
    known = common("prior_mean", experiment, data_train)
    return PriorMean(**known, mean=mean, **errors_of(log_dn - mean))


@register("histogram_regression")
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

    Raises
    ------
    ValueError
        If a side has no maps, or the two share a catalogue.
    """
    check_sides(data_train, data_validation, caller="fit_histogram_regression")
    streams = np.random.SeedSequence([experiment.data.seed, 1]).spawn(2)
    rngs = [np.random.default_rng(stream) for stream in (streams[0], *streams)]  # twice the same
    parts = (scaled_maps(part, experiment, rngs[0]) for part in parts_of(data_train["map"]))
    ends = np.array([(part.min(), part.max()) for part in parts])
    bins = np.linspace(ends[:, 0].min(), ends[:, 1].max(), N_HISTOGRAM_BINS + 1)
    known = common("histogram_regression", experiment, data_train)
    empty = HistogramRegression(**known, bins=bins, ridge=None)
    features, validation = (
        empty.inputs(data["map"], experiment, rng)
        for data, rng in zip((data_train, data_validation), rngs[1:], strict=True)
    )
    log_dn, truth = (log_counts_array(d, experiment) for d in (data_train, data_validation))
    ridge = best_ridge((features, log_dn), (validation, truth))
    return replace(empty, ridge=ridge, **errors_of(truth - ridge.predict(validation)))


def log_histogram(inputs, bins):
    """Return ln(1 + voxels in each bin), shape (n, n_bins); a voxel outside counts at the end."""
    clipped = np.clip(inputs.reshape(len(inputs), -1), bins[0], bins[-1])
    span, n = (bins[0], bins[-1]), bins.size - 1
    return np.log1p(np.stack([np.histogram(one, n, span)[0] for one in clipped]))


def best_ridge(training, validation, weight=None):
    """Return the ridge regression whose penalty does best on the validation maps.

    Both are features and log10 dN; `weight` is how much each training map counts.
    """
    features, log_dn = training
    width = np.where(log_dn.std(axis=0) > 0, log_dn.std(axis=0), 1)
    scale = np.where(features.std(axis=0) > 0, features.std(axis=0), 1)

    def loss(ridge):
        return np.mean(((ridge.predict(validation[0] / scale) - validation[1]) / width) ** 2)

    tried = [Ridge(alpha=a).fit(features / scale, log_dn, weight) for a in ALPHAS]
    for ridge in tried:  # scikit-learn drops the axis of a single bin
        ridge.coef_, ridge.intercept_ = np.atleast_2d(ridge.coef_), np.atleast_1d(ridge.intercept_)
    best = min(tried, key=loss)
    best.coef_ = best.coef_ / scale  # so that it takes features as they are
    return best
