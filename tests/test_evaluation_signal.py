import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_maps import SURVEY, toy_experiment

from imtools.counts import DEFAULT_EDGES, log_counts, luminosity_function
from imtools.datasets import observe
from imtools.evaluation import format_by_signal, score_by_signal, signal_to_noise
from imtools.statistics import power_spectrum

N_MAPS = 40


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    return luminosity_function(10 ** rng.normal(2, 0.3, (N_MAPS, 49)), DEFAULT_EDGES)


@pytest.fixture(scope="module")
def signal():
    return xr.DataArray(np.random.default_rng(1).permutation(N_MAPS) + 1.0, dims="sample")


@pytest.fixture(scope="module")
def predictions(truth, signal):
    """One method that is off by 1 / signal, up or down, and one that is always 0.3 too high."""
    log_truth = log_counts(truth)
    sign = np.resize([1.0, -1.0], N_MAPS)
    off = [xr.DataArray(sign, dims="sample") / signal, 0.3 + 0 * signal]
    both = xr.concat([log_truth + o for o in off], xr.Variable("method", ["fades", "high"]))
    both = both.expand_dims(quantile=[0.5], axis=2)
    return both.transpose("method", "sample", "quantile", "log_l")


def test_groups_go_from_the_faintest_maps_to_the_loudest(predictions, truth, signal):
    scores = score_by_signal(predictions, truth, signal)
    assert scores["rms"].dims == ("group", "method", "quoted_log_l")
    assert scores["rms"].attrs["units"] == "dex"
    npt.assert_array_equal(scores["n_maps"], 10)
    npt.assert_allclose(scores["signal"], [5.5, 15.5, 25.5, 35.5])
    inverse = 1 / np.arange(1.0, 41).reshape(4, 10)
    fades = scores.sel({"method": "fades"})
    expected = np.sqrt((inverse**2).mean(axis=1))
    npt.assert_allclose(fades["rms"], np.tile(expected[:, None], 6), rtol=1e-9)  # float64
    median = np.median(inverse, axis=1)
    npt.assert_allclose(fades["median_abs"], np.tile(median[:, None], 6), rtol=1e-9)
    npt.assert_allclose(scores.sel({"method": "high"})["rms"], 0.3, rtol=1e-9)


def test_the_spread_is_that_of_the_truth_within_a_group(predictions, truth, signal):
    scores = score_by_signal(predictions, truth, signal, n_groups=1)
    # 0.3 dex by construction; 80 values at each quoted luminosity, 5 sampling errors
    npt.assert_allclose(scores["spread"], 0.3, rtol=5 / np.sqrt(2 * 80))


def test_fewer_than_four_maps_are_a_group_each(predictions, truth, signal):
    few = [part.isel(sample=slice(3)) for part in (predictions, truth, signal)]
    npt.assert_array_equal(score_by_signal(*few)["n_maps"], [1, 1, 1])


def test_more_groups_than_maps_are_refused(predictions, truth, signal):
    with pytest.raises(ValueError, match="n_groups is 41, expected 1 to 40"):
        score_by_signal(predictions, truth, signal, n_groups=41)


def test_the_table_marks_what_is_no_better_than_the_mean_of_the_group(predictions, truth, signal):
    text = format_by_signal(score_by_signal(predictions, truth, signal, n_groups=2))
    rows = [line for line in text.splitlines() if line.startswith(("fades", "high"))]
    # 0.3 is the spread itself, to a tenth; the louder half is off by 1/21 and less, far below it
    assert [row.count("*") for row in rows[1:]] == [6, 0, 6]
    assert "S/N 30.5, 20 maps" in text


def test_signal_to_noise_is_that_of_white_signal_in_white_noise():
    experiment = toy_experiment(sigma_noise=2.0)
    rng = np.random.default_rng(0)
    maps = xr.concat([SURVEY.cube(rng.normal(0, 1, SURVEY.shape)) for _ in range(30)], "sample")
    seen = signal_to_noise(maps, experiment)
    n_modes = float(power_spectrum(maps)["n_modes"].sum())
    # P is exponential: its square over a bin of N modes is P^2 (1 + 1/N) or so; 3 % at most here
    npt.assert_allclose(seen.mean(), np.sqrt(n_modes) / 4, rtol=0.05)
    louder = signal_to_noise(2 * maps, experiment)
    npt.assert_allclose(louder, 4 * seen, rtol=1e-9)  # power goes as the square
    quieter = signal_to_noise(maps, experiment.replace(sigma_noise=4.0))
    npt.assert_allclose(quieter, seen / 4, rtol=1e-9)
    assert np.isinf(signal_to_noise(maps, experiment.replace(sigma_noise=0.0))).all()


def test_noise_that_differs_between_pixels_counts_as_it_is_measured():
    experiment = toy_experiment(sigma_noise=2.0, hits="edge")
    empty = xr.concat([SURVEY.cube(np.zeros(SURVEY.shape))] * 100, "sample")
    noise = power_spectrum(observe(empty, experiment, np.random.default_rng(2)))
    n_modes = noise["n_modes"] * empty.sizes["sample"]
    measured = float((noise.mean("sample") * n_modes).sum() / n_modes.sum())
    maps = xr.concat([SURVEY.cube(np.random.default_rng(3).normal(size=SURVEY.shape))], "sample")
    pk = power_spectrum(maps)
    expected = np.sqrt((pk**2 * pk["n_modes"]).sum("k")) / measured
    # 1e5 voxels, of which the few at the edge carry most of the noise
    npt.assert_allclose(signal_to_noise(maps, experiment), expected, rtol=0.03)
