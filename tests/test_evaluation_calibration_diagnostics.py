import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy import stats
from toy_posteriors import CENTRE, KINDS, N_BINS, posterior, prior_covariance, toy_draws, toy_truth

from imtools.counts import log_counts, luminosity_function
from imtools.evaluation.bootstrap import mean_and_error, resampled_means
from imtools.evaluation.calibration import (
    calibrate,
    crps,
    expected_coverage,
    fractional_ranks,
    meets_target,
    rank_statistics,
    tarp,
    z_scores,
)

N_CATALOGUES, N_MAPS = 120, 1200
WIDTH = np.sqrt(np.diag(posterior()[1]))


@pytest.fixture(scope="module")
def toy():
    return toy_truth(N_CATALOGUES, N_MAPS // N_CATALOGUES, 1)


@pytest.fixture(scope="module")
def judged(toy):
    """Return what all diagnostics say of each kind of posterior."""
    seen, truth, catalogue = toy
    return {
        kind: calibrate(
            toy_draws(seen, truth, kind), truth, catalogue, rng=np.random.default_rng(2),
            n_bootstrap=300,
        )
        for kind in KINDS
    }  # fmt: skip


# -- a right posterior passes all of them


def test_a_right_posterior_passes_every_diagnostic(judged):
    right = judged["right"]
    assert meets_target(right).all()
    assert right["rank_deviation"].max() < 1
    assert right["tarp_deviation"] < 1
    assert (np.abs(right["z_mean"]) < 4 * right["z_mean_error"]).all()
    assert (np.abs(right["z_rms"] - 1) < 4 * right["z_rms_error"]).all()


def test_contraction_of_a_gaussian_is_one_minus_the_ratio_of_variances(judged):
    expected = 1 - np.diag(posterior()[1]) / np.diag(prior_covariance())
    error = judged["right"]["mean_contraction_error"]
    # the variance of the truth over 120 catalogues, of which 0.3 is shared, is known to 8 %
    npt.assert_allclose(judged["right"]["mean_contraction"], expected, atol=0.25 * (1 - 0.8))
    assert (error < 0.02).all()


# -- each fault is seen by those that can see it


@pytest.mark.parametrize("kind", ["narrow", "wide", "shifted"])
def test_a_wrong_width_or_place_fails_coverage_and_ranks_in_every_bin(judged, kind):
    wrong = judged[kind]
    assert not meets_target(wrong).sel(probability=0.68).any()
    assert wrong["rank_deviation"].min() > 1


@pytest.mark.parametrize("kind", ["narrow", "wide", "shifted", "unrelated"])
def test_tarp_sees_wrong_widths_places_and_dependence(judged, kind):
    assert judged[kind]["tarp_deviation"] > 1


def test_only_tarp_sees_bins_that_depend_wrongly_on_each_other(judged):
    strangers = judged["unrelated"]
    assert meets_target(strangers).all()
    assert strangers["rank_deviation"].max() < 1
    assert strangers["tarp_deviation"] > 2


@pytest.mark.parametrize(("kind", "factor"), [("narrow", 0.6), ("wide", 1.6)])
def test_coverage_and_z_scores_say_how_wrong_a_width_is(judged, kind, factor):
    for p in (0.5, 0.68, 0.95):
        expected = 2 * stats.norm.cdf(factor * stats.norm.ppf((1 + p) / 2)) - 1
        one = judged[kind].sel(probability=p)
        # 4 sampling errors, and the steps of 100 draws
        slack = 4 * one["coverage_error"] + 0.01
        assert (np.abs(one["coverage"] - expected) < slack).all()
        assert abs(float(one["mean_coverage"]) - expected) < 4 * one["mean_coverage_error"] + 0.01
    slack = 4 * judged[kind]["z_rms_error"] + 0.02 / factor  # and the variance of 100 draws
    assert (np.abs(judged[kind]["z_rms"] - 1 / factor) < slack).all()


def test_a_shift_is_seen_with_its_sign(judged):
    shifted = judged["shifted"]
    assert (np.abs(shifted["z_mean"] - 1) < 4 * shifted["z_mean_error"] + 0.02).all()
    # truths lie low among draws that are too high
    assert (shifted["rank_density"].isel(rank=0) > shifted["rank_density"].isel(rank=-1)).all()
    assert (shifted["ecdf_difference"].sel(place=0.5) > 0).all()


def test_a_posterior_that_says_the_prior_is_seen_by_points_from_elsewhere(toy, judged):
    seen, truth, catalogue = toy
    prior = judged["prior"]
    assert meets_target(prior).all()
    assert prior["rank_deviation"].max() < 1
    assert (np.abs(prior["mean_contraction"]) < 0.25).all()  # the spread of 120 catalogues
    draws = toy_draws(seen, truth, "prior")
    own = tarp(draws, truth, catalogue, rng=np.random.default_rng(0))
    assert own["tarp_deviation"] < 1
    settings = {"rng": np.random.default_rng(0), "references": seen}
    assert tarp(draws, truth, catalogue, **settings)["tarp_deviation"] > 2
    right = toy_draws(seen, truth)
    assert tarp(right, truth, catalogue, **settings)["tarp_deviation"] < 1


def test_a_point_near_a_draw_does_not_favour_it():
    """Few draws: had the points part in what is ranked, draws would lie nearer than truths."""
    seen, truth, catalogue = toy_truth(800, 10, 3)
    draws = toy_draws(seen, truth, n_draws=5)
    assert tarp(draws, truth, catalogue, rng=np.random.default_rng(1))["tarp_deviation"] < 1


def test_crps_ranks_the_right_posterior_before_all_others(judged):
    right = judged["right"]["crps"]
    for kind in ("narrow", "wide", "shifted", "prior"):
        assert (judged[kind]["crps"] > right).all(), kind
    npt.assert_allclose(judged["unrelated"]["crps"], right, rtol=0.05)  # a bin at a time
    npt.assert_allclose(judged["prior"]["crps_skill"], 0, atol=0.15)  # the spread of catalogues
    assert (judged["right"]["crps_skill"] > 0.3).all()


def test_crps_of_a_gaussian_is_its_closed_form(toy):
    _, truth, catalogue = toy
    log_truth = log_counts(truth).values
    rng = np.random.default_rng(3)
    for n_draws in (4, 400):  # no bias for any number of draws
        values = log_truth[:, None] + 0.1 + 0.2 * rng.standard_normal((N_MAPS, n_draws, N_BINS))
        draws = xr.DataArray(values, dims=("sample", "draw", "log_l"), coords=truth["log_l"].coords)
        seen = crps(draws, truth, catalogue, rng=rng, n_bootstrap=20)["crps"].mean()
        z, pi = 0.5, np.pi
        shape = z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(pi)
        # 5 sampling errors of 7200 scores that differ by about 0.2 / sqrt(n_draws)
        atol = 5 * 0.2 / np.sqrt(n_draws * N_MAPS * N_BINS)
        npt.assert_allclose(seen, 0.2 * shape, atol=atol)


# -- few sources


@pytest.fixture(scope="module")
def few():
    """Poisson counts of a mean that is drawn from a gamma and seen by another Poisson draw."""
    rng = np.random.default_rng(4)
    shape, scale, n = 0.6, np.array([0.3, 1.0, 4.0, 30.0]), 3000
    rate = rng.gamma(shape, scale, (n, 4))
    counts, seen = rng.poisson(rate), rng.poisson(rate)
    likely = rng.gamma(shape + seen[:, None], 1 / (1 / scale + 1), (n, 100, 4))
    draws = np.log10(np.maximum(rng.poisson(likely), 0.5)).astype(np.float32)
    truth = luminosity_function(counts, np.logspace(5, 6, 5))
    values = xr.DataArray(draws, dims=("sample", "draw", "log_l"), coords=truth["log_l"].coords)
    return values, truth, np.repeat(np.arange(150), 20)


def test_ranks_are_even_where_most_bins_are_empty(few):
    draws, truth, catalogue = few
    assert (truth == 0).mean("sample")[0] > 0.8
    ranks = fractional_ranks(draws, truth, rng=np.random.default_rng(5))
    for column in ranks.values.T:
        # 1.63 / sqrt(n): the 1 % point of Kolmogorov's distribution
        assert stats.kstest(column, "uniform").statistic < 1.63 / np.sqrt(3000)
    cover = expected_coverage(ranks, catalogue, rng=np.random.default_rng(6), n_bootstrap=100)
    assert meets_target(cover).all()


def test_an_interval_that_ends_at_the_truth_would_hold_too_many(few):
    """Why equals are put in random order."""
    draws, truth, _ = few
    log_truth = log_counts(truth).values
    low, high = np.quantile(draws, [0.16, 0.84], axis=1)
    inside = ((low <= log_truth + 1e-6) & (log_truth <= high + 1e-6)).mean(axis=0)
    assert (inside[:2] > 0.68 + 0.1).all()


def test_answers_between_whole_numbers_are_taken_for_the_nearest(few):
    draws, truth, _ = few
    shaken = draws + np.random.default_rng(7).uniform(-0.001, 0.001, draws.shape)
    one, two = (fractional_ranks(d, truth, rng=np.random.default_rng(8)) for d in (draws, shaken))
    few_sources = truth.values < 100  # beyond, a count is closer to the next than 0.002 dex
    npt.assert_array_equal(one.values[few_sources], two.values[few_sources])


# -- bands and errors


def test_bands_hold_all_places_of_nineteen_calibrated_methods_in_twenty():
    rng, outside = np.random.default_rng(9), 0
    log_l = xr.DataArray(np.arange(3.0), dims="log_l")
    for _ in range(60):
        common = rng.normal(0, 0.6, (60, 3))[np.repeat(np.arange(60), 10)]
        ranks = stats.norm.cdf(common + 0.8 * rng.normal(size=(600, 3)))
        ranks = xr.DataArray(ranks, dims=("sample", "log_l"), coords={"log_l": log_l})
        seen = rank_statistics(ranks, np.repeat(np.arange(60), 10), rng=rng, n_bootstrap=200)
        outside += bool((seen["rank_deviation"] > 1).any())
    # 3 of 60 are expected; 9 and more have a probability of 0.3 %
    assert outside <= 8


def test_bands_are_wider_where_maps_of_a_catalogue_are_alike(toy):
    rng = np.random.default_rng(10)
    alike = np.repeat(rng.random((60, 2)), 10, axis=0)
    apart = rng.random((600, 2))
    catalogue = np.repeat(np.arange(60), 10)
    log_l = {"log_l": [4.0, 5.0]}
    bands = [
        rank_statistics(
            xr.DataArray(v, dims=("sample", "log_l"), coords=log_l), catalogue, rng=rng
        )["ecdf_band"].sel(place=0.5)
        for v in (alike, apart)
    ]
    # ten equal maps count as one: sqrt(10), less what resampling 60 catalogues leaves open
    assert (bands[0] > 2 * bands[1]).all()


def test_a_histogram_of_ranks_averages_to_one_and_the_places_ascend(judged):
    right = judged["right"]
    npt.assert_allclose(right["rank_density"].mean("rank"), 1, rtol=1e-12)  # every map is counted
    share = right["ecdf_difference"] + right["place"]
    assert (share.diff("place") >= 0).all()


def test_one_catalogue_has_no_errors_and_no_bands(toy):
    seen, truth, _ = toy
    draws = toy_draws(seen[:50], truth[:50], n_draws=10)
    one = calibrate(draws, truth[:50], np.zeros(50), rng=np.random.default_rng(0), n_bootstrap=10)
    assert np.isnan(one["coverage_error"]).all()
    assert np.isnan(one["ecdf_band"]).all()
    assert np.isnan(one["tarp_deviation"])
    assert np.isfinite(one["coverage"]).all()


def test_a_bootstrap_error_is_that_of_catalogues_and_leaves_nan_out():
    rng = np.random.default_rng(11)
    catalogue = np.repeat(np.arange(200), 5)
    values = rng.normal(size=(200, 1))[catalogue] + np.zeros((1000, 3))
    values[:, 1] = rng.normal(size=1000)
    values[::2, 2] = np.nan
    order = rng.permutation(1000)  # maps of a catalogue need not follow each other
    catalogue, values = catalogue[order], values[order]
    mean, error = mean_and_error(values, catalogue, rng=rng, n_bootstrap=500)
    npt.assert_allclose(mean[2], np.nanmean(values[:, 2]), rtol=1e-12)
    # 500 resamplings of 200 catalogues: 10 % is three sampling errors
    npt.assert_allclose(error, [1 / np.sqrt(200), 1 / np.sqrt(1000), 1 / np.sqrt(200)], rtol=0.2)
    means = resampled_means(values, catalogue, rng=rng, n_bootstrap=7)
    assert means.shape == (7, 3)


# -- what is refused, and what is said of the result


@pytest.mark.parametrize("diagnostic", [tarp, z_scores, crps, calibrate])
def test_other_maps_or_bins_are_refused(toy, diagnostic):
    seen, truth, catalogue = toy
    draws, rng = toy_draws(seen, truth, n_draws=3), np.random.default_rng(0)
    with pytest.raises(ValueError, match=r"draws are for \(1199, 6\) maps and bins, the truth for"):
        diagnostic(draws[1:], truth, catalogue, rng=rng)
    with pytest.raises(ValueError, match="expected \\(sample, draw, log_l\\)"):
        diagnostic(draws.transpose("draw", ...), truth, catalogue, rng=rng)
    other = draws.assign_coords(log_l=draws["log_l"] + 0.5)
    with pytest.raises(ValueError, match=r"log_l of predictions and truth differ, 6 .* same bins"):
        diagnostic(other, truth, catalogue, rng=rng)
    with pytest.raises(ValueError, match="with 1 values not finite"):
        diagnostic(draws.where(draws < float(draws.max())), truth, catalogue, rng=rng)


def test_everything_has_units_and_a_name_and_the_toy_is_described(judged):
    right = judged["right"]
    for name, variable in right.variables.items():
        if name != "catalogue":
            assert {"units", "long_name"} <= set(variable.attrs), name
    assert right.attrs["n_maps"] == N_MAPS
    assert right.attrs["n_catalogues"] == N_CATALOGUES
    assert right.attrs["n_draws"] == 100
    assert right["crps"].attrs["units"] == "dex"
    assert CENTRE > 3  # or whole numbers would be wider apart than posteriors
