"""How much posteriors say, and how far off they are in their own units: z-scores and CRPS."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts
from imtools.evaluation.bootstrap import mean_and_error
from imtools.evaluation.calibration.checks import checked, chunks, variable


def z_scores(draws, truth, catalogue, *, rng, n_bootstrap=500, floor=FLOOR):
    r"""Return the z-score of each posterior, and how far it has contracted from the prior.

    Parameters
    ----------
    draws : xarray.DataArray, dims ("sample", "draw", "log_l"), units log10(1)
        Draws of log10 dN, from `Estimator.draws`.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of the resampling.
    n_bootstrap : int
        Resamplings.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset
        ``z_score`` and ``contraction`` (sample, log_l); ``z_mean``, ``z_rms`` and
        ``mean_contraction`` (log_l) with ``_error``. NaN where a posterior has no width, or the
        truth none.

    Notes
    -----
    .. math::
        z = \frac{\langle\theta\rangle - \theta_\mathrm{true}}{\sigma_\mathrm{post}}, \quad
        c = 1 - \frac{\sigma^2_\mathrm{post}}{\sigma^2_\mathrm{prior}}

    with the variance of the truth over all maps as that of the prior. An rms of 1 and no mean are
    right; a contraction near 0 says that the map has told nothing.

    References
    ----------
    .. [1] Schad, Betancourt & Vasishth 2021, Psychological Methods 26, 103, arXiv:1904.12765
    """
    values, dn = checked(draws, truth, catalogue, "z_scores")
    log_truth = log_counts(truth, floor).values
    mean, variance = np.empty(dn.shape), np.empty(dn.shape)
    for some in chunks(values):
        mean[some] = values[some].mean(axis=1, dtype=float)
        variance[some] = values[some].var(axis=1, dtype=float, ddof=1)
    wide = variance > 1e-12
    z = np.where(wide, (mean - log_truth) / np.sqrt(np.where(wide, variance, 1)), np.nan)
    prior = log_truth.var(axis=0)
    varies = np.broadcast_to(prior > 0, dn.shape)
    contraction = np.where(varies, 1 - variance / np.where(prior > 0, prior, 1), np.nan)
    settings = {"rng": rng, "n_bootstrap": n_bootstrap}
    z_mean = mean_and_error(z, catalogue, **settings)
    square, square_error = mean_and_error(z**2, catalogue, **settings)
    z_rms = np.sqrt(square)
    known = {
        "z_mean": (*z_mean, "mean z-score"),
        "z_rms": (z_rms, square_error / (2 * z_rms), "rms z-score"),
        "mean_contraction": (
            *mean_and_error(contraction, catalogue, **settings), "mean contraction",
        ),
    }  # fmt: skip
    each = {
        "z_score": variable(("sample", "log_l"), z.astype(np.float32), "1", "z-score"),
        "contraction": variable(
            ("sample", "log_l"), contraction.astype(np.float32), "1",
            "1 - variance of the posterior / variance of the truth over maps",
        ),
    }  # fmt: skip
    return xr.Dataset(each | _with_errors(known, "1"), coords={"log_l": truth["log_l"]})


def crps(draws, truth, catalogue, *, rng, n_bootstrap=500, floor=FLOOR):
    r"""Return the continuous ranked probability score of the posteriors, and that of the prior.

    Parameters are those of `z_scores`.

    Returns
    -------
    xarray.Dataset
        ``crps`` (log_l) [dex] with ``crps_error``: small for posteriors that are narrow and right;
        ``crps_prior`` (log_l) [dex], that of the distribution of the truth over maps; and
        ``crps_skill`` (log_l), 1 - their ratio, NaN where the truth does not vary.

    Notes
    -----
    .. math:: \mathrm{CRPS} = \langle|x - y|\rangle - \tfrac{1}{2}\langle|x - x'|\rangle

    over draws x, x' of a map and its truth y, without bias for any number of draws.

    References
    ----------
    .. [1] Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102, 359
    .. [2] Ferro 2014, Q. J. R. Meteorol. Soc. 140, 1917 (few draws)
    """
    values, dn = checked(draws, truth, catalogue, "crps")
    log_truth = log_counts(truth, floor).values
    score = np.empty(dn.shape)
    for some in chunks(values):
        drawn = np.sort(np.ascontiguousarray(values[some].swapaxes(1, 2)), axis=2)
        off = np.abs(drawn - log_truth[some, :, None].astype(np.float32)).mean(axis=2)
        score[some] = off - _mean_difference(drawn) / 2
    prior = _mean_difference(np.sort(log_truth.T, axis=1)) / 2
    mean, error = mean_and_error(score, catalogue, rng=rng, n_bootstrap=n_bootstrap)
    skill = np.where(prior > 0, 1 - mean / np.where(prior > 0, prior, 1), np.nan)
    known = {"crps": (mean, error, "continuous ranked probability score of log10 dN")}
    others = {
        "crps_prior": variable("log_l", prior, "dex", "CRPS of the distribution of the truth"),
        "crps_skill": variable("log_l", skill, "1", "1 - CRPS over that of the prior"),
    }
    return xr.Dataset(_with_errors(known, "dex") | others, coords={"log_l": truth["log_l"]})


def _mean_difference(ordered):
    """Return the mean of |x - x'| over pairs, of values in order along the last axis."""
    n = ordered.shape[-1]
    if n < 2:
        return np.zeros(ordered.shape[:-1])
    weight = (2 * np.arange(1, n + 1) - n - 1) * (2 / (n * (n - 1)))
    return ordered @ weight.astype(ordered.dtype)


def _with_errors(known, units):
    """Return variables over log_l and their errors; each is (values, error, long name)."""
    variables = {}
    for name, (values, error, words) in known.items():
        variables[name] = variable("log_l", values, units, words)
        plus = f"bootstrap error over catalogues of the {words}"
        variables[f"{name}_error"] = variable("log_l", error, units, plus)
    return variables
