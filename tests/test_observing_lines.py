import numpy as np
import numpy.testing as npt
import pytest

from imtools.constants import C_LIGHT
from imtools.cosmology import Cosmology
from imtools.observing import line_width

COSMOLOGY = Cosmology()


def test_line_width_is_the_circular_velocity_at_the_edge_of_the_halo():
    """Once more from the radius, in SI units."""
    m_halo, z = 3e12, 2.5
    g, m_sun, mpc = 6.6743e-11, 1.98841e30, 3.0856775814913673e22
    rate = 100e3 * COSMOLOGY.h / mpc  # 1/s
    density = 3 * rate**2 / (8 * np.pi * g) * COSMOLOGY.omega_m * (1 + z) ** 3
    radius = (3 * m_halo * m_sun / (4 * np.pi * 200 * density)) ** (1 / 3)
    velocity = np.sqrt(g * m_halo * m_sun / radius) / 1e3
    npt.assert_allclose(line_width(m_halo, z, COSMOLOGY), velocity, rtol=2e-5)  # digits of G, Msun


def test_line_width_grows_as_the_cube_root_of_mass_and_the_root_of_scale():
    npt.assert_allclose(line_width(8e11, 3.0, COSMOLOGY), 2 * line_width(1e11, 3.0, COSMOLOGY))
    npt.assert_allclose(line_width(1e11, 3.0, COSMOLOGY), 2 * line_width(1e11, 0.0, COSMOLOGY))


def test_line_width_takes_arrays():
    widths = line_width(np.geomspace(2.5e10, 1e14, 5), np.linspace(2.4, 3.4, 5), COSMOLOGY)
    assert widths.shape == (5,)
    assert (widths < C_LIGHT / 100).all()


@pytest.mark.parametrize("mass", [0.0, -1e11, np.nan, np.inf])
def test_line_width_refuses_impossible_masses(mass):
    with pytest.raises(ValueError, match="line_width: m_halo spans"):
        line_width([1e12, mass], 2.8, COSMOLOGY)
