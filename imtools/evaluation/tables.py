"""Scores on disk and as a table for people, with the published network beside our methods."""

from pathlib import Path

import numpy as np

from imtools.counts import DEFAULT_EDGES, QUOTED_LOG_L, quoted_bins
from imtools.evaluation.outcomes import format_tests
from imtools.run_folder import write_json, write_netcdf

PUBLISHED = Path(__file__).parents[2] / "data" / "reference" / "pfeffer2019_cnn.csv"
LABELS = {
    "prior_mean": "prior mean",
    "memoriser": "memoriser",
    "histogram_regression": "histogram regression",
    "network": "network",
    "ridge_histogram": "ridge on voxel histogram",
    "ridge_vid": "ridge on VID",
    "ridge_pk": "ridge on P(k)",
    "ridge_vid_pk": "ridge on VID and P(k)",
    "ridge_multiscale": "multi-scale regression",
    "mcmc_pk": "MCMC on P(k)",
    "mcmc_vid": "MCMC on VID",
    "mcmc_pk_vid": "MCMC on P(k) and VID",
    "network_vid_pk": "network on P(k) and VID",
    "network_multiscale": "network on scales",
    "network_map": "network on the map",
    "published_cnn": "published CNN",
}


def published_scores(scenario="random_li_no_noise", *, path=PUBLISHED):
    """Return the quoted scores of the published network.

    Parameters
    ----------
    scenario : str
        Maps that it was scored on, as named in the file.
    path : path-like
        Table that ``data/README.md`` describes.

    Returns
    -------
    dict
        ``rms`` and ``median_abs`` [dex] at each of ``counts.QUOTED_LOG_L``: the rms pooled over the
        two bins there, the median their mean, since medians do not pool. ``n_maps``, and ``floor``,
        which is 1 source there.

    Raises
    ------
    ValueError
        If there is no such scenario.

    References
    ----------
    .. [1] Pfeffer, Breysse & Stein 2019, arXiv:1905.10376

    Examples
    --------
    >>> round(published_scores()["rms"][0], 3)  # at 10^4 Lsun
    0.134
    """
    table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8")
    known = list(dict.fromkeys(table["scenario"].tolist()))
    if scenario not in known:
        msg = f"published_scores: scenario is {scenario!r}, expected one of {', '.join(known)}"
        raise ValueError(msg)
    rows = table[table["scenario"] == scenario]
    pairs = [list(quoted_bins(np.log10(DEFAULT_EDGES), x)) for x in QUOTED_LOG_L]
    rms, median = rows["rms_dex"], rows["median_abs_dex"]
    return {
        "rms": [float(np.sqrt(np.mean(rms[p] ** 2))) for p in pairs],
        "median_abs": [float(np.mean(median[p])) for p in pairs],
        "n_maps": int(rows["n_maps"][0]),
        "floor": 1.0,
    }


def summarise(scores, *, published=None):
    """Return the quoted scores as plain lists, ready for JSON.

    Parameters
    ----------
    scores : xarray.Dataset
        From `score`.
    published : dict, optional
        From `published_scores`; entered as the method ``published_cnn`` where its luminosities
        are the quoted ones.

    Returns
    -------
    dict
        ``quoted_log_l``, ``n_maps``, ``n_catalogues``, ``floor``, ``n_bootstrap`` and ``subsets``:
        subset, then method, then ``mse``, ``rms``, ``rms_error``, ``median_abs``,
        ``median_abs_error``, ``bias`` and ``bias_error`` at each quoted luminosity [dex], and the
        same with ``skill``, ``poisson_deviance`` and ``correlation`` as means of the two bins.
    """
    quoted = scores["quoted_log_l"].values.tolist()
    pairs = [list(quoted_bins(scores.attrs["log_l_edges"], x)) for x in quoted]
    subsets = {}
    for subset in scores["subset"].values.tolist():
        methods = {}
        for method in scores["method"].values.tolist():
            one = scores.sel({"subset": subset, "method": method})
            row = {"mse": float(one["mse"])}
            for name in ("rms", "median_abs", "bias"):
                row[name] = one[f"{name}_quoted"].values.tolist()
                row[f"{name}_error"] = one[f"{name}_quoted_error"].values.tolist()
            for name in ("skill", "poisson_deviance", "correlation"):
                row[name] = [float(one[name].values[pair].mean()) for pair in pairs]
            methods[method] = row
        subsets[subset] = methods
    if published is not None and quoted == list(QUOTED_LOG_L):
        subsets["all"]["published_cnn"] = dict(published)
    facts = {k: scores.attrs[k] for k in ("n_maps", "n_catalogues", "floor", "n_bootstrap")}
    return {"quoted_log_l": quoted, **facts, "subsets": subsets}


def write_scores(scores, run_dir, *, published=None, overwrite=False):
    """Write ``scores.nc`` and ``scores.json`` into a run folder, and return the latter's content.

    Raises
    ------
    FileExistsError
        If they exist and `overwrite` is False.
    """
    summary = summarise(scores, published=published)
    write_netcdf(scores, Path(run_dir) / "scores.nc", overwrite=overwrite)
    write_json(summary, Path(run_dir) / "scores.json", overwrite=overwrite)
    return summary


def format_table(summary, *, subset="all"):
    """Return the scoreboard as text: a row a method, rms and median |error| a column.

    Below it, where they were made, what came of the tests of memorising.

    Parameters
    ----------
    summary : dict
        From `summarise`, or read from ``scores.json``.
    subset : {"all", "ten_or_more"}
        Bins that are scored.
    """
    quoted, methods = summary["quoted_log_l"], summary["subsets"][subset]
    labels = {name: LABELS.get(name, name) for name in methods}
    width = max(map(len, labels.values()), default=0)
    cell = 6
    block = cell * len(quoted)
    titles = [f"{title:<{block}}" for title in ("  rms [dex]", "  median |error| [dex]")]
    heads = "".join(f"{x:>{cell}g}" for x in quoted)
    lines = [f"{'':{width}} |{titles[0]} |{titles[1]}".rstrip()]
    lines.append(f"{'log10 L':{width}} |{heads} |{heads}")
    lines.append(f"{'-' * width}-+{'-' * block}-+{'-' * block}")
    for name, row in methods.items():
        cells = ["".join(_cell(v, cell) for v in row[k]) for k in ("rms", "median_abs")]
        lines.append(f"{labels[name]:{width}} |{cells[0]} |{cells[1]}")
    which = {"all": "all bins", "ten_or_more": "bins with true dN of at least 10"}[subset]
    lines.append("")
    lines.append(
        f"{summary['n_maps']} test maps of {summary['n_catalogues']} catalogues, {which}; an empty "
        f"bin counts {summary['floor']:g} source"
    )
    if "published_cnn" in methods:
        other = methods["published_cnn"]
        lines.append(
            f"published CNN: its own {other['n_maps']} mock maps, an empty bin counts "
            f"{other['floor']:g}"
        )
    if "memorisation" in summary:
        lines += ["", format_tests(summary["memorisation"], LABELS)]
    return "\n".join(lines)


def _cell(value, width):
    """Return a score in three digits, or a dash where there is none."""
    missing = value is None or not np.isfinite(value)
    return f"{'-':>{width}}" if missing else f"{value:>{width}.3f}"
