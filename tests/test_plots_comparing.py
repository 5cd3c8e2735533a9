"""Answers of runs laid over each other: bands that hold what they say, truth drawn once."""

import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.evaluation.coverage import coverage_error, interval_coverage
from imtools.plots.comparing import (
    show_over_maps,
    show_run_coverage,
    show_run_ratios,
    show_run_scores,
)
from imtools.plots.histories import show_histories

QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
Z = np.array([-1.96, -0.9945, 0.0, 0.9945, 1.96])  # of a Gaussian at these quantiles
LOG_L = np.array([4.0, 5.0, 6.0])


def answers(*, sigma=0.1, stated=0.1, bias=0.0, n=4000, method="network", seed=0):
    """Return predictions that err by `sigma` about the truth and state `stated` [dex]."""
    rng = np.random.default_rng(seed)
    log_truth = np.round(10 ** rng.normal(3, 0.2, (n, LOG_L.size)))  # far from empty
    middle = np.log10(log_truth) + bias + sigma * rng.normal(size=log_truth.shape)
    values = middle[None, :, None, :] + stated * Z[None, None, :, None]
    log_l = ("log_l", LOG_L, {"units": "log10(Lsun)", "long_name": "log10 of luminosity"})
    dims = ("method", "sample", "quantile", "log_l")
    attrs = {"convention": "dn", "units": "1", "long_name": "sources"}
    return xr.Dataset(
        {"log_dn": (dims, values), "counts": (("sample", "log_l"), log_truth, attrs)},
        coords={"method": [method], "quantile": list(QUANTILES), "log_l": log_l},
    )


def elements(overlay, kind):
    return [one for one in overlay if type(one) is kind]


def test_bands_of_the_ratio_hold_68_and_95_percent():
    panel = show_run_ratios({"one": answers(bias=0.3, sigma=0.1)})
    wide, narrow = elements(panel, hv.Area)
    for area, z in ((wide, 1.96), (narrow, 0.9945)):
        low, high = area.dimension_values(1), area.dimension_values(2)
        rtol = 0.03  # 4000 maps: an end of the wide band is known to 0.7 % of a dex
        np.testing.assert_allclose(low, 10 ** (0.3 - 0.1 * z), rtol=rtol)
        np.testing.assert_allclose(high, 10 ** (0.3 + 0.1 * z), rtol=rtol)
    middle = elements(panel, hv.Curve)[0]
    np.testing.assert_allclose(middle.dimension_values(1), 10**0.3, rtol=0.02)


def test_runs_that_share_their_maps_share_a_truth():
    same = {"one": answers(sigma=0.1), "two": answers(sigma=0.2)}
    labels = [curve.label for curve in elements(show_over_maps(same), hv.Curve)]
    assert labels == ["truth", "one", "two"]
    other = same | {"two": answers(seed=1)}
    labels = [curve.label for curve in elements(show_over_maps(other), hv.Curve)]
    assert labels == ["truth", "one", "truth", "two"]


def test_a_run_without_the_method_is_left_out_and_the_others_keep_their_colour():
    runs = {"one": answers(method="other"), "two": answers()}
    (curve, _) = elements(show_run_ratios(runs), hv.Curve)
    (alone, _) = elements(show_run_ratios({"two": answers()}), hv.Curve)
    colour = [hv.Store.lookup_options("bokeh", c, "style").kwargs["color"] for c in (curve, alone)]
    assert curve.label == "two"
    assert colour[0] != colour[1]
    with pytest.raises(ValueError, match="no run has an answer of 'mcmc'"):
        show_run_ratios(runs, method="mcmc")


@pytest.mark.parametrize(("stated", "expected"), [(0.1, (0.68, 0.95)), (0.05, (0.381, 0.673))])
def test_coverage_is_what_a_gaussian_of_that_width_has(stated, expected):
    dataset = answers(stated=stated)
    coverage = interval_coverage(dataset["log_dn"], dataset["counts"]).sel({"method": "network"})
    for share, value in zip((0.68, 0.95), expected, strict=True):
        error = coverage_error(value, 4000)
        np.testing.assert_allclose(coverage.sel(share=share), value, atol=5 * error)
    panel = show_run_coverage({"one": coverage})
    assert [c.label for c in elements(panel, hv.Curve)] == ["one", "", "", ""]


def test_coverage_in_bins_that_differ_is_refused():
    dataset = answers(n=5)
    counts = dataset["counts"]
    for other in (counts.assign_coords(log_l=counts["log_l"] + 0.5), counts[:, :-1]):
        with pytest.raises(ValueError, match=r"interval_coverage: log_l of .* the same bins"):
            interval_coverage(dataset["log_dn"], other)


def test_a_truth_at_the_end_of_an_interval_is_within():
    dataset = answers(n=5)
    low = dataset["log_dn"].sel({"method": "network", "quantile": 0.16}, drop=True)
    dataset["counts"] = (10**low).assign_attrs(dataset["counts"].attrs)
    assert (interval_coverage(dataset["log_dn"], dataset["counts"]) == 1).all()


def test_scores_stand_beside_baseline_and_reference():
    dims = ("subset", "method", "log_l")
    rms = np.stack([np.full(3, 0.1), np.full(3, 0.5)])[None]
    coords = {"subset": ["all"], "method": ["network", "prior_mean"], "log_l": LOG_L}
    scores = xr.Dataset({"rms": (dims, rms), "rms_error": (dims, 0.1 * rms)}, coords=coords)
    reference = xr.Dataset({"rms": ("log_l", [0.05, 0.0, 0.05])}, coords={"log_l": LOG_L})
    panel = show_run_scores({"one": scores}, references={"one": reference})
    curves = {curve.label: curve.dimension_values(1) for curve in elements(panel, hv.Curve)}
    assert list(curves) == ["one", "prior mean", "one-point reference"]
    np.testing.assert_allclose(curves["prior mean"], 0.5)
    assert np.isnan(curves["one-point reference"][1])  # a log axis has no place for it


def test_smoothing_keeps_a_power_law_and_calms_the_rest():
    epoch = np.arange(41.0)
    noise = np.random.default_rng(0).normal(size=41)
    loss = 10 ** (-0.02 * epoch + 0.1 * noise)
    history = {"member": 0 * epoch, "epoch": epoch, "loss": loss, "validation_loss": loss}
    rough, calm = (next(iter(show_histories({"a": history}, smooth=n))) for n in (1, 9))
    np.testing.assert_array_equal(rough.dimension_values(1), loss)
    residual = np.log10(calm.dimension_values(1))[4:-4] + 0.02 * epoch[4:-4]
    assert residual.std() < 0.1 * 0.6  # a third, and the 33 left are correlated
