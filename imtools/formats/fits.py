"""FITS cubes with a frequency axis, in and out, as astropy and spectral-cube read them."""

import json
import warnings
from pathlib import Path

import numpy as np
import xarray as xr
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning

from imtools import __version__
from imtools.constants import DEG, NU_CO10
from imtools.formats.canonical import DIMS, map_dataset
from imtools.formats.fits_axes import frequencies, read_rest_frequency, sky_offsets
from imtools.formats.hdf5 import check_size
from imtools.formats.units import uk_per_unit
from imtools.run_folder import atomic_path, first_bytes
from imtools.survey import channel_width, check_cube, spacing

EXTENSIONS = {  # how others name what is on the same grid
    "sigma_noise": ("SIGMA_NOISE", "NOISE", "RMS", "SIGMA", "SIGMA_WN"),
    "hits": ("HITS", "NHIT", "NHITS"),
    "mask": ("MASK",),
}
DAMAGED = (OSError, ValueError, TypeError, KeyError, fits.VerifyError)


def read_fits(path, *, freq=None, units=None, nu_rest=None):
    """Read a FITS cube.

    Parameters
    ----------
    path : path-like
        File whose first cube has a right ascension, a declination and a spectral axis, in any
        order; an axis of one value beside them (Stokes) is dropped.
    freq : numpy.ndarray, optional
        Channel centres [GHz], in place of those in the header, in the order of the cube.
    units : str, optional
        Unit of the map, where the header has no BUNIT.
    nu_rest : float, optional
        Rest frequency of the line [GHz]; by default RESTFRQ, else CO(1-0) with a warning.

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")
        See `map_dataset`. Noise, hits and mask come from extensions of those names. What was wrong
        in the header and could be mended is a warning, and in ``attrs["repairs"]``.

    Raises
    ------
    OSError
        If the file is truncated or damaged.
    ValueError
        If an axis or unit is missing, or wrong in more ways than one, or the map breaks what
        `map_dataset` asks.

    Notes
    -----
    The sky is flat here: ``dec`` and ``ra`` are angles from the reference pixel (from the middle
    of the map, where that lies outside), with the size that a pixel has there.

    References
    ----------
    .. [1] Greisen & Calabretta 2002, A&A 395, 1061, and Greisen et al. 2006, A&A 446, 747,
       arXiv:astro-ph/0507293 (the standard of the axes)
    """
    path = Path(path)
    first_bytes(path, "read_fits", 1)  # says what is wrong with a path
    header, arrays = _load(path)
    wcs = _parse(header, path)
    repairs = []
    stated = read_rest_frequency(header, path, repairs)
    rest = stated if nu_rest is None else nu_rest
    order = _axis_order(wcs, arrays["brightness_temperature"].shape, path)
    arrays = {name: _in_order(values, order) for name, values in arrays.items()}
    n_chan, n_dec, n_ra = arrays["brightness_temperature"].shape
    width = 0.0
    if freq is None:
        freq, width = frequencies(wcs, n_chan, rest, path, repairs)
    if rest is None:
        rest = NU_CO10
        repairs.append(f"RESTFRQ is missing, taken as CO(1-0) at {NU_CO10} GHz")
    ra, dec, centre, pixel = sky_offsets(wcs, n_ra, n_dec, path)
    beam = np.pi / (4 * np.log(2)) * header.get("BMAJ", 0) * header.get("BMIN", 0) * DEG**2
    factor = uk_per_unit(
        header.get("BUNIT") or units, path=path, freq=freq, beam_area=beam,
        pixel_area=pixel[0] * pixel[1] * DEG**2,
    )  # fmt: skip
    for name in ("brightness_temperature", "sigma_noise"):
        if name in arrays:
            arrays[name] = (arrays[name] * factor).astype(arrays[name].dtype)
    attrs = _kept(header) | {"format": "FITS", "source": path.name} | centre
    widths = {"ra": pixel[0], "dec": pixel[1], "freq": width}
    return map_dataset(
        arrays, freq=freq, dec=dec, ra=ra, nu_rest=rest, path=path, attrs=attrs,
        repairs=repairs, widths=widths,
    )  # fmt: skip


def _load(path):
    """Return the header of the cube, and the arrays of the map, in the machine's byte order."""
    size = path.stat().st_size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the header's style; what matters is checked here
            with fits.open(path, memmap=False) as file:
                hdu = next((h for h in file if h.is_image and h.header.get("NAXIS", 0) >= 3), None)
                if hdu is None:
                    msg = f"{path}: holds no cube, expected an image of three axes"
                    raise ValueError(msg)
                arrays = {"brightness_temperature": _data(hdu, path, size)}
                for name, titles in EXTENSIONS.items():
                    found = [h for h in file if h.is_image and h.name.upper() in titles]
                    if found and found[0] is not hdu:
                        arrays[name] = _data(found[0], path, size)
                return hdu.header.copy(), arrays
    except DAMAGED as error:
        if str(error).startswith(str(path)):
            raise
        msg = f"{path}: damaged FITS ({error}); download or make it again"
        raise OSError(msg.replace("\n", " ")) from None


def _data(hdu, path, size):
    """Return the array of one image, once it is clear that the file holds all of it."""
    shape = hdu.shape
    n_bytes = int(np.prod(shape, dtype=object)) * abs(int(hdu.header["BITPIX"])) // 8
    check_size(n_bytes, hdu.name or "the cube", path)
    if not isinstance(hdu, fits.CompImageHDU):
        end = hdu.fileinfo()["datLoc"] + n_bytes
        if end > size:
            msg = f"{path}: truncated, {size} bytes where its header asks for {end}; download it "
            raise OSError(msg + "or make it again")
    data = hdu.data
    return np.asarray(data, dtype=data.dtype.newbyteorder("="))


def _parse(header, path):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            return WCS(header)
    except Exception as error:  # wcslib raises a dozen kinds, each a header that cannot be read
        msg = f"{path}: the axes in the header cannot be read ({error}); mend CTYPE, CRVAL, CDELT"
        raise ValueError(" ".join(msg.split())) from None


def _axis_order(wcs, shape, path):
    """Return which axes of the array are frequency, dec and ra."""
    found = {"freq": wcs.wcs.spec, "dec": wcs.wcs.lat, "ra": wcs.wcs.lng}
    types = list(wcs.wcs.ctype)
    missing = [name for name, number in found.items() if number < 0]
    if missing or not types[found["ra"]].startswith("RA"):
        msg = f"{path}: axes are {types}, expected RA, DEC and FREQ; reproject or name them"
        raise ValueError(msg)
    order = [len(shape) - 1 - found[name] for name in DIMS]
    others = {i: n for i, n in enumerate(shape) if i not in order and n != 1}
    if others:
        msg = f"{path}: the array has shape {shape}, expected one value along axes that are not "
        raise ValueError(msg + f"{DIMS}; cut one out")
    return order


def _in_order(values, order):
    """Return an array as (freq, dec, ra), axes of one value dropped."""
    others = [i for i in range(values.ndim) if i not in order]
    return np.ascontiguousarray(values.transpose([*others, *order]).reshape(
        [values.shape[i] for i in order]
    ))  # fmt: skip


def _kept(header):
    """Return the attributes that `write_fits` stored."""
    try:
        kept = json.loads(header.get("IMATTRS", "{}"))
    except (TypeError, json.JSONDecodeError):
        return {}
    return kept if isinstance(kept, dict) else {}


def write_fits(data, path, *, overwrite=False):
    """Write a map as a FITS cube of axes RA, DEC (gnomonic) and FREQ [Hz].

    Parameters
    ----------
    data : xarray.Dataset or xarray.DataArray
        Map from `open_map`, whose noise, hits and mask become extensions, or a cube; units uK.
    path : path-like
        Where to; ends in ``.fits`` or ``.fit``.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If the cube is a stack or breaks the map conventions, or `path` ends otherwise.
    FileExistsError
        If `path` exists and `overwrite` is not set.

    Notes
    -----
    The reference pixel is at offset (0, 0), at ``attrs["ra_center"]`` and ``dec_center``, or at
    (0, 0) where there are none. Right ascension falls along the first axis, as images are seen.
    """
    if isinstance(data, xr.DataArray):
        data = data.to_dataset(name="brightness_temperature")
    cube, path = data["brightness_temperature"], Path(path)
    check_cube(cube, caller="write_fits")
    if cube.dims != DIMS or path.suffix not in (".fits", ".fit"):
        msg = f"write_fits: got dims {cube.dims} and {path}, expected one map {DIMS} and '.fits'"
        raise ValueError(msg)
    attrs = cube.attrs | data.attrs
    header = _header(cube, attrs)
    hdus = fits.HDUList([fits.PrimaryHDU(_stored(cube), header)])
    hdus[0].header["BUNIT"] = "uK"
    for name in EXTENSIONS:
        if name in data:
            extension = fits.ImageHDU(_stored(data[name]), header, name=name.upper())
            extension.header["BUNIT"] = "uK" if name == "sigma_noise" else ""
            hdus.append(extension)
    with atomic_path(path, overwrite=overwrite) as temporary:
        hdus.writeto(temporary)


def _stored(cube):
    """Return an array as FITS holds it: right ascension falling, no booleans."""
    values = cube.isel(ra=slice(None, None, -1)).values
    return values.astype("u1") if values.dtype == bool else values


def _header(cube, attrs):
    """Return the axes of a cube, and its attributes as JSON."""
    header = fits.Header()
    steps = {"ra": -spacing(cube, "ra"), "dec": spacing(cube, "dec")}
    places = {"ra": cube["ra"].values[-1], "dec": cube["dec"].values[0]}  # of the first pixel
    for number, (name, kind) in enumerate((("ra", "RA---TAN"), ("dec", "DEC--TAN")), start=1):
        header[f"CTYPE{number}"] = kind
        header[f"CUNIT{number}"] = "deg"
        header[f"CRVAL{number}"] = float(attrs.get(f"{name}_center", 0.0))
        header[f"CDELT{number}"] = steps[name]
        header[f"CRPIX{number}"] = 1 - float(places[name]) / steps[name]
    header["CTYPE3"], header["CUNIT3"] = "FREQ", "Hz"
    header["CRVAL3"] = float(cube["freq"].values[0]) * 1e9
    header["CDELT3"], header["CRPIX3"] = channel_width(cube) * 1e9, 1.0
    header["RESTFRQ"] = (float(cube.attrs.get("nu_rest", NU_CO10)) * 1e9, "[Hz]")
    header["RADESYS"], header["ORIGIN"] = "ICRS", f"imtools {__version__}"
    plain = {k: v for k, v in attrs.items() if isinstance(v, str | int | float | np.number)}
    plain = {k: v.item() if isinstance(v, np.number) else v for k, v in plain.items()}
    for name in ("units", "long_name", "nu_rest", "imtools_version", "format", "source", "repairs"):
        plain.pop(name, None)
    header["IMATTRS"] = json.dumps(plain)
    return header
