"""All diagnostics of a posterior at once, for one method or for many on the same maps."""

import numpy as np
import xarray as xr

from imtools.counts import FLOOR
from imtools.estimators.base import N_DRAWS
from imtools.evaluation.calibration.coverage import expected_coverage
from imtools.evaluation.calibration.ranks import fractional_ranks, rank_statistics
from imtools.evaluation.calibration.sharpness import crps, z_scores
from imtools.evaluation.calibration.tarp import tarp


def calibrate(
    draws, truth, catalogue, *, rng, references=None, n_bootstrap=500, floor=FLOOR
):  # fmt: skip
    """Hold the posteriors of one method against the truth.

    Parameters
    ----------
    draws : xarray.DataArray, dims ("sample", "draw", "log_l"), units log10(1)
        Draws of log10 dN, from `Estimator.draws`.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN of the same maps.
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of all that is random here.
    references : array_like, shape (sample, log_l), optional
        Points for `tarp`.
    n_bootstrap : int
        Resamplings.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset
        What `rank_statistics`, `expected_coverage`, `tarp`, `z_scores` and `crps` return. ``attrs``
        say ``n_maps``, ``n_catalogues``, ``n_draws`` and ``log_l_edges``.

    Raises
    ------
    ValueError
        If draws, truth and catalogue are not of the same maps and bins, or not finite.
    """
    streams = rng.spawn(6)
    own = {"n_bootstrap": n_bootstrap}
    ranks = fractional_ranks(draws, truth, rng=streams[0], floor=floor)
    asked = (draws, truth, catalogue)
    parts = [
        rank_statistics(ranks, catalogue, rng=streams[1], **own),
        expected_coverage(ranks, catalogue, rng=streams[2], **own),
        tarp(*asked, rng=streams[3], references=references, floor=floor, **own),
        z_scores(*asked, rng=streams[4], floor=floor, **own),
        crps(*asked, rng=streams[5], floor=floor, **own),
    ]
    together = xr.merge(parts, compat="override", join="override", combine_attrs="override")
    together["catalogue"] = ("sample", np.asarray(catalogue), {"long_name": "number of catalogue"})
    return together.set_coords("catalogue").assign_attrs(
        n_maps=len(truth), n_catalogues=int(np.unique(catalogue).size), floor=floor,
        n_draws=draws.sizes["draw"], log_l_edges=truth.attrs.get("log_l_edges", []),
    )  # fmt: skip


def calibrate_all(
    methods, data, experiment, *, seed, n_draws=N_DRAWS, n_bootstrap=500, references=None
):  # fmt: skip
    """Hold the posteriors of several estimators against the truth, with the same noise.

    Parameters
    ----------
    methods : list of Estimator
        Fitted; their names differ. Their draws are held in memory one after the other.
    data : xarray.Dataset
        ``map``, ``counts`` and ``catalogue``, of catalogues that no method has seen.
    experiment : Experiment
        Its noise is added.
    seed : int
        Of the noise, as for `estimators.predict_all`, and of all else.
    n_draws : int
        Draws a map.
    n_bootstrap : int
        Resamplings of the catalogues.
    references : array_like, shape (sample, log_l), optional
        Points for `tarp`.

    Returns
    -------
    xarray.Dataset
        As from `calibrate`, over ``method``.
    """
    catalogue, floor, each = data["catalogue"].values, experiment.counts.floor, []
    for method in methods:
        drawn = method.draws(data["map"], experiment, np.random.default_rng(seed), n_draws)
        own = {"rng": np.random.default_rng([seed, 1]), "references": references, "floor": floor}
        each.append(calibrate(drawn, data["counts"], catalogue, n_bootstrap=n_bootstrap, **own))
    names = xr.Variable("method", [m.name for m in methods], {"long_name": "estimator"})
    return xr.concat(each, dim=names, coords="minimal", compat="override", combine_attrs="override")
