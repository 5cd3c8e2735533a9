"""`imtools sweep` and `imtools compare`: many runs of one notebook, and runs side by side."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from tqdm import tqdm

from imtools.cli.program import in_one_line
from imtools.cli.workers import ClusterFile, JobScript, Scheduler, workers
from imtools.runs.outcomes import METHOD, collect_runs, lengthwise, score_table, to_table
from imtools.runs.sweep_file import read_sweep
from imtools.runs.sweeps import out_of_date, run_sweep, sweep_folder


@in_one_line
def sweep(
    file: Annotated[
        Path, typer.Argument(metavar="SWEEP", help="YAML: notebook, and grid or points.")
    ],
    n_parallel: Annotated[
        int | None, typer.Option(help="Runs at once; else as in the file.")
    ] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; else data/runs/SWEEP.")] = None,
    again: Annotated[
        bool, typer.Option(help="Also what was done with other code or another notebook.")
    ] = False,
    scheduler: Scheduler = None,
    cluster: ClusterFile = None,
    job_script: JobScript = False,
):
    """Run a notebook with many sets of parameters, some at once.

    What is done stays: the same sweep again runs what is missing, failed or lost.
    """
    folder = sweep_folder(file) if folder is None else folder

    def tell(name, run):
        reason = f": {run.reason}" if run.reason else ""
        tqdm.write(f"{name} {run.state}{reason}", file=sys.stdout)

    settings = {"folder": folder, "n_parallel": n_parallel, "again": again, "tell": tell}
    at_work = scheduler is not None and not job_script
    n_workers = n_parallel or (read_sweep(file).n_parallel if at_work else 1)
    with workers(scheduler, cluster, n_workers=n_workers, show_script=job_script) as client:
        ended = run_sweep(file, **settings, **({} if client is None else {"client": client}))
    if all(run.reused for run in ended.values()):
        typer.echo("every run was done before; nothing was started")
    typer.echo(to_table(collect_runs([run.folder for run in ended.values()])).to_string())
    states = [run.state for run in ended.values()]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    typer.echo(f"{counts}; tables and runs in {folder}")
    old = out_of_date(file, folder)
    if old:
        typer.echo(f"{len(old)} were done with other code or another notebook; see --again")
    if set(states) != {"done"}:
        raise typer.Exit(1)


@in_one_line
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Runs or sweeps, as folder or by name.")
    ],
    method: Annotated[str, typer.Option(help="Method of the scoreboard that is drawn.")] = METHOD,
    folder: Annotated[Path | None, typer.Option(help="Where to; else data/comparisons.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier comparison.")] = False,
):
    """Compare runs: what differs between their parameters, their losses and their scores.

    Writes a page, a netCDF file and figures.
    """
    from imtools.runs.compare import compare_runs

    settings = {"folder": folder, "method": method, "overwrite": overwrite}
    outcomes, folder = compare_runs(runs, **settings)
    typer.echo(lengthwise(to_table(outcomes, method=method)).to_string())
    if "rms" in outcomes:
        typer.echo("")
        typer.echo(score_table(outcomes).to_string())
    typer.echo(folder / "comparison.html")
