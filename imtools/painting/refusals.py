"""What painting refuses, and what it warns of."""

import json
import warnings

import numpy as np

from imtools.cosmology import Cosmology
from imtools.painting.deposit import WIDEST

# the lowest and the highest value that painting takes
LIMITS = {
    "ra": (-np.inf, np.inf), "dec": (-np.inf, np.inf), "z": (0.0, np.inf),
    "chi": (np.nextafter(0, 1), np.inf), "l_co": (0.0, np.inf), "line_fwhm": (0.0, WIDEST),
}  # fmt: skip


def check_cosmology(haloes, survey):
    """Warn when the catalogue says it was made in another cosmology than the survey's."""
    text = haloes.attrs.get("cosmology")
    if text is None:
        return
    theirs, ours = Cosmology(**json.loads(text)), survey.cosmology
    names = [n for n in vars(ours) if not np.isclose(getattr(ours, n), getattr(theirs, n), 1e-6)]
    if names:
        found = ", ".join(f"{n} {getattr(theirs, n):g} not {getattr(ours, n):g}" for n in names)
        msg = f"paint_halos: haloes and survey differ in cosmology ({found}); give both the same"
        warnings.warn(msg, UserWarning, stacklevel=3)


def report_invalid(values, n_invalid, drop_invalid):
    """Raise, or on request warn, about haloes with impossible values, given by name."""
    good = {name: _is_good(name, array) for name, array in values.items()}
    bad_halo = np.flatnonzero(~np.all(list(good.values()), axis=0))
    first = ", ".join(str(i) for i in bad_halo[:5])
    bad = [name for name, is_good in good.items() if not is_good.all()]
    expected = "finite values, chi above 0, z and l_co at least 0"
    if "line_fwhm" in values:
        expected += f", line_fwhm 0 to {WIDEST:g} km/s"
    msg = (
        f"paint_halos: {n_invalid} of {good['z'].size} haloes are invalid, in {', '.join(bad)} "
        f"(first indices {first}); expected {expected}"
    )
    if not drop_invalid:
        msg += "; drop_invalid=True leaves them out"
        raise ValueError(msg)
    warnings.warn(f"{msg}; they are left out", UserWarning, stacklevel=3)


def _is_good(name, array):
    """Return which values of one variable painting takes."""
    low, high = LIMITS[name]
    return np.isfinite(array) & (array >= low) & (array <= high)


def report_empty(values, survey, allow_empty):
    """Raise, or on request warn, when no halo lies inside; say where they are instead."""
    ra, dec, z = values["ra"], values["dec"], values["z"]
    valid = np.isfinite(ra + dec + z)
    where = "no halo is valid" if ra.size else "the catalogue is empty"
    if valid.any():
        spans = [f"{array[valid].min():.2f} to {array[valid].max():.2f}" for array in (ra, dec, z)]
        where = f"ra {spans[0]}, dec {spans[1]} deg, z {spans[2]}"
    msg = (
        f"paint_halos: none of {ra.size} haloes lies inside the field and band ({where}; the "
        f"field ends at {survey.field_size / 2:.2f} deg, the channels at z {survey.z_min:.2f} and "
        f"{survey.z_max:.2f})"
    )
    if not allow_empty:
        msg += "; move the survey or the catalogue"
        raise ValueError(msg)
    warnings.warn(f"{msg}; the map is zero", UserWarning, stacklevel=3)
