"""`imtools predict`: the network of a run, asked about a map from outside."""

import os
import warnings
from pathlib import Path
from typing import Annotated

import typer

from imtools.cli.program import in_one_line


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
