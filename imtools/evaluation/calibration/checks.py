"""What every diagnostic asks of its draws, and how it goes through them."""

import numpy as np

from imtools.counts.sources import check_same_bins

CHUNK = 2**22  # draws looked at together, so that many maps need little memory


def checked(draws, truth, catalogue, caller):
    """Return draws, shape (sample, draw, log_l), and true dN, once all agree.

    Raises
    ------
    ValueError
        If dims, numbers of maps or bins differ, or something is not finite.
    """
    if draws.dims != ("sample", "draw", "log_l"):
        msg = f"{caller}: draws have dims {draws.dims}, expected (sample, draw, log_l); see draws"
        raise ValueError(msg)
    of_draws = (draws.sizes["sample"], draws.sizes["log_l"])
    if truth.shape != of_draws or len(catalogue) != len(truth):
        msg = (
            f"{caller}: draws are for {of_draws} maps and bins, the truth for {truth.shape}, "
            f"catalogue for {len(catalogue)} maps; expected the same maps"
        )
        raise ValueError(msg)
    check_same_bins(draws, truth, caller=caller)
    values, dn = draws.values, np.asarray(truth, dtype=float)
    if draws.sizes["draw"] < 2 or not (np.isfinite(values).all() and np.isfinite(dn).all()):
        msg = (
            f"{caller}: {draws.sizes['draw']} draws a map with "
            f"{int((~np.isfinite(values)).sum())} values not finite, expected at least 2 and all "
            "finite; see the method"
        )
        raise ValueError(msg)
    return values, dn


def chunks(values):
    """Yield slices of the maps that hold few draws together."""
    size = max(1, CHUNK // max(1, values[0].size))
    for i in range(0, len(values), size):
        yield slice(i, i + size)


def variable(dims, values, units, long_name):
    """Return a variable of a Dataset, with its unit and what it is."""
    return (dims, values, {"units": units, "long_name": long_name})
