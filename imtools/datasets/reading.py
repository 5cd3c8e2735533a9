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
from imtools.preprocessing import scale
from imtools.run_folder import open_netcdf

NETWORK_DIMS = ("sample", "dec", "ra", "freq")


def load(folder, side):
    """Load one side of a data set into memory.

    Parameters
    ----------
    folder : path-like
        Data set, see `build`.
    side : {"train", "validation", "test"}
        Which catalogues.

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
    parts = [_read(folder, k, side, experiment.data_key()) for k in wanted]
    return xr.concat(
        parts, "sample", data_vars="minimal", coords="minimal", compat="override",
        join="exact", combine_attrs="drop_conflicts",
    )  # fmt: skip


def _read(folder, catalogue, side, data_key):
    path = catalogue_path(folder, catalogue)
    try:
        with open_netcdf(path) as file:
            dataset = file.load()
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


def network_inputs(maps, experiment, rng=None):
    """Return maps as a network sees them: observed, scaled, dims in the network's order.

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


def log_counts_array(data, experiment):
    """Return log10 dN with the experiment's floor, float32, shape (sample, log_l)."""
    return log_counts(data["counts"], experiment.counts.floor).values.astype(np.float32)


class Batches:
    """Training batches; each is a pure function of seed, epoch and index.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, from `load`.
    experiment : Experiment
        Batch size, noise, transform and the share of blank maps.
    seed : int
        Root of the order, the noise and the choice of blanks.
    """

    def __init__(self, data, experiment, seed):
        self.maps = data["map"]
        self.counts = data["counts"].values.astype(np.float32)
        self.experiment = experiment
        self.seed = seed
        # without noise a map looks the same every time
        noise_free = experiment.observing.sigma_noise == 0
        self.inputs = network_inputs(self.maps, experiment) if noise_free else None

    def n_batches(self):
        """Return how many full batches an epoch has; a short last one is never drawn."""
        return len(self.counts) // self.experiment.training.batch_size

    def batch(self, epoch, index):
        """Return (inputs, dN) of one batch.

        Raises
        ------
        IndexError
            If there is no such full batch.
        """
        if not 0 <= index < self.n_batches():
            msg = (
                f"Batches.batch: index is {index}, expected one of the {self.n_batches()} full "
                f"batches of {self.experiment.training.batch_size} among {len(self.counts)} maps"
            )
            raise IndexError(msg)
        order = self._rng(epoch).permutation(len(self.counts))
        size = self.experiment.training.batch_size
        chosen = order[index * size : (index + 1) * size]
        blank = self._rng(epoch, index, 0).random(size) < self.experiment.training.blank_share
        counts = np.where(blank[:, None], np.float32(0), self.counts[chosen])
        rng = self._rng(epoch, index)
        if self.inputs is None:
            maps = self.maps[chosen]
            dark = maps.copy(data=np.where(blank[:, None, None, None], 0, maps.values))
            return network_inputs(dark if blank.any() else maps, self.experiment, rng), counts
        inputs = self.inputs[chosen]
        if blank.any():
            inputs[blank] = network_inputs(0 * self.maps[:1], self.experiment)
        return inputs, counts

    def _rng(self, *key):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
