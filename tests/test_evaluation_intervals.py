import numpy as np
import pytest
import xarray as xr

from imtools.counts import DEFAULT_EDGES
from imtools.estimators import QUANTILES
from imtools.evaluation.intervals import (
    compare_by_light,
    compare_widths,
    format_by_light,
    format_widths,
    half_widths,
)

NORMAL = np.array([-1.96, -0.994458, 0.0, 0.994458, 1.96])  # of the five quantiles


def make_predictions(widths, n_maps=40, n_catalogues=10):
    """Quantiles of Gaussians whose width, by method, changes a little from map to map."""
    rng = np.random.default_rng(0)
    width = np.array(list(widths.values()))[:, None, None] * rng.uniform(0.9, 1.1, (n_maps, 1))
    values = width[:, :, None, :] * NORMAL[:, None] + np.zeros(49)
    return xr.DataArray(
        values, dims=("method", "sample", "quantile", "log_l"),
        coords={
            "method": list(widths), "quantile": list(QUANTILES),
            "catalogue": ("sample", np.arange(n_maps) % n_catalogues),
            "log_l": np.log10(DEFAULT_EDGES[1:] * DEFAULT_EDGES[:-1]) / 2,
        },
        attrs={"log_l_edges": np.log10(DEFAULT_EDGES).tolist()},
    )  # fmt: skip


def test_half_of_a_gaussian_interval_is_its_sigma():
    one = make_predictions({"network": 0.1})
    np.testing.assert_allclose(half_widths(one).mean(), 0.1, rtol=0.02)  # 0.994 sigma, jitter


def test_ratio_of_two_methods():
    predictions = make_predictions({"mcmc_pk_vid": 0.1, "network": 0.07})
    result = compare_widths(predictions, against="mcmc_pk_vid", rng=np.random.default_rng(1))
    row = result.sel({"method": "network"})
    np.testing.assert_allclose(row["ratio"], 0.7, rtol=1e-6)  # jitter is common to both
    np.testing.assert_allclose(row["mean_ratio"], 0.7, rtol=1e-6)
    assert (result.sel({"method": "mcmc_pk_vid"})["ratio"] == 1).all()


def test_error_of_the_ratio_is_that_of_a_mean_over_catalogues():
    predictions = make_predictions({"mcmc_pk_vid": 0.1, "network": 0.07}, 200, 100)
    rng = np.random.default_rng(2)
    scatter = rng.uniform(0.5, 1.5, 100)
    one = predictions.copy(data=predictions.values)
    one[1] *= scatter[predictions["catalogue"].values][:, None, None]
    result = compare_widths(one, against="mcmc_pk_vid", rng=rng, n_bootstrap=500)
    expected = 0.7 * scatter.std() / np.sqrt(100)
    error = float(result.sel({"method": "network"})["mean_ratio_error"])
    np.testing.assert_allclose(error, expected, rtol=0.25)  # 500 resamplings, jitter


def test_bins_without_width_are_left_out():
    predictions = make_predictions({"mcmc_pk_vid": 0.1, "network": 0.05})
    predictions[{"log_l": slice(45, None)}] = 0.0
    row = compare_widths(predictions, against="mcmc_pk_vid", rng=np.random.default_rng(1))
    row = row.sel({"method": "network"})
    assert np.isnan(row["ratio"][45:]).all()
    np.testing.assert_allclose(row["mean_ratio"], 0.5, rtol=1e-6)


def test_unknown_method_is_refused():
    with pytest.raises(ValueError, match="against is 'mcmc', expected one of network"):
        compare_widths(
            make_predictions({"network": 0.1}), against="mcmc", rng=np.random.default_rng(0)
        )


def test_table_quotes_widths_and_ratios():
    predictions = make_predictions({"mcmc_pk_vid": 0.1, "network": 0.07})
    result = compare_widths(predictions, against="mcmc_pk_vid", rng=np.random.default_rng(1))
    lines = format_widths(result).splitlines()
    widths, ratios = (x for x in lines if x.startswith("network"))
    assert widths.count("0.07") + widths.count("0.069") == 6
    assert ratios.count("0.700") == 7  # six luminosities and the mean
    assert max(map(len, lines)) < 90


def test_one_catalogue_gives_no_error_and_the_table_says_none():
    predictions = make_predictions({"mcmc_pk_vid": 0.1, "network": 0.07}, n_catalogues=1)
    result = compare_widths(predictions, against="mcmc_pk_vid", rng=np.random.default_rng(1))
    assert np.isnan(result["ratio_error"]).all()
    assert np.isnan(result["mean_ratio_error"]).all()
    np.testing.assert_allclose(result["mean_ratio"], [1.0, 0.7], rtol=1e-6)
    assert format_widths(result).endswith(" | 0.700")


def test_intervals_that_are_right_on_average_are_seen_to_be_wrong_on_faint_maps():
    rng, n_maps = np.random.default_rng(2), 400
    sigma = np.where(np.arange(n_maps) < 200, 0.2, 0.05)[:, None]  # faint maps tell little
    log_l = np.log10(DEFAULT_EDGES[1:] * DEFAULT_EDGES[:-1]) / 2
    level = np.where(np.arange(n_maps) < 200, 2.0, 3.0)[:, None] + np.zeros(49)
    truth = level + sigma * rng.standard_normal((n_maps, 49))
    widths = {"own": sigma, "common": np.full((n_maps, 1), 0.11)}
    predictions = xr.DataArray(
        [level[:, None] + w[:, None] * NORMAL[:, None] for w in widths.values()],
        dims=("method", "sample", "quantile", "log_l"),
        coords={"method": list(widths), "quantile": list(QUANTILES), "log_l": log_l},
    )
    counts = xr.DataArray(
        10**truth, dims=("sample", "log_l"), coords={"log_l": log_l}, attrs={"convention": "dn"}
    )
    result = compare_by_light(predictions, counts, against="own")
    assert result["n_maps"].values.tolist() == [100, 200, 100]
    own, common = (result.sel({"method": name}) for name in widths)
    np.testing.assert_allclose(own["coverage"], 0.68, atol=0.02)
    np.testing.assert_allclose(own["ratio"], 1.0)
    np.testing.assert_allclose(common["ratio"], [0.55, 0.88, 2.2], rtol=1e-6)
    np.testing.assert_allclose(common["coverage"], [0.415, 0.693, 0.971], atol=0.02)
    np.testing.assert_allclose(own["rms"], [0.2, 0.145, 0.05], rtol=0.05)
    table = format_by_light(result)
    assert "faint quarter, 100 maps" in table
    assert table.splitlines()[4].split()[:3] == ["common", "|", "0.55"]
