"""The results of runs at several settings in one table, and what they say in words."""

from pathlib import Path

import numpy as np
import pandas as pd

from imtools.counts import quoted_bins
from imtools.evaluation.calibration import label_of, meets_target
from imtools.run_folder import atomic_path

SETTING = ("survey", "luminosity_model", "prior", "correlation", "sigma_noise")
LEAST = 0.2  # narrower by this share on average counts as narrower
COSTS = {"fit_s": "fit [s]", "map_s": "a map [s]"}


def result_rows(scores, widths, calibration, experiment, *, survey, costs=None):
    """Return scores, widths and coverage of a run at the quoted luminosities.

    Parameters
    ----------
    scores : xarray.Dataset
        From `evaluation.score`.
    widths : xarray.Dataset
        From `intervals.compare_widths`.
    calibration : xarray.Dataset
        From `calibration.calibrate_all`.
    experiment : Experiment
        The setting.
    survey : str
        What the survey is called, such as the name of the preset.
    costs : pandas.DataFrame, optional
        From `costs.cost_table`.

    Returns
    -------
    pandas.DataFrame
        A row a method and luminosity: the setting, ``n_maps``, ``n_catalogues``, ``method``,
        ``log_l``, ``rms``, ``median_abs``, ``half_width`` [dex], ``ratio`` of widths, and the
        coverage of 68 and 95 % intervals; means over the two bins at each luminosity.
    """
    luminosity = experiment.luminosity
    values = (
        survey, luminosity.luminosity_model, luminosity.prior, luminosity.correlation,
        experiment.observing.sigma_noise,
    )  # fmt: skip
    setting = dict(zip(SETTING, values, strict=True))
    setting |= {"n_maps": scores.attrs["n_maps"], "n_catalogues": scores.attrs["n_catalogues"]}
    edges, rows = scores.attrs["log_l_edges"], []
    for method in widths["method"].values.tolist():
        one = {"method": method}
        of_scores = scores.sel(one | {"subset": "all"})
        share = calibration["coverage"].sel(one)
        for i, x in enumerate(scores["quoted_log_l"].values.tolist()):
            pair = list(quoted_bins(edges, x))
            row = one | {"log_l": x}
            row |= {n: float(of_scores[f"{n}_quoted"][i]) for n in ("rms", "median_abs")}
            row["half_width"] = float(widths["width"].sel(one).values[pair].mean())
            row["ratio"] = float(widths["ratio"].sel(one).values[pair].mean())
            for p in (0.68, 0.95):
                row[f"coverage_{100 * p:.0f}"] = float(share.sel(probability=p).values[pair].mean())
            if costs is not None:
                row |= {k: float(costs.loc[method, n]) for k, n in COSTS.items()}
            rows.append(setting | row)
    return pd.DataFrame(rows)


def keep_rows(rows, path):
    """Enter the rows of a run into a CSV file, in place of those of the same setting.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `result_rows`, of one setting.
    path : path-like
        A file that need not be there yet; it is replaced whole.

    Returns
    -------
    pandas.DataFrame
        All rows of the file.

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    path = Path(path)
    if path.exists():
        there = pd.read_csv(path)
        missing = [name for name in rows.columns if name not in there.columns]
        if missing:
            msg = f"keep_rows: {path} lacks {', '.join(missing)}; expected a table of result_rows"
            raise ValueError(msg)
        own = rows[list(SETTING)].iloc[0]
        same = (there[list(SETTING)] == own).all(axis=1)
        rows = pd.concat([there[~same], rows], ignore_index=True)
    rows = rows.sort_values(list(SETTING), kind="stable", ignore_index=True)
    with atomic_path(path, overwrite=True) as temporary:
        # the noise is part of the setting, by which rows are found again: all its digits stay
        noise = [np.format_float_positional(x, trim="-") for x in rows["sigma_noise"]]
        rows.assign(sigma_noise=noise).to_csv(temporary, index=False, float_format="%.5g")
    return rows


def wide_table(rows, quantity="half_width", *, digits=3):
    """Return one quantity of `result_rows`: a row a setting and method, a column a luminosity."""
    index = [*SETTING, "method"]
    order = list(dict.fromkeys(map(tuple, rows[index].values.tolist())))
    table = rows.pivot_table(quantity, index, "log_l", sort=False).reindex(order).round(digits)
    table.index = table.index.set_levels(
        [label_of(name) for name in table.index.levels[-1]], level="method"
    )
    return table


def who_is_narrower(widths, calibration, *, against, candidates):
    """Return in words which of some methods knows more than the one it is held against.

    Parameters
    ----------
    widths : xarray.Dataset
        From `intervals.compare_widths` with the same `against`.
    calibration : xarray.Dataset
        From `calibration.calibrate_all`, of all these methods.
    against : str
        The method that the others are compared with.
    candidates : sequence of str
        Methods, of which the narrowest is told of.

    Returns
    -------
    str
        Markdown; every number is computed from the arguments.
    """
    mean = {name: float(widths["mean_ratio"].sel({"method": name})) for name in candidates}
    best = min(mean, key=mean.get)
    ratio = widths["ratio"].sel({"method": best})
    known = np.isfinite(ratio.values)
    wider = ratio.values[known] > 1
    error = float(widths["mean_ratio_error"].sel({"method": best}))
    plus = f" +- {100 * error:.0f}" if np.isfinite(error) else ""  # not of a single catalogue
    good = meets_target(calibration).all("probability")
    held = {n: good.sel({"method": n}).values[known] for n in (against, best)}
    n_bins = int(known.sum())
    less = f"{100 * (1 - mean[best]):.0f}{plus} % narrower on average"
    if mean[best] > 1:
        less = f"{100 * (mean[best] - 1):.0f}{plus} % wider on average"
    where = "in no bin wider" if not wider.any() else f"wider in {wider.sum()} of {n_bins} bins"
    holds = "; ".join(
        f"{label_of(n)}: {h.sum()} of {n_bins} bins within the target" for n, h in held.items()
    )
    reached = mean[best] <= 1 - LEAST and not wider.any() and held[best].all()
    return (
        f"**{label_of(best)}** against {label_of(against)}: intervals {less}, {where}. "
        f"Coverage ({holds}). The aim, a fifth narrower on average, in no bin wider and right in "
        f"all, is {'reached' if reached else 'not reached'}."
    )
