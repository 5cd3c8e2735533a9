"""Workers as jobs of a SLURM cluster, asked for through dask-jobqueue."""

import os
import shlex
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

from imtools.cluster.settings import ClusterSettings
from imtools.cluster.worker import EXTENSIONS
from imtools.run_folder import data_root

DEATH_TIMEOUT = 120  # s after which a worker that finds no scheduler ends, and its job with it
UNSEEN = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


def job_script(settings=None):
    """Return the script of the jobs that `connect` would submit to SLURM, as text.

    Parameters
    ----------
    settings : ClusterSettings, optional
        How they are asked for.
    """
    from dask_jobqueue.slurm import SLURMJob

    settings = settings or ClusterSettings()
    files = settings.tls_files()
    security = _own_security(files) if files else None
    scheme = "tls" if settings.tls else "tcp"
    job = SLURMJob(
        f"{scheme}://SCHEDULER:PORT", name="imtools", security=security, **_job_settings(settings)
    )
    return job.job_script()


@contextmanager
def slurm_cluster(n_workers, settings):
    """Yield the client of a scheduler in this process whose workers are SLURM jobs."""
    from distributed import Client

    if shutil.which("sbatch") is None:
        msg = "cluster: there is no sbatch here; run it on a machine that submits SLURM jobs"
        raise RuntimeError(msg)
    secrets = data_root() / "cluster"
    secrets.mkdir(parents=True, exist_ok=True)
    cluster_class = _resubmitting()
    with (
        cluster_class(
            security=_security(settings), shared_temp_directory=str(secrets),
            scheduler_options=UNSEEN, silence_logs="critical", **_job_settings(settings),
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):  # fmt: skip
        cluster.n_wanted, cluster.log_folder = n_workers, _log_folder(settings)
        cluster.ask_again()
        yield client


def _resubmitting():
    from dask_jobqueue import SLURMCluster

    class Resubmitting(SLURMCluster):
        """A cluster that asks for a job in place of each that was lost."""

        n_wanted = 0  # workers
        log_folder = None

        def ask_again(self):
            """Submit as many jobs as are missing, those that wait in the queue not counted."""
            self.scale(self.n_wanted)  # in jobs of workers_per_job

    return Resubmitting


def _job_settings(settings):
    return {
        "cores": settings.cores, "memory": settings.memory, "processes": settings.workers_per_job,
        "walltime": settings.walltime, "queue": settings.queue or None,
        "account": settings.account or None, "interface": settings.interface or None,
        "job_name": "imtools", "log_directory": _log_folder(settings),
        "death_timeout": DEATH_TIMEOUT,
        "job_script_prologue": _prologue(settings), "job_extra_directives": settings.directives,
        "python": shlex.quote(sys.executable),
        # one thing at a time in each worker, whatever number of cores it has
        "worker_extra_args": ["--nthreads", "1", "--no-dashboard", "--preload",
                              "imtools.cluster.worker"],
    }  # fmt: skip


def _log_folder(settings):
    return str(Path(settings.log_directory or data_root() / "cluster" / "logs").absolute())


def _prologue(settings):
    """Return the lines that make a worker like this process, then the user's own."""
    threads = max(1, settings.cores // settings.workers_per_job)
    variables = {
        "IMTOOLS_DATA": str(data_root()),
        "DASK_DISTRIBUTED__WORKER__HTTP__ROUTES": "[]",  # serve no pages
    }
    if os.environ.get(EXTENSIONS):
        variables[EXTENSIONS] = os.environ[EXTENSIONS]
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        variables[name] = os.environ.get(name, str(threads))
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return [*lines, *settings.prologue]


def _security(settings):
    from distributed.security import Security

    files = settings.tls_files()
    if files:
        return _own_security(files)
    if not settings.tls:
        return None
    try:
        return Security.temporary()
    except ImportError:
        msg = (
            "cluster: TLS needs the package cryptography, which is not installed; install it, name "
            "tls_ca_file, tls_cert and tls_key in the settings, or set tls: false where nobody "
            "else can reach the network of the jobs"
        )
        raise RuntimeError(msg) from None


def _own_security(files):
    from distributed.security import Security

    roles = {
        f"tls_{role}_{what}": files[f"tls_{what}"]
        for role in ("scheduler", "worker", "client")
        for what in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=files["tls_ca_file"], **roles)
