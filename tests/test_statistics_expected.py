import numpy as np
import numpy.testing as npt
import pytest

from imtools.counts import count_sources
from imtools.luminosity import LUMINOSITY_MODELS, Breysse2014, Li2016, signal_moments
from imtools.painting import temperature_from_density
from imtools.statistics import expected_counts, field_scatter
from imtools.survey import Survey

SURVEY = Survey.comap()
ALL_L = np.logspace(0, 10, 501)  # Lsun, beyond every source
HALF_DEX = np.logspace(3.5, 7, 8)


@pytest.mark.parametrize("name", ["li2016", "comap2022", "keating2016", "breysse2014"])
def test_light_and_shot_noise_are_those_of_the_integral_over_haloes(name):
    model, z = LUMINOSITY_MODELS[name](), 2.8
    thin = SURVEY.replace(
        nu_min=SURVEY.nu_rest / (1 + z) - 0.01, nu_max=SURVEY.nu_rest / (1 + z) + 0.01
    )
    dn = expected_counts(model, thin, edges=ALL_L, m_min=2.5e10, n_slices=1)[0]
    low, high = ALL_L[:-1], ALL_L[1:]
    emitted = float((dn * (low + high) / 2).sum()) / thin.volume
    squared = float((dn * (low**2 + low * high + high**2) / 3).sum()) / thin.volume
    moments = signal_moments(model, z, m_min=2.5e10)
    per_density = temperature_from_density(1.0, z, thin)
    # bins and redshift 0.1 %; 0.03 dex for a model without scatter adds 0.5 % to the square
    npt.assert_allclose(per_density * emitted, moments["mean_temperature"], rtol=2e-3)
    npt.assert_allclose(per_density**2 * squared, moments["shot_noise"], rtol=7e-3)


def test_all_sources_together_are_the_haloes():
    dn = expected_counts(Li2016(), SURVEY, edges=ALL_L).sum()
    npt.assert_allclose(dn, 9.59e5, rtol=0.01)  # PHYSICS: haloes above 2.5e10 Msun in the field


def test_counts_are_the_mean_of_drawn_ones():
    """Poisson haloes of one redshift, with the model's own scatter."""
    model, z, rng = Li2016(), 2.84, np.random.default_rng(1)
    nu = SURVEY.nu_rest / (1 + z)
    thin = SURVEY.replace(nu_min=nu - 0.1, nu_max=nu + 0.1)
    ln_m = np.linspace(np.log(2.5e10), np.log(10**15.5), 4001)
    n = SURVEY.cosmology.mass_function(np.exp(ln_m), z) * (ln_m[1] - ln_m[0]) * thin.volume
    m_halo = np.repeat(np.exp(ln_m), rng.poisson(n))
    drawn = count_sources(model.luminosity(m_halo, np.full(m_halo.size, z), rng=rng), HALF_DEX)
    expected = expected_counts(model, thin, edges=HALF_DEX, n_slices=1)[0]
    # 5 Poisson errors, and half a percent for steps in mass
    pull = np.abs(drawn - expected) / np.sqrt(expected + (0.005 * expected) ** 2)
    assert float(pull.max()) < 5


def test_a_duty_cycle_thins_the_sources_and_leaves_their_luminosity():
    always, seldom = (
        expected_counts(Breysse2014(duty_cycle=share), SURVEY, edges=HALF_DEX) for share in (1, 0.1)
    )
    assert always.sum() > 1e5
    npt.assert_allclose(seldom, 0.1 * always, rtol=1e-12)  # float64 arithmetic


def test_six_slices_are_enough():
    few, many = (
        expected_counts(Li2016(), SURVEY, edges=HALF_DEX, n_slices=n).sum("z") for n in (6, 48)
    )
    npt.assert_allclose(few, many, rtol=3e-3)  # as documented


def test_counts_are_a_luminosity_function():
    dn = expected_counts(Li2016(), SURVEY)
    assert dn.dims == ("z", "log_l")
    assert dn.shape == (6, 49)
    assert dn.attrs["convention"] == "dn"
    assert dn["z"].attrs["units"] == "1"


def test_field_scatter_is_that_of_simulated_fields():
    """Field-to-field scatter in half-dex bins, quoted to two digits with its Poisson part."""
    dn = expected_counts(Li2016(), SURVEY, edges=HALF_DEX).sum("z").values
    scatter = field_scatter(Li2016(), SURVEY, edges=HALF_DEX)
    total = np.sqrt(scatter**2 + 1 / dn) / np.log(10)
    quoted = [0.012, 0.013, 0.016, 0.019, 0.022, 0.027, 0.065]
    npt.assert_allclose(total, quoted, rtol=0.1)  # measured from some 40 fields


def test_field_scatter_falls_with_the_size_of_the_field():
    large, small = (
        field_scatter(Li2016(), SURVEY.replace(field_size=s), edges=HALF_DEX) for s in (2.8, 1.4)
    )
    # uncorrelated quarters would halve it
    assert (large < 0.8 * small).all()
    assert (large > 0.5 * small).all()


def test_field_scatter_where_nothing_shines_is_finite():
    assert np.isfinite(field_scatter(Breysse2014(), SURVEY, edges=[1.0, 10.0, 1e6])).all()


@pytest.mark.parametrize("m_min", [0.0, 1e16, np.nan])
@pytest.mark.parametrize("count", [expected_counts, field_scatter])
def test_no_haloes_are_refused(count, m_min):
    match = f"{count.__name__}: m_min is .* expected above 0 and below 3.16e\\+15"
    with pytest.raises(ValueError, match=match):
        count(Li2016(), SURVEY, m_min=m_min)
