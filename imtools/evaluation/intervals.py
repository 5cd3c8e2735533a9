"""How wide the intervals of a method are, and how much wider than another's.

A narrow interval is worth nothing where it misses the truth: read widths beside coverage, see
`evaluation.calibration`.
"""

import numpy as np
import xarray as xr

from imtools.counts import QUOTED_LOG_L, quoted_bins
from imtools.evaluation.calibration.tables import label_of

SIGMA = (0.16, 0.84)  # quantiles of a 68 % interval
SHOWN = ("width", "ratio")  # columns of the table


def half_widths(predictions):
    """Return half the width of the 68 % interval of each map.

    Parameters
    ----------
    predictions : xarray.DataArray, dims (..., "quantile", "log_l"), units log10(1)
        Quantiles of log10 dN, from `estimators.predict_all`.

    Returns
    -------
    xarray.DataArray, dims (..., "log_l"), units dex
        What would be one sigma of a Gaussian posterior.
    """
    low, high = (predictions.sel(quantile=q, drop=True) for q in SIGMA)
    attrs = {"units": "dex", "long_name": "half width of the 68 % interval of log10 dN"}
    return ((high - low) / 2).rename("half_width").assign_attrs(attrs)


def compare_widths(predictions, *, against, rng, n_bootstrap=200):
    """Compare the widths of intervals with those of one method, over the same maps.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l"), units log10(1)
        From `estimators.predict_all`, with the coordinate ``catalogue`` on ``sample``.
    against : str
        The method that the others are compared with.
    rng : numpy.random.Generator
        Of the bootstrap over catalogues.
    n_bootstrap : int
        Resamplings.

    Returns
    -------
    xarray.Dataset
        ``width`` (method, log_l) [dex], the mean half width over maps; ``ratio`` (method, log_l) to
        that of `against`, NaN in bins where it has none; ``mean_ratio`` (method) over those bins;
        and ``ratio_error``, ``mean_ratio_error``, one sigma.

    Raises
    ------
    ValueError
        If `against` is not among the methods.
    """
    methods = predictions["method"].values.tolist()
    if against not in methods:
        msg = f"compare_widths: against is {against!r}, expected one of {', '.join(methods)}"
        raise ValueError(msg)
    half = half_widths(predictions).transpose("method", "sample", "log_l")
    own, row = half.values, methods.index(against)
    catalogues, member = np.unique(predictions["catalogue"].values, return_inverse=True)
    sums = np.zeros((len(methods), catalogues.size, own.shape[2]))
    np.add.at(sums, (slice(None), member), own)
    sizes = np.bincount(member)

    def ratios(weight):
        width = np.einsum("c,mcl->ml", weight, sums) / (weight @ sizes)
        known = width[row] > 0
        ratio = np.full(width.shape, np.nan)
        ratio[:, known] = width[:, known] / width[row, known]
        return width, ratio, np.nanmean(ratio, axis=1)

    drawn = rng.multinomial(
        catalogues.size, np.full(catalogues.size, 1 / catalogues.size), n_bootstrap
    )
    again = [ratios(weight)[1:] for weight in drawn]
    errors = [np.std([one[i] for one in again], axis=0) for i in range(2)]
    return _labelled(half, ratios(np.ones(catalogues.size)), errors, against)


def format_widths(comparison, *, quoted=QUOTED_LOG_L):
    """Return the widths at the quoted luminosities as text, with the mean ratio over all bins."""
    edges = comparison.attrs["log_l_edges"]
    pairs = [list(quoted_bins(edges, x)) for x in quoted]
    labels = [label_of(m) for m in comparison["method"].values.tolist()]
    against = comparison.attrs["against"]
    width, cell = max(map(len, labels)), 7
    title = f"half width of the 68 % interval [dex], and its ratio to that of {label_of(against)}"
    heads = "".join(f"{x:>{cell}g}" for x in quoted)
    lines = [title, f"{'log10 L':{width}} |{heads} |{heads} |  all bins"]
    lines.append("-" * len(lines[1]))
    for i, label in enumerate(labels):
        one = comparison.isel(method=i)
        cells = ["".join(f"{one[n].values[p].mean():>{cell}.3f}" for p in pairs) for n in SHOWN]
        mean, error = float(one["mean_ratio"]), float(one["mean_ratio_error"])
        lines.append(f"{label:{width}} |{cells[0]} |{cells[1]} | {mean:.3f} +- {error:.3f}")
    return "\n".join(lines)


def _labelled(half, values, errors, against):
    """Return widths and ratios as a Dataset with units."""
    dims = ("method", "log_l")
    ratio = {"units": "1", "long_name": f"width over that of {label_of(against)}"}
    error = {"units": "1", "long_name": "one sigma of the ratio, bootstrap over catalogues"}
    width = {"units": "dex", "long_name": "mean half width of the 68 % interval of log10 dN"}
    return xr.Dataset(
        {
            "width": (dims, values[0], width),
            "ratio": (dims, values[1], ratio),
            "ratio_error": (dims, errors[0], error),
            "mean_ratio": ("method", values[2], ratio),
            "mean_ratio_error": ("method", errors[1], error),
        },
        coords={"method": half["method"], "log_l": half["log_l"]},
        attrs={"against": against, "log_l_edges": half.attrs["log_l_edges"]},
    )
