"""Whether a network can be built and trained, asked before any kernel starts.

The registries lie with Keras, which takes seconds and half a gigabyte to import: another process
does, for all jobs at once, and only where a parameter that matters was given.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from imtools.experiment import FIELD_STAGE

STAGES = {"survey", "preprocessing", "counts", "network", "training"}  # what shapes a network
NAMES = {"architecture", "summaries"}  # parameters that name an entry of a registry with Keras
CGROUP = Path("/sys/fs/cgroup/memory.max")  # what a container may take


def check_networks(jobs, *, n_parallel=1, labels=None, have=None):
    """Raise unless every network that `jobs` will train has a name, fits its maps and the machine.

    Parameters
    ----------
    jobs : list of Job
        Those whose parameters say nothing of their network are taken to be sound.
    n_parallel : int
        How many are trained at once.
    labels : list of str, optional
        What to call each job in a message; by default "run".
    have : float, optional
        Memory that they have together [bytes]; by default that of this machine.

    Raises
    ------
    ValueError
        If an architecture or a summary is unknown, a shape runs out of voxels, or training takes
        more memory than the machine has.
    RuntimeError
        If Keras cannot be imported.
    """
    labels = labels or ["run"] * len(jobs)
    asked = [k for k, job in enumerate(jobs) if _matters(job)]
    if not asked:
        return
    said = _ask(
        [{"experiment": jobs[k].experiment.flat(), "trains": jobs[k].trains} for k in asked]
    )
    for k, answer in zip(asked, said, strict=True):
        if "error" in answer:
            msg = f"{labels[k]}: {answer['error']}"
            raise ValueError(msg)
    sizes = sorted((answer.get("bytes", 0) for answer in said), reverse=True)
    need, have = sum(sizes[:n_parallel]), have or memory()
    if need > have:
        worst = max(zip(asked, said, strict=True), key=lambda pair: pair[1].get("bytes", 0))[0]
        at_once = f" and {n_parallel - 1} more at once" if n_parallel > 1 else ""
        remedy = "; lower batch_size, filters or width" + (", or n_parallel" if at_once else "")
        msg = (
            f"{labels[worst]}: training {jobs[worst].experiment.network.architecture!r}{at_once} "
            f"takes about {need / 1e9:.1f} GB of memory, expected at most {have / 1e9:.1f} GB, "
            f"which there is{remedy}"
        )
        raise ValueError(msg)


def worker_limits(client, n_parallel):
    """Return how many runs share how much memory [bytes] on the workers of a dask client.

    One run has what the worker with least was given; where none was given a limit, as many as run
    at once share this machine.
    """
    workers = client.scheduler_info()["workers"].values()
    limits = [worker["memory_limit"] for worker in workers if worker["memory_limit"]]
    return {"n_parallel": 1, "have": min(limits)} if limits else {"n_parallel": n_parallel}


def memory():
    """Return the memory of this machine, or of the container that this process is in [bytes]."""
    total = psutil.virtual_memory().total
    limit = CGROUP.read_text(encoding="utf-8").strip() if CGROUP.exists() else "max"
    return min(total, int(limit)) if limit.isdigit() else total


def _matters(job):
    """Return whether a parameter was given that a registry must know, or that shapes a network."""
    given = job.values()
    shaped = any(FIELD_STAGE.get(name) in STAGES for name in given)
    return bool(NAMES & given.keys()) or (job.trains and shaped)


def _ask(questions):
    """Return what `costing`, in a process of its own, says of each of the experiments."""
    # it computes nothing, so it needs no accelerator, and must not take its memory
    quiet = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "imtools.runs.costing"],
        input=json.dumps(questions), capture_output=True, text=True, env=os.environ | quiet,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        msg = f"run: the network could not be checked ({last}); does `import keras` work?"
        raise RuntimeError(msg)
    return json.loads(done.stdout.splitlines()[-1])
