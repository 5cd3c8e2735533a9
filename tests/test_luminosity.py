import importlib.util
import json
import os
from dataclasses import FrozenInstanceError, dataclass, replace
from importlib.resources import files

import numpy as np
import numpy.testing as npt
import pytest
from scipy import integrate, special

from imtools import luminosity
from imtools.constants import lsun_per_l_prime
from imtools.cosmology import Cosmology
from imtools.luminosity import (
    LUMINOSITY_MODELS,
    Breysse2014,
    Comap2022,
    Keating2016,
    Li2016,
    LuminosityModel,
    Padmanabhan2018,
    Schechter,
    draw_model,
    register,
    signal_moments,
    star_formation_rate,
)
from imtools.luminosity.star_formation import universe_machine_sfr

ARITHMETIC = 1e-12  # rtol: float64
NAMES = (
    "li2016", "padmanabhan2018", "breysse2014", "comap2022", "keating2016", "schechter", "flexible",
)  # fmt: skip


@pytest.fixture
def rng():
    return np.random.default_rng(20)


# Star formation


def test_sfr_at_the_reference_masses():
    log_m = np.arange(10, 13.1, 0.5)
    b13 = [-2.07, -1.16, -0.25, 0.81, 1.84, 2.06, 2.01]
    um = [-2.73, -1.74, -0.75, 0.24, 1.21, 1.99, 2.06]
    for sfr, expected in (("b13", b13), ("um", um)):
        seen = np.log10(star_formation_rate(10**log_m, 2.8, sfr=sfr))
        npt.assert_allclose(seen, expected, rtol=0, atol=0.0075)  # quoted to two decimals


def test_sfr_tables_interpolate_within_their_stated_error(rng):
    log_m, z = rng.uniform(9.5, 14, 20000), rng.uniform(1, 8, 20000)
    seen = np.log10(star_formation_rate(10**log_m, z, sfr="um"))
    exact = np.log10(universe_machine_sfr(10**log_m, z))
    npt.assert_allclose(seen, exact, rtol=0, atol=1e-3)  # dex, said beside STEP
    in_band = (z > 2) & (z < 4)
    npt.assert_allclose(seen[in_band], exact[in_band], rtol=0, atol=2e-4)


def test_b13_is_the_chebyshev_sum_between_the_grid_points(rng):
    fit = json.loads(files("imtools").joinpath("tables/sfr_behroozi13_chebyshev.json").read_text())
    log_m, z = rng.uniform(9.5, 14, 2000), rng.uniform(1, 8, 2000)
    x = 2 * (log_m - 9.5) / 4.5 - 1
    y = 2 * (np.log10(1 + z) - np.log10(2)) / np.log10(9 / 2) - 1
    # T_n(x) = cos(n arccos x), written out
    t_x = np.cos(np.arange(17)[:, None] * np.arccos(x))
    t_y = np.cos(np.arange(8)[:, None] * np.arccos(y))
    exact = np.einsum("in,ij,jn->n", t_x, np.array(fit["coefficients"]), t_y)
    seen = np.log10(star_formation_rate(10**log_m, z))
    npt.assert_allclose(seen, exact, rtol=0, atol=1e-3)  # dex, said beside STEP


def test_sfr_is_held_above_the_table_and_refused_below_it_or_out_of_its_redshifts():
    npt.assert_array_equal(star_formation_rate(1e15, 3.0), star_formation_rate(1e14, 3.0))
    with pytest.raises(ValueError, match=r"lightest halo has 1e\+09 Msun.*raise m_min"):
        star_formation_rate([1e12, 1e9], 3.0)
    with pytest.raises(ValueError, match=r"z spans 0.5 to 3, expected 1 to 8"):
        star_formation_rate([1e12, 1e12], [0.5, 3.0])
    with pytest.raises(ValueError, match=r"Li2016.mean_luminosity: z spans 8.5 to 8.5"):
        Li2016().mean_luminosity(1e12, 8.5)
    star_formation_rate([10**9.5], [8.0])  # the corner itself is inside
    with pytest.raises(ValueError, match="sfr is 'b14', expected b13, um, or the path"):
        star_formation_rate(1e12, 3.0, sfr="b14")


@pytest.mark.parametrize("sfr", [None, 13])
def test_an_sfr_that_is_no_name_and_no_path_is_refused(sfr):
    with pytest.raises(ValueError, match=f"sfr is {sfr}, expected b13, um, or the path"):
        luminosity.star_formation.sfr_table(sfr)


def write_table(path, masked=True):
    """Write b13 at z = 1.5 to 6 in the published form, z fastest, heavy haloes masked."""
    lines = ["# 1+z log10(M) log10(SFR) log10(M*)", "#"]
    for log_m in np.linspace(9.5, 14, 91):
        for z in np.linspace(1.5, 6, 46):
            log_sfr = np.log10(star_formation_rate(10**log_m, z))
            if masked and log_m > 13.52:
                log_sfr = -1000.0
            lines.append(f"{1 + z:.4f} {log_m:.4f} {log_sfr:.6f} 10.0")
    path.write_text("\n".join(lines))
    return path


def test_a_users_table_is_read_in_its_published_form(tmp_path, rng):
    path = write_table(tmp_path / "sfr.dat")
    m_halo, z = 10 ** rng.uniform(9.6, 13.4, 500), rng.uniform(1.5, 6, 500)
    seen = np.log10(star_formation_rate(m_halo, z, sfr=path))
    exact = np.log10(star_formation_rate(m_halo, z))
    npt.assert_allclose(seen, exact, rtol=0, atol=0.02)  # linear in steps of .05 dex and .1 in z
    held = star_formation_rate([1e14, 1e15], 3.0, sfr=str(path))
    npt.assert_allclose(held, star_formation_rate(10**13.5, 3.0), rtol=1e-3)  # resampled
    model = Li2016(sfr=str(path), sigma_sfr=0.0, sigma_lco=0.0)
    expected = Li2016(sigma_sfr=0.0, sigma_lco=0.0).luminosity(1e12, 3.0)
    npt.assert_allclose(model.luminosity(1e12, 3.0), expected, rtol=0.02 * np.log(10) / 1.37)


def test_an_edited_table_is_read_anew(tmp_path):
    path = write_table(tmp_path / "sfr.dat")
    before = star_formation_rate(1e14, 3.0, sfr=path)
    write_table(path, masked=False)
    os.utime(path, ns=(1, 1))
    assert star_formation_rate(1e14, 3.0, sfr=path) != before


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "no three columns"),
        ("#\n#\n2.0 10.0\n", "no three columns"),
        ("<html>\n<body>\nnot found\n</body>", "no three columns"),
        ("#\n#\n2 10 1\n2 11 1\n3 10 1\n", "3 rows, 3 of them distinct.*2 redshifts and 2 masses"),
        ("#\n#\n2 10 1\n2 11 1\n3 10 1\n3 10 1\n", "4 rows, 3 of them distinct"),
        ("#\n#\n2 10 1\n2 11 1\n3 10 -1000\n3 11 -1000\n", "a redshift with no star formation"),
    ],
)
def test_a_file_that_is_no_table_is_refused_by_name(tmp_path, text, match):
    path = tmp_path / "bad.dat"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"bad.dat has .*{match}"):
        luminosity.read_sfr_table(path)


# The models, one by one


@pytest.mark.parametrize(
    ("name", "m_min", "temperature", "bias", "shot"),
    [
        ("li2016", 2.5e10, 0.74, 2.67, 330),
        ("comap2022", 1e10, 0.50, 3.94, 1.9e3),
        ("padmanabhan2018", 1e10, 3.49, 3.02, 7.1e3),
        ("keating2016", 1e10, 3.25, 2.30, 2.9e3),
        ("breysse2014", 1e10, 10.3, 2.30, 1.8e4),
    ],
)
def test_mean_temperature_bias_and_shot_noise_at_z_2_8(name, m_min, temperature, bias, shot):
    seen = signal_moments(LUMINOSITY_MODELS[name](), 2.8, m_min=m_min)
    npt.assert_allclose(seen["mean_temperature"], temperature, rtol=0.1)  # the quoted precision
    npt.assert_allclose(seen["bias"], bias, rtol=0.1)
    npt.assert_allclose(seen["shot_noise"], shot, rtol=0.1)


@pytest.mark.parametrize("m_min", [0.0, -1e10, 1e17, np.nan])
def test_moments_of_no_haloes_are_refused(m_min):
    with pytest.raises(ValueError, match=r"signal_moments: m_min is .* expected above 0 and b"):
        signal_moments(Breysse2014(), 2.8, m_min=m_min)


@pytest.mark.parametrize("name", NAMES)
def test_lists_of_haloes_are_taken_as_arrays(name):
    model, masses = LUMINOSITY_MODELS[name](), [1e11, 1e12]
    seen = model.mean_luminosity(masses, [2.8, 2.8])
    npt.assert_array_equal(seen, model.mean_luminosity(np.array(masses), np.array([2.8, 2.8])))
    npt.assert_array_equal(model.mean_luminosity(masses, 2.8), seen)


@pytest.mark.parametrize(
    "model",
    [
        Li2016(),
        Li2016(alpha=0.8, beta=4.0, sigma_sfr=0.2, sigma_lco=0.1),
        Comap2022(),
        Keating2016(),
        Padmanabhan2018(sigma=0.3),
        Breysse2014(duty_cycle=0.3, sigma=0.2),
        Breysse2014(duty_cycle=0.5),
    ],
)
def test_random_luminosities_keep_the_stated_mean_and_mean_square(model, rng):
    n = 400000
    l_co = model.luminosity(np.full(n, 3e11), 2.9, rng=rng)
    for power, expected in (
        (1, model.mean_luminosity(3e11, 2.9)),
        (2, model.mean_square_luminosity(3e11, 2.9)),
    ):
        error = 5 * (l_co**power).std() / np.sqrt(n)  # five standard errors of the mean
        npt.assert_allclose((l_co**power).mean(), expected, rtol=0, atol=error)
    assert error < 0.2 * expected  # and that is a test of the mean


def test_li_scatters_on_sfr_and_on_l_prime_merge_exactly(rng):
    model, n = Li2016(alpha=0.9, sigma_sfr=0.4, sigma_lco=0.2, log_delta_mf=0.1), 300000
    t = 0.4 * np.log(10)  # the two steps of the paper, one after the other
    sfr = star_formation_rate(1e12, 2.8) * np.exp(t * rng.standard_normal(n) - t**2 / 2)
    l_ir = 1e10 * sfr / 10**0.1
    l_prime = 10 ** ((np.log10(l_ir) + 1.74) / 0.9)
    t = 0.2 * np.log(10)
    two_steps = lsun_per_l_prime() * l_prime * np.exp(t * rng.standard_normal(n) - t**2 / 2)
    one_step = model.luminosity(np.full(n, 1e12), 2.8, rng=rng)
    log_two, log_one = np.log10(two_steps), np.log10(one_step)
    error = 5 * model.scatter / np.sqrt(n)  # 5 sampling errors; the difference has 1.4 of one
    npt.assert_allclose(log_one.mean(), log_two.mean(), rtol=0, atol=1.5 * error)
    npt.assert_allclose(log_one.std(), log_two.std(), rtol=5 / np.sqrt(n))
    npt.assert_allclose(log_one.std(), model.scatter, rtol=5 / np.sqrt(2 * n))


def test_li_follows_the_infrared_correlation():
    calm = Li2016(sigma_sfr=0.0, sigma_lco=0.0)
    l_prime = calm.luminosity(1e12, 2.8) / lsun_per_l_prime()
    log_l_ir = 1.37 * np.log10(l_prime) - 1.74
    npt.assert_allclose(log_l_ir, 10 + np.log10(star_formation_rate(1e12, 2.8)), rtol=ARITHMETIC)
    half = replace(calm, log_delta_mf=np.log10(2.0)).luminosity(1e12, 2.8)
    npt.assert_allclose(half, calm.luminosity(1e12, 2.8) * 2 ** (-1 / 1.37), rtol=ARITHMETIC)


def test_li_sfr_source_moves_the_mean_temperature_by_a_third_of_a_dex():
    b13, um = (signal_moments(Li2016(sfr=s), 2.8)["mean_temperature"] for s in ("b13", "um"))
    npt.assert_allclose(np.log10(b13 / um), 0.3, atol=0.1)  # "0.3 dex", one decimal


def test_li_second_pair_agrees_with_the_first_at_the_pivot():
    first, second = Li2016(), Li2016.second_pair()
    assert (second.alpha, second.beta) == (1.17, 0.21)
    log_l_prime = [(11.5 - m.beta) / m.alpha for m in (first, second)]
    npt.assert_allclose(*log_l_prime, atol=0.02)


def test_padmanabhan_bends_at_its_turn_over_mass():
    model, z = Padmanabhan2018(), 2.8
    x = z / (1 + z)
    m_1 = 4.17e12 * 10 ** (-1.17 * x)
    at_turn_over = (0.0033 + 0.04 * x) * m_1 * lsun_per_l_prime()
    npt.assert_allclose(model.luminosity(m_1, z), at_turn_over, rtol=ARITHMETIC)
    slopes = {1e-6: 1 + 0.95 + 0.48 * x, 1e6: 1 - 0.66 + 0.33 * x}  # far below and above
    for away, slope in slopes.items():
        pair = model.luminosity(away * m_1 * np.array([1.0, 10.0]), z)
        npt.assert_allclose(np.diff(np.log10(pair)), slope, rtol=1e-5)  # the other term is 1e-8


def test_breysse_has_no_source_below_5e4_in_a_catalogue_above_2_5e10():
    npt.assert_allclose(Breysse2014().luminosity(2.5e10, 3.0), 5e4, rtol=ARITHMETIC)
    npt.assert_allclose(Breysse2014(b=0.5).luminosity(1e12, 3.0), 2.0, rtol=ARITHMETIC)


def test_breysse_duty_cycle_is_the_share_that_shines(rng):
    l_co = Breysse2014(duty_cycle=0.2).luminosity(np.full(100000, 1e11), 3.0, rng=rng)
    share = (l_co > 0).mean()
    npt.assert_allclose(share, 0.2, rtol=0, atol=5 * np.sqrt(0.2 * 0.8 / 1e5))  # binomial
    npt.assert_allclose(l_co.max(), 2e5, rtol=ARITHMETIC)  # and each is as bright as before


def test_comap_bends_at_its_turn_over_mass():
    model = Comap2022(sigma=0.0)
    half = 10**10.63 / 2 * lsun_per_l_prime()
    npt.assert_allclose(model.luminosity(10**12.3, 3.0), half, rtol=ARITHMETIC)
    for log_m, slope in ((4.0, 2.85), (20.0, 0.42)):
        pair = model.luminosity(10.0 ** np.array([log_m, log_m + 1]), 3.0)
        npt.assert_allclose(np.diff(np.log10(pair)), slope, rtol=1e-5)
    temperatures = [
        signal_moments(m, 2.8)["mean_temperature"]
        for m in (Comap2022.pessimistic(), Comap2022(), Comap2022.optimistic())
    ]
    assert temperatures == sorted(temperatures)


def test_keating_is_dark_below_its_lowest_mass():
    model = Keating2016(sigma=0.0)
    npt.assert_allclose(model.luminosity([9.9e9, 1e10, 1e12], 3.0), [0, 6300, 6.3e5])


@pytest.mark.parametrize("z", [2.4, 3.1])
def test_schechter_haloes_have_the_function_that_was_set(z):
    model, cosmology = Schechter(), Cosmology()
    m_halo = np.logspace(9.5, 15.5, 6001)
    n = cosmology.mass_function(m_halo, z)
    l_co = model.luminosity(m_halo, z)
    assert np.all(np.diff(l_co) >= 0)
    for bright in (1e4, 1e5, 1e6, 5e6):
        haloes = integrate.trapezoid(np.where(l_co > bright, n, 0), np.log(m_halo))
        sources = integrate.quad(model.density, bright, 1e9, points=[1e6, 1e7], limit=200)[0]
        npt.assert_allclose(haloes, sources, rtol=0.01)  # a step of mass is 0.2 %, slope up to 4


def test_schechter_luminosity_density_is_the_bessel_function():
    model = Schechter()
    # integral of L phi* (L/L*)^a exp(-L/L* - Lmin/L)
    order, ratio = model.slope + 2, model.l_min / model.l_star
    bessel = 2 * ratio ** (order / 2) * special.kv(order, 2 * np.sqrt(ratio))
    expected = model.phi_star * model.l_star**2 * bessel
    m_halo = np.logspace(10, 15.5, 6001)
    l_co = model.luminosity(m_halo, 2.8)
    seen = integrate.trapezoid(l_co * Cosmology().mass_function(m_halo, 2.8), np.log(m_halo))
    npt.assert_allclose(seen, expected, rtol=2e-3)  # tables in steps of .005 dex


def test_schechter_leaves_haloes_beyond_the_last_source_dark():
    l_co = Schechter().luminosity([1e10, 2.3e10, 2.5e10], 2.8)
    npt.assert_array_equal(l_co > 0, [False, False, True])
    faint = Schechter(l_min=500.0).luminosity([2.3e10], 2.8)  # a lower cut: more sources
    assert faint > 0


# What every model does


def test_registry_holds_the_models_of_the_package():
    assert tuple(n for n in LUMINOSITY_MODELS if n in NAMES) == NAMES
    for name in NAMES:
        assert LUMINOSITY_MODELS[name].name == name


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_the_one_interface(name, rng):
    model = LUMINOSITY_MODELS[name]()
    m_halo = np.logspace(10.5, 14, 12).reshape(3, 4)
    before = m_halo.copy()
    l_co = model.luminosity(m_halo, np.full(m_halo.shape, 3.0), rng=rng)
    assert l_co.shape == m_halo.shape
    assert l_co.dtype == np.float64
    npt.assert_array_equal(m_halo, before)
    assert model.luminosity(1e12, 3.0, rng=rng).shape == ()
    assert model.luminosity([], [], rng=rng).shape == (0,)
    assert all(isinstance(v, float) for v in model.parameters().values())
    assert type(model)(**model.parameters()) == model
    with pytest.raises(FrozenInstanceError):
        model.n_redrawn = 1


@pytest.mark.parametrize("name", NAMES)
def test_invalid_haloes_are_refused_with_their_place(name, rng):
    model = LUMINOSITY_MODELS[name]()
    for bad in (np.nan, np.inf, 0.0, -1e12):
        with pytest.raises(ValueError, match=r"1 of 3 masses .* first at \[1\]"):
            model.luminosity([1e12, bad, 1e12], 3.0, rng=rng)
    with pytest.raises(ValueError, match=r"1 of 2 redshifts .* first at \[0\]"):
        model.luminosity([1e12, 1e12], [np.nan, 3.0], rng=rng)


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_is_the_only_source_of_chance(name):
    draws = [draw_model(name, rng=np.random.default_rng(s)) for s in (3, 3, 4)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    m_halo = np.full(10, 1e12)
    first, same = (draws[0].luminosity(m_halo, 3.0, rng=np.random.default_rng(5)) for _ in "ab")
    npt.assert_array_equal(first, same)
    assert draw_model(name, rng=np.random.default_rng(3), prior="fiducial") == type(draws[0])()


@pytest.mark.parametrize("model", [Li2016(), Comap2022(), Breysse2014(duty_cycle=0.5)])
def test_a_random_model_needs_a_generator(model):
    with pytest.raises(ValueError, match="rng is None"):
        model.luminosity(1e12, 3.0)


@pytest.mark.parametrize(
    ("model", "changes", "match"),
    [
        (Li2016, {"sigma_sfr": -0.1}, "Li2016: sigma_sfr is -0.1, expected 0 to inf"),
        (Li2016, {"alpha": 0.0}, "alpha is 0, expected 0.01"),
        (Li2016, {"beta": np.nan}, "beta is nan"),
        (Li2016, {"beta": np.inf}, "beta is inf"),
        (Comap2022, {"a": 1.0}, "a is 1 and b -0.42, expected a < b"),
        (Padmanabhan2018, {"n_11": -0.01}, r"N is -0.0067 at z/\(1\+z\) = 1"),
        (Padmanabhan2018, {"b_10": -1.0}, r"b \+ y is -0.34"),
        (Padmanabhan2018, {"sigma": -1.0}, "sigma is -1"),
        (Breysse2014, {"duty_cycle": 1.1}, "duty_cycle is 1.1, expected 1e-06 to 1"),
        (Keating2016, {"a": -1.0}, "a is -1"),
        (Schechter, {"l_min": 0.0}, "l_min is 0"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(model, changes, match):
    with pytest.raises(ValueError, match=match):
        model(**changes)
    with pytest.raises(TypeError, match="expected a number"):
        model(**dict.fromkeys(changes, "1"))


# Priors


def drawn(model, n, rng, **settings):
    models = [model.draw(rng=rng, **settings) for _ in range(n)]
    columns = np.array([list(m.parameters().values()) for m in models])
    return dict(zip(models[0].parameters(), columns.T, strict=True)), models


@pytest.mark.parametrize("model", [Li2016, Padmanabhan2018, Breysse2014, Keating2016, Schechter])
def test_draws_have_the_widths_of_the_prior(model, rng):
    n, fiducial = 2000, model().parameters()
    for prior in ("ten_percent", "strong") if model is Li2016 else ("ten_percent",):
        values, models = drawn(model, n, rng, prior=prior)
        widths = model.PRIORS[prior]
        for name, centre in fiducial.items():
            width = widths.get(name, 0.0)
            atol = 5 * width / np.sqrt(n) + 1e-12 * abs(centre)  # 5 sampling errors, or arithmetic
            npt.assert_allclose(values[name].mean(), centre, rtol=0, atol=atol)
            npt.assert_allclose(values[name].std(), width, rtol=5 / np.sqrt(2 * n), atol=1e-12)
        if prior == "ten_percent":  # a tenth of the width of "loose"
            loose = {k: v / 10 for k, v in model.PRIORS["loose"].items()}
            assert widths == pytest.approx(loose, rel=0.3)
            assert sum(m.n_redrawn for m in models) == 0


def test_li_loose_draws_leave_the_range_and_that_is_counted(rng):
    values, models = drawn(Li2016, 3000, rng, prior="loose")
    assert values["alpha"].min() >= 0.5
    assert values["sigma_sfr"].min() >= 0
    n_redrawn = sum(m.n_redrawn for m in models)
    # alpha < .5 is 2.35 sd below; either sigma < 0 is 3 sd below
    p = 1 - special.ndtr(2.351) * special.ndtr(3.0) ** 2
    expected = 3000 * p / (1 - p)
    npt.assert_allclose(n_redrawn, expected, rtol=0, atol=5 * np.sqrt(expected))  # Poisson
    assert models[0] == replace(models[0], n_redrawn=7)  # no part of the comparison
    assert "n_redrawn" not in models[0].parameters()


def test_li_pivot_draw_ties_beta_to_alpha(rng):
    values, _ = drawn(Li2016, 2000, rng, prior="loose", correlation="pivot")
    log_l_prime = (11.5 - values["beta"]) / values["alpha"]
    npt.assert_allclose(log_l_prime.mean(), (11.5 + 1.74) / 1.37, rtol=0, atol=0.5 / np.sqrt(2000))
    npt.assert_allclose(log_l_prime.std(), 0.1, rtol=5 / np.sqrt(4000))  # 5 sampling errors
    assert np.corrcoef(values["alpha"], values["beta"])[0, 1] < -0.9
    free, _ = drawn(Li2016, 2000, rng, prior="loose")
    assert abs(np.corrcoef(free["alpha"], free["beta"])[0, 1]) < 5 / np.sqrt(2000)
    with pytest.raises(ValueError, match="correlation is 'tied', expected one of independent, pi"):
        Li2016.draw(rng=rng, correlation="tied")


def test_li_loose_independent_draws_spread_over_dex_and_pivot_draws_do_not(rng):
    spread = {}
    for correlation in luminosity.CORRELATIONS:
        _, models = drawn(Li2016, 300, rng, prior="loose", correlation=correlation)
        spread[correlation] = np.std([np.log10(m.mean_luminosity(1e12, 2.8)) for m in models])
    assert spread["independent"] > 2
    assert spread["pivot"] < 0.6


def test_li_draws_about_the_second_pair(rng):
    about = Li2016.second_pair(sfr="um")
    values, models = drawn(Li2016, 500, rng, about=about)
    npt.assert_allclose(values["alpha"].mean(), 1.17, rtol=0, atol=5 * 0.037 / np.sqrt(500))
    assert {m.sfr for m in models} == {"um"}
    assert Li2016.draw(rng=rng, prior="fiducial", about=about) == about


def test_comap_joint_prior_has_the_published_moments(rng):
    n = 4000
    values, models = drawn(Comap2022, n, rng, prior="joint")
    assert sum(m.n_redrawn for m in models) > 0  # sigma < 0 is 2.4 sd below
    assert all(m.sigma >= 0 and m.a < m.b for m in models)
    table = np.array(list(values.values()))
    sd = np.array([1.486, 0.998, 0.478, 0.396, 0.146])
    # the cuts at sigma = 0 and a = b take about 1 % of the draws, which moves means by .05 sd
    npt.assert_allclose((table.mean(axis=1) - Comap2022.JOINT_MEAN) / sd, 0.0, atol=0.15)
    npt.assert_allclose(np.cov(table)[0, 2], 0.1623, atol=0.1)
    npt.assert_allclose(np.cov(table)[2, 3], 0.1654, atol=0.03)
    npt.assert_allclose(table.std(axis=1), sd, rtol=0.08)


def test_comap_ten_percent_is_a_tenth_of_it_about_the_fiducial(rng):
    values, _ = drawn(Comap2022, 2000, rng, prior="ten_percent")
    npt.assert_allclose(values["a"].mean(), -2.85, rtol=0, atol=5 * 0.1486 / np.sqrt(2000))
    npt.assert_allclose(values["log_m_1"].std(), 0.0396, rtol=5 / np.sqrt(4000))
    rho = np.corrcoef(values["log_c"], values["log_m_1"])[0, 1]
    npt.assert_allclose(rho, 0.1654 / (0.478 * 0.396), atol=5 * 0.25 / np.sqrt(2000))


def test_fixed_fields_are_not_drawn(rng):
    model = Li2016.draw(rng=rng, prior="loose", correlation="pivot", alpha=1.3, sfr="um")
    assert (model.alpha, model.sfr) == (1.3, "um")
    log_l_prime = (11.5 - model.beta) / 1.3  # the pivot is kept with the alpha that is fixed
    npt.assert_allclose(log_l_prime, (11.5 + 1.74) / 1.37, rtol=0, atol=5 * 0.1)
    assert model.beta != Li2016().beta
    assert Comap2022.draw(rng=rng, prior="joint", sigma=0.0).sigma == 0.0
    assert Padmanabhan2018.draw(rng=rng, sigma=0.3).sigma == 0.3


def test_breysse_draws_stay_in_the_published_range(rng):
    values, _ = drawn(Breysse2014, 1000, rng, prior="loose")
    assert 0.8 <= values["b"].min() < 0.85
    assert 1.15 < values["b"].max() <= 1.2
    assert values["a"].min() >= 6.2e-7


def test_an_unknown_prior_or_model_is_refused_with_the_list(rng):
    with pytest.raises(
        ValueError, match="prior is 'lose', expected one of fiducial, loose, strong"
    ):
        Li2016.draw(rng=rng, prior="lose")
    with pytest.raises(ValueError, match="prior is 'loose', expected one of fiducial, joint"):
        Comap2022.draw(rng=rng, prior="loose")
    with pytest.raises(ValueError, match="luminosity_model is 'li16', expected one of li2016, "):
        draw_model("li16", rng=rng)


def test_a_prior_that_is_never_in_range_gives_up(rng):
    with pytest.raises(ValueError, match="10000 draws are out of range, the last since b is"):
        Breysse2014.draw(rng=rng, b=2.0)


def test_one_list_of_settings_serves_every_model(rng):
    settings = {"correlation": "pivot", "sfr": "um"}
    for name in NAMES:
        model = draw_model(name, rng=rng, **settings)
        assert isinstance(model, LUMINOSITY_MODELS[name])
    assert draw_model("li2016", rng=rng, **settings).sfr == "um"


# Adding a model

OWN = """
from dataclasses import dataclass
from imtools.luminosity import LuminosityModel, register

@register("mine")
@dataclass(frozen=True, kw_only=True)
class Mine(LuminosityModel):
    slope: float = 1e-6  # Lsun / Msun
    sigma: float = 0.2
    PRIORS = {"loose": {"slope": 2e-7}}

    def mean_luminosity(self, m_halo, z):
        return self.slope * m_halo
"""


def test_one_small_class_in_a_users_file_adds_a_model(tmp_path, rng):
    path = tmp_path / "my_models.py"
    path.write_text(OWN)
    spec = importlib.util.spec_from_file_location("my_models", path)
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        model = draw_model("mine", rng=rng, prior="loose", sfr="b13")
        assert model.slope != 1e-6
        assert model.sigma == 0.2
        l_co = model.luminosity(np.full(20000, 1e12), 3.0, rng=rng)
        npt.assert_allclose(np.log10(l_co).std(), 0.2, rtol=5 / np.sqrt(40000))  # sampling
        spec.loader.exec_module(module)  # a cell that is run again replaces the class
    finally:
        LUMINOSITY_MODELS.pop("mine", None)


def test_register_refuses_what_is_no_model():
    with pytest.raises(TypeError, match="expected a subclass of LuminosityModel"):
        register("odd")(dict)

    class Bare(LuminosityModel):
        pass

    with pytest.raises(TypeError, match="is no dataclass"):
        register("odd")(Bare)
    with pytest.raises(ValueError, match="'li2016' is taken by imtools"):
        register("li2016")(dataclass(frozen=True, kw_only=True)(Bare))
    with pytest.raises(NotImplementedError, match="write mean_luminosity"):
        Bare().luminosity(1e12, 3.0)
    assert "odd" not in LUMINOSITY_MODELS
