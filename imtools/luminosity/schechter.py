"""A luminosity function set by hand, given to haloes by abundance matching."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numba import njit

from imtools.cosmology import Cosmology
from imtools.luminosity.models import LuminosityModel, checked_halos, register
from imtools.luminosity.star_formation import interpolate

LOG_M = np.linspace(9.0, 15.5, 1301)  # log10 Msun; the heaviest halo of 30 Gpc^3 is lighter
STEP_1PZ = 0.005  # dex of 1 + z
_TINY = 1e-290  # Mpc^-3, where the mass function underflows


@register("schechter")
@dataclass(frozen=True, kw_only=True)
class Schechter(LuminosityModel):
    r"""Schechter function with a low-luminosity cut; the heaviest halo is the brightest.

    At every redshift the number of haloes above a mass equals the number of sources above its
    luminosity. The cut makes the number of sources finite: haloes lighter than 2.7e10, 2.4e10 and
    1.9e10 Msun at z = 2.4, 2.8 and 3.4 are dark, and a catalogue that ends above these lacks the
    faintest sources (below 4300 Lsun at z = 3.4, for one that ends at 2.5e10). There is no scatter,
    which would change the function that is set. The widths of the priors are ours.

    Notes
    -----
    .. math:: \frac{dn}{dL} = \phi_* \left(\frac{L}{L_*}\right)^{a}
        \exp\left(-\frac{L}{L_*} - \frac{L_\mathrm{min}}{L}\right)

    References
    ----------
    .. [1] Breysse et al. 2017, MNRAS 467, 2996, arXiv:1609.01728
    """

    phi_star: float = 9.6e-11  # Lsun-1 Mpc-3
    l_star: float = 2.1e6  # Lsun, where the bright end falls
    slope: float = -1.87  # power of luminosity below it
    l_min: float = 5000.0  # Lsun, where the faint end falls
    cosmology: Cosmology = field(default_factory=Cosmology)

    PRIORS: ClassVar = {
        "loose": {"phi_star": 3e-11, "l_star": 7e5, "slope": 0.1, "l_min": 1500.0},
        "ten_percent": {"phi_star": 3e-12, "l_star": 7e4, "slope": 0.01, "l_min": 150.0},
    }
    LIMITS: ClassVar = {
        "phi_star": (1e-300, np.inf),
        "l_star": (1e-3, np.inf),
        "slope": (-10.0, 10.0),
        "l_min": (1e-3, np.inf),
    }

    def density(self, l_co):
        """Return dn/dL [Lsun-1 Mpc-3] at luminosity `l_co` [Lsun], any shape."""
        l_co = np.asarray(l_co, dtype=float)
        cut = np.exp(-l_co / self.l_star - self.l_min / l_co)
        return self.phi_star * (l_co / self.l_star) ** self.slope * cut

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] of `m_halo` [Msun] at `z`, zero beyond the last source."""
        m_halo, z = checked_halos(m_halo, z, caller="Schechter.luminosity")
        if not m_halo.size:
            return np.zeros(m_halo.shape)
        first, last = (int(np.log10(1 + v) / STEP_1PZ) for v in (z.min(), z.max()))
        ln_n = _ln_halos_above(self.cosmology, first, last + 2)
        per_step = 1 / (LOG_M[1] - LOG_M[0]), 1 / STEP_1PZ
        grid = (ln_n, LOG_M[0], per_step[0], first * STEP_1PZ, per_step[1])
        ln_l = np.linspace(np.log(self.l_min / 100), np.log(self.l_star * 100), 4001)
        ln_sources = _ln_number_above(ln_l, np.exp(ln_l) * self.density(np.exp(ln_l)))
        ln_n = _interpolated(grid, m_halo.ravel(), z.ravel())
        # both ascend in the other; more haloes than sources leaves the rest dark
        ln_l_co = np.interp(-ln_n, -ln_sources, ln_l, left=-np.inf)
        return np.exp(ln_l_co).reshape(m_halo.shape)


@lru_cache(maxsize=8)
def _ln_halos_above(cosmology, first, stop):
    """Return ln n(>M) [Mpc^-3], shape (LOG_M.size, stop - first), at (1 + z) in `STEP_1PZ`."""
    redshifts = 10 ** (STEP_1PZ * np.arange(first, stop)) - 1
    ln_m = np.log(10) * LOG_M
    columns = [_ln_number_above(ln_m, cosmology.mass_function(10**LOG_M, z)) for z in redshifts]
    return np.stack(columns, axis=1)


def _ln_number_above(x, dn_dx):
    """Return ln of the integral of dn/dx from x up, by trapezoids added from the rare end."""
    steps = (dn_dx[1:] + dn_dx[:-1]) / 2 * np.diff(x)
    above = np.append(np.cumsum(steps[::-1])[::-1], 0.0)
    return np.log(np.maximum(above, _TINY))


@njit(cache=True)
def _interpolated(grid, m_halo, z):
    values = np.empty(m_halo.size)
    for i in range(m_halo.size):
        values[i] = interpolate(grid, m_halo[i], z[i])
    return values
