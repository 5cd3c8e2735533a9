"""The voxel intensity distribution: how many voxels of a map have each temperature."""

import numpy as np
import xarray as xr

from imtools.survey import check_cube

TEMP_EDGES = np.logspace(1, 2, 26)  # uK, the 25 bins of Ihle et al. 2019
TEMP_EDGES.flags.writeable = False


def vid(cube, *, temp_edges=TEMP_EDGES, subtract_mean=True):
    """Count the voxels of a map, or of each map of a stack, in bins of temperature.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Linear map.
    temp_edges : array_like, shape (n_bins + 1,)
        Edges of the bins [uK], ascending. A bin holds its lower edge; the last holds both.
    subtract_mean : bool
        Count the temperatures above the mean of the map, as a survey without monopole does.

    Returns
    -------
    xarray.DataArray, dims ("temp",) or ("sample", "temp"), units 1
        Named ``vid``. Coordinates: ``temp``, the bin centre [uK], of logarithms where all edges are
        above 0; ``sigma``, the root of the counts, their error if voxels were independent.
        ``attrs["temp_edges"]`` are the edges.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or has NaN, or the edges do not ascend.

    References
    ----------
    .. [1] Breysse et al. 2017, MNRAS 467, 2996, arXiv:1609.01728
    .. [2] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> survey = Survey(n_pix=2, n_chan=1)
    >>> cube = survey.cube([[[0.0, 4.0], [4.0, 32.0]]])  # mean 10
    >>> vid(cube, temp_edges=[-20, 0, 20, 40]).values
    array([3., 0., 1.])
    """
    check_cube(cube, caller="vid")
    edges = np.asarray(temp_edges, dtype=float)
    ascending = edges.ndim == 1 and edges.size > 1 and bool(np.all(np.diff(edges) > 0))
    if not (ascending and np.isfinite(edges).all()):
        msg = f"vid: temp_edges are {edges} uK, expected at least two, finite and ascending"
        raise ValueError(msg)
    maps = cube.data.reshape(cube.sizes.get("sample", 1), -1)
    counts = np.array([_counts(values, edges, subtract_mean) for values in maps])
    counts = counts.reshape(-1, edges.size - 1)
    return _labelled(counts, edges, cube)


def _counts(values, edges, subtract_mean):
    """Return how many voxels of one map lie in each bin."""
    mean = values.mean(dtype=float)
    if not np.isfinite(mean):
        msg = "vid: the map has NaN or infinity; fill masked voxels first"
        raise ValueError(msg)
    values = values.astype(float)
    if subtract_mean:
        values -= mean
    # most voxels lie outside the bins, and sorting into bins is slow
    values = values[(values >= edges[0]) & (values <= edges[-1])]
    index = np.minimum(np.searchsorted(edges, values, side="right") - 1, edges.size - 2)
    return np.bincount(index, minlength=edges.size - 1).astype(float)


def _labelled(counts, edges, cube):
    """Return the counts with their coordinates, those of the samples kept."""
    logarithmic = edges[0] > 0
    centre = np.sqrt(edges[1:] * edges[:-1]) if logarithmic else (edges[1:] + edges[:-1]) / 2
    temp_attrs = {"units": "uK", "long_name": "brightness temperature, bin centre"}
    coords, dims = {"temp": ("temp", centre, temp_attrs)}, ("temp",)
    if "sample" in cube.dims:
        coords |= {name: c for name, c in cube.coords.items() if c.dims == ("sample",)}
        dims = ("sample", "temp")
    counts = counts if "sample" in cube.dims else counts[0]
    labels = {"units": "1", "long_name": "error of the counts of independent voxels"}
    coords["sigma"] = (dims, np.sqrt(counts), labels)
    attrs = {"units": "1", "long_name": "voxels in the bin", "temp_edges": edges.tolist()}
    return xr.DataArray(counts, dims=dims, coords=coords, attrs=attrs, name="vid")
