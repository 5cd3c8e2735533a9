"""Do intervals hold what they say? Panels of coverage, ranks, TARP, z-scores and CRPS.

Every panel shows methods in their own colours, from what `evaluation.calibration` returned;
recalibrated ones are dotted. Grey is what a calibrated method may show by chance.
"""

import holoviews as hv
import numpy as np

from imtools.evaluation.calibration.coverage import TARGET
from imtools.evaluation.calibration.tables import RECALIBRATED, label_of
from imtools.plots.noise import LineStyle, show_errors
from imtools.plots.posteriors import POSTERIOR_STYLES
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, overlay, panel, styled

CHANCE = COLOURS[6]  # the band of calibrated methods
MOST_DOTS = 400  # of a method
LARGEST_Z = 5.0  # z-scores beyond stand at the edge


def styles_of(methods, styles=POSTERIOR_STYLES):
    """Return label, colour and dash of each method, as a dict.

    Parameters
    ----------
    methods : sequence of str
        Names of methods; a recalibrated one looks as its own, but dotted.
    styles : dict of str to LineStyle
        Those that are known; others take a colour that is free.
    """
    bare = dict.fromkeys(name.removesuffix(RECALIBRATED) for name in methods)
    unknown = [name for name in bare if name not in styles]
    known = {name: styles[name] for name in bare if name in styles}
    taken = {style.colour for style in known.values()}
    free = [c for c in COLOURS if c not in taken] or COLOURS
    for i, name in enumerate(unknown):
        known[name] = LineStyle(label_of(name), free[i % len(free)])
    looks = {}
    for name in methods:
        own = known[name.removesuffix(RECALIBRATED)]
        if name.endswith(RECALIBRATED):
            own = LineStyle(f"{own.label}, recalibrated", own.colour, "dotted")
        looks[name] = own
    return looks


def show_coverage(calibration, probability=0.68, *, styles=POSTERIOR_STYLES):
    """Show the share of truths within the intervals against luminosity.

    Parameters
    ----------
    calibration : xarray.Dataset
        From `evaluation.calibration.calibrate_all`.
    probability : float
        Of the intervals.
    styles : dict of str to LineStyle
        By method; others take the next colour.

    Returns
    -------
    holoviews.Overlay
        Lines with one-sigma bands from the bootstrap over catalogues. Grey: 3 points on both sides.
    """
    one = calibration.sel(probability=probability)
    x = one["log_l"].values[[0, -1]]
    vdim = hv.Dimension("coverage", label=f"truths in the {100 * probability:g} % interval")
    allowed = np.array([probability - TARGET, probability + TARGET])
    grey = band(
        x, *np.repeat(allowed[:, None], 2, axis=1), kdim=dimension(one["log_l"]), vdim=vdim,
        colour=CHANCE,
    )  # fmt: skip
    curves = show_errors(
        one["coverage"].transpose("method", "log_l").assign_attrs(units="1", long_name=vdim.label),
        one["coverage_error"].transpose("method", "log_l"),
        styles=styles_of(one["method"].values.tolist(), styles), aim=probability, logy=False,
    )  # fmt: skip
    title = f"Coverage of {100 * probability:g} % over {calibration.attrs['n_maps']} maps"
    return panel(overlay([grey, curves]), wide=True, title=title)


def show_ranks(calibration, log_l, *, styles=POSTERIOR_STYLES):
    """Show how ranks of the truth depart from even ones, in the bin nearest to a luminosity.

    Parameters
    ----------
    calibration, styles
        As in `show_coverage`.
    log_l : float
        Log10 of the luminosity [Lsun].

    Returns
    -------
    holoviews.Overlay
        Share of ranks below a place, less the place. A curve like a tilde says that posteriors are
        too wide or too narrow, an arc that they lie too high or too low. Grey: the band that holds
        95 % of calibrated methods at all places and luminosities at once.
    """
    one = calibration.isel(log_l=_nearest(calibration, log_l))
    title = f"Ranks at log10 L = {float(one['log_l']):.2f}"
    return _departures(one, "ecdf_difference", "ecdf_band", title, styles)


def show_tarp(calibration, *, styles=POSTERIOR_STYLES):
    """Show how often the truth lies in regions of given probability, all bins together.

    Parameters
    ----------
    calibration, styles
        As in `show_coverage`.

    Returns
    -------
    holoviews.Overlay
        The share less the probability; grey as in `show_ranks`.
    """
    return _departures(
        calibration, "tarp_difference", "tarp_band", "All bins together (TARP)", styles
    )


def show_rank_histogram(calibration, method, log_l, *, styles=POSTERIOR_STYLES):
    """Show the histogram of the ranks of one method, in the bin nearest to a luminosity.

    Parameters
    ----------
    calibration, log_l, styles
        As in `show_ranks`.
    method : str
        Name of the method.

    Returns
    -------
    holoviews.Overlay
        Numbers over those of even ranks. Grey as in `show_ranks`.
    """
    one = calibration.sel({"method": method}).isel(log_l=_nearest(calibration, log_l))
    style = styles_of([method], styles)[method]
    density, width = one["rank_density"], one["rank_density_band"].values
    n = density.sizes["rank"]
    edges = np.arange(n + 1) / n
    look = {"kdim": dimension(one["rank"]), "vdim": dimension(density)}
    parts = [_step_band(edges, 1 - width, 1 + width, **look)] if np.isfinite(width).all() else []
    values = density.values
    parts.append(
        line(
            edges, np.append(values, values[-1]), interpolation="steps-post", colour=style.colour,
            dash=style.dash, label=style.label, **look,
        )
    )  # fmt: skip
    parts.append(line(edges[[0, -1]], np.ones(2), colour=TRUTH, dash="dotted", **look))
    title = f"{style.label}, log10 L = {float(one['log_l']):.2f}"
    top = max(2.0, 1.1 * float(values.max()))
    return panel(hv.Overlay(parts), ylim=(0.0, top), title=title, show_legend=False)


def show_contraction(calibration, log_l, *, styles=POSTERIOR_STYLES):
    """Show the z-score of maps against the contraction of their posteriors.

    Parameters
    ----------
    calibration, log_l, styles
        As in `show_ranks`.

    Returns
    -------
    holoviews.Overlay
        A dot a map, 400 of a method at most, in the bin nearest to `log_l`; z-scores beyond 5 stand
        at the edge. Right: contraction near 1 and two dots of three between the lines.
    """
    one = calibration.isel(log_l=_nearest(calibration, log_l))
    kdim = hv.Dimension("contraction", label="contraction")
    vdim, dots = hv.Dimension("z_score", label="z-score"), []
    names = one["method"].values.tolist()
    some = slice(None, None, max(1, one.sizes["sample"] // MOST_DOTS))
    lowest = 1.0
    for name, style in styles_of(names, styles).items():
        row = one.sel({"method": name})
        x, y = (row[k].values[some] for k in ("contraction", "z_score"))
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], np.clip(y[known], -LARGEST_Z, LARGEST_Z)
        lowest = min(lowest, *x.tolist()) if x.size else lowest
        marks = hv.Scatter((x, y), kdim, vdim, label=style.label)
        dots.append(
            styled(
                marks, color=style.colour, alpha=0.5, bokeh={"size": 4}, matplotlib={"s": 8}
            )
        )  # fmt: skip
    ends = np.array([min(lowest, 0.0), 1.0])
    sides = [
        line(ends, np.full(2, z), kdim=kdim, vdim=vdim, colour=TRUTH, dash="dotted")
        for z in (-1.0, 1.0)
    ]
    title = f"z-scores at log10 L = {float(one['log_l']):.2f}"
    return panel(hv.Overlay(dots + sides), wide=True, title=title)


def show_crps(calibration, *, styles=POSTERIOR_STYLES):
    """Show the continuous ranked probability score against luminosity; small is good.

    Parameters
    ----------
    calibration, styles
        As in `show_coverage`.

    Returns
    -------
    holoviews.Overlay
        Lines with one-sigma bands from the bootstrap over catalogues; the score of the prior, which
        all maps share, is a dotted black line.
    """
    curves = show_errors(
        calibration["crps"].transpose("method", "log_l").assign_attrs(long_name="CRPS of log10 dN"),
        calibration["crps_error"].transpose("method", "log_l"),
        styles=styles_of(calibration["method"].values.tolist(), styles),
    )  # fmt: skip
    x, prior = calibration["log_l"].values, calibration["crps_prior"].values
    prior = prior if prior.ndim == 1 else prior[0]
    vdim = hv.Dimension("crps", label="CRPS of log10 dN [dex]")
    look = {"kdim": dimension(calibration["log_l"]), "vdim": vdim, "colour": TRUTH}
    dotted = line(
        x,
        np.where(prior > 0, prior, np.nan),
        dash="dotted",
        label="prior, the same for all",
        **look,
    )
    title = f"CRPS over {calibration.attrs['n_maps']} maps"
    return panel(overlay([curves, dotted]), wide=True, logy=True, title=title)


def _nearest(calibration, log_l):
    """Return the number of the bin nearest to a luminosity."""
    return int(np.argmin(np.abs(calibration["log_l"].values - log_l)))


def _departures(one, difference, width, title, styles):
    """Return curves over the places of ranks, about zero, and the band of chance."""
    names, x = one["method"].values.tolist(), one["place"].values
    kdim = dimension(one["place"])
    vdim, parts = hv.Dimension("departure", label="share of maps, less the place"), []
    widest = one[width].transpose("method", "place").values.max(axis=0)
    if np.isfinite(widest).all():
        parts.append(band(x, -widest, widest, kdim=kdim, vdim=vdim, colour=CHANCE))
    for name, style in styles_of(names, styles).items():
        y = one[difference].sel({"method": name}).values
        look = {"kdim": kdim, "vdim": vdim, "colour": style.colour, "dash": style.dash}
        parts.append(line(x, y, label=style.label, **look))
    parts.append(line(x[[0, -1]], np.zeros(2), kdim=kdim, vdim=vdim, colour=TRUTH, dash="dotted"))
    return panel(hv.Overlay(parts), wide=True, title=title)


def _step_band(edges, low, high, *, kdim, vdim):
    """Return the area between two histograms."""
    x = np.repeat(edges, 2)[1:-1]
    low, high = (np.repeat(v, 2) for v in (np.maximum(low, 0), high))
    return band(x, low, high, kdim=kdim, vdim=vdim, colour=CHANCE)
