"""What a model makes of the linear power spectrum: mean temperature, bias and shot noise."""

import numpy as np
from scipy.integrate import simpson

from imtools.constants import NU_CO10, TEMPERATURE_PER_DENSITY
from imtools.cosmology import Cosmology

LARGEST_MASS = 10**15.5  # Msun, where integrals over haloes end


def signal_moments(model, z, *, m_min=2.5e10, nu_rest=NU_CO10, cosmology=None):
    r"""Return mean temperature, bias and shot noise of a model by integrating over haloes.

    Parameters
    ----------
    model : LuminosityModel
        Gives the mean and the mean square luminosity of a halo.
    z : float
        Redshift.
    m_min : float
        Least halo mass [Msun]; the integral ends at 10^15.5 Msun.
    nu_rest : float
        Rest frequency of the line [GHz].
    cosmology : Cosmology, optional
        By default that of the COMAP mocks.

    Returns
    -------
    dict
        ``mean_temperature`` [uK], ``bias`` [1] weighted by luminosity, and ``shot_noise``
        [uK2 Mpc3].

    Raises
    ------
    ValueError
        If `m_min` is not above 0 and below the largest mass, or `z` is negative.

    Notes
    -----
    .. math:: \langle T \rangle = X \int \frac{dn}{dM} L\,dM, \quad
        b = \frac{\int b_h \frac{dn}{dM} L\,dM}{\int \frac{dn}{dM} L\,dM}, \quad
        P_\mathrm{shot} = X^2 \int \frac{dn}{dM} \langle L^2 \rangle\,dM

    References
    ----------
    .. [1] Breysse, Kovetz & Kamionkowski 2014, MNRAS 443, 3506, arXiv:1405.0489

    Examples
    --------
    >>> from imtools.luminosity import LUMINOSITY_MODELS
    >>> moments = signal_moments(LUMINOSITY_MODELS["li2016"](), 2.8)
    >>> round(moments["mean_temperature"], 2)  # uK
    0.76
    """
    check_least_mass(m_min, caller="signal_moments")
    cosmology = cosmology or Cosmology()
    ln_m = np.linspace(np.log(m_min), np.log(LARGEST_MASS), 2001)
    m_halo = np.exp(ln_m)
    n = cosmology.mass_function(m_halo, z)
    mean, square = model.mean_luminosity(m_halo, z), model.mean_square_luminosity(m_halo, z)
    emitted = simpson(n * mean, ln_m)  # Lsun / Mpc^3
    biased = simpson(n * mean * cosmology.halo_bias(m_halo, z), ln_m)
    # uK per Lsun/Mpc^3
    per_density = TEMPERATURE_PER_DENSITY * (1 + z) ** 2 / (nu_rest**3 * cosmology.hubble(z))
    return {
        "mean_temperature": float(per_density * emitted),
        "bias": float(biased / emitted),
        "shot_noise": float(per_density**2 * simpson(n * square, ln_m)),
    }


def check_least_mass(m_min, *, caller):
    """Raise unless haloes from `m_min` [Msun] up to `LARGEST_MASS` are some."""
    if not 0 < m_min < LARGEST_MASS:
        msg = (
            f"{caller}: m_min is {m_min:g} Msun, expected above 0 and below {LARGEST_MASS:.3g}; "
            "check the unit"
        )
        raise ValueError(msg)
