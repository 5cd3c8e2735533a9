"""What a method says of a map without signal: none, the prior, or something of its own."""

import numpy as np

from imtools.evaluation.memorisation.answers import answers, as_observed, judged, log_truth

NOTES_NOISE = 11.0  # uK, the level of the notes, where the experiment has no noise
N_NOISE = 16  # maps of noise alone
TEN, MILLION = 10, 1e6  # sources, between which a number is told whole
LEAST_WIDTH = 0.01  # dex; a bin that no training map changes is not known better than that
IN_WORDS = {
    "none": "with none",
    "prior": "with the mean of the training maps",
    "fainter": "with fewer sources than the training maps hold, but not with none",
    "other": "with sources that no training map would suggest",
}


def kind_of_answer(log_dn, mean, width):
    """Say what an answer to a map without signal is.

    Parameters
    ----------
    log_dn : array_like, shape (log_l,)
        The answer.
    mean, width : array_like, shape (log_l,)
        Mean and standard deviation of log10 dN over the training maps [dex].

    Returns
    -------
    str
        "none": below one source in every bin. "prior": within one width of the mean, root mean
        square over bins. "fainter": more than one width below it on average, and nowhere more than
        one above. Else "other".

    Examples
    --------
    >>> import numpy as np
    >>> mean, width = np.array([4.0, 2.0]), np.array([0.2, 0.2])
    >>> [kind_of_answer(a, mean, width) for a in ([-1, -2], [4.1, 1.9], [3, -1], [2, 9])]
    ['none', 'prior', 'fainter', 'other']
    """
    log_dn, mean = np.asarray(log_dn), np.asarray(mean)
    if (log_dn < 0).all():
        return "none"
    away = (log_dn - mean) / np.maximum(width, LEAST_WIDTH)
    if np.sqrt(np.mean(away**2)) <= 1:
        return "prior"
    return "fainter" if np.mean(away) < -1 and (away <= 1).all() else "other"


def blank_sky(method, data_train, experiment, *, seed):
    """Ask a method about a blank map, and about maps of noise alone.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data_train : xarray.Dataset
        What it was fitted on: the prior that it may answer with.
    experiment : Experiment
        Its noise, or 11 uK a painted voxel where it has none; its filter.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``log_dn`` (sky, log_l) of "blank" and "noise", the latter a mean over 16 maps and absent
        where the transform takes no negative voxel; ``prior`` and ``prior_width`` (log_l);
        ``largest_dn_blank`` and ``largest_dn_noise``. Passed if the blank map has less than one
        source in every bin and, where the experiment has noise, noise is answered with none or with
        fewer sources than the training maps hold.
    """
    truth = log_truth(data_train, experiment)
    prior, width = truth.mean(axis=0), truth.std(axis=0)
    told = {"blank": answers(method, _blank(data_train, 1), _without_noise(experiment))[0]}
    noisy = _with_noise(experiment)
    if noisy is not None:
        maps = as_observed(_blank(data_train, N_NOISE), noisy, seed)
        told["noise"] = answers(method, maps, noisy).mean(axis=0)
    kinds = {sky: kind_of_answer(log_dn, prior, width) for sky, log_dn in told.items()}
    most = {f"largest_dn_{sky}": float(10 ** log_dn.max()) for sky, log_dn in told.items()}
    passed = kinds["blank"] == "none"
    if experiment.observing.sigma_noise > 0:
        passed = passed and kinds["noise"] in ("none", "fainter")
    verdict = f"A blank map is answered {_in_words(kinds, most, 'blank')}"
    if noisy is not None:
        level = noisy.observing.sigma_noise
        verdict += f"; noise of {level:g} uK alone {_in_words(kinds, most, 'noise')}"
    text = "log10 of sources per luminosity bin"
    numbers = {
        name: ((), value, "1", f"most sources in a bin, {name.split('_')[-1]} map")
        for name, value in most.items()
    }
    return judged(
        "blank", "passed" if passed else "failed", f"{verdict}.",
        {
            "log_dn": (("sky", "log_l"), np.stack(list(told.values())), "log10(1)", text),
            "prior": (("log_l",), prior, "log10(1)", f"{text}, mean of the training maps"),
            "prior_width": (("log_l",), width, "dex", "its standard deviation over training maps"),
        } | numbers,
        log_l=data_train["counts"]["log_l"], sky=(list(told), "", "map without signal"),
    )  # fmt: skip


def _blank(data, n):
    """Return `n` maps of zeros on the voxels of a data set."""
    one = data["map"].isel(sample=np.zeros(n, dtype=int))
    return one.copy(data=np.zeros(one.shape, one.dtype))


def _without_noise(experiment):
    return experiment.replace(sigma_noise=0.0)


def _with_noise(experiment):
    """Return the experiment with noise, or None where its transform takes no negative voxel."""
    if experiment.observing.sigma_noise > 0:
        return experiment
    if experiment.preprocessing.transform == "log10":
        return None
    return experiment.replace(sigma_noise=NOTES_NOISE, noise_convention="fine_voxel")


def _in_words(kinds, most, sky):
    largest = most[f"largest_dn_{sky}"]
    number = f"{largest:.0f}" if TEN <= largest < MILLION else f"{largest:.2g}"
    return f"{IN_WORDS[kinds[sky]]} (at most {number} in a bin)"
