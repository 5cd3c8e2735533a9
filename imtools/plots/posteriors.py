"""Posteriors side by side: of one map, of its parameters, and the error bars of the notes."""

import holoviews as hv
import numpy as np
from holoviews.operation import contours
from scipy.ndimage import gaussian_filter

from imtools.counts import FLOOR, log_counts
from imtools.plots.noise import LineStyle
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, panel, points, styled

POSTERIOR_STYLES = {
    "prior_mean": LineStyle("prior", COLOURS[6]),
    "mcmc_pk": LineStyle("P(k), MCMC", COLOURS[0], "dotted"),
    "mcmc_vid": LineStyle("VID, MCMC", COLOURS[0], "dashed"),
    "mcmc_pk_vid": LineStyle("P(k) + VID, MCMC", COLOURS[0]),
    "ridge_vid_pk": LineStyle("P(k) + VID, regression", COLOURS[5]),
    "histogram_regression": LineStyle("histogram regression", COLOURS[4]),
    "ridge_multiscale": LineStyle("multi-scale regression", COLOURS[3]),
    "network_vid_pk": LineStyle("network on P(k) + VID", COLOURS[2], "dashed"),
    "network_multiscale": LineStyle("network on scales", COLOURS[1]),
    "network_map": LineStyle("network on the map", COLOURS[1], "dashed"),
    "network": LineStyle("network", COLOURS[1]),
    "reference": LineStyle("one-point reference", TRUTH, "dashdot"),
}
WITHIN = (0.68, 0.95)  # shares of the draws within a contour
N_CELLS = 40  # along each side of a corner plot's panel
SIDE = 150  # pixels, of such a panel
SMOOTH = 1.5  # cells, Gaussian that draws are smoothed with
LOG_DN = hv.Dimension("log_dn", label="log10 dN, sources in a bin")
EXCESS = hv.Dimension("excess", label="log10 of predicted / true dN [dex]")
RATIO = hv.Dimension("ratio", label="predicted / true dN")


def show_posteriors(predictions, truth=None, *, styles=POSTERIOR_STYLES, floor=FLOOR, title=""):
    """Show the luminosity function of one map as some methods read it.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "quantile", "log_l"), units log10(1)
        Of one map, from `estimators.predict_all`.
    truth : xarray.DataArray, dims ("log_l",), optional
        True dN of the map.
    styles : dict of str to LineStyle
        By method, in the order of the legend; methods that it lacks are left out.
    floor : float
        What an empty bin counts under the logarithm.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        Medians with bands that hold 68 %; the truth is black.
    """
    kdim, parts = dimension(predictions["log_l"]), []
    x = predictions["log_l"].values
    for method in _shown(predictions, styles):
        parts += _interval(x, predictions.sel({"method": method}), kdim, LOG_DN, styles[method])
    if truth is not None:
        y = log_counts(truth, floor).values
        parts.append(line(x, y, kdim=kdim, vdim=LOG_DN, colour=TRUTH, label="truth"))
    return panel(hv.Overlay(parts), wide=True, title=title)


def show_excess(predictions, truth, *, styles=POSTERIOR_STYLES, floor=FLOOR, title=""):
    """Show how far the posteriors of one map lie from its truth; everything as `show_posteriors`.

    Returns
    -------
    holoviews.Overlay
        log10 of predicted over true dN; a band that leaves the black line misses the truth there.
    """
    kdim, parts = dimension(predictions["log_l"]), []
    x, log_truth = predictions["log_l"].values, log_counts(truth, floor).values
    for method in _shown(predictions, styles):
        excess = predictions.sel({"method": method}) - log_truth
        parts += _interval(x, excess, kdim, EXCESS, styles[method])
    parts.append(line(x, 0 * x, kdim=kdim, vdim=EXCESS, colour=TRUTH, label="truth"))
    return panel(hv.Overlay(parts), wide=True, title=title)


def show_notes_bars(predictions, truth, *, styles=POSTERIOR_STYLES, floor=FLOOR, n_sigma=2.0):
    """Show the error bars of the notes: mean and scatter of predicted / true over some maps.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l"), units log10(1)
        Of the maps; their medians are used and their intervals are not.
    truth : xarray.DataArray, dims ("sample", "log_l")
        True dN.
    styles, floor
        As in `show_posteriors`.
    n_sigma : float
        Half length of a bar, in standard deviations over the maps.

    Returns
    -------
    holoviews.Overlay
        Methods are moved apart a little along log L.
    """
    methods, parts = _shown(predictions, styles), []
    kdim, x = dimension(predictions["log_l"]), predictions["log_l"].values
    excess = predictions.sel(quantile=0.5) - log_counts(truth, floor).values
    apart = np.diff(x).min() / (len(methods) + 1)
    for i, method in enumerate(methods):
        ratio = 10 ** excess.sel({"method": method}).values
        place = x + (i - (len(methods) - 1) / 2) * apart
        bars = n_sigma * ratio.std(axis=0, ddof=1)
        look = {"kdim": kdim, "vdim": RATIO, "colour": styles[method].colour}
        parts.append(points(place, ratio.mean(axis=0), bars, **look, label=styles[method].label))
    parts.append(line(x, 1 + 0 * x, kdim=kdim, vdim=RATIO, colour=TRUTH, label="truth"))
    title = f"Mean of {truth.sizes['sample']} maps, bars of {n_sigma:g} sigma"
    return panel(hv.Overlay(parts), wide=True, title=title, ylim=(0, 2.5))


def show_corner(samples, names, *, truth=None, styles=POSTERIOR_STYLES):
    """Show posteriors of parameters: each alone, and each pair by contours.

    Parameters
    ----------
    samples : dict of str to numpy.ndarray, shape (n_draws, n_parameters)
        Draws of each method.
    names : sequence of str
        Labels of the parameters.
    truth : sequence of float, optional
        True parameters, black lines.
    styles : dict of str to LineStyle
        By method.

    Returns
    -------
    holoviews.Layout
        A lower triangle of panels; contours hold 68 % (inner) and 95 % (outer) of the draws.

    Raises
    ------
    ValueError
        If draws and names differ in number.
    """
    n = len(names)
    for method, draws in samples.items():
        if draws.ndim != 2 or draws.shape[1] != n:
            msg = f"show_corner: draws of {method} are {draws.shape}, expected (n_draws, {n})"
            raise ValueError(msg)
    every = np.concatenate(list(samples.values()))
    low, high = np.quantile(every, [0.001, 0.999], axis=0)
    room = 0.1 * np.maximum(high - low, 1e-6)
    ends = np.stack([low - room, high + room], axis=1)
    dims = [hv.Dimension(f"p{i}", label=name, range=tuple(e)) for i, (name, e) in
            enumerate(zip(names, ends, strict=True))]  # fmt: skip
    panels = []
    for i in range(n):
        for j in range(n):
            if j > i:
                corner = (i, j) == (0, n - 1)
                panels.append(_legend(samples, styles) if corner else hv.Empty())
                continue
            parts = [
                _alone(draws[:, i], dims[i], ends[i], styles[method])
                if i == j
                else _pair(draws[:, [j, i]], (dims[j], dims[i]), ends[[j, i]], styles[method])
                for method, draws in samples.items()
            ]
            marks = [] if truth is None else _marks(truth, i, j)
            panels.append(_small(hv.Overlay([e for part in parts for e in part] + marks)))
    grid = hv.Layout(panels).cols(n)
    return styled(grid, shared_axes=False, bokeh={}, matplotlib={"sublabel_format": ""})


def show_trace(chain, *, n_walkers=8, colour=COLOURS[0]):
    """Show the way of some walkers of a chain, a panel a parameter.

    Parameters
    ----------
    chain : xarray.Dataset, dims ("chain", "draw")
        The group ``posterior`` of what `inference.run_chain` returns.
    n_walkers : int
        Walkers that are drawn.
    colour : str
        Of their lines.

    Returns
    -------
    holoviews.Layout
        A chain that has converged looks alike from end to end, and so do its walkers.
    """
    step, panels = hv.Dimension("draw", label="draw after burn-in"), []
    for i, (name, values) in enumerate(chain.data_vars.items()):
        vdim = hv.Dimension(f"trace_{i}", label=str(name))
        lines = [
            line(values["draw"].values, walker, kdim=step, vdim=vdim, colour=colour, alpha=0.4)
            for walker in values.transpose("chain", "draw").values[:n_walkers]
        ]
        panels.append(
            panel(hv.Overlay(lines), wide=True).opts(frame_height=SIDE, show_legend=False)
        )
    return hv.Layout(panels).cols(1)


def _shown(predictions, styles):
    """Return the methods that have a style, in its order."""
    known = predictions["method"].values.tolist()
    methods = [m for m in styles if m in known]
    if not methods:
        msg = (
            f"posteriors: methods are {', '.join(known)}, expected among {', '.join(styles)}; "
            "pass styles"
        )
        raise ValueError(msg)
    return methods


def _interval(x, quantiles, kdim, vdim, style):
    """Return the median and the 68 % band of one method."""
    low, middle, high = (quantiles.sel(quantile=q).values for q in (0.16, 0.5, 0.84))
    look = {"kdim": kdim, "vdim": vdim, "colour": style.colour}
    return [
        band(x, low, high, **look),
        line(x, middle, **look, dash=style.dash, label=style.label),
    ]


def _alone(draws, dim, ends, style):
    """Return the histogram of one parameter as a curve of unit height."""
    counts, edges = np.histogram(draws, N_CELLS, range=tuple(ends))
    smooth = gaussian_filter(counts.astype(float), SMOOTH)
    share = hv.Dimension("share", label="posterior", range=(0, 1.1))
    look = {"kdim": dim, "vdim": share, "colour": style.colour, "dash": style.dash}
    return [line((edges[1:] + edges[:-1]) / 2, smooth / max(smooth.max(), 1e-300), **look)]


def _pair(draws, dims, ends, style):
    """Return the contours of a pair of parameters."""
    counts, *edges = np.histogram2d(*draws.T, N_CELLS, range=ends)
    smooth = gaussian_filter(counts, SMOOTH).T
    ordered = np.sort(smooth.ravel())[::-1]
    share = np.cumsum(ordered) / max(ordered.sum(), 1e-300)
    middle = [(e[1:] + e[:-1]) / 2 for e in edges]
    shape = hv.Image((*middle, smooth), list(dims), "density")
    parts = []
    for mass in WITHIN:
        level = ordered[min(np.searchsorted(share, mass), ordered.size - 1)]
        ring = contours(shape, levels=[level])
        parts.append(
            styled(
                ring, color=style.colour, cmap=[style.colour],
                bokeh={"line_width": 2, "line_dash": style.dash},
                matplotlib={"linestyle": style.dash},
            )
        )  # fmt: skip
    return parts


def _marks(truth, i, j):
    """Return black lines at the true values."""
    lines = [hv.VLine(float(truth[j]))] + ([hv.HLine(float(truth[i]))] if i != j else [])
    return [
        styled(
            mark, color=TRUTH,
            bokeh={"line_width": 1}, matplotlib={"linewidth": 0.8},
        )
        for mark in lines
    ]  # fmt: skip


def _legend(samples, styles):
    """Return the names of the methods in their colours, for a free corner."""
    names = [
        styled(
            hv.Text(0.0, 1 - 0.2 * i, styles[m].label, halign="left"), color=styles[m].colour,
            bokeh={"text_font_size": "10pt"}, matplotlib={"fontsize": 10},
        )
        for i, m in enumerate(samples)
    ]  # fmt: skip
    return _small(hv.Overlay(names), xaxis=None, yaxis=None, xlim=(0, 1), ylim=(0, 1.1))


def _small(element, **options):
    """Return a panel of a corner plot."""
    return styled(
        element, show_legend=False, xticks=3, yticks=4, **options,
        bokeh={"frame_width": SIDE, "frame_height": SIDE, "active_tools": [], "toolbar": None},
        matplotlib={"aspect": 1, "fig_inches": (2, 2)},
    )  # fmt: skip
