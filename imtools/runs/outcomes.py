"""What came of runs: states, what differs between their parameters, losses and scores."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from imtools.experiment import FIELD_STAGE, Experiment
from imtools.run_folder import read_json, read_rows
from imtools.runs.listing import status_of
from imtools.runs.parameters import OWN, parameters_cell, read_notebook

TEXTS = ("state", "reason", "notebook", "preset")
SCORES = {  # of scores.json, at the quoted luminosities
    "rms": ("dex", "rms error of log10 dN"),
    "rms_error": ("dex", "bootstrap error of the rms error of log10 dN"),
    "median_abs": ("dex", "median absolute error of log10 dN"),
    "bias": ("dex", "mean error of log10 dN"),
}
NOTEBOOK = "notebook.ipynb"
METHOD = "network"  # the method whose scores stand in a line of text
RESULTS = Path(__file__).parents[2] / "data" / "results"  # of runs that take long


def collect_runs(folders):
    """Return what came of runs.

    Parameters
    ----------
    folders : list of path-like
        Run folders, see `find_runs`.

    Returns
    -------
    xarray.Dataset, dims ("run", "parameter", "method", "quoted_log_l")
        ``state``, ``reason``, ``notebook``, ``preset``, ``minutes``; ``value``, as JSON, of each
        parameter that is not the same in every run; ``n_epochs`` and ``validation_loss`` (the
        lowest, averaged over an ensemble) where a network was trained; ``rms``, ``rms_error``,
        ``median_abs`` and ``bias`` of log10 dN where there are scores. What a run lacks is NaN.
    """
    folders = [Path(folder) for folder in folders]
    status = [status_of(folder) for folder in folders]
    data = {name: ("run", [str(s.get(name, "")) for s in status]) for name in TEXTS}
    minutes = [s.get("seconds", np.nan) / 60 for s in status]
    data["minutes"] = ("run", minutes, {"units": "min", "long_name": "wall-clock time"})
    losses = np.array([_loss(folder) for folder in folders]).reshape(-1, 2)
    for i, (name, words) in enumerate(
        (("n_epochs", "epochs trained"), ("validation_loss", "lowest validation loss"))
    ):
        data[name] = ("run", losses[:, i], {"units": "1", "long_name": words})
    differing = differing_parameters(folders)
    values = differing.map(json.dumps).to_numpy(dtype=str).reshape(differing.shape)
    data["value"] = (("run", "parameter"), values)
    names = run_names(folders)
    dataset = xr.Dataset(data, coords={"run": names, "parameter": list(differing.columns)})
    return xr.merge([dataset, _scores(folders, names)], join="exact", compat="equals")


def kept_outcomes(name):
    """Return outcomes of a sweep that are kept with the repository, as `collect_runs` does.

    Raises
    ------
    FileNotFoundError
        If there are none of that name.
    """
    path = RESULTS / f"{name}.nc"
    if not path.exists():
        there = ", ".join(sorted(p.stem for p in RESULTS.glob("*.nc"))) or "none"
        msg = f"kept_outcomes: no {name!r} in {RESULTS}, expected one of: {there}"
        raise FileNotFoundError(msg)
    return xr.load_dataset(path)


def run_names(folders):
    """Return the name of each run: that of its folder, more of its path where two are alike."""
    folders = [Path(folder) for folder in folders]
    names = [folder.name for folder in folders]
    for longer in (lambda folder: f"{folder.parent.name}/{folder.name}", str):
        pairs = zip(names, folders, strict=True)
        names = [n if names.count(n) == 1 else longer(folder) for n, folder in pairs]
    return names


def run_labels(folders):
    """Return what to call each run in a figure: the parameters that tell it from the others."""
    differing = differing_parameters(folders)
    labels = [", ".join(f"{k} = {v}" for k, v in row.items()) for _, row in differing.iterrows()]
    short = len(set(labels)) == len(labels) > 1 and max(map(len, labels)) <= 60
    return labels if short else run_names(folders)


def differing_parameters(folders):
    """Return the parameters that are not the same in every run.

    Parameters
    ----------
    folders : list of path-like
        Run folders.

    Returns
    -------
    pandas.DataFrame
        A row a run, a column a parameter of the experiment, of the notebook, or ``preset``; None
        where a run does not have it.
    """
    rows = [_parameters(Path(folder)) for folder in folders]
    names = list(dict.fromkeys(name for row in rows for name in row))
    differ = [n for n in names if any(row.get(n) != rows[0].get(n) for row in rows)]
    table = {n: [row.get(n) for row in rows] for n in differ}
    return pd.DataFrame(table, index=run_names(folders), dtype=object)


def _parameters(folder):
    """Return every parameter of a run: the experiment's, and those of its notebook alone."""
    status, experiment, notebook = status_of(folder), folder / "experiment.json", folder / NOTEBOOK
    values = {name: status[name] for name in ("notebook", "preset") if name in status}
    if notebook.exists():
        cell = parameters_cell(read_notebook(notebook), name=folder.name)
        values |= {k: v for k, v in cell.items() if k not in (*OWN, *FIELD_STAGE)}
    values |= {k: v for k, v in status.get("parameters", {}).items() if k not in OWN}
    if experiment.exists():
        values |= Experiment.from_json(experiment.read_text(encoding="utf-8")).flat()
    return values


def _loss(folder):
    """Return the number of epochs and the lowest validation loss of a run, NaN without any."""
    history = read_rows(folder / "history.csv")
    if not {"member", "epoch", "validation_loss"} <= history.keys():
        return np.nan, np.nan
    members = [history["member"] == member for member in np.unique(history["member"])]
    best = [np.nanmin(history["validation_loss"][rows], initial=np.inf) for rows in members]
    return history["epoch"].size, float(np.mean(best)) if best else np.nan


def _scores(folders, names):
    """Return the scores of those runs that have any, over run, method and luminosity."""
    tables = []
    for folder, name in zip(folders, names, strict=True):
        path = folder / "scores.json"
        summary = read_json(path) if path.exists() else {}
        if {"subsets", "quoted_log_l"} <= summary.keys():
            tables.append(_score_table(summary, name))
    if not tables:
        return xr.Dataset()
    attrs = {"units": "log10 Lsun", "long_name": "log10 CO luminosity"}
    scores = xr.concat(tables, "run", join="outer", combine_attrs="override", data_vars="all")
    scores["quoted_log_l"].attrs.update(attrs)
    return scores.reindex(run=names)


def _score_table(summary, name):
    """Return the scores of one run in all bins, as a Dataset."""
    methods = summary["subsets"]["all"]
    shape, data = (len(methods), len(summary["quoted_log_l"])), {}
    for score, (units, words) in SCORES.items():
        rows = [row.get(score) or [np.nan] * shape[1] for row in methods.values()]
        values = np.array(rows, dtype=float).reshape(1, *shape)
        attrs = {"units": units, "long_name": words}
        data[score] = (("run", "method", "quoted_log_l"), values, attrs)
    coords = {"run": [name], "method": list(methods), "quoted_log_l": summary["quoted_log_l"]}
    return xr.Dataset(data, coords=coords)


def to_table(outcomes, *, method=METHOD):
    """Return outcomes as a table: a row a run, with the rms error of one method at its end.

    Parameters
    ----------
    outcomes : xarray.Dataset
        From `collect_runs`.
    method : str
        A method of the scoreboard.

    Returns
    -------
    pandas.DataFrame
        Columns that are empty in every run are left out.
    """
    table = pd.DataFrame({"state": outcomes["state"].values}, index=outcomes["run"].values)
    for name in outcomes["parameter"].values.tolist():
        values = outcomes["value"].sel(parameter=name).values.tolist()
        table[name] = [_plain(value) for value in values]
    table["minutes"] = outcomes["minutes"].values.round(1)
    table["epochs run"] = [_whole(n) for n in outcomes["n_epochs"].values]
    table["best loss"] = _digits(outcomes["validation_loss"].values)
    if "rms" in outcomes and method in outcomes["method"].values:
        for log_l, column in outcomes["rms"].sel({"method": method}).groupby("quoted_log_l"):
            table[f"rms {log_l:g}"] = _digits(column.values.ravel())
    table["reason"] = outcomes["reason"].values
    empty = [c for c in table if (table[c] == "").all() or table[c].isna().all()]
    return table.drop(columns=empty).rename_axis("run")


def lengthwise(table):
    """Return a table so that it grows in length: turned where it has more columns than rows."""
    return table.T if len(table.columns) > len(table) else table


def score_table(outcomes, *, score="rms"):
    """Return a score of every method of every run: a row each, a column a luminosity."""
    scores = outcomes[score].stack(row=("run", "method")).transpose("row", ...)
    scores = scores.dropna("row", how="all")
    index = pd.MultiIndex.from_tuples(scores["row"].values.tolist(), names=["run", "method"])
    columns = [f"{log_l:g}" for log_l in scores["quoted_log_l"].values]
    values = [_digits(row) for row in scores.values]
    return pd.DataFrame(values, index=index, columns=columns).rename_axis("log10 L", axis=1)


def _plain(text):
    """Return the value that a JSON text holds, as text."""
    value = json.loads(text)
    return "-" if value is None else str(value)


def _whole(n):
    return "" if np.isnan(n) else str(int(n))


def _digits(values):
    """Return numbers as texts of three digits; nothing where there is none."""
    return ["" if np.isnan(v) else f"{v:#.3g}".rstrip(".") for v in values]
