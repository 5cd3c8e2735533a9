"""The process that executes a notebook: how it is started, told what to do, and ended."""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

from imtools.run_folder import read_json, write_status, write_text

INTERRUPTED = "interrupted"
EXECUTE = Path(__file__).with_name("execute.py")
POLL = 0.2  # s, how often it is asked whether a run shall stop
WAIT = 86400  # s that a run waits for a data set which another process makes
GRACE = 60  # s that a cell may take to come to the end of what it does, a batch for instance
AGAIN = 5  # s between two interrupts; the second shall not meet a kernel that ends its cell
LONGEST_SOCKET_PATH = 100  # characters; the systems allow 103 and more


def execute(job, folder, *, timeout=None, progress=False, stop=None):
    """Execute the notebook of a `Job` into `folder` and return how it ended, as a dict.

    Parameters
    ----------
    job : Job
        What to execute.
    folder, timeout, progress, stop
        As in `run_job`.

    Returns
    -------
    dict
        ``state``, ``reason`` and, where a cell raised, ``traceback``.
    """
    # what was killed may be writing there still
    temporary = tempfile.TemporaryDirectory(prefix="imtools-run-", ignore_cleanup_errors=True)
    with temporary as scratch:
        outcome = Path(scratch) / "outcome.json"
        task = {
            "notebook": str(job.notebook), "cwd": str(job.notebook.parent),
            "parameters": job.injected | {"run_dir": str(folder)},
            "output": str(folder / "notebook.ipynb"), "outcome": str(outcome),
            "progress": progress, "kernel": _connection(scratch),
        }  # fmt: skip
        path = Path(scratch) / "task.json"
        write_text(json.dumps(task), path)
        command = [sys.executable, "-P", str(EXECUTE), str(path)]
        # the program ends when its stdin does, so that no kernel outlives this process;
        # Ctrl-C is kept from it, since this process ends it such that the notebook is saved
        settings = {"stdin": subprocess.PIPE, "env": _environment(scratch), "process_group": 0}
        log = Path(scratch) / "stderr"
        with (
            log.open("w") as quiet,
            subprocess.Popen(command, stderr=None if progress else quiet, **settings) as process,
        ):
            try:
                ended = _wait(process, timeout, stop)
            except BaseException:  # Ctrl-C
                _end(process)
                write_status(folder, "failed", reason=INTERRUPTED)
                raise
            if ended:
                if ended == INTERRUPTED:
                    _interrupt(process)
                _stop(process)
                return {"state": "failed", "reason": ended}
        if outcome.exists():
            return read_json(outcome)
        reason = f"the process of the notebook ended with status {process.returncode}"
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        return {"state": "lost", "reason": ": ".join([reason, *last])}


def _wait(process, timeout, stop):
    """Wait until `process` has ended; return why it has to be ended, if it has."""
    end = math.inf if timeout is None else time.monotonic() + timeout
    while True:
        if stop is not None and stop.is_set():
            return INTERRUPTED
        left = end - time.monotonic()
        if left <= 0:
            return f"timeout: stopped after {timeout:g} s"
        try:
            process.wait(min(left, POLL))
            return ""
        except subprocess.TimeoutExpired:
            continue


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
        # another run may be making the data set that this one needs
        "IMTOOLS_WAIT": os.environ.get("IMTOOLS_WAIT", str(WAIT)),
        # TensorFlow's remarks on the processor would open every report
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2"),
    }  # fmt: skip


def _end(process):
    """End `process` after an interrupt; at once after a second one."""
    try:
        _interrupt(process)
    finally:
        _stop(process)


def _interrupt(process):
    """Have the running cell raise KeyboardInterrupt, and wait until its notebook is saved.

    Python raises it between two batches of a training, which holds it back while it writes a
    checkpoint, so none is cut short.
    """
    end = time.monotonic() + GRACE
    while time.monotonic() < end:
        with suppress(psutil.NoSuchProcess):
            for kernel in psutil.Process(process.pid).children():
                kernel.send_signal(signal.SIGINT)  # and again: one that starts is deaf
        try:
            process.wait(min(AGAIN, GRACE))
            return
        except subprocess.TimeoutExpired:
            continue


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
