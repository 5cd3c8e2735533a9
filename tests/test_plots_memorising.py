import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.plots import memorising as panels

LOG_L = xr.DataArray(
    np.linspace(3.5, 7, 15), dims="log_l", name="log_l",
    attrs={"units": "log10(Lsun)", "long_name": "log10 of luminosity, bin centre"},
)  # fmt: skip
N = LOG_L.size
DEX = {"units": "dex", "long_name": "rms error"}


def outcome(test, variables, **coords):
    """Return an outcome with made-up numbers; `variables` maps name to (dims, values)."""
    labelled = {k: (dims, values, DEX) for k, (dims, values) in variables.items()}
    attrs = {"test": test, "state": "passed", "verdict": "It is."}
    return xr.Dataset(labelled, coords={"log_l": LOG_L.variable} | coords, attrs=attrs)


def rows(n):
    return np.arange(1, n + 1)[:, None] / 10 * np.ones(N)


LEVEL = ("level", [0.0, 11.0], {"units": "uK", "long_name": "noise of the voxel"})
OUTCOMES = {
    "blank": outcome(
        "blank",
        {
            "log_dn": (("sky", "log_l"), rows(2)),
            "prior": ("log_l", 4 - rows(1)[0]),
            "prior_width": ("log_l", rows(1)[0]),
        },
        sky=("sky", ["blank", "noise"]),
    ),
    "spread": outcome(
        "spread",
        {
            "spread_predicted": ("log_l", rows(1)[0]),
            "spread_truth": ("log_l", 2 * rows(1)[0]),
            "correlation": ("log_l", rows(1)[0]),
        },
    ),
    "fixed_parameters": outcome(
        "fixed_parameters",
        {
            "spread_predicted": ("log_l", rows(1)[0]),
            "spread_truth": ("log_l", 2 * rows(1)[0]),
            "correlation": ("log_l", np.where(np.arange(N) < 9, 0.8, np.nan)),
            "needed": ((), 0.5),
        },
    ),
    "swapped": outcome(
        "swapped", {"error_own": ("log_l", rows(1)[0]), "error_other": ("log_l", 3 * rows(1)[0])}
    ),
    "unseen": outcome(
        "unseen", {"error_seen": ("log_l", rows(1)[0]), "error_unseen": ("log_l", 3 * rows(1)[0])}
    ),
    "shuffled": outcome(
        "shuffled",
        {"change": (("shuffle", "log_l"), rows(3) - 0.1), "error": ("log_l", rows(1)[0])},
        shuffle=("shuffle", ["quarter turn", "voxels permuted", "frequencies reversed"]),
    ),
    "noise": outcome(
        "noise",
        {"error": (("level", "log_l"), rows(2)), "spread_truth": ("log_l", 4 * rows(1)[0])},
        level=LEVEL,
    ),
    "families": outcome(
        "families",
        {"error": (("family", "log_l"), rows(2))},
        family=("family", ["li2016", "schechter"]),
    ),
    "leakage": outcome(
        "leakage",
        {"error": (("split", "log_l"), rows(3))},
        split=("split", ["by catalogue", "by map", "turned copies"]),
    ),
    "matrix": outcome(
        "matrix",
        {"typical": (("trained", "family"), np.array([[0.02, 0.5], [np.nan, 0.03]]))},
        trained=("trained", ["li2016", "schechter"]),
        family=("family", ["li2016", "schechter"]),
    ),
}
OUTCOMES["foregrounds"] = OUTCOMES["noise"].assign_attrs(test="foregrounds")


def curves(overlay):
    return {c.label: c.dimension_values(1) for c in overlay.values() if type(c) is hv.Curve}


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
@pytest.mark.parametrize("test", sorted(OUTCOMES))
def test_every_outcome_has_a_panel_that_renders(test, backend):
    assert hv.render(panels.show_outcome(OUTCOMES[test]), backend=backend) is not None


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="test is 'luck', expected one of blank"):
        panels.show_outcome(outcome("luck", {}))


def test_errors_stand_under_their_names():
    drawn = curves(panels.show_outcome(OUTCOMES["swapped"]))
    npt.assert_allclose(drawn["own map"], 0.1)
    npt.assert_allclose(drawn["another map"], 0.3)
    drawn = curves(panels.show_outcome(OUTCOMES["unseen"]))
    npt.assert_allclose(drawn["training maps"], 0.1)
    npt.assert_allclose(drawn["never seen"], 0.3)
    drawn = curves(panels.show_spread(OUTCOMES["spread"]))
    npt.assert_allclose(drawn["answers"], 0.1)
    npt.assert_allclose(drawn["truth"], 0.2)
    drawn = curves(panels.show_outcome(OUTCOMES["noise"]))
    npt.assert_allclose(drawn["11 uK"], 0.2)
    npt.assert_allclose(drawn["spread of truth"], 0.4)
    drawn = curves(panels.show_outcome(OUTCOMES["leakage"]))
    npt.assert_allclose(drawn["turned copies"], 0.3)
    drawn = curves(panels.show_outcome(OUTCOMES["families"]))
    npt.assert_allclose(drawn["schechter"], 0.2)


def test_the_blank_map_stands_beside_the_mean_of_the_training_maps():
    drawn = curves(panels.show_blank(OUTCOMES["blank"], smooth=0.3))
    npt.assert_allclose(drawn["training maps"], 3.9)
    npt.assert_allclose(drawn["blank map"], 0.1)
    npt.assert_allclose(drawn["noise alone"], 0.2)
    npt.assert_allclose(drawn["blank map, smoothed over 0.3 dex"], 0.1, rtol=1e-9)
    npt.assert_allclose(drawn["one source"], 0)


def test_bins_without_a_correlation_are_left_out():
    drawn = curves(panels.show_outcome(OUTCOMES["fixed_parameters"]))
    npt.assert_allclose(drawn["answers"], 0.8 * np.ones(9))
    npt.assert_allclose(drawn["chance"], 0.5)


def test_no_change_lies_at_the_end_of_the_axis():
    drawn = curves(panels.show_outcome(OUTCOMES["shuffled"]))
    npt.assert_allclose(drawn["quarter turn"], 1.01e-3)
    npt.assert_allclose(drawn["frequencies reversed"], 0.2)


def test_the_matrix_writes_each_number_into_its_cell():
    overlay = panels.show_outcome(OUTCOMES["matrix"])
    labels = overlay.get(1)
    x, y, texts = (labels.dimension_values(i) for i in range(3))
    cells = dict(zip(zip(x.tolist(), y.tolist(), strict=True), texts.tolist(), strict=True))
    assert cells == {(0, 0): "0.02", (1, 0): "0.5", (1, 1): "0.03"}
    figure = hv.render(overlay, backend="bokeh")
    assert figure.xaxis[0].major_label_overrides == {0: "li2016", 1: "schechter"}


def test_smoothing_keeps_slopes_and_evens_out_wiggles():
    x = np.linspace(3.5, 7, 50)
    wiggle = 0.3 * (-1.0) ** np.arange(50)
    npt.assert_allclose(panels.smooth_answer(4 - 1.3 * x, x), 4 - 1.3 * x, rtol=1e-9)  # float64
    smooth = panels.smooth_answer(4 - 1.3 * x + wiggle, x)
    assert np.abs(smooth - (4 - 1.3 * x)).max() < 0.1  # the window is seven bins wide


def test_filled_voxels_have_a_curve_a_channel_number():
    shares = xr.DataArray(
        [[0.1, 0.3, 0.6], [0.5, 0.8, 1.0]],
        dims=("channels", "n_pix"), coords={"channels": [100, 10], "n_pix": [256, 128, 64]},
    )  # fmt: skip
    drawn = curves(panels.show_filled(shares))
    npt.assert_allclose(drawn["100 channels"], [0.1, 0.3, 0.6])
    npt.assert_allclose(drawn["10 channels"], [0.5, 0.8, 1.0])
