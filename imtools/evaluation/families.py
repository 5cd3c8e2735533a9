"""Errors of each method on maps of each luminosity model apart."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts
from imtools.counts.sources import check_same_bins

LABELS = {
    "rms": "root mean square error of log10 dN",
    "bias": "mean error of log10 dN, predicted minus true",
    "n_maps": "maps scored",
    "rms_over_bins": "root mean square error of log10 dN, all bins",
    "typical": "root mean square error of log10 dN, median over bins",
}
DIMS = {
    "rms": ("family", "method", "log_l"), "bias": ("family", "method", "log_l"),
    "n_maps": ("family", "log_l"), "rms_over_bins": ("family", "method"),
    "typical": ("family", "method"),
}  # fmt: skip


def score_by_family(predictions, truth, family, *, at_least=0, at_most=np.inf, floor=FLOOR):
    """Score predicted luminosity functions on the maps of each luminosity model.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l")
        Quantiles of log10 dN; the median is scored.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    family : array_like of str, shape (sample,)
        Luminosity model of each map.
    at_least, at_most : float
        Only bins with so many true sources are scored.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset, dims ("family", "method", "log_l")
        ``rms`` and ``bias`` [dex], and ``n_maps`` (family, log_l); NaN where no map is scored.
        ``rms_over_bins`` (family, method) pools all that is scored; ``typical`` is the median over
        bins, which an edge of the luminosity function in one or two bins does not set.

    Raises
    ------
    ValueError
        If the number of maps or the bins differ.
    """
    predicted = predictions.sel(quantile=0.5).transpose("method", "sample", "log_l").values
    dn, family = truth.values, np.asarray(family)
    if predicted.shape[1:] != dn.shape or len(family) != len(dn):
        msg = (
            f"score_by_family: predictions are for {predicted.shape[1:]} maps and bins, the truth "
            f"for {dn.shape}, family for {len(family)} maps; expected the same maps"
        )
        raise ValueError(msg)
    check_same_bins(predictions, truth, caller="score_by_family")
    taken = (dn >= at_least) & (dn <= at_most)
    error = np.where(taken, predicted - log_counts(truth, floor).values, np.nan)
    names = list(dict.fromkeys(family.tolist()))
    each = [_of_one(error[:, family == name]) for name in names]
    rows = {k: np.array([one[k] for one in each]) for k in each[0]}
    variables = {
        k: (DIMS[k], v, {"units": "1" if k == "n_maps" else "dex", "long_name": LABELS[k]})
        for k, v in rows.items()
    }
    coords = {
        "family": ("family", names, {"long_name": "luminosity model"}),
        "method": predictions["method"].variable, "log_l": truth["log_l"].variable,
    }  # fmt: skip
    attrs = {"at_least": at_least, "at_most": at_most, "floor": floor}
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def _of_one(error):
    """Return the scores of one family's errors (method, sample, log_l), NaN where not scored."""
    n = np.isfinite(error[0]).sum(axis=0)
    some, n_all = np.where(n > 0, n, np.nan), n.sum() or np.nan
    rms = np.sqrt(np.nansum(error**2, axis=1) / some)
    none = np.full(len(error), np.nan)
    return {
        "rms": rms,
        "bias": np.nansum(error, axis=1) / some,
        "n_maps": n,
        "rms_over_bins": np.sqrt(np.nansum(error**2, axis=(1, 2)) / n_all),
        "typical": np.median(rms[:, n > 0], axis=1) if n.any() else none,
    }


def format_families(scores, text, *, which="typical"):
    """Return a text table of errors [dex], a row a method and a column a family.

    Parameters
    ----------
    scores : xarray.Dataset
        From `score_by_family`.
    text : str
        What was scored, for the head of the table.
    which : {"typical", "rms_over_bins"}
        Median over bins, or all bins pooled.
    """
    families, methods = (scores[k].values.tolist() for k in ("family", "method"))
    first = max(len(text), *(len(name) for name in methods))
    width = max(len(name) for name in families)
    lines = [f"{text:{first}} " + " ".join(f"{name:>{width}}" for name in families)]
    for method in methods:
        row = scores[which].sel({"method": method}).values
        cells = [f"{x:{width}.3f}" if np.isfinite(x) else f"{'-':>{width}}" for x in row]
        lines.append(f"{method:{first}} " + " ".join(cells))
    return "\n".join(lines)
