"""Many runs of one notebook, some at once: what is done stays, what is missing or failed runs."""

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from imtools.cluster import do_all, stopping
from imtools.run_folder import (
    data_root,
    locked,
    read_json,
    write_json,
    write_netcdf,
    write_status,
    write_text,
)
from imtools.run_folder.lock import LOCK, SILENT
from imtools.runs.feasible import check_networks, worker_limits
from imtools.runs.listing import STATUS, SWEEP, status_of
from imtools.runs.outcomes import collect_runs, to_table
from imtools.runs.resume import can_go_on, go_on
from imtools.runs.running import Run, run_job
from imtools.runs.sweep_file import check_n_parallel, read_sweep

ORPHAN = 5  # s that the notebook of a lost worker may take to end after it


def run_sweep(path, *, folder=None, n_parallel=None, again=False, client=None, tell=None):
    """Run those points of a sweep that are missing, failed or lost.

    Parameters
    ----------
    path : path-like
        The sweep file, see `read_sweep`.
    folder : path-like, optional
        Where its run folders lie; by default ``data/runs/`` and the name of the file.
    n_parallel : int, optional
        Runs at once, in place of what the file says.
    again : bool
        Run those again, too, that were done with another version of the package or notebook.
    client : distributed.Client, optional
        Give the runs to its workers, see `cluster.connect`. All must see `folder`, the notebook and
        the data root.
    tell : callable, optional
        ``tell(name, run)``, called when a run has ended; a progress bar is shown besides.

    Returns
    -------
    dict of str to Run
        How each run of the sweep has ended, those of earlier calls too, by the name of its folder
        and in the order of the file; of those, ``reused`` is true. The same as tables lie in
        `folder`: ``outcomes.csv``, and ``outcomes.nc`` as from `collect_runs`.

    Raises
    ------
    ValueError
        If a name or value is wrong or a network cannot be trained; no kernel has been started.
    FileExistsError
        If `folder` holds something else.
    BlockingIOError
        If another process runs a sweep in `folder`.
    RuntimeError
        If the workers of `client` are not like this process, or none is left.

    Notes
    -----
    A run that ends badly harms no other. When it is tried again, its training goes on from the last
    checkpoint as in `resume_run`; without one, or when package or notebook have changed, its folder
    is emptied. So does a run whose worker was lost, on another.
    """
    sweep = read_sweep(path)
    n_parallel = sweep.n_parallel if n_parallel is None else n_parallel
    check_n_parallel(n_parallel, sweep.file)
    folder = Path(folder or sweep_folder(path)).absolute()
    todo = _todo(sweep, folder, again)
    labels = [f"sweep: {sweep.file.name}: {sweep.label(name)}" for name in todo]
    limits = {"n_parallel": n_parallel} if client is None else worker_limits(client, n_parallel)
    check_networks([sweep.jobs[name] for name in todo], labels=labels, **limits)
    with locked(folder):
        _claim(sweep, folder)
        todo = _todo(sweep, folder, again)  # another process may have run some of them
        try:
            run = _run_here if client is None else partial(_run_on_cluster, client)
            now = _run_all(run(sweep, folder, todo, n_parallel), todo, tell)
        finally:
            _write_outcomes(sweep, folder)
    return {name: now.get(name) or _ended(folder / name) for name in sweep.jobs}


def out_of_date(path, folder=None):
    """Return the names of those runs of a sweep that were done with another package or notebook."""
    folder = Path(folder or sweep_folder(path))
    return [
        name
        for name, job in read_sweep(path).jobs.items()
        if (ended := _ended(folder / name)) and ended.state == "done"
        if not _is_current(job, folder / name)
    ]


def sweep_folder(path):
    """Return the folder of the runs of a sweep file below `run_folder.data_root`."""
    return data_root() / "runs" / Path(path).stem


def _is_current(job, folder):
    """Return whether a run was done with this version of the package and the notebook."""
    return status_of(folder).get("fingerprint") == job.fingerprint


def _todo(sweep, folder, again):
    """Return the names of the runs that are missing or ended badly, or `again` are out of date."""
    todo = []
    for name, job in sweep.jobs.items():
        ended = _ended(folder / name)
        if (
            ended is None
            or ended.state != "done"
            or (again and not _is_current(job, folder / name))
        ):
            todo.append(name)
    return todo


def _claim(sweep, folder):
    """Write down what the sweep is; refuse a folder that holds something else."""
    path, job = folder / SWEEP, next(iter(sweep.jobs.values()))
    if not path.exists() and any(p.name != LOCK for p in folder.iterdir()):
        msg = f"sweep: {folder} holds files but no {SWEEP}; choose another folder"
        raise FileExistsError(msg)
    there = read_json(path)["notebook"] if path.exists() else job.notebook.name
    if there != job.notebook.name:
        msg = f"sweep: {folder} holds runs of {there}, expected {job.notebook.name}; rename "
        raise FileExistsError(msg + f"{sweep.file.name}, or choose another folder")
    facts = {
        "file": sweep.file.name, "notebook": job.notebook.name,
        "runs": {name: job.values() for name, job in sweep.jobs.items()},
    }  # fmt: skip
    write_json(facts, path, overwrite=True)


def _ended(folder):
    """Return how the run in `folder` has ended, or None if there is none."""
    if not (folder / STATUS).exists():
        return None
    status = status_of(folder)
    facts = {name: status.get(name, "") for name in ("state", "reason", "traceback")}
    return Run(folder=folder, **facts, reused=True)


def _write_outcomes(sweep, folder):
    """Write what came of the runs that there are as ``outcomes.nc`` and ``outcomes.csv``."""
    outcomes = collect_runs([folder / n for n in sweep.jobs if (folder / n / STATUS).exists()])
    write_netcdf(outcomes, folder / "outcomes.nc", overwrite=True)
    write_text(to_table(outcomes).to_csv(), folder / "outcomes.csv", overwrite=True)


def _run_all(runs, todo, tell):
    """Return how each of `runs`, pairs of name and run that come as they end, has ended."""
    ended = {}
    with tqdm(total=len(todo), desc="sweep", unit="run", disable=not todo) as bar, closing(runs):
        for name, run in runs:
            ended[name] = run
            if tell:
                tell(name, run)
            bar.update()
    return ended


def _run_here(sweep, folder, todo, n_parallel):
    """Run `todo` on this machine, so many at once, and yield how each has ended."""
    stop = threading.Event()
    with ThreadPoolExecutor(n_parallel) as pool:
        run = partial(_run_one, folder, sweep.timeout, stop)
        jobs = {pool.submit(run, (name, sweep.jobs[name])): name for name in todo}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BaseException:  # Ctrl-C: end what runs, start no more
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _run_on_cluster(client, sweep, folder, todo, n_parallel):
    """Run `todo` on the workers of a dask client, so many at once, and yield how each has ended."""
    run = partial(_run_on_worker, folder, sweep.timeout)
    items = [(name, sweep.jobs[name]) for name in todo]
    lost = partial(_lost, folder)
    settings = {"folder": folder, "at_once": n_parallel, "on_lost": lost}
    for (name, _), ended in do_all(client, run, items, **settings):
        yield name, ended


def _lost(folder, item):
    """Write down that a run is lost, which its workers cannot any more, and return it."""
    folder, reason = folder / item[0], "workers kept dying of it; out of memory?"
    folder.mkdir(exist_ok=True)
    write_status(folder, "lost", reason=reason)
    return Run(folder=folder, state="lost", reason=reason)


def _run_on_worker(folder, timeout, item):
    """Run one point on a worker; it may have been begun, or done, by one that was lost."""
    name, job = item
    if not job.notebook.exists():
        msg = f"sweep: a worker does not see {job.notebook}; put it where all workers share it"
        raise FileNotFoundError(msg)
    with locked(folder / name, wait=2 * SILENT):  # until the lost one is known to have ended
        ended = _ended(folder / name)
    if ended and ended.state == "done" and _is_current(job, folder / name):
        return replace(ended, reused=False)
    if ended and ended.state in ("running", "lost"):
        time.sleep(ORPHAN)  # what it ran may write until it notices
    return _run_one(folder, timeout, stopping(), item)


def _run_one(folder, timeout, stop, item):
    """Run one point, from its checkpoint if it has one; whatever happens is how it ended."""
    name, job = item
    folder, settings = folder / name, {"timeout": timeout, "stop": stop}
    try:
        ended = _ended(folder)
        if ended is not None and ended.state != "done" and can_go_on(job, folder):
            return go_on(job, folder, **settings)
        _empty(folder)
        return run_job(job, folder, **settings)
    except Exception as error:  # a full disk, or another process in that folder
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Run(folder=folder, state="failed", reason=reason)


def _empty(folder):
    """Remove what an earlier attempt has left in a run folder."""
    with locked(folder):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK:
                path.unlink(missing_ok=True)
