"""`imtools simulate`: a data set from its parameters."""

from pathlib import Path
from typing import Annotated

import typer

from imtools.cli.program import Parameters, Preset, in_one_line, values_of
from imtools.cli.workers import ClusterFile, JobScript, Scheduler, workers
from imtools.experiment import Experiment


@in_one_line
def simulate(
    preset: Preset = "tiny",
    p: Parameters = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; else under data/sets.")] = None,
    scheduler: Scheduler = None,
    cluster: ClusterFile = None,
    job_script: JobScript = False,
):
    """Make a data set: haloes, luminosities and maps, one file a catalogue.

    Files that exist already are kept, so an interrupted build goes on where it stopped.
    """
    from imtools import datasets

    experiment = Experiment.from_preset(preset, **values_of(p))
    folder = folder or datasets.set_folder(experiment)
    n_workers = experiment.data.n_workers
    with workers(scheduler, cluster, n_workers=n_workers, show_script=job_script) as client:
        datasets.build(experiment, folder, **({} if client is None else {"client": client}))
    typer.echo(folder)
