"""How far answers move from map to map, against how far the truth moves."""

import numpy as np

from imtools.evaluation.memorisation.answers import (
    answers,
    as_observed,
    judged,
    log_truth,
    ratio,
    rms,
    typical,
)

LEAST_CORRELATION = 0.5
SPREADS = (0.5, 2.0)  # of the predictions, in units of that of the truth
MOST_GAP = 2.0  # error on unseen maps over that on training maps
BY_HEART = 100  # times the error on training maps, where a number says no more
TEN = 10  # sources; below, what moves at fixed parameters is the scatter of single ones
LEAST_FREE = 7  # catalogues beyond the first, or a correlation says nothing


def spread(method, data, experiment, *, seed):
    """Compare the spread of the answers over maps with the spread of the truth.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data : xarray.Dataset
        Maps that the method has not seen.
    experiment : Experiment
        That of the fit.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``spread_predicted`` and ``spread_truth`` (log_l) [dex], ``correlation`` of the two (log_l),
        and typical values ``share`` (of the spreads) and ``typical_correlation``. Passed if the
        correlation is above 0.5 and the spread between half and twice that of the truth.

    Notes
    -----
    The mean of what a map leaves possible has a spread of the truth's times the correlation: less
    is an answer drawn to the prior, more is invented.
    """
    log_dn = answers(method, as_observed(data["map"], experiment, seed), experiment)
    truth, dn = log_truth(data, experiment), data["counts"]
    about = [values - values.mean(axis=0) for values in (log_dn, truth)]
    together, sigma_predicted, sigma_truth = _moments(*about)
    share = typical(ratio(sigma_predicted, sigma_truth), dn)
    agreement = typical(together, dn)
    passed = agreement > LEAST_CORRELATION and SPREADS[0] < share < SPREADS[1]
    verdict = (
        f"Answers spread {share:.2f} times as far as the truth, and their correlation with it "
        f"{_known(agreement)}."
    )
    return judged(
        "spread", "passed" if passed else "failed", verdict,
        {
            "spread_predicted": (("log_l",), sigma_predicted, "dex", "spread of the answers"),
            "spread_truth": (("log_l",), sigma_truth, "dex", "spread of the truth"),
            "correlation": (("log_l",), together, "1", "correlation of answer and truth"),
            "share": ((), share, "1", "spread of the answers over that of the truth"),
            "typical_correlation": ((), agreement, "1", "correlation of answer and truth"),
        },
        log_l=dn["log_l"],
    )  # fmt: skip


def fixed_parameters(method, data, experiment, *, seed):
    """Correlate answers with the truth where only the haloes and their scatter differ.

    Parameters
    ----------
    method, experiment, seed
        As in `spread`.
    data : xarray.Dataset
        Maps that share the parameters of their luminosity model, of many catalogues; see
        `fresh_maps` with the prior "fiducial".

    Returns
    -------
    xarray.Dataset
        ``correlation`` (log_l) about the means at fixed parameters, NaN below ten sources;
        ``spread_predicted`` and ``spread_truth`` (log_l) [dex]; ``typical_correlation`` and
        ``needed``, two sampling errors of a correlation over so many catalogues. Passed if it is
        more: the method sees this field's sources, and not the parameters alone. With too few
        catalogues to say, it is only told.
    """
    log_dn = answers(method, as_observed(data["map"], experiment, seed), experiment)
    truth, group, dn = log_truth(data, experiment), _groups(data), data["counts"]
    about = [_about_means(values, group) for values in (log_dn, truth)]
    together, sigma_predicted, sigma_truth = _moments(*about)
    together = np.where(dn.values.mean(axis=0) >= TEN, together, np.nan)
    free = np.unique(data["catalogue"].values).size - 1
    needed = 2 / np.sqrt(max(free, 1))
    agreement = typical(together, dn)
    # an answer that does not move has no correlation: it sees no field
    passed = agreement > needed
    state = "told" if free < LEAST_FREE else "passed" if passed else "failed"
    chance = f"up to {needed:.2f} is chance" if needed < 1 else "any is chance"
    verdict = (
        f"At fixed parameters the correlation of answer and truth {_known(agreement)}; over "
        f"{free + 1} catalogues {chance}."
    )
    return judged(
        "fixed_parameters", state, verdict,
        {
            "correlation": (("log_l",), together, "1", "correlation at fixed parameters"),
            "spread_predicted": (("log_l",), sigma_predicted, "dex", "spread of the answers"),
            "spread_truth": (("log_l",), sigma_truth, "dex", "spread of the truth"),
            "typical_correlation": ((), agreement, "1", "correlation at fixed parameters"),
            "needed": ((), needed, "1", "two sampling errors of a correlation"),
        },
        log_l=dn["log_l"],
    )  # fmt: skip


def seen_and_unseen(method, data_train, data, experiment, *, seed):
    """Compare the error on maps that a method was fitted on with that on maps it has not seen.

    Parameters
    ----------
    method, data, experiment, seed
        As in `spread`.
    data_train : xarray.Dataset
        Maps of the fit.

    Returns
    -------
    xarray.Dataset
        ``error_seen`` and ``error_unseen`` (log_l) [dex], and ``gap``, the typical ratio. Passed
        below 2: what was learnt is of use elsewhere.
    """
    errors = []
    for maps in (data_train, data):
        log_dn = answers(method, as_observed(maps["map"], experiment, seed), experiment)
        errors.append(rms(log_dn - log_truth(maps, experiment)))
    gap = typical(ratio(errors[1], errors[0]), data["counts"])
    # a method that knows every training map by heart has no error to divide by
    passed = np.isfinite(gap) and gap < MOST_GAP
    verdict = f"The error on maps never seen is {gap:.2f} times that on the training maps."
    if not gap < BY_HEART:
        verdict = "The training maps are known by heart, maps never seen are not."
    text = "rms error of log10 dN, {} maps"
    return judged(
        "unseen", "passed" if passed else "failed", verdict,
        {
            "error_seen": (("log_l",), errors[0], "dex", text.format("training")),
            "error_unseen": (("log_l",), errors[1], "dex", text.format("unseen")),
            "gap": ((), gap, "1", "error on unseen over that on training maps"),
        },
        log_l=data["counts"]["log_l"],
    )  # fmt: skip


def _moments(predicted, truth):
    """Return correlation and standard deviations of deviations, each (log_l,)."""
    sigma_predicted, sigma_truth = rms(predicted), rms(truth)
    norm = sigma_predicted * sigma_truth
    # what does not move has rounding left, and no correlation
    norm = np.where((sigma_predicted > 1e-6) & (sigma_truth > 1e-6), norm, 0)
    return ratio(np.mean(predicted * truth, axis=0), norm), sigma_predicted, sigma_truth


def _known(correlation):
    return f"is {correlation:.2f}" if np.isfinite(correlation) else "is none, since they stay put"


def _groups(data):
    """Return the number of the set of parameters of each map; a parameter may be NaN."""
    values = np.nan_to_num(data["parameters"].values, nan=-1e30)
    group = np.unique(values, axis=0, return_inverse=True)[1].ravel()
    if "luminosity_model" not in data.coords:
        return group
    model = np.unique(data["luminosity_model"].values, return_inverse=True)[1]
    return group + (group.max() + 1) * model


def _about_means(values, group):
    about = np.empty_like(values)
    for g in np.unique(group):
        about[group == g] = values[group == g] - values[group == g].mean(axis=0)
    return about
