"""Pictures of what a map is compressed to: its power spectrum, its voxels, its channels.

Each function returns one panel; panels of one kind overlay with ``*`` and stand side by side with
``+``. The same element renders with Bokeh and with matplotlib.
"""

import holoviews as hv
import numpy as np
import xarray as xr

from imtools.plots.style import (
    MAP_COLOURS,
    SIZE,
    TRUTH,
    axis_label,
    band,
    dimension,
    line,
    overlay,
    panel,
    steps,
    styled,
)
from imtools.survey import channel_width

SHARE = (0.16, 0.5, 0.84)  # the median and a band that holds 68 %


def show_power_spectrum(pk, *, label="", colour=TRUTH, dash="solid"):
    """Show the power spectrum of a map or of a stack, as `statistics.power_spectrum` returns it.

    Parameters
    ----------
    pk : xarray.DataArray, dims ("k",) or ("sample", "k"), units uK2 Mpc3
        With its coordinate ``sigma``.
    label : str
        For the legend.
    colour : str
        Of line and band.
    dash : {"solid", "dashed", "dotted"}
        Of the line.

    Returns
    -------
    holoviews.Overlay
        Of one map, the band is the error for Gaussian modes; of a stack, the line is the median of
        its maps and the band holds 68 % of them. Bins without modes or power are left out.
    """
    return _line_in_band(pk, "k", label, colour, dash)


def show_vid(counts, *, label="", colour=TRUTH, dash="solid"):
    """Show how many voxels have which temperature, as `statistics.vid` counts them.

    Parameters
    ----------
    counts : xarray.DataArray, dims ("temp",) or ("sample", "temp"), units 1
        In bins above 0, with its coordinate ``sigma``.
    label, colour, dash
        As in `show_power_spectrum`.

    Returns
    -------
    holoviews.Overlay
        Of one map, the band is the error if voxels were independent; of a stack, the line is the
        median of its maps and the band holds 68 % of them. Empty bins are left out.

    Raises
    ------
    ValueError
        If a bin lies below 0, where a logarithmic axis has no place for it.
    """
    if not counts["temp"].values.min() > 0:
        msg = (
            f"show_vid: the first bin is at {counts['temp'].values.min():.3g} uK, expected above "
            "0 on a logarithmic axis; give vid temp_edges above 0"
        )
        raise ValueError(msg)
    return _line_in_band(counts, "temp", label, colour, dash)


def show_power_spectrum_2d(pk, *, clim=None, title=""):
    """Show power across and along the line of sight, from `statistics.power_spectrum_2d`.

    Parameters
    ----------
    pk : xarray.DataArray, dims ("k_perp", "k_par"), units uK2 Mpc3
        With its edges in ``attrs``.
    clim : (float, float), optional
        Range of the logarithmic colours, for panels that are compared; by default that of `pk`.
    title : str
        Over the panel.

    Returns
    -------
    holoviews.QuadMesh
        Bins without modes or power stay empty.
    """
    shown = pk.where(pk > 0).transpose("k_par", "k_perp")
    clim = (float(shown.min()), float(shown.max())) if clim is None else tuple(clim)
    edges = (np.asarray(pk.attrs[f"{name}_edges"]) for name in ("k_perp", "k_par"))
    kdims = [dimension(pk["k_perp"]), dimension(pk["k_par"])]
    mesh = hv.QuadMesh((*edges, shown.values), kdims, dimension(pk))
    return styled(
        mesh, cmap=MAP_COLOURS, cnorm="log", clim=clim, colorbar=True, title=title,
        clabel=axis_label(pk),
        bokeh={"frame_width": SIZE, "frame_height": SIZE, "tools": ["hover"], "active_tools": []},
        matplotlib={"aspect": "auto", "fig_inches": (SIZE / 80 + 1, SIZE / 80)},
    )  # fmt: skip


def show_transfer(share, *, label="", colour=TRUTH, dash="solid"):
    """Show the share of the signal's power that a filter keeps, against wavenumber.

    Parameters
    ----------
    share : xarray.DataArray, dims ("k",), ("k_par",) or ("k_perp",), units 1
        From `observing.transfer_function`.
    label, colour, dash
        As in `show_power_spectrum`.

    Returns
    -------
    holoviews.Curve
        Bins without modes are left out.
    """
    (name,) = share.dims
    seen = share.where((share[name] > 0) & (share["n_modes"] > 0), drop=True)
    curve = line(
        seen[name].values, seen.values, kdim=dimension(share[name]), vdim=dimension(share),
        colour=colour, label=label, dash=dash,
    )  # fmt: skip
    return panel(curve, wide=True, logx=True, ylim=(-0.05, 1.1))


def show_channel_spread(cube, *, label="", colour=TRUTH):
    """Show how much a map varies over the field, channel by channel.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra")
        Map.
    label : str
        For the legend.
    colour : str
        Of the line.

    Returns
    -------
    holoviews.Curve
        Standard deviation over the pixels of a channel, a step a channel, on a logarithmic axis.
    """
    spread = cube.std(["dec", "ra"], dtype=float).assign_attrs(
        units=cube.attrs["units"], long_name="standard deviation over the field"
    )
    spread.name = "spread"
    centres, width = cube["freq"].values, channel_width(cube)
    edges = np.append(centres - width / 2, centres[-1] + width / 2)
    values = np.where(spread.values > 0, spread.values, np.nan)
    curve = steps(
        edges, values, kdim=dimension(cube["freq"]), vdim=dimension(spread), colour=colour,
        label=label,
    )  # fmt: skip
    return panel(curve, wide=True, logy=True)


def show_score(scores, method, *, quantity="rms", subset="all", label="", colour=TRUTH):
    """Show one score of one method against luminosity, with its bootstrap error.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.score`.
    method : str
        One of ``scores["method"]``.
    quantity : {"rms", "median_abs", "bias", "skill"}
        Which score; `rms` and `median_abs` have a logarithmic axis.
    subset : {"all", "ten_or_more"}
        Bins that are scored.
    label : str
        For the legend.
    colour : str
        Of line and band.

    Returns
    -------
    holoviews.Overlay
        The band is one standard error over the test catalogues; one catalogue has none.
    """
    row = scores.sel({"method": method, "subset": subset})
    values = row[quantity].values
    error = row[f"{quantity}_error"].values if f"{quantity}_error" in row else values * np.nan
    is_log = quantity in ("rms", "median_abs")
    low = np.maximum(values - error, values / 10) if is_log else values - error
    style = {"kdim": dimension(row["log_l"]), "vdim": dimension(row[quantity]), "colour": colour}
    x, parts = row["log_l"].values, []
    known = np.isfinite(low)
    if known.any():
        parts.append(band(x[known], low[known], (values + error)[known], **style))
    seen = np.isfinite(values)
    parts.append(line(x[seen], values[seen], label=label, **style))
    return panel(overlay(parts), wide=True, logy=is_log)


def _line_in_band(data, name, label, colour, dash):
    """Return a line against the coordinate `name` in its band, both axes logarithmic."""
    if "sample" in data.dims:
        low, middle, high = (data.quantile(q, "sample", skipna=False).values for q in SHARE)
    else:
        middle, sigma = data.values, data["sigma"].values
        low, high = middle - sigma, middle + sigma
    seen = np.isfinite(middle) & (middle > 0)
    low = np.maximum(low, middle / 10)  # a logarithmic axis has no place for 0
    style = {"kdim": dimension(data[name]), "vdim": dimension(_plain(data)), "colour": colour}
    x = data[name].values[seen]
    parts = [
        band(x, low[seen], high[seen], **style),
        line(x, middle[seen], label=label, dash=dash, **style),
    ]
    return panel(overlay(parts), wide=True, logx=True, logy=True)


def _plain(data):
    """Return what names an axis, without the values."""
    return xr.DataArray(0.0, attrs=data.attrs, name=data.name)
