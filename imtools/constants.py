"""Line frequencies and unit conversions, each with its source.

Units follow the package: GHz, km/s, comoving Mpc, Msun, Lsun, uK.
"""

import numpy as np

C_LIGHT = 299792.458  # speed of light [km/s], exact (SI)
DEG = np.pi / 180  # one degree [rad]
FWHM_TO_SIGMA = 1 / np.sqrt(8 * np.log(2))  # of a Gaussian

# Rest frequencies [GHz]: CDMS, Mueller et al. 2005, J. Mol. Struct. 742, 215
NU_CO10 = 115.2712018
NU_CO21 = 230.5380000
NU_HCN10 = 88.6316023

_K_BOLTZMANN = 1.380649e-23  # [J/K], exact (SI)
_L_SUN = 3.828e26  # nominal solar luminosity [W], IAU 2015 resolution B3
_MPC = 3.0856775814913673e22  # [m], IAU 2015 resolution B2
_PC = _MPC / 1e6  # [m]

# Rayleigh-Jeans temperature of a specific intensity: T = c^2 I / (2 k nu^2). With
# I = L / (4 pi d_L^2 dnu Omega) and L in Lsun, d_L in Mpc, nu and dnu in GHz, Omega in sr, T in uK,
# T = 0.5 * TEMPERATURE_PER_FLUX * L / (4 pi d_L^2 nu^2 dnu Omega).
TEMPERATURE_PER_FLUX = (C_LIGHT * 1e3) ** 2 * _L_SUN / (_K_BOLTZMANN * _MPC**2 * 1e27) * 1e6

# The same temperature from a luminosity density (Lidz et al. 2011, arXiv:1104.4800, Eq. 4):
# T = TEMPERATURE_PER_DENSITY * (1 + z)^2 * L / (nu_rest^3 * H * V_vox), with H in km/s/Mpc and
# V_vox in Mpc^3.
TEMPERATURE_PER_DENSITY = (
    (C_LIGHT * 1e3) ** 3 * _L_SUN / (8 * np.pi * _K_BOLTZMANN * 1e27) / _MPC**3 * (_MPC / 1e3) * 1e6
)


def lsun_per_l_prime(nu_rest=NU_CO10):
    r"""Return the line luminosity in Lsun of L' = 1 K km/s pc^2.

    Parameters
    ----------
    nu_rest : float
        Rest frequency of the line [GHz].

    Returns
    -------
    float
        L / L' [Lsun / (K km/s pc^2)], 4.906e-5 for CO(1-0).

    Notes
    -----
    From :math:`L = 8 \pi k \nu^3 L' / c^3`.

    References
    ----------
    .. [1] Solomon & Vanden Bout 2005, ARA&A 43, 677, arXiv:astro-ph/0508481
    """
    watts = 8 * np.pi * _K_BOLTZMANN * (nu_rest * 1e9) ** 3 / (C_LIGHT * 1e3) ** 3 * 1e3 * _PC**2
    return watts / _L_SUN
