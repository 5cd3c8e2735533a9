"""A sweep as a YAML file: one notebook, and the parameters of each of its runs."""

import hashlib
import itertools
import json
import math
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from imtools.run_folder import read_yaml
from imtools.runs.jobs import Job, prepare

KEYS = ("notebook", "preset", "parameters", "grid", "points", "n_parallel", "timeout")
MAX_POINTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One notebook and its runs, all checked; `read_sweep` makes it."""

    file: Path
    jobs: dict[str, Job]  # by the name of the run's folder
    n_parallel: int
    timeout: float | None

    def label(self, name):
        """Return what to call a run in a message: its preset and parameters."""
        job = self.jobs[name]
        return ", ".join([job.preset, *(f"{k} = {v}" for k, v in job.values().items())])


def read_sweep(path):
    """Read a sweep file and check every name and value in it.

    Parameters
    ----------
    path : path-like
        YAML with ``notebook`` (its path, from the folder of the file) and either ``grid`` (lists of
        values by parameter; every combination is a run) or ``points`` (a list of parameters by
        name, a run each). Further ``preset``, ``parameters`` (the same in every run; a point may
        say otherwise), ``n_parallel`` (runs at once, 1 by default) and ``timeout`` (of each run, in
        seconds).

    Returns
    -------
    Sweep
        Its runs in the order of the file.

    Raises
    ------
    FileNotFoundError
        If the file or the notebook is not there.
    ValueError
        If the file is no YAML, a name is unknown (the nearest is named), a value has the wrong type
        or range, or two runs are the same. The message names the file and the run.
    """
    path = Path(path)
    content = read_yaml(path, "sweep", example="notebook and grid")
    _check_keys(content, path)
    n_parallel, timeout = content.get("n_parallel", 1), content.get("timeout")
    check_n_parallel(n_parallel, path)
    if not (timeout is None or (_is_number(timeout) and 0 < timeout < math.inf)):
        _refuse(path, f"timeout is {timeout!r}, expected seconds, more than 0")
    jobs = {}
    for i, parameters in enumerate(_points(content, path), 1):
        said = ", ".join(f"{k} = {v}" for k, v in parameters.items())
        job = _prepare(content, parameters, path, where=f"run {i} ({said})")
        name = run_name(job)
        if name in jobs:
            first = list(jobs).index(name) + 1
            _refuse(path, f"run {i} ({said}) is the same as run {first}; remove one")
        jobs[name] = job
    return Sweep(file=path, jobs=jobs, n_parallel=n_parallel, timeout=timeout)


def _prepare(content, parameters, path, *, where):
    """Return the job of one run; a ValueError names the file and the run."""
    for key in parameters:
        if not isinstance(key, str):
            _refuse(path, f"{where}: parameter {key!r}, expected a name; put it in quotes")
    settings = {"preset": content.get("preset")} | parameters
    preset = settings.pop("preset")
    try:
        return prepare(path.parent / content["notebook"], preset=preset, parameters=settings)
    except ValueError as error:
        _refuse(path, f"{where}: {str(error).removeprefix('run: ')}")


def run_name(job):
    """Return the name of a run's folder: a hash of notebook, preset and what was given."""
    values = {k: float(v) if type(v) is int else v for k, v in job.values().items()}
    text = json.dumps([job.notebook.stem, job.preset, values], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def check_n_parallel(n_parallel, path):
    """Raise unless `n_parallel` counts runs."""
    if type(n_parallel) is not int or n_parallel < 1:
        _refuse(path, f"n_parallel is {n_parallel!r}, expected a whole number, at least 1")


def _points(content, path):
    """Return the parameters of each run, in the order of the file."""
    shared = content.get("parameters", {})
    if "points" in content:
        points = content["points"]
        if not (isinstance(points, list) and points and all(isinstance(p, dict) for p in points)):
            _refuse(path, f"points is {points!r:.80}, expected a list of 'name: value' mappings")
        return [shared | point for point in points]
    grid = content["grid"]
    if not (isinstance(grid, dict) and grid):
        _refuse(path, f"grid is {grid!r:.80}, expected lists of values by parameter")
    for name, values in grid.items():
        if not (isinstance(values, list) and values):
            _refuse(path, f"grid: {name} is {values!r}, expected a list of values, such as [1, 2]")
        if name in shared:
            _refuse(path, f"{name} stands in grid and in parameters; remove one")
    n_points = math.prod(map(len, grid.values()))
    if n_points > MAX_POINTS:
        _refuse(path, f"grid has {n_points} combinations, expected at most {MAX_POINTS}")
    combinations = itertools.product(*grid.values())
    return [shared | dict(zip(grid, values, strict=True)) for values in combinations]


def _check_keys(content, path):
    """Raise unless the file says what it must, and nothing that is not known."""
    for key in content:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected among {', '.join(KEYS)}"
            _refuse(path, f"unknown key {key!r}; {hint}")
    for key, kind in (("notebook", str), ("preset", str | None)):
        if not isinstance(content.get(key), kind):
            _refuse(path, f"{key} is {content.get(key)!r:.80}, expected text")
    if ("grid" in content) == ("points" in content):
        both = "both grid and points" if "grid" in content else "neither grid nor points"
        _refuse(path, f"has {both}, expected one of them")
    if not isinstance(content.get("parameters", {}), dict):
        _refuse(path, f"parameters is {content['parameters']!r:.80}, expected 'name: value' pairs")


def _is_number(value):
    return type(value) in (int, float)


def _refuse(path, what):
    msg = f"sweep: {path.name}: {what}"
    raise ValueError(msg)
