"""How many truths the intervals hold, a luminosity bin at a time."""

import numpy as np
import xarray as xr

from imtools.evaluation.bootstrap import mean_and_error
from imtools.evaluation.calibration.checks import variable

PROBABILITIES = (0.5, 0.68, 0.95)  # of the intervals
TARGET = 0.03  # departure from them that is let pass, beside two errors
TARGETED = (0.68, 0.95)  # those that the target is set for


def expected_coverage(ranks, catalogue, *, rng, n_bootstrap=500, probabilities=PROBABILITIES):
    """Return the share of truths within central intervals of the posteriors.

    Parameters
    ----------
    ranks : xarray.DataArray, dims ("sample", "log_l")
        From `fractional_ranks`: equals are in random order, so an interval that ends at the truth
        holds it as often as it should, and bins that are mostly empty are no exception.
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of the resampling.
    n_bootstrap : int
        Resamplings.
    probabilities : sequence of float
        What the intervals should hold.

    Returns
    -------
    xarray.Dataset
        ``coverage`` (probability, log_l) and ``mean_coverage`` (probability) over all bins, each
        with ``_error``, from the bootstrap over catalogues.
    """
    about = np.abs(ranks.transpose("sample", "log_l").values - 0.5)
    inside = np.stack([about <= p / 2 for p in probabilities], axis=1)
    settings = {"rng": rng, "n_bootstrap": n_bootstrap}
    shares, errors = mean_and_error(inside, catalogue, **settings)
    together, together_error = mean_and_error(inside.mean(axis=2), catalogue, **settings)
    each, words = ("probability", "log_l"), "share of truths within the interval"
    plus = "bootstrap error over catalogues of the {}"
    return xr.Dataset(
        {
            "coverage": variable(each, shares, "1", words),
            "coverage_error": variable(each, errors, "1", plus.format(words)),
            "mean_coverage": variable("probability", together, "1", f"{words}, all bins"),
            "mean_coverage_error": variable(
                "probability", together_error, "1", plus.format(f"{words}, all bins")
            ),
        },
        coords={
            "probability": variable(
                "probability", list(probabilities), "1", "probability of the interval"
            ),
            "log_l": ranks["log_l"],
        },
    )


def allowed_departure(calibration):
    """Return by how much each coverage may miss its probability: 3 points and two errors."""
    error = calibration["coverage_error"].fillna(0)
    return (TARGET + 2 * error).assign_attrs(units="1", long_name="departure that is let pass")


def meets_target(calibration):
    """Return where the 68 and 95 % intervals hold their share, within 3 points and two errors.

    Parameters
    ----------
    calibration : xarray.Dataset
        With the variables of `expected_coverage`.

    Returns
    -------
    xarray.DataArray of bool, dims of ``coverage`` with the two probabilities
    """
    one = calibration.sel(probability=list(TARGETED))
    departure = np.abs(one["coverage"] - one["probability"])
    # a last digit: 0.71 - 0.68 is more than 0.03
    return (departure <= allowed_departure(one) + 1e-9).rename("meets_target")
