"""Panels that lay runs over each other: how each was trained, and what it scored.

A run keeps one colour in every panel; beyond seven runs, colours return with other dashes.
"""

import holoviews as hv
import numpy as np

from imtools.plots.style import COLOURS, band, line, open_circles, panel

DASHES = ("solid", "dashed", "dotted", "dashdot")
LOSSES = {
    "validation_loss": hv.Dimension("validation_loss", label="validation loss"),
    "loss": hv.Dimension("loss", label="training loss"),
}
EPOCH = hv.Dimension("epoch")
LOG_L = hv.Dimension("log_l", label="log10 CO luminosity [log10 Lsun]")
RMS = hv.Dimension("rms", label="rms error of log10 dN [dex]")


def show_histories(histories, *, quantity="validation_loss", smooth=1):
    """Show a loss of several runs against epoch, with the epochs where a run was resumed.

    Parameters
    ----------
    histories : dict of str to dict of numpy.ndarray
        By the label of the run, columns of its ``history.csv`` (`run_folder.read_rows`):
        ``member``, ``epoch``, the quantity and, where a run was resumed, ``seam``, which is not 0
        in the first row of what was added.
    quantity : {"validation_loss", "loss"}
        Column that is shown.
    smooth : int
        Epochs over which the logarithm is averaged; 1 shows each as it is.

    Returns
    -------
    holoviews.Overlay
        A curve for each network of an ensemble, on a log axis; an open circle is a seam.

    Raises
    ------
    ValueError
        If the quantity is not one of them, or no run has a loss above 0.
    """
    if quantity not in LOSSES:
        msg = f"show_histories: quantity is {quantity!r}, expected one of {', '.join(LOSSES)}"
        raise ValueError(msg)
    curves, seams, vdim = [], [], LOSSES[quantity]
    for i, (label, history) in enumerate(histories.items()):
        for member in np.unique(history["member"]):
            rows = (history["member"] == member) & (history[quantity] > 0)  # a log axis has no 0
            x, y = history["epoch"][rows] + 1, smoothed(history[quantity][rows], smooth)
            curves.append(line(x, y, kdim=EPOCH, vdim=vdim, label=label, **look_of(i)))
            at = history.get("seam", np.zeros(history["epoch"].size))[rows] > 0
            if at.any():
                dots = hv.Scatter((x[at], y[at]), EPOCH, vdim)
                seams.append(open_circles(dots, look_of(i)["colour"]))
    if not any(len(curve) for curve in curves):
        msg = "show_histories: no run has a loss above 0; give runs that trained a network"
        raise ValueError(msg)
    overlay = hv.Overlay([*curves, *seams])
    return panel(overlay, wide=True, logy=True, title=vdim.label.capitalize())


def show_run_rms(scores, *, method="network"):
    """Show the rms error of one method against luminosity, run by run.

    Parameters
    ----------
    scores : dict of str to xarray.Dataset
        By the label of the run, from `evaluation.score` or ``scores.nc``.
    method : str
        A method of the scoreboard; runs without it are left out.

    Returns
    -------
    holoviews.Overlay
        Errors in all bins, with one-sigma bootstrap bands over catalogues, on a log axis.

    Raises
    ------
    ValueError
        If no run has a score of that method.
    """
    panels = []
    for i, (label, dataset) in enumerate(scores.items()):
        if method not in dataset["method"].values:
            continue
        one = dataset.sel({"method": method, "subset": "all"})
        one = one.isel(log_l=(one["rms"] > 0).values)
        x, rms, error = (one[name].values for name in ("log_l", "rms", "rms_error"))
        if x.size and np.isfinite(error).all():  # one catalogue alone has no error
            low = np.maximum(rms - error, rms / 10)  # a log axis has no zero
            drawn = {"kdim": LOG_L, "vdim": RMS, "colour": look_of(i)["colour"]}
            panels.append(band(x, low, rms + error, **drawn))
        if x.size:
            panels.append(line(x, rms, kdim=LOG_L, vdim=RMS, label=label, **look_of(i)))
    if not panels:
        msg = f"show_run_rms: no run has a score of {method!r}; give another method, or other runs"
        raise ValueError(msg)
    return panel(hv.Overlay(panels), wide=True, logy=True, title=f"Error of {method}")


def smoothed(loss, n):
    """Return a loss whose logarithm is the mean over `n` epochs about each, fewer at the ends.

    Examples
    --------
    >>> smoothed(np.array([1.0, 100.0, 1.0]), 3).round(2).tolist()
    [10.0, 4.64, 10.0]
    """
    window = np.ones(max(1, min(n, 2 * loss.size - 1)) // 2 * 2 + 1)  # odd, about each epoch
    if window.size == 1 or not loss.size:
        return loss
    sums = [np.convolve(v, window, mode="full") for v in (np.log(loss), np.ones(loss.size))]
    half = window.size // 2
    return np.exp(sums[0][half : half + loss.size] / sums[1][half : half + loss.size])


def look_of(i):
    """Return colour and dash of run number `i`."""
    return {
        "colour": COLOURS[i % len(COLOURS)],
        "dash": DASHES[i // len(COLOURS) % len(DASHES)],
    }
