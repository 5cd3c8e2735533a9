"""Labels from the data, colours for every eye, and options for both plotting backends."""

from itertools import chain

import holoviews as hv
import holoviews.plotting.bokeh
import holoviews.plotting.mpl  # an element carries the options of both backends
import numpy as np

MAP_COLOURS = "inferno"
RESIDUAL_COLOURS = "RdBu_r"
TRUTH = "black"  # truth and theory
# Okabe & Ito's colours, told apart by colour-blind eyes; yellow is too pale for a line
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F")
SIZE = 320  # pixels, side of a square panel
WIDE = 520  # pixels, length of a wide one


def axis_label(data, quantity=None):
    """Return the label of an axis, from the attributes of what it shows.

    Parameters
    ----------
    data : xarray.DataArray
        Has the attributes ``long_name`` and ``units``.
    quantity : str, optional
        Words in place of ``long_name``, such as "log10 of {}" where ``{}`` stands for it.

    Examples
    --------
    >>> import xarray as xr
    >>> attrs = {"units": "Msun", "long_name": "halo mass"}
    >>> axis_label(xr.DataArray(1e12, attrs=attrs), "log10 of {}")
    'log10 of halo mass [Msun]'
    """
    name = data.attrs.get("long_name", data.name)
    words = name if quantity is None else quantity.format(name)
    units = data.attrs.get("units", "1")
    return words if units == "1" else f"{words} [{units}]"


def dimension(data, name=None, quantity=None):
    """Return the HoloViews dimension of `data`, labelled from its attributes."""
    return hv.Dimension((name or str(data.name), axis_label(data, quantity)))


def styled(element, *, bokeh=None, matplotlib=None, **both):
    """Return `element` with options for both backends, and those that only one of them knows."""
    element = element.opts(backend="bokeh", **both | (bokeh or {}))
    return element.opts(backend="matplotlib", **both | (matplotlib or {}))


def image(element, *, sky=True, wide=False, **options):
    """Return an image with colour bar, hover and the shape of a panel; `options` serve both."""
    width = WIDE if wide else SIZE
    return styled(
        element, colorbar=True, **options,
        bokeh={
            "frame_width": width, "frame_height": SIZE, "tools": ["hover"],
            "fontsize": {"clabel": "8pt"},  # a label may be long
        },
        matplotlib={"aspect": 1 if sky else "auto", "fig_inches": _inches(width)},
    )  # fmt: skip


def panel(element, *, wide=False, legend="right", **options):
    """Return lines and points, one or an overlay of them, with the shape of a panel.

    Parameters
    ----------
    element : holoviews.Element or holoviews.Overlay
        What the panel holds.
    wide : bool
        Longer than high, as suits a spectrum.
    legend : str
        Where the legend of an overlay stands, as both backends name it.
    **options
        Options that both backends know.
    """
    width = WIDE if wide else SIZE
    beside = {}
    if isinstance(element, hv.Overlay):
        options = {"legend_position": legend} | options
        if legend == "right":
            beside["legend_offset"] = (10, SIZE // 3)  # from below, where Bokeh puts it
    return styled(
        element, **options,
        # no tool is active, or the wheel would zoom where a reader scrolls
        bokeh={"frame_width": width, "frame_height": SIZE, "active_tools": []} | beside,
        matplotlib={"aspect": "auto", "fig_inches": _inches(width)},
    )  # fmt: skip


def follow(element):
    """Return lines and points whose axes follow them where a widget shows others in their place.

    A `holoviews.DynamicMap` keeps the axes of what it showed first, whatever limits the next plot
    has; asked for on the map or on an overlay, the option does not reach what lies on it.
    """
    kinds = {type(part).__name__ for part in element.traverse(lambda e: e, [hv.Element])}
    return element.opts(*(getattr(hv.opts, kind)(framewise=True) for kind in sorted(kinds)))


def overlay(elements):
    """Return one overlay of elements, some of which are overlays themselves."""
    parts = [list(e) if isinstance(e, hv.Overlay) else [e] for e in elements]
    return hv.Overlay(list(chain.from_iterable(parts)))


def line(x, y, *, kdim, vdim, colour, label="", dash="solid", **options):
    """Return a curve in one colour."""
    curve = hv.Curve((x, y), kdim, vdim, label=label)
    return styled(
        curve, color=colour, **options,
        bokeh={"line_dash": dash, "line_width": 2},
        matplotlib={"aspect": "auto", "linestyle": dash, "linewidth": 1.5},
    )  # fmt: skip


def steps(edges, values, **style):
    """Return a curve with a step a bin, whole to its ends; `style` as in `line`."""
    return line(edges, np.append(values, values[-1]), interpolation="steps-post", **style)


def padded(x):
    """Return a range of a logarithmic axis that leaves room at both ends of `x`."""
    low, high = float(np.min(x)), float(np.max(x))
    room = (high / low) ** 0.1
    return low / room, high * room


def points(x, y, error, *, kdim, vdim, colour, label=""):
    """Return points with error bars in one colour."""
    x, y, error = (np.asarray(values, dtype=float) for values in (x, y, error))
    bars = styled(
        hv.ErrorBars((x, y, error), kdim, [vdim, "error"]),
        bokeh={"line_color": colour, "upper_head": None, "lower_head": None},
        matplotlib={"aspect": "auto", "edgecolor": colour, "capsize": 0},
    )
    dots = styled(
        hv.Scatter((x, y), kdim, vdim, label=label), color=colour,
        bokeh={"size": 7}, matplotlib={"aspect": "auto", "s": 25},
    )  # fmt: skip
    return bars * dots


def open_circles(dots, colour):
    """Return a `holoviews.Scatter` as open circles, which mark points of a curve."""
    return styled(
        dots, color="white",
        bokeh={"line_color": colour, "line_width": 2, "size": 9},
        matplotlib={"edgecolors": colour, "linewidth": 1.5, "s": 45},
    )  # fmt: skip


def band(x, low, high, *, kdim, vdim, colour):
    """Return the area between two curves, pale."""
    # named after the quantity: panels of a layout share axes of one name
    vdim = hv.Dimension(vdim)
    upper = hv.Dimension(f"upper {vdim.name}")
    area = hv.Area((x, low, high), kdim, [vdim, upper])
    return styled(
        area, alpha=0.2,
        bokeh={"color": colour, "line_alpha": 0},
        matplotlib={"aspect": "auto", "color": colour, "facecolor": colour, "linewidth": 0},
    )  # fmt: skip


def _inches(width):
    """Return the size of a matplotlib figure around a panel so many pixels wide."""
    return (width / 80 + 1, SIZE / 80)
