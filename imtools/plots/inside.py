"""Pictures of what a network has learnt: filters, activations, saliency, linear probes."""

from itertools import cycle

import holoviews as hv
import numpy as np

from imtools.plots.style import (
    COLOURS,
    MAP_COLOURS,
    RESIDUAL_COLOURS,
    axis_label,
    dimension,
    image,
    line,
    panel,
    styled,
)

TEMPERATURE = hv.Dimension("scaled", label="scaled temperature of the voxel")


def show_tiles(tiles, *, columns, signed=False, gap=1, title=""):
    """Show many small pictures side by side, in one colour range.

    Parameters
    ----------
    tiles : array_like, shape (n, n_dec, n_ra)
        Filters, or what filters make of a map.
    columns : int
        Pictures in a row; the first is top left.
    signed : bool
        Colours symmetric about 0, else from the lowest value to the highest.
    gap : int
        Empty pixels between two pictures.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Image
        Right ascension grows to the left in each picture.
    """
    tiles = np.asarray(tiles, dtype=float)[:, ::-1, ::-1]  # first row on top, ra to the left
    n, n_dec, n_ra = tiles.shape
    rows = -(-n // columns)
    mosaic = np.full((rows * (n_dec + gap) - gap, columns * (n_ra + gap) - gap), np.nan)
    for i, tile in enumerate(tiles):
        top, left = i // columns * (n_dec + gap), i % columns * (n_ra + gap)
        mosaic[top : top + n_dec, left : left + n_ra] = tile
    limit = max(float(np.percentile(np.abs(tiles), 99.8)), 1e-6)
    clim = (-limit, limit) if signed else (min(float(tiles.min()), 0.0), limit)
    dims = [hv.Dimension("column"), hv.Dimension("row")]
    element = hv.Image(
        mosaic, dims, hv.Dimension("value"), bounds=(0, 0, mosaic.shape[1], mosaic.shape[0])
    )
    colours = RESIDUAL_COLOURS if signed else MAP_COLOURS
    shape = mosaic.shape[0] / mosaic.shape[1]
    width = 420
    return styled(
        image(element, cmap=colours, clim=clim, title=title),
        xaxis=None, yaxis=None,
        bokeh={"frame_width": width, "frame_height": max(60, round(width * shape))},
        matplotlib={"aspect": "equal", "fig_inches": (5.5, 5.5 * shape)},
    )  # fmt: skip


def show_activations(outputs, names, *, sample=0, n_filters=16, columns=8):
    """Show what the first filters of some blocks make of one map, in the middle of the band.

    Parameters
    ----------
    outputs : dict of str to numpy.ndarray
        From `networks.inside.activations`.
    names : list of str
        Blocks that still have a sky: their outputs have two axes of pixels.
    sample : int
        Number of the map.
    n_filters : int
        Filters of each block, those that scatter most over this map.
    columns : int
        Pictures in a row.

    Returns
    -------
    list of holoviews.Image
        One for each block.
    """
    panels = []
    for name in names:
        values = outputs[name][sample]
        if values.ndim == 4:  # (dec, ra, freq, filter)
            values = values[:, :, values.shape[2] // 2]
        order = np.argsort(values.std(axis=(0, 1)), kind="stable")[::-1][:n_filters]
        tiles = values[:, :, np.sort(order)].transpose(2, 0, 1)
        n_dec, n_ra = values.shape[:2]
        title = f"{name}: {len(tiles)} of {values.shape[2]} filters, {n_dec} x {n_ra}"
        gap = max(1, n_dec // 8)
        signed = bool((tiles < 0).any())
        panels.append(show_tiles(tiles, columns=columns, signed=signed, gap=gap, title=title))
    return panels


def show_saliency(saliency, freq, *, limit=None, title=None):
    """Show how the answer in one bin changes with each voxel of a channel.

    Parameters
    ----------
    saliency : xarray.DataArray, dims ("freq", "dec", "ra")
        Gradients of one map, with ``units`` and ``long_name``.
    freq : float
        Frequency [GHz]; the nearest channel is shown.
    limit : float, optional
        End of the colour range, which is symmetric about 0; by default that of all channels.
    title : str, optional
        By default the frequency.

    Returns
    -------
    holoviews.Image
    """
    channel = saliency.sel(freq=freq, method="nearest")
    limit = float(np.percentile(np.abs(saliency), 99.8)) if limit is None else limit
    title = f"{float(channel['freq']):.2f} GHz" if title is None else title
    element = hv.Image(
        channel.drop_vars(("freq", "z"), errors="ignore"),
        [dimension(channel["ra"]), dimension(channel["dec"])], dimension(saliency, "saliency"),
    )  # fmt: skip
    return image(
        element, cmap=RESIDUAL_COLOURS, clim=(-limit, limit), title=title, invert_xaxis=True,
        clabel=axis_label(saliency),
    )  # fmt: skip


def show_response(response, *, title=""):
    """Show which temperatures move which luminosity bins.

    Parameters
    ----------
    response : xarray.DataArray, dims ("log_l", "temperature")
        Mean gradient of the voxels of a temperature, for some bins; NaN where there is no voxel.
        Coordinate ``temperature`` is the scaled temperature.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
        A curve for each bin, in units of its largest value.
    """
    curves, vdim = [], hv.Dimension("response", label="mean gradient / its largest size")
    for values, colour in zip(response, COLOURS, strict=False):
        largest = float(np.nanmax(np.abs(values)))
        label = f"10^{float(values['log_l']):.3g} Lsun"
        x, y = values["temperature"].values, values.values / (largest or 1.0)
        good = np.isfinite(y)
        curves.append(
            line(x[good], y[good], kdim=TEMPERATURE, vdim=vdim, colour=colour, label=label)
        )
    return panel(hv.Overlay(curves), wide=True, title=title)


def show_probes(skill, log_l, *, title="Read off each block by a linear regression"):
    """Show the skill of linear regressions on each block against luminosity.

    Parameters
    ----------
    skill : xarray.DataArray, dims ("block", "output")
        From `networks.probes.probe_blocks`.
    log_l : xarray.DataArray
        Bin centres, for the axis.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
        A curve for each block; skill below -0.5 is not shown.
    """
    kdim, vdim = dimension(log_l), hv.Dimension("skill", label="1 - MSE / variance")
    curves = []
    for values, colour in zip(skill, cycle(COLOURS), strict=False):
        good = np.isfinite(values.values)
        x, y = log_l.values[good], values.values[good]
        label = str(values["block"].values)
        curves.append(line(x, y, kdim=kdim, vdim=vdim, colour=colour, label=label))
    return panel(hv.Overlay(curves), wide=True, ylim=(-0.5, 1.05), title=title)


def show_shares(summary, *, title="How much of each block is silent, and how much differs"):
    """Show what `networks.inside.summarise_activations` found, block by block.

    Parameters
    ----------
    summary : xarray.Dataset
        Shares over ``block``.
    title : str
        Above the panel.

    Returns
    -------
    holoviews.Overlay
    """
    names = [str(name) for name in summary["block"].values]
    kdim, vdim = hv.Dimension("block", values=names), hv.Dimension("share")
    curves = []
    for (name, values), colour in zip(summary.data_vars.items(), COLOURS, strict=False):
        label = summary[name].attrs["long_name"]
        curves.append(line(names, values.values, kdim=kdim, vdim=vdim, colour=colour, label=label))
    return panel(
        hv.Overlay(curves), wide=True, xrotation=45, ylim=(-0.05, 1.05), title=title, legend="top"
    )
