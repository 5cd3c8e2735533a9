"""Run one notebook in a process of its own and keep what it leaves in a run folder."""

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from imtools.run_folder import (
    locked,
    new_run,
    read_json,
    write_environment,
    write_status,
    write_text,
)
from imtools.run_folder.lock import LOCK
from imtools.runs.feasible import check_networks
from imtools.runs.jobs import prepare
from imtools.runs.listing import run_folders, status_of
from imtools.runs.process import execute
from imtools.runs.report import write_report

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
    job = prepare(notebook, preset=preset, parameters=parameters)
    check_networks([job])
    earlier = _find_done(job.fingerprint, run_dir) if reuse else None
    if earlier:
        return Run(folder=earlier, state="done", reused=True)
    folder = Path(run_dir).absolute() if run_dir else new_run(f"{job.preset}-{job.notebook.stem}")
    return run_job(job, folder, timeout=timeout, progress=progress)


def run_job(job, folder, *, timeout=None, progress=False, stop=None):
    """Do a `Job` that was checked, in an empty or new folder, and return how it ended.

    Parameters
    ----------
    job : Job
        From `prepare`.
    folder : pathlib.Path
        The run folder.
    timeout, progress
        As in `run_notebook`.
    stop : threading.Event, optional
        End the run, as one that was interrupted, once it is set.

    Returns
    -------
    Run
    """
    with locked(folder):
        _check_empty(folder)
        return carry_out(job, folder, timeout=timeout, progress=progress, stop=stop)


def carry_out(job, folder, *, timeout, progress, stop=None, facts=None):
    """Do a `Job` in a folder whose lock is held; `facts` (a dict) go into the status."""
    write_text(job.experiment.to_json(), folder / "experiment.json", overwrite=True)
    write_environment(folder)
    known = {
        "notebook": job.notebook.name, "source": os.path.relpath(job.notebook, folder),
        "preset": job.preset, "parameters": job.parameters,
        "fingerprint": job.fingerprint, "begun": time.time(),
    }  # fmt: skip
    write_status(folder, "running", **known | (facts or {}))
    outcome = execute(job, folder, timeout=timeout, progress=progress, stop=stop)
    return _finish(folder, outcome)


def _find_done(fingerprint, run_dir):
    """Return the newest run of that fingerprint that is done, or None."""
    folders = [Path(run_dir)] if run_dir else reversed(run_folders())
    for folder in folders:
        status = status_of(folder)
        if status.get("state") == "done" and status.get("fingerprint") == fingerprint:
            return folder
    return None


def _check_empty(folder):
    if any(path.name != LOCK for path in folder.iterdir()):
        msg = f"run: {folder} holds files; choose another run folder, or remove this one"
        raise FileExistsError(msg)


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
