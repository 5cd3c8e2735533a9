"""The halo catalogue: a Dataset over `halo`, made, labelled and checked in one place."""

import json
import warnings
from dataclasses import asdict

import numpy as np
import xarray as xr

import imtools
from imtools.cosmology import Z_MAX, Cosmology

COLUMNS = {
    "m_halo": ("Msun", "halo mass, 200 times the mean density"),
    "z": ("1", "observed redshift, with peculiar velocity"),
    "z_cosmo": ("1", "cosmological redshift"),
    "chi": ("Mpc", "comoving distance"),
    "ra": ("deg", "right ascension offset"),
    "dec": ("deg", "declination offset"),
    "vx": ("km/s", "peculiar velocity along x, towards falling right ascension"),
    "vy": ("km/s", "peculiar velocity along y, towards rising declination"),
    "vz": ("km/s", "peculiar velocity along the line of sight"),
    "z_form": ("1", "formation redshift"),
    "l_co": ("Lsun", "CO luminosity"),
}
REQUIRED = ("m_halo", "z", "chi", "ra", "dec")
LIGHTEST, HEAVIEST = 1e6, 1e17  # Msun, beyond which a mass is a slip of units


def make_catalogue(columns, *, cosmology, seed=None, parameters=None):
    """Return a halo catalogue with units, names and provenance.

    Parameters
    ----------
    columns : dict of numpy.ndarray
        Arrays of one length, named as in `COLUMNS`.
    cosmology : Cosmology
        In which the redshifts and distances hold.
    seed : int or str, optional
        What the haloes were drawn with.
    parameters : dict, optional
        Further settings, stored as JSON.

    Returns
    -------
    xarray.Dataset, dims ("halo",)

    Raises
    ------
    ValueError
        If a needed column is missing, unknown, not numeric, or of another length (B5).
    """
    missing = [name for name in REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown:
        msg = (
            f"make_catalogue: found {sorted(columns)}; missing {missing}, unknown {unknown}; "
            f"needed are {list(REQUIRED)}, allowed {list(COLUMNS)}"
        )
        raise ValueError(msg)
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    wrong = {n: f"{a.dtype}, {a.shape}" for n, a in arrays.items() if a.dtype.kind not in "fiu"}
    if wrong or len({a.shape for a in arrays.values()}) != 1 or arrays["m_halo"].ndim != 1:
        shapes = {name: f"{a.dtype}, {a.shape}" for name, a in arrays.items()}
        msg = f"make_catalogue: columns are {shapes}; expected real numbers of one length"
        raise ValueError(msg)
    data = {
        name: ("halo", values, {"units": COLUMNS[name][0], "long_name": COLUMNS[name][1]})
        for name, values in arrays.items()
    }
    attrs = {
        "cosmology": json.dumps(asdict(cosmology)),
        "parameters": json.dumps(parameters or {}),
        "imtools_version": imtools.__version__,
    }
    if seed is not None:
        attrs["seed"] = seed
    return xr.Dataset(data, attrs=attrs)


def cosmology_from(haloes):
    """Return the cosmology in a catalogue's attributes."""
    return Cosmology(**json.loads(haloes.attrs["cosmology"]))


def check_haloes(haloes, *, caller, survey=None, drop_invalid=False):
    """Return `haloes` if they are fit for use; raise, or drop the bad ones, if not.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue with at least `REQUIRED`.
    caller : str
        Who checks, for the message.
    survey : Survey, optional
        Whose cosmology the catalogue should share; a difference is a warning.
    drop_invalid : bool
        Drop haloes with non-finite values, with a warning, where the default is an error.

    Returns
    -------
    xarray.Dataset
        The same object, or a copy without the invalid haloes.

    Raises
    ------
    ValueError
        On missing columns (B5), non-finite values (B2), masses or redshifts out of range (B3, B4).
    """
    missing = [name for name in REQUIRED if name not in haloes]
    if missing:
        msg = f"{caller}: found {sorted(haloes.data_vars)}, missing {missing}"
        raise ValueError(msg)
    haloes = _without_invalid(haloes, caller, drop_invalid)
    if haloes.sizes["halo"]:
        _check_range(haloes, caller)
    if survey is not None and "cosmology" in haloes.attrs:
        theirs, ours = json.loads(haloes.attrs["cosmology"]), asdict(survey.cosmology)
        differing = {k: (theirs.get(k), v) for k, v in ours.items() if theirs.get(k) != v}
        if differing:
            text = ", ".join(f"{k} {a} against {b}" for k, (a, b) in differing.items())
            msg = f"{caller}: the catalogue's cosmology differs from the survey's: {text}"
            warnings.warn(msg, stacklevel=3)
    return haloes


def _without_invalid(haloes, caller, drop_invalid):
    names = [name for name in COLUMNS if name in haloes and name != "z_form"]
    bad = np.zeros(haloes.sizes["halo"], dtype=bool)
    for name in names:
        bad |= ~np.isfinite(haloes[name].values)
    if not bad.any():
        return haloes
    what = (
        f"{caller}: {bad.sum()} of {bad.size} haloes have NaN or infinity in {', '.join(names)}, "
        f"the first at {np.flatnonzero(bad)[:5].tolist()}"
    )
    if not drop_invalid:
        msg = f"{what}; mend them or pass drop_invalid=True"
        raise ValueError(msg)
    warnings.warn(f"{what}; dropped", stacklevel=4)
    kept = haloes.isel(halo=~bad)
    return kept.assign_attrs(n_dropped=int(bad.sum()))


def _check_range(haloes, caller):
    mass, z = haloes["m_halo"].values, haloes["z"].values
    low, high = float(mass.min()), float(mass.max())
    if low <= 0:
        msg = f"{caller}: {int((mass <= 0).sum())} haloes have m_halo <= 0 (least {low:g} Msun)"
        raise ValueError(msg)
    if low < LIGHTEST or high > HEAVIEST:
        guess = "log10 of the mass?" if high < 20 else "units of 1e10 Msun, or kg?"
        msg = (
            f"{caller}: m_halo spans {low:.4g} to {high:.4g}, expected Msun between "
            f"{LIGHTEST:g} and {HEAVIEST:g}; is it in {guess}"
        )
        raise ValueError(msg)
    if z.min() < 0 or z.max() > Z_MAX:
        msg = f"{caller}: z spans {z.min():.4g} to {z.max():.4g}, expected 0 to {Z_MAX:g}"
        raise ValueError(msg)
