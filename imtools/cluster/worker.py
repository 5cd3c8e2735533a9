"""What a worker does when it starts, and when it is given something to do."""

import hashlib
import os
import signal
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from imtools import __version__
from imtools.run_folder import data_root

EXTENSIONS = "IMTOOLS_EXTENSIONS"  # files of one's own, see experiment.extensions
PACKAGE = Path(__file__).parents[1]
PACKAGES = (  # another version of these may change a byte of a map
    "astropy", "colossus", "h5py", "netcdf4", "numba", "numpy", "scipy", "xarray",
)  # fmt: skip


def dask_setup(_worker):
    """Leave Ctrl-C to the process that asked for the work; dask calls this in a new worker."""
    signal.signal(signal.SIGINT, lambda *_: None)


def facts():
    """Return what must agree between a worker and the process that gives it work."""
    return {"imtools": __version__, "its code": package_digest(), **_versions()} | {
        "data root": str(data_root())
    }


@cache  # of the code that was loaded: a worker may be older than what lies on the disk by now
def package_digest():
    """Return a hash of the sources of this package, and of the user's own that it loads."""
    digest = hashlib.sha256()
    own = [Path(name) for name in os.environ.get(EXTENSIONS, "").split(os.pathsep) if name]
    for path in [*sorted(PACKAGE.rglob("*.py")), *own]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


@cache
def _versions():
    return {name: _version(name) for name in PACKAGES}


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"


def differences(ours, theirs):
    """Return in words what differs between the facts of a worker and `ours`."""
    remedies = {
        "data root": "; set IMTOOLS_DATA there",
        "its code": "; restart the older of the two",
    }
    return [
        f"{name} is {theirs.get(name, 'none')}, expected {value}{remedies.get(name, '')}"
        for name, value in ours.items()
        if theirs.get(name) != value
    ]


def do_one(ours, probe, function, item):
    """Call ``function(item)`` on a worker that agrees with `ours` and sees the file `probe`."""
    from distributed import get_worker

    where = f"worker {get_worker().address}"
    said = differences(ours, facts())
    if said:
        msg = f"cluster: on {where} {', '.join(said)}"
        raise RuntimeError(msg)
    if not Path(probe).exists():
        msg = (
            f"cluster: {where} does not see {Path(probe).parent}; put the folder on a file system "
            "that all workers share"
        )
        raise FileNotFoundError(msg)
    return function(item)


class Stopping:
    """Whether what a worker is doing is not wanted any more; made where it is done."""

    def __init__(self):
        from distributed import get_worker

        self._tasks = get_worker().state.tasks
        self._key = get_worker().get_current_task()

    def is_set(self):
        """Return whether the one who asked has cancelled it, or has gone."""
        task = self._tasks.get(self._key)
        return task is None or task.state == "cancelled"
