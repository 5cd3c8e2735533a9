"""What the panels read of the chosen runs: each file when asked for, once until it changes."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from imtools.run_folder import open_netcdf, read_json, read_rows
from imtools.runs.answers import PREDICTIONS, REFERENCE, read_answers, read_reference

MOST = 24  # files kept in memory


@dataclass(frozen=True)
class Chosen:
    """The runs that are laid over each other, by what they are called in a figure."""

    folders: dict[str, Path]
    parameters: dict[str, dict]  # those that differ among them
    method: str  # of the scoreboard


class Reader:
    """Reads files of runs, and remembers the last few."""

    def __init__(self):
        self._known = OrderedDict()

    def history(self, folder):
        """Return the columns of ``history.csv``, or None."""
        history = self._once(folder / "history.csv", read_rows)
        needed = {"member", "epoch", "loss", "validation_loss"}
        return history if needed <= set(history or ()) else None

    def answers(self, folder):
        """Return predictions and truth, or None where there are no predictions."""
        return self._once(folder / PREDICTIONS, lambda path: read_answers(path.parent))

    def scores(self, folder):
        """Return ``scores.nc``, or None where there is none of a scoreboard."""
        scores = self._once(folder / "scores.nc", _load)
        return scores if scores is not None and {"method", "subset"} <= set(scores.dims) else None

    def summary(self, folder):
        """Return ``scores.json``, or an empty dict."""
        return self._once(folder / "scores.json", read_json) or {}

    def reference(self, folder):
        """Return the one-point reference, or None."""
        return self._once(folder / REFERENCE, lambda path: read_reference(path.parent))

    def outcome(self, folder, method, test):
        """Return the outcome of a test of memorising, or None."""
        return self._once(folder / "memorisation" / f"{method}_{test}.nc", _load)

    def _once(self, path, function):
        try:
            stat = path.stat()
        except OSError:
            return None
        key = (path, stat.st_mtime_ns, stat.st_size)
        if key not in self._known:
            self._known[key] = function(path)
        self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return self._known[key]


def _load(path):
    with open_netcdf(path) as file:
        return file.load()
