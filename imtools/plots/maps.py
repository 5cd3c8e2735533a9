"""Pictures of intensity maps: channels, slices through depth, spectra, voxel histograms."""

import holoviews as hv
import numpy as np

from imtools.plots.style import (
    COLOURS,
    MAP_COLOURS,
    RESIDUAL_COLOURS,
    axis_label,
    dimension,
    image,
    panel,
    steps,
    styled,
)
from imtools.survey import channel_width

NO_DATA = "#9e9e9e"  # grey is in no map's colours


def colour_range(*cubes, percent=99.8):
    """Return one colour range for all maps that are compared.

    Parameters
    ----------
    *cubes : xarray.DataArray, units uK
        Maps, with noise or without; voxels without data (NaN) do not count.
    percent : float
        The brightest 100 - `percent` of the voxels of a map are drawn in the last colour.

    Returns
    -------
    (float, float)
        Lowest and highest temperature [uK]. The lowest is 0 where no voxel is negative, and takes
        at most a quarter of the range where noise is, so that dark stays dark.

    Raises
    ------
    ValueError
        If no map is given, or the units differ.
    """
    units = {cube.attrs.get("units") for cube in cubes}
    if len(units) != 1:
        msg = f"colour_range: got {len(cubes)} maps in units {units}, expected one unit; convert"
        raise ValueError(msg)
    ends = np.array([np.percentile(_finite(cube), (100 - percent, percent)) for cube in cubes])
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    high = high if high > 0 else 1.0
    return max(min(low, 0.0), -high / 3), high


def show_channel(cube, freq, *, clim=None, log=False, title=None):
    """Show one channel of a map on the sky.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra")
        Map.
    freq : float
        Frequency [GHz]; the nearest channel is shown.
    clim : (float, float), optional
        Colour range; by default that of the whole cube, so that channels compare.
    log : bool
        Colours on a logarithmic scale, for maps that differ by orders of magnitude; needs a `clim`
        above 0.
    title : str, optional
        By default the frequency and redshift.

    Returns
    -------
    holoviews.Image
        Right ascension grows to the left.
    """
    channel = _channel(cube, freq, "show_channel")
    clim = colour_range(cube) if clim is None else clim
    if log and not clim[0] > 0:
        msg = f"show_channel: clim is {tuple(clim)}, expected above 0 where log is true; raise it"
        raise ValueError(msg)
    title = _title(channel) if title is None else title
    element = _on_sky(channel, clim, MAP_COLOURS, title)
    return styled(element, cnorm="log") if log else element


def show_difference(cube, reference, freq, *, limit=None, title=None):
    """Show one channel of `cube` minus `reference`.

    Parameters
    ----------
    cube, reference : xarray.DataArray, dims ("freq", "dec", "ra")
        Maps on the same voxels, in the same unit.
    freq : float
        Frequency [GHz]; the nearest channel is shown.
    limit : float, optional
        End of the colour range, which is symmetric about 0; by default that of the whole cubes.
    title : str, optional
        By default the frequency and redshift.

    Returns
    -------
    holoviews.Image

    Raises
    ------
    ValueError
        If the maps differ in voxels or unit.
    """
    same = cube.dims == reference.dims and cube.shape == reference.shape
    if not same or cube.attrs.get("units") != reference.attrs.get("units"):
        msg = (
            f"show_difference: maps have shapes {cube.shape} and {reference.shape}, units "
            f"{cube.attrs.get('units')} and {reference.attrs.get('units')}; expected the same"
        )
        raise ValueError(msg)
    residual = cube.copy(data=cube.values - reference.values)
    residual.attrs["long_name"] = f"difference in {cube.attrs.get('long_name', cube.name)}"
    channel = _channel(residual, freq, "show_difference")
    limit = float(np.percentile(np.abs(residual), 99.8)) if limit is None else limit
    title = _title(channel) if title is None else title
    return _on_sky(channel, (-limit, limit), RESIDUAL_COLOURS, title)


def show_slice(cube, dec, *, clim=None, title=None):
    """Show a slice through depth: all channels of one row of pixels.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra")
        Map.
    dec : float
        Declination offset [deg]; the nearest row is shown.
    clim : (float, float), optional
        Colour range; by default that of the whole cube.
    title : str, optional
        By default the declination.

    Returns
    -------
    holoviews.Image
        Frequency along x, right ascension along y.
    """
    row = cube.sel(dec=dec, method="nearest").transpose("ra", "freq")
    clim = colour_range(cube) if clim is None else clim
    title = f"dec {float(row['dec']):.3f} deg" if title is None else title
    element = hv.Image(
        row.drop_vars(("dec", "z"), errors="ignore"),
        [dimension(cube["freq"]), dimension(cube["ra"])], dimension(cube),
    )  # fmt: skip
    return image(
        element,
        sky=False,
        wide=True,
        cmap=MAP_COLOURS,
        clim=clim,
        title=title,
        clabel=axis_label(cube),
    )


def show_spectrum(cube, *, ra=None, dec=None, label="", colour=COLOURS[0]):
    """Show temperature over frequency along one line of sight, or its mean over the field.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra")
        Map.
    ra, dec : float, optional
        Offsets [deg] of the pixel, nearest; without them the field's mean is shown.
    label : str
        For the legend.
    colour : str
        Of the line.

    Returns
    -------
    holoviews.Curve
        A step a channel.
    """
    if (ra is None) != (dec is None):
        msg = f"show_spectrum: got ra {ra} and dec {dec}, expected both or neither; give the pixel"
        raise ValueError(msg)
    if ra is None:
        temp = cube.mean(["dec", "ra"])
        quantity = "mean {}"
    else:
        temp, quantity = cube.sel(ra=ra, dec=dec, method="nearest"), None
    centres, width = cube["freq"].values, channel_width(cube)
    curve = steps(
        np.append(centres - width / 2, centres[-1] + width / 2), temp.values, colour=colour,
        kdim=dimension(cube["freq"]), vdim=dimension(cube, quantity=quantity), label=label,
    )  # fmt: skip
    return panel(curve, wide=True)


def show_voxel_histogram(cube, *, edges=None, label="", colour=COLOURS[0]):
    """Show how many voxels have which temperature, the voxel intensity distribution.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra")
        Map.
    edges : array_like, optional
        Bin edges, in the map's unit; by default 60 even bins over the map.
    label : str
        For the legend.
    colour : str
        Of the line.

    Returns
    -------
    holoviews.Curve
        A step a bin on a logarithmic axis, which has no place for empty bins: they are gaps.
    """
    values = np.ravel(cube.values)
    counts, edges = np.histogram(values, bins=60 if edges is None else edges)
    shown = np.where(counts > 0, counts, np.nan)
    vdim = hv.Dimension(("voxels", "voxels per bin"))
    curve = steps(edges, shown, kdim=dimension(cube), vdim=vdim, colour=colour, label=label)
    return panel(curve, wide=True, logy=True)


def _finite(cube):
    """Return the voxels that have data, 0 where none has."""
    values = np.ravel(cube.values)
    if np.isfinite(values.sum(dtype=float)):
        return values  # as they are, for there are many
    seen = values[np.isfinite(values)]
    return seen if seen.size else np.zeros(1)


def _channel(cube, freq, caller):
    """Return the channel nearest to `freq` [GHz], which has to lie in the band."""
    centres = cube["freq"].values
    half = cube["freq"].attrs.get("width", np.inf) / 2
    if not centres.min() - half <= freq <= centres.max() + half:
        msg = (
            f"{caller}: freq is {freq} GHz, expected within the channels, {centres.min():.3f} to "
            f"{centres.max():.3f} GHz; choose one of cube['freq']"
        )
        raise ValueError(msg)
    return cube.sel(freq=freq, method="nearest")


def _title(channel):
    title = f"{float(channel['freq']):.2f} GHz"
    return f"{title}, z = {float(channel['z']):.2f}" if "z" in channel.coords else title


def _on_sky(channel, clim, colours, title):
    """Return an image of dims (dec, ra), right ascension growing to the left."""
    element = hv.Image(
        channel.drop_vars(("freq", "z"), errors="ignore"),
        [dimension(channel["ra"]), dimension(channel["dec"])], dimension(channel),
    )  # fmt: skip
    return image(
        element, cmap=colours, clim=tuple(clim), title=title, invert_xaxis=True,
        clabel=axis_label(channel), clipping_colors={"NaN": NO_DATA},
    )  # fmt: skip
