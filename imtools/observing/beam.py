"""The telescope's beam: smooth a map, on pixels finer than the survey's, and come back to them."""

import numpy as np
import xarray as xr
from numba import njit

from imtools.constants import FWHM_TO_SIGMA
from imtools.survey import check_cube, pixel_size

REACH = 5.5  # standard deviations; 4e-8 of the beam lies further out along one axis


def smooth_beam(cube, *, beam_fwhm):
    """Smooth each channel of a map with a Gaussian beam.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map on pixels at most half as wide as the beam; see `finer`.
    beam_fwhm : float
        Full width at half maximum of the beam [arcmin]; 0 leaves the map as it is.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; ``attrs["beam_fwhm"]`` is the width [arcmin], with any that it
        had before. The sky beyond the map counts as 0: nothing wraps around, and a source loses
        only what its beam throws over the edge.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions, its pixels are wider than half the beam, or
        `beam_fwhm` is negative.

    Notes
    -----
    A Gaussian is separable: first along declination, then along right ascension. Its weights are
    its values at the distances between pixel centres, divided by their sum over a sky without
    edges.

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> values = np.zeros((1, 41, 41))
    >>> values[0, 20, 20] = 1.0
    >>> smooth = smooth_beam(Survey(n_pix=41, n_chan=1).cube(values), beam_fwhm=6.0)
    >>> round(float(smooth.sum()), 6)
    1.0
    """
    check_cube(cube, caller="smooth_beam")
    pixel = 60 * pixel_size(cube)  # arcmin
    if not 0 <= beam_fwhm < np.inf:
        msg = f"smooth_beam: beam_fwhm is {beam_fwhm} arcmin, expected finite and at least 0"
        raise ValueError(msg)
    if 0 < beam_fwhm < 2 * pixel:
        msg = (
            f"smooth_beam: beam_fwhm is {beam_fwhm:g} arcmin and a pixel {pixel:.3g}, expected at "
            "most half the beam; paint on finer(survey, factor) and come back with to_survey"
        )
        raise ValueError(msg)
    dtype = cube.dtype if cube.dtype.kind == "f" else np.dtype(float)
    values = np.array(cube.data, dtype, order="C")
    if beam_fwhm > 0:
        weight = _beam_weights(beam_fwhm * FWHM_TO_SIGMA / pixel).astype(dtype)
        _smooth(values.reshape(-1, *values.shape[-2:]), weight)
    smooth = cube.copy(data=values)
    smooth.attrs["beam_fwhm"] = float(np.hypot(beam_fwhm, cube.attrs.get("beam_fwhm", 0.0)))
    return smooth


def finer(survey, factor, *, margin=0.0):
    """Return the survey with smaller pixels, and if asked a wider field, to paint on.

    Parameters
    ----------
    survey : imtools.survey.Survey
        What is observed.
    factor : int
        Number of finer pixels along the side of one of the survey's.
    margin : float
        Sky to add on each side [arcmin], rounded up to whole pixels of the survey: sources just
        outside the field shine into it through the beam.

    Returns
    -------
    imtools.survey.Survey
        The same channels; `to_survey` brings its maps back.

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> fine = finer(Survey.comap(), 5, margin=8.0)
    >>> fine.n_pix, round(fine.field_size, 3)
    (125, 1.667)
    """
    if not isinstance(factor, int | np.integer) or factor < 1:
        msg = f"finer: factor is {factor!r}, expected a whole number of at least 1"
        raise ValueError(msg)
    if not 0 <= margin < np.inf:
        msg = f"finer: margin is {margin} arcmin, expected finite and at least 0"
        raise ValueError(msg)
    n_added = int(np.ceil(margin / 60 / survey.pixel_size - 1e-9))  # a whole pixel stays whole
    n_pix = survey.n_pix + 2 * n_added
    return survey.replace(n_pix=n_pix * factor, field_size=n_pix * survey.pixel_size)


def to_survey(cube, survey):
    """Return the mean over finer pixels, and the field without its margin, of a painted map.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Map painted for `finer(survey, factor, margin=...)`.
    survey : imtools.survey.Survey
        The survey to come back to.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype on the voxels of `survey`, with the attributes of `cube`.

    Raises
    ------
    ValueError
        If the pixels and channels of `cube` do not fit those of `survey`.
    """
    check_cube(cube, caller="to_survey")
    factor, n_margin = _fit(cube, survey)
    inside = slice(n_margin, cube.sizes["ra"] - n_margin)
    values = cube.isel(dec=inside, ra=inside).values
    n_pix = survey.n_pix
    blocks = values.reshape(*values.shape[:-2], n_pix, factor, n_pix, factor)
    pooled = blocks.sum(axis=-1).sum(axis=-2) / factor**2
    samples = {name: c for name, c in cube.coords.items() if c.dims == ("sample",)}
    return xr.DataArray(
        pooled.astype(cube.dtype), dims=cube.dims, coords=survey.coords | samples,
        attrs=cube.attrs, name=cube.name,
    )  # fmt: skip


def _beam_weights(sigma):
    """Return the weight of a pixel at each distance from the middle; `sigma` in pixels."""
    reach = 2 * np.ceil(REACH * sigma / 2)  # even, for the loops take two distances at once
    weight = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    return weight / (2 * weight.sum() - weight[0])  # both sides of the middle


@njit(cache=True, fastmath=True)
def _smooth(maps, weight):
    """Smooth each map along both axes, in place; the sky beyond a map is 0.

    Every innermost loop runs along a row, which the compiler vectorises; a map stays in the cache.
    """
    n_map, n_row, n_column = maps.shape
    reach = weight.size - 1
    padded_map = np.zeros((n_row + 2 * reach, n_column), maps.dtype)
    padded_row = np.zeros(n_column + 2 * reach, maps.dtype)
    row = padded_row[reach : reach + n_column]
    for m in range(n_map):
        padded_map[reach : reach + n_row] = maps[m]
        for i in range(reach, reach + n_row):
            row[:] = weight[0] * padded_map[i]
            for k in range(1, reach, 2):
                low, high = padded_map[i - k], padded_map[i + k]
                lower, higher = padded_map[i - k - 1], padded_map[i + k + 1]
                _add(row, weight[k], low, high, weight[k + 1], lower, higher)
            smooth = maps[m, i - reach]
            smooth[:] = weight[0] * row
            for k in range(1, reach, 2):
                low, high = padded_row[reach - k :], padded_row[reach + k :]
                lower, higher = padded_row[reach - k - 1 :], padded_row[reach + k + 1 :]
                _add(smooth, weight[k], low, high, weight[k + 1], lower, higher)


@njit(cache=True, fastmath=True, inline="always")
def _add(total, near, low, high, far, lower, higher):
    """Add two pairs of rows at equal distances on either side, weighted."""
    for j in range(total.size):
        total[j] += near * (low[j] + high[j]) + far * (lower[j] + higher[j])


def _fit(cube, survey):
    """Return finer pixels in one of the survey's, and in the margin on each side, or raise."""
    fine = pixel_size(cube)
    factor = round(survey.pixel_size / fine)
    extra = cube.sizes["ra"] - survey.n_pix * max(factor, 1)
    fits = np.isclose(factor * fine, survey.pixel_size, rtol=1e-6) and extra >= 0
    fits &= extra % (2 * max(factor, 1)) == 0 and cube.sizes["dec"] == cube.sizes["ra"]
    fits &= abs(float(cube["ra"].mean())) < 1e-6 and abs(float(cube["dec"].mean())) < 1e-6
    if not fits:
        msg = (
            f"to_survey: map has {cube.sizes['dec']} x {cube.sizes['ra']} pixels of {fine:.6g} "
            f"deg, expected finer(survey, factor) of {survey.n_pix} pixels of "
            f"{survey.pixel_size:.6g} deg"
        )
        raise ValueError(msg)
    freq = survey.coords["freq"][1]
    if cube.sizes["freq"] != freq.size or not np.allclose(cube["freq"], freq, rtol=1e-9):
        msg = (
            f"to_survey: map has {cube.sizes['freq']} channels, expected {freq.size} over "
            f"{survey.nu_min} to {survey.nu_max} GHz; use the survey it was painted for"
        )
        raise ValueError(msg)
    return factor, extra // 2
