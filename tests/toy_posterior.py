"""A posterior whose answer is known: features linear in the parameters, Gaussian errors."""

from dataclasses import dataclass

import numpy as np

from imtools.experiment import Experiment
from imtools.inference import FieldScatter, Likelihood, Posterior, Space

LARGE = 1e6  # mean of all features: their errors then hardly change with the parameters
SIGMA = 60.0  # error of each feature


@dataclass(frozen=True)
class LinearEmulator:
    """Eight features and three bins of counts, linear in five normals."""

    space: Space
    statistic: np.ndarray
    slopes: np.ndarray  # shape (n_dim, n_features)
    log_l_edges: np.ndarray
    members: tuple = (0, 1)

    def features(self, u):
        return LARGE + np.atleast_2d(u) @ self.slopes

    def counts(self, u, *, member=None):
        return 10 ** (np.array([2.0, 1.0, -3.0]) + 0.1 * np.atleast_2d(u)[:, :1])


def toy_likelihood(*, parts="pk_vid", n_catalogues=0, prior="ten_percent", spread=30.0):
    space = Space.of(Experiment(luminosity={"prior": prior}))
    slopes = np.random.default_rng(5).normal(0, spread, (space.n_dim, 8))
    emulator = LinearEmulator(
        space=space, statistic=np.array(["pk"] * 4 + ["vid"] * 4), slopes=slopes,
        log_l_edges=np.array([4.0, 5.0, 6.0, 7.0]),
    )  # fmt: skip
    unit = np.array([LARGE] * 4 + [np.sqrt(LARGE)] * 4)  # what `error_scale` is there
    field = FieldScatter(loading=np.full(3, 0.1), rest=np.zeros(3))
    return Likelihood(
        emulator=emulator, scaled=np.diag((SIGMA / unit) ** 2), parts=parts,
        n_catalogues=n_catalogues, of_field=field,
    )  # fmt: skip


def toy_posterior(likelihood, seed=1):
    """Return the posterior of features drawn at u = (0.3, -0.5, 1, 0, 0.2)."""
    truth = np.array([0.3, -0.5, 1.0, 0.0, 0.2])
    noise = np.random.default_rng(seed).normal(0, SIGMA, 8)
    return Posterior(likelihood=likelihood, x=LARGE + truth @ likelihood.emulator.slopes + noise)


def analytic(posterior):
    """Return mean and covariance of the posterior, prior a unit normal."""
    likelihood = posterior.likelihood
    slopes = likelihood.emulator.slopes[:, likelihood.used]
    residual = (posterior.x - LARGE)[likelihood.used]
    precision = np.eye(len(slopes)) + slopes @ slopes.T / SIGMA**2
    covariance = np.linalg.inv(precision)
    return covariance @ slopes @ residual / SIGMA**2, covariance
