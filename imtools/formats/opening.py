"""Open a map of any format: what it is follows from its first bytes, not from its name."""

from pathlib import Path

from imtools.formats.comap import is_comap, read_comap
from imtools.formats.fits import read_fits
from imtools.formats.hdf5 import SIGNATURE
from imtools.formats.limlam import read_limlam
from imtools.formats.netcdf import read_netcdf
from imtools.run_folder import first_bytes

REFUSED = (  # how files begin that are often handed in by mistake, and what to do
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"\x93NUMPY", "a bare NumPy array, which has no coordinates; make a cube with Survey.cube"),
    (b"\x80", "a pickle, which can run code; save the map as netCDF or .npz"),
    (b"<", "a web page; download the file again"),
)


def open_map(path, *, freq=None, units=None, nu_rest=None, feed=None):
    """Open a map of any format that this package knows.

    Parameters
    ----------
    path : path-like
        COMAP HDF5 (three generations), FITS cube, limlam_mocker ``.npz`` or netCDF.
    freq : numpy.ndarray, optional
        Channel centres [GHz] in the order of the file, where its own are missing or wrong.
    units : str, optional
        Unit of the map, where the file states none.
    nu_rest : float, optional
        Rest frequency of the line [GHz]; by default as in the file, else CO(1-0).
    feed : int, optional
        One feed of a COMAP map, from 1, instead of the average over feeds.

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")
        ``brightness_temperature`` [uK] and ``mask``, and where the file has them ``sigma_noise``
        [uK] and ``hits``; frequency, declination and right ascension ascend. Masked voxels are
        NaN: see `fill_masked`. What had to be repaired is in ``attrs["repairs"]``.

    Raises
    ------
    OSError
        If the file is not there, a folder, not readable, truncated or damaged.
    ValueError
        If it is none of these formats, or what is in it cannot be trusted or understood.

    Examples
    --------
    >>> import numpy as np
    >>> from imtools.formats import write_map
    >>> from imtools.survey import Survey
    >>> survey = Survey.comap(n_pix=4, n_chan=3)
    >>> folder = getfixture("tmp_path")  # where this example may write
    >>> write_map(survey.cube(np.ones(survey.shape)), folder / "map.nc")
    >>> float(open_map(folder / "map.nc")["brightness_temperature"].mean())
    1.0
    """
    path = Path(path)
    start = first_bytes(path, "open_map", 2880)
    given = {"freq": freq, "units": units, "nu_rest": nu_rest}
    given = {name: value for name, value in given.items() if value is not None}
    if feed is not None:
        given["feed"] = feed
    return _reader(path, start, feed)(path, **given)


def _reader(path, start, feed):
    """Return the function that reads a file which begins with these bytes."""
    if start.startswith(SIGNATURE):
        if is_comap(path):
            return read_comap
        reader = read_netcdf
    elif start.startswith(b"CDF"):
        reader = read_netcdf
    elif start.startswith(b"PK"):
        reader = read_limlam
    elif start.startswith(b"SIMPLE"):
        reader = read_fits
    else:
        known = [what for begin, what in REFUSED if start.lstrip(b" \t\r\n").startswith(begin)]
        what = known[0] if known else "of no format known here"
        msg = f"open_map: {path} is {what}; expected COMAP HDF5, FITS, limlam .npz or netCDF"
        raise ValueError(msg)
    if feed is not None:
        msg = f"open_map: {path}: feed is {feed}, but this is no COMAP map; leave it out"
        raise ValueError(msg)
    return reader
