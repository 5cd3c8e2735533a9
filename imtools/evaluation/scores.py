"""Scores of predicted luminosity functions, a luminosity bin at a time and where they are quoted.

Errors are predicted minus true log10 dN [dex]. Bootstrap errors resample whole catalogues: maps of
one catalogue share their haloes and are not independent.
"""

import numpy as np
import xarray as xr
from scipy.special import xlogy

from imtools.counts import FLOOR, QUOTED_LOG_L, log_counts, log_l_edges, quoted_bins
from imtools.counts.sources import check_same_bins

SUBSETS = ("all", "ten_or_more")
TEN = 10  # sources; below, the error of a logarithm is the scatter of empty bins
DEX = {
    "rms": "root mean square error of log10 dN",
    "median_abs": "median absolute error of log10 dN",
    "bias": "mean error of log10 dN, predicted minus true",
}


def score(predictions, truth, catalogue, *, rng, n_bootstrap=500, floor=FLOOR, parameters=None):
    """Score predicted luminosity functions against the true ones.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l")
        Quantiles of log10 dN; the median is scored.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps, convention "dn".
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of the resampling.
    n_bootstrap : int
        Resamplings.
    floor : float
        Sources that an empty bin stands for under a logarithm.
    parameters : array_like, shape (sample, n), optional
        Luminosity parameters of each map; maps that share them are what ``correlation`` is over.

    Returns
    -------
    xarray.Dataset, dims ("subset", "method", "log_l") and ("subset", "method", "quoted_log_l")
        ``rms``, ``median_abs``, ``bias`` [dex] with their bootstrap errors ``rms_error`` ...; the
        same, pooled over the two bins at each quoted luminosity, as ``rms_quoted`` ...; ``mse``
        over all bins; ``skill`` 1 - MSE / Var; ``poisson_deviance`` a map; ``correlation`` at fixed
        parameters; ``n_maps``. The subset "ten_or_more" takes only bins with true dN of at least
        10. NaN where there is nothing to score.

    Raises
    ------
    ValueError
        If shapes or bins disagree, or a prediction is not finite.

    References
    ----------
    .. [1] Poisson deviance: McCullagh & Nelder 1989, Generalized Linear Models, section 2.3
    """
    predicted = _median(predictions, truth, catalogue)
    log_truth = log_counts(truth, floor).values
    dn, catalogue = truth.values, np.asarray(catalogue)
    pairs = [quoted_bins(log_l_edges(truth), x) for x in _quoted(truth)]
    scores = []
    for subset in SUBSETS:
        taken = np.ones(dn.shape, bool) if subset == "all" else dn >= TEN
        error = np.where(taken, predicted - log_truth, np.nan)
        values = _with_bootstrap(error, pairs, catalogue, n_bootstrap, rng)
        values["mse"] = _mean(error**2, axis=(1, 2))
        variance = _variance(np.where(taken, log_truth, np.nan))
        variance = np.where(variance > 0, variance, np.nan)  # equal truths leave nothing to explain
        values["skill"] = 1 - values["rms"] ** 2 / variance
        values["poisson_deviance"] = _mean(np.where(taken, _deviance(dn, predicted), np.nan), 1)
        at_fixed = _correlation(predicted, log_truth, taken, parameters)
        values |= {"correlation": at_fixed, "n_maps": taken.sum(axis=0)}
        scores.append(values)
    return _labelled(scores, predictions, truth, np.unique(catalogue).size, floor, n_bootstrap)


def _median(predictions, truth, catalogue):
    """Return the medians, shape (method, sample, log_l), once all agree."""
    if predictions.dims != ("method", "sample", "quantile", "log_l"):
        msg = (
            f"score: predictions have dims {predictions.dims}, expected (method, sample, quantile, "
            "log_l); see estimators.predict_all"
        )
        raise ValueError(msg)
    median = predictions.sel(quantile=0.5).values
    if median.shape[1:] != truth.shape or len(catalogue) != truth.shape[0]:
        msg = (
            f"score: predictions are for {median.shape[1:]} maps and bins, the truth for "
            f"{truth.shape}, catalogue for {len(catalogue)} maps; expected the same maps"
        )
        raise ValueError(msg)
    check_same_bins(predictions, truth, caller="score")
    if not np.isfinite(median).all():
        n_bad = int((~np.isfinite(median)).sum())
        msg = f"score: {n_bad} predictions are NaN or infinite, expected none; see the method"
        raise ValueError(msg)
    return median


def _quoted(truth):
    edges = log_l_edges(truth)
    return [x for x in QUOTED_LOG_L if edges[0] <= x <= edges[-1]]


def _with_bootstrap(error, pairs, catalogue, n_bootstrap, rng):
    """Return each of ``DEX`` a bin and at each quoted luminosity, with bootstrap errors."""
    # (method, sample, log_l) -> (method, sample and the two bins, quoted_log_l)
    quoted = np.concatenate([error[:, :, [pair[i] for pair in pairs]] for i in (0, 1)], axis=1)
    names, of_map = np.unique(catalogue, return_inverse=True)
    maps_of = [np.flatnonzero(of_map == i) for i in range(names.size)]
    results = {}
    for suffix, values, twice in (("", error, 1), ("_quoted", quoted, 2)):
        results |= {f"{k}{suffix}": v for k, v in _statistics(values).items()}
        draws = {k: [] for k in DEX}
        for _ in range(n_bootstrap):
            chosen = rng.integers(names.size, size=names.size)
            rows = np.concatenate([maps_of[i] for i in chosen])
            rows = np.concatenate([rows + len(catalogue) * i for i in range(twice)])
            for k, v in _statistics(values[:, rows]).items():
                draws[k].append(v)
        # one catalogue says nothing of how catalogues differ
        for k, v in draws.items():
            spread = np.sqrt(_variance(np.array(v), axis=0))
            results[f"{k}{suffix}_error"] = (
                spread if names.size > 1 else np.full_like(spread, np.nan)
            )
    return results


def _statistics(error):
    """Return the statistics of ``DEX`` over axis 1, leaving NaN out."""
    return {
        "rms": np.sqrt(_mean(error**2, 1)),
        "median_abs": _median_of(np.abs(error)),
        "bias": _mean(error, 1),
    }


def _mean(values, axis):
    """Return the mean without NaN; NaN where there is nothing else (nanmean would warn)."""
    n = np.isfinite(values).sum(axis=axis)
    return np.where(n > 0, np.nansum(values, axis=axis) / np.maximum(n, 1), np.nan)


def _skill(rms, variance):
    """Return 1 - MSE / Var; NaN where the truth does not vary."""
    varies = variance > 0
    return np.where(varies, 1 - rms**2 / np.where(varies, variance, 1), np.nan)


def _variance(values, axis=0):
    return _mean((values - np.expand_dims(_mean(values, axis), axis)) ** 2, axis)


def _median_of(values):
    """Return the median over axis 1 without NaN, which sorting puts last."""
    ordered, n = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    middle = [np.maximum(k, 0)[:, None] for k in ((n - 1) // 2, n // 2)]
    middle[1] = np.minimum(middle[1], values.shape[1] - 1)
    return np.mean([np.take_along_axis(ordered, k, axis=1)[:, 0] for k in middle], axis=0)


def _deviance(dn, predicted):
    """Return the Poisson deviance of true counts `dn` about the predicted ones."""
    expected = 10**predicted
    return 2 * (xlogy(dn, dn) - xlogy(dn, expected) - dn + expected)


def _correlation(predicted, log_truth, taken, parameters):
    """Return the correlation of prediction and truth about the means at fixed parameters."""
    if parameters is None:
        return np.full((len(predicted), log_truth.shape[1]), np.nan)
    known = np.nan_to_num(np.asarray(parameters, dtype=float), nan=np.inf)  # of a mixture
    group = np.unique(known, axis=0, return_inverse=True)[1].ravel()
    moments = np.zeros((3, len(predicted), log_truth.shape[1]))
    for g in np.unique(group):
        rows = group == g
        a = np.where(taken[rows], predicted[:, rows], np.nan)
        b = np.where(taken[rows], log_truth[rows], np.nan)
        a, b = a - _mean(a, 1)[:, None], b - _mean(b, 0)
        moments += np.nansum([a * b, a * a, b * b + 0 * a], axis=2)
    # a prediction that does not move at fixed parameters has rounding left, and no correlation
    moves = (moments[1] > 1e-12) & (moments[2] > 1e-12)
    norm = np.sqrt(np.where(moves, moments[1] * moments[2], 1))
    return np.where(moves, moments[0] / norm, np.nan)


def _labelled(scores, predictions, truth, n_catalogues, floor, n_bootstrap):
    """Return the scores of all subsets as a Dataset with units."""
    dims = {"mse": ("method",), "n_maps": ("log_l",)}
    others = {
        "mse": ("dex2", "mean square error over all bins"),
        "skill": ("1", "1 - MSE / variance of the truth"),
        "poisson_deviance": ("1", "Poisson deviance a map"),
        "correlation": ("1", "correlation of prediction and truth at fixed parameters"),
        "n_maps": ("1", "maps scored"),
    }
    variables = {}
    for name in scores[0]:
        quoted, base = "_quoted" in name, name.replace("_quoted", "").removesuffix("_error")
        units, text = ("dex", DEX[base]) if base in DEX else others[name]
        text = f"bootstrap error over catalogues of {text}" if name.endswith("_error") else text
        own = dims.get(name, ("method", "quoted_log_l" if quoted else "log_l"))
        attrs = {"units": units, "long_name": text}
        variables[name] = (("subset", *own), np.stack([s[name] for s in scores]), attrs)
    log_l = {"units": "log10(Lsun)", "long_name": "log10 of luminosity where scores are quoted"}
    return xr.Dataset(
        variables,
        coords={
            "subset": ("subset", list(SUBSETS), {"long_name": "bins that are scored"}),
            "method": predictions["method"],
            "log_l": truth["log_l"],
            "quoted_log_l": ("quoted_log_l", _quoted(truth), log_l),
        },
        attrs={
            "n_maps": truth.shape[0], "n_catalogues": n_catalogues, "floor": floor,
            "n_bootstrap": n_bootstrap, "log_l_edges": list(log_l_edges(truth)),
        },
    )  # fmt: skip
