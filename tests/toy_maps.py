"""Small made-up data sets: unclustered sources, whose brightness is what a method must find."""

import numpy as np
import xarray as xr

from imtools.counts import count_sources, luminosity_function
from imtools.experiment import Experiment
from imtools.survey import Survey

SURVEY = Survey.notes().replace(n_pix=16, n_chan=4)


def toy_experiment(**changes):
    """Return an experiment of the toy maps' size."""
    size = {"n_pix": 16, "n_chan": 4, "pool_freq": 1, "pool_dec": 1, "pool_ra": 1}
    few = {"n_train": 6, "n_draws": 4, "n_bins": 14, "batch_size": 4, "epochs": 3, "width": 16}
    return Experiment.from_preset("tiny", **size | few | changes)


def toy_data(catalogues, *, n_draws=4, n_sources=3000):
    """Return a data set with `n_draws` maps of each catalogue in `catalogues` (ints)."""
    maps, counts, parameters = [], [], []
    edges = toy_experiment().l_edges
    for catalogue in catalogues:
        rng = np.random.default_rng([11, catalogue])
        for _ in range(n_draws):
            log_l = rng.normal(4.6, 0.25) + rng.normal(0, 0.5, n_sources)
            voxel = rng.integers(np.prod(SURVEY.shape), size=n_sources)
            temp = np.bincount(voxel, 10 ** (log_l - 5), np.prod(SURVEY.shape))
            maps.append(SURVEY.cube(temp.reshape(SURVEY.shape).astype("float32")))
            counts.append(count_sources(10**log_l, edges).values)
            parameters.append([rng.normal()])
    data = xr.Dataset({
        "map": xr.concat(maps, "sample").rename("map"),
        "counts": luminosity_function(np.array(counts), edges),
        "parameters": (("sample", "parameter"), np.array(parameters)),
    })  # fmt: skip
    return data.assign_coords(catalogue=("sample", np.repeat(list(catalogues), n_draws)))
