import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.plots.histories import show_histories, show_run_rms


def history(n, *, members=1, seam=None):
    epoch = np.tile(np.arange(n, dtype=float), members)
    member = np.repeat(np.arange(members, dtype=float), n)
    rows = {"member": member, "epoch": epoch, "loss": 1 / (1 + epoch)}
    rows["validation_loss"] = 2 / (1 + epoch) + member
    return rows if seam is None else rows | {"seam": (epoch == seam).astype(float)}


def scores(rms, *, methods=("network",), error=0.01):
    log_l = np.array([4.0, 5.0, 6.0])
    shape = (1, len(methods), log_l.size)
    dims = ("subset", "method", "log_l")
    data = {
        "rms": (dims, np.full(shape, rms)),
        "rms_error": (dims, np.full(shape, error)),
    }
    coords = {"subset": ["all"], "method": list(methods), "log_l": log_l}
    return xr.Dataset(data, coords=coords)


def drawn(element, backend="bokeh"):
    """Render `element`, which fails where an option is unknown, and return it."""
    hv.renderer(backend).get_plot(element)
    return element


def curves(overlay):
    return [element for element in overlay if type(element) is hv.Curve]  # a band is one, too


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_a_curve_for_each_network_and_a_circle_where_it_was_resumed(backend):
    runs = {"one": history(5), "two": history(8, members=2, seam=3)}
    overlay = drawn(show_histories(runs), backend)
    assert [(curve.label, len(curve)) for curve in curves(overlay)] == [
        ("one", 5), ("two", 8), ("two", 8),
    ]  # fmt: skip
    circles = [element for element in overlay if isinstance(element, hv.Scatter)]
    assert [c.dimension_values("epoch").tolist() for c in circles] == [[4], [4]]
    assert [c.dimension_values("validation_loss").tolist() for c in circles] == [[0.5], [1.5]]
    assert hv.Store.lookup_options("bokeh", overlay, "plot").kwargs["logy"]


def test_the_loss_that_is_asked_for_is_shown():
    overlay = drawn(show_histories({"one": history(4)}, quantity="loss"))
    values = overlay.get(0).dimension_values("loss")
    np.testing.assert_array_equal(values, [1, 1 / 2, 1 / 3, 1 / 4])
    with pytest.raises(ValueError, match="quantity is 'seconds', expected one of validation_loss"):
        show_histories({"one": history(4)}, quantity="seconds")


def test_losses_of_0_have_no_place_on_a_log_axis():
    rows = history(3)
    rows["validation_loss"][1] = 0
    assert len(show_histories({"one": rows}).get(0)) == 2
    rows["validation_loss"][:] = np.nan
    with pytest.raises(ValueError, match="no run has a loss above 0"):
        show_histories({"one": rows})


def test_no_two_of_twenty_runs_look_alike():
    overlay = show_histories({f"run {i}": history(2) for i in range(20)})
    looks = set()
    for curve in curves(overlay):
        style = hv.Store.lookup_options("bokeh", curve, "style").kwargs
        looks.add((style["color"], style["line_dash"]))
    assert len(looks) == 20


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_errors_of_one_method_are_laid_over_each_other(backend):
    runs = {
        "one": scores(0.1, methods=("network", "ridge")),
        "two": scores(0.2),
        "none": scores(1, methods=("ridge",)),
    }
    overlay = drawn(show_run_rms(runs), backend)
    shown = {curve.label: curve.dimension_values("rms").tolist() for curve in curves(overlay)}
    assert shown == {"one": [0.1] * 3, "two": [0.2] * 3}
    assert sum(isinstance(element, hv.Area) for element in overlay) == 2
    with pytest.raises(ValueError, match="no run has a score of 'mcmc'"):
        show_run_rms(runs, method="mcmc")


def test_one_catalogue_has_no_band():
    overlay = drawn(show_run_rms({"one": scores(0.1, error=np.nan)}))
    assert not any(isinstance(element, hv.Area) for element in overlay)
