"""One writer a folder: a lock file that names its holder, and outlives nobody."""

import json
import logging
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from imtools.run_folder.files import TEMPORARY, remove_unfinished, this_writer

LOCK = ".lock"
POLL = 0.2  # s, how often a lock that is waited for is asked after
BEAT = 15.0  # s, how often the holder of a lock touches its file
# s after which a holder on another host that has not touched its file is taken to have ended; a
# shared file system may tell of a touch a minute late
SILENT = 300.0
logger = logging.getLogger(__name__)


def this_process():
    """Return what tells this process from every other: host, process id, time it started."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": psutil.Process(pid).create_time()}


def is_here(process):
    """Return whether `process` (as from `this_process`) was started on this host."""
    return process.get("host") == socket.gethostname()


def is_alive(process):
    """Return whether `process` (as from `this_process`) runs; one on another host may."""
    if not is_here(process):
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
        this host that has ended is stale and is taken over; one of another host, when its holder
        has not touched it for `SILENT` seconds.
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
        with _beating(lock):
            remove_unfinished(folder)
            yield
    finally:
        if _text_of(lock) == text:  # a holder that was silent for long may have lost it
            lock.unlink(missing_ok=True)


@contextmanager
def _beating(lock):
    """Touch the lock file now and then during the block, for other hosts to see."""
    end = threading.Event()

    def beat():
        while not end.wait(BEAT):
            with suppress(OSError):
                os.utime(lock)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def is_silent(lock):
    """Return whether nobody has touched a lock file for long, by the clock of its file system."""
    probe = lock.with_name(f"{TEMPORARY}clock-{this_writer()}")
    probe.touch()
    try:
        return probe.stat().st_mtime - lock.stat().st_mtime > SILENT
    except FileNotFoundError:  # the lock was given back, or its new holder removed the probe
        return not lock.exists()
    finally:
        probe.unlink(missing_ok=True)


def _text_of(lock):
    """Return what stands in a lock file; nothing if there is none."""
    try:
        return lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _claim(lock, text):
    """Make the lock file with `text` in it, in one step; return whether that was possible."""
    own = lock.with_name(f"{TEMPORARY}lock-{this_writer()}")
    own.write_text(text, encoding="utf-8")
    try:
        os.link(own, lock)
    except FileExistsError:
        return False
    except FileNotFoundError:  # who has the lock took our file for one that a killed writer left
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
    known = holder["host"] != "unknown"
    if is_alive(holder) and not (known and not is_here(holder) and is_silent(lock)):
        msg = (
            f"locked: {lock.parent} is locked by host {holder['host']}, process {holder['pid']}; "
            f"wait for it, or remove {lock} if that process has ended"
        )
        raise BlockingIOError(msg)
    aside = lock.with_name(f"{LOCK}-stale-{this_writer()}")
    try:
        lock.rename(aside)
    except FileNotFoundError:
        return  # another process removed it first
    if aside.read_text(encoding="utf-8") != text:
        aside.rename(lock)  # another process took over between our reading and our renaming
        return
    aside.unlink()
    logger.warning("took over %s: process %s has ended", lock, holder["pid"])
