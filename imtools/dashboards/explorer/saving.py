"""Maps and pictures on disk, in one folder, under names that are typed."""

import json

import holoviews as hv

from imtools.datasets import map_script
from imtools.formats import write_fits, write_map
from imtools.plots.maps import show_channel
from imtools.plots.saving import save_figures
from imtools.plots.style import styled
from imtools.run_folder import data_root
from imtools.run_folder.names import check_typed_name

SMALL = {"frame_width": 270, "frame_height": 270}  # pixels
KINDS = ("PNG and PDF", "netCDF", "FITS")


def map_folder():
    """Return the folder that maps and pictures are saved to; it need not exist."""
    return data_root() / "maps"


def show_slices(layers, freq, *, ranges, zoom=None):
    """Show one channel of each of some layers.

    Parameters
    ----------
    layers : dict of str to xarray.DataArray
        Cubes by their titles.
    freq : float
        Frequency of the channel [GHz].
    ranges : dict of str to (float, float)
        Colour range of each.
    zoom : ((float, float), (float, float)), optional
        What of the field to show, right ascension and declination [deg].

    Returns
    -------
    holoviews.Layout
    """
    limits = {} if zoom is None else {"xlim": zoom[0], "ylim": zoom[1]}
    panels = []
    for title, cube in layers.items():
        element = show_channel(cube, freq, clim=ranges[title], title=f"{title}, {freq:.3f} GHz")
        panels.append(styled(element, **limits, bokeh=SMALL))  # three fit into a page
    return hv.Layout(panels).cols(len(panels))


def save_map(name, kind, *, cube, figure, folder=None):
    """Save a map, or the picture of it.

    Parameters
    ----------
    name : str
        Of the file, without suffix and without folder.
    kind : str
        One of `KINDS`.
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        What goes into netCDF and FITS.
    figure : holoviews.Layout
        What is drawn.
    folder : path-like, optional
        By default `map_folder`.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    ValueError
        If the name is no plain name, or the kind unknown.
    FileExistsError
        If the file exists.
    """
    name = check_typed_name(name, what="name")
    folder = map_folder() if folder is None else folder
    if kind == "PNG and PDF":
        (picture,) = save_figures({name: figure}, folder)
        return [picture, picture.with_suffix(".pdf")]
    writers = {"netCDF": (write_map, ".nc"), "FITS": (write_fits, ".fits")}
    if kind not in writers:
        msg = f"save_map: kind is {kind!r}, expected one of {', '.join(KINDS)}"
        raise ValueError(msg)
    write, suffix = writers[kind]
    path = folder / f"{name}{suffix}"
    write(cube, path)
    return [path]


def with_origin(cube, settings):
    """Return a cube that says how it was made, as its file will."""
    model = settings.model
    return cube.assign_attrs(
        seed=settings.seed, luminosity_model=model.name,
        parameters=json.dumps(model.parameters()), script=map_script(settings),
    )  # fmt: skip
