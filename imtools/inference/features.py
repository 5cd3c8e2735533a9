"""What the conventional analysis reads of a map: power spectrum and voxel intensities."""

import numpy as np

from imtools.datasets import observe, parts_of
from imtools.statistics import joint_features, power_spectrum, vid

PARTS = {"pk": ("pk",), "vid": ("vid",), "pk_vid": ("pk", "vid")}
PART_BYTES = 2**26  # of maps in memory at once
LEAST_VOXELS = 1.0  # in a bin: a Gaussian cannot stand for the scatter of fewer


def map_features(maps, experiment, rng=None):
    """Return the features of maps as they are observed.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Without noise, in memory or on disk.
    experiment : Experiment
        Its noise and filter are applied.
    rng : numpy.random.Generator, optional
        Source of the noise.

    Returns
    -------
    xarray.DataArray, dims ("sample", "feature")
        From `statistics.joint_features`.
    """
    parts = []
    for part in parts_of(maps, PART_BYTES):
        seen = observe(part, experiment, rng)
        parts.append(joint_features(power_spectrum(seen), vid(seen)))
    values = np.concatenate([part.values for part in parts])
    first = parts[0].isel(sample=0, drop=True)
    kept = {name: c for name, c in first.coords.items() if c.dims == ("feature",)}
    return first.expand_dims(sample=len(values)).copy(data=values).assign_coords(kept)


def is_power(statistic):
    """Return which features are powers, the others being voxels in a bin."""
    return np.asarray(statistic) == "pk"


def error_scale(mean, power):
    """Return what the error of each feature grows with: P of a power, root B of voxels.

    Parameters
    ----------
    mean : numpy.ndarray, shape (..., n_features)
        Mean features.
    power : numpy.ndarray of bool, shape (n_features,)
        From `is_power`.
    """
    return np.where(power, mean, np.sqrt(np.maximum(mean, LEAST_VOXELS)))
