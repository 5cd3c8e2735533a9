"""From a name to workers: on this machine, at a scheduler's address, or on a SLURM cluster."""

import logging
import tempfile
import time
import traceback
from contextlib import contextmanager

from imtools.cluster.settings import ClusterSettings
from imtools.cluster.slurm import slurm_cluster
from imtools.cluster.worker import differences, facts

POLL = 0.2  # s, how often it is asked whether a worker has come
QUIET = {  # no pages are served: the port that dask opens for them answers nothing
    "distributed.scheduler.http.routes": [], "distributed.worker.http.routes": [],
    # a worker computes with as many threads as this process would, so that no byte differs
    "distributed.nanny.pre-spawn-environ": {"MALLOC_TRIM_THRESHOLD_": 65536},
}  # fmt: skip
UNSEEN = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


@contextmanager
def connect(scheduler, *, n_workers=1, settings=None):
    """Connect to workers, check that they are like this process, and let go of them at the end.

    Parameters
    ----------
    scheduler : str
        ``local``: processes of this machine, which talk on 127.0.0.1 alone; ``slurm``: jobs of the
        cluster that this machine belongs to; or the address of a dask scheduler that runs, such as
        ``tcp://10.0.0.1:8786``, whose workers stay when this process leaves.
    n_workers : int
        Workers that are asked for, unless the settings say otherwise; at an address they are what
        they are.
    settings : ClusterSettings, optional
        How they are asked for.

    Yields
    ------
    distributed.Client
        With at least one worker, but of SLURM, where workers come as the queue lets them.

    Raises
    ------
    ValueError
        If `scheduler` is none of these.
    ConnectionError
        If no scheduler answers.
    RuntimeError
        If no worker comes, or one has another version of imtools or of what computes, or another
        data root; if there is no SLURM here.

    Notes
    -----
    Who can talk to a dask scheduler can run any program as its user. That of ``local`` can be
    reached from this machine only; that of ``slurm`` talks TLS with credentials that are made for
    it. At an address it is the user's to see to that; ``tls://`` takes ``tls_ca_file``,
    ``tls_cert`` and ``tls_key`` of the settings.
    """
    settings = settings or ClusterSettings()
    n_workers = settings.n_workers or n_workers
    if scheduler == "local":
        opened = _local(n_workers)
    elif scheduler == "slurm":
        opened = slurm_cluster(n_workers, settings)
    elif ":" in scheduler:
        opened = _there(scheduler, settings)
    else:
        msg = (
            f"cluster: scheduler is {scheduler!r}, expected local, slurm, or an address such as "
            "tcp://10.0.0.1:8786"
        )
        raise ValueError(msg)
    import dask
    import distributed  # noqa: F401  before its settings are changed, or they go with the change

    with dask.config.set(QUIET), _silent(), opened as client:
        client.imtools_patience = settings.patience
        if scheduler != "slurm":  # whose queue may take days
            _wait_for_worker(client, settings.patience)
        _check_workers(client)
        yield client


@contextmanager
def _silent():
    """Keep what dask says to itself out of the log; what matters of it, this package says."""
    logger = logging.getLogger("distributed")  # its own handler is quiet already
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before


@contextmanager
def _local(n_workers):
    from distributed import Client, LocalCluster

    with (
        tempfile.TemporaryDirectory(prefix="imtools-dask-", ignore_cleanup_errors=True) as scratch,
        LocalCluster(
            n_workers=n_workers, threads_per_worker=1, host="127.0.0.1", memory_limit=0,
            dashboard_address=None, scheduler_kwargs=UNSEEN, local_directory=scratch,
            silence_logs=logging.CRITICAL, preload=["imtools.cluster.worker"],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        yield client


@contextmanager
def _there(address, settings):
    from distributed.security import Security

    files = settings.tls_files()
    security = None
    if files:
        security = Security(
            require_encryption=True, tls_ca_file=files["tls_ca_file"],
            tls_client_cert=files["tls_cert"], tls_client_key=files["tls_key"],
        )  # fmt: skip
    elif address.startswith("tls://"):
        msg = (
            f"cluster: {address} talks TLS, expected tls_ca_file, tls_cert and tls_key in the "
            "settings; add their paths"
        )
        raise ValueError(msg)
    try:
        client = _greeted(address, settings.patience, security)
    except OSError as error:
        msg = (
            f"cluster: no scheduler answers at {address} within {settings.patience:g} s; start one "
            "with `dask scheduler`, or check the address"
        )
        raise ConnectionError(msg) from error
    with client:
        yield client


class _NotGreeted(OSError):
    pass


def _greeted(address, patience, security):
    """Return a client of the scheduler there; ask again while its greeting is not understood.

    A scheduler tells every client when somebody gives up work. If that comes together with the
    greeting of a client that is new, dask's client (seen with distributed 2026.8) fails on an
    assertion and is never closed; an OSError it expects, and closes.
    """
    from distributed import Client

    class Patient(Client):
        async def _ensure_connected(self, timeout=None):
            try:
                await super()._ensure_connected(timeout=timeout)
            except AssertionError as error:
                traceback.clear_frames(error.__traceback__)  # which hold the connection open
                raise _NotGreeted from error

    end = time.monotonic() + patience
    while True:
        try:
            return Patient(address, timeout=patience, security=security, set_as_default=False)
        except _NotGreeted:
            if time.monotonic() > end:
                raise


def _wait_for_worker(client, patience):
    end = time.monotonic() + patience
    while not client.nthreads():
        if time.monotonic() > end:
            msg = (
                f"cluster: the scheduler at {client.scheduler.address} has had no worker for "
                f"{patience:g} s; start some with `dask worker {client.scheduler.address} "
                "--nthreads 1 --nworkers N`"
            )
            raise RuntimeError(msg)
        time.sleep(POLL)


def _check_workers(client):
    """Raise unless every worker agrees with this process; those that come later are checked, too.

    See `worker.do_one`.
    """
    ours = facts()
    for address, theirs in client.run(facts, on_error="return").items():
        if isinstance(theirs, ImportError | AttributeError):
            msg = (
                f"cluster: worker {address} cannot import what it shall do ({theirs}); install "
                f"imtools {ours['imtools']} where it runs"
            )
            raise RuntimeError(msg)
        if isinstance(theirs, Exception):
            raise theirs
        said = differences(ours, theirs)
        if said:
            msg = f"cluster: on worker {address} {', '.join(said)}"
            raise RuntimeError(msg)
