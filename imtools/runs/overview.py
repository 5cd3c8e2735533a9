"""Every run as a row of a table, from its small files alone, each read once until it changes."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from imtools.experiment import FIELD_STAGE, Experiment
from imtools.run_folder import data_root, read_json, read_rows
from imtools.runs.listing import run_folders, status_of
from imtools.runs.outcomes import METHOD
from imtools.runs.parameters import OWN

DEFAULTS = Experiment().flat()
FACTS = ("run", "state", "notebook", "preset", "begun", "minutes", "epochs_run", "best_loss")


class Overview:
    """The runs below a folder; `table` reads what is new since it was last asked.

    Parameters
    ----------
    root : path-like, optional
        By default ``runs`` under `data_root`.
    method : str
        Method of the scoreboard whose errors stand in the table.
    """

    def __init__(self, root=None, *, method=METHOD):
        self.root = data_root() / "runs" if root is None else Path(root)
        self.method = method
        self.n_read = 0  # files read so far
        self.parameters = {}  # of each run, by its name, as of the last `table`
        self._known = {}

    def table(self):
        """Return a row a run, oldest first.

        Returns
        -------
        pandas.DataFrame
            The index is the name of the run's folder, after that of its sweep. Columns, all of them
            Python names, as a filter needs them: ``run`` (the name), ``state``, ``notebook``,
            ``preset``, ``begun``, ``minutes``, ``epochs_run``, ``best_loss`` (of the validation,
            the mean over an ensemble), ``memorised`` ("no" if no test of memorising was failed,
            else how many were), the rms error of log10 dN [dex] at each quoted luminosity as
            ``rms_4``, ``rms_4_5`` ..., ``reason``, and every parameter that is not the same in all
            runs.
        """
        folders = run_folders(self.root)
        rows = {f.relative_to(self.root).as_posix(): self._row(f) for f in folders}
        names = dict.fromkeys(name for facts, _ in rows.values() for name in facts)
        self.parameters = {name: parameters for name, (_, parameters) in rows.items()}
        differ = differing(list(self.parameters.values()))
        ordered = [*FACTS, *sorted(set(names) - {*FACTS, "reason"}), "reason"]
        table = {
            run: {name: facts.get(name) for name in ordered[1:]}
            | {name: parameters.get(name) for name in differ if name not in facts}
            for run, (facts, parameters) in rows.items()
        }
        frame = pd.DataFrame.from_dict(table, orient="index")
        frame.insert(0, "run", list(rows))
        return frame.rename_axis("name")

    def _row(self, folder):
        """Return facts and parameters of a run."""
        status = status_of(folder)  # read each time: a process may have ended without a word
        facts = {name: status.get(name, "") for name in ("state", "notebook", "preset", "reason")}
        facts["begun"] = _when(status.get("begun"))
        facts["minutes"] = status.get("seconds", np.nan) / 60
        facts |= self._read(folder / "history.csv", _losses) or {}
        facts |= self._read(folder / "scores.json", self._scores) or {}
        parameters = self._read(folder / "experiment.json", _flat) or {}
        given = status.get("parameters", {})
        own = {k: v for k, v in given.items() if k not in (*OWN, *FIELD_STAGE)}
        return facts, parameters | own

    def _read(self, path, function):
        """Return what `function` reads off a file, from memory if it has not changed."""
        try:
            stat = path.stat()
        except OSError:
            self._known.pop(path, None)
            return None
        stamp = (stat.st_mtime_ns, stat.st_size)
        if self._known.get(path, (None, None))[0] != stamp:
            self.n_read += 1
            try:
                self._known[path] = stamp, function(path)
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                self._known[path] = stamp, None  # half-written or damaged: as if not there
        return self._known[path][1]

    def _scores(self, path):
        summary = read_json(path)
        row = summary["subsets"]["all"].get(self.method, {})
        pairs = zip(summary["quoted_log_l"], row.get("rms", []), strict=False)
        facts = {f"rms_{log_l:g}".replace(".", "_"): rms for log_l, rms in pairs}
        tests = summary.get("memorisation", {}).get(self.method)
        if tests is not None:
            failed = sum(one["state"] == "failed" for one in tests.values())
            facts["memorised"] = f"{failed} of {len(tests)} failed" if failed else "no"
        return facts


def _losses(path):
    """Return epochs and the lowest validation loss of a training."""
    history = read_rows(path)
    member, loss = history["member"], history["validation_loss"]
    best = [np.nanmin(loss[member == one], initial=np.inf) for one in np.unique(member)]
    return {"epochs_run": float(loss.size), "best_loss": float(np.mean(best)) if best else np.nan}


def _flat(path):
    """Return the parameters in an ``experiment.json``, which were checked when it was written.

    One that it lacks is younger, and its default is what was done before there was a choice.
    """
    stages = json.loads(path.read_text(encoding="utf-8"))
    return DEFAULTS | {name: value for stage in stages.values() for name, value in stage.items()}


def differing(rows):
    """Return the names of the parameters that differ among those of `rows` that have any."""
    rows = [row for row in rows if row]
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if any(row.get(name) != rows[0].get(name) for row in rows)]


def _when(seconds):
    """Return a time as text that sorts, to the second."""
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")[:19]
