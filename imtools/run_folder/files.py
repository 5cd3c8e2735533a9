"""Files that are whole or absent: JSON, CSV and netCDF, written beside their name and renamed."""

import json
import math
import os
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from imtools import __version__

TEMPORARY = ".tmp-"  # how the name of an unfinished file begins


@contextmanager
def atomic_path(path, *, overwrite=False):
    """Yield a temporary path beside `path`; rename it to `path` if the block ends well.

    Parameters
    ----------
    path : path-like
        Where the file shall be. The temporary name keeps its suffix.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    FileExistsError
        If `path` exists and `overwrite` is False.

    Notes
    -----
    Before the rename the bytes are flushed to the disk; if the block raises, the temporary file is
    removed and what was at `path` stays as it was.
    """
    path = Path(path)
    _check_free(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{TEMPORARY}{this_writer()}-{path.name}")
    try:
        yield temporary
        flush(temporary)
        _check_free(path, overwrite)  # somebody may have been faster
        temporary.replace(path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def this_writer():
    """Return what tells the temporary files of this process from those of others, on any host."""
    return f"{socket.gethostname()}-{os.getpid()}".replace("/", "-")


def _check_free(path, overwrite):
    if path.is_dir():
        msg = f"write: {path} is a folder, expected the name of a file"
        raise IsADirectoryError(msg)
    if path.exists() and not overwrite:
        msg = f"write: {path} exists; pass overwrite=True to replace it, or choose another name"
        raise FileExistsError(msg)


def flush(path):
    """Have the system write what it holds of a file or a folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_unfinished(folder):
    """Remove what writers that were killed have left in `folder`; call it under the lock."""
    for path in Path(folder).glob(f"{TEMPORARY}*"):
        path.unlink(missing_ok=True)


def write_text(text, path, *, overwrite=False):
    """Write `text` to `path`, whole or not at all; see `atomic_path`."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(values, path, *, overwrite=False):
    """Write `values` as JSON, whole or not at all; NumPy numbers become plain, NaN null."""
    text = json.dumps(_plain(values), indent=2, allow_nan=False) + "\n"
    write_text(text, path, overwrite=overwrite)


def _plain(value):
    """Return `value` with NumPy numbers and arrays as plain ones, and NaN as None."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def read_json(path):
    """Return what the JSON file at `path` holds; a ValueError names a file that is damaged."""
    text = first_bytes(path, "read_json").decode("utf-8", errors="replace")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        msg = f"read_json: {path} is no JSON ({error}); remove it or restore it"
        raise ValueError(msg) from None


def append_row(row, path):
    """Append `row` (a dict) to the CSV file at `path`; the first row makes the header.

    A last line that a killed writer left half-written is cut off first.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = _whole_lines(path)
    header = ",".join(row)
    if rows and rows[0] != header:
        msg = f"append_row: columns of {path} are {rows[0]}, got {header}; keep the columns"
        raise ValueError(msg)
    line = ",".join(str(_plain(v)) for v in row.values())
    with path.open("r+" if rows else "w", encoding="utf-8") as file:
        file.truncate(file.seek(sum(len(r.encode()) + 1 for r in rows)))
        file.write(f"{line}\n" if rows else f"{header}\n{line}\n")
        file.flush()
        os.fsync(file.fileno())


def read_rows(path):
    """Return the whole rows of a CSV file of numbers as a dict, column to float array."""
    rows = [line.split(",") for line in _whole_lines(Path(path))]
    if not rows:
        return {}
    table = np.array([[_number(v) for v in row] for row in rows[1:]]).reshape(-1, len(rows[0]))
    return {name: table[:, i] for i, name in enumerate(rows[0])}


def _number(text):
    return math.nan if text == "None" else float(text)


def _whole_lines(path):
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return text.split("\n")[:-1]  # what follows the last newline was never finished


def write_netcdf(dataset, path, *, overwrite=False):
    """Write a Dataset to netCDF, whole or not at all, ready for reading maps at random.

    Parameters
    ----------
    dataset : xarray.Dataset
        Its numeric variables carry ``units`` and ``long_name``. A variable of three or more dims
        that begin with ``sample`` is stored in chunks of one sample.
    path : path-like
        Where to.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If a numeric variable lacks units or a name.
    FileExistsError
        If `path` exists and `overwrite` is False.
    OSError
        If the disk is full; no partial file is left.
    """
    for name, variable in dataset.data_vars.items():
        if variable.dtype.kind in "fiu" and not {"units", "long_name"} <= variable.attrs.keys():
            msg = f"write_netcdf: {name} has attributes {list(variable.attrs)}, expected units and "
            raise ValueError(msg + "long_name; set them")
    dataset = dataset.assign_attrs({"imtools_version": __version__} | dataset.attrs)
    encoding = {name: _encoding(variable) for name, variable in dataset.variables.items()}
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            dataset.to_netcdf(temporary, engine="netcdf4", encoding=encoding)
        except (OSError, RuntimeError) as error:
            msg = f"write_netcdf: {path} could not be written ({error}); is the disk full?"
            raise OSError(msg) from None


def _encoding(variable):
    # No compression: random batches read fastest, and a map of noise does not shrink.
    encoding = {"_FillValue": None} if variable.dtype.kind == "f" else {}
    if variable.ndim >= 3 and variable.dims[0] == "sample":
        # with a checksum, so that a flipped byte is an error and not a map
        encoding |= {"chunksizes": (1, *variable.shape[1:]), "fletcher32": True}
    return encoding


def open_netcdf(path):
    """Open a netCDF file as a Dataset, read as it is used; errors are one line.

    Raises
    ------
    OSError
        If there is no such file, it is a folder, it may not be read, or it is truncated.
    ValueError
        If it is empty, a web page or something else that is no netCDF.
    """
    start = first_bytes(path, "open_netcdf", 512)
    if not start.startswith((b"\x89HDF\r\n\x1a\n", b"CDF")):
        kind = "a web page" if start.lstrip()[:1] == b"<" else "no netCDF file"
        msg = f"open_netcdf: {path} is {kind}, expected netCDF; download or make it again"
        raise ValueError(msg)
    try:
        return xr.open_dataset(path, engine="netcdf4")
    except (OSError, RuntimeError) as error:
        msg = f"open_netcdf: {path} is truncated or damaged ({error}); make it again"
        raise OSError(msg.replace("\n", " ")) from None


def first_bytes(path, caller, n=-1):
    """Return the first `n` bytes of a file, or raise one line that says what `path` is."""
    path = Path(path)
    if path.is_dir():
        msg = f"{caller}: {path} is a folder, expected a file"
        raise IsADirectoryError(msg)
    try:
        with path.open("rb") as file:
            start = file.read(n)
    except FileNotFoundError:
        msg = f"{caller}: {path} does not exist; check the path, or make the file first"
        raise FileNotFoundError(msg) from None
    except PermissionError:
        msg = f"{caller}: {path} may not be read; ask its owner, or change its mode"
        raise PermissionError(msg) from None
    if not start:
        msg = f"{caller}: {path} is empty; make it again"
        raise ValueError(msg)
    return start


def check_finite(array, *, caller):
    """Raise a ValueError that counts and locates NaN or infinity in `array`, if there is any.

    Parameters
    ----------
    array : xarray.DataArray or numpy.ndarray
        Numbers of any shape.
    caller : str
        Name of the public function that checks, for the message.
    """
    values = np.asarray(array)
    bad = ~np.isfinite(values)
    if bad.any():
        first = ", ".join(str(tuple(map(int, i))) for i in np.argwhere(bad)[:3])
        name = getattr(array, "name", None) or "array"
        msg = f"{caller}: {name} has {bad.sum()} NaN or infinite of {bad.size}, first at {first}; "
        raise ValueError(msg + "remove or mask them")
