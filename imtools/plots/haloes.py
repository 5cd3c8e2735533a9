"""Pictures of haloes: where they are, how many there are, how they cluster and shine."""

import holoviews as hv
import numpy as np
import xarray as xr

from imtools.plots.style import (
    COLOURS,
    MAP_COLOURS,
    SIZE,
    TRUTH,
    WIDE,
    axis_label,
    band,
    dimension,
    image,
    line,
    panel,
    points,
    styled,
)


def halo_sky(haloes, *, n_most=1000, title=None):
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


def halo_depth(haloes, *, n_most=1000, title=None):
    """Show the heaviest haloes along the line of sight; otherwise as `halo_sky`.

    Returns
    -------
    holoviews.Points
        Observed redshift along x, right ascension along y.
    """
    return _heaviest(haloes, ("z", "ra"), n_most, title, width=WIDE)


def halo_density(haloes, *, n_pix=64, title=None):
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
        Haloes per square degree; right ascension grows to the left.
    """
    ra, dec = haloes["ra"].values, haloes["dec"].values
    half = max(np.abs(ra).max(), np.abs(dec).max())
    edges = np.linspace(-half, half, n_pix + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    counts = np.histogram2d(dec, ra, bins=(edges, edges))[0]
    density = xr.DataArray(
        counts / (2 * half / n_pix) ** 2, name="density",
        attrs={"units": "deg-2", "long_name": "haloes per solid angle"},
    )  # fmt: skip
    element = hv.Image(
        (centres, centres, density.values),
        [dimension(haloes["ra"]), dimension(haloes["dec"])], dimension(density),
    )  # fmt: skip
    title = f"{ra.size} haloes" if title is None else title
    return image(
        element, cmap=MAP_COLOURS, title=title, invert_xaxis=True, clabel=axis_label(density)
    )


def mass_function(table, *, title=""):
    """Show halo counts against the mass function, slice by slice of the band.

    Parameters
    ----------
    table : xarray.Dataset, dims ("slice", "m_halo")
        ``counts`` and ``expected``, from `halos.validation.mass_function_ratio`; of several fields
        their sums.
    title : str
        Over the panel.

    Returns
    -------
    holoviews.Overlay
        Points with Poisson errors, and the expected counts as lines.
    """
    kdim, vdim = dimension(table["m_halo"]), hv.Dimension(("haloes", "haloes per mass bin"))
    elements = []
    for colour, z, part in _slices(table):
        counts, expected = part["counts"].values, part["expected"].values
        seen = counts > 0  # a logarithmic axis has no place for none
        mass = part["m_halo"].values
        elements += [
            line(mass, expected, kdim=kdim, vdim=vdim, colour=colour),
            points(
                mass[seen], counts[seen], _poisson_bars(counts[seen]),
                kdim=kdim, vdim=vdim, colour=colour, label=f"z = {z:.2f}",
            ),
        ]  # fmt: skip
    return panel(hv.Overlay(elements).collate(), logx=True, logy=True, title=title, legend="right")


def mass_function_ratio(table, *, title=""):
    """Show halo counts over the expected ones; otherwise as `mass_function`.

    Returns
    -------
    holoviews.Overlay
        Points with Poisson errors of the expected counts; bins that expect fewer than 5 haloes are
        left out.
    """
    kdim = dimension(table["m_halo"])
    vdim = hv.Dimension(("ratio", "haloes found / expected"))
    mass = table["m_halo"].values
    elements = [line(mass[[0, -1]], np.ones(2), kdim=kdim, vdim=vdim, colour=TRUTH)]
    step = (mass[1] / mass[0]) ** 0.12  # beside each other, so that all error bars are seen
    for i, (colour, z, part) in enumerate(_slices(table)):
        expected = part["expected"].values
        enough = expected >= 5
        elements.append(
            points(
                mass[enough] * step ** (i - 1.5), (part["counts"].values / expected)[enough],
                1 / np.sqrt(expected[enough]),
                kdim=kdim, vdim=vdim, colour=colour, label=f"z = {z:.2f}",
            )
        )  # fmt: skip
    return panel(hv.Overlay(elements).collate(), logx=True, title=title, ylim=(0.5, 1.5))


def ratio_over_k(found, expected, *, quantity, labels, title="", ylim=None):
    """Show a ratio of power spectra over wavenumber against what theory expects.

    Parameters
    ----------
    found : xarray.DataArray, dims ("seed", "m_range", "k")
        The ratio in each of several fields.
    expected : sequence of float
        What theory expects for each range of masses.
    quantity : str
        What the ratio is, for the axis.
    labels : sequence of str
        Of the ranges of masses, for the legend.
    title : str
        Over the panel.
    ylim : (float, float), optional
        Range of the ratio.

    Returns
    -------
    holoviews.Overlay
        Mean over fields with its standard error; theory as dashed lines.
    """
    kdim, vdim = dimension(found["k"]), hv.Dimension(("ratio", quantity))
    k, mean = found["k"].values, found.mean("seed")
    error = found.std("seed", ddof=1) / np.sqrt(found.sizes["seed"])
    elements = []
    for i, (value, label) in enumerate(zip(expected, labels, strict=True)):
        colour = COLOURS[i % len(COLOURS)]
        level = np.full(2, float(value))
        elements += [
            line(k[[0, -1]], level, kdim=kdim, vdim=vdim, colour=colour, dash="dashed"),
            points(
                k * 1.02**i, mean.isel(m_range=i), error.isel(m_range=i),
                kdim=kdim, vdim=vdim, colour=colour, label=label,
            ),
        ]  # fmt: skip
    options = {} if ylim is None else {"ylim": ylim}
    return panel(hv.Overlay(elements).collate(), title=title, logx=True, **options)


def count_scatter(counts, expected, *, title=""):
    """Show how halo counts of fields scatter about their mean.

    Parameters
    ----------
    counts : array_like, shape (n_fields,)
        Haloes in each field.
    expected : float
        The scatter of theory, as a fraction of the mean.
    title : str
        Over the panel.

    Returns
    -------
    holoviews.Overlay
        Histogram of the fields, and a Gaussian of the expected width.
    """
    counts = np.asarray(counts, dtype=float)
    offset = counts / counts.mean() - 1
    reach = max(4 * expected, np.abs(offset).max())
    edges = np.linspace(-reach, reach, 17)
    kdim = hv.Dimension(("offset", "haloes / mean of the fields - 1"))
    vdim = hv.Dimension(("fields", "fields per bin"))
    found = hv.Histogram((edges, np.histogram(offset, edges)[0]), kdims=[kdim], vdims=[vdim])
    found = styled(
        found.relabel("simulated"), alpha=0.5,
        bokeh={"fill_color": COLOURS[0], "line_color": COLOURS[0]},
        matplotlib={"facecolor": COLOURS[0], "edgecolor": COLOURS[0]},
    )  # fmt: skip
    x = np.linspace(-reach, reach, 201)
    gauss = np.exp(-0.5 * (x / expected) ** 2) / (np.sqrt(2 * np.pi) * expected)
    theory = line(
        x, gauss * counts.size * np.diff(edges)[0], kdim=kdim, vdim=vdim, colour=TRUTH,
        label="linear theory",
    )  # fmt: skip
    return panel(found * theory, title=title, legend="top_right")


def luminosity_of_mass(models, z, *, m_range=(2.5e10, 1e14), title=None):
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
    return panel(hv.Overlay(bands + lines), wide=True, logx=True, logy=True, title=title)


def halo_luminosities(haloes, *, n_bins=60, title=""):
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
        element, cmap=MAP_COLOURS, cnorm="log", clim=(1, counts.max()), title=title,
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
        matplotlib={"s": 6, "aspect": None, "fig_inches": (5 * width / SIZE, 4)},
    )  # fmt: skip


def _slices(table):
    """Yield colour, redshift and part of each slice of the band."""
    for i in range(table.sizes["slice"]):
        part = table.isel(slice=i)
        yield COLOURS[i % len(COLOURS)], float(part["z"]), part


def _poisson_bars(counts):
    """Return errors that stay above zero, for a logarithmic axis."""
    return np.minimum(np.sqrt(counts), 0.99 * counts)


def _lognormal(model, m_halo, z):
    """Return the median luminosity [Lsun] and the scatter in ln L of the lognormal of a model."""
    mean = np.asarray(model.mean_luminosity(m_halo, z), dtype=float)
    square = np.asarray(model.mean_square_luminosity(m_halo, z), dtype=float)
    dark = mean <= 0
    mean[dark], square[dark] = np.nan, np.nan
    variance = np.maximum(np.log(square / mean**2), 0.0)
    return mean * np.exp(-variance / 2), np.sqrt(variance)
