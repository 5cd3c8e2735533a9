"""Panels that lay the answers of runs over each other: over maps, as ratios, and their intervals.

Truth is black; a run keeps the colour and dash that it has in `imtools.plots.histories`.
"""

import holoviews as hv
import numpy as np

from imtools.counts import FLOOR, log_counts
from imtools.plots.histories import RMS, look_of
from imtools.plots.predictions import INTERVALS
from imtools.plots.scores import LOG_DN, RATIO
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, panel, styled

COVERAGE = hv.Dimension("coverage", label="share of maps with the truth in the interval")
DASHES = {0.68: "solid", 0.95: "dashed"}


def show_run_ratios(answers, *, method="network", floor=FLOOR):
    """Show the ratio of predicted to true numbers over the test maps of several runs.

    Parameters
    ----------
    answers : dict of str to xarray.Dataset
        By the label of the run, ``log_dn`` and ``counts`` as from `runs.answers.read_answers`.
    method : str
        A method of the scoreboard; runs without it are left out.
    floor : float
        Sources that an empty bin stands for.

    Returns
    -------
    holoviews.Overlay
        Medians over the maps, in bands that hold 68 and 95 % of them, on a log axis.

    Raises
    ------
    ValueError
        If no run has an answer of that method.
    """
    panels = []
    for i, dataset in _of_method(answers, method, "show_run_ratios"):
        log_dn, counts = dataset["log_dn"].sel({"method": method}), dataset["counts"]
        x, kdim = counts["log_l"].values, dimension(log_dn["log_l"])
        error = log_dn.sel(quantile=0.5).values - log_counts(counts, floor).values
        look = {"kdim": kdim, "vdim": RATIO, "colour": look_of(i)["colour"]}
        for low, high in INTERVALS:
            ends = (10 ** np.quantile(error, q, axis=0) for q in (low, high))
            panels.append(band(x, *ends, **look))
        middle = 10 ** np.median(error, axis=0)
        drawn = look | look_of(i)
        panels.append(line(x, middle, label=list(answers)[i], **drawn))
    one = line(x, np.ones(x.size), kdim=kdim, vdim=RATIO, colour=TRUTH, dash="dashed")
    title = "Ratio of numbers over the test maps; bands hold 68 and 95 %"
    return panel(hv.Overlay([*panels, one]), wide=True, logy=True, title=title)


def show_over_maps(answers, *, method="network", floor=FLOOR):
    """Show predicted and true luminosity functions over the test maps of several runs.

    Parameters
    ----------
    answers, method, floor
        As in `show_run_ratios`.

    Returns
    -------
    holoviews.Overlay
        Medians over the maps of the predicted medians, and bands that hold 68 % of the maps; the
        truth in black, once for runs that share their test maps.

    Raises
    ------
    ValueError
        If no run has an answer of that method.
    """
    panels, truths = [], []
    for i, dataset in _of_method(answers, method, "show_over_maps"):
        log_dn = dataset["log_dn"].sel({"method": method, "quantile": 0.5})
        x, kdim = log_dn["log_l"].values, dimension(log_dn["log_l"])
        truth = log_counts(dataset["counts"], floor).values
        if not any(truth.shape == other.shape and (truth == other).all() for other in truths):
            truths.append(truth)
            panels += _over_samples(x, truth, kdim, {"colour": TRUTH}, "truth", alpha=0.1)
        panels += _over_samples(x, log_dn.values, kdim, look_of(i), list(answers)[i])
    title = "Luminosity functions over the test maps; bands hold 68 %"
    return panel(hv.Overlay(panels), wide=True, title=title)


def show_run_coverage(coverage):
    """Show how often the truth lies in the intervals of several runs.

    Parameters
    ----------
    coverage : dict of str to xarray.DataArray, dims ("share", "log_l")
        By the label of the run, from `evaluation.coverage.interval_coverage`.

    Returns
    -------
    holoviews.Overlay
        Solid: the interval of 68 %; dashed: that of 95 %; dotted: what they should hold.
    """
    panels = []
    for i, (label, shares) in enumerate(coverage.items()):
        x, kdim = shares["log_l"].values, dimension(shares["log_l"])
        drawn = {"kdim": kdim, "vdim": COVERAGE, "colour": look_of(i)["colour"]}
        for share in shares["share"].values.tolist():
            name = label if share == min(DASHES) else ""
            values = shares.sel(share=share).values
            panels.append(line(x, values, dash=DASHES[share], label=name, **drawn))
    black = {"kdim": kdim, "vdim": COVERAGE, "colour": TRUTH, "dash": "dotted"}
    panels += [line(x, np.full(x.size, share), **black) for share in DASHES]
    title = "Coverage of the 68 % (solid) and 95 % (dashed) intervals"
    return panel(hv.Overlay(panels), wide=True, ylim=(0, 1.03), title=title)


def show_run_scores(scores, *, method="network", baseline="prior_mean", references=None):
    """Show the rms error of one method run by run, beside a baseline and the one-point reference.

    Parameters
    ----------
    scores : dict of str to xarray.Dataset
        By the label of the run, from `evaluation.score` or ``scores.nc``.
    method, baseline : str
        Methods of the scoreboard; runs without the first are left out. The baseline is that of the
        first run that has one.
    references : dict of str to xarray.Dataset, optional
        By the label of the run, from `evaluation.one_point_reference`.

    Returns
    -------
    holoviews.Overlay
        The panel of `histories.show_run_rms`; grey: the baseline; dotted: the reference of a run.

    Raises
    ------
    ValueError
        If no run has a score of that method.
    """
    from imtools.plots.histories import LOG_L, show_run_rms

    panels, runs = list(show_run_rms(scores, method=method)), list(scores)
    drawn = {"kdim": LOG_L, "vdim": RMS}
    for dataset in scores.values():
        if baseline in dataset["method"].values and baseline != method:
            one = dataset["rms"].sel({"method": baseline, "subset": "all"})
            x, grey = one["log_l"].values, COLOURS[6]
            name = baseline.replace("_", " ")
            panels.append(line(x, _above(one), colour=grey, dash="dashed", label=name, **drawn))
            break
    for label, reference in (references or {}).items():
        look = {"colour": look_of(runs.index(label))["colour"], "dash": "dotted"}
        name = f"one-point reference, {label}" if len(runs) > 1 else "one-point reference"
        x = reference["log_l"].values
        panels.append(line(x, _above(reference["rms"]), label=name, **look, **drawn))
    title = f"Error of {method.replace('_', ' ')}"
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def _above(values):
    """Return values with a gap where a log axis has no place for them."""
    return np.where(values.values > 0, values.values, np.nan)


def _of_method(answers, method, caller):
    """Return number and answers of the runs that have the method."""
    chosen = [
        (i, dataset)
        for i, dataset in enumerate(answers.values())
        if method in dataset["method"].values
    ]
    if not chosen:
        msg = f"{caller}: no run has an answer of {method!r}; give another method, or other runs"
        raise ValueError(msg)
    return chosen


def _over_samples(x, values, kdim, look, label, *, alpha=0.2):
    """Return median and 68 % band over the first axis of `values`."""
    low, middle, high = np.quantile(values, (0.16, 0.5, 0.84), axis=0)
    area = band(x, low, high, kdim=kdim, vdim=LOG_DN, colour=look["colour"])
    curve = line(x, middle, kdim=kdim, vdim=LOG_DN, label=label, **look)
    return [styled(area, alpha=alpha), curve]
