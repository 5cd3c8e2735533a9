"""The runs there are, as a table."""

from pathlib import Path

import pandas as pd

from imtools.run_folder import data_root, read_status


def list_runs(root=None):
    """Return a table of the runs under `root`, newest last.

    Parameters
    ----------
    root : path-like, optional
        By default ``runs`` under `data_root`.

    Returns
    -------
    pandas.DataFrame
        Columns ``state``, ``notebook``, ``preset``, ``parameters``, ``minutes``, ``reason``; the
        index is the name of the run's folder.
    """
    columns = ["state", "notebook", "preset", "parameters", "minutes", "reason"]
    rows = {}
    for folder in run_folders(root):
        status = status_of(folder)
        row = {name: status.get(name, "") for name in columns}
        row["parameters"] = " ".join(f"{k}={v}" for k, v in status.get("parameters", {}).items())
        row["minutes"] = round(status.get("seconds", float("nan")) / 60, 1)
        rows[folder.name] = row
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("run")


def run_folders(root=None):
    """Return the folders of the runs under `root`, by default those in data/runs, oldest first."""
    root = data_root() / "runs" if root is None else Path(root)
    return sorted(p.parent for p in root.glob("*/status.json"))


def status_of(folder):
    """Return the status of a run, or, where that is damaged, why."""
    try:
        return read_status(folder)
    except (OSError, ValueError) as error:
        return {"state": "unknown", "reason": str(error)}
