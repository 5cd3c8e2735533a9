"""What a method costs: maps to simulate, seconds to fit, seconds a map."""

from time import perf_counter

import numpy as np
import pandas as pd
import xarray as xr

from imtools.estimators import predict_all
from imtools.evaluation.tables import LABELS


def timed_fit(fit, *args, **settings):
    """Return what `fit` returns, and the seconds that it took."""
    start = perf_counter()
    fitted = fit(*args, **settings)
    return fitted, perf_counter() - start


def timed_predictions(methods, maps, experiment, *, seed):
    """Return the predictions of several estimators, and the seconds that each takes a map.

    Parameters
    ----------
    methods, maps, experiment, seed
        As `estimators.predict_all` takes.

    Returns
    -------
    predictions : xarray.DataArray, dims ("method", "sample", "quantile", "log_l"), units log10(1)
    seconds : dict of str to float
        A map, by method: noise, filter, summary and answer.
    """
    n_maps, each, seconds = maps.sizes["sample"], [], {}
    for method in methods:
        predicted, taken = timed_fit(predict_all, [method], maps, experiment, seed=seed)
        each.append(predicted)
        seconds[method.name] = taken / n_maps
    return xr.concat(each, "method", combine_attrs="override"), seconds


def cost_table(fit_seconds, map_seconds, experiment, *, n_covariance=0):
    """Return what each method costs, as a table.

    Parameters
    ----------
    fit_seconds, map_seconds : dict of str to float
        By method: of the fit, without the maps of the data set, and of a map.
    experiment : Experiment
        Says how many maps a method learns from.
    n_covariance : int
        Catalogues at the fiducial parameters, which ``mcmc_`` methods need besides.

    Returns
    -------
    pandas.DataFrame
        A row a method: ``catalogues`` and ``maps`` simulated for it, ``fit [s]``, ``a map [s]``.
        The fit of the first ``mcmc_`` method includes what it simulates for all of them, where
        that was not there yet.
    """
    data = experiment.data
    n_catalogues = data.n_train + data.n_validation
    rows = []
    for name, seconds in fit_seconds.items():
        further = n_covariance if name.startswith("mcmc_") else 0
        rows.append(
            {
                "method": LABELS.get(name, name),
                "catalogues": n_catalogues + further,
                "maps": n_catalogues * data.n_draws + 2 * further,
                "fit [s]": float(np.round(seconds, 1)),
                "a map [s]": float(f"{map_seconds[name]:.2g}"),
            }
        )
    return pd.DataFrame(rows, index=list(fit_seconds))
