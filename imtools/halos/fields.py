"""Choose, cut and turn catalogues: the haloes of one field, many fields of a wide one."""

import warnings

import numpy as np

from imtools.halos.catalogue import check_haloes


def select_field(haloes, survey, *, m_min=0.0, allow_empty=False, drop_invalid=False):
    """Return the haloes inside field and band of a survey.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue about the centre of the field.
    survey : Survey
        Field and band.
    m_min : float
        Least mass [Msun].
    allow_empty : bool
        Return an empty catalogue with a warning where the default is an error.
    drop_invalid : bool
        Drop haloes with NaN or infinity, with a warning.

    Raises
    ------
    ValueError
        If no halo is left, or the catalogue fails `check_haloes`.
    """
    haloes = check_haloes(
        haloes, caller="select_field", survey=survey, drop_invalid=drop_invalid
    )  # fmt: skip
    half = survey.field_size / 2
    z = haloes["z"].values
    inside = (np.abs(haloes["ra"].values) < half) & (np.abs(haloes["dec"].values) < half)
    inside &= (z > survey.z_min) & (z < survey.z_max) & (haloes["m_halo"].values >= m_min)
    if not inside.any():
        reach = f", z {z.min():.3f} to {z.max():.3f}" if z.size else ""
        msg = (
            f"select_field: none of {z.size} haloes{reach} lies in {survey.field_size:g} deg, "
            f"z {survey.z_min:.3f} to {survey.z_max:.3f}, m_halo >= {m_min:g} Msun"
        )
        if not allow_empty:
            msg = f"{msg}; widen the survey, or pass allow_empty=True"
            raise ValueError(msg)
        warnings.warn(msg, stacklevel=2)
    return haloes.isel(halo=inside)


def cut_fields(haloes, survey, *, n_side=6):
    """Cut a wide catalogue into square fields side by side, each moved to (0, 0).

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Wide catalogue about (0, 0).
    survey : Survey
        Field and band of each piece.
    n_side : int
        Fields along each side: 6 makes the 36 of the notes from 9.52 deg.

    Yields
    ------
    xarray.Dataset, dims ("halo",)
        One field; attrs ``field`` (its number), ``field_ra`` and ``field_dec`` [deg], where its
        centre was. Fields of one catalogue share long modes: keep them on one side of a split.

    Raises
    ------
    ValueError
        If the catalogue does not reach the outer fields' edges.
    """
    check_haloes(haloes, caller="cut_fields", survey=survey)
    size, ra, dec = survey.field_size, haloes["ra"].values, haloes["dec"].values
    reach = min(np.abs(ra).max(initial=0.0), np.abs(dec).max(initial=0.0))
    if reach < 0.99 * n_side * size / 2:
        msg = (
            f"cut_fields: haloes reach {reach:.2f} deg from the centre, expected "
            f"{n_side * size / 2:.2f} for {n_side} fields of {size:g} deg; lower n_side"
        )
        raise ValueError(msg)
    column = np.floor(ra / size + n_side / 2).astype(int)
    row = np.floor(dec / size + n_side / 2).astype(int)
    inside = (column >= 0) & (column < n_side) & (row >= 0) & (row < n_side)
    number = np.where(inside, row * n_side + column, -1)
    order = np.argsort(number, kind="stable")
    starts = np.searchsorted(number[order], np.arange(n_side**2 + 1))
    for field in range(n_side**2):
        centre_ra = (field % n_side - (n_side - 1) / 2) * size
        centre_dec = (field // n_side - (n_side - 1) / 2) * size
        piece = haloes.isel(halo=order[starts[field] : starts[field + 1]])
        moved = {
            "ra": piece["ra"].copy(data=piece["ra"].values - centre_ra),
            "dec": piece["dec"].copy(data=piece["dec"].values - centre_dec),
        }
        piece = piece.assign(moved).assign_attrs(
            field=field, field_ra=float(centre_ra), field_dec=float(centre_dec)
        )
        yield select_field(piece, survey)


def rotate(haloes, *, angle, flip=False):
    """Turn haloes about the line of sight, after an optional mirror in right ascension.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue about (0, 0).
    angle : float
        From right ascension towards declination [deg]; multiples of 90 keep a square field.
    flip : bool
        Mirror right ascension (and ``vx``) first.

    Returns
    -------
    xarray.Dataset, dims ("halo",)
        New positions and transverse velocities; flat sky, so for fields of a few degrees.
    """
    quarter, rest = divmod(angle, 90.0)
    if rest == 0:  # exact, so that four quarter turns are none
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[int(quarter) % 4]
    else:
        cos, sin = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    sign = -1 if flip else 1
    ra, dec = sign * haloes["ra"].values, haloes["dec"].values
    turned = {"ra": ra * cos - dec * sin, "dec": ra * sin + dec * cos}
    if "vx" in haloes:
        # x grows against right ascension
        vx, vy = sign * haloes["vx"].values, haloes["vy"].values
        turned |= {"vx": vx * cos + vy * sin, "vy": -vx * sin + vy * cos}
    return haloes.assign({name: haloes[name].copy(data=v) for name, v in turned.items()})
