import numpy as np
import numpy.testing as npt
import pytest

from imtools import halos
from imtools.constants import NU_CO21, NU_HCN10, lsun_per_l_prime
from imtools.luminosity import Li2016, signal_moments, star_formation_rate
from imtools.observing import INTERLOPERS, interloper_cube
from imtools.painting import painted_luminosity
from imtools.survey import Survey

SURVEY = Survey(field_size=0.7, n_pix=8, n_chan=8, nu_min=29.0, nu_max=31.0)


def paint(line, **changes):
    settings = {"survey": SURVEY, "line": line, "seed": 3, "rng": np.random.default_rng(4)}
    return interloper_cube(**settings | {"m_min": 1e11} | changes)


@pytest.mark.parametrize(("line", "z"), [("co21", (5.78, 7.87)), ("hcn10", (1.61, 2.41))])
def test_interlopers_come_from_their_own_redshifts(line, z):
    """PHYSICS section 8, for the whole band."""
    there = Survey.comap().replace(nu_rest=INTERLOPERS[line].nu_rest)
    npt.assert_allclose((there.z_min, there.z_max), z, atol=0.005)  # two digits
    cube = paint(line)
    assert z[0] < cube.attrs["z_min"] < cube.attrs["z_max"] < z[1]


@pytest.mark.parametrize("line", ["co21", "hcn10"])
def test_interlopers_lie_on_the_voxels_of_the_survey(line):
    cube = paint(line)
    assert cube.shape == SURVEY.shape
    expected = SURVEY.cube(np.zeros(SURVEY.shape))
    for name in ("freq", "dec", "ra", "z"):
        assert cube[name].identical(expected[name])
    assert (cube.attrs["units"], cube.attrs["component"]) == ("uK", line)
    assert cube.attrs["n_inside"] > 0
    assert cube.attrs["nu_rest"] == SURVEY.nu_rest


def test_co21_goes_with_infrared_light_as_kamenetzky_found():
    """log L_FIR = 1.11 log L' + 0.6 with L_FIR = 0.6 L_IR, and L = 8 x 4.9e-5 L'."""
    model = INTERLOPERS["co21"].model
    no_scatter = Li2016(alpha=model.alpha, beta=model.beta, sigma_sfr=0, sigma_lco=0)
    sfr = star_formation_rate([1e11, 1e12], 6.5)
    l_co_prime = 10 ** ((np.log10(0.6e10 * sfr) - 0.6) / 1.11)
    expected = 8 * 4.9e-5 * l_co_prime
    found = 8 * no_scatter.luminosity([1e11, 1e12], 6.5)
    npt.assert_allclose(found, expected, rtol=2e-3)  # 4.9e-5 has two digits


def test_hcn_is_a_tenth_of_co_where_gas_is_dense_and_less_in_faint_haloes():
    m_halo = np.array([3e10, 1e11, 3e12])
    co, hcn = (m.mean_luminosity(m_halo, 2.0) for m in (Li2016(), INTERLOPERS["hcn10"].model))
    ratio = hcn / co  # of L', both models in Lsun of CO(1-0)
    assert 0.05 < ratio[2] < 0.2  # L_IR near 10^12 Lsun
    assert ratio[0] < ratio[1] < ratio[2]
    infrared = 1e10 * star_formation_rate(m_halo, 2.0)
    found = hcn / lsun_per_l_prime()
    npt.assert_allclose(found, infrared / 900, rtol=1e-6)  # L_IR / L' of Gao & Solomon


@pytest.mark.parametrize("line", ["co21", "hcn10"])
def test_luminosity_at_the_same_l_prime_goes_as_the_cube_of_frequency(line):
    interloper = INTERLOPERS[line]
    m_halo, rng = np.full(5, 1e12), np.random.default_rng
    shining = interloper.luminosity(m_halo, 2.5, rng=rng(1))
    model = interloper.model.luminosity(m_halo, 2.5, rng=rng(1))
    nu = {"co21": NU_CO21, "hcn10": NU_HCN10}[line]
    npt.assert_allclose(shining / lsun_per_l_prime(nu), model / lsun_per_l_prime(), rtol=1e-12)


@pytest.mark.parametrize("line", ["co21", "hcn10"])
def test_mean_temperature_is_the_integral_over_haloes(line):
    """Over four fields, against the mass function at the middle of the band."""
    interloper, rng = INTERLOPERS[line], np.random.default_rng(5)
    means = [float(paint(line, seed=seed, rng=rng, m_min=5e10).mean()) for seed in range(4)]
    there = SURVEY.replace(nu_rest=interloper.nu_rest)
    moments = signal_moments(
        interloper.model, interloper.nu_rest / 30.0 - 1, m_min=5e10, nu_rest=interloper.nu_rest
    )
    expected = moments["mean_temperature"] * (interloper.nu_rest / SURVEY.nu_rest) ** 3
    # fields of 0.7 deg and 2 GHz scatter by 5 to 10 %; the band is 0.5 wide in z at z = 6.7
    npt.assert_allclose(np.mean(means), expected, rtol=0.2)
    assert there.z_min < interloper.nu_rest / 30.0 - 1 < there.z_max


def test_interlopers_are_fainter_than_the_line_itself():
    """At the fiducial, CO(1-0) has about 0.75 uK."""
    assert float(paint("hcn10", m_min=2.5e10).mean()) < 0.1 * 0.75
    assert float(paint("co21", m_min=2.5e10).mean()) < 0.75


def test_the_same_seeds_give_the_same_map_and_others_another():
    first, second = paint("hcn10"), paint("hcn10")
    npt.assert_array_equal(first, second)
    assert not np.array_equal(first, paint("hcn10", seed=8))
    assert not np.array_equal(first, paint("hcn10", rng=np.random.default_rng(9)))


def test_painted_light_is_that_of_the_haloes():
    there = SURVEY.replace(nu_rest=NU_HCN10)
    haloes = halos.simulate(there, seed=3, m_min=1e11)
    l_hcn = INTERLOPERS["hcn10"].luminosity(
        haloes["m_halo"].values, haloes["z"].values, rng=np.random.default_rng(4)
    )
    cube = paint("hcn10", dtype=float)
    painted = painted_luminosity(there.cube(cube.values), there)
    # a channel of 250 MHz is 2 % deep in distance squared; haloes lie evenly in it
    npt.assert_allclose(painted.sum(), l_hcn.sum(), rtol=0.01)


def test_broad_lines_leak_between_channels():
    survey = SURVEY.replace(n_chan=128)  # 15.6 MHz
    thin = paint("hcn10", survey=survey, dtype=float)
    broad = paint("hcn10", survey=survey, dtype=float, broaden=True)
    assert float(broad.var()) < 0.9 * float(thin.var())
    npt.assert_allclose(broad.sum(), thin.sum(), rtol=0.02)  # a line of 30 MHz of 2 GHz


def test_a_field_without_haloes_is_zero_with_a_warning():
    with pytest.warns(UserWarning, match="none of 0 haloes"):
        cube = paint("co21", m_min=1e14)
    npt.assert_array_equal(cube, 0.0)


def test_unknown_lines_and_bands_are_refused():
    with pytest.raises(ValueError, match="line is 'co32', expected one of co21, hcn10"):
        paint("co32")
    with pytest.raises(ValueError, match=r"nu_max is 95\.0 GHz, expected below the rest frequency"):
        paint("hcn10", survey=SURVEY.replace(nu_max=95.0))
