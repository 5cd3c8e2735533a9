"""How often the truth lies in the intervals that a method states, a bin of luminosity at a time."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts
from imtools.counts.sources import check_same_bins

INTERVALS = {0.68: (0.16, 0.84), 0.95: (0.025, 0.975)}  # by the share that shall lie inside


def interval_coverage(log_dn, counts, *, floor=FLOOR):
    """Return the share of maps whose true count lies within the stated intervals.

    Parameters
    ----------
    log_dn : xarray.DataArray, dims (..., "sample", "quantile", "log_l"), units log10(1)
        Quantiles of log10 dN.
    counts : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.DataArray, dims ("share", ..., "log_l"), units 1
        A truth on the end of an interval counts as within: where most bins are empty, and foreseen
        to be, the coverage is above what is stated.

    Raises
    ------
    ValueError
        If the bins differ.
    """
    check_same_bins(log_dn, counts, caller="interval_coverage")
    truth = log_counts(counts, floor).values
    rows = []
    for low, high in INTERVALS.values():
        ends = [log_dn.sel(quantile=q, drop=True) for q in (low, high)]
        rounding = 1e-9  # dex
        within = (ends[0] - rounding <= truth) & (truth <= ends[1] + rounding)
        rows.append(within.mean("sample"))
    attrs = {"units": "1", "long_name": "stated share"}
    covered = xr.concat(rows, xr.Variable("share", list(INTERVALS), attrs))
    covered["log_l"].attrs.update(log_dn["log_l"].attrs)
    name = {"units": "1", "long_name": "share of maps with the truth in the interval"}
    return covered.rename("coverage").assign_attrs(name)


def coverage_error(coverage, n):
    """Return one sigma of a share that was counted over `n` independent maps or catalogues."""
    return np.sqrt(np.maximum(coverage * (1 - coverage), 0.25 / n) / n)
