import numpy as np
import numpy.testing as npt
import pytest
from scipy import stats

from imtools.counts import count_cells
from imtools.statistics import normal_ranks, scores_of, scores_within, values_at

LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def gaussian(mean, width):
    """Return the quantiles of Gaussians, shape (n, n_levels, n_bins)."""
    return mean[:, None] + stats.norm.ppf(LEVELS)[:, None] * width[:, None]


@pytest.fixture
def mean_and_width():
    rng = np.random.default_rng(0)
    return rng.normal(2, 1, (50, 3)), rng.uniform(0.1, 0.5, (50, 3))


def test_a_gaussian_is_known_everywhere_by_five_quantiles(mean_and_width):
    mean, width = mean_and_width
    z = np.linspace(-4, 4, 33)[None, :, None]
    seen = values_at(gaussian(mean, width), LEVELS, z)
    npt.assert_allclose(seen, mean[:, None] + width[:, None] * z, rtol=1e-10, atol=1e-12)


def test_values_pass_through_the_quantiles_and_rise_between():
    rng = np.random.default_rng(1)
    quantiles = np.sort(rng.normal(size=(20, 5, 4)), axis=1)
    at = values_at(quantiles, LEVELS, stats.norm.ppf(LEVELS)[None, :, None])
    npt.assert_allclose(at, quantiles, rtol=1e-10, atol=1e-12)
    between = values_at(quantiles, LEVELS, np.linspace(-3, 3, 99)[None, :, None])
    assert (np.diff(between, axis=1) >= 0).all()


def test_scores_are_the_way_back():
    rng = np.random.default_rng(2)
    quantiles = np.sort(rng.normal(size=(40, 5, 4)), axis=1)
    z = rng.normal(0, 1.5, (40, 4))
    values = values_at(quantiles, LEVELS, z[:, None])[:, 0]
    npt.assert_allclose(scores_of(quantiles, LEVELS, values), z, rtol=1e-8, atol=1e-8)


def test_of_a_value_that_quantiles_share_the_last_score_counts():
    quantiles = np.array([-0.3, -0.3, -0.3, 0.0, 0.3])[None, :, None]
    npt.assert_allclose(scores_of(quantiles, LEVELS, [[-0.3]]), 0, atol=1e-12)
    ends = scores_of(np.repeat(quantiles, 2, axis=0), LEVELS, [[-np.inf], [np.inf]])
    npt.assert_array_equal(ends.ravel(), [-37, 37])


@pytest.mark.parametrize("floor", [0.5, 1.0])
def test_a_cell_holds_the_logarithm_of_its_count_and_touches_the_next(floor):
    counts = np.arange(1 if floor == 1 else 0, 50)
    low, high = count_cells(counts, floor)
    own = np.log10(np.maximum(counts, floor))
    assert ((low < own) & (own < high)).all()
    npt.assert_array_equal(low[1:], high[:-1])
    assert low[0] == -np.inf
    middle = (own[1:] + own[:-1]) / 2
    npt.assert_allclose(high[:-1], middle, rtol=1e-12, atol=1e-12)  # same arithmetic


def test_with_a_floor_of_one_an_empty_bin_looks_as_one_source():
    low, high = count_cells([0, 1], 1.0)
    assert low[0] == low[1] == -np.inf
    assert high[0] == high[1]


def test_scores_of_truths_are_standard_normal_where_counts_are_few():
    """Poisson counts of 0 to 5, told by quantiles that name whole numbers."""
    rng, n = np.random.default_rng(3), 20_000
    fine = np.linspace(0.001, 0.999, 999)
    quantiles = np.log10(np.maximum(stats.poisson.ppf(fine, 1.5), 0.5))
    quantiles = np.broadcast_to(quantiles[None, :, None], (n, 999, 1))
    counts = rng.poisson(1.5, (n, 1))
    z = scores_within(quantiles, fine, count_cells(counts), rng)
    # 1.63 / sqrt(n): the 1 % point of Kolmogorov's distribution
    assert stats.kstest(z.ravel(), "norm").statistic < 1.63 / np.sqrt(n)


def test_truths_far_out_on_either_side_keep_their_score(mean_and_width):
    mean, width = mean_and_width
    quantiles = gaussian(mean, width)
    for side in (-1, 1):
        far = mean + side * 12 * width  # a probability of 2e-33
        seen = scores_within(quantiles, LEVELS, (far - 1e-6, far + 1e-6), np.random.default_rng(0))
        npt.assert_allclose(seen, side * 12, atol=1e-3)


def test_normal_ranks_are_normal_and_keep_the_dependence():
    rng = np.random.default_rng(4)
    one = rng.standard_exponential(500)
    values = np.stack([one, -one, rng.normal(size=500)], axis=1)
    seen = normal_ranks(values, 3000, rng)
    assert len(seen) >= 3000
    # each column is stratified into 500 ranks: far closer than the 1.63 / sqrt(3000) of draws
    assert max(stats.kstest(column, "norm").statistic for column in seen.T) < 0.005
    together = np.corrcoef(seen.T)
    assert together[0, 1] < -0.99
    npt.assert_allclose(together[0, 2], stats.spearmanr(one, values[:, 2])[0], atol=0.05)


def test_equal_values_are_put_in_order_at_random():
    seen = normal_ranks(np.zeros((400, 2)), 4000, np.random.default_rng(5))
    assert abs(np.corrcoef(seen.T)[0, 1]) < 5 / np.sqrt(4000)  # 5 sampling errors
