"""What is asked of simulated haloes: mass function, clustering, redshift space, count scatter."""

import numpy as np
import numpy.testing as npt
import pytest

from imtools import halos
from imtools.constants import DEG
from imtools.halos.validation import (
    clustering,
    coarse_counts,
    linear_bias,
    linear_count_scatter,
    mass_function_ratio,
)
from imtools.survey import Survey

SURVEY = Survey.notes()
N_SEEDS = 8
K_EDGES = np.array([0.03, 0.05, 0.08, 0.14, 0.2])  # Mpc^-1
LIGHT, MIDDLE = (2.5e10, 1e11), (3e11, 1e12)  # Msun, b = 1.6 and 2.6
RARE = (3e12, 1e16)  # Msun, b = 5.0
M_EDGES = 10 ** np.arange(np.log10(2.5e10), 13.0, 0.25)  # Msun


@pytest.fixture(scope="module")
def fields():
    """Mass functions and clustering of eight `notes` fields."""
    mass_functions, powers = [], []
    for seed in range(N_SEEDS):
        haloes = halos.simulate(SURVEY, seed=seed)
        mass_functions.append(mass_function_ratio(haloes, SURVEY, m_edges=M_EDGES))
        if seed < N_SEEDS // 2:
            powers.append(
                clustering(haloes, SURVEY, seed=seed, m_ranges=[LIGHT, MIDDLE], k_edges=K_EDGES)
            )
    return mass_functions, powers


@pytest.fixture(scope="module")
def wide_field():
    """Clustering of the rarest haloes in a field wide enough for them."""
    survey = SURVEY.replace(field_size=3.5)
    haloes = halos.simulate(survey, seed=0, m_min=RARE[0])
    return clustering(haloes, survey, seed=0, m_ranges=[RARE], k_edges=K_EDGES)


def mean_and_error(values):
    """Return mean and standard error over the first axis."""
    values = np.asarray(values)
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


@pytest.mark.slow
def test_the_mass_function_is_tinkers_in_every_quarter_of_the_band(fields):
    counts = np.array([m["counts"].values for m in fields[0]])
    expected = fields[0][0]["expected"].values
    ratio, error = mean_and_error(counts / expected)
    enough = counts.mean(axis=0).sum(axis=0) > 1000  # haloes a field in a mass bin
    assert enough.sum() >= 7
    assert M_EDGES[1:][enough].max() > 1e12
    bound = 0.03 + 2 * error  # the target
    assert (np.abs(ratio - 1) < bound)[:, enough].all()
    # a quarter of the band in one bin is known to 4 % at best; all of them together to 1 %
    npt.assert_allclose(ratio[:, enough].mean(), 1, atol=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("index", "m_range"), [(0, LIGHT), (1, MIDDLE)])
def test_haloes_follow_the_matter_with_the_bias_of_tinker(fields, index, m_range):
    powers = [p.isel(m_range=index) for p in fields[1]]
    bias, error = mean_and_error([p["cross_bias"] for p in powers])
    asked = powers[0]["k"].values > 0.05
    expected = linear_bias(SURVEY, m_range=m_range)
    assert (np.abs(bias - expected) < 0.1 * expected + 2 * error)[asked].all()
    # the error that one field claims for itself is that which fields show
    claimed = np.mean([p["cross_bias_error"] for p in powers], axis=0) / np.sqrt(len(powers))
    assert 0.4 < (claimed / error)[asked].mean() < 2.5  # an error from 4 fields is good to 40 %


@pytest.mark.slow
def test_the_rarest_haloes_follow_the_matter_too(wide_field):
    power = wide_field.isel(m_range=0, k=wide_field["k"].values > 0.05)
    expected = linear_bias(SURVEY, m_range=RARE)
    assert expected > 5
    error = power["cross_bias_error"].values
    assert (np.abs(power["cross_bias"] - expected) < 0.1 * expected + 2 * error).all()
    weight = 1 / error**2
    mean = np.average(power["cross_bias"], weights=weight)
    assert abs(mean - expected) < 0.1 * expected + 2 / np.sqrt(weight.sum())
    assert 1 / np.sqrt(weight.sum()) < 0.05 * expected  # so that the target means something


@pytest.mark.slow
def test_the_auto_power_of_light_haloes_is_bias_squared_times_the_linear_power(fields):
    bias_squared = [(p["auto"] / p["matter"]).isel(m_range=0) for p in fields[1]]
    ratio, error = mean_and_error(bias_squared)
    asked = fields[1][0]["k"].values > 0.05
    expected = linear_bias(SURVEY, m_range=LIGHT) ** 2
    assert (np.abs(ratio - expected) < 0.1 * expected + 2 * error)[asked].all()
    assert (error[asked] < 0.05 * expected).all()


@pytest.mark.slow
@pytest.mark.parametrize(("index", "m_range"), [(0, LIGHT), (1, MIDDLE)])
def test_redshift_space_boosts_the_power_as_linear_theory_says(fields, index, m_range):
    boosts = [(p["auto_redshift"] / p["auto"]).isel(m_range=index) for p in fields[1]]
    boost, error = mean_and_error(boosts)
    asked = fields[1][0]["k"].values < 0.14
    cosmology = SURVEY.cosmology
    z = np.linspace(SURVEY.z_min, SURVEY.z_max, 15)
    rate = np.average(cosmology.growth_rate(z), weights=cosmology.growth_factor(z) ** 2)
    beta = rate / linear_bias(SURVEY, m_range=m_range)
    expected = 1 + 2 * beta / 3 + beta**2 / 5  # Kaiser 1987
    assert expected > 1.25  # no boost at all would be found out
    assert (np.abs(boost - expected) < 0.1 * expected + 2 * error)[asked].all()
    assert (error[asked] < 0.05 * expected).all()


def scatter_over_modes(survey, *, m_min, box, cell=10.0):
    """Return the scatter of the count, as a fraction, from a sum over the modes of a box.

    The window is the cone itself, on a grid; `box` is depth and width of the periodic box [Mpc].
    """
    cosmology = survey.cosmology
    z = np.linspace(survey.z_min, survey.z_max, 25)
    chi = cosmology.comoving_distance(z)
    log_m = np.linspace(np.log(m_min), np.log(1e16), 200)
    density = np.array([cosmology.mass_function(np.exp(log_m), one) for one in z])
    bias = np.array([cosmology.halo_bias(np.exp(log_m), one) for one in z])
    response = np.trapezoid(density * bias, log_m) * cosmology.growth_factor(z)
    n_z, n_x = (round(length / cell) for length in box)
    along = chi[0] - 40 + (np.arange(n_z) + 0.5) * cell
    across = (np.arange(n_x) + 0.5) * cell - n_x * cell / 2
    r = np.sqrt(along[:, None, None] ** 2 + across[:, None] ** 2 + across**2)
    reach = survey.field_size / 2 * DEG * r
    window = np.ones_like(r)
    for depth in (  # into the window, share of the cell that is inside
        r - chi[0], chi[-1] - r, reach - np.abs(across), reach - np.abs(across)[:, None],
    ):  # fmt: skip
        window *= np.clip(depth / cell + 0.5, 0, 1)
    count = (np.interp(r, chi, np.trapezoid(density, log_m)) * window).sum()
    profile = np.fft.rfftn(np.interp(r, chi, response) * window) / count
    k = (
        2
        * np.pi
        * np.sqrt(
            np.fft.fftfreq(n_z, cell)[:, None, None] ** 2
            + np.fft.fftfreq(n_x, cell)[:, None] ** 2
            + np.fft.rfftfreq(n_x, cell) ** 2
        )
    )
    twice = np.full(k.shape[2], 2.0)
    twice[0] = twice[-1] = 1.0
    power = np.zeros_like(k)
    power[k > 0] = cosmology.matter_power(k[k > 0])
    variance = (twice * power * np.abs(profile) ** 2).sum() / (n_z * n_x**2 * cell**3)
    return np.sqrt(variance + 1 / (count * cell**3)), np.sqrt(variance)


@pytest.mark.parametrize("m_min", [2.5e10, 1e12])
def test_the_linear_scatter_of_the_count_is_a_sum_over_modes(m_min):
    direct, _ = scatter_over_modes(SURVEY, m_min=m_min, box=(3000.0, 1000.0))
    # the cone as a cuboid of its mean width is good to 2 %
    npt.assert_allclose(linear_count_scatter(SURVEY, m_min=m_min), direct, rtol=0.03)


def test_a_box_of_three_field_widths_keeps_the_scatter_and_one_loses_it():
    _, whole = scatter_over_modes(SURVEY, m_min=2.5e10, box=(3000.0, 1000.0))
    width = 170.0  # Mpc, of the field at its far end
    kept = [
        scatter_over_modes(SURVEY, m_min=2.5e10, box=(1200.0, n * width))[1] / whole
        for n in (1, 2, 3)
    ]
    npt.assert_allclose(kept, [0.38, 0.86, 0.96], atol=0.02)  # as geometry_of says; cells of 10 Mpc


@pytest.mark.slow
def test_the_count_scatters_from_field_to_field_as_in_linear_theory():
    m_min, n_fields = 2e11, 200
    counts = coarse_counts(SURVEY, seeds=range(n_fields), m_min=m_min, cell_size=10.0)
    scatter = counts.std(ddof=1) / counts.mean()
    # 20 % is asked; 200 fields give the scatter to 5 %
    npt.assert_allclose(scatter, linear_count_scatter(SURVEY, m_min=m_min), rtol=0.2)
    assert 2.5 / np.sqrt(2 * n_fields) < 0.2
    expected = mass_function_ratio(
        halos.simulate(SURVEY, seed=0, m_min=1e13), SURVEY, m_edges=np.geomspace(m_min, 1e16, 40)
    )["expected"].sum()
    npt.assert_allclose(counts.mean(), expected, rtol=0.03)  # the scatter of a mean is 0.3 %
