"""The runs there are: found by name, and as a table."""

from pathlib import Path

import pandas as pd

from imtools.run_folder import data_root, read_json, read_status

STATUS = "status.json"
SWEEP = "sweep.json"  # marks a folder of run folders


def list_runs(root=None):
    """Return a table of the runs under `root`, newest last, those of a sweep together.

    Parameters
    ----------
    root : path-like, optional
        By default ``runs`` under `data_root`.

    Returns
    -------
    pandas.DataFrame
        Columns ``state``, ``notebook``, ``preset``, ``parameters``, ``minutes``, ``reason``; the
        index is the name of the run's folder, after that of its sweep.
    """
    root = data_root() / "runs" if root is None else Path(root)
    columns = ["state", "notebook", "preset", "parameters", "minutes", "reason"]
    rows = {}
    for folder in run_folders(root):
        status = status_of(folder)
        row = {name: status.get(name, "") for name in columns}
        row["parameters"] = " ".join(f"{k}={v}" for k, v in status.get("parameters", {}).items())
        row["minutes"] = round(status.get("seconds", float("nan")) / 60, 1)
        rows[folder.relative_to(root).as_posix()] = row
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("run")


def run_folders(root=None):
    """Return the folders of the runs under `root`, by default those in data/runs, oldest first."""
    root = data_root() / "runs" if root is None else Path(root)
    found = [p.parent for p in root.glob(f"*/{STATUS}")]
    for sweep in root.glob(f"*/{SWEEP}"):
        found += [p.parent for p in sweep.parent.glob(f"*/{STATUS}")]
    return sorted(found)


def find_runs(names):
    """Return the folders of runs, given as paths or as names in data/runs.

    Parameters
    ----------
    names : list of path-like
        Runs, or sweeps, of which every run is meant that has begun.

    Raises
    ------
    FileNotFoundError
        If one of them is no run.
    """
    found = []
    for name in names:
        places = [Path(name), data_root() / "runs" / name]
        folder = next((p for p in places if p.is_dir()), None)
        if folder is not None and (folder / SWEEP).exists():
            runs = [folder / run for run in read_json(folder / SWEEP)["runs"]]
            found += [run for run in runs if (run / STATUS).exists()]
        elif folder is not None and (folder / STATUS).exists():
            found.append(folder)
        else:
            msg = f"compare: {name} is no run, expected its folder or its name; see `imtools runs`"
            raise FileNotFoundError(msg)
    return list(dict.fromkeys(path.absolute() for path in found))


def status_of(folder):
    """Return the status of a run, or, where that is damaged, why."""
    try:
        return read_status(folder)
    except (OSError, ValueError) as error:
        return {"state": "unknown", "reason": str(error)}
