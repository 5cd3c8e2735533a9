"""What a network sees: coarser voxels, and temperatures brought to one scale."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools.observing import pooled_noise
from imtools.survey import check_cube, spacing


def pool_cube(cube, *, freq=1, dec=1, ra=1, how="mean"):
    """Pool blocks of voxels into coarser ones.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Map or stack of maps, not yet transformed.
    freq, dec, ra : int
        How many channels, and pixels along each side, make a new one.
    how : {"mean", "sum"}
        The mean is the temperature of the coarser voxel. The sum is what the notes trained on; it
        is no brightness temperature.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype, with the coordinates of the new centres. ``attrs`` say
        ``pooling`` and ``n_pooled``, the number of painted voxels in each.

    Raises
    ------
    ValueError
        If the numbers of voxels do not divide, `how` is unknown, or a cube pooled by one way is
        pooled by the other.

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> cube = Survey.notes(n_pix=8).cube(np.ones((100, 8, 8)))
    >>> pool_cube(cube, freq=10, dec=4, ra=4).shape
    (10, 2, 2)
    """
    check_cube(cube, caller="pool_cube")
    factors = {"freq": freq, "dec": dec, "ra": ra}
    n_voxels = freq * dec * ra
    _check_pooling(cube, factors, how)
    pooled = cube
    for name, factor in factors.items():  # one dim at a time, the slowest first, is the fastest
        if factor > 1:
            pooled = pooled.coarsen({name: factor}).reduce(np.sum, keep_attrs=True)
    dtype = cube.dtype if cube.dtype.kind == "f" else np.float64
    pooled = pooled.copy(data=(pooled.data / (n_voxels if how == "mean" else 1)).astype(dtype))
    pooled.attrs = cube.attrs | {
        "pooling": how,
        "n_pooled": int(n_voxels * cube.attrs.get("n_pooled", 1)),
    }
    if how == "sum":
        pooled.attrs["long_name"] = "brightness temperature summed over painted voxels"
    if "sigma_noise" in cube.attrs:
        sigma = pooled_noise(cube.attrs["sigma_noise"], n_voxels=n_voxels, how=how)
        pooled.attrs["sigma_noise"] = sigma
    return _with_coarse_coords(pooled, cube, factors)


def filled_share(cube):
    """Return the share of voxels of each map that hold any signal.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Map or stack, without noise.

    Returns
    -------
    xarray.DataArray, dims () or ("sample",), units 1
        Share of voxels whose temperature is not 0.
    """
    check_cube(cube, caller="filled_share")
    share = (cube != 0).mean(["freq", "dec", "ra"])
    share.name = "filled_share"
    share.attrs = {"units": "1", "long_name": "share of filled voxels"}
    return share


def scale(values, transform, *, softening=1.0):
    """Bring temperatures to the scale that a network sees.

    Parameters
    ----------
    values : numpy.ndarray or xarray.DataArray, units uK
        Temperatures of any shape, without NaN.
    transform : {"linear", "log10", "log_modulus", "asinh"}
        "log10" is log10(T + 1e-6) + 6 (the notes), which refuses negative voxels; "log_modulus" is
        sign(T) log10(abs(T) + 1); "asinh" is asinh(T / softening).
    softening : float
        Temperature [uK] where asinh turns from linear to logarithmic.

    Returns
    -------
    numpy.ndarray or xarray.DataArray
        New values of the same kind, shape and floating dtype. A DataArray says its ``units`` and
        ``long_name``, and in ``attrs["transform"]`` how it was made.

    Raises
    ------
    ValueError
        If a value is not finite, or negative under "log10", or `transform` is unknown.

    Examples
    --------
    >>> scale(np.array([0.0, 9.0]), "log_modulus")
    array([0., 1.])
    """
    chosen = _transform(transform, softening, caller="scale")
    temp = _floating(values)
    _check_values(temp, caller="scale", lowest=chosen.lowest)
    scaled = chosen.forward(temp, temp.dtype.type(softening))
    if not isinstance(values, xr.DataArray):
        return scaled
    if "transform" in values.attrs or values.attrs.get("units") != "uK":
        found = values.attrs.get("transform", values.attrs.get("units"))
        msg = f"scale: got a map in {found}, expected temperatures in uK; unscale it first"
        raise ValueError(msg)
    result = values.copy(data=scaled)
    result.attrs |= {"units": chosen.units, "transform": transform, "softening": float(softening)}
    result.attrs["long_name"] = chosen.label.format(values.attrs.get("long_name", "T"))
    result.attrs["unscaled_long_name"] = values.attrs.get("long_name", "T")
    return result


def unscale(values, transform, *, softening=1.0):
    """Return the temperatures [uK] that `scale` was given; parameters as there.

    Raises
    ------
    ValueError
        If a value is not finite, `transform` unknown, or not the one in the DataArray's ``attrs``.
    """
    chosen = _transform(transform, softening, caller="unscale")
    scaled = _floating(values)
    _check_values(scaled, caller="unscale")
    temp = chosen.inverse(scaled, scaled.dtype.type(softening))
    if not isinstance(values, xr.DataArray):
        return temp
    made = (values.attrs.get("transform"), values.attrs.get("softening"))
    if made != (transform, softening):
        msg = (
            f"unscale: map was made by {made[0]} with softening {made[1]} uK, expected {transform} "
            f"with {softening} uK; name the one in its attrs"
        )
        raise ValueError(msg)
    result = values.copy(data=temp)
    result.attrs |= {"units": "uK", "long_name": values.attrs["unscaled_long_name"]}
    for name in ("transform", "softening", "unscaled_long_name"):
        del result.attrs[name]
    return result


@dataclass(frozen=True, kw_only=True)
class Transform:
    """A change of scale: functions of (values, softening), and how to label their result."""

    forward: Callable  # temperature [uK] to scaled value
    inverse: Callable  # scaled value to temperature [uK]
    label: str  # long_name of the result, {} is that of the temperature
    units: str = "1"  # of the result
    lowest: float = -np.inf  # uK, the lowest temperature it takes


def _log10_plus(temp, softening):
    shifted = temp + temp.dtype.type(1e-6)
    np.log10(shifted, out=shifted)
    shifted += temp.dtype.type(6)
    return shifted


def _log10_plus_inverse(scaled, softening):
    return 10 ** (scaled - scaled.dtype.type(6)) - scaled.dtype.type(1e-6)


def _log_modulus(temp, softening):
    size = np.abs(temp)
    np.log1p(size, out=size)
    size /= temp.dtype.type(np.log(10))
    return np.copysign(size, temp, out=size)


def _log_modulus_inverse(scaled, softening):
    size = np.expm1(np.abs(scaled) * scaled.dtype.type(np.log(10)))
    return np.copysign(size, scaled, out=size)


TRANSFORMS = {
    "linear": Transform(
        forward=lambda temp, softening: temp.copy(),
        inverse=lambda scaled, softening: scaled.copy(),
        label="{}",
        units="uK",
    ),
    "log10": Transform(
        forward=_log10_plus,
        inverse=_log10_plus_inverse,
        label="log10({} / uK + 1e-6) + 6",
        lowest=0.0,
    ),
    "log_modulus": Transform(
        forward=_log_modulus,
        inverse=_log_modulus_inverse,
        label="sign log10(|{} / uK| + 1)",
    ),
    "asinh": Transform(
        forward=lambda temp, softening: np.arcsinh(temp / softening),
        inverse=lambda scaled, softening: np.sinh(scaled) * softening,
        label="asinh({} / softening)",
    ),
}


def _transform(name, softening, caller):
    """Return the transform of that name, or say which there are."""
    if name not in TRANSFORMS:
        msg = f"{caller}: transform is {name!r}, expected one of {', '.join(TRANSFORMS)}"
        raise ValueError(msg)
    if not 0 < softening < np.inf:
        msg = f"{caller}: softening is {softening} uK, expected finite and above 0"
        raise ValueError(msg)
    return TRANSFORMS[name]


def _floating(values):
    """Return the plain array, float32 as it is and everything else in float64."""
    array = np.asarray(values)
    return array if array.dtype == np.float32 else array.astype(np.float64, copy=False)


def _check_values(array, caller, lowest=-np.inf):
    """Raise where a value is not finite or lies below `lowest`."""
    if array.size == 0:
        return
    low, high = array.min(), array.max()  # either is NaN if any value is
    if not (np.isfinite(low) and np.isfinite(high)):
        n_bad = int((~np.isfinite(array)).sum())
        msg = f"{caller}: {n_bad} of {array.size} values are NaN or infinite; fill the mask first"
        raise ValueError(msg)
    if low < lowest:
        n_bad = int((array < lowest).sum())
        msg = (
            f"{caller}: {n_bad} of {array.size} values are negative (lowest {low:.3g} uK), expected"
            " none under log10; use log_modulus or asinh, which take noise"
        )
        raise ValueError(msg)


def _check_pooling(cube, factors, how):
    """Raise unless the factors are whole, divide the cube, and go with how it was pooled."""
    if how not in ("mean", "sum"):
        msg = f"pool_cube: how is {how!r}, expected 'mean' or 'sum'"
        raise ValueError(msg)
    for name, factor in factors.items():
        size = cube.sizes[name]
        if not isinstance(factor, int | np.integer) or factor < 1 or size % factor:
            msg = f"pool_cube: {name} is {factor!r}, expected a whole number that divides {size}"
            raise ValueError(msg)
    before = cube.attrs.get("pooling", how)
    if before != how and cube.attrs.get("n_pooled", 1) > 1:
        msg = f"pool_cube: how is {how!r} but the cube was pooled by {before!r}; use the same"
        raise ValueError(msg)


def _with_coarse_coords(pooled, cube, factors):
    """Set the coordinates' widths, and the redshift from the new frequency."""
    for name, factor in factors.items():
        attrs = cube[name].attrs | {"width": spacing(cube, name) * factor}
        pooled = pooled.assign_coords({name: (name, pooled[name].values, attrs)})
    if "z" in cube.coords:
        z = (cube["freq"] * (1 + cube["z"])).values[0] / pooled["freq"].values - 1
        pooled = pooled.assign_coords(z=("freq", z, cube["z"].attrs))
    return pooled
