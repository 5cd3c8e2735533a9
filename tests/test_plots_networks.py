import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.networks.sketch import sketch
from imtools.plots.networks import (
    draw_network,
    show_block_costs,
    show_costs,
    show_filtered,
    show_numbers,
)


@pytest.fixture(scope="module")
def blocks():
    return sketch("notes_cnn", (16, 16, 5), 7, n_blocks=2, filters=4, width=20)


def draw(element):
    """Render with both backends, so that an option that one does not know fails."""
    hv.renderer("matplotlib").get_plot(element)
    return hv.renderer("bokeh").get_plot(element)


def test_a_drawing_has_a_box_of_three_faces_for_each_block(blocks):
    drawing = draw_network(blocks, title="small")
    draw(drawing)
    polygons = [e for e in drawing if isinstance(e, hv.Polygons)]
    assert sum(len(e.split()) for e in polygons) == 3 * len(blocks)
    labels = next(e for e in drawing if isinstance(e, hv.Labels)).dframe()
    assert labels["words"][1] == "block 1\n8 x 8\nx 3 x 4\n260 weights"  # 112 + 16 + 132
    assert (np.diff(labels["x"]) > 2).all()  # words do not touch


def test_boxes_shrink_with_the_map_and_widen_with_the_filters(blocks):
    drawing = draw_network(blocks)
    fronts = {}
    for element in drawing:
        if isinstance(element, hv.Polygons):
            for part in element.split():
                x, y = part.dimension_values("x"), part.dimension_values("y")
                name = part.dimension_values("block")[0]
                if min(y) == 0 and np.ptp(x[:4]) > 0 and y[0] == y[1]:
                    fronts[name] = (np.ptp(x), np.ptp(y))
    widths, heights = zip(*(fronts[n] for n in ("voxels", "block_1", "block_2")), strict=True)
    assert list(heights) == [5, 4, 3]  # 1 + log2 of 16, 8, 4 pixels
    assert widths[0] < widths[1] < widths[2]  # 5, 3 x 4 and 2 x 8 behind each pixel


def test_costs_of_a_block_without_weights_have_no_point(blocks):
    panel = show_block_costs(blocks)
    draw(panel)
    series = {e.label: dict(zip(*(e.dimension_values(k) for k in (0, 1)), strict=True))
              for e in panel}  # fmt: skip
    assert series["weights"] == {b.name: b.n_params for b in blocks[1:]}
    assert "voxels" not in series["multiply-adds a map"]


def test_a_network_that_was_not_measured_has_no_point():
    panel = show_costs(
        [1.0, 2.0], [1.5, np.nan], names=["one", "two"], quantity="memory of a map", units="MB"
    )
    draw(panel)
    dots = [e for e in panel if isinstance(e, hv.Scatter)]
    assert [e.label for e in dots] == ["one"]
    assert dots[0].vdims[0].pprint_label == "measured memory of a map [MB]"


def test_numbers_stand_on_their_pixels():
    values = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, 6.5]])
    panel = show_numbers(values, clim=(-7, 7))
    draw(panel)
    picture, words = panel
    written = {(x, y): float(text) for x, y, text in words.dframe().itertuples(index=False)}
    assert written[2, 1] == 6.5
    for (x, y), value in written.items():
        assert picture[x, y] == value


def test_filtered_channels_have_colours_symmetric_about_zero():
    channel = xr.DataArray(
        np.linspace(-3, 1, 12).reshape(3, 4), dims=("dec", "ra"),
        coords={"dec": [0.0, 0.1, 0.2], "ra": [0.0, 0.1, 0.2, 0.3], "freq": 30.0},
    )  # fmt: skip
    picture = show_filtered(channel, title="edges")
    draw(picture)
    low, high = picture.opts.get("plot").kwargs["clim"]
    assert low == -high
    assert high == pytest.approx(3, rel=0.01)  # the 99.8th percentile
