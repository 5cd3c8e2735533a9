"""Go on with a run that was killed or failed: its notebook again, and each training from there."""

import shutil
from pathlib import Path

from imtools.experiment import Experiment
from imtools.run_folder import data_root, locked, read_status
from imtools.run_folder.lock import LOCK
from imtools.runs.feasible import check_networks
from imtools.runs.jobs import prepare
from imtools.runs.listing import status_of
from imtools.runs.running import Run, carry_out

STATUS = "status.json"
EARLIER = "earlier"  # where the results of an attempt go before the next
OF_THE_RUN = {EARLIER, LOCK, STATUS, "experiment.json", "environment.json"}
CHECKPOINTS = "checkpoints"  # a folder that holds one is that of a training
OF_A_TRAINING = {CHECKPOINTS, "model.keras", "manifest.json", "history.csv", "reference.nc"}


def resume_run(run, *, force=False, timeout=None, progress=False):
    """Execute the notebook of a run again, in its folder and with its parameters.

    Trainings that were done are not done again, and the one that was killed goes on from its
    checkpoint. Other results are computed anew; those of the last attempt move to ``earlier/``.

    Parameters
    ----------
    run : path-like
        Its folder, or its name in data/runs.
    force : bool
        Go on though the package, the notebook or its experiment have changed; trainings too.
    timeout, progress
        As in `run_notebook`.

    Returns
    -------
    Run
        A run that is done is returned as it is; nothing is started.

    Raises
    ------
    FileNotFoundError
        If there is no such run, or its notebook is gone.
    ValueError
        If something has changed and `force` is not set.
    BlockingIOError
        If the run still runs.
    """
    folder = _folder_of(run)
    status = read_status(folder)
    if status["state"] == "done":
        return Run(folder=folder, state="done", reused=True)
    job = _job_of(folder, status)
    changed = _changes(folder, status, job)
    if changed and not force:
        msg = (
            f"resume: since {folder.name} began {', '.join(changed)}; set it back, run the "
            "notebook anew, or go on with --force"
        )
        raise ValueError(msg)
    check_networks([job])
    return go_on(job, folder, force=force, timeout=timeout, progress=progress)


def go_on(job, folder, *, force=False, timeout=None, progress=False, stop=None):
    """Do a `Job` that was checked once more in the folder of its last attempt, see `resume_run`."""
    with locked(folder):
        n = _set_aside(folder)
        facts = {"resumed": n, "forced": force, "traceback": ""}
        return carry_out(job, folder, timeout=timeout, progress=progress, stop=stop, facts=facts)


def can_go_on(job, folder):
    """Return whether `folder` holds a training of just this job that was begun and can go on."""
    same = (folder / STATUS).exists() and status_of(folder).get("fingerprint") == job.fingerprint
    return same and any(folder.rglob(CHECKPOINTS))


def _folder_of(run):
    for folder in (Path(run), data_root() / "runs" / run):
        if (folder / STATUS).exists():
            return folder.absolute()
    msg = f"resume: {run} is no run, expected its folder or its name; see `imtools runs`"
    raise FileNotFoundError(msg)


def _job_of(folder, status):
    """Return the job of a run, from what its status says."""
    if "source" not in status:
        msg = f"resume: {folder.name} does not say where its notebook lies; run that anew"
        raise ValueError(msg)
    preset = None if status["preset"] == "notebook" else status["preset"]
    notebook = (folder / status["source"]).resolve()
    return prepare(notebook, preset=preset, parameters=status["parameters"])


def _changes(folder, status, job):
    """Return in words what has changed since a run began."""
    then = Experiment.from_json((folder / "experiment.json").read_text(encoding="utf-8")).flat()
    now = job.experiment.flat()
    changes = [f"{k} became {now[k]}, was {v}" for k, v in then.items() if now[k] != v]
    if status["fingerprint"] != job.fingerprint and not changes:
        changes.append("the package or the notebook has changed")
    return changes


def _set_aside(folder):
    """Move the results of the last attempt to ``earlier/N`` and return N, counted from 1."""
    n = 1 + sum(path.is_dir() for path in folder.glob(f"{EARLIER}/*"))
    aside = folder / EARLIER / str(n)
    aside.mkdir(parents=True)
    shutil.copy2(folder / STATUS, aside)
    paths = [p for p in sorted(folder.rglob("*")) if not _stays(p, folder)]
    for path in paths:
        if not path.is_dir():
            target = aside / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    for path in reversed(paths):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    return n


def _stays(path, folder):
    """Return whether a file belongs to the run itself, or to a training that can go on."""
    parts = path.relative_to(folder).parts
    if parts[0] in OF_THE_RUN:
        return True
    places = [folder.joinpath(*parts[:i]) for i in range(len(parts))]
    return any(
        part in OF_A_TRAINING and (place / CHECKPOINTS).is_dir()
        for place, part in zip(places, parts, strict=True)
    )
