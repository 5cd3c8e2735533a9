"""Haloes onto voxels: the brightness temperature of every halo's line, summed in each voxel."""

import warnings

import numpy as np

from imtools.painting.deposit import HALF_WIDTH, LINE_PROFILE, deposit, deposit_lines
from imtools.painting.refusals import check_cosmology, report_empty, report_invalid
from imtools.painting.temperatures import temperature

PAINTED = ("ra", "dec", "z", "chi", "l_co")  # what painting reads of a halo
LINE_WIDTH = "line_fwhm"  # and this, where it is there


def paint_halos(haloes, survey, *, dtype=np.float32, drop_invalid=False, allow_empty=False):
    r"""Paint the line luminosity of haloes onto the voxels of a survey.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        `ra`, `dec` [deg], observed redshift `z`, comoving distance `chi` [Mpc] and line luminosity
        `l_co` [Lsun] of every halo, in any order. Where they have a `line_fwhm` [km/s], full width
        at half maximum, each line is spread over the channels as a Gaussian.
    survey : imtools.survey.Survey
        Field, channels and line; an edge belongs to the voxel above it.
    dtype : numpy dtype
        Of the cube, and of its sums; everything before them is float64.
    drop_invalid : bool
        Leave out haloes with impossible values, with a warning, where otherwise they raise.
    allow_empty : bool
        Return a map of zeros, with a warning, where otherwise a field without haloes raises.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        New cube. ``attrs`` count the haloes: ``n_inside`` and ``n_outside`` the field and
        band, and ``n_invalid``. A halo is where the middle of its line is.

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
    frequency. A voxel of N haloes summed in float32 is off by less than 6e-8 N of itself, and the
    cube, most of whose voxels hold none, takes half the memory and time. Paint thousands of haloes
    into a voxel in float64.

    A broad line gives each channel its integral over that channel. It ends at 4 standard
    deviations, beyond which lies 6e-5 of a Gaussian, and sums to the whole; what falls beyond the
    band is lost, and a halo just beyond it shines in.

    References
    ----------
    .. [1] Li et al. 2016, ApJ 817, 169, arXiv:1503.08833
    .. [2] Chung et al. 2021, ApJ 923, 188, arXiv:2104.11171 (line width)
    """
    values = _halo_arrays(haloes)
    check_cosmology(haloes, survey)
    cube = np.zeros(survey.shape, dtype)
    shape, scale = tuple(float(n) for n in survey.shape), temperature(1.0, 1.0, survey)
    settings = (tuple(values.values()), shape, _grid(survey), scale)
    if LINE_WIDTH in values:
        n_inside, n_invalid = deposit_lines(cube.reshape(-1), *settings, HALF_WIDTH, LINE_PROFILE)
    else:
        n_inside, n_invalid = deposit(cube.reshape(-1), *settings)
    if n_invalid:
        report_invalid(values, n_invalid, drop_invalid)
    n_halo = values["z"].size
    n_outside = n_halo - n_inside - n_invalid
    if n_inside == 0:
        report_empty(values, survey, allow_empty)
    elif n_outside:
        msg = (
            f"paint_halos: {n_outside} of {n_halo} haloes lie outside the field and band "
            "and are not painted; cut the catalogue to the survey if that is not meant"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    painted = survey.cube(cube)
    painted.attrs |= {"n_inside": n_inside, "n_outside": n_outside, "n_invalid": n_invalid}
    return painted


def _grid(survey):
    """Return what turns frequency and angle into voxel numbers, in the order of the deposits."""
    edge = -survey.field_size / 2
    return survey.nu_rest, survey.nu_min, 1 / survey.delta_nu, edge, 1 / survey.pixel_size


def _halo_arrays(haloes):
    """Return what painting reads, by name, as float64 arrays, or say what is missing."""
    missing = [name for name in PAINTED if name not in haloes]
    if missing:
        msg = (
            f"paint_halos: haloes lack {', '.join(missing)}; found {', '.join(haloes.variables)}, "
            f"expected {', '.join(PAINTED)}; luminosity models give l_co"
        )
        raise ValueError(msg)
    names = [*PAINTED, LINE_WIDTH] if LINE_WIDTH in haloes else PAINTED
    for name in names:
        if haloes[name].dims != ("halo",) or haloes[name].dtype.kind not in "fiu":
            msg = (
                f"paint_halos: {name} has dims {haloes[name].dims} and dtype {haloes[name].dtype}, "
                "expected real numbers over ('halo',)"
            )
            raise ValueError(msg)
    return {name: np.ascontiguousarray(haloes[name].values, np.float64) for name in names}
