"""Errors on maps of each luminosity model apart."""

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import luminosity_function
from imtools.evaluation.families import format_families, score_by_family

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
    npt.assert_allclose(scores["rms_over_bins"], [[0.1, 0], [0, 0.2]], atol=1e-12)
    assert scores["rms"].attrs["units"] == "dex"


def test_the_pooled_error_is_over_all_maps_and_bins():
    error = np.random.default_rng(0).normal(size=(1, 5, 4))
    scores = score_by_family(*make(error), FAMILY)
    for name in "xy":
        expected = np.sqrt((error[0, name == FAMILY] ** 2).mean())
        npt.assert_allclose(scores["rms_over_bins"].sel(family=name), expected)


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
    assert np.isnan(scores["rms_over_bins"].sel(family="x")).all()
    text = format_families(scores, "rms [dex]")
    head, row = text.splitlines()
    assert head.split() == ["rms", "[dex]", "x", "y"]
    assert row.split() == ["one", "-", "0.000"]


def test_other_maps_are_refused():
    with pytest.raises(ValueError, match="family for 4 maps"):
        score_by_family(*make(np.zeros((1, 5, 4))), FAMILY[:4])
