r"""What the voxels of a map tell of the luminosity function when each is taken by itself.

A voxel is a sum of a Poisson number of sources and Gaussian noise, so the characteristic function
of its temperature is known in closed form,

.. math::
    \phi(w) = \exp\left[\sum_i n_i (\langle e^{i w T} \rangle_i - 1) - \sigma^2 w^2 / 2\right],

with :math:`n_i` sources of bin i in a voxel and their temperatures :math:`T`, uniform between
those of the bin's edges. The probability P(T) is its Fourier transform, and so are its derivatives.
Clustering, beam and line width are left out.

References
----------
.. [1] Breysse et al. 2017, MNRAS 467, 2996, arXiv:1609.01728
"""

from typing import NamedTuple

import numpy as np
import scipy.fft
import xarray as xr

from imtools.counts import log_l_edges
from imtools.counts.sources import check_convention
from imtools.painting import temperature

PER_SIGMA = 3  # points of the grid; P(T) holds no waves shorter than it resolves, to 1e-19
MAX_GRID = 2**14
RARE = 1e-4  # sources in the map: bins with fewer are left out
LEAST_P = 1e-13  # of its maximum, below which P(T) is rounding


def voxel_pdf(dn, survey, *, sigma_noise):
    """Return the probability density of the temperature of a voxel.

    Parameters
    ----------
    dn : xarray.DataArray, dims ("log_l",) or ("z", "log_l"), units 1
        Expected sources in the whole map, convention "dn", as `expected_counts` gives; without
        ``z`` all lie at the centre of the band. Slices hold equal numbers of voxels.
    survey : Survey
        Its voxels.
    sigma_noise : float
        Noise of a voxel [uK], above 0.

    Returns
    -------
    xarray.DataArray, dims ("temp",), units uK-1
        Named ``probability``, of temperatures above no emission at all.
    """
    temps, n = _voxel_sources(dn, survey, sigma_noise, caller="voxel_pdf")
    grid = _grid(temps, n, sigma_noise)
    density = np.mean([_slice_pdf(t, n_, grid)[0] for t, n_ in zip(temps, n, strict=True)], axis=0)
    temp = grid.start + grid.step * np.arange(grid.n_points)
    temp_attrs = {"units": "uK", "long_name": "brightness temperature of a voxel"}
    return xr.DataArray(
        density, dims="temp", coords={"temp": ("temp", temp, temp_attrs)}, name="probability",
        attrs={"units": "uK-1", "long_name": "probability density", "sigma_noise": grid.sigma},
    )  # fmt: skip


def one_point_fisher(dn, survey, *, sigma_noise, monopole_lost=True):
    r"""Return the Fisher information of the voxels of a map on the counts of each bin.

    Parameters
    ----------
    dn, survey, sigma_noise
        As `voxel_pdf` takes.
    monopole_lost : bool
        The mean of the map is not known, as after a high-pass filter.

    Returns
    -------
    xarray.DataArray, dims ("log_l", "log_l_prime"), units 1
        Information on ln dN: one over the root of a diagonal element is the error of one bin's
        ln dN where the others are known.

    Raises
    ------
    ValueError
        If `sigma_noise` is not above 0: noise-free voxels without source are all alike.

    Notes
    -----
    .. math:: F_{ij} = N_\mathrm{vox} \int \frac{dP}{d\ln n_i} \frac{dP}{d\ln n_j} \frac{dT}{P}

    summed over slices, and with the shift dP/dT projected out where the monopole is lost. Where the
    brightest source outshines the noise more than 3000 times, the noise is raised to what a grid
    of 16384 temperatures resolves; ``attrs["sigma_noise"]`` is what was used.
    """
    temps, n = _voxel_sources(dn, survey, sigma_noise, caller="one_point_fisher")
    grid = _grid(temps, n, sigma_noise)
    n_voxels = np.prod(survey.shape) / len(n)
    fisher = 0.0
    for slice_temps, slice_n in zip(temps, n, strict=True):
        density, slopes = _slice_pdf(slice_temps, slice_n, grid)
        seen = density > LEAST_P * density.max()
        weighted = slopes[:, seen] / np.sqrt(density[seen])
        fisher = fisher + n_voxels * grid.step * weighted @ weighted.T
    shift, fisher = fisher[-1], fisher[:-1, :-1]
    if monopole_lost:
        fisher = fisher - np.outer(shift[:-1], shift[:-1]) / shift[-1]
    log_l = dn["log_l"].values
    attrs = {"units": "1", "long_name": "Fisher information on ln dN", "sigma_noise": grid.sigma}
    return xr.DataArray(
        fisher, dims=("log_l", "log_l_prime"), coords={"log_l": log_l, "log_l_prime": log_l},
        attrs=attrs, name="fisher",
    )  # fmt: skip


def _voxel_sources(dn, survey, sigma_noise, *, caller):
    """Return temperatures of the bins' edges and sources a voxel, (n_slices, ...)."""
    check_convention(dn, "dn", caller=caller)
    if not 0 < sigma_noise < np.inf:
        msg = f"{caller}: sigma_noise is {sigma_noise} uK, expected above 0 and finite"
        raise ValueError(msg)
    if not (np.isfinite(dn.values).all() and (dn.values >= 0).all()):
        msg = f"{caller}: dn has values that are negative or not finite"
        raise ValueError(msg)
    if "z" in dn.dims:
        z, counts = dn["z"].values, dn.transpose("z", "log_l").values
    else:
        z, counts = survey.replace(n_chan=1).coords["z"][1], dn.values[None]
    edges = log_l_edges(dn)
    counts = np.where(counts.sum(axis=0) >= RARE, counts, 0.0)
    temp = temperature(10**edges, survey.cosmology.comoving_distance(z)[:, None], survey)
    return temp, counts * len(z) / np.prod(survey.shape)


class _Grid(NamedTuple):
    """Temperatures at which P(T) is known, and the noise that they resolve [uK]."""

    start: float
    step: float
    n_points: int
    sigma: float


def _grid(temps, n, sigma_noise):
    """Return a grid of all temperatures that voxels may have."""
    centre = (temps[:, 1:] + temps[:, :-1]) / 2
    mean, variance = (n * centre).sum(axis=1).max(), (n * centre**2).sum(axis=1).max()
    brightest = np.max(temps[:, 1:] * (n > 0))
    signal = mean + 8 * np.sqrt(variance) + 1.5 * brightest
    sigma = float(max(sigma_noise, PER_SIGMA * signal / (0.95 * MAX_GRID)))
    start, stop = -8 * sigma, signal + 8 * sigma
    n_points = scipy.fft.next_fast_len(int((stop - start) / sigma * PER_SIGMA) + 1, real=True)
    return _Grid(start, (stop - start) / n_points, n_points, sigma)


def _slice_pdf(temps, n, grid):
    """Return P(T) and its derivatives by ln n of each bin, the last by a shift of T."""
    n_points, step = grid.n_points, grid.step
    w = 2 * np.pi * scipy.fft.rfftfreq(n_points, step)
    some = n > 0
    low, high = temps[:-1][some, None], temps[1:][some, None]
    # n (<exp(iwT)> - 1), T uniform in the bin
    source = np.exp(0.5j * w * (low + high)) * np.sinc(w * (high - low) / (2 * np.pi)) - 1
    source *= n[some, None]
    ln_phi = source.sum(axis=0) - (grid.sigma * w) ** 2 / 2 - 1j * w * grid.start
    phi = np.exp(ln_phi).conj()
    slopes = np.zeros((n.size + 1, n_points))
    slopes[:-1][some] = scipy.fft.irfft(source.conj() * phi, n_points) / step
    slopes[-1] = scipy.fft.irfft(-1j * w * phi, n_points) / step
    return scipy.fft.irfft(phi, n_points) / step, slopes
