"""Pictures of haloes: where they are, which masses they have, how they shine."""

import holoviews as hv
import numpy as np
import xarray as xr

from imtools.plots.style import (
    COLOURS,
    MAP_COLOURS,
    SIZE,
    WIDE,
    axis_label,
    band,
    dimension,
    image,
    line,
    overlay,
    panel,
    styled,
)


def show_halo_sky(haloes, *, n_most=1000, title=None):
    """Show the heaviest haloes on the sky.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue with ``ra``, ``dec`` [deg] and ``m_halo`` [Msun].
    n_most : int
        So many are shown.
    title : str, optional
        By default the number shown.

    Returns
    -------
    holoviews.Points
        Right ascension grows to the left; the colour is the mass.
    """
    return _heaviest(haloes, ("ra", "dec"), n_most, title, width=SIZE, invert_xaxis=True)


def show_halo_depth(haloes, *, n_most=1000, title=None):
    """Show the heaviest haloes along the line of sight; otherwise as `show_halo_sky`.

    Returns
    -------
    holoviews.Points
        Observed redshift along x, right ascension along y.
    """
    return _heaviest(haloes, ("z", "ra"), n_most, title, width=WIDE)


def show_halo_density(haloes, *, n_pix=32, title=None):
    """Show how many haloes lie where on the sky.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue with ``ra`` and ``dec`` [deg], that fills a square field.
    n_pix : int
        Pixels along each side.
    title : str, optional
        By default the number of haloes.

    Returns
    -------
    holoviews.Image
        Haloes per square arcminute; right ascension grows to the left.
    """
    ra, dec = haloes["ra"].values, haloes["dec"].values
    half = max(np.abs(ra).max(), np.abs(dec).max())
    edges = np.linspace(-half, half, n_pix + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram2d(dec, ra, bins=(edges, edges))[0]
    density = xr.DataArray(
        counts / (60 * 2 * half / n_pix) ** 2, name="density",
        attrs={"units": "arcmin-2", "long_name": "haloes per solid angle"},
    )  # fmt: skip
    element = hv.Image(
        (centres, centres, density.values),
        [dimension(haloes["ra"]), dimension(haloes["dec"])], dimension(density),
    )  # fmt: skip
    title = f"{ra.size} haloes" if title is None else title
    return image(
        element, cmap=MAP_COLOURS, title=title, invert_xaxis=True, clabel=axis_label(density)
    )


def show_luminosity_of_mass(models, z, *, m_range=(2.5e10, 1e14), title=None):
    """Show the CO luminosity of haloes against their mass, in several models.

    Parameters
    ----------
    models : dict of str to imtools.luminosity.LuminosityModel
        Models by name.
    z : float
        Redshift.
    m_range : (float, float)
        Range of masses [Msun].
    title : str, optional
        By default the redshift.

    Returns
    -------
    holoviews.Overlay
        The median, and the 68 % of haloes about it where a model has scatter.
    """
    m_halo = np.geomspace(*m_range, 120)
    kdim = hv.Dimension(("m_halo", "halo mass [Msun]"))
    vdim = hv.Dimension(("l_co", "CO luminosity [Lsun]"))
    bands, lines = [], []
    for i, (name, model) in enumerate(models.items()):
        colour = COLOURS[i % len(COLOURS)]
        median, width = _lognormal(model, m_halo, np.full_like(m_halo, z))
        lines.append(line(m_halo, median, kdim=kdim, vdim=vdim, colour=colour, label=name))
        if np.nanmax(width) > 1e-6:
            low, high = median / np.exp(width), median * np.exp(width)
            bands.append(band(m_halo, low, high, kdim=kdim, vdim=vdim, colour=colour))
    title = f"z = {z:.2f}" if title is None else title
    return panel(overlay(bands + lines), wide=True, logx=True, logy=True, title=title)


def show_halo_luminosities(haloes, *, n_bins=60, title=""):
    """Show how many haloes have which mass and CO luminosity.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue with ``m_halo`` [Msun] and ``l_co`` [Lsun]; haloes without light are left out.
    n_bins : int
        Bins along each axis.
    title : str
        Over the panel.

    Returns
    -------
    holoviews.Image
        Counts on a logarithmic colour scale.
    """
    shining = haloes["l_co"].values > 0
    log_m, log_l = (np.log10(haloes[name].values[shining]) for name in ("m_halo", "l_co"))
    counts, l_edges, m_edges = np.histogram2d(log_l, log_m, bins=n_bins)
    centres = [(edges[1:] + edges[:-1]) / 2 for edges in (m_edges, l_edges)]
    kdims = [dimension(haloes[name], quantity="log10 of {}") for name in ("m_halo", "l_co")]
    vdim = hv.Dimension(("haloes", "haloes per bin"))
    element = hv.Image((*centres, np.where(counts > 0, counts, np.nan)), kdims, vdim)
    return image(
        element, sky=False, cmap=MAP_COLOURS, cnorm="log", clim=(1, counts.max()), title=title,
        clabel=vdim.label,
    )  # fmt: skip


def _heaviest(haloes, names, n_most, title, *, width, **options):
    """Return the heaviest haloes as points in two coordinates, coloured by mass."""
    order = np.argsort(haloes["m_halo"].values)[-n_most:]  # the heaviest is drawn last
    chosen = haloes.isel(halo=order)
    columns = tuple(chosen[name].values for name in (*names, "m_halo"))
    element = hv.Points(columns, [dimension(haloes[n]) for n in names], dimension(haloes["m_halo"]))
    if title is None:
        title = f"the {order.size} heaviest of {haloes.sizes['halo']} haloes"
    return styled(
        element, color="m_halo", cmap="viridis_r", cnorm="log", colorbar=True, title=title,
        clabel=axis_label(haloes["m_halo"]), **options,
        bokeh={"size": 4, "frame_width": width, "frame_height": SIZE, "tools": ["hover"]},
        matplotlib={"s": 6, "aspect": "auto", "fig_inches": (width / 80 + 1, SIZE / 80)},
    )  # fmt: skip


def _lognormal(model, m_halo, z):
    """Return the median luminosity [Lsun] and the scatter in ln L of the lognormal of a model."""
    mean = np.asarray(model.mean_luminosity(m_halo, z), dtype=float)
    square = np.asarray(model.mean_square_luminosity(m_halo, z), dtype=float)
    dark = mean <= 0
    mean[dark], square[dark] = np.nan, np.nan
    variance = np.maximum(np.log(square / mean**2), 0.0)
    return mean * np.exp(-variance / 2), np.sqrt(variance)
