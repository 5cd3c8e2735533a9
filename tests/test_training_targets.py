import numpy as np
import numpy.testing as npt
import pytest
from keras import ops
from scipy import stats
from toy_maps import toy_experiment

from imtools.counts import convert, luminosity_function
from imtools.networks import LEVELS
from imtools.training import Target
from imtools.training.losses import loss_of

COUNTS = np.random.default_rng(0).poisson(np.geomspace(300, 2, 14), size=(40, 14))
ALL = [
    {"target": target, "target_log": log}
    for target in ("dn", "n_cumulative", "phi", "l_phi")
    for log in (True, False)
]


def target_of(counts=COUNTS, **changes):
    return Target.of(toy_experiment(**changes), counts)


@pytest.mark.parametrize("changes", ALL, ids=str)
@pytest.mark.parametrize("standardise", [True, False])
def test_what_is_encoded_decodes_to_the_log_of_the_counts(changes, standardise):
    counts = COUNTS + 1  # no empty bin, which has no way back
    target = target_of(counts, standardise=standardise, **changes)
    # float32 in between: the brightest bins are differences of large sums, or lie close to 0
    rtol, atol = 1e-5, 2e-3 if changes["target"] == "n_cumulative" else 1e-4
    npt.assert_allclose(target.decode(target.encode(counts)), np.log10(counts), rtol, atol)


@pytest.mark.parametrize("changes", ALL, ids=str)
def test_a_target_is_the_quantity_that_it_is_called(changes):
    experiment = toy_experiment(standardise=False, **changes)
    lf = luminosity_function(COUNTS[:1] + 1, experiment.l_edges)
    value = convert(lf, changes["target"], volume=experiment.survey_object().volume).values
    expected = np.log10(value) if changes["target_log"] else value
    npt.assert_allclose(Target.of(experiment).encode(COUNTS[:1] + 1), expected, rtol=1e-6)


def test_an_empty_bin_is_the_floor_under_a_logarithm_and_zero_without():
    nothing = np.zeros((1, 14))
    npt.assert_allclose(target_of(standardise=False).encode(nothing), np.log10(0.5), rtol=1e-6)
    last = target_of(standardise=False, target="n_cumulative")
    npt.assert_allclose(last.encode(nothing), np.log10(0.5), rtol=1e-6)
    assert not target_of(standardise=False, target_log=False).encode(nothing).any()


def test_negative_counts_of_a_network_trained_on_n_become_the_floor():
    target = target_of(standardise=False, target="n_cumulative", target_log=False)
    rising = np.arange(14.0)[None] + 1  # N(>L) may not rise, but a network's may
    log_dn = target.decode(rising)
    npt.assert_allclose(log_dn[0, :-1], np.log10(0.5))
    npt.assert_allclose(log_dn[0, -1], np.log10(14.0))


def test_targets_are_standardised_over_the_training_maps():
    scaled = target_of().encode(COUNTS)
    npt.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)  # float32
    npt.assert_allclose(scaled.std(axis=0), 1, rtol=1e-5)


# -- losses


def numbers(loss, true, answer):
    return ops.convert_to_numpy(loss(true.astype("float32"), answer.astype("float32")))


def test_mse_is_the_mean_over_bins():
    true, answer = np.random.default_rng(1).normal(size=(2, 5, 14))
    npt.assert_allclose(
        numbers(loss_of(target_of()), true, answer), ((true - answer) ** 2).mean(1), rtol=1e-5
    )


def test_msle_compares_numbers_and_takes_negative_ones_for_none():
    target = target_of(loss="msle", target_log=False)
    true = target.encode(COUNTS[:3])
    npt.assert_array_equal(true, COUNTS[:3])
    value = np.linspace(-5, 400, 14) + np.zeros((3, 1))
    answer = (value - target.mean) / target.width
    expected = (np.log1p(true) - np.log1p(np.maximum(value, 0))) ** 2
    npt.assert_allclose(numbers(loss_of(target), true, answer), expected.mean(1), rtol=1e-4)


def test_poisson_loss_is_twice_the_log_likelihood_ratio():
    target = target_of(loss="poisson")
    true, rate = target.encode(COUNTS[:6]), np.geomspace(250, 1, 14)
    answer = (np.log10(rate) - target.mean) / target.width + np.zeros((6, 1))
    ratio = stats.poisson.logpmf(true, np.maximum(true, 1e-9)) - stats.poisson.logpmf(true, rate)
    expected = 2 * ratio.mean(axis=1)
    # float32: sums of some hundreds cancel to about 1
    npt.assert_allclose(numbers(loss_of(target), true, answer), expected, rtol=1e-3)


def test_pinball_loss_is_least_at_the_quantiles():
    rng = np.random.default_rng(2)
    true = rng.normal(size=(4000, 14))
    loss = loss_of(target_of(output="quantiles"))
    right = np.broadcast_to(stats.norm.ppf(LEVELS)[:, None], (4000, len(LEVELS), 14))
    best = numbers(loss, true, right).mean()
    for level in range(len(LEVELS)):
        for step in (-0.3, 0.3):
            other = right.copy()
            other[:, level] += step
            assert numbers(loss, true, other).mean() > best


def test_nll_is_that_of_a_gaussian():
    rng = np.random.default_rng(3)
    factor = np.tril(rng.normal(0, 0.2, (14, 14)), -1) + np.diag(rng.uniform(0.5, 2, 14))
    mean, true = rng.normal(size=(2, 14))
    answer = np.concatenate([mean[:, None], factor], axis=1)[None]
    covariance = np.linalg.inv(factor @ factor.T)
    expected = -stats.multivariate_normal(mean, covariance).logpdf(true)
    ours = 14 * numbers(loss_of(target_of(output="gaussian")), true[None], answer)
    npt.assert_allclose(ours, expected - 7 * np.log(2 * np.pi), rtol=1e-4)


def test_quantiles_of_a_gaussian_are_those_of_each_bin():
    target = target_of(output="gaussian", standardise=False)
    root = np.diag(np.full(14, 3.0))
    root[1:, 0] = 4.0  # widths 3, then 5
    width = np.array([3.0] + [5.0] * 13)
    factor = np.linalg.cholesky(np.linalg.inv(root @ root.T))
    mean = np.linspace(0, 2, 14)
    answer = np.concatenate([mean[:, None], factor], axis=1)[None]
    expected = mean + np.outer(stats.norm.ppf(LEVELS), width)
    npt.assert_allclose(target.quantiles(answer)[0], expected, rtol=1e-6)
    npt.assert_allclose(target.median(answer)[0], mean, atol=1e-12)


def test_a_network_saved_with_five_quantiles_keeps_their_meaning():
    target = target_of(output="quantiles", standardise=False)
    answer = np.arange(5.0)[None, :, None] + np.zeros((2, 5, 14))
    assert target.levels(answer) == (0.025, 0.16, 0.5, 0.84, 0.975)
    npt.assert_array_equal(target.median(answer), 2.0)
    assert target.levels(np.zeros((2, len(LEVELS), 14))) == LEVELS


def test_draws_of_a_gaussian_have_its_mean_and_its_covariance():
    rng, n_draws = np.random.default_rng(4), 40_000
    factor = np.tril(rng.normal(0, 0.3, (14, 14)), -1) + np.diag(rng.uniform(1, 2, 14))
    mean = np.linspace(0, 2, 14)
    answer = np.concatenate([mean[:, None], factor], axis=1)[None]
    target = target_of(output="gaussian", standardise=False)
    drawn = target.draws(answer, rng, n_draws)
    assert drawn.shape == (1, n_draws, 14)
    covariance = np.linalg.inv(factor @ factor.T)
    width = np.sqrt(np.diag(covariance))
    errors = np.abs(drawn[0].mean(axis=0) - mean) / width
    assert errors.max() < 5 / np.sqrt(n_draws)  # 5 sampling errors of a mean
    seen = np.cov(drawn[0].T) / np.outer(width, width)
    # 5 sampling errors of a covariance of unit variances, at most sqrt(2 / n)
    npt.assert_allclose(seen, covariance / np.outer(width, width), atol=5 * np.sqrt(2 / n_draws))
