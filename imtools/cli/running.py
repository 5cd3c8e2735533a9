"""`imtools run` and `imtools runs`: a notebook as a batch job, and the runs there are."""

from pathlib import Path
from typing import Annotated

import typer

from imtools.cli.program import Parameters, Preset, in_one_line, values_of
from imtools.run_folder import data_root, read_json
from imtools.runs import list_runs, run_notebook


@in_one_line
def run(
    notebook: Annotated[Path, typer.Argument(help="A notebook with a parameters cell.")],
    preset: Preset = None,
    p: Parameters = None,
    run_dir: Annotated[Path | None, typer.Option(help="A new folder; else in data/runs.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    reuse: Annotated[bool, typer.Option(help="Show the same run, if it is done already.")] = False,
):
    """Run a notebook, show its progress, and keep all it makes in a run folder."""
    result = run_notebook(
        notebook, preset=preset, parameters=values_of(p), run_dir=run_dir, timeout=timeout,
        reuse=reuse, progress=True,
    )  # fmt: skip
    if result.reused:
        typer.echo("the same run was done before; nothing was started")
    scores = result.folder / "scores.json"
    if result.state == "done" and scores.exists():
        from imtools.evaluation import format_table

        typer.echo(format_table(read_json(scores)))
    if result.traceback:
        typer.echo(result.traceback, err=True)
    typer.echo(f"{result.state}{': ' if result.reason else ''}{result.reason}")
    report = result.folder / "report.html"
    typer.echo(report if report.exists() else result.folder)
    if result.state != "done":
        raise typer.Exit(1)


@in_one_line
def runs():
    """List the runs in data/runs: state, notebook, parameters, minutes, reason."""
    table = list_runs()
    empty = f"no runs in {data_root() / 'runs'}"
    typer.echo(table.to_string(max_colwidth=60) if len(table) else empty)
