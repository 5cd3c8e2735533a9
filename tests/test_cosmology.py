import numpy as np
import numpy.testing as npt
import pytest
from astropy.cosmology import FlatLambdaCDM
from scipy.integrate import quad

from imtools.constants import C_LIGHT
from imtools.cosmology import Cosmology
from imtools.survey import Survey

COSMOLOGY = Cosmology()
OTHER = Cosmology(h=0.6736, omega_m=0.3153, omega_b=0.0493, sigma8=0.8111, n_s=0.9649)
MASSES = np.array([1e10, 2.5e10, 1e11, 1e12, 1e13])
# PHYSICS section 1, over z = 2.4, 2.9, 3.4: number above a mass [Mpc^-3], and bias at it
NUMBER = [
    [0.112, 0.0998, 0.0854],
    [0.0446, 0.0379, 0.0308],
    [0.0102, 7.88e-3, 5.76e-3],
    [5.93e-4, 3.47e-4, 1.86e-4],
    [1.11e-5, 3.56e-6, 9.7e-7],
]
BIAS = [
    [1.14, 1.34, 1.57],
    [1.28, 1.52, 1.81],
    [1.58, 1.92, 2.33],
    [2.53, 3.21, 4.01],
    [4.91, 6.43, 8.23],
]
IN_FIELD = [2.52e6, 9.59e5, 2.00e5, 9.1e3, 111]


def number_above(mass, z, cosmology=COSMOLOGY):
    log_mass = np.linspace(np.log(mass), np.log(1e16), 400)
    return np.trapezoid(cosmology.mass_function(np.exp(log_mass), z), log_mass)


@pytest.mark.parametrize(("z", "chi"), [(2.39, 5772), (2.8, 6242), (3.43, 6838)])
def test_comoving_distance_of_the_band(z, chi):
    npt.assert_allclose(COSMOLOGY.comoving_distance(z), chi, rtol=2e-4)  # z quoted to 3 digits


@pytest.mark.parametrize("cosmology", [COSMOLOGY, OTHER])
def test_distance_and_expansion_are_those_of_astropy(cosmology):
    theirs = FlatLambdaCDM(H0=100 * cosmology.h, Om0=cosmology.omega_m, Tcmb0=0)
    z = np.array([0.01, 0.5, 2.4, 3.4, 8.0, 11.9])
    npt.assert_allclose(cosmology.hubble(z), theirs.H(z).value, rtol=1e-12)  # the same formula
    # the spline's own error
    npt.assert_allclose(
        cosmology.comoving_distance(z), theirs.comoving_distance(z).value, rtol=1e-8
    )


def test_distance_is_the_integral_of_the_expansion():
    length, _ = quad(lambda z: C_LIGHT / COSMOLOGY.hubble(z), 2.4, 3.4)
    chi = COSMOLOGY.comoving_distance([2.4, 3.4])
    npt.assert_allclose(np.diff(chi), length, rtol=1e-8)  # the spline's own error


def test_redshift_inverts_distance():
    z = np.linspace(0.0, 12.0, 501)
    back = COSMOLOGY.redshift(COSMOLOGY.comoving_distance(z))
    npt.assert_allclose(back, z, rtol=1e-8, atol=1e-9)  # the spline's own error


def test_growth_is_the_integral_of_heath():
    """D ~ H int (1 + z) / H^3 dz, exact for matter and a cosmological constant (Heath 1977)."""

    def growth(z):
        area, _ = quad(lambda x: (1 + x) / COSMOLOGY.hubble(x) ** 3, z, np.inf, epsabs=0)
        return COSMOLOGY.hubble(z) * area

    z = np.array([0.5, 2.4, 3.4])
    expected = [growth(x) / growth(0.0) for x in z]
    npt.assert_allclose(COSMOLOGY.growth_factor(z), expected, rtol=2e-5)  # colossus' table
    assert COSMOLOGY.growth_factor(0.0) == pytest.approx(1, abs=1e-9)


def test_growth_rate_is_the_power_of_omega_m():
    z = np.array([0.1, 1.0, 2.4, 3.4])
    omega_m = 0.286 * (1 + z) ** 3 * (70 / COSMOLOGY.hubble(z)) ** 2
    # f = Omega_m^0.55 holds to 0.5 % (Linder 2005, astro-ph/0507263)
    npt.assert_allclose(COSMOLOGY.growth_rate(z), omega_m**0.55, rtol=5e-3)


@pytest.mark.parametrize("cosmology", [COSMOLOGY, OTHER])
def test_matter_power_has_the_stated_sigma8(cosmology):
    radius = 8 / cosmology.h
    k = np.logspace(-4, 2, 6000)
    window = 3 * (np.sin(k * radius) - k * radius * np.cos(k * radius)) / (k * radius) ** 3
    variance = np.trapezoid(cosmology.matter_power(k) * window**2 * k**3, np.log(k)) / 2 / np.pi**2
    npt.assert_allclose(np.sqrt(variance), cosmology.sigma8, rtol=2e-5)  # colossus' table


def test_matter_power_is_primordial_on_large_scales():
    slope = np.diff(np.log(COSMOLOGY.matter_power([1e-5, 2e-5]))) / np.log(2)
    npt.assert_allclose(slope, 0.96, atol=2e-3)  # the transfer function is 1 to first order


@pytest.mark.parametrize("z", [0.0, 12.0])
def test_growth_rate_reaches_the_ends_of_the_table(z):
    omega_m = 0.286 * (1 + z) ** 3 * (70 / COSMOLOGY.hubble(z)) ** 2
    npt.assert_allclose(COSMOLOGY.growth_rate(z), omega_m**0.55, rtol=8e-3)  # as above


@pytest.mark.parametrize("i_mass", range(5))
def test_mass_function_has_the_target_numbers(i_mass):
    found = [number_above(MASSES[i_mass], z) for z in (2.4, 2.9, 3.4)]
    npt.assert_allclose(found, NUMBER[i_mass], rtol=7e-3)  # targets have 2 to 3 digits


@pytest.mark.parametrize("i_mass", range(5))
def test_bias_has_the_target_numbers(i_mass):
    found = [COSMOLOGY.halo_bias(MASSES[i_mass], z) for z in (2.4, 2.9, 3.4)]
    npt.assert_allclose(found, BIAS[i_mass], rtol=5e-3)  # targets have 3 digits


def test_mass_function_fills_the_field_of_the_notes():
    survey = Survey.notes(n_pix=1, n_chan=40)
    z = survey.coords["z"][1]
    for mass, target in zip(MASSES, IN_FIELD, strict=True):
        n_halo = sum(number_above(mass, x) * v for x, v in zip(z, survey.voxel_volume, strict=True))
        npt.assert_allclose(n_halo, target, rtol=8e-3)  # targets have 2 to 3 digits


def test_every_cosmology_has_its_own_mass_function():
    """Colossus keeps one global cosmology; asking in turn must not mix them."""
    first = COSMOLOGY.mass_function(MASSES, 2.4)
    other = OTHER.mass_function(MASSES, 2.4)
    bias = OTHER.halo_bias(1e12, 2.4)
    COSMOLOGY.growth_factor(1.0)
    npt.assert_array_equal(COSMOLOGY.mass_function(MASSES, 2.4), first)
    npt.assert_array_equal(OTHER.halo_bias(1e12, 2.4), bias)
    assert np.all(np.abs(other / first - 1) > 0.01)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"h": 70.0}, "h is 70.0, expected between 0 and 2"),
        ({"sigma8": np.nan}, "sigma8 is nan"),
        ({"omega_b": 0.3}, "omega_b is 0.3 and omega_m 0.286"),
        ({"omega_m": 1.0}, "expected omega_b < omega_m < 1"),
    ],
)
def test_impossible_cosmology_raises(changes, match):
    with pytest.raises(ValueError, match=match):
        Cosmology(**changes)


def test_a_parameter_that_is_no_number_raises():
    with pytest.raises(TypeError, match=r"Cosmology: h is '0\.7', expected a number"):
        Cosmology(h="0.7")


@pytest.mark.parametrize("name", ["mass_function", "halo_bias"])
@pytest.mark.parametrize(
    ("m_halo", "z", "match"),
    [
        (1e12, -0.5, "z is -0.5, expected at least 0"),
        (1e12, np.nan, "z is nan, expected at least 0"),
        ([1e12, -1e12], 1.0, r"m_halo spans -1e\+12 to 1e\+12 Msun, expected finite and above 0"),
        (0.0, 1.0, "m_halo spans 0 to 0 Msun"),
        ([1e12, np.nan], 1.0, "m_halo spans nan to nan Msun"),
    ],
)
def test_haloes_that_cannot_be_have_no_abundance(name, m_halo, z, match):
    with pytest.raises(ValueError, match=f"Cosmology.{name}: {match}"):
        getattr(COSMOLOGY, name)(m_halo, z)


@pytest.mark.parametrize("z", [-0.1, 12.5, np.nan, [1.0, np.nan]])
@pytest.mark.parametrize("name", ["comoving_distance", "growth_factor", "growth_rate"])
def test_redshift_outside_the_table_raises(name, z):
    with pytest.raises(ValueError, match=f"{name}: z spans .* expected 0 to 12"):
        getattr(COSMOLOGY, name)(z)


@pytest.mark.parametrize("chi", [-1.0, 2e4, np.nan])
def test_distance_outside_the_table_raises(chi):
    with pytest.raises(ValueError, match=r"chi spans .* Mpc, expected 0 to"):
        COSMOLOGY.redshift(chi)
