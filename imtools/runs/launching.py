"""Runs that are started and left to themselves, watched through their folder, and stopped."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

from imtools.run_folder import read_status
from imtools.run_folder.lock import is_alive, this_process
from imtools.runs.listing import STATUS
from imtools.runs.run_file import run_command

PROGRAM = (
    # whoever starts this may ignore SIGINT, as a shell's background job does, and is inherited
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from imtools.cli import app; app()"
)


class Launch:
    """A run in a process of its own; `start_run` makes it.

    Attributes
    ----------
    folder : pathlib.Path
        The run's folder, where ``status.json`` and ``history.csv`` tell how it goes.
    """

    def __init__(self, process, folder, log):
        self.folder, self._process, self._log, self._said = folder, process, log, ""
        Thread(target=process.wait, daemon=True).start()  # or its remains would stay in the table

    @property
    def ended(self):
        """Whether the process has ended."""
        return self._process.poll() is not None

    @property
    def status(self):
        """State and reason of the run, as in ``status.json``, and before there is one."""
        if (self.folder / STATUS).exists():
            return read_status(self.folder)
        if not self.ended:
            return {"state": "pending", "reason": "checking the parameters"}
        return {"state": "failed", "reason": self._last_word()}

    def stop(self):
        """Interrupt the run, which ends when its notebook has come to the end of a batch."""
        if not self.ended:
            self._process.send_signal(signal.SIGINT)

    def wait(self, timeout=None):
        """Wait until the process has ended, at most so many seconds; return whether it has."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self):
        """Let go of the process, which runs on."""
        self._last_word()
        self._log.close()

    def _last_word(self):
        if not self._log.closed:
            self._log.seek(0)
            lines = self._log.read().decode(errors="replace").strip().splitlines()
            self._said = lines[-1].removeprefix("imtools: ") if lines else "it ended without a word"
        return self._said


def start_run(notebook, run_dir, *, preset=None, parameters=None):
    """Start ``imtools run`` in a process of its own, and return at once.

    Parameters
    ----------
    notebook, preset, parameters
        As in `run_notebook`. No shell reads them.
    run_dir : path-like
        A new folder.

    Returns
    -------
    Launch
        The run goes on when this process ends.

    Raises
    ------
    FileExistsError
        If `run_dir` is there already.
    """
    folder = Path(run_dir).absolute()
    if folder.exists():
        msg = f"run: {folder} exists; choose another name"
        raise FileExistsError(msg)
    words = run_command(
        Path(notebook).absolute(), preset=preset, parameters=parameters, run_dir=folder
    )[1:]
    log = tempfile.TemporaryFile()  # noqa: SIM115, closed with the Launch
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAM, *words],
        stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        start_new_session=True,  # an interrupt of the kernel that starts it is not meant for it
    )  # fmt: skip
    return Launch(process, folder, log)


def stop_run(folder):
    """Interrupt the run in a folder, whoever has started it on this machine.

    Parameters
    ----------
    folder : path-like
        The run's folder.

    Raises
    ------
    ValueError
        If it does not run, or runs on another machine.
    """
    status = read_status(folder)
    process = status.get("process", {})
    here = process.get("host") == this_process()["host"]
    if status["state"] != "running" or not (here and is_alive(process)):
        where = "" if here else f" on {process.get('host')}"
        msg = f"stop: {Path(folder).name} is {status['state']}{where}, expected running here"
        raise ValueError(msg)
    os.kill(process["pid"], signal.SIGINT)
