"""HDF5 files from strangers: links that leave the file and bombs are refused before any reading."""

from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

SIGNATURE = b"\x89HDF\r\n\x1a\n"
LARGEST = 2**32  # bytes in one array; a COMAP map of 20 feeds at full resolution has 1.2e9
SUSPECT = 2**26  # bytes from which an array is compared with the size of its file
RATIO = 300  # no map with data in it compresses by more
MOST_OBJECTS = 100_000  # groups and datasets in one file


def check_size(n_bytes, name, path):
    """Raise a ValueError if an array of `n_bytes` is too large for its file, or for any map."""
    size = Path(path).stat().st_size
    if n_bytes > LARGEST or (n_bytes > SUSPECT and n_bytes > RATIO * size):
        msg = (
            f"{path}: {name} would fill {n_bytes / 1e9:.3g} GB from a file of {size / 1e6:.3g} MB, "
            f"expected below {LARGEST / 1e9:.3g} GB and {RATIO} times the file; it is no map"
        )
        raise ValueError(msg)


@contextmanager
def open_hdf5(path):
    """Yield an HDF5 file, open for reading, that holds all of its data itself.

    Raises
    ------
    OSError
        If it is truncated or damaged.
    ValueError
        If a link, a virtual dataset or external storage leads out of the file.
    """
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        msg = f"{path}: truncated or damaged HDF5 ({error}); download or make it again"
        raise OSError(msg.replace("\n", " ")) from None
    with file:
        _check_inside(file, path)
        yield file


def _check_inside(file, path):
    """Walk all groups by hard links only, each once."""
    waiting, seen = [file], set()
    while waiting:
        group = waiting.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{group.name.rstrip('/')}/{name}"
            if not isinstance(link, h5py.HardLink):
                target = getattr(link, "filename", None) or getattr(link, "path", "?")
                msg = f"{path}: {where} is a link to {target}, expected data in the file itself; "
                raise ValueError(msg + "copy what it points to into the file")
            found = group[name]
            if isinstance(found, h5py.Dataset) and (found.is_virtual or found.external):
                msg = f"{path}: {where} keeps its data in other files, expected them in this one"
                raise ValueError(msg)
            address = h5py.h5o.get_info(found.id).addr
            if address not in seen and isinstance(found, h5py.Group):
                waiting.append(found)
            seen.add(address)
            if len(seen) > MOST_OBJECTS:
                msg = f"{path}: more than {MOST_OBJECTS} groups and datasets; it is no map"
                raise ValueError(msg)


def read_array(file, name, path, index=()):
    """Return the numbers of one dataset, or of `index` in it, in the machine's byte order.

    Raises
    ------
    OSError
        If it is damaged.
    ValueError
        If it is no array of numbers, or too large.
    """
    found = file[name]
    if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiub":
        kind = getattr(found, "dtype", "a group")
        msg = f"{path}: {name} is {kind}, expected an array of numbers"
        raise ValueError(msg)
    check_size(found.nbytes if index == () else found.nbytes // found.shape[0], name, path)
    try:
        values = found[index]
    except (OSError, RuntimeError) as error:
        msg = f"{path}: {name} is damaged ({error}); download or make the file again"
        raise OSError(msg.replace("\n", " ")) from None
    return np.asarray(values, dtype=found.dtype.newbyteorder("="))


def is_hdf5(path):
    """Return whether a file begins as HDF5 does."""
    with Path(path).open("rb") as file:
        return file.read(8) == SIGNATURE
