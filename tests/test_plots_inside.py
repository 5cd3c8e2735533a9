import holoviews as hv
import numpy as np
import numpy.testing as npt
import xarray as xr

from imtools.plots.inside import (
    show_activations,
    show_probes,
    show_response,
    show_saliency,
    show_shares,
    show_tiles,
)


def draw(element):
    """Render with both backends, so that an option that one does not know fails."""
    hv.renderer("matplotlib").get_plot(element)
    return hv.renderer("bokeh").get_plot(element)


def test_tiles_stand_in_rows_with_the_first_on_top_and_ra_to_the_left():
    tiles = np.arange(5 * 2 * 3, dtype=float).reshape(5, 2, 3)
    panel = show_tiles(tiles, columns=3, signed=True)
    draw(panel)
    mosaic = panel.dimension_values("value", flat=False)[::-1]  # HoloViews gives the lowest first
    assert mosaic.shape == (2 * 2 + 1, 3 * 3 + 2)
    npt.assert_array_equal(mosaic[:2, :3], tiles[0][::-1, ::-1])
    npt.assert_array_equal(mosaic[3:, 4:7], tiles[4][::-1, ::-1])
    assert np.isnan(mosaic[2]).all()
    assert np.isnan(mosaic[3:, 8:]).all()  # no sixth tile
    low, high = panel.opts.get("plot").kwargs["clim"]
    assert low == -high


def test_of_each_block_the_filters_that_vary_are_shown():
    values = np.zeros((2, 4, 4, 3, 6))
    values[1, :, :, 1, 2] = np.arange(16).reshape(4, 4)  # map 1, middle channel, filter 2
    panels = show_activations({"block_1": values}, ["block_1"], sample=1, n_filters=2)
    draw(panels[0])
    assert np.nanmax(panels[0].dimension_values("value")) == 15
    assert "2 of 6 filters, 4 x 4" in panels[0].opts.get("plot").kwargs["title"]


def test_saliency_is_symmetric_about_zero_and_taken_at_the_frequency():
    saliency = xr.DataArray(
        np.stack([np.full((3, 4), -2.0), np.full((3, 4), 1.0)]), dims=("freq", "dec", "ra"),
        coords={"freq": [28.0, 32.0], "dec": [0.0, 0.1, 0.2], "ra": [0.0, 0.1, 0.2, 0.3]},
        attrs={"units": "1", "long_name": "change of the answer"},
    )  # fmt: skip
    panel = show_saliency(saliency, 31.0)
    draw(panel)
    assert (panel.dimension_values(2) == 1.0).all()
    assert panel.opts.get("plot").kwargs["clim"] == (-2.0, 2.0)  # of all channels


def test_a_response_is_in_units_of_its_largest_size():
    response = xr.DataArray(
        [[1.0, -4.0, np.nan], [0.1, 0.2, 0.1]], dims=("log_l", "temperature"),
        coords={"log_l": [4.0, 5.0], "temperature": [1.0, 2.0, 3.0]},
    )  # fmt: skip
    panel = show_response(response)
    draw(panel)
    first, second = panel
    npt.assert_allclose(first.dimension_values(1), [0.25, -1.0], rtol=1e-12)
    npt.assert_allclose(second.dimension_values(1), [0.5, 1.0, 0.5], rtol=1e-12)
    assert first.label == "10^4 Lsun"


def test_a_probe_has_a_curve_for_each_block_where_there_is_a_score():
    skill = xr.DataArray(
        [[0.1, np.nan], [0.9, 0.8]], dims=("block", "output"),
        coords={"block": ["voxels", "block_1"]},
    )  # fmt: skip
    log_l = xr.DataArray([4.0, 5.0], dims="log_l", name="log_l", attrs={"units": "log10(Lsun)"})
    panel = show_probes(skill, log_l)
    draw(panel)
    assert [curve.label for curve in panel] == ["voxels", "block_1"]
    npt.assert_array_equal(panel.get(0).dimension_values(0), [4.0])


def test_shares_have_a_curve_each():
    attrs = {"units": "1", "long_name": "share of outputs that are 0"}
    summary = xr.Dataset({"zero": ("block", [0.0, 0.5], attrs)}, coords={"block": ["a", "b"]})
    panel = show_shares(summary)
    draw(panel)
    assert [curve.label for curve in panel] == ["share of outputs that are 0"]
