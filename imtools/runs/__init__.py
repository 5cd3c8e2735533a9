"""Run a notebook in a process of its own, with checked parameters, and keep what it leaves."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil

from imtools.run_folder import (
    data_root,
    locked,
    new_run,
    read_json,
    read_status,
    write_environment,
    write_status,
    write_text,
)
from imtools.run_folder.lock import LOCK
from imtools.runs.parameters import from_text, plan, read_notebook
from imtools.runs.report import write_report

__all__ = ["Run", "from_text", "list_runs", "run_notebook"]

EXECUTE = Path(__file__).with_name("execute.py")
PACKAGE = Path(__file__).parents[1]
LONGEST_SOCKET_PATH = 100  # characters; the systems allow 103 and more
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run's folder and how it ended."""

    folder: Path
    state: str  # done, failed, lost, ...
    reason: str = ""
    traceback: str = ""
    reused: bool = False  # nothing was started, since the same run was done before


def run_notebook(
    notebook, *, preset=None, parameters=None, run_dir=None, timeout=None, reuse=False,
    progress=False,
):  # fmt: skip
    """Run a notebook with papermill, in a process of its own, and return how it ended.

    Parameters
    ----------
    notebook : path-like
        The notebook; it runs in its own folder and is not changed.
    preset : str, optional
        Sizes; by default those in the notebook.
    parameters : dict, optional
        Values by name, of the notebook's parameters cell or of the `Experiment`.
    run_dir : path-like, optional
        An empty or new folder; by default one is made under ``data/runs/``.
    timeout : float, optional
        Stop the run after so many seconds.
    reuse : bool
        Return a run that is done already, if code, notebook and parameters are the same.
    progress : bool
        Show what the notebook prints, and its progress bars, in this terminal.

    Returns
    -------
    Run
        Its folder holds the executed notebook, ``status.json``, ``environment.json``,
        ``experiment.json``, ``report.html`` and what the notebook writes.

    Raises
    ------
    ValueError
        If a name or value is wrong; no kernel has been started.
    FileExistsError
        If `run_dir` holds files.
    BlockingIOError
        If another process runs in `run_dir`.
    """
    notebook = Path(notebook).absolute()
    content = read_notebook(notebook)
    experiment, injected = plan(content, preset=preset, parameters=parameters, name=notebook.name)
    _check_registries(experiment, parameters or {})
    fingerprint = _fingerprint(content, experiment, injected)
    earlier = _find_done(fingerprint, run_dir) if reuse else None
    if earlier:
        return Run(folder=earlier, state="done", reused=True)
    preset = preset or injected.get("preset") or "notebook"
    folder = Path(run_dir).absolute() if run_dir else new_run(f"{preset}-{notebook.stem}")
    with locked(folder):
        _check_empty(folder)
        write_text(experiment.to_json(), folder / "experiment.json")
        write_environment(folder)
        facts = {
            "notebook": notebook.name, "preset": preset, "parameters": parameters or {},
            "fingerprint": fingerprint, "begun": time.time(),
        }  # fmt: skip
        write_status(folder, "running", **facts)
        job = {"notebook": str(notebook), "parameters": injected | {"run_dir": str(folder)}}
        return _finish(folder, _execute(job, folder, timeout=timeout, progress=progress))


def _check_registries(experiment, parameters):
    """Check names that a registry further down defines; importing that takes seconds."""
    if "architecture" not in parameters:
        return
    from imtools.networks import ARCHITECTURES

    if experiment.network.architecture not in ARCHITECTURES:
        msg = (
            f"run: architecture is {experiment.network.architecture!r}, expected one of "
            f"{', '.join(ARCHITECTURES)}"
        )
        raise ValueError(msg)


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


def _find_done(fingerprint, run_dir):
    """Return the newest run of that fingerprint that is done, or None."""
    folders = [Path(run_dir)] if run_dir else sorted(_run_folders(None), reverse=True)
    for folder in folders:
        status = _status(folder)
        if status.get("state") == "done" and status.get("fingerprint") == fingerprint:
            return folder
    return None


def _check_empty(folder):
    if any(path.name != LOCK for path in folder.iterdir()):
        msg = f"run: {folder} holds files; choose another run folder, or remove this one"
        raise FileExistsError(msg)


def _execute(job, folder, *, timeout, progress):
    """Do `job` in a process of its own and return how it ended, as a dict."""
    with tempfile.TemporaryDirectory(prefix="imtools-run-") as scratch:
        outcome = Path(scratch) / "outcome.json"
        job = job | {
            "output": str(folder / "notebook.ipynb"), "outcome": str(outcome),
            "cwd": str(Path(job["notebook"]).parent), "progress": progress,
            "kernel": _connection(scratch),
        }  # fmt: skip
        path = Path(scratch) / "job.json"
        write_text(json.dumps(job), path)
        command = [sys.executable, "-P", str(EXECUTE), str(path)]
        # the program ends when its stdin does, so that it and its kernel never outlive this process
        with subprocess.Popen(command, stdin=subprocess.PIPE, env=_environment(scratch)) as process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                _stop(process)
                return {"state": "failed", "reason": f"timeout: stopped after {timeout:g} s"}
            except BaseException:  # Ctrl-C
                _stop(process)
                write_status(folder, "failed", reason="interrupted")
                raise
        if outcome.exists():
            return read_json(outcome)
        return {"state": "lost", "reason": f"the process of the notebook ended with status {code}"}


def _connection(scratch):
    """Return how to talk to the kernel: by sockets in `scratch`, where no two runs meet."""
    path = Path(scratch) / "kernel.json"
    transport = "ipc" if len(f"{path}-ipc-1") <= LONGEST_SOCKET_PATH else "tcp"
    return {"transport": transport, "connection_file": str(path)}


def _environment(scratch):
    """Return this process's variables, with Jupyter's own files in `scratch`, not in the home.

    So a home folder that is missing or read-only does no harm, and neither do IPython's start-up
    files in it.
    """
    return os.environ | {
        "JUPYTER_RUNTIME_DIR": f"{scratch}/jupyter", "IPYTHONDIR": f"{scratch}/ipython",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        # TensorFlow's remarks on the processor would open every report
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }  # fmt: skip


def _stop(process):
    """End `process` and its kernels: kernels first, so that the notebook is saved."""
    for _ in range(20):
        _kill_children(process)  # again each second, as a kernel may be about to start
        try:
            process.wait(1)
            return
        except subprocess.TimeoutExpired:
            continue
    psutil.Process(process.pid).suspend()  # it starts no more of them
    _kill_children(process)
    process.kill()


def _kill_children(process):
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=5)


def _finish(folder, outcome):
    """Write the status and the report of a run that ended, and return it."""
    said = read_json(folder / "status.json")
    if said["state"] == outcome["state"] == "failed":
        outcome = outcome | {"reason": said["reason"]}  # what the notebook said of itself
    write_status(folder, **outcome, seconds=round(time.time() - said["begun"], 1))
    if (folder / "notebook.ipynb").exists():
        try:
            write_report(folder)
        except Exception as error:  # the results stand, whatever the page's trouble
            logger.warning("no report of %s: %s", folder, error)
    return Run(folder=folder, **outcome)


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
    for folder in _run_folders(root):
        status = _status(folder)
        row = {name: status.get(name, "") for name in columns}
        row["parameters"] = " ".join(f"{k}={v}" for k, v in status.get("parameters", {}).items())
        row["minutes"] = round(status.get("seconds", float("nan")) / 60, 1)
        rows[folder.name] = row
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    return table.rename_axis("run")


def _run_folders(root):
    root = data_root() / "runs" if root is None else Path(root)
    return sorted(p.parent for p in root.glob("*/status.json"))


def _status(folder):
    """Return the status of a run, or, where that is damaged, why."""
    try:
        return read_status(folder)
    except (OSError, ValueError) as error:
        return {"state": "unknown", "reason": str(error)}
