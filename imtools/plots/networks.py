"""Pictures of a network before it is trained: its blocks, their costs, one convolution."""

import holoviews as hv
import numpy as np

from imtools.plots.style import COLOURS, RESIDUAL_COLOURS, TRUTH, dimension, image, panel, styled

LENGTH = 860  # pixels, of a drawing
OBLIQUE = (0.22, 0.3)  # right and up, for each unit into the page
APART = 2.4  # between the middles of two boxes, so that their words do not touch
X_END, Y_RANGE = 20.0, (-3.2, 9.5)
PARTS = {"map": COLOURS[4], "block": COLOURS[5], "layer": COLOURS[6], "answer": COLOURS[2]}
SERIES = {  # what a block costs, and its colour
    "n_params": ("weights", COLOURS[0]),
    "multiply_adds": ("multiply-adds a map", COLOURS[1]),
    "n_values": ("outputs kept a map", COLOURS[2]),
}


def draw_network(blocks, *, title=""):
    """Draw a network as a row of boxes, each what leaves a block.

    Parameters
    ----------
    blocks : list of networks.sketch.Part
        Blocks in order.
    title : str
        Above the drawing.

    Returns
    -------
    holoviews.Overlay
        Height and depth of a box are dec and ra, its width all that lies behind a pixel (channels
        times filters); sides grow as the logarithm. Below a box stand shape and weights. No blocks
        make an empty frame.
    """
    boxes, end, centre = [], 0.0, -APART
    for block in blocks:
        width, height, depth = _sides(block.shape)
        x = max(end, centre + APART - width / 2)
        end, centre = x + width + OBLIQUE[0] * depth + 0.5, x + width / 2
        boxes.append((x, width, height, depth))
    squeeze = X_END / max(end, centre + APART / 2, X_END)  # all boxes side by side in the frame
    faces, labels = {}, []
    for i, (block, (x, *sides)) in enumerate(zip(blocks, boxes, strict=True)):
        kind, facts = _kind(i, block, len(blocks)), _facts(block)
        for face, (px, py) in enumerate(_faces(x, *sides)):
            shape = {"x": squeeze * np.array(px), "y": py} | facts
            faces.setdefault((kind, min(face, 1)), []).append(shape)
        labels.append((squeeze * (x + sides[0] / 2), -0.3, _below(block)))
    # all kinds, some of them empty: a widget changes one drawing into another
    elements = [_polygons(faces.get((k, face), []), k, face) for k in PARTS for face in (0, 1)]
    words = styled(
        hv.Labels(labels, ["x", "y"], "words"),
        bokeh={"text_font_size": "8pt", "text_color": "black", "text_baseline": "top"},
        matplotlib={"size": 7, "color": "black", "verticalalignment": "top"},
    )  # fmt: skip
    bare = {"xaxis": None, "yaxis": None, "show_legend": False}
    return styled(
        hv.Overlay([*elements, words]), title=title, xlim=(-1.2, X_END), ylim=Y_RANGE, **bare,
        bokeh={
            "frame_width": LENGTH, "frame_height": 250, "active_tools": [], "show_frame": False,
        },
        matplotlib={"aspect": "auto", "fig_inches": (13, 3.4)},
    )  # fmt: skip


def show_block_costs(blocks, *, title="Costs of each block"):
    """Show weights, multiply-adds and outputs of each block, on a log axis.

    Parameters
    ----------
    blocks : list of networks.sketch.Part
        Blocks in order.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
        A block without any of it has no point.
    """
    names, kdim = [block.name for block in blocks], hv.Dimension("block")
    kdim = kdim.clone(values=names)
    vdim, dots = hv.Dimension("number"), []
    for name, (label, colour) in SERIES.items():
        values = [(b.name, getattr(b, name)) for b in blocks if getattr(b, name) > 0]
        scatter = hv.Scatter(values, kdim, vdim, label=label)
        dots.append(
            styled(scatter, color=colour, bokeh={"size": 9}, matplotlib={"s": 40, "aspect": "auto"})
        )
    return panel(hv.Overlay(dots), wide=True, logy=True, xrotation=45, title=title)


def show_costs(predicted, measured, *, names, quantity, units, title=""):
    """Show measured against predicted costs of some networks.

    Parameters
    ----------
    predicted, measured : array_like, shape (n,)
        Above 0; a network whose measured cost is NaN is left out.
    names : list of str
        Of the networks, for the legend.
    quantity, units : str
        What is compared, for the axes.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
        Log axes; dashed where both are equal, dotted where they differ by a factor of 2.
    """
    predicted, measured = np.asarray(predicted, float), np.asarray(measured, float)
    good = np.isfinite(measured)
    kdim = hv.Dimension("predicted", label=f"predicted {quantity} [{units}]")
    vdim = hv.Dimension("measured", label=f"measured {quantity} [{units}]")
    ends = np.array([predicted[good].min() / 2, predicted[good].max() * 2])
    elements = [
        styled(
            hv.Curve((ends, factor * ends), kdim, vdim), color=TRUTH,
            bokeh={"line_dash": dash, "line_width": 1},
            matplotlib={"linestyle": dash, "linewidth": 1, "aspect": "auto"},
        )
        for factor, dash in ((1, "dashed"), (2, "dotted"), (0.5, "dotted"))
    ]  # fmt: skip
    for i in np.flatnonzero(good):
        dot = hv.Scatter([(predicted[i], measured[i])], kdim, vdim, label=names[i])
        colour = COLOURS[i % len(COLOURS)]
        elements.append(
            styled(dot, color=colour, bokeh={"size": 10}, matplotlib={"s": 50, "aspect": "auto"})
        )
    return panel(hv.Overlay(elements), logx=True, logy=True, title=title)


def show_numbers(channel, *, clim, cmap="Blues", digits=1, title=""):
    """Show a few pixels with their values written on them.

    Parameters
    ----------
    channel : xarray.DataArray or array_like, two axes (dec, ra)
        A few pixels of a map, or the weights of a filter.
    clim : (float, float)
        Colour range.
    cmap : str
        Colours, pale enough for black digits in the middle of the range.
    digits : int
        Digits behind the point.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
    """
    values = np.asarray(channel, dtype=float)
    n_dec, n_ra = values.shape
    dims = [hv.Dimension("column"), hv.Dimension("row")]
    places = [(j, i, f"{values[i, j]:.{digits}f}") for i in range(n_dec) for j in range(n_ra)]
    bounds = (-0.5, -0.5, n_ra - 0.5, n_dec - 0.5)
    picture = hv.Image(values[::-1], dims, hv.Dimension("value"), bounds=bounds)
    words = styled(
        hv.Labels(places, dims, "words"),
        bokeh={"text_font_size": "9pt", "text_color": "black"},
        matplotlib={"size": 8, "color": "black"},
    )  # fmt: skip
    bare = {"xaxis": None, "yaxis": None, "title": title, "invert_xaxis": True}
    bare |= {"xlim": (-0.5, n_ra - 0.5), "ylim": (-0.5, n_dec - 0.5)}
    picture = image(picture, cmap=cmap, clim=tuple(clim)).opts(colorbar=False)
    picture = picture.opts(colorbar=False, backend="matplotlib")
    return styled(
        picture * words, **bare,
        bokeh={"frame_width": 210, "frame_height": 210},
        matplotlib={"aspect": 1, "fig_inches": (3, 3)},
    )  # fmt: skip


def show_filtered(channel, *, title):
    """Show what a filter made of a channel, in colours symmetric about 0.

    Parameters
    ----------
    channel : xarray.DataArray, dims ("dec", "ra")
        From `networks.explained.convolve_once`.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Image
    """
    limit = max(float(np.percentile(np.abs(channel), 99.8)), 1e-6)
    element = hv.Image(
        channel.drop_vars(("freq", "z"), errors="ignore"),
        [dimension(channel["ra"]), dimension(channel["dec"])], hv.Dimension("filtered"),
    )  # fmt: skip
    return image(
        element, cmap=RESIDUAL_COLOURS, clim=(-limit, limit), title=title, invert_xaxis=True
    )


def _kind(i, block, n_blocks):
    if i in (0, n_blocks - 1):
        return "map" if i == 0 else "answer"
    return "block" if len(block.kinds) > 1 or len(block.shape) > 2 else "layer"


def _sides(shape):
    """Return width, height and depth of the box of a shape."""
    if len(shape) < 3:  # a vector, or one for each patch
        return 0.35, (1 + np.log2(shape[-1])) * 0.6, np.log2(shape[0]) * (len(shape) - 1) * 0.4
    behind = int(np.prod(shape[2:]))
    return 0.25 + 0.2 * np.log2(behind), 1 + np.log2(shape[0]), 1 + np.log2(shape[1])


def _faces(x, width, height, depth):
    """Return the outlines of front, top and side."""
    dx, dy = OBLIQUE[0] * depth, 0.5 * OBLIQUE[1] * depth
    right = x + width
    front = ([x, right, right, x], [0, 0, height, height])
    top = ([x, right, right + dx, x + dx], [height, height, height + dy, height + dy])
    side = ([right, right + dx, right + dx, right], [0, dy, height + dy, height])
    return front, top, side


def _polygons(shapes, kind, face):
    vdims = ["block", "shape", "weights", "layers"]
    return styled(
        hv.Polygons(shapes, ["x", "y"], vdims),
        color=PARTS[kind],
        alpha=0.55 if face else 0.95,
        bokeh={"line_color": "white", "tools": ["hover"]},
        matplotlib={"facecolor": PARTS[kind], "edgecolor": "white", "aspect": "auto"},
    )


def _facts(block):
    return {
        "block": block.name, "shape": block.shape_in_words, "weights": f"{block.n_params:,}",
        "layers": ", ".join(block.kinds),
    }  # fmt: skip


def _below(block):
    """Return name, shape and weights of a block, in short lines."""
    sky, behind = block.shape[:2], block.shape[2:]
    lines = [block.name.replace("_", " "), " x ".join(map(str, sky))]
    if behind:
        lines.append(f"x {' x '.join(map(str, behind))}")
    if block.n_params:
        lines.append(f"{short(block.n_params)} weights")
    return "\n".join(lines)


def short(number):
    """Return a count in three digits, such as ``1.23 M``.

    Examples
    --------
    >>> [short(n) for n in (776, 12_288, 122_276_033, 3_226_992_488)]
    ['776', '12.3 k', '122 M', '3.23 G']
    """
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            digits = f"{number / size:.3g}"
            return f"{digits} {unit}"
    return str(number)
