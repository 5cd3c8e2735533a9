"""A data set on disk: one netCDF file a catalogue, made in parallel, made again where missing."""

import logging
import multiprocessing
import multiprocessing.connection
import os
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread

from tqdm import tqdm

from imtools.cluster import do_all
from imtools.datasets.catalogue import make_maps
from imtools.experiment import Experiment
from imtools.run_folder import (
    data_root,
    locked,
    open_netcdf,
    write_netcdf,
    write_text,
)
from imtools.run_folder.files import remove_unfinished

logger = logging.getLogger(__name__)
MAX_BROKEN = 3  # process pools that may lose a worker before the build gives up


def set_folder(experiment):
    """Return the folder of an experiment's data set below `run_folder.data_root`."""
    return data_root() / "sets" / experiment.data_key()


def catalogue_path(folder, catalogue):
    """Return the file of a catalogue."""
    return Path(folder) / f"catalogue_{catalogue:05d}.nc"


def n_catalogues(experiment):
    """Return how many catalogues a data set has on all sides together."""
    return experiment.data.n_train + experiment.data.n_validation + experiment.data.n_test


def build(experiment, folder=None, *, client=None, progress=True):
    """Make the catalogues of a data set that are not there yet.

    Parameters
    ----------
    experiment : Experiment
        What to make; ``n_workers`` processes make it. Their number does not change a byte.
    folder : path-like, optional
        Where; `set_folder` by default.
    client : distributed.Client, optional
        Give the work to its workers, see `cluster.connect`, in place of ``n_workers`` processes.
        All must see the folder. That does not change a byte either.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of int
        Numbers of the catalogues that were made; none if all were there.

    Raises
    ------
    ValueError
        If the folder holds the data set of another experiment.
    NotADirectoryError
        If it is a file.
    BlockingIOError
        If another process is building there; for ``$IMTOOLS_WAIT`` seconds it is waited for, which
        `runs` sets, since runs of a sweep may share a data set.
    RuntimeError
        If workers keep dying, or those of a client are not like this process.

    Notes
    -----
    A killed build loses the catalogues in work and no other. A damaged file is made again, with a
    warning. If a worker dies, its catalogue is given to another.
    """
    folder = set_folder(experiment) if folder is None else Path(folder)
    if folder.exists() and not folder.is_dir():
        msg = f"build: {folder} is a file, expected a folder; choose another"
        raise NotADirectoryError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, wait=float(os.environ.get("IMTOOLS_WAIT", 0))):
        _claim_folder(experiment, folder)
        missing = [k for k in range(n_catalogues(experiment)) if not _is_whole(folder, k)]
        todo = list(missing)
        with tqdm(
            total=len(todo), desc="simulate", unit="catalogue", disable=not (progress and todo)
        ) as bar:
            if client is not None:
                _make_on_cluster(experiment, folder, todo, bar, client)
                return missing
            for _ in range(MAX_BROKEN):
                todo = _make_all(experiment, folder, todo, bar)
                if not todo:
                    return missing
                remove_unfinished(folder)  # of the workers that ended with the one that died
                logger.warning("build: a worker died; catalogues %s are made again", todo)
    msg = (
        f"build: workers died {MAX_BROKEN} times, catalogues {todo} are missing in {folder}; "
        "out of memory? lower n_workers and run it again; a script of one's own must call it under "
        "if __name__ == '__main__'"
    )
    raise RuntimeError(msg)


def _claim_folder(experiment, folder):
    """Write the experiment into an empty folder; refuse one that holds another's data."""
    path = folder / "experiment.json"
    if not path.exists():
        write_text(experiment.to_json(), path)
        return
    there = Experiment.from_json(path.read_text(encoding="utf-8"))
    if there.data_key() != experiment.data_key():
        ours, theirs = experiment.flat(), there.flat()
        differing = [f"{k} {theirs[k]!r} not {v!r}" for k, v in ours.items() if theirs[k] != v]
        msg = (
            f"build: {folder} holds the data set of another experiment ({', '.join(differing)}); "
            "choose another folder"
        )
        raise ValueError(msg)


def _is_whole(folder, catalogue):
    path = catalogue_path(folder, catalogue)
    if not path.exists():
        return False
    try:
        open_netcdf(path).close()
    except (OSError, ValueError) as error:
        warnings.warn(f"build: {error}; it is made again", stacklevel=3)
        path.unlink()
        return False
    return True


def _make_all(experiment, folder, todo, bar):
    """Make the catalogues in `todo`; return those that were lost with a worker."""
    n_workers = min(experiment.data.n_workers, len(todo))
    if n_workers <= 1:
        for catalogue in todo:
            _make_file(experiment, folder, catalogue)
            bar.update()
        return []
    # spawn: a fork would copy locks of threads that do not exist in the child
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, context, initializer=_end_with_parent) as pool:
        jobs = {pool.submit(_make_file, experiment, folder, k): k for k in todo}
        try:
            for job in as_completed(jobs):
                job.result()
                bar.update()
        except BrokenProcessPool:
            pass
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    # asked when no worker is left that could still finish one
    return [k for k in todo if not catalogue_path(folder, k).exists()]


def _make_on_cluster(experiment, folder, todo, bar, client):
    """Make the catalogues in `todo` on the workers of a dask client."""
    make = partial(_make_missing, experiment, folder.absolute())
    tell = partial(bar.set_postfix_str, refresh=True)
    try:
        for _ in do_all(client, make, todo, folder=folder, tell=lambda n: tell(f"{n} workers")):
            bar.update()
    finally:
        remove_unfinished(folder)  # of the workers that were lost; no other is at work any more


def _make_missing(experiment, folder, catalogue):
    """Make a file, unless a worker has that was lost before it could say so."""
    if not catalogue_path(folder, catalogue).exists():
        with suppress(FileExistsError):
            _make_file(experiment, folder, catalogue)


def _end_with_parent():
    """Let a worker end when its driver is killed, which would otherwise leave it waiting."""

    def wait():
        multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def _make_file(experiment, folder, catalogue):
    write_netcdf(make_maps(experiment, catalogue), catalogue_path(folder, catalogue))
