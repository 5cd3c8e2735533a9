"""Execute one notebook with papermill: the program that `runs.run_notebook` starts.

It is run as a file, with the path of a JSON job as its argument, and writes how the notebook ended
to the job's ``outcome``; where that file is missing, this program itself was killed.
"""

import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path
from threading import Thread

import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import LocalHandler, papermill_io
from traitlets.config import Config

from imtools.run_folder.files import write_text

ATOMIC = "atomic:"  # paths that begin so are written whole or not at all
START = 300  # s that a kernel may take to start, where twenty start at once
N_STARTS = 3  # how often a kernel is started that dies before it has answered: a port was taken
NO_START = ("Kernel died before replying", "Kernel didn't respond")  # as jupyter_client says it


class AtomicHandler(LocalHandler):
    """Write a notebook whole or not at all; papermill's own handler writes in place."""

    def write(self, buf, path):
        """Write the text `buf` to `path`."""
        write_text(buf, path.removeprefix(ATOMIC), overwrite=True)


def execute(job, *, n_starts=N_STARTS):
    """Execute the notebook of `job` (a dict) and return how it ended, as a dict."""
    try:
        _execute_once(job)
    except PapermillExecutionError as error:
        trace = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
        reason = f"{error.ename}: {error.evalue}".splitlines()[0]
        return {"state": "failed", "reason": reason, "traceback": trace}
    except DeadKernelError:
        return {"state": "lost", "reason": "the kernel was killed, or ran out of memory"}
    except Exception as error:  # a full disk, a kernel that does not start: said in one line
        if n_starts > 1 and str(error).startswith(NO_START):
            return execute(job, n_starts=n_starts - 1)  # no cell has run
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return {"state": "failed", "reason": reason}
    return {"state": "done", "reason": ""}


def _execute_once(job):
    papermill.execute_notebook(
        job["notebook"],
        ATOMIC + _without_format(job["output"]),
        parameters=job["parameters"],
        cwd=job["cwd"],
        start_timeout=START,
        progress_bar=job["progress"],
        stdout_file=sys.stdout if job["progress"] else None,
        stderr_file=sys.stderr if job["progress"] else None,
        config=Config({"KernelManager": job["kernel"]}),
    )


def _without_format(path):
    """Return `path` such that papermill, which formats it, sees it unchanged."""
    return path.replace("{", "{{").replace("}", "}}")


def end_with_parent():
    """Wait until the process that started this one has ended; then end the kernel, and this."""
    os.read(0, 1)  # stdin is a pipe that nobody writes to: it ends when its holder does
    for child in psutil.Process().children(recursive=True):
        child.kill()
    shutil.rmtree(Path(sys.argv[1]).parent, ignore_errors=True)  # which its holder cannot any more
    os._exit(1)


def main():
    """Do the job that the program's argument names."""
    Thread(target=end_with_parent, daemon=True).start()
    logging.getLogger("papermill").setLevel(logging.ERROR)
    papermill_io.register(ATOMIC, AtomicHandler())
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    job["notebook"] = _without_format(job["notebook"])
    write_text(json.dumps(execute(job)), job["outcome"])


if __name__ == "__main__":
    main()
