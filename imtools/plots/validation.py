"""Pictures of simulated haloes against theory: how many there are and how they cluster."""

import holoviews as hv
import numpy as np

from imtools.plots.style import (
    COLOURS,
    TRUTH,
    dimension,
    line,
    overlay,
    padded,
    panel,
    points,
    styled,
)


def show_mass_function(table, *, title=""):
    """Show halo counts against the mass function, slice by slice of the band.

    Parameters
    ----------
    table : xarray.Dataset, dims ("seed", "slice", "m_halo")
        ``counts`` and ``expected``, from `halos.validation.mass_function_ratio`, of several fields.
    title : str
        Over the panel.

    Returns
    -------
    holoviews.Overlay
        Mean counts of a field with their standard error, and the expected counts as lines.
    """
    kdim, vdim = dimension(table["m_halo"]), hv.Dimension(("haloes", "haloes per field and bin"))
    lines, dots = [], []
    for colour, z, part in _slices(table):
        mass, counts = part["m_halo"].values, part["counts"]
        mean, error = counts.mean("seed").values, _standard_error(counts).values
        seen = mean > error  # a logarithmic axis has no place for none
        style = {"kdim": kdim, "vdim": vdim, "colour": colour}
        lines.append(line(mass, part["expected"].mean("seed").values, **style))
        dots.append(points(mass[seen], mean[seen], error[seen], **style, label=f"z = {z:.2f}"))
    both = overlay(lines + dots)
    return panel(both, logx=True, logy=True, xlim=padded(table["m_halo"]), title=title)


def show_mass_function_ratio(table, *, title=""):
    """Show halo counts over the expected ones; otherwise as `show_mass_function`.

    Returns
    -------
    holoviews.Overlay
        Mean over the fields with its standard error, where 20 haloes are expected in all.
    """
    kdim, vdim = dimension(table["m_halo"]), hv.Dimension(("ratio", "haloes found / expected"))
    mass = table["m_halo"].values
    elements = [line(mass[[0, -1]], np.ones(2), kdim=kdim, vdim=vdim, colour=TRUTH)]
    step = (mass[1] / mass[0]) ** 0.15  # beside each other, so that all error bars are seen
    for i, (colour, z, part) in enumerate(_slices(table)):
        enough = part["expected"].sum("seed").values >= 20
        ratio = part["counts"] / part["expected"]
        elements.append(
            points(
                (mass * step ** (i - 1.5))[enough], ratio.mean("seed").values[enough],
                _standard_error(ratio).values[enough],
                kdim=kdim, vdim=vdim, colour=colour, label=f"z = {z:.2f}",
            )
        )  # fmt: skip
    return panel(overlay(elements), logx=True, xlim=padded(mass), title=title)


def show_ratio_over_k(found, expected, *, quantity, labels, title="", ylim=None):
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
    error = _standard_error(found)
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
    return panel(overlay(elements), title=title, logx=True, xlim=padded(k), **options)


def show_count_scatter(counts, expected, *, title=""):
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
        matplotlib={"aspect": "auto", "facecolor": COLOURS[0], "edgecolor": COLOURS[0]},
    )  # fmt: skip
    x = np.linspace(-reach, reach, 201)
    gauss = np.exp(-0.5 * (x / expected) ** 2) / (np.sqrt(2 * np.pi) * expected)
    theory = line(
        x, gauss * counts.size * np.diff(edges)[0], kdim=kdim, vdim=vdim, colour=TRUTH,
        label="linear theory",
    )  # fmt: skip
    return panel(found * theory, title=title, legend="top_right")


def _slices(table):
    """Yield colour, redshift and part of each slice of the band."""
    for i in range(table.sizes["slice"]):
        part = table.isel(slice=i)
        yield COLOURS[i % len(COLOURS)], float(part["z"]), part


def _standard_error(values):
    """Return the standard error of the mean over ``seed``, which one seed cannot tell."""
    return values.std("seed", ddof=1) / np.sqrt(values.sizes["seed"])
