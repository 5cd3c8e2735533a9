"""How far along a network the luminosity function can be read off with a ruler."""

import numpy as np
import xarray as xr
from sklearn.linear_model import RidgeCV

ALPHAS = np.logspace(-3, 4, 15)  # penalties that the leave-one-out error chooses from


def probe_blocks(outputs_fit, targets_fit, outputs, targets):
    """Return the skill of a linear regression on what each block answers.

    Parameters
    ----------
    outputs_fit, outputs : dict of str to numpy.ndarray
        From `inside.activations`: of the maps that the regressions are fitted on, and of others.
    targets_fit, targets : array_like, shape (n, n_outputs)
        What is to be read off, log10 dN for instance.

    Returns
    -------
    xarray.DataArray, dims ("block", "output"), units 1
        1 - MSE / variance on the other maps: 1 is perfect, 0 no better than their mean. A bin that
        is the same in all of them is NaN. A regression sees the mean over the map of each filter
        alone, so whatever it reads off is there for the next layer to read, too.

    Notes
    -----
    The penalty is the one with the least leave-one-out error on the maps of the fit.
    """
    targets_fit, targets = np.asarray(targets_fit), np.asarray(targets)
    variance = targets.var(axis=0)
    rows = []
    for name, values in outputs_fit.items():
        fit, test = mean_of_filters(values), mean_of_filters(outputs[name])
        centre, width = fit.mean(axis=0), fit.std(axis=0)
        width = np.where(width > 0, width, 1)
        ridge = RidgeCV(ALPHAS).fit((fit - centre) / width, targets_fit)
        predicted = ridge.predict((test - centre) / width).reshape(targets.shape)
        error = ((predicted - targets) ** 2).mean(axis=0)
        rows.append(1 - error / np.where(variance > 0, variance, np.nan))
    attrs = {"units": "1", "long_name": "skill of a linear regression, 1 - MSE / variance"}
    blocks = ("block", list(outputs_fit), {"long_name": "block of the network"})
    return xr.DataArray(
        rows, dims=("block", "output"), name="skill", attrs=attrs, coords={"block": blocks}
    )


def mean_of_filters(values):
    """Return the mean over the map of each filter, shape (n, n_filters)."""
    values = np.asarray(values, dtype=float)
    return values.mean(axis=tuple(range(1, values.ndim - 1))) if values.ndim > 2 else values
