"""netCDF in the manner of CF: how this package stores maps, and close relatives of other origin."""

from pathlib import Path

import numpy as np
import xarray as xr

from imtools.constants import NU_CO10
from imtools.formats.canonical import DIMS, LABELS, map_dataset
from imtools.formats.hdf5 import check_size, is_hdf5, open_hdf5
from imtools.formats.units import axis_factor, uk_per_unit
from imtools.run_folder import first_bytes, open_netcdf, write_netcdf
from imtools.survey import check_cube, with_bounds

NAMES = {  # what others call the dims
    "freq": ("freq", "frequency", "nu", "channel"),
    "dec": ("dec", "declination", "y"),
    "ra": ("ra", "right_ascension", "x"),
}


def read_netcdf(path, *, freq=None, units=None, nu_rest=None):
    """Read a map from netCDF.

    Parameters
    ----------
    path : path-like
        As `write_map` makes it, or a file with one variable over frequency, dec and ra.
    freq : numpy.ndarray, optional
        Channel centres [GHz], in place of those in the file, in its order.
    units : str, optional
        Unit of the map, where the file states none.
    nu_rest : float, optional
        Rest frequency of the line [GHz]; by default as in the file, else CO(1-0).

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")
        See `map_dataset`.

    Raises
    ------
    OSError
        If the file is damaged or not there.
    ValueError
        If it is no netCDF, leads out of itself, holds no map or several, states no unit, or breaks
        what `map_dataset` asks.
    """
    path = Path(path)
    first_bytes(path, "read_netcdf", 1)  # says what is wrong with a path
    cube, stored, attrs = _load_variables(path)
    axes = {name: _axis(cube, name, path) for name in DIMS}
    axes["freq"] = axes["freq"] if freq is None else np.asarray(freq)
    fields = {}
    for name, values in ({"brightness_temperature": cube} | stored).items():
        fields[name] = values.values
        if LABELS[name][0] == "uK":
            stated = values.attrs.get("units") or units or cube.attrs.get("units")
            factor = uk_per_unit(stated, path=path, freq=axes["freq"])
            fields[name] = (fields[name] * factor).astype(fields[name].dtype)
    kept = {k: v for k, v in cube.attrs.items() if k not in ("units", "long_name")}
    attrs = {"format": "netCDF", "source": path.name} | attrs
    nu_rest = float(kept.get("nu_rest", NU_CO10)) if nu_rest is None else nu_rest
    widths = {name: float(cube[name].attrs.get("width", 0)) for name in DIMS}
    dataset = map_dataset(fields, **axes, nu_rest=nu_rest, path=path, attrs=attrs, widths=widths)
    map_attrs = dataset["brightness_temperature"].attrs
    map_attrs |= {k: v for k, v in kept.items() if k not in map_attrs}
    return dataset


def _load_variables(path):
    """Return the map, what else is on its grid, and the file's attributes, all in memory."""
    if is_hdf5(path):
        with open_hdf5(path):  # refuses links out of the file, which the library would follow
            pass
    with open_netcdf(path) as file:
        file = file.rename(_dims(file))
        name = _map_name(file, path)
        chosen = [name, *(n for n in LABELS if n in file and n != name)]
        stored = {n: file[n] for n in chosen if set(file[n].dims) == set(DIMS)}
        for n, values in stored.items():
            check_size(values.nbytes, n, path)
        stored = {n: _load(values, path).transpose(*DIMS) for n, values in stored.items()}
        return stored.pop(name), stored, dict(file.attrs)


def _dims(file):
    """Return how dims and their coordinates are renamed to ours."""
    lower = {str(name).lower(): name for name in file.dims}
    found = {ours: [lower[n] for n in names if n in lower] for ours, names in NAMES.items()}
    return {theirs[0]: ours for ours, theirs in found.items() if theirs and theirs[0] != ours}


def _map_name(file, path):
    """Return the name of the variable that is the map."""
    cubes = [n for n, v in file.data_vars.items() if set(v.dims) == set(DIMS)]
    if "brightness_temperature" in cubes:
        return "brightness_temperature"
    cubes = [name for name in cubes if name not in LABELS]
    if len(cubes) != 1:
        found = {str(name): v.dims for name, v in file.data_vars.items()}
        msg = f"{path}: found {found}, expected brightness_temperature, or one variable, "
        raise ValueError(msg + f"over {DIMS}; save one map")
    return cubes[0]


def _load(values, path):
    try:
        return values.load()
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"{path}: {values.name} is damaged ({error}); download or make the file again"
        raise OSError(msg.replace("\n", " ")) from None


def _axis(cube, name, path):
    """Return an axis in our unit."""
    if name not in cube.coords:
        msg = f"{path}: {name} has no coordinate, expected the centres of its voxels"
        raise ValueError(msg + (", or pass freq=" if name == "freq" else ""))
    values, unit = cube[name].values, cube[name].attrs.get("units")
    return values * axis_factor(unit, name, path)


def write_map(data, path, *, overwrite=False):
    """Write a map as netCDF with units, names and the bounds of its coordinates (CF).

    Parameters
    ----------
    data : xarray.Dataset or xarray.DataArray
        Map from `open_map`, or a cube, units uK.
    path : path-like
        Where to.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If the cube is a stack, or breaks the map conventions.
    FileExistsError
        If `path` exists and `overwrite` is not set.
    OSError
        If it could not be written; no partial file is left.
    """
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name="brightness_temperature")
    cube = data["brightness_temperature"]
    check_cube(cube, caller="write_map")
    if cube.dims != DIMS:
        msg = f"write_map: dims are {cube.dims}, expected one map {DIMS}; pick a sample"
        raise ValueError(msg)
    bounds = with_bounds(cube)
    edges = {k: v.variable for k, v in bounds.coords.items() if k not in cube.coords}
    dataset = data.assign_coords(edges)
    for name in DIMS:
        dataset[name].attrs = bounds[name].attrs
    write_netcdf(dataset.assign_attrs(Conventions="CF-1.11"), path, overwrite=overwrite)
