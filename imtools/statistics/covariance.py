"""Covariance of power spectrum and voxel intensity distribution, from maps of many catalogues."""

import warnings

import numpy as np
import xarray as xr


def joint_features(pk, vid):
    """Return power spectrum and voxel intensity distribution side by side.

    Parameters
    ----------
    pk : xarray.DataArray, dims ("k",) or ("sample", "k"), units uK2 Mpc3
        From `power_spectrum`.
    vid : xarray.DataArray, dims ("temp",) or ("sample", "temp"), units 1
        From `vid`, of the same maps.

    Returns
    -------
    xarray.DataArray, dims ("feature",) or ("sample", "feature")
        Coordinates on ``feature``: ``statistic``, "pk" or "vid"; ``position``, its k [Mpc^-1] or
        temperature [uK]; ``variance``, what its variance is if modes and voxels are independent,
        P^2 / N_modes and B, of the mean over maps. Bins of k without modes are left out.

    Raises
    ------
    ValueError
        If the two differ in their samples.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487
    """
    if pk.sizes.get("sample") != vid.sizes.get("sample"):
        msg = (
            f"joint_features: pk has {pk.sizes.get('sample')} samples and vid "
            f"{vid.sizes.get('sample')}, expected both of the same maps"
        )
        raise ValueError(msg)
    pk = pk.isel(k=np.flatnonzero(pk["n_modes"].values > 0))
    own = ("sample",) if "sample" in pk.dims else ()
    mean_pk, mean_vid = pk.mean(own).values, vid.mean(own).values
    variance = np.concatenate([mean_pk**2 / pk["n_modes"].values, mean_vid])
    coords = {name: c for name, c in pk.coords.items() if c.dims == ("sample",)}
    return xr.DataArray(
        np.concatenate([pk.values, vid.values], axis=-1), dims=(*own, "feature"),
        coords=coords | {
            "statistic": ("feature", np.repeat(["pk", "vid"], [pk.sizes["k"], vid.sizes["temp"]])),
            "position": ("feature", np.concatenate([pk["k"].values, vid["temp"].values])),
            "variance": ("feature", variance),
        },
        attrs={"long_name": "power spectrum [uK2 Mpc3] and voxels in the bin", "units": "mixed"},
    )  # fmt: skip


def joint_covariance(pk, vid, *, catalogue=None):
    r"""Return the covariance of power spectrum and voxel intensity distribution of one map.

    Parameters
    ----------
    pk, vid
        As `joint_features` takes, of many maps at the same parameters.
    catalogue : array_like, shape (sample,), optional
        Which catalogue of haloes each map shows; by default each map has its own. Maps of one
        catalogue share its structure, so they differ less than two maps of the universe do.

    Returns
    -------
    xarray.DataArray, dims ("feature", "feature_prime")
        With the coordinates of `joint_features`; ``attrs["n_catalogues"]``.

    Raises
    ------
    ValueError
        If there are fewer than two catalogues, or the samples differ.

    Warns
    -----
    UserWarning
        If there are no more catalogues than features: the matrix then has no inverse.

    Notes
    -----
    With B the covariance of the means of catalogues and W that within them, of m maps each,
    :math:`C = B + (1 - 1/m) W` is unbiased.
    """
    features = joint_features(pk, vid)
    x, n_maps = features.values, features.sizes.get("sample", 1)
    catalogue = np.arange(n_maps) if catalogue is None else np.asarray(catalogue)
    if catalogue.shape != (n_maps,):
        msg = f"joint_covariance: catalogue has shape {catalogue.shape}, expected ({n_maps},)"
        raise ValueError(msg)
    n_catalogues = np.unique(catalogue).size
    if n_catalogues < 2:
        msg = f"joint_covariance: {n_catalogues} catalogue, expected at least two; simulate more"
        raise ValueError(msg)
    if n_catalogues <= x.shape[1]:
        msg = (
            f"joint_covariance: {n_catalogues} catalogues for {x.shape[1]} features, expected "
            "more; the matrix has no inverse"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    covariance = covariance_of_maps(x, catalogue)
    return _square(covariance, features).assign_attrs(n_catalogues=n_catalogues)


def covariance_of_maps(values, catalogue):
    """Return the covariance of numbers of one map, from maps that share catalogues.

    Parameters
    ----------
    values : numpy.ndarray, shape (n_maps, n)
        Numbers of each map, all maps at the same parameters.
    catalogue : numpy.ndarray, shape (n_maps,)
        Which catalogue each map shows; at least two of them.

    Returns
    -------
    numpy.ndarray, shape (n, n)
        As `joint_covariance` says.
    """
    _, member, size = np.unique(catalogue, return_inverse=True, return_counts=True)
    means = np.zeros((size.size, values.shape[1]))
    np.add.at(means, member, values)
    means /= size[:, None]
    covariance = np.cov(means, rowvar=False)
    if len(values) > size.size:
        rest = values - means[member]
        within = rest.T @ rest / (len(values) - size.size)
        covariance = covariance + (1 - np.mean(1 / size)) * within
    return covariance


def rescale_covariance(covariance, pk, vid):
    r"""Return a covariance moved to other parameters, by the variances of independent voxels.

    Parameters
    ----------
    covariance : xarray.DataArray, dims ("feature", "feature_prime")
        At the fiducial parameters, from `joint_covariance`.
    pk, vid
        At the other parameters, as `joint_features` takes.

    Notes
    -----
    :math:`C_{ij} = C^0_{ij} \sqrt{v_i v_j / v^0_i v^0_j}` with v = P^2 / N_modes or B. A bin that
    the fiducial leaves empty keeps its covariance of zero.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487
    """
    features = joint_features(pk, vid)
    here, there = covariance["variance"].values, features["variance"].values
    if here.shape != there.shape or (covariance["statistic"] != features["statistic"]).any():
        msg = (
            f"rescale_covariance: {there.size} features, expected the {here.size} of the "
            "covariance; use the same bins"
        )
        raise ValueError(msg)
    ratio = np.sqrt(there / np.where(here > 0, here, np.inf))
    return _square(covariance.values * np.outer(ratio, ratio), features).assign_attrs(
        n_catalogues=covariance.attrs["n_catalogues"]
    )


def _square(values, features):
    """Return a matrix over features with the coordinates of its rows."""
    coords = {name: features[name].variable for name in ("statistic", "position", "variance")}
    attrs = {"long_name": "covariance of power spectrum and voxel counts", "units": "mixed"}
    return xr.DataArray(
        values, dims=("feature", "feature_prime"), coords=coords, attrs=attrs, name="covariance"
    )
