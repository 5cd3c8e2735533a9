"""Errors of means over maps, by drawing whole catalogues anew.

Maps of one catalogue share their haloes and are not independent; catalogues are.
"""

import numpy as np


def resampled_means(values, catalogue, *, rng, n_bootstrap):
    """Return the mean over maps, with catalogues drawn anew.

    Parameters
    ----------
    values : array_like, shape (n_maps, ...)
        What is averaged; NaN is left out.
    catalogue : array_like, shape (n_maps,)
        Catalogue of each map.
    rng : numpy.random.Generator
        Source of the resampling.
    n_bootstrap : int
        Resamplings, each of as many catalogues as there are.

    Returns
    -------
    numpy.ndarray, shape (n_bootstrap, ...)
        NaN where nothing is known.
    """
    values = np.asarray(values, dtype=float)
    names, of_map = np.unique(catalogue, return_inverse=True)
    flat = values.reshape(len(values), -1)
    order = np.argsort(of_map, kind="stable")
    first = np.searchsorted(of_map[order], np.arange(names.size))
    known = np.isfinite(flat[order])
    sums = np.add.reduceat(np.where(known, flat[order], 0), first, axis=0)
    numbers = np.add.reduceat(known, first, axis=0, dtype=float)
    chosen = rng.integers(names.size, size=(n_bootstrap, names.size))
    weight = np.zeros((n_bootstrap, names.size))
    np.add.at(weight, (np.arange(n_bootstrap)[:, None], chosen), 1)
    n = weight @ numbers
    means = np.where(n > 0, weight @ sums / np.where(n > 0, n, 1), np.nan)
    return means.reshape(n_bootstrap, *values.shape[1:])


def mean_and_error(values, catalogue, *, rng, n_bootstrap):
    """Return the mean over maps and its bootstrap error over catalogues.

    Parameters are those of `resampled_means`.

    Returns
    -------
    mean, error : numpy.ndarray, each of shape (...)
        NaN where nothing is known; the error also where there is a single catalogue, which says
        nothing of how catalogues differ.
    """
    values = np.asarray(values, dtype=float)
    n = np.isfinite(values).sum(axis=0)
    mean = np.where(n > 0, np.nansum(values, axis=0) / np.maximum(n, 1), np.nan)
    if np.unique(catalogue).size == 1:
        return mean, np.full_like(mean, np.nan)
    means = resampled_means(values, catalogue, rng=rng, n_bootstrap=n_bootstrap)
    return mean, means.std(axis=0, ddof=1)
