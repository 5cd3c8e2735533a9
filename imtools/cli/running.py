"""`imtools run` and `imtools runs`: a notebook as a batch job, and the runs there are."""

from pathlib import Path
from typing import Annotated

import typer

from imtools.cli.program import Parameters, Preset, in_one_line, values_of
from imtools.run_folder import data_root, read_json
from imtools.runs import list_runs, resume_run, run_notebook
from imtools.runs.run_file import read_run_file


@in_one_line
def run(
    notebook: Annotated[
        Path | None, typer.Argument(help="A notebook with a parameters cell.")
    ] = None,
    preset: Preset = None,
    p: Parameters = None,
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="YAML with notebook, preset, parameters; -p beats it."),
    ] = None,
    run_dir: Annotated[Path | None, typer.Option(help="A new folder; else in data/runs.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Stop after so many seconds.")] = None,
    reuse: Annotated[bool, typer.Option(help="Show the same run, if it is done already.")] = False,
    resume: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with a run that was killed: its folder or name."),
    ] = None,
    force: Annotated[bool, typer.Option(help="Resume though something has changed.")] = False,
):
    """Run a notebook, show its progress, and keep all it makes in a run folder."""
    if resume is not None:
        others = {"a notebook": notebook, "--preset": preset, "-p": p, "-f": file}
        others["--run-dir"] = run_dir
        _check_alone({**others, "--reuse": reuse})
        result = resume_run(resume, force=force, timeout=timeout, progress=True)
    elif force:
        msg = "run: --force is given without --resume, expected both; it is for a run that began"
        raise ValueError(msg)
    else:
        notebook, preset, parameters = _what(notebook, preset, values_of(p), file)
        result = run_notebook(
            notebook, preset=preset, parameters=parameters, run_dir=run_dir, timeout=timeout,
            reuse=reuse, progress=True,
        )  # fmt: skip
    _tell(result)


def _what(notebook, preset, parameters, file):
    """Return what to run: what the command line says, and of the rest what the file says."""
    if file is not None:
        its_notebook, its_preset, its_parameters = read_run_file(file)
        notebook, preset = notebook or its_notebook, preset or its_preset
        parameters = its_parameters | parameters
    if notebook is None:
        msg = "run: got no notebook, expected the path of one, -f FILE, or --resume RUN"
        raise ValueError(msg)
    return notebook, preset, parameters


def _check_alone(others):
    """Raise if --resume is given together with what a run that has begun knows already."""
    given = [name for name, value in others.items() if value]
    if given:
        msg = f"run: --resume is given with {', '.join(given)}, expected alone; leave them out"
        raise ValueError(msg)


def _tell(result):
    """Say how a run ended, show its table of scores, and exit by its state."""
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
