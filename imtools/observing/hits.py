"""Noise that goes with the time spent on each pixel: hit maps, and noise drawn by them."""

import numpy as np
import xarray as xr

from imtools.observing.noise import check_rng, voxel_noise
from imtools.survey import Survey, check_cube

KINDS = ("uniform", "edge")


def hit_map(survey, *, kind="uniform", edge_share=0.05, edge_noise=9.0):
    r"""Return how often each pixel is observed, relative to their mean.

    Parameters
    ----------
    survey : imtools.survey.Survey or xarray.DataArray
        The field, or a cube with coordinates `dec` and `ra` [deg].
    kind : {"uniform", "edge"}
        "edge" is the "geometric" noise of Pfeffer et al.: fewer hits along the edge of the field.
    edge_share : float
        How far in the edge reaches, as a share of the side of the field.
    edge_noise : float
        Noise at the very edge over that in the middle; it falls evenly over the edge to 1. 9 is
        the 100 uK that Pfeffer et al. have there, over 11 uK.

    Returns
    -------
    xarray.DataArray, dims ("dec", "ra"), units 1
        Hits, of mean 1.

    Raises
    ------
    ValueError
        If `kind` is unknown, `edge_share` is not above 0 and at most 0.5, or `edge_noise` is below
        1.

    Notes
    -----
    Noise goes as :math:`1/\sqrt{\mathrm{hits}}`. Hits are taken at the middle of a pixel, so its
    outermost pixels have less noise than the very edge. Where they are at their mean the noise is
    ``sigma_noise``: 11 uK with the defaults is 10.0 uK in the middle of the field, and in the
    outermost pixels 87 uK for 256^2 pixels, 52 uK for 21^2.

    References
    ----------
    .. [1] Pfeffer, Breysse & Stein 2019, arXiv:1905.10376

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> hits = hit_map(Survey.comap(), kind="edge")
    >>> bool(hits[0, 10] < hits[10, 10])
    True
    """
    if kind not in KINDS:
        msg = f"hit_map: kind is {kind!r}, expected one of {', '.join(KINDS)}"
        raise ValueError(msg)
    if not 0 < edge_share <= 0.5:
        msg = f"hit_map: edge_share is {edge_share}, expected above 0 and at most 0.5"
        raise ValueError(msg)
    if not 1 <= edge_noise < np.inf:
        msg = f"hit_map: edge_noise is {edge_noise}, expected finite and at least 1"
        raise ValueError(msg)
    coords = survey.coords
    if isinstance(survey, Survey):
        coords = xr.Dataset(coords={name: coords[name] for name in ("dec", "ra")}).coords
    inward = [_share_from_edge(coords[name]) for name in ("dec", "ra")]
    nearest = np.minimum(*xr.broadcast(*inward))
    noise = xr.ones_like(nearest)
    if kind == "edge":
        noise = 1 + (edge_noise - 1) * (1 - nearest / edge_share).clip(min=0)
    hits = noise**-2 / (noise**-2).mean()
    hits.name = "hits"
    hits.attrs = {"units": "1", "long_name": "hits relative to their mean", "kind": kind}
    return hits


def noise_map(cube, hits, *, sigma_noise, convention):
    """Return the noise in each pixel of a map whose pixels are observed unequally.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map, pooled or not.
    hits : xarray.DataArray, dims ("dec", "ra") or ("freq", "dec", "ra")
        Hits in any unit, as many in each direction as `cube` has voxels.
    sigma_noise : float
        Noise [uK], where hits are at their mean, of the voxel that `convention` names.
    convention : {"fine_voxel", "reference_voxel"}
        Which voxel has that noise; see `voxel_noise`.

    Returns
    -------
    xarray.DataArray, dims as `hits`, units uK
        Standard deviation of the noise.

    Raises
    ------
    ValueError
        If a voxel has no hits, `hits` does not fit `cube`, or a setting is out of range.
    TypeError
        If `hits` is no DataArray.
    """
    check_cube(cube, caller="noise_map")
    if not isinstance(hits, xr.DataArray):
        msg = f"noise_map: hits are {type(hits).__name__}, expected a DataArray; see hit_map"
        raise TypeError(msg)
    expected = {name: cube.sizes[name] for name in hits.dims if name in cube.sizes}
    if hits.dims not in (("dec", "ra"), ("freq", "dec", "ra")) or dict(hits.sizes) != expected:
        msg = f"noise_map: hits are {dict(hits.sizes)}, expected (dec, ra) of {dict(cube.sizes)}"
        raise ValueError(msg)
    n_bad = hits.size - np.count_nonzero((hits.values > 0) & (hits.values < np.inf))
    if n_bad:
        msg = (
            f"noise_map: hits of {n_bad} of {hits.size} voxels are 0, negative or not finite, "
            "expected above 0; cut or mask what was not observed"
        )
        raise ValueError(msg)
    sigma = voxel_noise(cube, sigma_noise=sigma_noise, convention=convention)
    noise = sigma * np.sqrt(hits.mean() / hits)
    noise.name = "sigma_noise"
    noise.attrs = {"units": "uK", "long_name": "noise per voxel"}
    return noise


def add_noise(cube, hits, *, sigma_noise, convention, rng):
    """Add instrumental noise that goes with the time spent on each pixel.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map, pooled or not.
    hits : xarray.DataArray, dims ("dec", "ra") or ("freq", "dec", "ra")
        Hits of each voxel, such as `hit_map` returns.
    sigma_noise : float
        Noise [uK], where hits are at their mean, of the voxel that `convention` names.
    convention : {"fine_voxel", "reference_voxel"}
        Which voxel has that noise; see `voxel_noise`.
    rng : numpy.random.Generator
        Source of every random number drawn here.

    Returns
    -------
    xarray.DataArray, dims as `cube`, units uK
        New cube of the same dtype; the input is unchanged. ``attrs["sigma_noise"]`` is the root
        mean square noise of its voxels [uK], with any that it had before.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions, or as `noise_map` says.
    TypeError
        If `rng` is no Generator.
    """
    check_cube(cube, caller="add_noise")
    check_rng(rng, caller="add_noise")
    sigma = noise_map(cube, hits, sigma_noise=sigma_noise, convention=convention)
    dtype = np.float32 if cube.dtype == np.float32 else np.float64
    noise = rng.standard_normal(cube.shape, dtype=dtype)
    noise *= sigma.values.astype(dtype)
    noise += cube.data
    noisy = cube.copy(data=noise)
    total = float(np.sqrt((sigma**2).mean()))
    noisy.attrs["sigma_noise"] = float(np.hypot(total, cube.attrs.get("sigma_noise", 0.0)))
    return noisy


def _share_from_edge(angle):
    """Return how far pixel centres lie from the nearer edge, as a share of the field's side."""
    n_pix = angle.size
    place = (np.arange(n_pix) + 0.5) / n_pix
    return angle.copy(data=np.minimum(place, 1 - place)).drop_attrs()
