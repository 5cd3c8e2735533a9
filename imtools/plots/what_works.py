"""What trials of networks did: their losses, errors, costs and answers, one panel a function.

A trial keeps its place in the list of names, and with it its colour, from panel to panel.
"""

import holoviews as hv
import numpy as np

from imtools.counts import log_counts
from imtools.plots.style import COLOURS, TRUTH, dimension, line, overlay, panel, styled

BASELINE_DASHES = ("dashed", "dotted", "dashdot")
LOSS = hv.Dimension("trial_loss", label="loss, in units of the target")


def show_losses(outcomes, names, *, against="epoch", title="Loss"):
    """Show the validation loss of some trials, and the training loss as a dashed line.

    Parameters
    ----------
    outcomes : xarray.Dataset
        From `evaluation.trials.run_trials`.
    names : list of str
        Trials, at most as many as there are colours.
    against : {"epoch", "seconds"}
        What the loss falls with.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        Trials with different targets have losses in different units.
    """
    if against not in ("epoch", "seconds"):
        msg = f"show_losses: against is {against!r}, expected 'epoch' or 'seconds'"
        raise ValueError(msg)
    curves = []
    for name, one, colour in _each(outcomes, names):
        one = one.isel(epoch=np.isfinite(one["loss"].values))
        x, kdim = one[against].values, dimension(one[against], against)
        labelled = {"kdim": kdim, "vdim": LOSS, "colour": colour}
        curves.append(line(x, one["loss"].values, dash="dashed", **labelled))
        curves.append(line(x, one["validation_loss"].values, label=name, **labelled))
    return panel(hv.Overlay(curves), wide=True, logy=True, title=title)


def show_errors(outcomes, names, baselines=None, *, title="Error on the test maps"):
    """Show the rms error of some trials against luminosity, on a log axis.

    Parameters
    ----------
    outcomes, names
        As in `show_losses`.
    baselines : dict, optional
        Name to what `evaluation.trials.judge_answers` said of a method that all are compared with.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
        Trials as full lines, baselines in black.
    """
    kdim, vdim = dimension(outcomes["log_l"]), dimension(outcomes["rms"], "rms_error")
    curves = [
        _positive(one["rms"], kdim, vdim, label=name, colour=colour)
        for name, one, colour in _each(outcomes, names)
    ]
    for (name, judged), dash in zip((baselines or {}).items(), BASELINE_DASHES, strict=False):
        curves.append(_positive(judged["rms"], kdim, vdim, label=name, colour=TRUTH, dash=dash))
    return panel(hv.Overlay(curves), wide=True, logy=True, title=title)


def show_costs(outcomes, names, baselines=None, *, title="Error and time"):
    """Show the error of some trials against the time that they were trained for.

    Parameters
    ----------
    outcomes, names, baselines, title
        As in `show_errors`; a baseline is a line across.

    Returns
    -------
    holoviews.Overlay
        Both axes are logarithmic; a trial without an error has no point.
    """
    kdim = dimension(outcomes["seconds"], "training_time")
    vdim = dimension(outcomes["error"], "error")
    dots, times = [], []
    for name, one, colour in _each(outcomes, names):
        if not np.isfinite(one["error"]):
            continue
        times.append(float(one["seconds"].max()))
        dot = hv.Scatter(([times[-1]], [float(one["error"])]), kdim, vdim, label=name)
        sizes = {"bokeh": {"size": 10}, "matplotlib": {"s": 50}}
        dots.append(styled(dot, color=colour, **sizes))
    ends = np.array([min(times) / 2, 2 * max(times)]) if times else np.array([0.5, 2.0])
    for (name, judged), dash in zip((baselines or {}).items(), BASELINE_DASHES, strict=False):
        level = np.full(2, float(judged["error"]))
        labelled = {"kdim": kdim, "vdim": vdim, "colour": TRUTH, "dash": dash}
        dots.append(line(ends, level, label=name, **labelled))
    axes = {"logx": True, "logy": True, "xlim": tuple(ends)}
    return panel(hv.Overlay(dots), wide=True, title=title, **axes)


def show_answers(outcomes, truth, name, log_l, *, floor, limits=None, colour=COLOURS[0]):
    """Show predicted against true numbers of one luminosity bin, a point for each test map.

    Parameters
    ----------
    outcomes : xarray.Dataset
        From `evaluation.trials.run_trials`.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the test maps.
    name : str
        Trial.
    log_l : float
        Luminosity, log10 Lsun; the nearest bin is shown.
    floor : float
        Sources that an empty bin stands for.
    limits : tuple of float, optional
        Range of both axes.
    colour : str
        Of the points.

    Returns
    -------
    holoviews.Overlay
        On the black line an answer is right; a network that answers with the mean whatever it is
        shown lies along a level line.
    """
    at = {"log_l": log_l, "method": "nearest"}
    x = log_counts(truth, floor).sel(**at).values
    y = outcomes["log_dn"].sel(trial=name).sel(**at).values
    centre = float(truth["log_l"].sel(**at))
    kdim = hv.Dimension("true_log_dn", label="log10 of the true number of sources")
    vdim = hv.Dimension("answer", label="log10 of the predicted number of sources")
    shown = np.isfinite(y)
    dots = hv.Scatter((x[shown], y[shown]), kdim, vdim)
    dots = styled(
        dots, color=colour, alpha=0.6, bokeh={"size": 5}, matplotlib={"s": 15},
    )  # fmt: skip
    both = np.concatenate([x, y[shown]])
    room = 0.05 * (np.ptp(both) or 1.0)
    low, high = limits or (both.min() - room, both.max() + room)
    right = line([low, high], [low, high], kdim=kdim, vdim=vdim, colour=TRUTH)
    title = f"{name}, 10^{centre:.2f} Lsun"
    return panel(overlay([right, dots]), xlim=(low, high), ylim=(low, high), title=title)


def _each(outcomes, names):
    """Return (name, outcome, colour) of each trial that is named."""
    names = list(names)
    if len(names) > len(COLOURS):
        msg = f"what_works: {len(names)} trials, expected at most {len(COLOURS)}, one a colour"
        raise ValueError(msg)
    pairs = zip(names, COLOURS, strict=False)
    return [(name, outcomes.sel(trial=name), colour) for name, colour in pairs]


def _positive(values, kdim, vdim, **style):
    """Return a line through the values that a logarithmic axis has a place for."""
    seen = values.where(values > 0)
    return line(seen["log_l"].values, seen.values, kdim=kdim, vdim=vdim, **style)
