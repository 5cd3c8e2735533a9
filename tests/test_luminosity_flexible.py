"""The flexible luminosity function: that haloes have it, and how far it bends."""

import numpy as np
import numpy.testing as npt
import pytest
from scipy import integrate

from imtools.cosmology import Cosmology
from imtools.luminosity import LUMINOSITY_MODELS, Comap2022, Flexible, Schechter, signal_moments
from imtools.statistics import expected_counts
from imtools.survey import Survey

OTHERS = {name: m() for name, m in LUMINOSITY_MODELS.items() if name != "flexible"} | {
    "pessimistic": Comap2022.pessimistic(),
    "optimistic": Comap2022.optimistic(),
}
CENTRE = ("log_phi_star", "log_l_star", "slope", "sharpness", "log_l_min", "sigma")
FITS = {  # by least squares at z = 2.8
    "li2016": (-3.64, 6.06, 0.72, 2.00, 1.02, 0.27),
    "padmanabhan2018": (-3.32, 6.64, 0.46, 2.00, 1.00, 0.20),
    "breysse2014": (-3.13, 6.54, 1.00, 0.51, 3.24, 0.05),
    "comap2022": (-4.13, 6.64, 0.42, 2.00, 1.00, 0.38),
    "keating2016": (-3.16, 6.06, 1.01, 0.51, 3.34, 0.30),
    "schechter": (-3.71, 6.33, 0.88, 1.02, 3.71, 0.04),
    "pessimistic": (-4.35, 6.74, 0.32, 1.98, 1.00, 0.26),
    "optimistic": (-3.92, 6.42, 0.49, 1.61, 1.16, 0.35),
}
EDGES = 10 ** np.arange(3.5, 7.1, 0.25)
BAND = Survey(nu_min=28.0, nu_max=33.0, n_chan=10)
AT_PIVOT = Survey(nu_min=30.32, nu_max=30.35, n_chan=1)


def log_dn(model, survey, n_slices=1):
    dn = expected_counts(model, survey, edges=EDGES, n_slices=n_slices).sum("z").values
    return np.log10(np.maximum(dn, 1e-9))


@pytest.fixture(scope="module")
def draws():
    rng = np.random.default_rng(3)
    return [Flexible.draw(rng=rng) for _ in range(600)]


@pytest.fixture(scope="module")
def drawn(draws):
    return np.array([log_dn(model, BAND, 3) for model in draws])


def test_haloes_have_the_function_that_was_set_at_the_pivot():
    model = Flexible(sigma=0.0, slope=0.4, sharpness=0.7)
    m_halo = np.logspace(9.5, 15.5, 6001)
    n, l_co = Cosmology().mass_function(m_halo, 2.8), model.luminosity(m_halo, 2.8)
    l_star, phi_star = 10**model.log_l_star, 10**model.log_phi_star

    def density(ln_l):
        x = np.exp(ln_l) / l_star
        return phi_star * x**-0.4 * np.exp(-(x**0.7) - 10**model.log_l_min / np.exp(ln_l))

    for bright in (1e4, 1e5, 1e6, 5e6):
        haloes = integrate.trapezoid(np.where(l_co > bright, n, 0), np.log(m_halo))
        sources = integrate.quad(density, np.log(bright), np.log(1e11), limit=200)[0]
        npt.assert_allclose(haloes, sources, rtol=0.01)  # a step of mass is 0.2 %, slope up to 4


def test_schechter_is_one_of_them():
    schechter = Schechter()
    same = Flexible(
        log_phi_star=np.log10(schechter.phi_star * schechter.l_star),
        log_l_star=np.log10(schechter.l_star), slope=-1 - schechter.slope, sharpness=1.0,
        log_l_min=np.log10(schechter.l_min), sigma=0.0,
    )  # fmt: skip
    m_halo = np.logspace(10.45, 14, 50)
    ratio = same.luminosity(m_halo, 2.8) / schechter.luminosity(m_halo, 2.8)
    npt.assert_allclose(ratio, 1.0, rtol=5e-3)  # tables in other steps of luminosity


def test_luminosity_evolves_as_a_power_of_1_plus_z():
    still = Flexible(evolution=0.0, sigma=0.0)
    for z in (2.4, 2.8, 3.4):
        ratio = Flexible(evolution=-2.0, sigma=0.0).luminosity(1e12, z) / still.luminosity(1e12, z)
        npt.assert_allclose(ratio, ((1 + z) / 3.8) ** -2, rtol=1e-12)


def test_haloes_beyond_the_last_source_are_dark():
    few = Flexible(log_l_min=6.0, sigma=0.0)
    l_co = few.luminosity([2.5e10, 1e11, 1e13], 2.8)
    npt.assert_array_equal(l_co > 0, [False, False, True])
    assert Flexible(log_l_min=1.0, sigma=0.0).luminosity(2.5e10, 2.8) > 0


@pytest.mark.parametrize("name", FITS)
def test_it_bends_to_every_other_model(name):
    # a slice at the pivot holds about 1e5 Mpc^3, so 3e-7 Mpc^-3 dex^-1 are 0.01 in a bin
    truth = log_dn(OTHERS[name], AT_PIVOT)
    fit = log_dn(Flexible(**dict(zip(CENTRE, FITS[name], strict=True))), AT_PIVOT)
    counted = truth > np.log10(3e-7 * 0.25 * AT_PIVOT.voxel_volume.sum() * AT_PIVOT.n_pix**2)
    assert counted.sum() >= 9
    if name == "breysse2014":  # its first bin is cut where the lightest halo shines
        counted &= truth > truth[counted][0] + 0.1
    npt.assert_allclose(fit[counted], truth[counted], rtol=0, atol=0.05)  # dex, said in Notes


@pytest.mark.parametrize("name", OTHERS)
def test_draws_surround_every_other_model(name, drawn):
    truth = log_dn(OTHERS[name], BAND, 3)
    counted = truth > np.log10(30)
    if name == "breysse2014":  # nothing has more sources just above its lightest halo
        counted &= truth < truth.max()
    for sign in (-1, 1):  # at least 1 % of the draws on either side, by 0.1 dex
        share = (sign * (drawn - truth) > 0.1).mean(axis=0)[counted]
        assert share.min() >= 0.01, (sign, share)
    distance = np.sqrt(np.mean((drawn - truth)[:, counted] ** 2, axis=1))
    assert distance.min() < 0.2  # dex, the nearest of 600


def test_draws_have_a_mean_temperature_that_is_possible(draws):
    low, high = Flexible.TEMPERATURES
    seen = [signal_moments(m, 2.8)["mean_temperature"] for m in draws[:100]]
    assert min(seen) > 0.97 * low  # the draw's own integral has steps of 0.4 %
    assert max(seen) < 1.03 * high
    assert min(seen) < 0.1
    assert max(seen) > 10
    assert 0.1 < np.mean([m.n_redrawn for m in draws]) < 1


def test_draws_fill_their_limits_and_keep_what_is_fixed(draws):
    for name, (low, high) in Flexible.DRAW_LIMITS.items():
        values = np.array([getattr(m, name) for m in draws])
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high
    rng = np.random.default_rng(0)
    assert Flexible.draw(rng=rng, sigma=0.0).sigma == 0
    assert Flexible.draw(rng=rng, prior="fiducial") == Flexible()
    with pytest.raises(ValueError, match="prior is 'loose', expected one of fiducial, wide, ten"):
        Flexible.draw(rng=rng, prior="loose")


def test_ten_percent_is_a_tenth_of_it_about_the_fiducial():
    rng = np.random.default_rng(1)
    models = [Flexible.draw(rng=rng, prior="ten_percent") for _ in range(400)]
    for name, (low, high) in Flexible.DRAW_LIMITS.items():
        values = np.array([getattr(m, name) for m in models])
        half = (high - low) / 20
        npt.assert_allclose(values.mean(), getattr(Flexible(), name), rtol=0, atol=0.2 * half)
        assert 0.9 * half < np.abs(values - getattr(Flexible(), name)).max() <= half


def test_a_fault_of_a_draw_names_the_temperature():
    with pytest.raises(ValueError, match=r"the last since mean temperature \[uK\] is .*to 20"):
        Flexible.draw(rng=np.random.default_rng(0), log_phi_star=-2.3, log_l_star=7.5, slope=0.0)
