"""Many things to do, given to the workers of a dask client; what a lost worker was at, again."""

import logging
import math
import queue
import time
import uuid
from collections import deque
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from imtools.cluster.worker import Stopping, do_one, facts
from imtools.run_folder.files import TEMPORARY

logger = logging.getLogger(__name__)
POLL = 1.0  # s, how often workers are counted while nothing ends
HEAR = 3.0  # s that the word of what came of it may take
AHEAD = 2  # things given out for each thread of a worker, so that none waits for the next
END = 90.0  # s that workers may take to stop what is cancelled: a cell may end its batch first


def do_all(client, function, items, *, folder, at_once=None, on_lost=None, tell=None):
    """Call ``function(item)`` on the workers of a client, and yield what came of it as it comes.

    Parameters
    ----------
    client : distributed.Client
        From `connect`.
    function : callable
        Importable on the workers. It may be called again for an item whose worker was lost, also
        when all was done but the word of it; it writes to `folder` what shall last.
    items : iterable
        What to do; each is sent to a worker.
    folder : path-like
        Where the results go; each worker must see it.
    at_once : int, optional
        Items in work at once; by default as many as the workers have threads.
    on_lost : callable, optional
        ``on_lost(item)``, what is yielded for an item that has cost several workers their life; by
        default that is an error.
    tell : callable, optional
        ``tell(n)``, called with the number of workers whenever it has changed.

    Yields
    ------
    tuple
        The item, and what ``function`` returned for it.

    Raises
    ------
    RuntimeError
        If a worker has another version or data root, an item keeps costing workers their
        life, or no worker is left for long.
    FileNotFoundError
        If a worker does not see `folder`.

    Notes
    -----
    What ``function`` raises is raised here. Then, or when the block ends otherwise, what has not
    begun is cancelled, and what has is waited for, a while; see `stopping`.
    """
    waiting, given, ended = deque(items), {}, queue.SimpleQueue()
    crew = _Crew(client, tell or (lambda n: None))
    with _probe(Path(folder)) as probe:
        task = partial(do_one, facts(), probe, function)
        try:
            while waiting or given:
                n_threads = crew.count()
                room = (at_once or max(1, AHEAD * n_threads)) - len(given)
                for _ in range(min(room, len(waiting))):
                    item = waiting.popleft()
                    future = client.submit(task, item, pure=False)
                    given[future] = item
                    future.add_done_callback(ended.put)
                with suppress(queue.Empty):
                    future = ended.get(timeout=POLL)
                    try:
                        result = _result(future, given[future], on_lost)
                    except _OutOfReachError:
                        logger.warning("the worker that did something was lost before it said so")
                        future.add_done_callback(ended.put)
                        continue
                    yield given.pop(future), result
        finally:
            _cancel(client, list(given))


def stopping():
    """Return an object whose ``is_set()`` tells a ``function`` on a worker to stop."""
    return Stopping()


class _Crew:
    """The workers of a client, counted; those that are lost are told of, and asked for again."""

    def __init__(self, client, tell):
        self._client, self._tell = client, tell
        self._seen, self._empty_since = set(), time.monotonic()

    def count(self):
        """Return the number of threads that all workers have together."""
        threads = self._client.nthreads()
        lost = self._seen - set(threads)
        for address in sorted(lost):
            logger.warning("worker %s was lost; what it was at is done again", address)
        if threads.keys() != self._seen:
            self._seen = set(threads)
            self._tell(len(threads))
        if len(threads) < getattr(self._client.cluster, "n_wanted", 0):
            self._client.cluster.ask_again()
        if threads:
            self._empty_since = time.monotonic()
        elif time.monotonic() - self._empty_since > self._client.imtools_patience:
            self._miss()
        return sum(threads.values())

    def _miss(self):
        """Say that no worker has been there for long; in a queue that may be so."""
        logs = getattr(self._client.cluster, "log_folder", None)
        if logs is None:
            msg = "cluster: no worker is left; what is done stays: start some and run it again"
            raise RuntimeError(msg)
        logger.warning("still no worker; see squeue, and what ended jobs have said in %s", logs)
        self._empty_since = math.inf  # said once


@contextmanager
def _probe(folder):
    """Make a file that workers must see; it has a new name, which no cache of theirs can know."""
    path = folder / f"{TEMPORARY}probe-{uuid.uuid4().hex}"
    path.touch()
    try:
        yield str(path)
    finally:
        path.unlink(missing_ok=True)


class _OutOfReachError(Exception):
    """A worker was lost after it had ended something, before it could say what came of it."""


def _result(future, item, on_lost):
    from distributed.scheduler import KilledWorker

    try:
        return future.result(timeout=HEAR)  # not for ever: somebody must ask for more workers
    except TimeoutError:
        if future.status == "error":  # one of the function's own
            raise
        raise _OutOfReachError from None
    except KilledWorker:
        if on_lost is not None:
            return on_lost(item)
    msg = (
        f"cluster: workers kept dying at {item}; what is done stays: give them more memory, and "
        "run it again"
    )
    raise RuntimeError(msg)


def _cancel(client, futures):
    """Cancel what is not done, and wait until the workers have stopped."""
    if not futures:
        return
    keys = {future.key for future in futures}
    with suppress(Exception):  # whatever has gone wrong with the client has been raised already
        client.cancel(futures, force=True)
        end = time.monotonic() + END
        while time.monotonic() < end and any(client.run(_are_at, keys).values()):
            time.sleep(0.2)


def _are_at(keys, dask_worker):
    """Return whether a worker is at one of these things, on that worker."""
    return bool(keys & set(dask_worker.active_threads.values()))
