"""What a network reads off a map from outside, and how far that map lies from the training maps.

Each function returns one panel from a file that `prediction.write_prediction` wrote.
"""

import holoviews as hv
import numpy as np

from imtools.counts import FLOOR, log_counts
from imtools.plots.scores import LOG_DN, METHOD_COLOURS
from imtools.plots.style import COLOURS, TRUTH, band, dimension, line, panel, steps, styled

INTERVALS = ((0.025, 0.975), (0.16, 0.84))  # 95 and 68 %
DISTANCE = hv.Dimension("distance", label="distance to the nearest training map")
N_MAPS = hv.Dimension("n_maps", label="maps that the network knows")
N_STEPS = 20  # bins of the histogram of distances


def show_read_off(prediction, truth=None, *, floor=FLOOR, colour=METHOD_COLOURS["network"]):
    """Show the luminosity function that was read off a map.

    Parameters
    ----------
    prediction : xarray.Dataset
        From `prediction.predict_map`, or opened from its file.
    truth : xarray.DataArray, dims ("log_l",), units 1, optional
        True dN of a mock, as black points.
    floor : float
        Sources that an empty bin of `truth` stands for.
    colour : str
        Of the line and its bands.

    Returns
    -------
    holoviews.Overlay
        Median, and the intervals of 68 and 95 %: errors on the validation maps.
    """
    log_dn = prediction["log_dn"]
    x, kdim, panels = log_dn["log_l"].values, dimension(log_dn["log_l"]), []
    labelled = {"kdim": kdim, "vdim": LOG_DN, "colour": colour}
    for low, high in INTERVALS:
        panels.append(band(x, *(log_dn.sel(quantile=q).values for q in (low, high)), **labelled))
    panels.append(line(x, log_dn.sel(quantile=0.5).values, label="network", **labelled))
    if truth is not None:
        dots = hv.Scatter((x, log_counts(truth, floor).values), kdim, LOG_DN, label="truth")
        panels.append(styled(dots, color=TRUTH, bokeh={"size": 4}, matplotlib={"s": 10}))
    return panel(hv.Overlay(panels), legend="bottom_left", title="Luminosity function of the map")


def show_distance(prediction, *, label="this map", colour=METHOD_COLOURS["network"]):
    """Show the distance of a map among those of the maps that a network knows.

    Parameters
    ----------
    prediction : xarray.Dataset
        From `prediction.predict_map`, or opened from its file.
    label : str
        Of the map's own line.
    colour : str
        Of the map's own line.

    Returns
    -------
    holoviews.Overlay
        Number of training and validation maps by their distance to the nearest training map of
        another catalogue; the map as a line.
    """
    known, own = prediction["reference_distance"].values, float(prediction["distance"])
    edges = np.geomspace(0.99 * known.min(), 1.01 * known.max(), N_STEPS + 1)
    numbers = np.histogram(known, edges)[0]
    labelled = {"kdim": DISTANCE, "vdim": N_MAPS}
    top = np.array([0.0, 1.1 * numbers.max()])
    panels = [
        steps(edges, numbers, colour=COLOURS[6], label="known maps", **labelled),
        line(np.full(2, own), top, colour=colour, label=label, **labelled),
    ]
    axes = {"logx": True, "ylim": (0.0, top[1]), "title": "How far out the map lies"}
    return panel(hv.Overlay(panels), legend="top_right", **axes)
