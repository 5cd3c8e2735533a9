"""Noise and foregrounds that a method was not trained with."""

import numpy as np

from imtools.evaluation.memorisation.answers import (
    answers,
    as_observed,
    at_quoted,
    judged,
    log_truth,
    ratio,
    rms,
)
from imtools.observing import DIFFUSE, diffuse, point_sources

FINE_LEVELS = (0.0, 0.1, 1.0, 11.0)  # uK a painted voxel, where training had no noise
TIMES = (0.0, 0.5, 1.0, 2.0, 4.0)  # of the noise in training
STRENGTHS = (0.0, 1e-3, 1e-2, 0.1, 1.0)  # of the foregrounds of `observing.DIFFUSE`


def noise_levels(method, data, experiment, *, seed):
    """Ask a method about the same maps at other noise than it was trained with.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data : xarray.Dataset
        Maps that the method has not seen, without noise.
    experiment : Experiment
        That of the fit.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``error`` (level, log_l) [dex] over ``level`` [uK], half to four times the noise in
        training, or 0.1 to 11 uK a painted voxel where there was none; ``spread_truth`` (log_l).
        Passed if at the first level above that of training the error is below the spread of the
        truth, which the mean of the training maps reaches without a look.
    """
    here = experiment.observing.sigma_noise
    levels = [here * t for t in TIMES] if here > 0 else list(FINE_LEVELS)
    if experiment.preprocessing.transform == "log10":
        levels = [0.0]  # the transform takes no noise
    named = {"noise_convention": "fine_voxel"} if here == 0 else {}
    errors = []
    for level in levels:
        noisy = experiment.replace(sigma_noise=float(level), **named)
        log_dn = answers(method, as_observed(data["map"], noisy, seed), experiment)
        errors.append(rms(log_dn - log_truth(data, experiment)))
    title = ("noise", "uK", "noise of the voxel that the experiment names")
    return _levels(title, levels, here, np.stack(errors), data, experiment)


def foreground_levels(method, data, experiment, *, seed):
    """Ask a method about the same maps with foregrounds in them.

    Parameters
    ----------
    method, data, experiment, seed
        As in `noise_levels`.

    Returns
    -------
    xarray.Dataset
        ``error`` (level, log_l) [dex] over ``level``, the strength of radio sources, synchrotron,
        free-free and CMB, 1 being that of a clean field; ``spread_truth`` (log_l). Passed as in
        `noise_levels`, at the weakest foregrounds. The experiment's filter is applied to both.
    """
    maps, truth = data["map"], log_truth(data, experiment)
    sky = _foregrounds(maps, experiment, seed)
    if experiment.preprocessing.transform == "log10":
        sky = np.maximum(sky, 0)  # the CMB's fluctuations are negative too
    errors = []
    for level in STRENGTHS:
        dirty = maps.copy(data=(maps.values + np.float32(level) * sky).astype(maps.dtype))
        log_dn = answers(method, as_observed(dirty, experiment, seed), experiment)
        errors.append(rms(log_dn - truth))
    title = ("foregrounds", "1", "strength of the foregrounds")
    return _levels(title, list(STRENGTHS), 0.0, np.stack(errors), data, experiment)


def _foregrounds(maps, experiment, seed):
    """Return foregrounds on the voxels of `maps`, others for each map [uK]."""
    n_chan, n_pix, _ = experiment.pooled_shape
    coarse = experiment.survey_object().replace(n_chan=n_chan, n_pix=n_pix)
    times = maps.attrs.get("n_pooled", 1) if maps.attrs.get("pooling") == "sum" else 1
    skies = []
    for rng in np.random.default_rng([seed, 10]).spawn(maps.sizes["sample"]):
        parts = [point_sources(coarse, rng=rng)]
        parts += [diffuse(coarse, component, rng=rng) for component in DIFFUSE]
        skies.append(times * sum(part.values for part in parts))
    return np.stack(skies).astype(np.float32)


def _levels(title, levels, trained, error, data, experiment):
    """Return the errors at some levels as an outcome."""
    test, units, text = title
    spread, dn = log_truth(data, experiment).std(axis=0), data["counts"]
    share = [_worth(row, spread, dn) for row in error]  # of the spread, at each level
    own = share[levels.index(trained)]
    beyond = [i for i, level in enumerate(levels) if level > trained]
    if not beyond:
        state, verdict = "told", "The transform takes no noise, so none was tried."
    else:
        first = beyond[0]
        state = "passed" if share[first] < 1 else "failed"
        unit = "" if units == "1" else f" {units}"
        verdict = (
            f"With {test} of {levels[first]:.3g}{unit} the error is {share[first]:.2f} of the "
            f"spread of the truth, with {trained:.3g}{unit} as in training {own:.2f}."
        )
    return judged(
        test, state, verdict,
        {
            "error": (("level", "log_l"), error, "dex", "rms error of log10 dN"),
            "spread_truth": (("log_l",), spread, "dex", "spread of the truth"),
            "share_of_spread": (("level",), share, "1", "error over the spread of the truth"),
        },
        log_l=dn["log_l"], level=(levels, units, text),
    )  # fmt: skip


def _worth(error, spread, dn):
    """Return the typical error over the spread of the truth."""
    quoted = ratio(at_quoted(error, dn), at_quoted(spread, dn))
    known = quoted[np.isfinite(quoted)]
    return float(np.median(known)) if known.size else float("nan")
