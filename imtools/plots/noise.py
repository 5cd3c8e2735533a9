"""How errors go with a setting: the noise of a map, the number of its channels, a luminosity.

A method keeps its colour, and its dash says what it was trained on.
"""

from typing import NamedTuple

import holoviews as hv
import numpy as np

from imtools.plots.style import (
    COLOURS,
    TRUTH,
    axis_label,
    band,
    dimension,
    line,
    padded,
    panel,
    styled,
)


class LineStyle(NamedTuple):
    """Label, colour and dash of a method."""

    label: str
    colour: str
    dash: str = "solid"


NOISE_STYLES = {
    "prior_mean": LineStyle("prior mean", COLOURS[6]),
    "same_noise": LineStyle("regression, this noise", COLOURS[0]),
    "no_noise": LineStyle("regression, no noise", COLOURS[0], "dashed"),
    "all_levels": LineStyle("regression, all levels", COLOURS[0], "dotted"),
    "network_noise": LineStyle("network, 11 uK", COLOURS[1]),
    "network_no_noise": LineStyle("network, no noise", COLOURS[1], "dashed"),
    "reference": LineStyle("one-point reference", TRUTH, "dashdot"),
}
CHANNEL_STYLES = {
    "prior_mean": LineStyle("prior mean", COLOURS[6]),
    "with_noise": LineStyle("regression, noise", COLOURS[0]),
    "without_noise": LineStyle("regression, no noise", COLOURS[0], "dashed"),
    "reference": LineStyle("one-point reference, noise", TRUTH, "dashdot"),
}
STEP_TO_ZERO = 3.0  # a log axis has no zero: it stands so far below the least other value
ROOM = 1.4  # least ratio of two ticks, or their numbers run into each other


def show_errors(
    values, error=None, *, styles=NOISE_STYLES, aim=None, logx=False, logy=True, title=""
):
    """Show the error of each method against a setting or a luminosity.

    Parameters
    ----------
    values : xarray.DataArray, dims ("method", x)
        What is shown, with a coordinate on x; NaN is left out.
    error : xarray.DataArray, dims as `values`, optional
        Its one-sigma error, drawn as a band; none where it is NaN.
    styles : dict of str to LineStyle
        By method, in the order of the legend; methods that it lacks are left out.
    aim : float, optional
        What a method should reach, a dotted black line.
    logx : bool
        The setting is on a log axis; each of its values has a dot, and a tick where there is room.
        A value 0 stands left of the others.
    logy : bool
        Values are on a log axis.
    title : str
        Title of the panel.

    Returns
    -------
    holoviews.Overlay

    Raises
    ------
    ValueError
        If `values` have other dims, or no method that has a style.
    """
    if values.ndim != 2 or values.dims[0] != "method":
        msg = f"show_errors: values have dims {values.dims}, expected (method, x); transpose them"
        raise ValueError(msg)
    methods = [m for m in styles if m in values["method"].values]
    if not methods:
        msg = (
            f"show_errors: methods are {', '.join(values['method'].values)}, expected among "
            f"{', '.join(styles)}; pass styles"
        )
        raise ValueError(msg)
    setting = values[values.dims[1]]
    x = _without_zero(setting.values) if logx else setting.values
    vdim, panels = hv.Dimension(str(values.name), label=axis_label(values)), []
    for method in methods:
        one = {"method": method}
        width = None if error is None else error.sel(one).values
        look = {"kdim": dimension(setting), "vdim": vdim, "dots": logx, "style": styles[method]}
        panels += _curve(x, values.sel(one).values, width, **look)
    if aim is not None:
        ends, level = x[[0, -1]], np.full(2, float(aim))
        panels.append(
            line(ends, level, kdim=dimension(setting), vdim=vdim, colour=TRUTH, dash="dotted")
        )
    options = {"logx": True, "xticks": _ticks(x, setting.values), "xlim": padded(x)} if logx else {}
    return panel(hv.Overlay(panels), wide=True, logy=logy, title=title, **options)


def show_reference(errors, *, title="One-point reference"):
    """Show against luminosity what single voxels allow, for some surveys.

    Parameters
    ----------
    errors : dict of (str, bool) to xarray.DataArray, dims ("log_l",)
        Errors of log10 dN [dex], by survey and by whether the mean of the map is lost.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        A colour a survey; dashed where the mean is lost.
    """
    vdim = hv.Dimension("sigma", label="error of log10 dN [dex]")
    names = list(dict.fromkeys(name for name, _ in errors))
    panels = []
    for (name, lost), sigma in errors.items():
        style = {"colour": COLOURS[names.index(name)], "dash": "dashed" if lost else "solid"}
        label = f"{name}, mean {'lost' if lost else 'kept'}"
        x, kdim = sigma["log_l"].values, dimension(sigma["log_l"])
        panels.append(line(x, sigma.values, kdim=kdim, vdim=vdim, label=label, **style))
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def _curve(x, y, error, *, kdim, vdim, dots, style):
    """Return the band, the line and the dots of one method."""
    known = np.isfinite(y)
    x, y = x[known], y[known]
    look, parts = {"kdim": kdim, "vdim": vdim}, []
    if error is not None and np.isfinite(error[known]).all():
        low = np.maximum(y - error[known], y / 10)  # a log axis has no zero
        parts.append(band(x, low, y + error[known], **look, colour=style.colour))
    parts.append(line(x, y, **look, colour=style.colour, dash=style.dash, label=style.label))
    if dots:
        marks = hv.Scatter((x, y), kdim, vdim)
        parts.append(styled(marks, color=style.colour, bokeh={"size": 5}, matplotlib={"s": 12}))
    return parts


def _without_zero(values):
    """Return `values` with a zero moved to where a log axis has room for it."""
    values = np.asarray(values, dtype=float)
    return np.where(values == 0, values[values > 0].min() / STEP_TO_ZERO, values)


def _ticks(places, values):
    """Return the ticks of a log axis, which says 0 where the setting is 0."""
    ticks = []
    for x, value in sorted(zip(places.tolist(), values.tolist(), strict=True)):
        if not ticks or x > ROOM * ticks[-1][0]:
            ticks.append((x, f"{value:.3g}"))
    return ticks
