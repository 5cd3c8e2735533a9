"""What is known of a run before it starts: its notebook, checked parameters and a fingerprint."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from imtools.experiment import Experiment
from imtools.runs.parameters import as_dict, plan, read_notebook

PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One notebook with one set of parameters; `prepare` makes it."""

    notebook: Path
    preset: str  # "notebook" where the notebook itself says the sizes
    parameters: dict  # as they were given
    experiment: Experiment  # what the notebook will compute with
    injected: dict  # values for its parameters cell, without run_dir
    fingerprint: str  # of the package, the notebook and the parameters
    trains: bool  # whether the notebook trains the network of the experiment

    def values(self):
        """Return what was given, name to value, as the experiment holds it (11 becomes 11.0)."""
        given = {k: v for k, v in self.parameters.items() if k != "changes"}
        given |= as_dict(self.parameters.get("changes", {}), self.notebook.name)
        flat = self.experiment.flat()
        return {name: flat.get(name, value) for name, value in given.items()}


def prepare(notebook, *, preset=None, parameters=None):
    """Return the `Job` of a notebook with these parameters.

    Parameters
    ----------
    notebook, preset, parameters
        As in `run_notebook`.

    Raises
    ------
    ValueError
        If a name or value is wrong, see `plan`.
    """
    notebook = Path(notebook).absolute()
    content = read_notebook(notebook)
    experiment, injected = plan(content, preset=preset, parameters=parameters, name=notebook.name)
    return Job(
        notebook=notebook,
        preset=preset or injected.get("preset") or "notebook",
        parameters=dict(parameters or {}),
        experiment=experiment,
        injected=injected,
        fingerprint=_fingerprint(content, experiment, injected),
        trains=_trains(content),
    )


def _trains(content):
    """Return whether a cell of the notebook calls `fit_network` or `train`."""
    code = ["".join(c["source"]) for c in content["cells"] if c["cell_type"] == "code"]
    return any(call in source for source in code for call in ("fit_network(", "train("))


def _fingerprint(content, experiment, injected):
    """Return a hash of all that determines a run: the package, the notebook, the parameters."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.read_bytes())
    for cell in content["cells"]:
        digest.update("".join(cell["source"]).encode() + b"\0")
    digest.update(experiment.to_json().encode())
    digest.update(json.dumps(injected, sort_keys=True).encode())
    return digest.hexdigest()
