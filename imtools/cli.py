"""The command line: `imtools simulate`, `imtools run`, `imtools runs`, `imtools predict`."""

import os
import warnings
from functools import wraps
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperCommand

from imtools.experiment import Experiment
from imtools.run_folder import data_root, read_json
from imtools.runs import from_text, list_runs, run_notebook

app = typer.Typer(
    help="Mock CO maps, networks that read the luminosity function, and an honest scoreboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its traces show local values
)


class PairsCommand(TyperCommand):
    """A command that takes ``-p name value`` as well as ``-p name=value``."""

    def parse_args(self, ctx, args):
        """Join each name with its value, which Typer cannot do, and parse."""
        joined, rest = [], list(args)
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word == "-p" and len(rest) > 1 and "=" not in rest[0]:
                joined.append(f"{rest.pop(0)}={rest.pop(0)}")
        return super().parse_args(ctx, joined)


Preset = Annotated[str | None, typer.Option(help="Sizes: tiny, quick or paper.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p", metavar="NAME VALUE", help="Set one parameter of the notebook or the experiment."
    ),
]


def in_one_line(command):
    """Turn the errors of `command` into one line and exit status 2."""

    @wraps(command)
    def wrapped(**settings):
        try:
            return command(**settings)
        except typer.Exit:  # a RuntimeError, but no error of ours
            raise
        except (ValueError, KeyError, OSError, RuntimeError) as error:
            text = error.args[0] if isinstance(error, KeyError) else error
            typer.echo(f"imtools: {' '.join(str(text).split())}", err=True)
            raise typer.Exit(2) from None

    return wrapped


def _values(pairs):
    """Return ``name=value`` texts as a dict of values."""
    values = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            msg = f"-p {pair}: got no value, expected -p NAME VALUE"
            raise ValueError(msg)
        if name in values:
            msg = f"-p {name}: given twice, expected once; remove one"
            raise ValueError(msg)
        values[name] = from_text(text)
    return values


@app.command(cls=PairsCommand)
@in_one_line
def simulate(
    preset: Preset = "tiny",
    p: Parameters = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; else under data/sets.")] = None,
):
    """Make a data set: haloes, luminosities and maps, one file a catalogue.

    Files that exist already are kept, so an interrupted build goes on where it stopped.
    """
    from imtools import datasets

    experiment = Experiment.from_preset(preset, **_values(p))
    folder = folder or datasets.set_folder(experiment)
    datasets.build(experiment, folder)
    typer.echo(folder)


@app.command(cls=PairsCommand)
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
        notebook, preset=preset, parameters=_values(p), run_dir=run_dir, timeout=timeout,
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


@app.command()
@in_one_line
def runs():
    """List the runs in data/runs: state, notebook, parameters, minutes, reason."""
    table = list_runs()
    empty = f"no runs in {data_root() / 'runs'}"
    typer.echo(table.to_string(max_colwidth=60) if len(table) else empty)


@app.command()
@in_one_line
def predict(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Folder or name of a run with a network.")
    ],
    map_file: Annotated[
        Path, typer.Argument(metavar="MAP", help="COMAP HDF5, FITS, limlam .npz or netCDF.")
    ],
    sigma_noise: Annotated[
        float | None, typer.Option(help="Noise per voxel in uK, if the map states none.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="Only warn: noise, filter, beam or mask differ."),
    ] = None,
    units: Annotated[str | None, typer.Option(help="Unit, if the map states none.")] = None,
    feed: Annotated[int | None, typer.Option(help="One feed of a COMAP map.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to; else in the run.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier prediction.")] = False,
):
    """Read the luminosity function off a map with the network of a run.

    The map must be like those the network was trained on; what differs is refused, or allowed by
    name with a warning that the result keeps. Writes netCDF and a figure.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's remarks on the processor
    from imtools import prediction

    folder = folder or prediction.find_run(run) / "predictions" / map_file.name
    reading = {"units": units, "feed": feed}
    reading = {name: value for name, value in reading.items() if value is not None}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        told = prediction.predict_map(
            run, map_file, sigma_noise=sigma_noise, allow=allow or [], **reading
        )
    path = prediction.write_prediction(told, folder, overwrite=overwrite)
    _save_prediction_figure(told, folder, overwrite)
    for warning in caught:
        if warning.category is UserWarning:
            typer.echo(f"warning: {warning.message}", err=True)
    typer.echo(prediction.format_prediction(told))
    typer.echo(path)


def _save_prediction_figure(told, folder, overwrite):
    """Save the luminosity function and the map's distance, side by side, for print."""
    from imtools.plots.predictions import show_distance, show_read_off
    from imtools.plots.saving import save_figures

    figure = show_read_off(told) + show_distance(told)
    save_figures({"luminosity_function": figure}, folder, overwrite=overwrite)
