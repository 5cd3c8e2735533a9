"""Scores of a classifier: right or wrong, and sure or not."""

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.evaluation.classification import format_classes, reliability, score_classes

FAMILIES = ("a", "b", "c")
RNG = np.random.default_rng


def probabilities(values):
    return xr.DataArray(values, dims=("sample", "family"), coords={"family": list(FAMILIES)})


def drawn(n=6000, power=1.0):
    """Return probabilities, sharpened by `power`, and truths drawn by the probabilities."""
    rng = RNG(3)
    p = rng.dirichlet([1, 1, 1], n)
    truth = (rng.random(n)[:, None] > p.cumsum(axis=1)).sum(axis=1)
    sharp = p**power
    return probabilities(sharp / sharp.sum(axis=1, keepdims=True)), np.array(FAMILIES)[truth]


def scored(p, truth, catalogue=None, **settings):
    catalogue = np.arange(len(truth)) if catalogue is None else catalogue
    return score_classes(p, truth, catalogue, rng=RNG(0), **settings)


def test_the_confusion_matrix_counts_each_map_once():
    p = probabilities([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.6, 0.3], [0.1, 0.1, 0.8]])
    scores = scored(p, ["a", "b", "c", "c"])
    npt.assert_array_equal(scores["confusion"], [[1, 0, 0], [0, 1, 0], [0, 1, 1]])
    assert scores["confusion"].dims == ("true", "family")
    assert float(scores["accuracy"]) == 0.75
    expected = -np.log([0.8, 0.7, 0.3, 0.8]).mean()
    npt.assert_allclose(scores["cross_entropy"], expected, rtol=1e-12)
    assert scores["confusion"].sel(true="c", family="b") == 1


def test_honest_probabilities_have_no_calibration_error_and_boasts_have():
    honest, boast = scored(*drawn()), scored(*drawn(power=4.0))
    # with 600 maps a bin, |gap| is 0.8 of a binomial error of 0.02
    assert float(honest["calibration_error"]) < 0.02
    assert float(boast["calibration_error"]) > 0.1
    assert float(boast["accuracy"]) == float(honest["accuracy"])  # the same is the likeliest
    assert float(boast["cross_entropy"]) > float(honest["cross_entropy"])


def test_calibration_error_is_the_gap_weighted_by_maps():
    p = probabilities([[0.95, 0.03, 0.02]] * 3 + [[0.55, 0.25, 0.2]])
    scores = scored(p, ["a", "a", "b", "b"])
    expected = 0.75 * abs(2 / 3 - 0.95) + 0.25 * abs(0 - 0.55)
    npt.assert_allclose(scores["calibration_error"], expected, rtol=1e-12)


def test_reliability_holds_each_map_in_its_bin():
    bins = reliability([0.0, 0.49, 0.5, 1.0], [False, True, True, True], n_bins=4)
    npt.assert_array_equal(bins["bin_n_maps"], [1, 1, 1, 1])
    npt.assert_array_equal(bins["bin_accuracy"], [0, 1, 1, 1])
    npt.assert_allclose(bins["bin_confidence"], [0, 0.49, 0.5, 1.0])
    assert (bins["bin_accuracy_error"] > 0).all()
    assert np.isnan(reliability([0.9], [True], n_bins=2)["bin_accuracy"][0])
    many = reliability(np.full(10000, 0.9), RNG(0).random(10000) < 0.8, n_bins=10)
    npt.assert_allclose(many["bin_accuracy_error"][9], 0.004, rtol=0.02)  # sqrt(.8 x .2 / 10000)


def test_the_bootstrap_error_is_that_of_independent_catalogues():
    p, truth = drawn(400)
    many = scored(p, truth, n_bootstrap=2000)
    share = float(many["accuracy"])
    expected = np.sqrt(share * (1 - share) / 400)
    npt.assert_allclose(many["accuracy_error"], expected, rtol=5 / np.sqrt(4000))  # sampling
    twice = scored(
        xr.concat([p] * 4, "sample"), np.tile(truth, 4), np.tile(np.arange(400), 4),
        n_bootstrap=2000,
    )  # fmt: skip
    npt.assert_allclose(twice["accuracy_error"], expected, rtol=5 / np.sqrt(4000))  # no more maps
    assert np.isnan(scored(p, truth, np.zeros(400))["accuracy_error"])
    assert twice.attrs["n_catalogues"] == 400


def test_every_score_has_a_unit_and_a_name():
    scores = scored(*drawn(50))
    for name, variable in scores.data_vars.items():
        assert {"units", "long_name"} <= set(variable.attrs), name


def test_the_table_has_a_row_a_true_model():
    text = format_classes(scored(*drawn(50)))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == list(FAMILIES)
    assert sum(int(n) for line in lines[1:4] for n in line.split()[1:]) == 50
    assert "of 50 maps" in lines[-1]
    assert "+-" not in format_classes(scored(*drawn(50), np.zeros(50)))


def test_what_does_not_fit_is_refused():
    p, truth = drawn(10)
    for values, names, match in (
        (p.T, truth, "dims .*expected"),
        (p, truth[:9], "10 maps have probabilities, 9"),
        (p * 0.9, truth, "do not sum to 1"),
        (p, np.where(truth == "a", "d", truth), "truth has d, expected among a, b, c"),
    ):
        with pytest.raises(ValueError, match=match):
            scored(values, names)
