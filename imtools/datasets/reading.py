"""From a data set on disk to the arrays that networks and regressions take.

The only place where an axis has a number: networks see (sample, dec, ra, freq).
"""

from pathlib import Path

import numpy as np
import xarray as xr

from imtools.counts import log_counts
from imtools.datasets.building import catalogue_path, n_catalogues
from imtools.datasets.catalogue import SIDES, side_of
from imtools.experiment import Experiment
from imtools.observing import (
    add_noise,
    add_white_noise,
    hit_map,
    subtract_mean,
    subtract_pca,
    subtract_polynomial,
)
from imtools.preprocessing import pool_cube, scale
from imtools.run_folder import open_netcdf
from imtools.statistics import summarise

NETWORK_DIMS = ("sample", "dec", "ra", "freq")
PART_BYTES = 2**28  # of maps in memory at once, where they come in parts


def load(folder, side, *, lazy=False):
    """Load one side of a data set into memory.

    Parameters
    ----------
    folder : path-like
        Data set, see `build`.
    side : {"train", "validation", "test"}
        Which catalogues.
    lazy : bool
        Leave the maps on disk, to be read as they are used: for maps that are too many for memory.

    Returns
    -------
    xarray.Dataset
        As `make_maps` returns, all catalogues of the side along ``sample``.

    Raises
    ------
    FileNotFoundError
        If the folder is no data set, or catalogues are missing; the message names them.
    ValueError
        If `side` is unknown, or a file is damaged or belongs to another data set or side.
    """
    folder = Path(folder)
    if side not in SIDES:
        msg = f"load: side is {side!r}, expected one of {', '.join(SIDES)}"
        raise ValueError(msg)
    if not (folder / "experiment.json").is_file():
        msg = f"load: {folder} is no data set (it has no experiment.json); see datasets.build"
        raise FileNotFoundError(msg)
    experiment = Experiment.from_json((folder / "experiment.json").read_text(encoding="utf-8"))
    wanted = [k for k in range(n_catalogues(experiment)) if side_of(experiment, k) == side]
    missing = [k for k in wanted if not catalogue_path(folder, k).exists()]
    if missing:
        msg = f"load: {folder} lacks catalogues {missing} of {side}; run datasets.build again"
        raise FileNotFoundError(msg)
    parts = [_read(folder, k, side, experiment.data_key(), lazy) for k in wanted]
    return xr.concat(
        parts, "sample", data_vars="minimal", coords="minimal", compat="override",
        join="exact", combine_attrs="drop_conflicts",
    )  # fmt: skip


def _read(folder, catalogue, side, data_key, lazy):
    path = catalogue_path(folder, catalogue)
    try:
        with open_netcdf(path) as file:
            dataset = file.drop_vars("map").load() if lazy else file.load()
        if lazy:
            maps = open_netcdf(path)["map"].chunk({"sample": 1})
            dataset["map"] = maps
    except (OSError, RuntimeError, ValueError) as error:
        msg = f"load: catalogue {catalogue} is damaged ({error}); run datasets.build again"
        raise ValueError(msg) from error
    found = tuple(dataset.attrs.get(name) for name in ("catalogue", "side", "data_key"))
    found = tuple(value.item() if isinstance(value, np.generic) else value for value in found)
    if found != (catalogue, side, data_key):
        msg = (
            f"load: {path} says catalogue, side and key are {found}, expected "
            f"{(catalogue, side, data_key)}; it was moved here from another data set"
        )
        raise ValueError(msg)
    return dataset


FILTERS = {
    "none": lambda maps, order: maps,
    "mean": lambda maps, order: subtract_mean(maps, per="map"),
    "channel_mean": lambda maps, order: subtract_mean(maps, per="channel"),
    "polynomial": lambda maps, order: subtract_polynomial(maps, order=order),
    "pca": lambda maps, order: subtract_pca(maps, n_modes=order),
}


def observe(maps, experiment, rng=None):
    """Return maps as they are observed: noise added, then filtered.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Pooled maps without noise.
    experiment : Experiment
        Its stage ``observing``.
    rng : numpy.random.Generator, optional
        Source of the noise; not needed without noise.

    Returns
    -------
    xarray.DataArray, dims as `maps`, units uK
        New maps; ``attrs`` say ``sigma_noise`` and ``filter``.

    Raises
    ------
    ValueError
        If there is noise and no `rng`.
    """
    observing = experiment.observing
    maps = maps.compute()  # those that were left on disk
    if observing.sigma_noise > 0:
        if rng is None:
            msg = f"observe: sigma_noise is {observing.sigma_noise} uK; pass rng to draw it"
            raise ValueError(msg)
        settings = {"sigma_noise": observing.sigma_noise, "convention": observing.noise_convention}
        if observing.hits == "uniform":
            maps = add_white_noise(maps, rng=rng, **settings)
        else:
            maps = add_noise(maps, hit_map(maps, kind=observing.hits), rng=rng, **settings)
    return FILTERS[observing.filter](maps, observing.filter_order)


def parts_of(maps, n_bytes=PART_BYTES):
    """Yield the maps in parts that take little memory, in order.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", ...)
        In memory or on disk, see `load`.
    n_bytes : int
        Size of a part, if it holds more than one map.
    """
    n = maps.sizes["sample"]
    size = max(1, n_bytes * n // max(1, maps.nbytes))
    for i in range(0, n, size):
        yield maps[i : i + size].compute()


def scaled_maps(maps, experiment, rng=None):
    """Return maps as a convolution sees them: observed, scaled, dims in the network's order.

    Parameters
    ----------
    maps, experiment, rng
        As in `observe`; the experiment also gives the transform.

    Returns
    -------
    numpy.ndarray
        float32, shape (sample, dec, ra, freq).
    """
    seen = observe(maps, experiment, rng).transpose(*NETWORK_DIMS)
    values = scale(seen.values, experiment.preprocessing.transform)
    return np.ascontiguousarray(values, dtype=np.float32)


def network_inputs(maps, experiment, rng=None):
    """Return what the network of an experiment reads: its maps, or a summary of them.

    Parameters
    ----------
    maps, experiment, rng
        As in `observe`; the experiment also says what the network ``reads``.

    Returns
    -------
    numpy.ndarray
        float32, shape (sample, dec, ra, freq); a summary has shape (sample, 1, 1, n_features).
    """
    reads = experiment.network.reads
    if reads == "map":
        return scaled_maps(maps, experiment, rng)
    seen = (observe(part, experiment, rng) for part in parts_of(maps))
    features = summarise(seen, reads, temp_scale=experiment.network.temp_scale or 1.0)
    return features.astype(np.float32)[:, None, None]


def input_shape(experiment):
    """Return the shape (dec, ra, freq) of what the network of an experiment reads.

    That of a summary is seen by making one of a blank map, (1, 1, n_features).
    """
    if experiment.network.reads == "map":
        n_freq, n_dec, n_ra = experiment.pooled_shape
        return n_dec, n_ra, n_freq
    survey, pool = experiment.survey_object(), experiment.preprocessing
    sky = survey.cube(np.zeros(survey.shape, dtype=np.float32))
    blank = pool_cube(sky, freq=pool.pool_freq, dec=pool.pool_dec, ra=pool.pool_ra)
    rng = np.random.default_rng(0)
    return network_inputs(blank.expand_dims("sample"), experiment, rng).shape[1:]


def typical_spread(maps, experiment, rng=None):
    """Return the median over some maps of the spread of their voxels as observed [uK], or 1 uK.

    It sets the bins of those summaries that know no temperature, see `statistics.SUMMARIES`.
    """
    seen = observe(next(parts_of(maps)), experiment, rng)
    return float(seen.std(["freq", "dec", "ra"]).median()) or 1.0


def log_counts_array(data, experiment):
    """Return log10 dN with the experiment's floor, float32, shape (sample, log_l)."""
    return log_counts(data["counts"], experiment.counts.floor).values.astype(np.float32)
