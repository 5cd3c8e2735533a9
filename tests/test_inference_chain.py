import numpy as np
import numpy.testing as npt
import pytest
from toy_posterior import analytic, toy_likelihood, toy_posterior

from imtools.inference import PriorDraws, draw_counts, normals, run_chain, sample_prior


@pytest.fixture(scope="module")
def posterior():
    return toy_posterior(toy_likelihood())


@pytest.fixture(scope="module")
def chain(posterior):
    return run_chain(posterior, rng=np.random.default_rng(3))


def test_a_chain_finds_the_gaussian(posterior, chain):
    facts = chain.posterior.attrs
    assert facts["converged"] == 1
    assert facts["r_hat"] <= 1.01
    assert facts["n_steps"] >= 50 * facts["autocorrelation_time"]
    u, (mean, covariance) = normals(chain, posterior.space), analytic(posterior)
    sd, n_effective = np.sqrt(np.diag(covariance)), facts["ess_bulk"]
    npt.assert_allclose((u.mean(axis=0) - mean) / sd, 0, atol=5 / np.sqrt(n_effective))
    # squares forget as fast as the draws themselves, to a factor of two
    npt.assert_allclose(u.std(axis=0) / sd, 1, atol=5 / np.sqrt(n_effective))


def test_a_chain_is_in_parameters_with_their_names(posterior, chain):
    assert list(chain.posterior.data_vars) == list(posterior.space.names)
    assert chain.posterior["alpha"].dims == ("chain", "draw")
    assert chain.posterior.sizes["chain"] == 32
    # prior 1.37 +- .037, and the data draw it in
    assert abs(float(chain.posterior["alpha"].mean()) - 1.37) < 0.1
    assert 0 < float(chain.posterior["alpha"].std()) < 0.037
    u = normals(chain, posterior.space)
    lp = chain.sample_stats["lp"].values.ravel()
    npt.assert_allclose(posterior.log_prob(u[:50]), lp[:50], rtol=1e-9)


def test_equal_seeds_give_equal_chains(posterior):
    with pytest.warns(UserWarning, match="not converged after 60 steps .*raise max_steps"):
        one, two = (
            run_chain(posterior, rng=np.random.default_rng(s), max_steps=60) for s in (4, 4)
        )
    npt.assert_array_equal(one.posterior["alpha"], two.posterior["alpha"])
    assert one.posterior.attrs["converged"] == 0


def test_too_few_walkers_are_refused(posterior):
    with pytest.raises(ValueError, match="n_walkers is 8, expected even and at least 10"):
        run_chain(posterior, rng=np.random.default_rng(1), n_walkers=8)


@pytest.mark.parametrize("refine", [False, True])
def test_weights_find_the_same_gaussian(posterior, refine):
    weighted = sample_prior(posterior, 20_000, rng=np.random.default_rng(2), refine=refine)
    mean, covariance = analytic(posterior)
    found, spread = weighted.moments()
    sd, error = np.sqrt(np.diag(covariance)), 5 / np.sqrt(weighted.ess)
    assert weighted.ess > 100
    npt.assert_allclose((found - mean) / sd, 0, atol=error)
    npt.assert_allclose(np.sqrt(np.diag(spread)) / sd, 1, atol=error)
    u = weighted.u[weighted.resample(4000, np.random.default_rng(1))]
    npt.assert_allclose((u.mean(axis=0) - mean) / sd, 0, atol=error + 5 / np.sqrt(4000))


def test_a_posterior_much_narrower_than_the_prior_is_refined():
    posterior = toy_posterior(toy_likelihood(spread=3000.0))  # 100 times narrower, in five dims
    rng = np.random.default_rng(2)
    draws = PriorDraws.of(posterior.likelihood, 20_000, rng=rng)
    assert draws.weighted(posterior.x).ess < 20
    weighted = sample_prior(posterior, rng=rng, draws=draws)
    assert weighted.ess > 400
    mean, covariance = analytic(posterior)
    found, spread = weighted.moments()
    sd, error = np.sqrt(np.diag(covariance)), 5 / np.sqrt(weighted.ess)
    npt.assert_allclose((found - mean) / sd, 0, atol=error)
    npt.assert_allclose(np.sqrt(np.diag(spread)) / sd, 1, atol=error)


def test_a_map_that_nothing_explains_is_refused(posterior):
    draws = PriorDraws.of(posterior.likelihood, 100, rng=np.random.default_rng(1))
    with pytest.raises(ValueError, match="no draw is possible; is the map one of this survey"):
        draws.weighted(np.full(8, np.nan))


def test_counts_of_a_field_scatter_about_the_mean():
    likelihood, n = toy_likelihood(), 20_000
    u = np.zeros((n, 5))  # means of 100, 10 and 0.001
    mean = draw_counts(likelihood, u, rng=np.random.default_rng(1), kind="mean")
    npt.assert_allclose(mean, np.broadcast_to([100.0, 10.0, 1e-3], (n, 3)), rtol=1e-12)
    assert mean.attrs["convention"] == "dn"
    dn = draw_counts(likelihood, u, rng=np.random.default_rng(1)).values
    npt.assert_array_equal(dn, np.round(dn))  # sources are whole
    npt.assert_allclose(dn[:, :2].mean(axis=0), [100.0, 10.0], rtol=5 * 0.33 / np.sqrt(n))
    # Poisson and (0.1 n)^2 of the field, which both bins share
    of_field = np.exp(0.01) - 1
    covariance = np.cov(dn[:, :2].T)
    npt.assert_allclose(np.diag(covariance), [100 + 1e4 * of_field, 10 + 100 * of_field], rtol=0.08)
    npt.assert_allclose(covariance[0, 1], 1e3 * of_field, rtol=0.2)
    assert dn[:, 2].max() <= 1
    with pytest.raises(ValueError, match="kind is 'sky', expected one of field, mean"):
        draw_counts(likelihood, u, rng=None, kind="sky")
