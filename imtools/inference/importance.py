"""The posterior by weights on draws, without a chain: cheap for thousands of maps, and a check."""

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

ENOUGH = 400.0  # effective draws, from which weights need no better proposal
N_REFINED = 4000  # draws of a proposal
N_ROUNDS = 8  # proposals at most, each from the weights of the last
FREEDOM = 5.0  # degrees of the t distribution, whose tails are wider than the posterior's
FEW = 100.0  # effective draws that a proposal is made of; weights on fewer are flattened first
LEAST_SPREAD = 1e-6  # of a proposal, in units of the prior


@dataclass(frozen=True, kw_only=True, eq=False)
class Weighted:
    """Draws with weights that make them a sample of a posterior."""

    u: np.ndarray  # normals of the parameters, shape (n, n_dim)
    log_weight: np.ndarray  # normalised, shape (n,)

    @property
    def ess(self):
        """Effective number of draws, 1 / sum of squared weights."""
        return float(np.exp(-logsumexp(2 * self.log_weight)))

    def resample(self, n, rng):
        """Return which `n` draws stand for the posterior, with replacement, evenly spaced."""
        edges = np.cumsum(np.exp(self.log_weight))
        places = (rng.random() + np.arange(n)) / n * edges[-1]
        chosen = np.minimum(np.searchsorted(edges, places), len(edges) - 1)
        return rng.permutation(chosen)

    def moments(self):
        """Return mean and covariance."""
        weight = np.exp(self.log_weight)
        mean = weight @ self.u
        return mean, (self.u - mean).T @ ((self.u - mean) * weight[:, None])

    def flattened(self, ess):
        """Return the draws with a power of their weights, so low that they are worth `ess`."""
        low, high = 0.0, 1.0
        if self.ess >= ess:
            return self
        for _ in range(20):
            middle = (low + high) / 2
            flat = _normalised(self.u, middle * self.log_weight)
            low, high = (middle, high) if flat.ess > ess else (low, middle)
        return flat


@dataclass(frozen=True, kw_only=True, eq=False)
class PriorDraws:
    """Draws of a prior with the features expected there: made once, used for every map."""

    likelihood: object
    u: np.ndarray  # shape (n, n_dim)
    mean: np.ndarray  # features, float32, shape (n, n_used)
    scale: np.ndarray  # their scale, likewise

    @classmethod
    def of(cls, likelihood, n, *, rng):
        """Return `n` draws of the prior of a likelihood."""
        u = likelihood.emulator.space.draw(n, rng=rng)
        mean, scale = (a.astype(np.float32) for a in likelihood.predicted(u))
        return cls(likelihood=likelihood, u=u, mean=mean, scale=scale)

    def weighted(self, x):
        """Return the draws weighted by the likelihood of features `x`."""
        x = np.asarray(x, dtype=np.float32)
        return _normalised(self.u, self.likelihood.log_density(x, self.mean, self.scale))


def sample_prior(posterior, n=100_000, *, rng, draws=None, refine=True):
    """Return the posterior of a map by importance weights.

    Parameters
    ----------
    posterior : Posterior
        Of one map.
    n : int
        Draws of the prior.
    rng : numpy.random.Generator
        Source of the draws.
    draws : PriorDraws, optional
        Made before, for many maps; `n` is then theirs.
    refine : bool
        Where few draws carry the weight, draw from a t distribution with their moments instead, a
        few times, the weights flattened where fewer than a hundred carry them; the prior alone is
        enough where it is not much wider than the posterior.

    Returns
    -------
    Weighted
        ``ess`` says how many draws it is worth. Below a hundred, run a chain.
    """
    draws = draws or PriorDraws.of(posterior.likelihood, n, rng=rng)
    weighted = draws.weighted(posterior.x)
    best = weighted
    for _ in range(N_ROUNDS):
        if not refine or best.ess >= ENOUGH:
            break
        weighted = _refined(posterior, weighted, rng)
        best = max(best, weighted, key=lambda w: w.ess)
    return best


def _refined(posterior, weighted, rng):
    """Return draws of a t distribution with the moments of weighted draws, weighted in turn."""
    mean, covariance = weighted.flattened(FEW).moments()
    n_dim = mean.size
    root = np.linalg.cholesky(covariance + LEAST_SPREAD**2 * np.eye(n_dim))
    normal = rng.standard_normal((N_REFINED, n_dim))
    stretch = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, N_REFINED))
    u = mean + (normal * stretch[:, None]) @ root.T
    square = np.sum(normal**2, axis=1) * stretch**2
    log_q = (
        gammaln((FREEDOM + n_dim) / 2) - gammaln(FREEDOM / 2)
        - n_dim / 2 * np.log(FREEDOM * np.pi) - np.log(np.diag(root)).sum()
        - (FREEDOM + n_dim) / 2 * np.log1p(square / FREEDOM)
    )  # fmt: skip
    return _normalised(u, posterior.log_prob(u) - log_q)


def _normalised(u, log_weight):
    if not np.isfinite(log_weight.max()):
        msg = "sample_prior: no draw is possible; is the map one of this survey?"
        raise ValueError(msg)
    log_weight = np.asarray(log_weight, dtype=float)
    return Weighted(u=u, log_weight=log_weight - logsumexp(log_weight))
