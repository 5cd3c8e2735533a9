"""Methods on maps that are not as in training: their coverage, their errors, and who would know.

Each function returns one panel from what `evaluation.misspecification.judge_elsewhere` returned.
"""

import holoviews as hv
import numpy as np

from imtools.plots.calibration import styles_of
from imtools.plots.noise import show_errors
from imtools.plots.posteriors import POSTERIOR_STYLES
from imtools.plots.style import TRUTH, line, open_circles, overlay, panel, points

SPREAD = 0.5  # of a set's place along the axis, that its methods share
QUANTITIES = ("bias", "rms")
SET = hv.Dimension("set", label="maps")


def show_coverage_elsewhere(judged, probability=0.68, *, styles=POSTERIOR_STYLES):
    """Show how many truths the intervals hold on each set of maps, over all bins.

    Parameters
    ----------
    judged : xarray.Dataset
        From `judge_elsewhere`.
    probability : float
        Of the intervals.
    styles : dict of str to LineStyle
        By method; others take a colour that is free.

    Returns
    -------
    holoviews.Overlay
        A point a method with its bootstrap error; open circles are the share of maps that lie
        outside the training set, so that a user is warned.
    """
    one = judged.sel(probability=probability)
    sets, names = one["set"].values.tolist(), one["method"].values.tolist()
    label = f"truths in the {100 * probability:g} % interval, and share of maps flagged"
    look, parts = {"kdim": SET, "vdim": hv.Dimension("share", label=label)}, []
    middle, step = np.arange(len(sets)), SPREAD / len(names)
    for i, (name, style) in enumerate(styles_of(names, styles).items()):
        row = one.sel({"method": name}).transpose("set", ...)
        x = middle + step * (i - (len(names) - 1) / 2)
        share, error = row["mean_coverage"].values, row["mean_coverage_error"].fillna(0).values
        parts.append(points(x, share, error, colour=style.colour, label=style.label, **look))
    flagged = one["flagged"].values
    known = np.isfinite(flagged)
    if known.any():
        dots = hv.Scatter((middle[known], flagged[known]), SET, look["vdim"], label="flagged")
        parts.append(open_circles(dots, TRUTH))
    ends = np.array([-0.5, len(sets) - 0.5])
    parts.append(line(ends, np.full(2, probability), colour=TRUTH, dash="dotted", **look))
    axes = {"xticks": list(zip(middle.tolist(), sets, strict=True)), "ylim": (-0.03, 1.03)}
    return panel(overlay(parts), wide=True, xlim=tuple(ends), title="Coverage elsewhere", **axes)


def show_errors_elsewhere(judged, name, quantity="bias", *, styles=POSTERIOR_STYLES):
    """Show the error of each method against luminosity, on one set of maps.

    Parameters
    ----------
    judged, styles
        As in `show_coverage_elsewhere`.
    name : str
        Of the set.
    quantity : {"bias", "rms"}
        Mean, or root mean square.

    Returns
    -------
    holoviews.Overlay
        Lines with one-sigma bands from the bootstrap over catalogues; no bias is dotted.

    Raises
    ------
    ValueError
        If the quantity is neither.
    """
    if quantity not in QUANTITIES:
        known = " or ".join(QUANTITIES)
        msg = f"show_errors_elsewhere: quantity is {quantity!r}, expected {known}"
        raise ValueError(msg)
    one, is_rms = judged.sel({"set": name}), quantity == "rms"
    values, error = (one[k].transpose("method", "log_l") for k in (quantity, f"{quantity}_error"))
    return show_errors(
        values, error, styles=styles_of(one["method"].values.tolist(), styles),
        aim=None if is_rms else 0.0, logy=is_rms, title=f"{quantity} on {name}",
    )  # fmt: skip
