"""Panels of the scoreboard: loss history, errors by luminosity, predicted against true counts.

Truth is black, and each method keeps one colour in every figure.
"""

import holoviews as hv
import numpy as np

from imtools.counts import FLOOR, QUOTED_LOG_L, log_counts
from imtools.evaluation import LABELS
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, open_circles, panel, styled

METHOD_COLOURS = {
    "histogram_regression": COLOURS[0],
    "network": COLOURS[1],
    "published_cnn": COLOURS[2],
    "prior_mean": COLOURS[6],
    "ridge_multiscale": COLOURS[3],
    "ridge_vid": COLOURS[4],
    "ridge_pk": COLOURS[5],
    "ridge_vid_pk": "#332288",  # an eighth colour, dark, that colour-blind eyes tell apart
    "ridge_histogram": "#999933",
}
SHARE = (0.16, 0.5, 0.84)  # the median and a band that holds 68 %
RMS = hv.Dimension("rms", label="rms error of log10 dN [dex]")
LOG_DN = hv.Dimension("log_dn", label="log10 dN, sources in a bin")
RATIO = hv.Dimension("ratio", label="predicted / true dN")
LOSS = hv.Dimension("loss", label="mean squared error, bins in units of their spread")


def show_history(history):
    """Show training and validation loss against epoch.

    Parameters
    ----------
    history : dict of numpy.ndarray
        Columns of ``history.csv`` (`run_folder.read_rows`): ``member``, ``epoch``, ``loss``,
        ``validation_loss`` and, in those of trainings that can be resumed, ``seam``.

    Returns
    -------
    holoviews.Overlay
        A pair of curves for each network of an ensemble; the training loss is that of an epoch's
        batches while the network changes, with dropout. An open circle is the first epoch of a
        training that was resumed.
    """
    curves, circles, kdim = [], [], hv.Dimension("epoch")
    seams = history.get("seam", np.zeros(history["epoch"].size)) > 0
    for name, label, colour in (
        ("loss", "training", COLOURS[6]),
        ("validation_loss", "validation", METHOD_COLOURS["network"]),
    ):
        for member in np.unique(history["member"]):
            rows = history["member"] == member
            x, y = history["epoch"][rows] + 1, history[name][rows]
            curves.append(line(x, y, kdim=kdim, vdim=LOSS, colour=colour, label=label))
        if seams.any():
            x, y = history["epoch"][seams] + 1, history[name][seams]
            circle = hv.Scatter((x, y), kdim, LOSS, label=f"{label}, resumed")
            circles.append(open_circles(circle, colour))
    return panel(hv.Overlay(curves + circles), wide=True, logy=True, title="Loss history")


def show_rms(scores, published=None, *, subset="all"):
    """Show the rms error against luminosity, with one-sigma bootstrap bands over catalogues.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.score`.
    published : dict, optional
        From `evaluation.published_scores`; entered as points at the quoted luminosities.
    subset : {"all", "ten_or_more"}
        Bins that are scored.

    Returns
    -------
    holoviews.Overlay
    """
    one, kdim, panels = scores.sel(subset=subset), dimension(scores["log_l"]), []
    for method in one["method"].values.tolist():
        row = one.sel({"method": method})
        row = row.isel(log_l=np.isfinite(row["rms"].values))
        x, rms, error = (row[name].values for name in ("log_l", "rms", "rms_error"))
        labelled = {"kdim": kdim, "vdim": RMS, "colour": METHOD_COLOURS.get(method, TRUTH)}
        if np.isfinite(error).all():  # one catalogue alone has no error
            low = np.maximum(rms - error, rms / 10)  # a log axis has no zero
            panels.append(band(x, low, rms + error, **labelled))
        panels.append(line(x, rms, label=LABELS.get(method, method), **labelled))
    if published is not None:
        label = f"{LABELS['published_cnn']}, its own mocks"
        dots = hv.Scatter((QUOTED_LOG_L, published["rms"]), kdim, RMS, label=label)
        colour = METHOD_COLOURS["published_cnn"]
        panels.append(styled(dots, color=colour, bokeh={"size": 9}, matplotlib={"s": 40}))
    title = f"Error on {scores.attrs['n_maps']} test maps"
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def show_prediction(predictions, truth, sample, *, floor=FLOOR):
    """Show the predicted and the true luminosity function of one map.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l")
        Quantiles of log10 dN.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN.
    sample : int
        Number of the map.
    floor : float
        Sources that an empty bin stands for.

    Returns
    -------
    holoviews.Overlay
        Medians with their 68 % intervals; the truth as black points.
    """
    x, kdim, panels = predictions["log_l"].values, dimension(truth["log_l"]), []
    for method in predictions["method"].values.tolist():
        one = predictions.sel({"method": method}).isel(sample=sample)
        low, middle, high = (one.sel(quantile=q).values for q in SHARE)
        labelled = {"kdim": kdim, "vdim": LOG_DN, "colour": METHOD_COLOURS.get(method, TRUTH)}
        panels.append(band(x, low, high, **labelled))
        panels.append(line(x, middle, label=LABELS.get(method, method), **labelled))
    values = log_counts(truth.isel(sample=sample), floor).values
    dots = hv.Scatter((x, values), kdim, LOG_DN, label="truth")
    panels.append(styled(dots, color=TRUTH, bokeh={"size": 4}, matplotlib={"s": 10}))
    free = "bottom_left" if values[0] > values[-1] else "top_left"  # most functions fall
    few = predictions.sizes["method"] <= 4  # more would hide the curves
    legend = free if few else "right"
    return panel(hv.Overlay(panels), legend=legend, title=f"Test map {sample}")


def show_ratio(predictions, truth, *, floor=FLOOR):
    """Show the ratio of predicted to true numbers over all maps, on a log axis.

    Parameters
    ----------
    predictions, truth, floor
        As in `show_prediction`.

    Returns
    -------
    holoviews.Overlay
        Medians over the maps, and bands that hold 68 % of them.
    """
    x, kdim, log_truth = truth["log_l"].values, dimension(truth["log_l"]), log_counts(truth, floor)
    one = np.ones(x.size)
    panels = [line(x, one, kdim=kdim, vdim=RATIO, colour=TRUTH, dash="dashed")]
    for method in predictions["method"].values.tolist():
        error = predictions.sel({"method": method, "quantile": 0.5}).values - log_truth.values
        low, middle, high = 10 ** np.quantile(error, SHARE, axis=0)
        labelled = {"kdim": kdim, "vdim": RATIO, "colour": METHOD_COLOURS.get(method, TRUTH)}
        panels.append(band(x, low, high, **labelled))
        panels.append(line(x, middle, label=LABELS.get(method, method), **labelled))
    title = f"Ratio of numbers over {truth.sizes['sample']} test maps"
    return panel(hv.Overlay(panels), wide=True, logy=True, title=title)


def spread_samples(truth, n):
    """Return the numbers of `n` maps, from the one with the fewest sources to that with the most.

    Parameters
    ----------
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN.
    n : int
        How many.
    """
    order = np.argsort(truth.sum("log_l").values)
    return order[np.linspace(0, order.size - 1, n).round().astype(int)].tolist()
