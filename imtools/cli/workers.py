"""What `imtools simulate` and `imtools sweep` share: workers on other processes and machines."""

from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="local|slurm|ADDRESS",
        help="Give the work to dask workers: here, in SLURM jobs, or of a scheduler that runs.",
    ),
]
ClusterFile = Annotated[
    Path | None, typer.Option("--cluster", help="YAML with the settings of these workers.")
]
JobScript = Annotated[
    bool, typer.Option("--job-script", help="Only show the script of the SLURM jobs.")
]


@contextmanager
def workers(scheduler, file, *, n_workers, show_script=False):
    """Yield the dask client that was asked for, or None; or show the job script, and exit."""
    from imtools.cluster import ClusterSettings, connect, job_script, read_settings

    if scheduler is None and (file is not None or show_script):
        option = "--job-script" if show_script else "--cluster"
        msg = f"cluster: {option} is given without --scheduler, expected both; add it"
        raise ValueError(msg)
    settings = read_settings(file) if file is not None else ClusterSettings()
    if show_script:
        typer.echo(job_script(settings))
        raise typer.Exit
    if scheduler is None:
        yield None
        return
    with connect(scheduler, n_workers=n_workers, settings=settings) as client:
        yield client
