"""Maps turned, shuffled and swapped, to see what the answer follows."""

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

LEAST_TOLD = 1e-3  # dex, below which a change is rounding
FOLLOWS = 0.8  # an error of that share of the error with a swapped map, and less, follows the map


def quarter_turn(maps, rng=None):
    """Return maps turned by a quarter about the line of sight, on the same pixels."""
    turned = maps.transpose(..., "dec", "ra").values.swapaxes(-1, -2)[..., ::-1, :]
    return maps.copy(data=np.ascontiguousarray(turned))


def reverse_frequencies(maps, rng=None):
    """Return maps whose first channel holds what the last one held."""
    return maps.copy(data=maps.isel(freq=slice(None, None, -1)).values)


def permute_voxels(maps, rng):
    """Return maps whose voxels have changed places at random, each map in another order."""
    flat = maps.values.reshape(maps.sizes["sample"], -1)
    return maps.copy(data=rng.permuted(flat, axis=1).reshape(maps.shape))


def shuffle_labels(data, rng):
    """Return a data set in which each map has the counts of another: nothing is left to learn."""
    order = rng.permutation(data.sizes["sample"])
    return data.assign(counts=data["counts"].copy(data=data["counts"].values[order]))


SHUFFLES = {
    "quarter turn": quarter_turn,
    "voxels permuted": permute_voxels,
    "frequencies reversed": reverse_frequencies,
}


def shuffled(method, data, experiment, *, seed):
    """Shuffle maps in ways that leave their counts as they were, and see the answer change.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data : xarray.Dataset
        Maps that the method has not seen.
    experiment : Experiment
        That of the fit.
    seed : int
        Of noise and order; the noise is shuffled with the map.

    Returns
    -------
    xarray.Dataset
        ``change`` (shuffle, log_l), the rms change of the answer [dex]; ``error`` (log_l), the rms
        error of the answer to the maps as they are. A quarter turn makes an equally likely sky:
        passed if it changes the answer by no more than its error. Voxels out of place say what is
        read beside brightness, and frequencies reversed put every source at another distance.
    """
    maps, truth = as_observed(data["map"], experiment, seed), log_truth(data, experiment)
    before, rng = answers(method, maps, experiment), np.random.default_rng([seed, 9])
    change = {
        name: rms(answers(method, shuffle(maps, rng), experiment) - before)
        for name, shuffle in SHUFFLES.items()
    }
    error, dn = rms(before - truth), data["counts"]
    turn, permuted, backwards = (typical(values, dn) for values in change.values())
    usual = typical(error, dn)
    verdict = (
        f"A quarter turn changes the answer by {_dex(turn)} dex, its error being {_dex(usual)}; "
        f"voxels out of place change it by {_dex(permuted)}, frequencies reversed by "
        f"{_dex(backwards)}."
    )
    return judged(
        "shuffled", "passed" if turn <= usual else "failed", verdict,
        {
            "change": (
                ("shuffle", "log_l"), np.stack(list(change.values())), "dex",
                "rms change of the answer",
            ),
            "error": (("log_l",), error, "dex", "rms error of the answer"),
            "change_by_turn": ((), turn, "dex", "rms change under a quarter turn"),
            "change_by_permutation": ((), permuted, "dex", "rms change, voxels permuted"),
            "change_by_reversal": ((), backwards, "dex", "rms change, frequencies reversed"),
        },
        log_l=dn["log_l"], shuffle=(list(change), "", "what was done to the map"),
    )  # fmt: skip


def swapped(method, data, experiment, *, seed):
    """Give each map's answer to the other maps of its catalogue, and see the error grow.

    Parameters
    ----------
    method, data, experiment, seed
        As in `shuffled`; a catalogue has at least two maps.

    Returns
    -------
    xarray.Dataset
        ``error_own`` and ``error_other`` (log_l) [dex]: of answers against the truth of their own
        map, and of the other maps with the same haloes; ``share``, the typical ratio of the two.
        Passed if it is below 0.8, what a correlation of 0.5 gives. A method that knows the
        catalogue again, or has not looked, errs alike in both.

    Raises
    ------
    ValueError
        If no catalogue has two maps.
    """
    log_dn = answers(method, as_observed(data["map"], experiment, seed), experiment)
    truth, catalogue = log_truth(data, experiment), data["catalogue"].values
    others = []
    for name in np.unique(catalogue):
        rows = np.flatnonzero(catalogue == name)
        for shift in range(1, rows.size):
            others.append(log_dn[rows] - truth[np.roll(rows, shift)])
    if not others:
        msg = f"swapped: {catalogue.size} maps, no two of a catalogue; set n_draws to 2 or more"
        raise ValueError(msg)
    own, other, dn = rms(log_dn - truth), rms(np.concatenate(others)), data["counts"]
    share = typical(ratio(own, other), dn)
    passed = share < FOLLOWS
    verdict = (
        f"The error is {share:.2f} of what it is against another map of the same haloes: "
        f"the answer {'follows the map' if passed else 'does not follow the map'}."
    )
    text = "rms error of log10 dN, {} map"
    return judged(
        "swapped", "passed" if passed else "failed", verdict,
        {
            "error_own": (("log_l",), own, "dex", text.format("own")),
            "error_other": (("log_l",), other, "dex", text.format("another")),
            "share": ((), share, "1", "error with the own map over that with another"),
        },
        log_l=dn["log_l"],
    )  # fmt: skip


def _dex(value):
    return f"{value:.2g}" if value >= LEAST_TOLD else "less than 0.001"
