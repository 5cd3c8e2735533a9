"""Scores by how loud a map is: where the data answer, and where only the prior is left."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR, QUOTED_LOG_L, log_counts, log_l_edges, quoted_bins
from imtools.evaluation.tables import LABELS
from imtools.observing import hit_map, noise_map
from imtools.statistics import comoving_box, power_spectrum

N_GROUPS = 4  # where there are maps enough
NO_NEWS = 0.8  # an error of that share of the spread of the truth and more is marked


def signal_to_noise(maps, experiment):
    r"""Return the signal-to-noise of each map's power spectrum.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Maps without noise.
    experiment : Experiment
        Its noise.

    Returns
    -------
    xarray.DataArray, dims ("sample",), units 1
        Infinite without noise.

    Notes
    -----
    .. math::
        \left(\frac{S}{N}\right)^2 = \sum_k N_\mathrm{modes}
        \left(\frac{P(k)}{\langle\sigma^2\rangle V_\mathrm{vox}}\right)^2

    over the 20 bins of Ihle et al. 2019, the mean of the noise taken over the pixels and the
    signal's own scatter left out: how clearly there is anything but noise.
    """
    observing = experiment.observing
    sigma = noise_map(
        maps, hit_map(maps, kind=observing.hits), sigma_noise=observing.sigma_noise,
        convention=observing.noise_convention,
    )  # fmt: skip
    pk = power_spectrum(maps)
    pk = pk.isel(k=np.flatnonzero(pk["n_modes"].values > 0))
    noise = float((sigma**2).mean()) * comoving_box(maps).voxel_volume
    with np.errstate(divide="ignore"):
        ratio = np.sqrt((pk**2 * pk["n_modes"]).sum("k")) / noise
    return ratio.rename("signal_to_noise").assign_attrs(
        units="1", long_name="signal-to-noise of the power spectrum"
    )


def score_by_signal(predictions, truth, signal, *, n_groups=None, floor=FLOOR):
    """Score predictions on groups of maps, from the faintest to the loudest.

    Parameters
    ----------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l")
        Quantiles of log10 dN; the median is scored.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    signal : xarray.DataArray, dims ("sample",)
        What the maps are sorted by, such as `signal_to_noise`.
    n_groups : int, optional
        Groups of equal size, as nearly as the number of maps allows; by default four, or a map each
        of fewer.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset, dims ("group", "method", "quoted_log_l")
        ``rms`` and ``median_abs`` [dex], pooled over the two bins at each quoted luminosity;
        ``spread`` (group, quoted_log_l), the standard deviation of the truth within the group: who
        knew only the group could do as well. ``signal`` (group) is the median, ``n_maps`` (group).

    Raises
    ------
    ValueError
        If there are fewer maps than groups.
    """
    log_truth, edges = log_counts(truth, floor), log_l_edges(truth)
    n_groups = min(N_GROUPS, signal.size) if n_groups is None else n_groups
    if not 1 <= n_groups <= signal.size:
        msg = f"score_by_signal: n_groups is {n_groups}, expected 1 to {signal.size}, the maps"
        raise ValueError(msg)
    error = (predictions.sel(quantile=0.5).values - log_truth.values).swapaxes(0, 1)
    quoted = [x for x in QUOTED_LOG_L if edges[0] <= x <= edges[-1]]
    pairs = [list(quoted_bins(edges, x)) for x in quoted]
    rows = np.array_split(np.argsort(signal.values, kind="stable"), n_groups)
    values = {"rms": [], "median_abs": [], "spread": []}
    for chosen in rows:
        pooled = [error[chosen][:, :, pair] for pair in pairs]
        variance = log_truth.values[chosen].var(axis=0)
        values["rms"].append([np.sqrt((p**2).mean(axis=(0, 2))) for p in pooled])
        values["median_abs"].append([np.median(np.abs(p), axis=(0, 2)) for p in pooled])
        values["spread"].append([np.sqrt(variance[pair].mean()) for pair in pairs])
    middle = [np.median(signal.values[chosen]) for chosen in rows]
    return _labelled(values, predictions["method"], quoted, middle, [len(r) for r in rows])


def format_by_signal(scores):
    """Return the scores of `score_by_signal` as text; ``*`` marks what is no news.

    That is where the rms error is at least 0.8 of the spread of the truth within the group: as
    well could one answer with the mean of the group, whatever the map.
    """
    names = [LABELS.get(m, m) for m in scores["method"].values.tolist()]
    width = max(len(name) for name in [*names, "spread of the truth"])
    head = "".join(f"{x:>8g}" for x in scores["quoted_log_l"].values)
    lines = [f"{'rms [dex]':{width}} |{head}"]
    for i, signal in enumerate(scores["signal"].values):
        group = scores.isel(group=i)
        title = f"S/N {signal:.3g}, {int(group['n_maps'])} maps"
        lines += [f"{'-' * width}-+{'-' * len(head)}", f"{title:{width}} |"]
        spread = group["spread"].values
        lines.append(f"{'spread of the truth':{width}} |" + "".join(f"{s:>7.3f} " for s in spread))
        for name, rms in zip(names, group["rms"].values, strict=True):
            marks = np.where(rms >= NO_NEWS * spread, "*", " ")
            cells = (f"{v:>7.3f}{m}" for v, m in zip(rms, marks, strict=True))
            lines.append(f"{name:{width}} |" + "".join(cells))
    lines += ["", f"* at least {NO_NEWS:g} of the spread: hardly better than the mean of the group"]
    return "\n".join(line.rstrip() for line in lines)


def _labelled(values, method, quoted, middle, n_maps):
    """Return the scores of the groups as a Dataset with units."""
    dims = ("group", "method", "quoted_log_l")
    texts = {
        "rms": "root mean square error of log10 dN",
        "median_abs": "median absolute error of log10 dN",
    }
    variables = {
        name: (dims, np.swapaxes(values[name], 1, 2), {"units": "dex", "long_name": text})
        for name, text in texts.items()
    }
    attrs = {"units": "dex", "long_name": "standard deviation of the true log10 dN in the group"}
    variables["spread"] = (("group", "quoted_log_l"), np.array(values["spread"]), attrs)
    variables["signal"] = ("group", middle, {"units": "1", "long_name": "signal-to-noise, median"})
    variables["n_maps"] = ("group", n_maps, {"units": "1", "long_name": "maps in the group"})
    log_l = {"units": "log10(Lsun)", "long_name": "log10 of luminosity where scores are quoted"}
    return xr.Dataset(
        variables, coords={"method": method, "quoted_log_l": ("quoted_log_l", quoted, log_l)}
    )
