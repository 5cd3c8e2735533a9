"""Tests of accuracy with random points, which see all luminosity bins of a posterior together."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts
from imtools.evaluation.calibration.checks import checked, chunks, variable
from imtools.evaluation.calibration.ranks import PLACES, with_band


def tarp(draws, truth, catalogue, *, rng, references=None, n_bootstrap=500, floor=FLOOR):
    r"""Rank each truth among the draws by its distance from a point that depends on the map.

    Ranks in single bins are blind to how the bins of one draw depend on each other; this is not.

    Parameters
    ----------
    draws : xarray.DataArray, dims ("sample", "draw", "log_l"), units log10(1)
        Draws of log10 dN, from `Estimator.draws`.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of the points and of the resampling.
    references : array_like, shape (sample, log_l), optional
        Estimates of log10 dN from the same maps by another method, which points are then placed
        about: a posterior that says the prior of every map fails by them. By default each
        posterior's own first draw, which then takes no further part.
    n_bootstrap : int
        Resamplings.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset
        ``tarp_difference`` (place), the share of maps in whose region of that probability the truth
        lies, less the probability; ``tarp_band``, see `rank_statistics`; and ``tarp_deviation``,
        the largest difference in units of the band: above 1 the posteriors are not right.

    Notes
    -----
    The point of map i is :math:`x_i + x_j - x_k` with the estimates of two other maps, drawn at
    random: it lies off in a direction in which maps differ. Distances are Euclidean, each bin in
    units of the spread of the truth over maps. The region of probability p holds the draws that
    are nearest to the point.

    References
    ----------
    .. [1] Lemos et al. 2023, ICML 202, 19256, arXiv:2302.03026 (points must depend on the data)
    """
    values, _ = checked(draws, truth, catalogue, "tarp")
    log_truth = log_counts(truth, floor).values
    spread = log_truth.std(axis=0)
    scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0).astype(np.float32)
    if references is None:
        about, values = values[:, 0], values[:, 1:]
    else:
        about = np.asarray(references)
    points = about + _differences(about, rng)
    nearer, equal = np.empty(len(values)), np.empty(len(values))
    for some in chunks(values):
        off = (values[some] - points[some, None]).astype(np.float32) * scale
        of_draws = np.einsum("sdl,sdl->sd", off, off)
        own = ((log_truth[some] - points[some]).astype(np.float32)) * scale
        of_truth = np.einsum("sl,sl->s", own, own)[:, None]
        nearer[some], equal[some] = (of_draws < of_truth).sum(1), (of_draws == of_truth).sum(1)
    place = (nearer + rng.random(len(values)) * (equal + 1)) / (values.shape[1] + 1)
    inside = np.stack([place <= p for p in PLACES])[..., None]
    share, band = with_band(inside, catalogue, PLACES, rng=rng, n_bootstrap=n_bootstrap)
    return _labelled(share[:, 0] - PLACES, band[:, 0])


def _differences(about, rng):
    """Return for each map the difference between two others, neither of them itself."""
    n = len(about)
    one, two = (rng.integers(1, max(n, 2), size=n) for _ in range(2))
    rows = np.arange(n)
    return about[(rows + one) % n] - about[(rows + two) % n]


def _labelled(difference, band):
    words = "share of maps whose truth lies in the region of a probability, less it"
    return xr.Dataset(
        {
            "tarp_difference": variable("place", difference, "1", words),
            "tarp_band": variable(
                "place", band, "1", "half width of the band of calibrated methods"
            ),
            "tarp_deviation": variable(
                (), np.abs(difference / band).max(), "1", "largest difference over the band"
            ),
        },
        coords={"place": variable("place", PLACES, "1", "place among the draws")},
    )
