"""Read and write peak-patch light-cone catalogues, the field's exchange format.

An ``.npz`` with ``M`` [Msun], ``x, y, z`` [comoving Mpc, observer at the origin, sight near +z],
``vx, vy, vz`` [km/s], ``zhalo``, ``zform`` and ``cosmo_header``, a pickled dict. A pickle can run
code, so this module never asks NumPy to load one: `_HeaderUnpickler` admits dict, str, numbers and
NumPy scalars, and nothing else.
"""

import io
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np

from imtools.constants import DEG
from imtools.cosmology import Cosmology
from imtools.halos.catalogue import check_haloes, cosmology_from, make_catalogue

POSITIONS = ("M", "x", "y", "z", "zhalo")
OPTIONAL = ("vx", "vy", "vz", "zform")
NO_CATALOGUE = (  # what reading a damaged or foreign archive raises
    zipfile.BadZipFile, zlib.error, pickle.UnpicklingError, ValueError, EOFError, OSError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
LONGEST_HEADER = 1_000_000  # bytes; a header holds a dozen numbers
FLATNESS = 1e-3  # Omega_M + Omega_L may differ from 1 by this (radiation, rounding)


class _HeaderUnpickler(pickle.Unpickler):
    """Unpickler that knows how to make arrays and scalars of NumPy, and nothing else."""

    def find_class(self, module, name):
        """Return the one allowed meaning of `module.name`, or refuse."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            if name == "_reconstruct":
                return np._core.multiarray._reconstruct
            if name == "scalar":
                return np._core.multiarray.scalar
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        if module == "_codecs" and name == "encode":  # how protocol 2 writes bytes
            return _latin1
        msg = f"{module}.{name} is not allowed in a catalogue's header"
        raise pickle.UnpicklingError(msg)


def _latin1(text, encoding):
    if encoding != "latin1":
        msg = f"encoding {encoding!r} is not allowed in a catalogue's header"
        raise pickle.UnpicklingError(msg)
    return text.encode("latin1")


def read_peakpatch(path, *, cosmology=None, drop_invalid=False):
    """Read a peak-patch light-cone catalogue.

    Parameters
    ----------
    path : str or pathlib.Path
        An ``.npz`` file.
    cosmology : Cosmology, optional
        Used where the file has no ``cosmo_header``.
    drop_invalid : bool
        Drop haloes with NaN or infinity, with a warning, where the default is an error.

    Returns
    -------
    xarray.Dataset, dims ("halo",)
        As from `halos.simulate`; ``z_cosmo`` follows from the distance.

    Raises
    ------
    ValueError
        If the file is not such a catalogue, holds objects other than a plain header, has no
        cosmology, or one that is not flat, or fails `check_haloes`.
    """
    path = Path(path)
    members = _read_members(path)
    missing = [name for name in POSITIONS if name not in members]
    if missing:
        msg = f"read_peakpatch: {path}: found {sorted(members)}, missing {missing}"
        raise ValueError(msg)
    header = members.pop("cosmo_header", None)
    if header is not None:
        cosmology = _cosmology_of(header, path)
    elif cosmology is None:
        msg = f"read_peakpatch: {path} has no cosmo_header; pass cosmology=Cosmology(...)"
        raise ValueError(msg)
    columns = {name: members[name] for name in (*POSITIONS, *OPTIONAL) if name in members}
    wrong = {n: f"{c.dtype}, {c.shape}" for n, c in columns.items()}
    if any(c.dtype.kind not in "fiu" or c.shape != columns["M"].shape for c in columns.values()):
        msg = f"read_peakpatch: {path}: columns are {wrong}; expected real numbers of one length"
        raise ValueError(msg)
    place = {"cen_x_fov": 0.0, "cen_y_fov": 0.0} | (header or {})
    centre = [_number(place, f"cen_{axis}_fov", path) for axis in "xy"]
    haloes = make_catalogue(
        _on_the_sky(columns, centre, cosmology, path), cosmology=cosmology,
        parameters={"file": path.name, "cen_x_fov": centre[0], "cen_y_fov": centre[1]},
    )  # fmt: skip
    return check_haloes(haloes, caller=f"read_peakpatch: {path}", drop_invalid=drop_invalid)


def _read_members(path):
    """Return the arrays of an ``.npz``, its header as a dict, without NumPy's pickle reader."""
    if not path.is_file():
        msg = f"read_peakpatch: {path} is {'a folder' if path.is_dir() else 'not there'}"
        raise ValueError(msg)
    members = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                name = info.filename.removesuffix(".npy")
                if name == "cosmo_header":
                    members[name] = _read_header(archive, info)
                elif name in POSITIONS or name in OPTIONAL:
                    with archive.open(info) as stream:
                        members[name] = np.lib.format.read_array(stream, allow_pickle=False)
    except NO_CATALOGUE as error:
        msg = f"read_peakpatch: {path} is no peak-patch catalogue ({error})"
        raise ValueError(msg) from error
    return members


def _read_header(archive, info):
    if info.file_size > LONGEST_HEADER:
        msg = f"cosmo_header has {info.file_size} bytes, expected below {LONGEST_HEADER}"
        raise ValueError(msg)
    stream = io.BytesIO(archive.read(info))
    version = np.lib.format.read_magic(stream)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in read:
        msg = f"cosmo_header has .npy version {version}, expected 1.0 or 2.0"
        raise ValueError(msg)
    _, _, dtype = read[version](stream)
    if not dtype.hasobject:
        msg = f"cosmo_header has dtype {dtype}, expected an object array holding a dict"
        raise ValueError(msg)
    try:
        loaded = _HeaderUnpickler(stream).load()
    except Exception as error:  # a forged pickle can make any of them
        msg = f"cosmo_header: {error}".replace("\n", " ")
        raise pickle.UnpicklingError(msg) from error
    header = loaded.item() if isinstance(loaded, np.ndarray) and loaded.size == 1 else loaded
    if not isinstance(header, dict):
        msg = f"cosmo_header holds a {type(header).__name__}, expected a dict"
        raise ValueError(msg)
    return header


def _cosmology_of(header, path):
    names = {"h": "h", "omega_m": "Omega_M", "omega_b": "Omega_B", "sigma8": "sigma8", "n_s": "ns"}
    missing = [key for key in names.values() if key not in header]
    if missing:
        msg = f"read_peakpatch: {path}: cosmo_header has {sorted(header)}, missing {missing}"
        raise ValueError(msg)
    values = {ours: _number(header, theirs, path) for ours, theirs in names.items()}
    if "Omega_L" not in header:
        header = header | {"Omega_L": 1 - values["omega_m"]}
    total = values["omega_m"] + _number(header, "Omega_L", path)
    if not abs(total - 1) < FLATNESS:  # NaN too
        msg = f"read_peakpatch: {path}: Omega_M + Omega_L is {total:.4f}, expected 1 (flat)"
        raise ValueError(msg)
    try:
        return Cosmology(**values)
    except ValueError as error:
        msg = f"read_peakpatch: {path}: cosmo_header: {error}"
        raise ValueError(msg) from None


def _number(header, key, path):
    """Return a number of the header as a float."""
    try:
        return float(header[key])
    except (TypeError, ValueError):
        msg = f"read_peakpatch: {path}: cosmo_header: {key} is {header[key]!r}, expected a number"
        raise ValueError(msg) from None


def _on_the_sky(columns, centre, cosmology, path):
    """Return our columns from Cartesian ones."""
    x, y, z = (np.asarray(columns[name], dtype=float) for name in "xyz")
    chi = np.sqrt(x**2 + y**2 + z**2)
    finite = np.isfinite(chi)
    if np.any(chi[finite] <= 0):
        msg = f"read_peakpatch: {path}: a halo lies at the observer (x = y = z = 0)"
        raise ValueError(msg)
    z_cosmo = np.full(chi.shape, np.nan)
    try:
        z_cosmo[finite] = cosmology.redshift(chi[finite])
    except ValueError as error:
        msg = f"read_peakpatch: {path}: {error}"
        raise ValueError(msg) from None
    ours = {
        "m_halo": columns["M"], "z": columns["zhalo"], "z_cosmo": z_cosmo, "chi": chi,
        "ra": np.arctan2(-x, z) / DEG - centre[0],
        "dec": np.arcsin(np.clip(y / chi, -1, 1)) / DEG - centre[1],
    }  # fmt: skip
    ours |= {name: columns[name] for name in ("vx", "vy", "vz") if name in columns}
    return ours | ({"z_form": columns["zform"]} if "zform" in columns else {})


def write_peakpatch(haloes, path, *, overwrite=False):
    """Write haloes as a peak-patch light-cone catalogue.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue about (0, 0); its cosmology comes from the attributes.
    path : str or pathlib.Path
        An ``.npz`` to write.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    ValueError
        If the haloes have no cosmology, or fail `check_haloes`.
    FileExistsError
        If `path` exists and `overwrite` is not set.
    """
    path = Path(path)
    check_haloes(haloes, caller="write_peakpatch")
    if "cosmology" not in haloes.attrs:
        msg = "write_peakpatch: haloes have no attribute cosmology; make them with make_catalogue"
        raise ValueError(msg)
    if path.exists() and not overwrite:
        msg = f"write_peakpatch: {path} exists; pass overwrite=True or another path"
        raise FileExistsError(msg)
    cosmology = cosmology_from(haloes)
    chi = haloes["chi"].values
    ra, dec = haloes["ra"].values * DEG, haloes["dec"].values * DEG
    arrays = {
        "M": haloes["m_halo"].values, "zhalo": haloes["z"].values,
        "x": -chi * np.cos(dec) * np.sin(ra), "y": chi * np.sin(dec),
        "z": chi * np.cos(dec) * np.cos(ra),
    }  # fmt: skip
    arrays |= {name: haloes[name].values for name in ("vx", "vy", "vz") if name in haloes}
    # readers of the field expect zform; where it is not known, the redshift of the halo stands in
    arrays["zform"] = haloes["z_form" if "z_form" in haloes else "z"].values
    header = {
        "Omega_M": cosmology.omega_m, "Omega_B": cosmology.omega_b, "h": cosmology.h,
        "Omega_L": 1 - cosmology.omega_m, "ns": cosmology.n_s, "sigma8": cosmology.sigma8,
        "cen_x_fov": 0.0, "cen_y_fov": 0.0,
    }  # fmt: skip
    arrays["cosmo_header"] = np.array(header, dtype=object)
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as stream:
            np.savez(stream, **arrays)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
