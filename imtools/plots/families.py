"""Panels of several luminosity models in one data set: true functions, answers and errors apart."""

import holoviews as hv
import numpy as np

from imtools.counts import FLOOR, log_counts
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, panel

SHARE = (0.16, 0.5, 0.84)  # the median and a band that holds 68 %
LOG_DN = hv.Dimension("log_dn", label="log10 dN, sources in a bin")
RMS = hv.Dimension("rms", label="rms error of log10 dN [dex]")


def colours_of(names):
    """Return one colour a name, in order, as a dict."""
    return {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}


def show_family_counts(truth, family, *, floor=FLOOR, title="True counts"):
    """Show the counts of each luminosity model: their median and a band that holds 68 % of maps.

    Parameters
    ----------
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN.
    family : array_like of str, shape (sample,)
        Luminosity model of each map.
    floor : float
        Sources that an empty bin stands for.
    title : str
        Of the panel.

    Returns
    -------
    holoviews.Overlay
    """
    family, kdim = np.asarray(family), dimension(truth["log_l"])
    values, x, panels = log_counts(truth, floor).values, truth["log_l"].values, []
    for name, colour in colours_of(dict.fromkeys(family.tolist())).items():
        low, middle, high = np.quantile(values[family == name], SHARE, axis=0)
        labelled = {"kdim": kdim, "vdim": LOG_DN, "colour": colour}
        panels += [band(x, low, high, **labelled), line(x, middle, label=name, **labelled)]
    return panel(hv.Overlay(panels), title=title)


def show_answers(predictions, truth, family, name, *, colours=None, floor=FLOOR):
    """Show what each method says of the maps of one luminosity model.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l")
        Quantiles of log10 dN; their medians are shown.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN.
    family : array_like of str, shape (sample,)
        Luminosity model of each map.
    name : str
        Which of them.
    colours : dict, optional
        From method to colour, one for each in every figure.
    floor : float
        Sources that an empty bin stands for.

    Returns
    -------
    holoviews.Overlay
        Medians over the maps, with bands that hold 68 % of them; the truth is black.
    """
    own, kdim, x = np.asarray(family) == name, dimension(truth["log_l"]), truth["log_l"].values
    methods = predictions["method"].values.tolist()
    rows = {"truth": log_counts(truth, floor).values[own]}
    for method in methods:
        rows[method] = predictions.sel({"method": method, "quantile": 0.5}).values[own]
    colours = {"truth": TRUTH} | (colours or colours_of(methods))
    panels = []
    for label, values in rows.items():
        low, middle, high = np.quantile(values, SHARE, axis=0)
        labelled = {"kdim": kdim, "vdim": LOG_DN, "colour": colours[label]}
        panels += [band(x, low, high, **labelled), line(x, middle, label=label, **labelled)]
    return panel(hv.Overlay(panels), title=f"{int(own.sum())} maps of {name}")


def show_family_errors(scores, name, *, colours=None):
    """Show the rms error of each method against luminosity, on the maps of one luminosity model.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.families.score_by_family`.
    name : str
        Luminosity model.
    colours : dict, optional
        From method to colour.

    Returns
    -------
    holoviews.Overlay
    """
    one, kdim = scores["rms"].sel(family=name), dimension(scores["log_l"])
    methods = scores["method"].values.tolist()
    colours = colours or colours_of(methods)
    curves = []
    for method in methods:
        y = one.sel({"method": method}).values
        y = np.where(y > 0, y, np.nan)  # a log axis has no zero
        style = {"kdim": kdim, "vdim": RMS, "colour": colours[method], "label": method}
        curves.append(line(scores["log_l"].values, y, **style))
    return panel(hv.Overlay(curves), logy=True, title=f"Errors on maps of {name}")
