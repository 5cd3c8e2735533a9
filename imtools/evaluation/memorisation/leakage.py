"""Splits made wrong on purpose, to see by how much they flatter.

A memoriser stands beside the methods: it answers with the counts of the most similar map that it
was shown, and shows what a leak is worth at most.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools.datasets import log_counts_array, network_inputs
from imtools.estimators.base import Estimator, check_sides, common, errors_of
from imtools.evaluation.memorisation.answers import (
    answers,
    as_observed,
    judged,
    log_truth,
    ratio,
    rms,
    typical,
)
from imtools.evaluation.memorisation.shuffles import quarter_turn
from imtools.training import voxel_histogram

N_LEVELS = 160
FLATTERED = 0.9  # an error of that share of the honest one, and less, is flattered


@dataclass(frozen=True, kw_only=True, eq=False)
class Memoriser(Estimator):
    """The counts of that training map whose voxel histogram is nearest."""

    edges: np.ndarray  # of the histogram, in scaled temperature
    known: np.ndarray  # square roots of the training maps' histograms, shape (n, n_levels + 2)
    log_dn: np.ndarray  # their log10 dN

    def point(self, inputs):
        """Return what was learnt by heart of the nearest map."""
        asked = np.sqrt(voxel_histogram(inputs, self.edges))
        squares = (asked**2).sum(1)[:, None] + (self.known**2).sum(1) - 2 * asked @ self.known.T
        return self.log_dn[squares.argmin(axis=1)]


def fit_memoriser(experiment, data_train, data_validation, run_dir=None):
    """Learn the training maps by heart; parameters as in `estimators.fit_histogram_regression`."""
    check_sides(data_train, data_validation, caller="fit_memoriser")
    rng = np.random.default_rng([experiment.data.seed, 11])
    inputs = network_inputs(data_train["map"], experiment, rng)
    edges = np.linspace(inputs.min(), inputs.max(), N_LEVELS + 1)
    memoriser = Memoriser(
        **common("memoriser", experiment, data_train), edges=edges,
        known=np.sqrt(voxel_histogram(inputs, edges)),
        log_dn=log_counts_array(data_train, experiment), offsets=None,
    )  # fmt: skip
    residual = log_counts_array(data_validation, experiment) - memoriser.median(
        data_validation["map"], experiment, rng
    )
    return Memoriser(**vars(memoriser) | errors_of(residual))


def wrong_splits(data_train, data_test):
    """Return a test side, and training sides that leak into it, all of one size.

    Parameters
    ----------
    data_train, data_test : xarray.Dataset
        A right split; each test catalogue has at least two maps.

    Returns
    -------
    (xarray.Dataset, dict of str to xarray.Dataset)
        Every other map of the test catalogues; and by the name of the split the training maps:
        "by catalogue" is right, "by map" holds the other maps of the test catalogues, "turned
        copies" holds the test maps themselves, turned by a quarter. Both replace as many maps.
    """
    n = data_test.sizes["sample"]
    test, rest = (data_test.isel(sample=slice(i, n - n % 2, 2)) for i in (0, 1))
    n_leaked = test.sizes["sample"]
    n_kept = data_train.sizes["sample"] - n_leaked
    if n_leaked < 1 or n_kept < 1:
        msg = (
            f"wrong_splits: {n_leaked} maps leak into {data_train.sizes['sample']} training maps, "
            "expected at least 1 and fewer than there are; change n_train, n_test or n_draws"
        )
        raise ValueError(msg)
    rows = np.linspace(0, data_train.sizes["sample"] - 1, n_kept).round().astype(int)
    kept = data_train.isel(sample=rows)
    copies = test.assign(map=quarter_turn(test["map"]))
    return test, {
        "by catalogue": data_train,
        "by map": _joined(kept, rest),
        "turned copies": _joined(kept, copies),
    }


def leakage(fit, data_train, data_validation, data_test, experiment, *, seed):
    """Fit a method on a right split and on two wrong ones, and score it on the same maps.

    Parameters
    ----------
    fit : callable
        ``fit(experiment, data_train, data_validation)`` returns a method.
    data_train, data_validation, data_test : xarray.Dataset
        A right split, see `wrong_splits`.
    experiment : Experiment
        That of the fits.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``error`` (split, log_l) [dex] and ``share`` (split), the typical error over that of the
        right split: below 1 the wrong split flatters. Passed if neither falls below 0.9.
    """
    test, sides = wrong_splits(data_train, data_test)
    maps, truth = as_observed(test["map"], experiment, seed), log_truth(test, experiment)
    errors = []
    for train in sides.values():
        method = fit(experiment, train, data_validation)
        errors.append(rms(answers(method, maps, experiment) - truth))
    dn = test["counts"]
    share = [typical(ratio(error, errors[0]), dn) for error in errors]
    by_map, turned = share[1:]
    verdict = (
        f"Split by map the error is {by_map:.2f} of the honest one, with turned copies of the test "
        f"maps in training {turned:.2f}."
    )
    return judged(
        "leakage", "passed" if min(by_map, turned) > FLATTERED else "failed", verdict,
        {
            "error": (("split", "log_l"), np.stack(errors), "dex", "rms error of log10 dN"),
            "share": (("split",), share, "1", "error over that of the right split"),
        },
        log_l=dn["log_l"], split=(list(sides), "", "how the maps were split"),
    )  # fmt: skip


def _joined(*parts):
    return xr.concat(
        parts, "sample", data_vars="minimal", coords="minimal", compat="override",
        join="override", combine_attrs="drop_conflicts",
    )  # fmt: skip
