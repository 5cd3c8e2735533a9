"""Map archives of limlam_mocker: ``map_cube`` (ra, dec, frequency falling) in uK, in an ``.npz``.

An ``.npz`` can hold pickles, which can run code; only arrays of numbers are read here.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np

from imtools.constants import NU_CO10
from imtools.formats.canonical import DIMS, map_dataset
from imtools.formats.hdf5 import check_size
from imtools.formats.units import uk_per_unit
from imtools.run_folder import atomic_path, check_finite, first_bytes
from imtools.survey import check_cube, spacing

NEEDED = ("map_cube", "map_frequencies", "map_pixel_ra", "map_pixel_dec")
OPTIONAL = ("fov_x", "fov_y", "pix_size_x", "pix_size_y", "sigma", "nu_rest", "centred")
DAMAGED = (
    zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError,
    RuntimeError, SyntaxError,
)  # fmt: skip


def read_limlam(path, *, freq=None, units="uK", nu_rest=None):
    """Read a map of limlam_mocker.

    Parameters
    ----------
    path : path-like
        An ``.npz`` with ``map_cube``, ``map_frequencies``, ``map_pixel_ra``, ``map_pixel_dec``.
    freq : numpy.ndarray, optional
        Channel centres [GHz], in place of those in the file, in its order.
    units : str
        Unit of ``map_cube``.
    nu_rest : float, optional
        Rest frequency of the line [GHz]; by default as in the file, else CO(1-0).

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")
        See `map_dataset`. Where the file has a noise ``sigma`` [uK], it is in ``sigma_noise``.

    Raises
    ------
    ValueError
        If the file is damaged, lacks an array, or holds objects where arrays should be.

    Notes
    -----
    The original code stores the lower edges of the pixels as their centres; an axis that begins at
    half the field of view is therefore moved by half a pixel, which ``attrs["repairs"]`` says,
    unless the file is `write_limlam`'s, which has a member ``centred``.
    """
    path = Path(path)
    first_bytes(path, "read_limlam", 1)  # says what is wrong with a path
    arrays = _read_arrays(path)
    missing = [name for name in NEEDED if name not in arrays]
    if missing:
        msg = f"{path}: found {sorted(arrays)}, missing {missing}; it is no map of limlam_mocker"
        raise ValueError(msg)
    if arrays["map_cube"].ndim != 3:
        msg = f"{path}: map_cube has shape {arrays['map_cube'].shape}, expected (ra, dec, freq)"
        raise ValueError(msg)
    repairs = []
    ra = _centres(arrays, "ra", "x", repairs)
    dec = _centres(arrays, "dec", "y", repairs)
    freq = np.asarray(arrays["map_frequencies"] if freq is None else freq)
    factor = uk_per_unit(units, path=path, freq=freq)
    cube = arrays["map_cube"].transpose(2, 1, 0)
    fields = {"brightness_temperature": (cube * factor).astype(cube.dtype)}
    if "sigma" in arrays:
        fields["sigma_noise"] = _noise(arrays["sigma"], cube.shape, path) * factor
    widths = {"ra": _scalar(arrays, "pix_size_x"), "dec": _scalar(arrays, "pix_size_y")}
    attrs = {"format": "limlam_mocker", "source": path.name, "ra_center": 0.0, "dec_center": 0.0}
    if nu_rest is None:
        nu_rest = _scalar(arrays, "nu_rest") or NU_CO10
    return map_dataset(
        fields, freq=freq, dec=dec, ra=ra, nu_rest=nu_rest, path=path, attrs=attrs,
        repairs=repairs, widths=widths,
    )  # fmt: skip


def _read_arrays(path):
    """Return the arrays of the archive that a map has; nothing else in it is opened."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name in NEEDED or name in OPTIONAL:
                    arrays[name] = _read_member(archive, info, path)
    except DAMAGED as error:
        if str(error).startswith(str(path)):
            raise
        msg = f"{path}: damaged, or no archive of arrays ({error}); make it again"
        raise ValueError(msg.replace("\n", " ")) from None
    return arrays


def _read_member(archive, info, path):
    """Return one array; its header is read before room is made for it."""
    check_size(info.file_size, info.filename, path)
    with archive.open(info) as stream:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            msg = f"{path}: {info.filename} has .npy version {version}, expected 1.0 or 2.0"
            raise ValueError(msg)
        shape, _, dtype = readers[version](stream)
        if dtype.kind not in "fiu":
            msg = f"{path}: {info.filename} holds {dtype}, expected numbers; objects are not read"
            raise ValueError(msg)
        n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
        if n_bytes > info.file_size:
            msg = f"{path}: {info.filename} states shape {shape}, more than its bytes"
            raise ValueError(msg)
    with archive.open(info) as stream:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _scalar(arrays, name):
    """Return a number of the archive, or 0 where it is missing or no single number."""
    return float(arrays[name].item()) if name in arrays and arrays[name].size == 1 else 0.0


def _noise(sigma, shape, path):
    """Return the noise of each voxel, dims (freq, dec, ra), from one number or a map."""
    if sigma.size != 1 and sigma.T.shape != shape:
        msg = f"{path}: sigma has shape {sigma.shape}, expected one number or a map like map_cube"
        raise ValueError(msg)
    return np.broadcast_to(sigma.T.squeeze() if sigma.size == 1 else sigma.T, shape).copy()


def _centres(arrays, axis, side, repairs):
    """Return the pixel centres of an axis, from the lower edges where those are stored."""
    values = np.asarray(arrays[f"map_pixel_{axis}"], dtype=float)
    fov, size = _scalar(arrays, f"fov_{side}"), _scalar(arrays, f"pix_size_{side}")
    if "centred" not in arrays and size > 0 and abs(values.min() + fov / 2) < 0.01 * size:
        repairs.append(f"map_pixel_{axis} held lower edges, moved by half a pixel to the centres")
        return values + size / 2
    return values


def write_limlam(cube, path, *, overwrite=False):
    """Write a cube as limlam_mocker does, for codes that read its maps.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Without NaN: the format has no mask; see `fill_masked`.
    path : path-like
        An ``.npz`` to write.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If `cube` is a stack, breaks the map conventions, or has NaN.
    FileExistsError
        If `path` exists and `overwrite` is not set.

    Notes
    -----
    Pixel axes are true centres. ``sigma`` [uK], which some readers look for, is the cube's
    ``attrs["sigma_noise"]``, and left out where it has none.
    """
    check_cube(cube, caller="write_limlam")
    if cube.dims != DIMS:
        msg = f"write_limlam: dims are {cube.dims}, expected one map {DIMS}; pick a sample"
        raise ValueError(msg)
    check_finite(cube, caller="write_limlam")
    size_x, size_y = spacing(cube, "ra"), spacing(cube, "dec")
    falling = cube.isel(freq=slice(None, None, -1)).transpose("ra", "dec", "freq")
    n_x, n_y, _ = falling.shape
    arrays = {
        "fov_x": n_x * size_x, "fov_y": n_y * size_y, "pix_size_x": size_x, "pix_size_y": size_y,
        "npix_x": n_x, "npix_y": n_y, "map_pixel_ra": falling["ra"].values,
        "map_pixel_dec": falling["dec"].values, "map_frequencies": falling["freq"].values,
        "map_cube": np.ascontiguousarray(falling.values), "centred": 1,
    }  # fmt: skip
    for name, key in (("sigma", "sigma_noise"), ("nu_rest", "nu_rest")):
        if key in cube.attrs:
            arrays[name] = float(cube.attrs[key])
    path = Path(path)
    if path.suffix != ".npz":
        msg = f"write_limlam: {path} ends in {path.suffix!r}, expected '.npz'"
        raise ValueError(msg)
    with atomic_path(path, overwrite=overwrite) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)
