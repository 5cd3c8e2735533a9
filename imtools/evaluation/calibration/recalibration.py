"""Intervals mended by what validation catalogues show of them: split-conformal recalibration."""

import copy
import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from imtools.counts import count_cells
from imtools.estimators.base import N_DRAWS, QUANTILES, Estimator
from imtools.evaluation.calibration.checks import chunks
from imtools.evaluation.calibration.tables import RECALIBRATED
from imtools.statistics import scores_between, scores_of, values_at

KNOTS = (0.025, 0.07, 0.16, 0.25, 0.5, 0.75, 0.84, 0.93, 0.975)  # probabilities that are mended
FARTHEST = 10.0  # score of a truth at most: no interval becomes more than five times as wide
LEAST_MAPS = 39  # fewer have no quantile at 0.025
N_TURNS = 20  # of placing truths within their cells
N_LADDERS = 256  # sets of probabilities that the draws of a map, in order, are given


@dataclass(frozen=True, kw_only=True, eq=False)
class Recalibrated(Estimator):
    """An estimator whose quantiles are taken where validation truths say that they lie."""

    base: Estimator  # what is mended
    scores: np.ndarray  # its own standard normal score at each of ``KNOTS``, (knot, log_l)

    def point(self, inputs):
        """Return the mended medians."""
        return self.quantiles(inputs)[:, QUANTILES.index(0.5)]

    def inputs(self, maps, experiment, rng=None):
        """Return what the estimator reads."""
        return self.base.inputs(maps, experiment, rng)

    def quantiles(self, inputs):
        """Return the mended quantiles."""
        return self._mended(self.base.quantiles(inputs))

    def predict(self, maps, experiment, rng=None):
        """Return quantiles of log10 dN, as `Estimator.predict` does."""
        own = self.base.predict(maps, experiment, rng)
        return own.copy(data=self._mended(own.values))

    def median(self, maps, experiment, rng=None):
        """Return the mended medians alone, shape (n, n_bins)."""
        return self.predict(maps, experiment, rng).sel(quantile=0.5).values

    def draws(self, maps, experiment, rng, n_draws=N_DRAWS):
        """Return draws of log10 dN, as `Estimator.draws` does.

        Each bin's draws keep their order, and with it how bins depend on each other; their values
        are those of the mended quantiles.
        """
        own = self.base.predict(maps, experiment, copy.deepcopy(rng)).values
        drawn = self.base.draws(maps, experiment, rng, n_draws)
        values, n_bins = drawn.values, self.scores.shape[1]
        # in order, but as far apart as draws are: even steps would make ranks of few sources uneven
        ladders = ndtri(np.sort(rng.random((N_LADDERS, n_draws)), axis=1))[:, :, None]
        scores = values_at(self.scores[None], KNOTS, ladders).astype(np.float32)
        for some in chunks(values):
            # equals in random order: that of the draws would tie the bins to each other
            order = values[some] + 1e-5 * rng.random(values[some].shape, dtype=np.float32)
            rank = order.argsort(axis=1).argsort(axis=1)
            which = rng.integers(N_LADDERS, size=(len(rank), 1, 1))
            values[some] = values_at(own[some], QUANTILES, scores[which, rank, np.arange(n_bins)])
        np.maximum(values, np.float32(np.log10(experiment.counts.floor)), out=values)
        return drawn.copy(data=values)

    def _mended(self, own):
        asked = values_at(self.scores[None], KNOTS, ndtri(QUANTILES)[None, :, None])
        return values_at(own, QUANTILES, asked)


def recalibrated(estimator, data_validation, experiment):
    """Return an estimator whose intervals hold their share of the validation truths.

    Parameters
    ----------
    estimator : Estimator
        Fitted.
    data_validation : xarray.Dataset
        Variables ``map`` and ``counts`` over ``sample``: maps of catalogues that it was not
        trained on. No test map may be among them.
    experiment : Experiment
        Its noise is added.

    Returns
    -------
    Recalibrated
        Named as the estimator and ``_recalibrated``.

    Warns
    -----
    UserWarning
        If there are fewer than 39 maps, which have no quantile at 0.025.

    Notes
    -----
    Each truth has a score among the quantiles of its own map, standard normal if they are right.
    The quantile at probability p then becomes the estimator's own at the score that a share p of
    the validation truths lies below: the k-th of n scores in order, with k = p (n + 1) rounded
    outwards. Each bin is mended alone, and all maps alike: what is right on average may still be
    too wide for bright maps and too narrow for faint ones. For maps that are exchangeable with
    those of validation the intervals hold their share; maps of one catalogue are not independent,
    so few catalogues make it uncertain.

    References
    ----------
    .. [1] Chernozhukov, Wuethrich & Zhu 2021, PNAS 118, e2107794118 (conformal, by distribution)
    .. [2] Kuleshov, Fenner & Ermon 2018, ICML 80, 2796, arXiv:1807.00263 (recalibrated quantiles)
    """
    n_maps = data_validation.sizes["sample"]
    if n_maps < LEAST_MAPS:
        msg = (
            f"recalibrated: {n_maps} validation maps, expected at least {LEAST_MAPS} for a "
            "quantile at 0.025; 95 % intervals end at the extremes"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    rng = np.random.default_rng([experiment.data.seed, 5])
    own = estimator.predict(data_validation["map"], experiment, rng)
    cells = count_cells(data_validation["counts"].values, experiment.counts.floor)
    ends = [np.clip(scores_of(own.values, QUANTILES, e), -FARTHEST, FARTHEST) for e in cells]
    scores = _fitted(*ends, rng.random(ends[0].shape))
    return Recalibrated(
        name=f"{estimator.name}{RECALIBRATED}", maps=estimator.maps, transform=estimator.transform,
        log_l_edges=estimator.log_l_edges, base=estimator, scores=scores,
    )  # fmt: skip


def _fitted(low, high, share):
    """Return the scores at each of ``KNOTS`` for truths between two scores of their own maps.

    Counts are whole numbers, so a truth may lie anywhere in a cell, and is placed there as the
    mended distribution has it: in turns, from one that is not mended yet.
    """
    scores = ndtri(KNOTS)[:, None] + np.zeros(low.shape[1])
    for _ in range(N_TURNS):
        ends = (scores_of(scores[None], KNOTS, end) for end in (low, high))
        placed = values_at(scores[None], KNOTS, scores_between(*ends, share)[:, None])[:, 0]
        scores = _conformal(np.sort(np.clip(placed, low, high), axis=0))
    return scores


def _conformal(ordered):
    """Return the scores, in order along axis 0, at each of ``KNOTS``, rounded outwards."""
    n, rows = len(ordered), []
    for p in KNOTS:
        at = p * (n + 1) - 1
        ends = {-1: (np.floor,), 0: (np.floor, np.ceil), 1: (np.ceil,)}[int(np.sign(p - 0.5))]
        index = [int(np.clip(end(at), 0, n - 1)) for end in ends]
        rows.append(ordered[index].mean(axis=0))
    return np.stack(rows)
