"""One writer a folder: a lock file that names its holder, and outlives nobody."""

import json
import logging
import os
import socket
import time
from contextlib import contextmanager
from pathlib import Path

import psutil

from imtools.run_folder.files import TEMPORARY, remove_unfinished

LOCK = ".lock"
POLL = 0.2  # s, how often a lock that is waited for is asked after
logger = logging.getLogger(__name__)


def this_process():
    """Return what tells this process from every other: host, process id, time it started."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": psutil.Process(pid).create_time()}


def is_alive(process):
    """Return whether `process` (as from `this_process`) runs; one on another host may."""
    if process.get("host") != socket.gethostname():
        return True
    try:
        other = psutil.Process(process["pid"])
        # ids are used again, so the start must agree too; 1 s is the clock's correction
        return (
            abs(other.create_time() - process["started"]) < 1
            and other.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


@contextmanager
def locked(folder, *, wait=0.0):
    """Hold the lock of `folder` during the block; remove what killed writers left there.

    Parameters
    ----------
    folder : path-like
        It is made if it is not there.
    wait : float
        How long to wait for another process to give it back [s].

    Raises
    ------
    BlockingIOError
        If another process holds it; the message names host and process. The lock of a process of
        this host that has ended is stale and is taken over.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    lock = folder / LOCK
    text = json.dumps(this_process())
    end = time.monotonic() + wait
    while not _claim(lock, text):
        try:
            _remove_stale(lock)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
            time.sleep(POLL)
    try:
        remove_unfinished(folder)
        yield
    finally:
        lock.unlink(missing_ok=True)


def _claim(lock, text):
    """Make the lock file with `text` in it, in one step; return whether that was possible."""
    own = lock.with_name(f"{TEMPORARY}lock-{os.getpid()}")
    own.write_text(text, encoding="utf-8")
    try:
        os.link(own, lock)
    except FileExistsError:
        return False
    finally:
        own.unlink(missing_ok=True)
    return True


def _remove_stale(lock):
    """Remove the lock file if its holder has ended, else raise."""
    try:
        text = lock.read_text(encoding="utf-8")
        holder = json.loads(text)
    except FileNotFoundError:
        return  # given back just now
    except ValueError:
        holder = {"host": "unknown", "pid": "unknown"}
    if is_alive(holder):
        msg = (
            f"locked: {lock.parent} is locked by host {holder['host']}, process {holder['pid']}; "
            f"wait for it, or remove {lock} if that process has ended"
        )
        raise BlockingIOError(msg)
    aside = lock.with_name(f"{LOCK}-stale-{os.getpid()}")
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return  # another process removed it first
    if aside.read_text(encoding="utf-8") != text:
        aside.rename(lock)  # another process took over between our reading and our renaming
        return
    aside.unlink()
    logger.warning("took over %s: process %s has ended", lock, holder["pid"])
