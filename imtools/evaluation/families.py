"""Errors of each method on maps of each luminosity model apart."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts

NAMES = {
    "rms": "root mean square error of log10 dN",
    "bias": "mean error of log10 dN, predicted minus true",
}


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
        If the number of maps differs.
    """
    predicted = predictions.sel(quantile=0.5).transpose("method", "sample", "log_l").values
    dn, family = truth.values, np.asarray(family)
    if predicted.shape[1:] != dn.shape or len(family) != len(dn):
        msg = (
            f"score_by_family: predictions are for {predicted.shape[1:]} maps and bins, the truth "
            f"for {dn.shape}, family for {len(family)} maps; expected the same maps"
        )
        raise ValueError(msg)
    taken = (dn >= at_least) & (dn <= at_most)
    error = np.where(taken, predicted - log_counts(truth, floor).values, np.nan)
    names = list(dict.fromkeys(family.tolist()))
    rows = {"rms": [], "bias": [], "n_maps": [], "rms_over_bins": [], "typical": []}
    for name in names:
        own = error[:, family == name]
        n = np.isfinite(own[0]).sum(axis=0)
        some = np.where(n > 0, n, np.nan)
        rows["rms"].append(np.sqrt(np.nansum(own**2, axis=1) / some))
        rows["bias"].append(np.nansum(own, axis=1) / some)
        rows["n_maps"].append(n)
        all_bins = max(n.sum(), 1) if n.sum() else np.nan
        rows["rms_over_bins"].append(np.sqrt(np.nansum(own**2, axis=(1, 2)) / all_bins))
        scored = rows["rms"][-1][:, n > 0]
        rows["typical"].append(np.median(scored, axis=1) if n.any() else np.nan * own[:, 0, 0])
    three = ("family", "method", "log_l")
    variables = {
        k: (three, np.array(rows[k]), {"units": "dex", "long_name": text})
        for k, text in NAMES.items()
    }
    maps = {"units": "1", "long_name": "maps scored"}
    pooled = {"units": "dex", "long_name": f"{NAMES['rms']}, all bins"}
    variables["n_maps"] = (("family", "log_l"), np.array(rows["n_maps"]), maps)
    middle = {"units": "dex", "long_name": f"{NAMES['rms']}, median over bins"}
    variables["rms_over_bins"] = (three[:2], np.array(rows["rms_over_bins"]), pooled)
    variables["typical"] = (three[:2], np.array(rows["typical"]), middle)
    return xr.Dataset(
        variables,
        coords={
            "family": ("family", names, {"long_name": "luminosity model"}),
            "method": predictions["method"].variable, "log_l": truth["log_l"].variable,
        },
        attrs={"at_least": at_least, "at_most": at_most, "floor": floor},
    )  # fmt: skip


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
