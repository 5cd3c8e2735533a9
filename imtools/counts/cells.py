"""What is nearer to one whole number of sources than to any other, under a logarithm."""

import numpy as np

from imtools.counts.sources import FLOOR


def count_cells(dn, floor=FLOOR):
    """Return the interval of log10 dN in which each count is the nearest one.

    Counts are whole numbers and answers are not. An answer anywhere in the interval of the true
    count cannot be told from it: in a bin of one source that is a third of a dex.

    Parameters
    ----------
    dn : array_like
        Whole numbers of sources.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    low, high : numpy.ndarray, shape of `dn`
        Log10 of the ends, half way in log10 to the neighbouring counts. Nothing is below the cell
        of the floor, which reaches to minus infinity.

    Examples
    --------
    >>> low, high = count_cells([0, 1, 2])
    >>> (10**low).round(3), (10**high).round(3)
    (array([0.   , 0.707, 1.414]), array([0.707, 1.414, 2.449]))
    """
    dn = np.asarray(dn, dtype=float)
    seen = np.maximum(dn, 1 if floor >= 1 else 0)  # with a floor of 1, none and one look alike
    least = np.log10(min(floor, 1.0)) / 2 if floor < 1 else -np.inf
    above, below = np.maximum(seen, 1), np.maximum(seen, 2)
    high = np.where(seen >= 1, np.log10(above * (above + 1)) / 2, least)
    low = np.where(seen >= 2, np.log10(below * (below - 1)) / 2, least)
    return np.where(seen >= 1, low, -np.inf), high
