"""What came of the tests of memorising, a panel a test, and answers to maps without signal.

Each function takes an outcome of `evaluation.memorisation`. Truth is black; of two curves of one
kind, the one that a reader of maps would have is blue.
"""

import holoviews as hv
import numpy as np

from imtools.plots.scores import LOG_DN
from imtools.plots.style import COLOURS, SIZE, TRUTH, WIDE, band, dimension, line, panel, styled

GOOD, BAD, GREY = COLOURS[0], COLOURS[1], COLOURS[6]
ERROR = hv.Dimension("error", label="rms error of log10 dN [dex]")
CHANGE = hv.Dimension("change", label="rms change of log10 dN [dex]")
SPREAD = hv.Dimension("spread", label="spread of log10 dN over maps [dex]")
CORRELATION = hv.Dimension("correlation", label="correlation of answer and truth")
FILLED = hv.Dimension("filled", label="share of voxels that are not empty")
ABOVE = 1.5  # dex above the training maps, where the axis of counts ends
LOWEST = -2.0  # log10 dN; a hundredth of a source is none
FAINTEST = 1e-3  # dex, where a log axis of errors ends


def smooth_answer(log_dn, log_l, *, width=0.25):
    """Return a luminosity function smoothed along log L.

    Parameters
    ----------
    log_dn, log_l : array_like, shape (log_l,)
        log10 dN and the bin centres.
    width : float
        Standard deviation of the Gaussian [dex of luminosity]; the bins within it are weighted
        about a straight line, so that a slope stays as it is up to the ends.

    Returns
    -------
    numpy.ndarray, shape (log_l,)

    Examples
    --------
    >>> x = np.linspace(3.5, 7, 50)
    >>> bool(np.allclose(smooth_answer(4 - x, x), 4 - x))
    True
    """
    log_dn, log_l = np.asarray(log_dn, dtype=float), np.asarray(log_l, dtype=float)
    smooth = np.empty(log_l.size)
    for i, x in enumerate(log_l):
        weight = np.exp(-0.25 * ((log_l - x) / width) ** 2)  # polyfit squares its weights
        smooth[i] = np.polyfit(log_l - x, log_dn, 1, w=weight)[1]
    return smooth


def show_blank(outcome, *, smooth=0.0, title="Maps without signal"):
    """Show the answers to a blank map and to noise beside the mean of the training maps.

    Parameters
    ----------
    outcome : xarray.Dataset
        From `blank_sky`.
    smooth : float
        Show the answer to the blank map smoothed over so many dex too, where above 0.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        Grey: the training maps, their mean and one standard deviation. Below the dotted line there
        is less than one source in a bin.
    """
    x, kdim = outcome["log_l"].values, dimension(outcome["log_l"])
    prior, width = outcome["prior"].values, outcome["prior_width"].values
    look = {"kdim": kdim, "vdim": LOG_DN}
    panels = [
        band(x, prior - width, prior + width, colour=GREY, **look),
        line(x, prior, colour=GREY, label="training maps", **look),
        line(x, 0 * x, colour=TRUTH, dash="dotted", label="one source", **look),
    ]
    for sky, label, colour in (("blank", "blank map", BAD), ("noise", "noise alone", COLOURS[4])):
        if sky in outcome["sky"].values:
            log_dn = outcome["log_dn"].sel(sky=sky).values
            panels.append(line(x, log_dn, colour=colour, label=label, **look))
            if sky == "blank" and smooth > 0:
                label = f"blank map, smoothed over {smooth:g} dex"
                smoothed = smooth_answer(log_dn, x, width=smooth)
                panels.append(
                    line(x, smoothed, colour=COLOURS[3], dash="dashed", label=label, **look)
                )
    top = float(prior.max()) + ABOVE  # some answers are beyond any number of sources
    return panel(hv.Overlay(panels), wide=True, title=title, ylim=(LOWEST, top))


def show_spread(outcome, *, title="Spread over maps"):
    """Show how far answers spread over maps and how far the truth does.

    Parameters
    ----------
    outcome : xarray.Dataset
        From `spread` or `fixed_parameters`.
    title : str
        Of the panel.
    """
    curves = {"truth": ("spread_truth", TRUTH), "answers": ("spread_predicted", GOOD)}
    return _over_log_l(outcome, curves, SPREAD, title)


def show_correlation(outcome, *, title="Correlation at fixed parameters"):
    """Show the correlation of answer and truth; dotted: what chance alone may give.

    Parameters
    ----------
    outcome : xarray.Dataset
        From `spread` or `fixed_parameters`.
    title : str
        Of the panel.
    """
    x, kdim = outcome["log_l"].values, dimension(outcome["log_l"])
    values = outcome["correlation"].values
    known, look = np.isfinite(values), {"kdim": kdim, "vdim": CORRELATION}
    panels = [line(x[known], values[known], colour=GOOD, label="answers", **look)]
    if "needed" in outcome:
        chance = np.full(x.size, float(outcome["needed"]))
        panels.append(line(x, chance, colour=TRUTH, dash="dotted", label="chance", **look))
    return panel(hv.Overlay(panels), wide=True, title=title, ylim=(-1.05, 1.05))


def show_swapped(outcome, *, title="Answers given to other maps of the catalogue"):
    """Show the error against the own map and against another of the same haloes."""
    curves = {"own map": ("error_own", GOOD), "another map": ("error_other", BAD)}
    return _over_log_l(outcome, curves, ERROR, title)


def show_unseen(outcome, *, title="Training maps and maps never seen"):
    """Show the error on training maps and on maps never seen."""
    curves = {"never seen": ("error_unseen", GOOD), "training maps": ("error_seen", BAD)}
    return _over_log_l(outcome, curves, ERROR, title)


def show_shuffled(outcome, *, title="Maps turned and shuffled"):
    """Show how far the answer moves when a map is shuffled, beside its error (black)."""
    change = np.maximum(outcome["change"], 1.01 * FAINTEST)  # no change lies at the end of the axis
    rows = {str(k): change.sel(shuffle=k) for k in outcome["shuffle"].values}
    return _rows(outcome, rows, CHANGE, title, {"error": outcome["error"]})


def show_levels(outcome, *, title=""):
    """Show the error at levels of noise or foregrounds, beside the spread of the truth (black).

    Parameters
    ----------
    outcome : xarray.Dataset
        From `noise_levels` or `foreground_levels`.
    title : str
        Of the panel; by default what the levels are.
    """
    level = outcome["level"]
    units = "" if level.attrs["units"] == "1" else f" {level.attrs['units']}"
    rows = {f"{v:.3g}{units}": outcome["error"].isel(level=i) for i, v in enumerate(level.values)}
    title = title or level.attrs["long_name"].capitalize()
    return _rows(outcome, rows, ERROR, title, {"spread of truth": outcome["spread_truth"]})


def show_families(outcome, *, title="Other luminosity models"):
    """Show the error on maps of each family of luminosity models."""
    rows = {str(k): outcome["error"].sel(family=k) for k in outcome["family"].values}
    return _rows(outcome, rows, ERROR, title, {})


def show_leakage(outcome, *, title="Splits made wrong on purpose"):
    """Show the error on the same maps, after training on a right split and on wrong ones."""
    error = np.maximum(outcome["error"], 1.01 * FAINTEST)  # none lies at the end of the axis
    rows = {str(k): error.sel(split=k) for k in outcome["split"].values}
    return _rows(outcome, rows, ERROR, title, {})


def show_matrix(matrix, *, title="rms error of log10 dN [dex]"):
    """Show trained on one family, asked about another, as a table in colours.

    Parameters
    ----------
    matrix : xarray.DataArray, dims ("trained", "family"), units dex
        Such as ``typical`` of `family_matrix`.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        Colours end at 0.01 and 3 dex. A cell without a number has no bin of 30 sources.
    """
    trained, family = (matrix[k].values.tolist() for k in ("trained", "family"))
    x, y = np.arange(len(family)), np.arange(len(trained))
    kdims = [hv.Dimension("family", label="maps of"), hv.Dimension("trained", label="trained on")]
    mesh = hv.QuadMesh((x, y, matrix.values), kdims, hv.Dimension("matrix", label=title))
    cells = [(i, j, value) for j, row in enumerate(matrix.values) for i, value in enumerate(row)]
    numbers = [(i, j, f"{value:.2g}") for i, j, value in cells if np.isfinite(value)]
    labels = hv.Labels(numbers, kdims, "number")
    # colours for the number's own size, so one step is one factor
    mesh = styled(
        mesh, cmap="Oranges", clim=(0.01, 3.0), cnorm="log", colorbar=True, title=title,
        bokeh={
            "frame_width": WIDE - 100, "frame_height": SIZE, "tools": ["hover"],
            "fontsize": {"clabel": "8pt"},
        },
        matplotlib={"fig_inches": (8, 4.5), "aspect": "auto"},
    )  # fmt: skip
    labels = styled(
        labels, bokeh={"text_font_size": "9pt", "text_color": TRUTH},
        matplotlib={"size": 9, "color": TRUTH},
    )  # fmt: skip
    names = {"xticks": _named(family), "yticks": _named(trained), "xrotation": 40}
    return styled(mesh * labels, invert_yaxis=True, **names)


def show_filled(shares, *, title="Filled voxels"):
    """Show the share of voxels that hold anything, against the number of pixels along a side.

    Parameters
    ----------
    shares : xarray.DataArray, dims ("channels", "n_pix"), units 1
        With these numbers as coordinates.
    title : str
        Of the panel.
    """
    kdim = hv.Dimension("n_pix", label="pixels along a side")
    panels = [
        line(
            shares["n_pix"].values, row.values, kdim=kdim, vdim=FILLED, colour=COLOURS[i],
            label=f"{int(row['channels'])} channels",
        )
        for i, row in enumerate(shares)
    ]  # fmt: skip
    return panel(hv.Overlay(panels), title=title, ylim=(0, 1.02), legend="bottom_left")


PANELS = {
    "blank": show_blank,
    "spread": show_spread,
    "swapped": show_swapped,
    "shuffled": show_shuffled,
    "unseen": show_unseen,
    "fixed_parameters": show_correlation,
    "noise": show_levels,
    "foregrounds": show_levels,
    "families": show_families,
    "leakage": show_leakage,
}


def show_outcome(outcome):
    """Show the outcome of any test, in the panel of its kind."""
    test = outcome.attrs.get("test")
    if test == "matrix":
        return show_matrix(outcome["typical"])
    if test not in PANELS:
        msg = f"show_outcome: test is {test!r}, expected one of {', '.join(PANELS)}, matrix"
        raise ValueError(msg)
    return PANELS[test](outcome)


def _named(names):
    return list(enumerate(names))


def _over_log_l(outcome, curves, vdim, title):
    """Return curves of some variables; `curves` maps label to (variable, colour)."""
    kdim = dimension(outcome["log_l"])
    panels = [
        _curve(outcome["log_l"].values, outcome[name].values, kdim, vdim, colour, label)
        for label, (name, colour) in curves.items()
    ]
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def _rows(outcome, rows, vdim, title, black):
    """Return a curve a row, in colours, and those in `black` dashed."""
    x, kdim = outcome["log_l"].values, dimension(outcome["log_l"])
    panels = [
        _curve(x, row.values, kdim, vdim, COLOURS[i % len(COLOURS)], label)
        for i, (label, row) in enumerate(rows.items())
    ]
    panels += [
        _curve(x, row.values, kdim, vdim, TRUTH, label, dash="dashed")
        for label, row in black.items()
    ]
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def _curve(x, y, kdim, vdim, colour, label, dash="solid"):
    """Return a curve on a log axis, with a gap where nothing is known or nothing moves."""
    y = np.where(np.isfinite(y) & (y > FAINTEST), y, np.nan)
    return line(x, y, kdim=kdim, vdim=vdim, colour=colour, label=label, dash=dash)
