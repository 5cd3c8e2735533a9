"""Polynomials that are fitted to means: with losses that are least at the mean of what scatters."""

from functools import lru_cache
from itertools import chain, combinations_with_replacement

import numpy as np

LARGEST = 30.0  # of a logarithm: e^30 of anything is out of every survey's reach
RIDGE = 0.3  # on what a term adds to the logarithm, squared: a bin that few maps fill must not
# grow by many powers of e
MAX_STEPS = 50
TOLERANCE = 1e-4  # of the logarithm, where the fit has settled


def n_terms(n_dim, degree):
    """Return how many products of at most `degree` of `n_dim` coordinates there are, with 1."""
    return len(_places(n_dim, degree))


def terms(v, degree):
    """Return the products of at most `degree` coordinates, shape (n, n_terms), 1 first.

    Those of a lower degree come first, in the same order.
    """
    places = _places(v.shape[1], degree)
    out = np.ones((len(places), len(v)))
    for product, j in places.items():
        if product:
            np.multiply(out[places[product[:-1]]], v[:, product[-1]], out=out[j])
    return out.T


def evaluate(design, weights, shift):
    """Return shift + exp(polynomial), shape (n, n_outputs), from `terms` and their weights."""
    return shift + np.exp(np.clip(design @ weights, -LARGEST, LARGEST))


def fit_mean(design, y, *, shift=0.0, dispersion=0.0, gamma=False):
    r"""Fit :math:`\mu = s + e^{\eta}` to numbers that scatter about it, eta linear in the terms.

    Parameters
    ----------
    design : numpy.ndarray, shape (n, n_terms)
        From `terms`.
    y : numpy.ndarray, shape (n,)
        What scatters about the mean, not below 0.
    shift : float
        s, what is there anyway, such as the noise.
    dispersion : float
        Squared fractional scatter of counts beyond Poisson's.
    gamma : bool
        The scatter grows as the mean; otherwise y are counts.

    Returns
    -------
    numpy.ndarray, shape (n_terms,)

    Notes
    -----
    The loss is the deviance of a gamma distribution, or of counts with variance
    :math:`\mu (1 + a \mu)`, which is Poisson's at a = 0. Its gradient is
    :math:`(y - \mu) / V(\mu)` times that of the mean, so the fit goes through the mean whatever the
    distribution is. Solved by Fisher scoring.
    """
    weights, ridge = np.zeros(design.shape[1]), RIDGE * np.mean(design**2, axis=0)
    ridge[0] = 1e-9  # the constant is free
    weights[0] = np.log(max(np.mean(y) - shift, 1e-3 * np.mean(y), 1e-6))
    for _ in range(MAX_STEPS):
        eta = np.clip(design @ weights, -LARGEST, LARGEST)
        slope = np.exp(eta)
        mean = np.maximum(shift + slope, 1e-12)
        weight = slope**2 / (mean**2 if gamma else mean * (1 + dispersion * mean))
        gradient = design.T @ (weight * (y - mean) / slope)
        curvature = (design * weight[:, None]).T @ design + np.diag(ridge)
        step = np.linalg.solve(curvature, gradient - ridge * weights)
        largest = np.abs(design @ step).max()
        weights = weights + step * min(1.0, 2.0 / max(largest, 1e-12))
        if largest < TOLERANCE:
            break
    return weights


def deviance(y, mean, *, dispersion=0.0, gamma=False):
    """Return the mean deviance of numbers about their means, 0 where they agree, by output.

    Parameters are those of `fit_mean`, arrays of shape (n, n_outputs).
    """
    mean = np.maximum(mean, 1e-9)
    ratio = np.maximum(y, 1e-9) / mean
    if gamma:
        return np.mean(ratio - np.log(ratio) - 1, axis=0)
    own = np.where(y > 0, y * np.log(ratio), 0.0)
    if dispersion == 0:
        return np.mean(own - (y - mean), axis=0)
    rest = (y + 1 / dispersion) * np.log1p(dispersion * (y - mean) / (1 + dispersion * mean))
    return np.mean(own - rest, axis=0)


@lru_cache(maxsize=64)
def _places(n_dim, degree):
    """Return the place among the terms of each product, a tuple of the coordinates in it."""
    each = (combinations_with_replacement(range(n_dim), d) for d in range(degree + 1))
    return {product: j for j, product in enumerate(chain.from_iterable(each))}
