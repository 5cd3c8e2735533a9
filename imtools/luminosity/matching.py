"""Abundance matching: the heaviest halo is given the brightest source."""

from functools import lru_cache

import numpy as np
from numba import njit

from imtools.luminosity.models import checked_halos
from imtools.luminosity.star_formation import interpolate

LOG_M = np.linspace(9.0, 15.5, 1301)  # log10 Msun; the heaviest halo of 30 Gpc^3 is lighter
STEP_1PZ = 0.005  # dex of 1 + z
_TINY = 1e-290  # Mpc^-3, where the mass function underflows


def matched_luminosity(m_halo, z, ln_l, dn_dln_l, *, cosmology, caller):
    """Return luminosities such that haloes have a given luminosity function at every redshift.

    Parameters
    ----------
    m_halo : array_like, any shape
        Halo mass [Msun].
    z : array_like
        Redshift, of the shape of `m_halo` or one value.
    ln_l : numpy.ndarray, shape (n,)
        Natural logarithm of luminosity [Lsun], ascending.
    dn_dln_l : numpy.ndarray, shape (n,)
        Sources a unit of it [Mpc^-3].
    cosmology : Cosmology
        Gives the number of haloes.
    caller : str
        Who asks, for the message.

    Returns
    -------
    numpy.ndarray, shape of `m_halo`
        CO luminosity [Lsun], zero beyond the last source.

    Raises
    ------
    ValueError
        If a mass or redshift is not valid.
    """
    m_halo, z = checked_halos(m_halo, z, caller=caller)
    if not m_halo.size:
        return np.zeros(m_halo.shape)
    first, last = (int(np.log10(1 + v) / STEP_1PZ) for v in (z.min(), z.max()))
    ln_n = _ln_halos_above(cosmology, first, last + 2)
    per_step = 1 / (LOG_M[1] - LOG_M[0]), 1 / STEP_1PZ
    grid = (ln_n, LOG_M[0], per_step[0], first * STEP_1PZ, per_step[1])
    ln_sources = ln_number_above(ln_l, dn_dln_l)
    ln_n = _interpolated(grid, m_halo.ravel(), z.ravel())
    # both ascend in the other; more haloes than sources leaves the rest dark
    ln_l_co = np.interp(-ln_n, -ln_sources, ln_l, left=-np.inf)
    return np.exp(ln_l_co).reshape(m_halo.shape)


def ln_number_above(x, dn_dx):
    """Return ln of the integral of dn/dx from x up, by trapezoids added from the rare end."""
    steps = (dn_dx[1:] + dn_dx[:-1]) / 2 * np.diff(x)
    above = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
    return np.log(np.maximum(above, _TINY))


@lru_cache(maxsize=8)
def _ln_halos_above(cosmology, first, stop):
    """Return ln n(>M) [Mpc^-3], shape (LOG_M.size, stop - first), at (1 + z) in `STEP_1PZ`."""
    redshifts = 10 ** (STEP_1PZ * np.arange(first, stop)) - 1
    ln_m = np.log(10) * LOG_M
    columns = [ln_number_above(ln_m, cosmology.mass_function(10**LOG_M, z)) for z in redshifts]
    return np.stack(columns, axis=1)


@njit(cache=True)
def _interpolated(grid, m_halo, z):
    values = np.empty(m_halo.size)
    for i in range(m_halo.size):
        values[i] = interpolate(grid, m_halo[i], z[i])
    return values
