"""Where a prediction goes to: a file, and words."""

from pathlib import Path

import numpy as np

from imtools.counts import QUOTED_LOG_L, quoted_bins
from imtools.run_folder import write_netcdf

FILE = "luminosity_function.nc"
INTERVAL = (0.16, 0.5, 0.84)  # quantiles of a 68 % interval and its middle


def write_prediction(prediction, folder, *, overwrite=False):
    """Write what `predict_map` returned as ``luminosity_function.nc``, and return its path."""
    path = Path(folder) / FILE
    write_netcdf(prediction, path, overwrite=overwrite)
    return path


def format_prediction(prediction):
    """Return a prediction in words: counts with their 68 % intervals, and the map's distance.

    Parameters
    ----------
    prediction : xarray.Dataset
        From `predict_map`.

    Returns
    -------
    str
        One line for each luminosity that scores are quoted at: the mean of the two bins there.
    """
    bounds = prediction["log_l_bounds"].values
    edges = np.append(bounds[:, 0], bounds[-1, 1])
    rows = prediction["log_dn"].sel(quantile=list(INTERVAL))
    lines = ["log10 L   log10 dN   68 % interval"]
    for log_l in QUOTED_LOG_L:
        if edges[0] <= log_l <= edges[-1]:
            quoted = rows.isel(log_l=list(quoted_bins(edges, log_l)))
            low, middle, high = quoted.mean("log_l").values
            lines.append(f"{log_l:7.1f}   {middle:8.2f}   {low:.2f} to {high:.2f}")
    lines.append(
        f"distance to the training maps {float(prediction['distance']):.3g}, more than "
        f"{float(prediction['distance_quantile']):.1%} of {prediction.sizes['reference']} maps "
        "the network knows"
    )
    return "\n".join(lines)
