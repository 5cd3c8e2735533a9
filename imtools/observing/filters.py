"""Filters that take foregrounds out of a map, and some signal with them; see `transfer`."""

import json

import numpy as np
from numpy.polynomial import legendre
from scipy.linalg import eigh

from imtools.survey import check_cube


def subtract_mean(cube, *, per="map"):
    """Subtract the mean of a map, or of each of its channels.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map or stack of maps.
    per : {"map", "channel"}
        Take one mean off the whole map, or each channel's own.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; ``attrs["filter"]`` lists, as JSON, the filters it went through.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or is not finite, or `per` is unknown.
    """
    values = _checked_values(cube, caller="subtract_mean")
    if per not in ("map", "channel"):
        msg = f"subtract_mean: per is {per!r}, expected 'map' or 'channel'"
        raise ValueError(msg)
    axes = (-2, -1) if per == "map" else -1
    mean = values.mean(axis=axes, keepdims=True, dtype=float).astype(values.dtype)
    return _filtered(cube, values - mean, {"name": "subtract_mean", "per": per})


def subtract_polynomial(cube, *, order):
    """Subtract from each line of sight the polynomial in frequency that fits it best.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map or stack of maps.
    order : int
        Of the polynomial: 0 takes the mean of each line of sight.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; ``attrs["filter"]`` lists, as JSON, the filters it went through.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or is not finite, or there are too few channels.

    Notes
    -----
    Least squares with equal weights, by projection on orthonormal polynomials: order + 1 modes of
    each line of sight are lost, of foreground and signal alike.

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> survey = Survey(n_pix=2, n_chan=8)
    >>> ramp = survey.cube(np.arange(32.0).reshape(8, 2, 2))
    >>> float(abs(subtract_polynomial(ramp, order=1)).max()) < 1e-12
    True
    """
    values = _checked_values(cube, caller="subtract_polynomial")
    n_chan = cube.sizes["freq"]
    _check_count("subtract_polynomial", "order", order, n_chan - 1, "channels less one")
    freq = cube["freq"].values
    x = (2 * freq - freq[0] - freq[-1]) / max(freq[-1] - freq[0], 1e-30)  # -1 to 1
    modes = np.linalg.qr(legendre.legvander(x, order))[0].astype(values.dtype)
    values = values - modes @ (modes.T @ values)
    return _filtered(cube, values, {"name": "subtract_polynomial", "order": int(order)})


def subtract_pca(cube, *, n_modes, weight=None):
    """Subtract the spectra that carry most of the variance, as COMAP does.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map or stack of maps; each map has modes of its own.
    n_modes : int
        Number of spectra to take out.
    weight : xarray.DataArray, dims ("dec", "ra"), optional
        Weight of each pixel's square in the variance, such as hits; all equal if left out.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; ``attrs["filter"]`` lists, as JSON, the filters it went through.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or is not finite, `weight` does not fit, or there are
        fewer channels or pixels than modes.

    Notes
    -----
    The modes are the first eigenvectors of the covariance of channels, about zero and not about
    the mean: a bright mean spectrum is the first to go. They are fitted to all pixels at once, so
    the filter is not linear, and what it takes of the signal depends on the foregrounds.

    References
    ----------
    .. [1] Ihle et al. 2022, ApJ 933, 185, arXiv:2111.05930
    """
    values = _checked_values(cube, caller="subtract_pca")
    most = min(values.shape[1:])
    _check_count("subtract_pca", "n_modes", n_modes, most, "the lesser of channels and pixels")
    factor = np.ones(values.shape[-1]) if weight is None else _pixel_factors(weight, cube)
    residual = np.empty_like(values)
    for one, out in zip(values, residual, strict=True):
        modes = _principal_spectra(one * factor, n_modes)
        out[:] = one - modes @ (modes.T @ one)
    step = {"name": "subtract_pca", "n_modes": int(n_modes), "weighted": weight is not None}
    return _filtered(cube, residual, step)


def applied_filters(cube):
    """Return the filters that a map went through, in order, as a list of dicts."""
    return json.loads(cube.attrs.get("filter", "[]"))


def _principal_spectra(values, n_modes):
    """Return the orthonormal spectra, shape (n_chan, n_modes), of the largest variance."""
    n_chan, n_pixel = values.shape
    if n_modes == 0:
        return np.zeros((n_chan, 0))
    is_wide = n_chan <= n_pixel  # the smaller of the two products has the same eigenvalues
    product = values @ values.T if is_wide else values.T @ values
    last = product.shape[0] - 1
    vectors = eigh(product, subset_by_index=(last - n_modes + 1, last))[1]
    return vectors if is_wide else np.linalg.qr(values @ vectors)[0]


def _pixel_factors(weight, cube):
    """Return the root of the weights, flat over pixels, as they multiply temperatures."""
    shape = (cube.sizes["dec"], cube.sizes["ra"])
    values = np.asarray(weight, dtype=float)
    if values.shape != shape or not (values.min() >= 0 and 0 < values.max() < np.inf):
        msg = (
            f"subtract_pca: weight has shape {values.shape}, expected {shape} of finite values, "
            "at least 0 and not all 0; see hit_map"
        )
        raise ValueError(msg)
    return np.sqrt(values.ravel())


def _checked_values(cube, *, caller):
    """Return the temperatures as (map, channel, pixel), or raise where they are no finite map."""
    check_cube(cube, caller=caller)
    dtype = cube.dtype if cube.dtype.kind == "f" else np.dtype(float)
    n_bad = cube.size - np.count_nonzero(np.isfinite(cube.data))
    if n_bad:
        msg = f"{caller}: {n_bad} of {cube.size} voxels are not finite; fill masked voxels first"
        raise ValueError(msg)
    return np.asarray(cube.data, dtype).reshape(
        -1, cube.sizes["freq"], cube.sizes["dec"] * cube.sizes["ra"]
    )


def _check_count(caller, name, value, most, what):
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= most:
        msg = f"{caller}: {name} is {value!r}, expected a whole number from 0 to {most}, {what}"
        raise ValueError(msg)


def _filtered(cube, values, step):
    """Return filtered values as a cube that says what was done to it."""
    result = cube.copy(data=values.reshape(cube.shape))
    result.attrs["filter"] = json.dumps([*applied_filters(cube), step])
    result.attrs["long_name"] = "filtered brightness temperature"
    return result
