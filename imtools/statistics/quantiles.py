"""A distribution of which a few quantiles are known: what lies between them, and beyond.

Probabilities are told by their standard normal score. Values are linear in it from each quantile to
the next, and beyond the last as before it: exact for a Gaussian.
"""

import numpy as np
from scipy.special import ndtr, ndtri

FLAT = 1e-6  # least rise a unit of score, for the way from values to scores
FARTHEST = 37.0  # scores beyond which a probability is no float any more


def values_at(quantiles, levels, scores):
    """Return the values at given scores.

    Parameters
    ----------
    quantiles : array_like, shape (n, n_levels, n_bins)
        Ascending along the levels.
    levels : sequence of float
        Their probabilities, ascending.
    scores : array_like, shape (n or 1, m, n_bins or 1)
        Standard normal scores.

    Returns
    -------
    numpy.ndarray, shape (n, m, n_bins)

    Examples
    --------
    >>> quantiles = np.array([[[-1.0], [0.0], [2.0]]])
    >>> values_at(quantiles, (0.16, 0.5, 0.84), ndtri([[[0.5], [0.84]]])).ravel()
    array([0., 2.])
    """
    quantiles, scores = np.asarray(quantiles), np.asarray(scores)
    knots = ndtri(np.asarray(levels)).astype(scores.dtype)
    values = quantiles[:, :1] + np.zeros_like(scores)
    last = knots.size - 2
    for c in range(last + 1):
        start = knots[c] if c > 0 else -np.inf
        end = knots[c + 1] if c < last else np.inf
        rise = (quantiles[:, c + 1 : c + 2] - quantiles[:, c : c + 1]) / (knots[c + 1] - knots[c])
        values += rise.astype(values.dtype) * (np.clip(scores, start, end) - knots[c])
    return values


def scores_of(quantiles, levels, values):
    """Return the scores of given values, the inverse of `values_at`.

    Parameters
    ----------
    quantiles, levels
        As in `values_at`.
    values : array_like, shape (n, n_bins)
        One a distribution; infinities are allowed.

    Returns
    -------
    numpy.ndarray, shape (n, n_bins)
        Of a value that several quantiles share, the last one's score.

    Examples
    --------
    >>> quantiles = np.array([[[-1.0], [0.0], [2.0]]])
    >>> ndtr(scores_of(quantiles, (0.16, 0.5, 0.84), [[0.0]])).round(3)
    array([[0.5]])
    """
    quantiles, values = np.asarray(quantiles, dtype=float), np.asarray(values, dtype=float)
    knots = ndtri(np.asarray(levels))
    cell = (quantiles[:, 1:-1] <= values[:, None]).sum(axis=1)
    start = np.take_along_axis(quantiles, cell[:, None], axis=1)[:, 0]
    end = np.take_along_axis(quantiles, cell[:, None] + 1, axis=1)[:, 0]
    rise = np.maximum((end - start) / (knots[cell + 1] - knots[cell]), FLAT)
    return np.clip(knots[cell] + (values - start) / rise, -FARTHEST, FARTHEST)


def scores_within(quantiles, levels, cells, rng):
    """Return the score of a truth known to lie in a cell, drawn as the distribution has it there.

    Parameters
    ----------
    quantiles, levels
        As in `values_at`.
    cells : tuple of array_like, each of shape (n, n_bins)
        Ends of the cells, see `counts.count_cells`.
    rng : numpy.random.Generator
        Source of the place in the cell.

    Returns
    -------
    numpy.ndarray, shape (n, n_bins)
        Standard normal over many truths, if they are drawn from these distributions.
    """
    low, high = (scores_of(quantiles, levels, end) for end in cells)
    return scores_between(low, high, rng.random(low.shape))


def scores_between(low, high, share):
    """Return the score below which lies a share of the probability between two scores.

    Parameters
    ----------
    low, high : array_like
        Standard normal scores.
    share : array_like
        Between 0 and 1.

    Returns
    -------
    numpy.ndarray

    Examples
    --------
    >>> float(scores_between(-np.inf, 0.0, ndtr(-1.0) / 0.5).round(6))
    -1.0
    """
    side = np.where(np.add(low, high) > 0, -1.0, 1.0)  # where probabilities are small and exact
    one, two = ndtr(side * low), ndtr(side * high)
    drawn = ndtri(np.maximum(one + share * (two - one), 1e-300))
    return side * np.maximum(drawn, np.minimum(side * low, side * high))


def normal_ranks(values, n, rng):
    """Return standard normal scores with the dependence between columns that `values` have.

    Parameters
    ----------
    values : array_like, shape (m, n_bins)
        Their order in each column is all that counts; equal ones are put in order at random.
    n : int
        How many rows are wanted, at least.
    rng : numpy.random.Generator
        Source of the order of equals, and of the place within a rank.

    Returns
    -------
    numpy.ndarray, float32, shape (at least `n`, n_bins)
        Each column is spread as a standard normal.
    """
    values = np.asarray(values)
    m = len(values)
    scores = []
    for _ in range(-(-n // m)):
        rank = np.argsort(np.lexsort((rng.random(values.shape), values), axis=0), axis=0)
        scores.append(ndtri((rank + rng.random(values.shape)) / m))
    return np.concatenate(scores).astype(np.float32)
