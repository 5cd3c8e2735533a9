import numpy as np
import numpy.testing as npt
import pytest
from scipy import stats
from toy_posterior import LARGE, SIGMA, toy_likelihood, toy_posterior

from imtools import datasets
from imtools.experiment import Experiment
from imtools.inference import Likelihood, fiducial_experiment
from imtools.inference.features import error_scale
from imtools.inference.likelihood import validation_excess


def difference(likelihood, x, mean):
    """Return ln L at one set of mean features, less that at another."""
    power = likelihood.emulator.statistic == "pk"
    mean = np.asarray(mean, dtype=float)
    used = likelihood.used
    scale = error_scale(mean, power)
    values = likelihood.log_density(x, mean[:, used], scale[:, used])
    return values[1] - values[0]


def test_it_is_the_gaussian_with_the_rescaled_covariance():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(8, 8)) * 0.01
    scaled = root @ root.T + 1e-4 * np.eye(8)
    likelihood = Likelihood(emulator=toy_likelihood().emulator, scaled=scaled)
    mean = np.array([[1e4] * 4 + [400.0] * 4, [3e4] * 4 + [900.0] * 4])
    x = np.array([1.1e4] * 4 + [410.0] * 4)
    expected = []
    for m in mean:  # C_ij = C0_ij sqrt(v_i v_j / v0_i v0_j), v = P^2 or B
        scale = np.array([m[0]] * 4 + [np.sqrt(m[4])] * 4)
        expected.append(stats.multivariate_normal(m, scaled * np.outer(scale, scale)).logpdf(x))
    npt.assert_allclose(difference(likelihood, x, mean), expected[1] - expected[0], rtol=1e-8)


def test_a_bin_of_few_voxels_has_the_error_of_one():
    power = np.array([True, False, False])
    scale = error_scale(np.array([[5.0, 4.0, 0.01]]), power)
    npt.assert_allclose(scale, [[5.0, 2.0, 1.0]])


def test_an_estimated_covariance_has_wider_tails():
    known, estimated = toy_likelihood(), toy_likelihood(n_catalogues=20)
    many = toy_likelihood(n_catalogues=10**7)
    mean = np.full((2, 8), LARGE)
    x = np.full(8, LARGE)
    mean[1] += 10 * SIGMA
    far = {k: difference(v, x, mean) for k, v in
           {"known": known, "estimated": estimated, "many": many}.items()}  # fmt: skip
    npt.assert_allclose(far["many"], far["known"], rtol=1e-3)
    chi2 = 800  # 8 features, ten sigma each
    npt.assert_allclose(far["estimated"], -10 * np.log1p(chi2 / 19), rtol=1e-2)
    assert far["known"] < far["estimated"] < 0


@pytest.mark.parametrize(("parts", "changed"), [("pk", 0), ("vid", 7)])
def test_parts_look_at_their_features_alone(parts, changed):
    likelihood = toy_likelihood(parts=parts)
    posterior = toy_posterior(likelihood)
    u = np.zeros((1, 5))
    before = posterior.log_prob(u)
    x = posterior.x.copy()
    x[7 - changed] += 1e5  # of the other statistic
    assert type(posterior)(likelihood=likelihood, x=x).log_prob(u) == before
    x[changed] += 1e3
    assert type(posterior)(likelihood=likelihood, x=x).log_prob(u) != before


def test_out_of_range_is_impossible():
    posterior = toy_posterior(toy_likelihood(prior="loose"))
    u = np.zeros((3, 5))
    u[1, list(posterior.space.names).index("sigma_sfr")] = -4.0  # 0.3 - 4 x 0.1
    log_p = posterior.log_prob(u)
    npt.assert_array_equal(np.isfinite(log_p), [True, False, True])
    assert log_p[0] == log_p[2]


def test_wrong_parts_and_too_few_catalogues_are_refused():
    with pytest.raises(ValueError, match="parts is 'ps', expected one of pk, vid, pk_vid"):
        toy_likelihood(parts="ps")
    with pytest.raises(ValueError, match="8 catalogues for 8 features, expected more"):
        toy_likelihood(n_catalogues=8)
    assert toy_likelihood(n_catalogues=8, parts="pk").whiten.shape == (4, 4)


def test_residuals_wider_than_expected_are_seen_and_others_are_not():
    rng = np.random.default_rng(1)
    catalogue = np.repeat(np.arange(10), 40)
    residuals = rng.standard_normal((400, 3)) * [1.0, 1.0, 2.0]
    residuals[:, 1] *= 0.5
    excess = validation_excess(residuals, catalogue, np.ones(3), rng=rng)
    npt.assert_array_equal(excess[:2], 0)
    npt.assert_allclose(excess[2], 3.0, rtol=5 * np.sqrt(2 / 400) * 4 / 3)
    # what one catalogue in ten does is no news: its maps share their structure
    lonely = np.where((catalogue == 3)[:, None], 3.0, 1.0) * rng.standard_normal((400, 1))
    assert validation_excess(lonely, catalogue, np.ones(1), rng=rng) == 0
    assert validation_excess(residuals, catalogue % 3, np.ones(3), rng=rng).sum() == 0


def test_fiducial_maps_show_other_haloes_and_serve_all_priors():
    strong, pivot = (
        Experiment(luminosity={"prior": prior, "correlation": correlation})
        for prior, correlation in (("strong", "independent"), ("loose", "pivot"))
    )
    fiducial = fiducial_experiment(strong, 50, 3)
    assert fiducial.luminosity.prior == "fiducial"
    assert fiducial.data.seed != strong.data.seed
    assert datasets.n_catalogues(fiducial) == 50
    assert fiducial.data.n_draws == 3
    assert fiducial.data_key() == fiducial_experiment(pivot, 50, 3).data_key()
    assert fiducial.observing == strong.observing
    with pytest.raises(ValueError, match="n_catalogues is 2, expected at least 3"):
        fiducial_experiment(strong, 2)
