"""Regressions of log10 dN on a summary of the map, linear or quadratic in a few directions."""

from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import Ridge

from imtools.datasets import log_counts_array, observe, parts_of, typical_spread
from imtools.estimators.base import Estimator, check_sides, common, errors_of
from imtools.estimators.baselines import best_ridge
from imtools.statistics import SUMMARIES, summarise

DIRECTIONS = {"multiscale": 3}  # summaries read quadratically, in so many directions
N_NOISE_DRAWS = 2  # of each training map
N_SCALE = 64  # maps that set the temperature scale
WEIGHT_RANGE = (0.02, 50.0)  # of a map, in units of the mean


@dataclass(frozen=True, kw_only=True, eq=False)
class SummaryRegression(Estimator):
    """A regression of log10 dN on a summary of the observed map."""

    summary: str  # name in ``SUMMARIES``
    temp_scale: float  # typical spread of the voxels of a training map [uK]
    regression: object  # fitted, from features to log10 dN

    def inputs(self, maps, experiment, rng=None):
        """Return the summary of each map, as observed."""
        return _features(self.summary, maps, experiment, rng, self.temp_scale)

    def point(self, inputs):
        """Return the regression's values."""
        return self.regression.predict(inputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class QuadraticRegression:
    """A linear regression, mended by the products of the directions in which it varies most."""

    linear: Ridge  # from features to log10 dN
    mean: np.ndarray  # of its predictions in training, shape (n_bins,)
    directions: np.ndarray  # from predictions to unit variance, shape (n_bins, n_directions)
    ridge: Ridge  # from directions and their products to log10 dN

    def predict(self, features):
        """Return log10 dN, shape (n, n_bins)."""
        return self.ridge.predict(self.terms(features))

    def terms(self, features):
        """Return the directions and their products."""
        along = (self.linear.predict(features) - self.mean) @ self.directions
        first, second = np.triu_indices(along.shape[1])
        return np.concatenate([along, along[:, first] * along[:, second]], axis=1)


def fit_summary_regression(experiment, data_train, data_validation, run_dir=None, *, summary):
    """Fit a regression on a summary of the observed maps.

    Parameters
    ----------
    experiment : Experiment
        Its noise and filter are applied.
    data_train : xarray.Dataset
        Variables ``map`` and ``counts`` over ``sample``, to fit on; each map is seen twice, with
        other noise.
    data_validation : xarray.Dataset
        Maps of other catalogues, which choose the penalty and give the intervals.
    run_dir : path-like, optional
        Not used; every ``fit_`` function takes it.
    summary : str
        Name in ``SUMMARIES``. The regression is linear, and quadratic for those in ``DIRECTIONS``.

    Returns
    -------
    SummaryRegression
        Named ``ridge_`` and the summary's name.

    Raises
    ------
    ValueError
        If there is no such summary, a side has no maps, or the two share a catalogue.
    """
    if summary not in SUMMARIES:
        known = ", ".join(SUMMARIES)
        msg = f"fit_summary_regression: summary is {summary!r}, expected one of {known}"
        raise ValueError(msg)
    check_sides(data_train, data_validation, caller="fit_summary_regression")
    rngs = np.random.default_rng([experiment.data.seed, 3]).spawn(N_NOISE_DRAWS + 1)
    some = data_train["map"][:N_SCALE]
    temp_scale = typical_spread(some, experiment, rngs[0].spawn(1)[0])
    draws = [_features(summary, data_train["map"], experiment, rng, temp_scale) for rng in rngs[1:]]
    validation = _features(summary, data_validation["map"], experiment, rngs[0], temp_scale)
    log_dn, truth = (log_counts_array(d, experiment) for d in (data_train, data_validation))
    training = np.concatenate(draws), np.concatenate([log_dn] * len(draws))
    regression = fit_regression(training, (validation, truth), DIRECTIONS.get(summary))
    return SummaryRegression(
        **common(f"ridge_{summary}", experiment, data_train), summary=summary,
        temp_scale=temp_scale, regression=regression,
        **errors_of(truth - regression.predict(validation)),
    )  # fmt: skip


def fit_regression(training, validation, n_directions=None):
    """Fit log10 dN on features, by the penalty that does best on the validation maps.

    Parameters
    ----------
    training, validation : tuple of numpy.ndarray
        Features (n, n_features) and log10 dN (n, n_bins).
    n_directions : int, optional
        Go on with the products of that many directions, see `QuadraticRegression`.

    Returns
    -------
    sklearn.linear_model.Ridge or QuadraticRegression

    Notes
    -----
    A ridge regression on everything comes first. The principal components of its predictions are
    the directions in which the features tell of luminosity, three or so for a model of five
    parameters; a quadratic ridge regression on them follows, with each map weighted by the inverse
    of its expected squared error. Bright maps are read to a few per cent and faint ones hardly at
    all: without the weights the fit would serve the faint ones alone.
    """
    linear = best_ridge(training, validation)
    if n_directions is None:
        return linear
    predicted = linear.predict(training[0])
    mean = predicted.mean(axis=0)
    width = np.maximum(training[1].std(axis=0), 1e-6)  # each bin counts by its own spread
    axes = np.linalg.svd((predicted - mean) / width, full_matrices=False)[2][:n_directions]
    directions = axes.T / width[:, None]
    directions = directions / np.maximum(((predicted - mean) @ directions).std(axis=0), 1e-6)
    start = QuadraticRegression(linear=linear, mean=mean, directions=directions, ridge=None)
    terms = start.terms(training[0]), start.terms(validation[0])
    return replace(start, ridge=_weighted_ridge(*terms, training[1], validation[1]))


def _weighted_ridge(terms, validation_terms, log_dn, truth):
    """Return a ridge regression in which a map counts by the inverse of its squared error."""
    validation = (validation_terms, truth)
    equal = best_ridge((terms, log_dn), validation)
    width = np.maximum(log_dn.std(axis=0), 1e-6)
    error = np.mean(((equal.predict(terms) - log_dn) / width) ** 2, axis=1)
    log_error = Ridge(alpha=100.0).fit(terms, np.log(error + 1e-6)).predict(terms)
    weight = np.exp(log_error.mean() - log_error)
    return best_ridge((terms, log_dn), validation, np.clip(weight / weight.mean(), *WEIGHT_RANGE))


def _features(summary, maps, experiment, rng, temp_scale):
    """Return the summary of the maps as observed, a few maps in memory at a time."""
    seen = (observe(part, experiment, rng) for part in parts_of(maps))
    return summarise(seen, summary, temp_scale=temp_scale)
