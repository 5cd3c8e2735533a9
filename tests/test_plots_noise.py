import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.plots import noise as panels

LEVELS = [0.0, 1.0, 11.0, 100.0]
NAMES = ["prior_mean", "same_noise", "no_noise", "reference"]


def table(values):
    attrs = {"units": "uK", "long_name": "noise of a voxel"}
    return xr.DataArray(
        values,
        dims=("method", "noise"),
        name="rms",
        coords={"method": NAMES, "noise": ("noise", LEVELS, attrs)},
        attrs={"units": "dex", "long_name": "rms error"},
    )


@pytest.fixture
def rms():
    """Method i is off by (i + 1) / 10 dex at every level."""
    return table(np.arange(1, 5)[:, None] / 10 * np.ones(4))


@pytest.fixture
def error(rms):
    """The reference has no bootstrap."""
    return (0 * rms + 0.02).where(rms["method"] != "reference")


def of_kind(overlay, kind):
    return [e for e in overlay.values() if type(e) is kind]


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
@pytest.mark.parametrize("logx", [True, False])
def test_it_renders_in_both_backends(rms, error, backend, logx):
    assert hv.render(panels.show_errors(rms, error, logx=logx), backend=backend) is not None


def test_each_method_is_drawn_at_its_own_error_under_its_label(rms, error):
    curves = {c.label: c for c in of_kind(panels.show_errors(rms, error), hv.Curve)}
    assert list(curves) == [panels.NOISE_STYLES[name].label for name in NAMES]
    for label, height in zip(curves, (0.1, 0.2, 0.3, 0.4), strict=True):
        npt.assert_allclose(curves[label].dimension_values(1), height, rtol=1e-12)  # float64


def test_a_zero_stands_left_on_a_log_axis_and_its_tick_says_zero(rms):
    overlay = panels.show_errors(rms, logx=True)
    x = of_kind(overlay, hv.Curve)[0].dimension_values(0)
    assert 0 < x[0] < 1
    npt.assert_array_equal(x[1:], LEVELS[1:])
    figure = hv.render(overlay, backend="bokeh")
    assert figure.x_range.start < x[0] < x[-1] < figure.x_range.end  # or its tick is cut off
    assert set(figure.xaxis[0].major_label_overrides.values()) >= {"0", "11", "100"}


def test_values_too_close_for_two_ticks_share_one(rms):
    close = rms.assign_coords(noise=[26.0, 30.0, 59.0, 100.0])
    axis = hv.render(panels.show_errors(close, logx=True), backend="bokeh").xaxis[0]
    assert axis.ticker.ticks == [26.0, 59.0, 100.0]


def test_an_aim_is_drawn_level_over_the_whole_axis(rms):
    aim = of_kind(panels.show_errors(rms, aim=0.68), hv.Curve)[-1]
    npt.assert_array_equal(aim.dimension_values(0), [0, 100])
    npt.assert_array_equal(aim.dimension_values(1), 0.68)


def test_bands_are_one_sigma_and_only_where_there_is_one(rms, error):
    bands = of_kind(panels.show_errors(rms, error), hv.Area)
    assert len(bands) == 3
    npt.assert_allclose(bands[1].dimension_values(1), 0.18, rtol=1e-12)
    npt.assert_allclose(bands[1].dimension_values(2), 0.22, rtol=1e-12)


def test_what_is_not_known_is_left_out(rms):
    known = rms.where((rms["noise"] > 0) | (rms["method"] != "reference"))
    curves = {c.label: c for c in of_kind(panels.show_errors(known), hv.Curve)}
    assert len(curves["one-point reference"]) == 3
    assert len(curves["prior mean"]) == 4


def test_axes_say_what_is_shown_and_in_which_unit(rms):
    curve = of_kind(panels.show_errors(rms), hv.Curve)[0]
    assert curve.kdims[0].label == "noise of a voxel [uK]"
    assert curve.vdims[0].label == "rms error [dex]"


def test_a_method_keeps_its_colour_and_its_dash_tells_its_training():
    styles = panels.NOISE_STYLES
    assert styles["same_noise"].colour == styles["no_noise"].colour
    looks = [(s.colour, s.dash) for s in styles.values()]
    assert len(set(looks)) == len(looks)
    overlay = panels.show_errors(table(np.ones((4, 4))))
    curves = {c.label: c for c in of_kind(overlay, hv.Curve)}
    look = hv.Store.lookup_options("bokeh", curves[styles["no_noise"].label], "style").kwargs
    assert (look["color"], look["line_dash"]) == styles["no_noise"][1:]


def test_other_dims_or_unknown_methods_are_refused(rms):
    with pytest.raises(ValueError, match=r"dims \('noise', 'method'\), expected"):
        panels.show_errors(rms.transpose("noise", "method"))
    styles = {"with": panels.LineStyle("with", "red")}
    with pytest.raises(ValueError, match="expected among with"):
        panels.show_errors(rms, styles=styles)


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_the_reference_has_a_colour_a_survey_and_dashes_where_the_mean_is_lost(backend):
    attrs = {"units": "log10(Lsun)", "long_name": "log10 of luminosity, bin centre"}
    log_l = xr.DataArray([4.0, 5.0], dims="log_l", attrs=attrs)
    sigma = xr.DataArray([0.1, 0.2], dims="log_l", coords={"log_l": log_l})
    errors = {(n, lost): sigma * (1 + lost) for n in ("notes", "comap") for lost in (False, True)}
    overlay = panels.show_reference(errors)
    seen = {}
    for curve in overlay.values():
        style = hv.Store.lookup_options("bokeh", curve, "style").kwargs
        seen[curve.label] = (style["color"], style["line_dash"])
        factor = 2 if "lost" in curve.label else 1
        npt.assert_allclose(curve.dimension_values(1), [0.1 * factor, 0.2 * factor], rtol=1e-12)
    assert len(seen) == 4
    assert seen["notes, mean kept"][0] == seen["notes, mean lost"][0] != seen["comap, mean lost"][0]
    assert [seen[f"comap, mean {m}"][1] for m in ("kept", "lost")] == ["solid", "dashed"]
    assert hv.render(overlay, backend=backend) is not None
