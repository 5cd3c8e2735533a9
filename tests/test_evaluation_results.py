import numpy as np
import pandas as pd
import pytest
import xarray as xr

from imtools.counts import DEFAULT_EDGES, QUOTED_LOG_L
from imtools.evaluation.costs import cost_table, timed_fit, timed_predictions
from imtools.evaluation.results import keep_rows, result_rows, who_is_narrower, wide_table
from imtools.experiment import Experiment

EXPERIMENT = Experiment.from_preset("tiny", sigma_noise=11.0)
CENTRES = np.log10(DEFAULT_EDGES[1:] * DEFAULT_EDGES[:-1]) / 2
METHODS = ["mcmc_pk_vid", "network"]


def make_widths(ratio):
    """Widths of two methods, of which the second is `ratio` times as wide in each bin."""
    both = np.stack([np.ones(49), np.broadcast_to(ratio, 49)])
    dims = ("method", "log_l")
    return xr.Dataset(
        {
            "width": (dims, 0.1 * both), "ratio": (dims, both),
            "mean_ratio": ("method", np.nanmean(both, axis=1)),
            "mean_ratio_error": ("method", [0.0, 0.01]),
        },
        coords={"method": METHODS, "log_l": CENTRES},
        attrs={"against": "mcmc_pk_vid"},
    )  # fmt: skip


def make_calibration(coverage):
    """Coverage of 68 and 95 % intervals, off by `coverage` from right in the first bin."""
    values = np.broadcast_to(np.array([0.68, 0.95])[:, None], (2, 2, 49)).copy()
    values[:, :, 0] += coverage
    dims = ("method", "probability", "log_l")
    return xr.Dataset(
        {"coverage": (dims, values), "coverage_error": (dims, 0 * values + 0.001)},
        coords={"method": METHODS, "probability": [0.68, 0.95], "log_l": CENTRES},
    )


def make_scores():
    dims = ("subset", "method", "quoted_log_l")
    values = np.arange(12.0).reshape(1, 2, 6) / 100
    return xr.Dataset(
        {"rms_quoted": (dims, values), "median_abs_quoted": (dims, values / 2)},
        coords={"subset": ["all"], "method": METHODS, "quoted_log_l": list(QUOTED_LOG_L)},
        attrs={"n_maps": 40, "n_catalogues": 4, "log_l_edges": np.log10(DEFAULT_EDGES).tolist()},
    )


def make_rows(prior="ten_percent", ratio=0.7):
    changed = EXPERIMENT.replace(prior=prior)
    given = make_scores(), make_widths(ratio), make_calibration(0.0)
    return result_rows(*given, changed, survey="tiny")


def test_a_row_a_method_and_luminosity():
    rows = make_rows()
    assert len(rows) == 2 * 6
    one = rows[(rows["method"] == "network") & (rows["log_l"] == 5)].iloc[0]
    assert one["rms"] == pytest.approx(0.08)
    assert one["median_abs"] == pytest.approx(0.04)
    assert one["half_width"] == pytest.approx(0.07)
    assert one["ratio"] == pytest.approx(0.7)
    assert (one["coverage_68"], one["coverage_95"]) == (pytest.approx(0.68), pytest.approx(0.95))
    assert (one["prior"], one["sigma_noise"], one["n_maps"]) == ("ten_percent", 11.0, 40)


def test_kept_rows_replace_those_of_their_own_setting(tmp_path):
    path = tmp_path / "kept.csv"
    keep_rows(make_rows(), path)
    keep_rows(make_rows("strong"), path)
    table = keep_rows(make_rows(ratio=0.5), path)
    assert len(table) == 24
    assert set(table["prior"]) == {"ten_percent", "strong"}
    of_network = table[table["method"] == "network"].groupby("prior")["ratio"].mean()
    assert of_network["ten_percent"] == pytest.approx(0.5)
    assert of_network["strong"] == pytest.approx(0.7)
    pd.testing.assert_frame_equal(pd.read_csv(path), table, check_dtype=False)


def test_rows_of_a_noise_of_many_digits_are_found_again(tmp_path):
    path, rows = tmp_path / "kept.csv", make_rows().assign(sigma_noise=11 / np.sqrt(2))
    keep_rows(make_rows(), path)
    keep_rows(rows, path)
    assert len(keep_rows(rows, path)) == 24
    assert set(pd.read_csv(path)["sigma_noise"]) == {11.0, 11 / np.sqrt(2)}
    assert ",11,40," in path.read_text()  # as short as it can be


def test_a_table_of_something_else_is_not_overwritten(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(
        ValueError, match=r"mine.csv lacks survey, .*expected a table of result_row"
    ):
        keep_rows(make_rows(), path)
    assert path.read_text() == "a,b\n1,2\n"


def test_wide_table_has_a_column_a_luminosity_and_methods_in_words():
    table = wide_table(make_rows())
    assert list(table.columns) == list(QUOTED_LOG_L)
    assert table.index.get_level_values("method").tolist() == ["MCMC on P(k) and VID", "network"]
    assert table.iloc[1].tolist() == [0.07] * 6


@pytest.mark.parametrize(
    ("ratio", "coverage", "words"),
    [
        (0.7, 0.0, "30 +- 1 % narrower on average, in no bin wider"),
        (0.7, 0.0, "is reached"),
        (0.9, 0.0, "is not reached"),
        (0.7, -0.1, "is not reached"),
        (1.2, 0.0, "20 +- 1 % wider on average, wider in 49 of 49 bins"),
        ([1.01] + 48 * [0.5], 0.0, "is not reached"),
        ([np.nan] + 48 * [0.5], -0.1, "is reached"),  # the bin that fails has no width at all
    ],
)
def test_the_aim_needs_narrow_intervals_that_hold_in_every_bin(ratio, coverage, words):
    given = make_widths(ratio), make_calibration(coverage)
    assert words in who_is_narrower(*given, against="mcmc_pk_vid", candidates=["network"])


def test_an_error_that_is_not_known_is_not_told():
    widths = make_widths(0.7)
    widths["mean_ratio_error"][:] = np.nan
    told = {"against": "mcmc_pk_vid", "candidates": ["network"]}
    words = who_is_narrower(widths, make_calibration(0.0), **told)
    assert "intervals 30 % narrower on average" in words


def test_costs_count_the_catalogues_of_the_covariance():
    seconds = {"mcmc_pk_vid": 12.34, "network": 5.0}
    table = cost_table(seconds, {"mcmc_pk_vid": 0.1, "network": 0.002}, EXPERIMENT, n_covariance=50)
    assert table.loc["mcmc_pk_vid", "catalogues"] - table.loc["network", "catalogues"] == 50
    assert table.loc["network", "maps"] == 3 * 4  # two training catalogues, one of validation
    assert table.loc["mcmc_pk_vid", "fit [s]"] == 12.3


class Slow:
    """An estimator that answers with its number, and takes a while."""

    name = "slow"

    def predict(self, maps, experiment, rng):
        import time

        time.sleep(0.2)
        return xr.zeros_like(maps)


def test_seconds_are_those_of_a_map():
    maps = xr.DataArray(np.zeros(4), dims=("sample",))
    predictions, seconds = timed_predictions([Slow()], maps, EXPERIMENT, seed=0)
    assert predictions.sizes == {"method": 1, "sample": 4}
    assert seconds["slow"] >= 0.05  # a fourth of what it sleeps


def test_timed_fit_hands_everything_on():
    fitted, seconds = timed_fit(lambda a, b=0: a + b, 1, b=2)
    assert fitted == 3
    assert seconds >= 0
