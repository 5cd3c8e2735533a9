"""Haloes onto voxels: the brightness temperature of every halo's line, summed in each voxel."""

import json
import warnings

import numpy as np
from numba import njit

from imtools.constants import TEMPERATURE_PER_DENSITY, TEMPERATURE_PER_FLUX
from imtools.cosmology import Cosmology
from imtools.survey import check_cube

PAINTED = ("ra", "dec", "z", "chi", "l_co")  # what painting reads of a halo


def paint_halos(haloes, survey, *, drop_invalid=False, allow_empty=False):
    r"""Paint the line luminosity of haloes onto the voxels of a survey.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        `ra`, `dec` [deg], observed redshift `z`, comoving distance `chi` [Mpc] and line luminosity
        `l_co` [Lsun] of every halo, in any order.
    survey : imtools.survey.Survey
        Field, channels and line; an edge belongs to the voxel above it.
    drop_invalid : bool
        Leave out haloes with impossible values, with a warning, where otherwise they raise.
    allow_empty : bool
        Return a map of zeros, with a warning, where otherwise a field without haloes raises.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Cube in float64. ``attrs`` count the haloes: ``n_inside`` and ``n_outside`` the field and
        band, and ``n_invalid``.

    Raises
    ------
    ValueError
        If a variable is missing, a value impossible, or no halo lies inside.

    Warns
    -----
    UserWarning
        If haloes lie outside, or their cosmology is not the survey's.

    Notes
    -----
    A halo of luminosity L at comoving distance chi adds

    .. math:: T = \frac{c^2}{2 k} \frac{L}{4 \pi \chi^2 \nu_0^2\, \delta\nu\, \Omega_\mathrm{pix}}

    to its voxel, since luminosity distance times observed frequency is chi times the rest
    frequency. The sums are float64: in float32 a pixel of a thousand haloes loses the faint ones,
    and the cube is no faster to fill.

    References
    ----------
    .. [1] Li et al. 2016, ApJ 817, 169, arXiv:1503.08833
    """
    values = _halo_arrays(haloes)
    _check_cosmology(haloes, survey)
    cube = np.zeros(survey.shape)
    n_inside, n_invalid = _deposit(cube, *values, *_grid(survey), temperature(1.0, 1.0, survey))
    if n_invalid:
        _report_invalid(values, n_invalid, drop_invalid)
    n_outside = values[0].size - n_inside - n_invalid
    if n_inside == 0:
        _report_empty(values, survey, allow_empty)
    elif n_outside:
        msg = (
            f"paint_halos: {n_outside} of {values[0].size} haloes lie outside the field and band "
            "and are not painted; cut the catalogue to the survey if that is not meant"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    painted = survey.cube(cube)
    painted.attrs |= {"n_inside": n_inside, "n_outside": n_outside, "n_invalid": n_invalid}
    return painted


def temperature(l_co, chi, survey):
    """Return the brightness temperature [uK] of one source spread over its voxel.

    Parameters
    ----------
    l_co : array_like
        Line luminosity [Lsun].
    chi : array_like
        Comoving distance [Mpc], of a shape that broadcasts with `l_co`.
    survey : imtools.survey.Survey
        Gives the channel width, the pixel's solid angle and the line.

    Returns
    -------
    numpy.ndarray or float
        Temperature [uK]; see the notes of `paint_halos`.
    """
    per_flux = 0.5 * TEMPERATURE_PER_FLUX / (4 * np.pi * survey.nu_rest**2)
    return per_flux / (survey.delta_nu * survey.pixel_solid_angle) * l_co / chi**2


def temperature_from_density(density, z, survey):
    r"""Return the brightness temperature [uK] of a luminosity density, with no voxel in sight.

    Parameters
    ----------
    density : array_like
        Line luminosity in a comoving volume [Lsun Mpc^-3].
    z : array_like
        Redshift, of a shape that broadcasts with `density`.
    survey : imtools.survey.Survey
        Gives the line and the cosmology.

    Returns
    -------
    numpy.ndarray or float
        Temperature [uK].

    Notes
    -----
    .. math:: T = \frac{c^3 (1 + z)^2}{8 \pi k \nu_0^3 H(z)} \rho_L

    References
    ----------
    .. [1] Lidz et al. 2011, ApJ 741, 70, arXiv:1104.4800
    """
    rate = survey.nu_rest**3 * survey.cosmology.hubble(z)
    return TEMPERATURE_PER_DENSITY * (1 + np.asarray(z)) ** 2 / rate * density


def painted_luminosity(cube, survey):
    """Return the luminosity [Lsun] that would give each voxel its temperature.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Map on the voxels of `survey`, not pooled.
    survey : imtools.survey.Survey
        The survey it was painted for.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units Lsun
        Each voxel is put at the distance of its channel's centre, so a halo comes back exactly
        there, and elsewhere to the relative depth of a channel: 1e-3 for 80 MHz.
    """
    check_cube(cube, caller="painted_luminosity")
    chi = survey.cosmology.comoving_distance(cube["z"])
    luminosity = cube / temperature(1.0, cube["z"].copy(data=chi), survey)
    luminosity.name = "l_co"
    luminosity.attrs = {"units": "Lsun", "long_name": "line luminosity in a voxel"}
    return luminosity


@njit(cache=True, error_model="numpy")
def _deposit(cube, ra, dec, z, chi, l_co, nu_rest, nu_min, per_channel, edge, per_pixel, scale):
    """Add every halo to its voxel of `cube`; return how many lie inside and how many are bad."""
    n_chan, n_dec, n_ra = cube.shape
    n_inside = n_invalid = 0
    for i in range(ra.size):
        if not (_is_valid(chi[i], z[i], l_co[i]) and np.isfinite(ra[i] + dec[i])):
            n_invalid += 1
            continue
        channel = (nu_rest / (1.0 + z[i]) - nu_min) * per_channel
        row = (dec[i] - edge) * per_pixel
        column = (ra[i] - edge) * per_pixel
        if 0.0 <= channel < n_chan and 0.0 <= row < n_dec and 0.0 <= column < n_ra:
            voxel = (np.int64(channel), np.int64(row), np.int64(column))
            cube[voxel] += scale * l_co[i] / (chi[i] * chi[i])
            n_inside += 1
    return n_inside, n_invalid


@njit(cache=True)
def _is_valid(chi, z, l_co):
    """Whether numbers are finite and physical; comparisons with NaN are False."""
    return 0.0 < chi < np.inf and 0.0 <= z < np.inf and 0.0 <= l_co < np.inf


def _grid(survey):
    """Return what turns frequency and angle into voxel numbers, in the order of `_deposit`."""
    edge = -survey.field_size / 2
    return survey.nu_rest, survey.nu_min, 1 / survey.delta_nu, edge, 1 / survey.pixel_size


def _halo_arrays(haloes):
    """Return the arrays that painting reads, as float64, or say which are missing."""
    missing = [name for name in PAINTED if name not in haloes]
    if missing:
        msg = (
            f"paint_halos: haloes lack {', '.join(missing)}; found {', '.join(haloes.variables)}, "
            f"expected {', '.join(PAINTED)}; luminosity models give l_co"
        )
        raise ValueError(msg)
    for name in PAINTED:
        if haloes[name].dims != ("halo",) or haloes[name].dtype.kind not in "fiu":
            msg = (
                f"paint_halos: {name} has dims {haloes[name].dims} and dtype {haloes[name].dtype}, "
                "expected real numbers over ('halo',)"
            )
            raise ValueError(msg)
    return [np.ascontiguousarray(haloes[name].values, dtype=np.float64) for name in PAINTED]


def _check_cosmology(haloes, survey):
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


def _report_invalid(values, n_invalid, drop_invalid):
    """Raise, or on request warn, about haloes with impossible values."""
    _, _, z, chi, l_co = values
    with np.errstate(invalid="ignore"):
        good = (chi > 0) & (z >= 0) & (l_co >= 0) & np.isfinite(np.sum(values, axis=0))
    first = ", ".join(str(i) for i in np.flatnonzero(~good)[:5])
    bad = [name for name, array in zip(PAINTED, values, strict=True) if _has_bad(name, array)]
    msg = (
        f"paint_halos: {n_invalid} of {z.size} haloes are invalid, in {', '.join(bad)} (first "
        f"indices {first}); expected finite values, chi above 0, z and l_co at least 0"
    )
    if not drop_invalid:
        msg += "; drop_invalid=True leaves them out"
        raise ValueError(msg)
    warnings.warn(f"{msg}; they are left out", UserWarning, stacklevel=3)


def _has_bad(name, array):
    """Whether one variable holds a value that painting refuses."""
    low = {"ra": -np.inf, "dec": -np.inf, "chi": np.nextafter(0, 1)}.get(name, 0.0)
    return not np.all(np.isfinite(array) & (array >= low))


def _report_empty(values, survey, allow_empty):
    """Raise, or on request warn, when no halo lies inside; say where they are instead."""
    ra, dec, z = values[:3]
    where = "the catalogue is empty"
    if ra.size:
        where = (
            f"ra {np.nanmin(ra):.2f} to {np.nanmax(ra):.2f}, dec {np.nanmin(dec):.2f} to "
            f"{np.nanmax(dec):.2f} deg, z {np.nanmin(z):.2f} to {np.nanmax(z):.2f}"
        )
    msg = (
        f"paint_halos: none of {ra.size} haloes lies inside the field and band ({where}; the "
        f"field ends at {survey.field_size / 2:.2f} deg, the channels at z {survey.z_min:.2f} and "
        f"{survey.z_max:.2f})"
    )
    if not allow_empty:
        msg += "; move the survey or the catalogue"
        raise ValueError(msg)
    warnings.warn(f"{msg}; the map is zero", UserWarning, stacklevel=3)
