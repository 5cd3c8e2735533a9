r"""How many haloes, and of which masses, form at a given redshift and density.

A halo of bias b at a place of smoothed linear density contrast d (rms s) is as abundant as

.. math:: n(M) \exp(c d - g d^2 / 2) / \mathrm{norm},

the Gaussian conditional form. Its mean is n(M) exactly, the mean of d at haloes is b s^2 (so the
halo-matter cross power is b P, exactly), and g is set by the second-order bias b2 of simulations.
g = 0 would be the lognormal form, whose b2 = b^2 makes rare haloes cluster far too strongly. g is
held where too little of the variance of d would be left among the haloes: terms of third order then
add more to the halo power than b2 takes away. The bound was set on the halo auto power, see
``validation.clustering``.

References
----------
.. [1] Lazeyras et al. 2016, JCAP 02, 018, arXiv:1511.01096 (b2 of b)
.. [2] Mo & White 1996, MNRAS 282, 347, arXiv:astro-ph/9512127 (conditional abundance)
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

LARGEST_MASS = 1e16  # Msun; there is less than one such halo in the sky at z > 2


@dataclass(frozen=True, kw_only=True)
class Abundance:
    """Tables over redshift, density in units of its rms, and depth into the mass function."""

    z: np.ndarray  # (n_z,), even
    nu: np.ndarray  # (n_nu,), even; d / s
    depth: np.ndarray  # (n_depth,), even; -ln of the share of haloes above a mass
    log_density: np.ndarray  # (n_z, n_nu), ln of the number density [Mpc^-3]
    log_mass: np.ndarray  # (n_z, n_nu, n_depth), ln of the mass [Msun]


def second_order_bias(b):
    """Return b2 of the linear bias `b`, Eq. 5.2 of Lazeyras et al. 2016."""
    return 0.412 - 2.143 * b + 0.929 * b**2 + 0.008 * b**3


def log_modulation(b, nu, sigma):
    """Return ln of how much denser haloes of bias `b` are where the density is `nu` `sigma`.

    Parameters
    ----------
    b : numpy.ndarray
        Linear bias.
    nu : numpy.ndarray
        Density contrast in units of its rms; broadcasts with `b`.
    sigma : float
        Rms of the density contrast.

    Returns
    -------
    numpy.ndarray
        ln(n / mean n); its exponential averages to 1 over a unit Gaussian `nu`.
    """
    # share of the variance left among these haloes, V / s^2 = 1 - (b^2 - b2) s^2
    left = 1 - (b**2 - second_order_bias(b)) * sigma**2
    left = np.maximum(left, np.minimum(0.5, 0.8 / b))
    mean = b * sigma  # of nu among these haloes
    return -0.5 * (nu - mean) ** 2 / left + 0.5 * nu**2 - 0.5 * np.log(left)


@lru_cache(maxsize=4)
def abundance_tables(cosmology, z_range, m_range, sigma_today):
    """Return the tables for haloes in a range of masses and redshifts.

    Parameters
    ----------
    cosmology : Cosmology
        Gives mass function, bias and growth.
    z_range : (float, float)
        Range of redshifts.
    m_range : (float, float)
        Range of masses [Msun].
    sigma_today : float
        Rms of the smoothed density contrast at z = 0.

    Returns
    -------
    Abundance
        Linear interpolation between its nodes is good to 0.3 % in number.
    """
    z = np.linspace(*z_range, 24)
    nu = np.linspace(-6.5, 6.5, 261)
    depth = np.linspace(0.0, 18.0, 241)
    log_m = np.linspace(*np.log(m_range), 500)
    log_density = np.empty((z.size, nu.size))
    log_mass = np.empty((z.size, nu.size, depth.size), dtype=np.float32)
    for i, redshift in enumerate(z):
        sigma = sigma_today * float(cosmology.growth_factor(redshift))
        bias = cosmology.halo_bias(np.exp(log_m), redshift)
        mean = cosmology.mass_function(np.exp(log_m), redshift)
        local = mean * np.exp(log_modulation(bias, nu[:, None], sigma))
        above = _integral_above(local, log_m[1] - log_m[0])
        log_density[i] = np.log(above[:, 0])
        for j in range(nu.size):
            share = above[j] / above[j, 0]
            keep = share > 0
            log_mass[i, j] = np.interp(depth, -np.log(share[keep]), log_m[keep])
    return Abundance(z=z, nu=nu, depth=depth, log_density=log_density, log_mass=log_mass)


def _integral_above(density, step):
    """Return the integral of `density` along its last axis from each node to the end.

    Exact for a density that is exponential between its nodes, as a mass function nearly is.
    """
    low, high = density[..., :-1], density[..., 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(low / high)
        piece = np.where(np.abs(log_ratio) > 1e-6, (low - high) / log_ratio, low)
    piece = np.nan_to_num(piece, nan=0.0, posinf=0.0) * step
    above = np.zeros_like(density)
    above[..., :-1] = np.cumsum(piece[..., ::-1], axis=-1)[..., ::-1]
    return above
