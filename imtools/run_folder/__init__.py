"""What a run leaves behind: where it lies, how it ended, and on what it ran."""

import os
import platform
import sys
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from imtools import __version__
from imtools.run_folder.files import (
    append_row,
    atomic_path,
    check_finite,
    first_bytes,
    open_netcdf,
    read_json,
    read_rows,
    write_json,
    write_netcdf,
    write_text,
)
from imtools.run_folder.lock import LOCK, is_alive, is_here, is_silent, locked, this_process
from imtools.run_folder.yaml_files import read_yaml

__all__ = [
    "append_row", "atomic_path", "check_finite", "data_root", "environment", "first_bytes",
    "locked", "new_run", "open_netcdf", "open_run", "read_json", "read_rows", "read_status",
    "read_yaml",
    "write_environment", "write_json", "write_netcdf", "write_status", "write_text",
]  # fmt: skip

STATES = ("pending", "running", "done", "failed", "lost")
PACKAGES = (
    "astropy", "bokeh", "colossus", "h5py", "holoviews", "jax", "keras", "netcdf4", "numba",
    "numpy", "papermill", "pydantic", "scikit-learn", "scipy", "tensorflow", "tensorflow-cpu",
    "torch", "xarray",
)  # fmt: skip
VARIABLES = (  # what changes numbers or speed; never the whole environment, which holds tokens
    "CUDA_VISIBLE_DEVICES", "IMTOOLS_EXTENSIONS", "KERAS_BACKEND", "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "PYTHONHASHSEED", "SLURM_CPUS_PER_TASK", "SLURM_JOB_ID",
    "TF_DETERMINISTIC_OPS", "TF_ENABLE_ONEDNN_OPTS", "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)  # fmt: skip


def data_root():
    """Return the folder of data sets and runs.

    It is ``$IMTOOLS_DATA`` if set, else ``data/`` of the checkout that the working folder lies in,
    else ``data/`` in the working folder. It need not exist.
    """
    chosen = os.environ.get("IMTOOLS_DATA")
    if chosen:
        return Path(chosen).absolute()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "imtools").is_dir():
            return folder / "data"
    return here / "data"


def new_run(label, *, root=None):
    """Make an empty run folder and return its path.

    Parameters
    ----------
    label : str
        Ends the name, after the time: ``20261124-093000-tiny``. A preset, mostly.
    root : path-like, optional
        Folder of the runs; by default ``runs`` under `data_root`.
    """
    root = data_root() / "runs" if root is None else Path(root)
    root.mkdir(parents=True, exist_ok=True)
    stem = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{label}"
    for n in range(1, 10_000):
        folder = root / (stem if n == 1 else f"{stem}-{n}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    msg = f"new_run: {root} holds ten thousand runs of this second; wait a second"
    raise FileExistsError(msg)


def open_run(run_dir, *, label):
    """Return the folder that a notebook writes to: `run_dir`, or a new run where that is empty.

    Parameters
    ----------
    run_dir : str
        The notebook's parameter; the runner always gives one.
    label : str
        Ends the name of a new run, see `new_run`.
    """
    return Path(run_dir) if run_dir else new_run(label)


def write_status(run_dir, state, *, reason="", **facts):
    """Write ``status.json``: the state, why, since when, and the process that says so.

    Parameters
    ----------
    run_dir : path-like
        The run's folder.
    state : {"pending", "running", "done", "failed", "lost"}
        What the run has come to.
    reason : str
        Why, in one line, where it is not plain.
    **facts
        More to keep; facts of an earlier status stay.
    """
    if state not in STATES:
        msg = f"write_status: state is {state!r}, expected one of {', '.join(STATES)}"
        raise ValueError(msg)
    path = Path(run_dir) / "status.json"
    earlier = read_json(path) if path.exists() else {}
    now = {"state": state, "reason": reason, "updated": _now(), "process": this_process()}
    write_json(earlier | facts | now, path, overwrite=True)


def read_status(run_dir):
    """Return the status of a run; one that runs in a process that has ended is ``lost``.

    Of a process on another host that is not known; there the run's lock must be touched.
    """
    status = read_json(Path(run_dir) / "status.json")
    if status["state"] != "running":
        return status
    process = status["process"]
    if not is_alive(process):
        reason = f"process {process['pid']} ended without a word"
        return status | {"state": "lost", "reason": reason}
    if not is_here(process) and is_silent(Path(run_dir) / LOCK):
        reason = f"nothing is heard of process {process['pid']} on {process['host']}"
        return status | {"state": "lost", "reason": reason}
    return status


def _now():
    return datetime.now().astimezone().isoformat(timespec="seconds")


def environment():
    """Return what a run ran on: versions, platform, processor and a few variables.

    Only the variables listed in ``VARIABLES`` are kept, so no token or key is ever stored.
    """
    return {
        "imtools": __version__,
        "python": sys.version.split()[0],
        "packages": {name: v for name in PACKAGES if (v := _version(name))},
        "platform": platform.platform(),
        "device": _processor(),
        "n_cpu": os.cpu_count(),
        "variables": {name: os.environ[name] for name in VARIABLES if name in os.environ},
    }


def write_environment(run_dir, **facts):
    """Write ``environment.json``: `environment`, and `facts` on top (the network's device)."""
    write_json(environment() | facts, Path(run_dir) / "environment.json", overwrite=True)


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor():
    """Return the processor's name, or its architecture where the system does not tell."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
