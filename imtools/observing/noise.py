"""What the instrument adds to the sky: white noise, in the two conventions the field quotes."""

import numpy as np

from imtools.survey import channel_width, check_cube, spacing

REFERENCE_PIXEL = 4 / 60  # side of the pixel that survey noise is quoted for [deg]
REFERENCE_DELTA_NU = 15.625e-3  # width of the channel that survey noise is quoted for [GHz]
CONVENTIONS = ("fine_voxel", "reference_voxel")


def noise_per_voxel(*, t_sys, n_feeds, delta_nu, t_pix):
    r"""Return the noise of one voxel [uK] from the radiometer equation.

    Parameters
    ----------
    t_sys : float
        System temperature [K].
    n_feeds : int
        Number of feeds that observe the field.
    delta_nu : float
        Channel width [GHz].
    t_pix : float
        Integration time of one feed on one sky pixel [s].

    Returns
    -------
    float
        Standard deviation of the noise in a voxel [uK].

    Notes
    -----
    .. math:: \sigma_T = T_\mathrm{sys} / \sqrt{N_\mathrm{feeds}\,\delta\nu\,t_\mathrm{pix}}

    References
    ----------
    .. [1] Li et al. 2016, ApJ 817, 169, arXiv:1503.08833

    Examples
    --------
    The COMAP survey: 6000 h over 2.25 square degrees, in pixels of 4 arcmin.

    >>> t_pix = 6000 * 3600 * (4 / 60) ** 2 / 2.25
    >>> round(noise_per_voxel(t_sys=40.0, n_feeds=19, delta_nu=0.015625, t_pix=t_pix), 1)
    11.2
    """
    settings = {"t_sys": t_sys, "n_feeds": n_feeds, "delta_nu": delta_nu, "t_pix": t_pix}
    for name, value in settings.items():
        if not value > 0:
            unit = {"t_sys": " K", "delta_nu": " GHz", "t_pix": " s"}.get(name, "")
            msg = f"noise_per_voxel: {name} is {value}{unit}, expected above 0; check the unit"
            raise ValueError(msg)
    return float(t_sys * 1e6 / np.sqrt(n_feeds * delta_nu * 1e9 * t_pix))


def pooled_noise(sigma_noise, *, n_voxels, how):
    """Return the noise of a voxel pooled from several, each with independent white noise.

    Parameters
    ----------
    sigma_noise : float
        Noise of each voxel before pooling [uK].
    n_voxels : int
        Number of voxels in a pooled one.
    how : {"mean", "sum"}
        What pooling does with their temperatures.

    Returns
    -------
    float
        Noise of the pooled voxel [uK].
    """
    if how not in ("mean", "sum"):
        msg = f"pooled_noise: how is {how!r}, expected 'mean' or 'sum'"
        raise ValueError(msg)
    if not 0 <= sigma_noise < np.inf:
        msg = f"pooled_noise: sigma_noise is {sigma_noise} uK, expected finite and at least 0"
        raise ValueError(msg)
    if n_voxels < 1:
        msg = f"pooled_noise: n_voxels is {n_voxels}, expected at least 1"
        raise ValueError(msg)
    return float(sigma_noise * np.sqrt(n_voxels) ** (-1 if how == "mean" else 1))


def voxel_noise(cube, *, sigma_noise, convention):
    """Return the noise in a voxel of this cube [uK], pooled or not.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map; what `preprocessing.pool_cube` did to it is read from its ``attrs``.
    sigma_noise : float
        Noise [uK] of the voxel that `convention` names.
    convention : {"fine_voxel", "reference_voxel"}
        "fine_voxel": of each voxel as it was painted, before any pooling, whatever its size (the
        notes). "reference_voxel": of a voxel of 4 arcmin by 4 arcmin by 15.625 MHz; noise then
        falls as the square root of solid angle times channel width, as it does in a survey.

    Returns
    -------
    float
        Standard deviation of white noise in a voxel of `cube` [uK].

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions, `sigma_noise` is negative or `convention` unknown.
    """
    check_cube(cube, caller="voxel_noise")
    if not 0 <= sigma_noise < np.inf:
        msg = f"voxel_noise: sigma_noise is {sigma_noise} uK, expected finite and at least 0"
        raise ValueError(msg)
    if convention not in CONVENTIONS:
        msg = f"voxel_noise: convention is {convention!r}, expected one of {', '.join(CONVENTIONS)}"
        raise ValueError(msg)
    n_voxels, how = int(cube.attrs.get("n_pooled", 1)), cube.attrs.get("pooling", "mean")
    sigma_painted = sigma_noise
    if convention == "reference_voxel":
        # the solid angle of a pooled voxel is that of n_voxels painted ones
        size = spacing(cube, "dec") * spacing(cube, "ra") * channel_width(cube) / n_voxels
        sigma_painted = sigma_noise * np.sqrt(REFERENCE_PIXEL**2 * REFERENCE_DELTA_NU / size)
    return pooled_noise(sigma_painted, n_voxels=n_voxels, how=how)


def add_white_noise(cube, *, sigma_noise, convention, rng):
    """Add white instrumental noise to a map, or to each map of a stack.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map, pooled or not: pooling is linear, so noise may be added after it.
    sigma_noise : float
        Noise [uK] of the voxel that `convention` names.
    convention : {"fine_voxel", "reference_voxel"}
        Which voxel has that noise; see `voxel_noise`.
    rng : numpy.random.Generator
        Source of every random number drawn here.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; the input is unchanged. ``attrs["sigma_noise"]`` is the noise
        per voxel of this cube [uK], with any that it had before.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions, `sigma_noise` is negative or `convention` unknown.
    TypeError
        If `rng` is no Generator.
    """
    check_cube(cube, caller="add_white_noise")
    check_rng(rng, caller="add_white_noise")
    sigma = voxel_noise(cube, sigma_noise=sigma_noise, convention=convention)
    dtype = np.float32 if cube.dtype == np.float32 else np.float64
    noise = rng.standard_normal(cube.shape, dtype=dtype)
    noise *= dtype(sigma)
    noise += cube.data
    noisy = cube.copy(data=noise)
    noisy.attrs["sigma_noise"] = float(np.hypot(sigma, cube.attrs.get("sigma_noise", 0.0)))
    return noisy


def check_rng(rng, *, caller):
    """Raise unless `rng` can draw noise."""
    if not isinstance(rng, np.random.Generator):
        msg = f"{caller}: rng is {rng!r}, expected a Generator; pass np.random.default_rng(seed)"
        raise TypeError(msg)
