"""From the mean counts of a luminosity function to those of one field."""

from dataclasses import dataclass

import numpy as np

from imtools.statistics import covariance_of_maps

SMOOTH_DEGREE = 2  # of the loading, as a polynomial of the bin's number
WELL_COUNTED = 300.0  # sources, from which a bin tells its own scatter


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldScatter:
    """How far clustering takes the counts of one field from their mean: ln dN, by bin.

    One overdensity moves all bins together, bright ones more since their haloes cluster more; what
    it leaves is independent between bins. Poisson scatter is not in it.
    """

    loading: np.ndarray  # standard deviation of ln dN that all bins share, shape (n_bins,)
    rest: np.ndarray  # and what each has of its own

    def factors(self, n, rng):
        """Return lognormal factors of mean 1 on the counts, shape (n, n_bins)."""
        shared = rng.standard_normal((n, 1)) * self.loading
        own = rng.standard_normal((n, self.rest.size)) * self.rest
        return np.exp(shared + own - (self.loading**2 + self.rest**2) / 2)

    def counts(self, mean, rng):
        """Return counts of fields, drawn about mean counts of shape (n, n_bins)."""
        mean = mean * self.factors(len(mean), rng)
        return rng.poisson(np.minimum(mean, 1e15)).astype(float)


def field_scatter_of(counts, catalogue):
    r"""Measure the field scatter of counts at the same parameters.

    Parameters
    ----------
    counts : numpy.ndarray, shape (n_maps, n_bins)
        Sources of each map.
    catalogue : numpy.ndarray, shape (n_maps,)
        Which catalogue each map shows.

    Returns
    -------
    FieldScatter

    Notes
    -----
    The covariance of counts is :math:`\mu_i \delta_{ij} + \mu_i \mu_j \xi_{ij}`. With
    :math:`\xi_{ij} = s_i s_j` the covariance of a bin with the sum of all is
    :math:`\mu_i (1 + s_i \sum_j \mu_j s_j)`, which gives s even where sources are few; it is
    smoothed over the bins, each weighing as its count.
    """
    mean, covariance = counts.mean(axis=0), covariance_of_maps(counts, catalogue)
    filled = np.flatnonzero(mean > 0)
    zero = np.zeros(mean.size)
    if not filled.size:
        return FieldScatter(loading=zero, rest=zero)
    with_sum = covariance.sum(axis=1)[filled] / mean[filled] - 1  # s_i sum_j mu_j s_j
    total = np.sum(mean[filled] * with_sum)
    if total <= 0:  # too few maps to see any clustering
        return FieldScatter(loading=zero, rest=zero)
    degree = min(SMOOTH_DEGREE, filled.size - 1)
    weight = np.sqrt(mean[filled])
    smooth = np.polynomial.Polynomial.fit(filled, with_sum / np.sqrt(total), degree, w=weight)
    loading = np.maximum(smooth(np.arange(mean.size)), 0.0)
    loading[mean == 0] = loading[filled[-1]]
    own = (np.diag(covariance) - mean) / np.maximum(mean, 1) ** 2 - loading**2
    rest = np.where(mean > WELL_COUNTED, np.sqrt(np.maximum(own, 0.0)), 0.0)
    return FieldScatter(loading=loading, rest=rest)
