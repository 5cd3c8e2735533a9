import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_posteriors import toy_draws, toy_truth

from imtools.evaluation.calibration import calibrate
from imtools.plots import calibration as panels

NAMES = ["mcmc_pk_vid", "network_map", "network_map_recalibrated", "mine"]
KINDS = ["right", "narrow", "wide", "shifted"]


@pytest.fixture(scope="module")
def calibration():
    seen, truth, catalogue = toy_truth(60, 5, 9)
    each = [
        calibrate(
            toy_draws(seen, truth, kind, n_draws=40), truth, catalogue,
            rng=np.random.default_rng(0), n_bootstrap=50,
        )
        for kind in KINDS
    ]  # fmt: skip
    names = xr.Variable("method", NAMES, {"long_name": "estimator"})
    return xr.concat(each, dim=names, coords="minimal", compat="override", combine_attrs="override")


PANELS = {
    "coverage": panels.show_coverage,
    "wide": lambda c: panels.show_coverage(c, 0.95),
    "ranks": lambda c: panels.show_ranks(c, 4.6),
    "tarp": panels.show_tarp,
    "histogram": lambda c: panels.show_rank_histogram(c, "network_map", 4.6),
    "contraction": lambda c: panels.show_contraction(c, 4.6),
    "crps": panels.show_crps,
}


def of_kind(overlay, kind):
    return [e for e in overlay.values() if type(e) is kind]


def curves(overlay):
    return {c.label: c for c in of_kind(overlay, hv.Curve) if c.label}


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
@pytest.mark.parametrize("name", PANELS)
def test_it_renders_in_both_backends(calibration, backend, name):
    assert hv.render(PANELS[name](calibration), backend=backend) is not None


def test_each_method_keeps_its_colour_and_a_recalibrated_one_is_dotted():
    looks = panels.styles_of([*NAMES, "yours"])
    known = panels.POSTERIOR_STYLES
    assert looks["mcmc_pk_vid"] == known["mcmc_pk_vid"]
    mended = looks["network_map_recalibrated"]
    assert mended.colour == known["network_map"].colour
    assert mended.dash == "dotted"
    assert mended.label == f"{known['network_map'].label}, recalibrated"
    assert len({looks[n].colour for n in ("mcmc_pk_vid", "network_map", "mine", "yours")}) == 4


def test_coverage_is_drawn_with_its_error_its_aim_and_three_points(calibration):
    overlay = panels.show_coverage(calibration, 0.95)
    label = panels.styles_of(NAMES)["network_map"].label
    one = calibration.sel({"method": "network_map", "probability": 0.95})
    npt.assert_allclose(curves(overlay)[label].dimension_values(1), one["coverage"], rtol=1e-12)
    grey = of_kind(overlay, hv.Area)[0]
    npt.assert_allclose(grey.dimension_values(1), 0.92, rtol=1e-12)
    npt.assert_allclose(grey.dimension_values(2), 0.98, rtol=1e-12)
    own = of_kind(overlay, hv.Area)[2]
    expected = one["coverage"] + one["coverage_error"]
    npt.assert_allclose(own.dimension_values(2), expected, rtol=1e-12)
    aim = of_kind(overlay, hv.Curve)[-1]
    npt.assert_array_equal(aim.dimension_values(1), 0.95)
    assert "truths in the 95 % interval" in aim.vdims[0].label


def test_ranks_are_those_of_the_bin_nearest_to_the_luminosity(calibration):
    overlay = panels.show_ranks(calibration, 4.6)
    label = panels.styles_of(NAMES)["mine"].label
    expected = calibration["ecdf_difference"].isel(log_l=2, method=3)  # bins at 4.125, 4.375, 4.625
    npt.assert_allclose(curves(overlay)[label].dimension_values(1), expected, rtol=1e-12)
    grey = of_kind(overlay, hv.Area)[0]
    widest = calibration["ecdf_band"].isel(log_l=2).max("method")
    npt.assert_allclose(grey.dimension_values(2), widest, rtol=1e-12)


def test_tarp_shows_every_method(calibration):
    seen = curves(panels.show_tarp(calibration))
    assert list(seen) == [style.label for style in panels.styles_of(NAMES).values()]
    one = calibration["tarp_difference"].isel(method=1)
    label = panels.styles_of(NAMES)["network_map"].label
    npt.assert_allclose(seen[label].dimension_values(1), one, rtol=1e-12)


def test_a_histogram_of_ranks_has_a_step_a_bin_about_one(calibration):
    overlay = panels.show_rank_histogram(calibration, "network_map", 4.6)
    label = panels.styles_of(NAMES)["network_map"].label
    steps = curves(overlay)[label].dimension_values(1)
    one = calibration.sel({"method": "network_map"}).isel(log_l=2)
    npt.assert_allclose(steps[:-1], one["rank_density"], rtol=1e-12)
    grey = of_kind(overlay, hv.Area)[0]
    top = 1 + np.repeat(one["rank_density_band"].values, 2)
    npt.assert_allclose(grey.dimension_values(2), top, rtol=1e-12)
    assert grey.dimension_values(1).min() >= 0


def test_z_scores_beyond_five_stand_at_the_edge_and_dots_are_few(calibration):
    far = calibration.assign(z_score=calibration["z_score"] * 100)
    dots = of_kind(panels.show_contraction(far, 4.6), hv.Scatter)
    assert len(dots) == 4
    values = dots[0].dimension_values(1)
    assert np.abs(values).max() == 5
    assert values.size <= 400
    sides = of_kind(panels.show_contraction(calibration, 4.6), hv.Curve)
    assert [c.dimension_values(1)[0] for c in sides] == [-1, 1]


def test_crps_of_the_prior_is_dotted_black(calibration):
    overlay = panels.show_crps(calibration)
    prior = curves(overlay)["prior, the same for all"]
    npt.assert_allclose(prior.dimension_values(1), calibration["crps_prior"][0], rtol=1e-12)
    style = hv.Store.lookup_options("bokeh", prior, "style").kwargs
    assert (style["color"], style["line_dash"]) == ("black", "dotted")
    assert prior.vdims[0].label == "CRPS of log10 dN [dex]"


def test_one_catalogue_is_drawn_without_bands(calibration):
    bare = calibration.copy()
    for name in ("ecdf_band", "rank_density_band", "tarp_band", "coverage_error"):
        bare[name] = calibration[name] * np.nan
    assert not of_kind(panels.show_tarp(bare), hv.Area)
    assert not of_kind(panels.show_ranks(bare, 5.0), hv.Area)
    assert not of_kind(panels.show_rank_histogram(bare, "mine", 5.0), hv.Area)
    assert len(of_kind(panels.show_coverage(bare), hv.Area)) == 1  # the three points
