"""Errors on maps of each luminosity model apart."""

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import luminosity_function
from imtools.evaluation.classification import score_classes
from imtools.evaluation.families import format_families, score_by_family
from imtools.evaluation.families_verdict import verdict_by_family, verdict_of_classes

EDGES = np.logspace(4, 6, 5)
FAMILY = np.array(["x", "y", "x", "y", "y"])
DN = np.array([[100, 50, 10, 0], [1000, 500, 0, 0], [90, 40, 8, 1], [900, 400, 0, 0], [1, 2, 3, 4]])


def make(error):
    """Return predictions off by `error` (method, sample, log_l) dex, and the truth."""
    truth = luminosity_function(DN.astype(float), EDGES)
    values = np.log10(np.maximum(DN, 0.5)) + error
    names = ["one", "two"][: len(values)]
    predictions = xr.DataArray(
        values[:, :, None, :], dims=("method", "sample", "quantile", "log_l"),
        coords={"method": names, "quantile": [0.5], "log_l": truth["log_l"]},
    )  # fmt: skip
    return predictions, truth


def test_each_family_has_its_own_error():
    error = np.zeros((2, 5, 4))
    error[0, FAMILY == "x"] = 0.1
    error[1, FAMILY == "y"] = -0.2
    scores = score_by_family(*make(error), FAMILY)
    assert scores["rms"].dims == ("family", "method", "log_l")
    npt.assert_allclose(scores["rms"].sel(family="x"), [[0.1] * 4, [0] * 4], atol=1e-12)
    npt.assert_allclose(scores["rms"].sel(family="y"), [[0] * 4, [0.2] * 4], atol=1e-12)
    npt.assert_allclose(scores["bias"].sel(family="y")[1], -0.2)
    npt.assert_array_equal(scores["n_maps"], [[2] * 4, [3] * 4])
    for name in ("rms_over_bins", "typical"):
        npt.assert_allclose(scores[name], [[0.1, 0], [0, 0.2]], atol=1e-12)
    assert scores["rms"].attrs["units"] == "dex"


def test_bins_that_differ_are_refused():
    predictions, truth = make(np.zeros((1, 5, 4)))
    moved = predictions.assign_coords(log_l=predictions["log_l"] + 0.5)
    with pytest.raises(ValueError, match="score_by_family: log_l of predictions and truth differ"):
        score_by_family(moved, truth, FAMILY)


def test_the_pooled_error_is_over_all_maps_and_bins():
    error = np.random.default_rng(0).normal(size=(1, 5, 4))
    scores = score_by_family(*make(error), FAMILY)
    for name in "xy":
        expected = np.sqrt((error[0, name == FAMILY] ** 2).mean())
        npt.assert_allclose(scores["rms_over_bins"].sel(family=name), expected)


def test_an_edge_in_one_bin_does_not_set_the_typical_error():
    error = np.full((1, 5, 4), 0.1)
    error[..., 2] = 4.0
    scores = score_by_family(*make(error), FAMILY)
    npt.assert_allclose(scores["typical"], 0.1)
    assert (scores["rms_over_bins"] > 1.9).all()
    text = format_families(scores, "rms", which="rms_over_bins")
    assert text.splitlines()[1].split() == ["one", "2.002", "2.002"]


def test_only_bins_with_so_many_sources_are_scored():
    error = np.where(DN == 0, 5.0, 0.1)[None]
    many = score_by_family(*make(error), FAMILY, at_least=30)
    npt.assert_array_equal(many["n_maps"], [[2, 2, 0, 0], [2, 2, 0, 0]])
    npt.assert_allclose(many["rms_over_bins"], 0.1)
    assert np.isnan(many["rms"].sel(family="x")[0, 2:]).all()
    empty = score_by_family(*make(error), FAMILY, at_most=0)
    npt.assert_array_equal(empty["n_maps"], [[0, 0, 0, 1], [0, 0, 2, 2]])
    npt.assert_allclose(empty["rms_over_bins"], 5.0)


def test_a_family_without_such_bins_has_no_score():
    scores = score_by_family(*make(np.zeros((1, 5, 4))), FAMILY, at_least=600)
    for name in ("rms_over_bins", "typical"):
        assert np.isnan(scores[name].sel(family="x")).all()
    text = format_families(scores, "rms [dex]")
    head, row = text.splitlines()
    assert head.split() == ["rms", "[dex]", "x", "y"]
    assert row.split() == ["one", "-", "0.000"]


def test_other_maps_are_refused():
    with pytest.raises(ValueError, match="family for 4 maps"):
        score_by_family(*make(np.zeros((1, 5, 4))), FAMILY[:4])


# --- in words


def words(joint_error=0.02, empty_error=0.05, general=None):
    """Return the verdict where own networks are off by 0.02 dex and others by 0.5 and more."""
    truth = luminosity_function(DN.astype(float), EDGES)
    error = np.zeros((4, 5, 4))
    error[0] = np.where(FAMILY == "x", 0.02, 0.7)[:, None]
    error[1] = np.where(FAMILY == "y", 0.02, 0.5)[:, None]
    error[2], error[3] = joint_error, 0.2
    error[2][DN == 0] = empty_error
    predictions = xr.DataArray(
        (np.log10(np.maximum(DN, 0.5)) + error)[:, :, None, :],
        dims=("method", "sample", "quantile", "log_l"),
        coords={
            "method": ["only x", "only y", "all", "wide"], "quantile": [0.5],
            "log_l": truth["log_l"],
        },
    )  # fmt: skip
    parts = [score_by_family(predictions, truth, FAMILY, **k) for k in (MANY, EMPTY)]
    return verdict_by_family(*parts, general=general)


MANY, EMPTY = {"at_least": 30}, {"at_most": 0}


def test_the_verdict_compares_each_model_with_its_own_network():
    text = words(general="wide")
    assert "**x**: its own network is off by 0.020 dex, those of the others by 0.50" in text
    assert "**y**: its own network is off by 0.020 dex, those of the others by 0.70" in text
    assert "the one for all by 0.020, and one that has seen none of them by 0.200." in text
    assert "seen none" not in words()


def test_the_verdict_follows_the_numbers():
    assert "1.00 times as much as the model's own network: joint training works." in words(0.02)
    dear = words(0.08)
    assert "joint training has its price" in dear
    assert "4.00 times" in dear


def test_the_verdict_says_whether_empty_bins_are_known_to_be_empty():
    assert "it knows that they are empty" in words(empty_error=0.05)
    text = words(empty_error=0.9)
    assert "off by 0.90 dex" in text
    assert "it does not know them empty" in text
    assert "empty bins of y (2 of 4 bins" in text


def test_classifiers_are_judged_against_chance():
    p = np.array([[0.9, 0.1], [0.2, 0.8]] * 10)
    p = xr.DataArray(p, dims=("sample", "family"), coords={"family": ["x", "y"]})
    truth = np.array(["x", "y"] * 9 + ["y", "y"])
    scores = score_classes(p, truth, np.arange(20), rng=np.random.default_rng(0))
    text = verdict_of_classes({"last layer": scores})
    assert text.startswith("- **classifier, last layer**: right for 95.0 % of the maps (chance: 50")
