import numpy as np
import numpy.testing as npt
from astropy import constants as const
from astropy import units as u

from imtools.constants import (
    C_LIGHT,
    DEG,
    FWHM_TO_SIGMA,
    NU_CO10,
    NU_CO21,
    TEMPERATURE_PER_DENSITY,
    TEMPERATURE_PER_FLUX,
    lsun_per_l_prime,
)


def test_line_frequencies_follow_the_rotor():
    # J = 2-1 falls short of twice 1-0 by centrifugal distortion, 24 D = 4.4 MHz
    npt.assert_allclose(2 * NU_CO10 - NU_CO21, 4.4e-3, rtol=0.01)


def test_temperature_per_flux_is_that_of_units_carried_through():
    flux = u.Lsun / u.Mpc**2 / u.GHz / u.sr  # of 1 Lsun with all else in units of the package
    temp = (const.c**2 * flux / (2 * const.k_B * u.GHz**2)).to(u.uK * u.sr**-1)
    npt.assert_allclose(0.5 * TEMPERATURE_PER_FLUX, temp.value, rtol=1e-9)  # same constants
    npt.assert_allclose(TEMPERATURE_PER_FLUX, 2.61715, rtol=2e-6)  # quoted to six digits


def test_temperature_per_density_is_that_of_units_carried_through():
    density = u.Lsun / u.Mpc**3
    rate = u.km / u.s / u.Mpc
    temp = const.c**3 * density / (8 * np.pi * const.k_B * u.GHz**3 * rate)
    npt.assert_allclose(TEMPERATURE_PER_DENSITY, temp.to_value(u.uK), rtol=1e-9)  # same constants
    npt.assert_allclose(TEMPERATURE_PER_DENSITY, 3.12183e4, rtol=2e-6)  # quoted to six digits


def test_lsun_per_l_prime_is_the_number_of_the_field():
    npt.assert_allclose(lsun_per_l_prime(), 4.906e-5, rtol=2e-4)  # quoted to four digits
    npt.assert_allclose(lsun_per_l_prime(100.0), 3.2032e-11 * 100**3, rtol=2e-5)


def test_lsun_per_l_prime_is_the_luminosity_of_a_brightness_temperature():
    """L' is temperature times area times velocity; L its Planck intensity, in Rayleigh-Jeans."""
    nu = NU_CO10 * u.GHz
    intensity = 2 * const.k_B * nu**2 / const.c**2 * u.K  # W m-2 Hz-1 sr-1
    width = nu * (1 * u.km / u.s) / const.c
    luminosity = 4 * np.pi * intensity * width * u.pc**2
    npt.assert_allclose(lsun_per_l_prime(), luminosity.to_value(u.Lsun), rtol=1e-9)


def test_geometry_constants():
    npt.assert_allclose(C_LIGHT, const.c.to_value("km/s"), rtol=1e-15)
    npt.assert_allclose(DEG, u.deg.to(u.rad), rtol=1e-15)
    # a Gaussian falls to half at half its FWHM
    npt.assert_allclose(np.exp(-0.5 * (0.5 / FWHM_TO_SIGMA) ** 2), 0.5, rtol=1e-12)
