import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import luminosity_function
from imtools.evaluation import (
    format_table,
    published_scores,
    score,
    summarise,
    write_scores,
)
from imtools.run_folder import open_netcdf, read_json

N_MAPS, N_BINS = 40, 49
CATALOGUE = np.repeat(np.arange(10), 4)


def make_truth(mean=1000.0, n_maps=N_MAPS, seed=0):
    rng = np.random.default_rng(seed)
    level = mean * 10 ** rng.normal(0, 0.3, (n_maps, 1))
    return luminosity_function(rng.poisson(level, (n_maps, N_BINS)).astype(float))


def predict(truth, log_dn, names=("one",)):
    """Return predictions of the same log10 dN, plus -0.1, 0 and 0.1 dex, for each method."""
    values = (
        np.broadcast_to(log_dn, truth.shape)[None, :, None, :] + np.array([-0.1, 0, 0.1])[:, None]
    )
    return xr.DataArray(
        np.repeat(values, len(names), axis=0),
        dims=("method", "sample", "quantile", "log_l"),
        coords={
            "method": list(names), "quantile": [0.16, 0.5, 0.84], "log_l": truth["log_l"],
        },
    )  # fmt: skip


def scored(truth, log_dn, catalogue=CATALOGUE, **settings):
    settings = {"rng": np.random.default_rng(1), "n_bootstrap": 50} | settings
    return score(predict(truth, log_dn), truth, catalogue, **settings)


def test_a_perfect_prediction_scores_perfectly():
    truth = make_truth()
    seen = scored(truth, np.log10(truth.values))
    for name in ("rms", "median_abs", "bias", "rms_error", "rms_quoted", "mse"):
        npt.assert_allclose(seen[name], 0, atol=1e-12)  # same arithmetic
    npt.assert_allclose(seen["skill"], 1, rtol=1e-12)
    npt.assert_allclose(seen["poisson_deviance"], 0, atol=1e-9)  # differences of 1e3


def test_a_constant_offset_is_rms_median_and_bias():
    truth = make_truth()
    seen = scored(truth, np.log10(truth.values) - 0.2)
    for name, value in (("rms", 0.2), ("median_abs", 0.2), ("bias", -0.2), ("mse", 0.04)):
        npt.assert_allclose(seen[name], value, rtol=1e-9)
    npt.assert_allclose(seen["bias_error"], 0, atol=1e-12)


def test_the_mean_of_the_truth_has_no_skill():
    truth = make_truth()
    seen = scored(truth, np.log10(truth.values).mean(axis=0))
    npt.assert_allclose(seen["skill"], 0, atol=1e-9)


def test_an_expected_count_has_unit_poisson_deviance():
    n = 4000
    rng = np.random.default_rng(3)
    truth = luminosity_function(rng.poisson(1e4, (n, N_BINS)).astype(float))
    seen = scored(truth, 4.0, catalogue=np.arange(n), n_bootstrap=2)
    # chi-square of one degree of freedom, of standard deviation sqrt(2), over n x 49 counts
    mean = float(seen["poisson_deviance"].sel(subset="all").mean())
    npt.assert_allclose(mean, 1, rtol=5 * np.sqrt(2 / (n * N_BINS)))


def test_deviance_of_an_empty_bin_is_twice_the_expected_count():
    truth = luminosity_function(np.zeros((4, N_BINS)))
    seen = scored(truth, np.log10(3.0), catalogue=np.arange(4))
    npt.assert_allclose(seen["poisson_deviance"].sel(subset="all"), 6, rtol=1e-12)


def test_an_empty_bin_counts_as_the_floor():
    truth = luminosity_function(np.zeros((4, N_BINS)))
    npt.assert_allclose(
        scored(truth, 0.0, catalogue=np.arange(4))["bias"].sel(subset="all"), np.log10(2)
    )
    seen = scored(truth, 0.0, catalogue=np.arange(4), floor=1.0)
    npt.assert_allclose(seen["bias"].sel(subset="all"), 0, atol=1e-12)


def test_bins_of_fewer_than_ten_sources_are_left_out_of_the_second_subset():
    truth = make_truth()
    truth[:, 7] = 9.0
    truth[:15, 8] = 9.0
    log_dn = np.log10(truth.values)
    log_dn[:15, 8] += 5.0  # errors that must not be seen
    seen = scored(truth, log_dn + 0.1).sel(subset="ten_or_more")
    assert seen["n_maps"][6:9].values.tolist() == [40, 0, 25]
    npt.assert_allclose(seen["rms"][0, 6:9], [0.1, np.nan, 0.1], rtol=1e-9)
    npt.assert_allclose(seen["median_abs"][0, 6:9], [0.1, np.nan, 0.1], rtol=1e-9)
    npt.assert_allclose(seen["mse"], 0.01, rtol=1e-9)
    assert np.isnan(seen["skill"][0, 7])


def test_a_quoted_score_pools_the_two_bins_that_meet_there():
    truth = make_truth()
    log_dn = np.log10(truth.values)
    log_dn[:, 6] += 0.3  # bins 6 and 7 meet at 10^4 Lsun
    log_dn[:, 7] += 0.1
    seen = scored(truth, log_dn).sel(subset="all", quoted_log_l=4.0)
    npt.assert_allclose(seen["rms_quoted"], np.sqrt((0.3**2 + 0.1**2) / 2), rtol=1e-9)
    npt.assert_allclose(seen["bias_quoted"], 0.2, rtol=1e-9)
    npt.assert_allclose(seen["median_abs_quoted"], 0.2, rtol=1e-9)  # between 40 and 40 errors


def test_the_median_of_an_odd_and_an_even_number_of_maps_is_numpys():
    for n in (5, 6):
        truth = make_truth(n_maps=n)
        error = np.random.default_rng(n).normal(size=truth.shape)
        seen = scored(truth, np.log10(truth.values) + error, catalogue=np.arange(n))
        expected = np.median(np.abs(error), axis=0)
        npt.assert_allclose(seen["median_abs"].sel(subset="all")[0], expected, rtol=1e-9)


def test_the_bootstrap_error_is_that_of_independent_catalogues():
    n, sigma = 400, 0.2
    truth = make_truth(n_maps=n)
    error = np.random.default_rng(5).normal(0, sigma, truth.shape)
    seen = scored(truth, np.log10(truth.values) + error, catalogue=np.arange(n), n_bootstrap=300)
    mean = float(seen["bias_error"].sel(subset="all").mean())
    # 300 resamplings give each error to 4 %, over 49 bins 0.6 %, and sigma itself 0.5 %
    npt.assert_allclose(mean, sigma / np.sqrt(n), rtol=0.04)


def test_the_bootstrap_takes_every_map_of_a_catalogue():
    n, sigma = 400, 0.2
    truth = make_truth(n_maps=n)
    error = np.random.default_rng(5).normal(0, sigma, truth.shape)
    log_dn = np.log10(truth.values) + error
    seen = scored(truth, log_dn, catalogue=np.repeat(np.arange(100), 4), n_bootstrap=300)
    mean = float(seen["bias_error"].sel(subset="all").mean())
    # maps are independent here; 100 catalogues give each error to 8 %, over 49 bins 1.2 %
    npt.assert_allclose(mean, sigma / np.sqrt(n), rtol=0.06)


def test_more_maps_of_the_same_catalogues_do_not_shrink_the_error():
    truth = make_truth(n_maps=20)
    error = np.random.default_rng(6).normal(0, 0.2, truth.shape)
    log_dn = np.log10(truth.values) + error
    few = scored(truth, log_dn, catalogue=np.arange(20))
    copies = xr.concat([truth] * 4, "sample")
    many = scored(copies, np.tile(log_dn, (4, 1)), catalogue=np.tile(np.arange(20), 4))
    for name in ("rms_error", "bias_error", "rms_quoted_error"):
        npt.assert_allclose(many[name], few[name], rtol=1e-9)  # same resamplings


def test_there_is_no_skill_where_every_map_has_the_same_count():
    truth = luminosity_function(np.full((N_MAPS, N_BINS), 50.0))
    assert np.isnan(scored(truth, 2.0)["skill"]).all()


def test_one_catalogue_has_no_bootstrap_error():
    truth = make_truth()
    seen = scored(truth, 3.0, catalogue=np.zeros(N_MAPS))
    assert np.isnan(seen["rms_error"]).all()
    assert np.isfinite(seen["rms"]).all()


def test_correlation_at_fixed_parameters_is_of_the_realisation_not_of_the_parameters():
    truth = make_truth()
    log_truth = np.log10(truth.values)
    parameters = np.repeat(np.arange(8.0), 5)[:, None]  # 8 parameter sets of 5 maps
    level = np.stack([log_truth[parameters[:, 0] == p].mean(axis=0) for p in range(8)])
    of_parameters = level[parameters[:, 0].astype(int)]
    npt.assert_allclose(
        scored(truth, log_truth, parameters=parameters)["correlation"], 1, rtol=1e-9
    )
    npt.assert_allclose(
        scored(truth, 2 * of_parameters - log_truth, parameters=parameters)["correlation"], -1,
        rtol=1e-9,
    )  # fmt: skip
    assert np.isnan(scored(truth, of_parameters, parameters=parameters)["correlation"]).all()


def test_parameters_that_a_family_lacks_do_not_part_its_maps():
    truth = make_truth()
    log_truth = np.log10(truth.values)
    family = np.repeat(np.arange(8.0), 5)
    parameters = np.stack([family, np.full(40, np.nan)], axis=1)
    seen = scored(truth, log_truth, parameters=parameters)["correlation"]
    npt.assert_allclose(seen, 1, rtol=1e-9)


def test_there_is_no_correlation_where_no_maps_share_parameters():
    truth = make_truth()
    assert np.isnan(scored(truth, np.log10(truth.values))["correlation"]).all()
    alone = np.arange(float(N_MAPS))[:, None]
    assert np.isnan(scored(truth, np.log10(truth.values), parameters=alone)["correlation"]).all()


def test_every_score_has_a_unit_and_a_name():
    seen = scored(make_truth(), 3.0)
    assert all({"units", "long_name"} <= v.attrs.keys() for v in seen.data_vars.values())
    assert seen["rms_quoted_error"].attrs["units"] == "dex"
    assert seen["rms_quoted"].dims == ("subset", "method", "quoted_log_l")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p.isel(method=0), "predictions have dims .*, expected .method, sample, quant"),
        (lambda p: p.isel(sample=slice(7)), r"are for \(7, 49\) maps and bins, the truth for"),
        (lambda p: p.assign_coords(log_l=p.log_l + 1), "log_l of predictions and truth differ"),
        (lambda p: p.where(p < p.max()), "1 predictions are NaN or infinite, expected none"),
    ],
)
def test_predictions_that_do_not_fit_the_truth_are_refused(change, message):
    truth = make_truth()
    noise = np.random.default_rng(0).normal(size=truth.shape)
    predictions = predict(truth, np.log10(truth.values))
    predictions.loc[{"quantile": 0.5}] += noise
    with pytest.raises(ValueError, match=message):
        score(change(predictions), truth, CATALOGUE, rng=np.random.default_rng(0))


def test_the_published_network_is_quoted_by_our_rule():
    seen = published_scores()
    assert seen["n_maps"] == 1160
    # bins 20 and 21 meet at 10^5 Lsun; their rms in the file
    npt.assert_allclose(seen["rms"][2], np.sqrt((0.1659**2 + 0.1695**2) / 2), rtol=1e-12)
    npt.assert_allclose(seen["median_abs"][2], (0.063 + 0.0647) / 2, rtol=1e-12)


def test_an_unknown_scenario_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'li', expected one of .*random_li_no_noise"):
        published_scores("li")


def two_methods(truth):
    predictions = predict(truth, np.log10(truth.values), names=("prior_mean", "network"))
    predictions[0] += 0.25
    rng = np.random.default_rng(1)
    return score(predictions, truth, CATALOGUE, rng=rng, n_bootstrap=20)


def test_scores_are_written_once_and_read_back(tmp_path):
    scores = two_methods(make_truth())
    summary = write_scores(scores, tmp_path, published=published_scores())
    read = read_json(tmp_path / "scores.json")
    assert read["n_maps"] == 40
    assert read["n_catalogues"] == 10
    npt.assert_allclose(read["subsets"]["all"]["prior_mean"]["rms"], 0.25, rtol=1e-9)
    assert read["subsets"]["all"]["network"]["correlation"] == [None] * 6  # NaN
    assert read["subsets"]["all"]["published_cnn"] == published_scores()
    assert "published_cnn" not in read["subsets"]["ten_or_more"]
    assert format_table(read) == format_table(summary)
    with open_netcdf(tmp_path / "scores.nc") as again:
        npt.assert_array_equal(again["rms"], scores["rms"])
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        write_scores(scores, tmp_path)
    (tmp_path / "scores.json").unlink()
    with pytest.raises(FileExistsError, match=r"scores\.nc exists"):
        write_scores(scores, tmp_path)
    write_scores(scores, tmp_path, overwrite=True)


def test_the_table_has_a_row_a_method_and_two_columns_a_luminosity():
    table = format_table(summarise(two_methods(make_truth()), published=published_scores()))
    lines = table.splitlines()
    assert lines[1].split() == ["log10", "L", *(2 * ["|", "4", "4.5", "5", "5.5", "6", "6.5"])]
    assert lines[3].split() == ["prior", "mean", *(2 * ["|", *(6 * ["0.250"])])]
    assert lines[5].startswith("published CNN | 0.134 0.157")
    assert "40 test maps of 10 catalogues, all bins; an empty bin counts 0.5 source" in table


def test_the_table_shows_a_dash_where_there_is_no_score():
    truth = luminosity_function(np.full((N_MAPS, N_BINS), 5.0))
    table = format_table(summarise(two_methods(truth)), subset="ten_or_more")
    assert table.splitlines()[3].split() == ["prior", "mean", *(2 * ["|", *(6 * ["-"])])]
    assert "bins with true dN of at least 10" in table


def test_the_table_ends_with_the_tests_of_memorising():
    summary = summarise(two_methods(make_truth()))
    assert "memorised?" not in format_table(summary)
    one = {"state": "failed", "verdict": "", "numbers": {}}
    summary["memorisation"] = {"prior_mean": {"swapped": one}}
    lines = format_table(summary).splitlines()
    assert lines[-3].split("|") == ["memorised?                 ", " prior mean"]
    assert lines[-1].split("|")[0].strip() == "the answer follows the map"
    assert lines[-1].split()[-1] == "NO"
