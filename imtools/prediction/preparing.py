"""A map from outside, on the voxels that a network was trained on."""

import json

import numpy as np
import xarray as xr

from imtools.formats import fill_masked, open_map
from imtools.preprocessing import pool_cube
from imtools.survey import channel_width, check_cube, pixel_size

SAME_VOXEL = 1e-4  # relative difference in size of what counts as the same voxel


def opened(source, *, sigma_noise, reading):
    """Return a map as a cube without NaN that states its noise, if that is known.

    Parameters
    ----------
    source : path-like, xarray.Dataset or xarray.DataArray
        See `predict_map`.
    sigma_noise : float or None
        Noise per voxel [uK] in place of what the map states.
    reading : dict
        Settings of `formats.open_map`.

    Returns
    -------
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Masked voxels hold the mean of their channel.
    steps : list of str
        What was done to the map.
    """
    if isinstance(source, xr.DataArray):
        source = source.to_dataset(name="brightness_temperature")
    elif not isinstance(source, xr.Dataset):
        source = open_map(source, **reading)
    if "brightness_temperature" not in source:
        msg = (
            f"predict_map: the Dataset holds {', '.join(map(str, source)) or 'nothing'}, expected "
            "brightness_temperature; rename the map"
        )
        raise ValueError(msg)
    cube = source["brightness_temperature"]
    check_cube(cube, caller="predict_map")
    if cube.ndim != 3:
        msg = f"predict_map: dims are {cube.dims}, expected one map (freq, dec, ra); pick a sample"
        raise ValueError(msg)
    filled = fill_masked(source, fill="channel_mean")
    steps = json.loads(source.attrs.get("repairs", "[]"))
    if filled.attrs["masked_share"] > 0:
        steps.append(f"filled {filled.attrs['masked_share']:.2%} of the voxels by channel means")
    if sigma_noise is not None:
        filled.attrs["sigma_noise"] = float(sigma_noise)
    return filled, steps


def to_training_voxels(cube, expected, experiment):
    """Return a map pooled and scaled as the training maps were, as a stack of one.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Map on the voxels of the training maps as they were before pooling, or after it.
    expected : dict
        What `training.describe_maps` said of the training maps.
    experiment : Experiment
        Its survey and pooling.

    Returns
    -------
    cube : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        On other voxels than either it comes back as it was: `training.check_maps` refuses it.
    steps : list of str
        What was done to the map.
    """
    pool, survey, steps = experiment.preprocessing, experiment.survey_object(), []
    factors = {"freq": pool.pool_freq, "dec": pool.pool_dec, "ra": pool.pool_ra}
    painted = {"pixel_size": survey.pixel_size, "channel_width": survey.delta_nu}
    if max(factors.values()) > 1 and _lies_on(cube, survey.shape, painted):
        cube = pool_cube(cube, **factors, how=pool.pool_how)
        steps.append(f"pooled by {pool.pool_how}, {factors}")
    elif _lies_on(cube, tuple(expected["shape"]), expected):
        # a temperature is the mean over a voxel, whatever made it; training maps may be sums
        wanted = {name: expected[name] for name in ("n_pooled", "pooling")}
        factor = _n_summed(wanted) / _n_summed(cube.attrs)
        if factor != 1:
            steps.append(f"multiplied by {factor:g}, since the training maps are sums over voxels")
        scaled = cube.copy(data=cube.data * cube.dtype.type(factor)).assign_attrs(wanted)
        if "sigma_noise" in cube.attrs:
            scaled.attrs["sigma_noise"] = float(cube.attrs["sigma_noise"] * factor)
        cube = scaled
    return cube.expand_dims("sample"), steps


def _lies_on(cube, shape, voxel):
    """Return whether a cube has this shape, and voxels of this size."""
    sizes = (pixel_size(cube), channel_width(cube))
    wanted = (voxel["pixel_size"], voxel["channel_width"])
    return cube.shape == shape and np.allclose(sizes, wanted, rtol=SAME_VOXEL, atol=0)


def _n_summed(attrs):
    """Return how many painted voxels a voxel is the sum of: 1 for a mean."""
    return int(attrs.get("n_pooled", 1)) if attrs.get("pooling") == "sum" else 1
