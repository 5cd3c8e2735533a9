"""How wide the intervals of a method are, and how much wider than another's.

A narrow interval is worth nothing where it misses the truth: read widths beside coverage, see
`evaluation.calibration`.
"""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, QUOTED_LOG_L, log_counts, quoted_bins
from imtools.evaluation.calibration.tables import label_of
from imtools.evaluation.coverage import interval_coverage

SIGMA = (0.16, 0.84)  # quantiles of a 68 % interval
GROUPS = {"faint quarter": (0.0, 0.25), "middle half": (0.25, 0.75), "bright quarter": (0.75, 1.0)}


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
        and ``ratio_error``, ``mean_ratio_error``, one sigma, NaN where there is a single catalogue.

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
    if catalogues.size == 1:  # says nothing of how catalogues differ
        errors = [np.full_like(error, np.nan) for error in errors]
    return _labelled(half, ratios(np.ones(catalogues.size)), errors, against)


def format_widths(comparison, *, quoted=QUOTED_LOG_L):
    """Return widths and their ratios at the quoted luminosities as text, a row a method.

    Parameters
    ----------
    comparison : xarray.Dataset
        From `compare_widths`.
    quoted : sequence of float
        log10 luminosities; each is the mean of two bins.

    Returns
    -------
    str
        Two tables, as both in one are wider than a page of a notebook; the second ends with the
        mean ratio over all bins and its error, if that is known.
    """
    edges = comparison.attrs["log_l_edges"]
    pairs = [list(quoted_bins(edges, x)) for x in quoted]
    labels = [label_of(m) for m in comparison["method"].values.tolist()]
    width = max(map(len, labels))
    heads = f"{'log10 L':{width}} |" + "".join(f"{x:>7g}" for x in quoted)
    means = zip(comparison["mean_ratio"].values, comparison["mean_ratio_error"].values, strict=True)
    ends = {
        "width": ("", [""] * len(labels)),
        "ratio": (" |  all bins", [f" | {mean:.3f}{_plus(error)}" for mean, error in means]),
    }
    against = label_of(comparison.attrs["against"])
    titles = ("half width of the 68 % interval [dex]", f"its ratio to that of {against}")
    tables = []
    for title, (name, (head, after)) in zip(titles, ends.items(), strict=True):
        lines = [title, heads + head]
        lines.append("-" * len(lines[1]))
        for label, values, end in zip(labels, comparison[name].values, after, strict=True):
            cells = "".join(f"{values[pair].mean():>7.3f}" for pair in pairs)
            lines.append(f"{label:{width}} |{cells}{end}")
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def compare_by_light(predictions, counts, *, against, floor=FLOOR):
    """Compare intervals on faint and bright maps apart: right on average may be right on neither.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l"), units log10(1)
        As `compare_widths` takes.
    counts : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps. Their light, the sum of dN L, sorts the maps.
    against : str
        The method whose widths the others are compared with.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset, dims ("group", "method")
        ``ratio`` of the mean widths in the group, ``coverage`` of 68 % intervals (a truth on an end
        counts as within) and ``rms`` error of the median [dex], each averaged over the bins in
        which `against` has a width there; ``n_maps`` (group).
    """
    light = (counts.values * 10 ** counts["log_l"].values).sum(axis=1)
    rank, each = light.argsort().argsort() / light.size, []
    for low, high in GROUPS.values():
        chosen = np.flatnonzero((rank >= low) & (rank < high))
        some, truth = predictions.isel(sample=chosen), counts.isel(sample=chosen)
        width = half_widths(some).mean("sample")
        known = (width.sel({"method": against}) > 0).values
        error = some.sel(quantile=0.5, drop=True) - log_counts(truth, floor).values
        inside = interval_coverage(some, truth, floor=floor).sel(share=0.68, drop=True)
        values = {
            "ratio": width / width.sel({"method": against}, drop=True),
            "coverage": inside, "rms": np.sqrt((error**2).mean("sample")),
        }  # fmt: skip
        means = {n: v.isel(log_l=known).mean("log_l").variable for n, v in values.items()}
        each.append(xr.Dataset(means | {"n_maps": ((), chosen.size)}))
    groups = xr.Variable(
        "group", list(GROUPS), {"long_name": "maps, by the light of their sources"}
    )
    compared = xr.concat(each, groups).assign_coords({"method": predictions["method"]})
    words = {
        "ratio": ("1", f"width over that of {label_of(against)}"),
        "coverage": ("1", "share of truths in the 68 % interval"),
        "rms": ("dex", "root mean square error of log10 dN"), "n_maps": ("1", "maps"),
    }  # fmt: skip
    for name, (units, long_name) in words.items():
        compared[name].attrs = {"units": units, "long_name": long_name}
    return compared.assign_attrs(against=against)


def format_by_light(compared):
    """Return what `compare_by_light` found as text, a row a method."""
    labels = [label_of(m) for m in compared["method"].values.tolist()]
    width, head, under = max(map(len, labels)), "", ""
    for group in compared["group"].values.tolist():
        n_maps = int(compared["n_maps"].sel({"group": group}))
        head += f" | {f'{group}, {n_maps} maps':^25}"
        under += f" | {'width':>7} {'in 68 %':>8} {'rms':>8}"
    lines = [f"{'':{width}}{head}".rstrip(), f"{'':{width}}{under}", "-" * (width + len(under))]
    for i, label in enumerate(labels):
        row = f"{label:{width}}"
        for group in compared["group"].values.tolist():
            one = compared.isel(method=i).sel({"group": group})
            row += f" | {float(one['ratio']):7.2f} {100 * float(one['coverage']):6.1f} %"
            row += f" {float(one['rms']):8.3f}"
        lines.append(row)
    against = label_of(compared.attrs["against"])
    return "\n".join([*lines, "", f"means over bins; width over that of {against}; rms in dex"])


def _plus(error):
    """Return an error as it stands behind a number, or nothing where it is not known."""
    return f" +- {error:.3f}" if np.isfinite(error) else ""


def _labelled(half, values, errors, against):
    """Return widths and ratios as a Dataset with units."""
    dims = ("method", "log_l")
    ratio = {"units": "1", "long_name": f"width over that of {label_of(against)}"}
    error = {"units": "1", "long_name": "one sigma of the ratio, bootstrap over catalogues"}
    width = {"units": "dex", "long_name": "mean half width of 68 % intervals"}
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
