"""How likely a map's power spectrum and voxel intensities are, and the posterior they give."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from scipy.linalg import solve_triangular

from imtools.inference.covariance import fit_covariance
from imtools.inference.emulator import Emulator, fit_emulator
from imtools.inference.features import PARTS, error_scale, is_power
from imtools.inference.field import FieldScatter

SIGNIFICANT = 2.0  # standard errors, from which maps held out widen the covariance
N_BOOTSTRAP = 200  # of the catalogues held out
LEAST_CATALOGUES = 4  # held out, to tell
N_PRIOR = 2000  # draws of the prior that tell how much of it the emulator knows
FAR = 1.0  # spreads beyond the training maps, where an emulator says what it says at their edge
MAX_SHARE_FAR = 0.01  # of the prior, before one is told


@dataclass(frozen=True, kw_only=True, eq=False)
class Likelihood:
    r"""Gaussian in features, with a covariance that moves with the mean.

    Notes
    -----
    :math:`C = S R S`, S diagonal with `error_scale` of the mean and R fixed, so that R is inverted
    once. Where R was estimated from n catalogues the result is Sellentin & Heavens' t distribution,
    :math:`-\frac{n}{2} \ln[1 + \chi^2 / (n - 1)]`, which is what a Gaussian becomes when the
    covariance is not known but estimated; the often used factor of Hartlap et al. only widens it.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487
    .. [2] Sellentin & Heavens 2016, MNRAS 456, L132, arXiv:1511.05969
    """

    emulator: Emulator  # or whatever has ``features``, ``statistic`` and ``space``
    scaled: np.ndarray  # R, shape (n_features, n_features), of all features
    n_catalogues: int = 0  # that R was estimated from; 0 where it is known
    parts: str = "pk_vid"  # "pk", "vid" or both
    of_field: FieldScatter = None  # scatter of the counts
    whiten: np.ndarray = field(init=False, repr=False)  # inverse of the root of R, of the parts
    log_det: float = field(init=False, repr=False)  # ln determinant of R, of the parts

    def __post_init__(self):
        if self.parts not in PARTS:
            msg = f"Likelihood: parts is {self.parts!r}, expected one of {', '.join(PARTS)}"
            raise ValueError(msg)
        chosen = self.scaled[np.ix_(self.used, self.used)]
        if not 0 < chosen.shape[0] < (self.n_catalogues or np.inf):
            msg = (
                f"Likelihood: {self.n_catalogues} catalogues for {chosen.shape[0]} features, "
                "expected more; raise n_catalogues in fit_covariance"
            )
            raise ValueError(msg)
        root = np.linalg.cholesky(chosen)
        inverse = solve_triangular(root, np.eye(len(root)), lower=True)
        object.__setattr__(self, "whiten", inverse)
        object.__setattr__(self, "log_det", 2 * float(np.log(np.diag(root)).sum()))

    @property
    def used(self):
        """Which features it looks at."""
        return np.isin(self.emulator.statistic, PARTS[self.parts])

    def predicted(self, u):
        """Return the features it expects at normals `u`, and their scale, (n, n_used) each."""
        mean = self.emulator.features(u)[:, self.used]
        return mean, error_scale(mean, is_power(self.emulator.statistic[self.used]))

    def log_density(self, x, mean, scale):
        """Return ln likelihood, shape (n,), of features `x` (n_features,), up to a constant.

        `mean` and `scale` are from `predicted`, and may be used for many maps.
        """
        residual = (np.asarray(x)[self.used] - mean) / scale
        white = residual @ self.whiten.T.astype(residual.dtype)
        chi2 = np.einsum("ij,ij->i", white, white)
        if self.n_catalogues:
            n = self.n_catalogues
            chi2 = n * np.log1p(chi2 / (n - 1))
        return -0.5 * (chi2 + self.log_det) - np.log(scale).sum(axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Posterior:
    """Prior and likelihood of one map."""

    likelihood: Likelihood
    x: np.ndarray  # the map's features, all of them

    @property
    def space(self):
        """The space of its parameters."""
        return self.likelihood.emulator.space

    def log_prob(self, u):
        """Return ln of prior times likelihood, shape (n,), at normals of shape (n, n_dim)."""
        u = np.atleast_2d(u)
        log_p = self.space.log_prior(u)
        inside = np.isfinite(log_p)
        if inside.any():
            mean, scale = self.likelihood.predicted(u[inside])
            log_p[inside] += self.likelihood.log_density(self.x, mean, scale)
        return log_p


def fit_likelihood(
    experiment, data_train, data_validation, *, parts="pk_vid", folder=None, **simulations
):
    """Return the likelihood of an experiment's maps; what was made before is read.

    Parameters
    ----------
    experiment : Experiment
        Survey, noise, filter, luminosity model and prior.
    data_train, data_validation : xarray.Dataset
        As `fit_emulator` takes.
    parts : {"pk_vid", "pk", "vid"}
        Power spectrum, voxel intensities, or both.
    folder : path-like, optional
        Keeps emulator and covariance, by default each where it belongs.
    **simulations
        ``n_catalogues``, ``n_draws`` and ``progress``, handed to `fit_covariance`.

    Notes
    -----
    The error of the emulator, from its members, adds to the covariance. Where residuals of the
    validation maps are wider still, by more than two standard errors, the rest adds to the
    diagonal: there the polynomial, or the way the covariance moves with the mean, is wrong.

    Warns
    -----
    UserWarning
        If more than a hundredth of the prior is far from all training maps.
    """
    emulator = fit_emulator(experiment, data_train, data_validation, folder)
    rng = np.random.default_rng([experiment.data.seed, 12])
    far = emulator.share_outside(emulator.space.draw(N_PRIOR, rng=rng), slack=FAR)
    if far > MAX_SHARE_FAR:
        msg = (
            f"fit_likelihood: {far:.1%} of the prior is far from all {emulator.facts['n_maps']} "
            "maps that the emulator was fitted to, and intervals there will be wrong; more "
            "training maps, or a narrower prior, would mend that"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    covariance = fit_covariance(experiment, folder, **simulations)
    scaled = covariance.scaled + emulator.error
    excess = validation_excess(
        emulator.residuals, emulator.residual_catalogue, np.diag(scaled),
        rng=np.random.default_rng([experiment.data.seed, 8]),
    )  # fmt: skip
    return Likelihood(
        emulator=emulator, scaled=scaled + np.diag(excess), parts=parts,
        n_catalogues=covariance.n_catalogues, of_field=covariance.field,
    )  # fmt: skip


def validation_excess(residuals, catalogue, variance, *, rng):
    """Return by how much residuals of maps held out are wider than they should be.

    Parameters
    ----------
    residuals : numpy.ndarray, shape (n, n_features)
        Features less their means, in units of `error_scale`.
    catalogue : numpy.ndarray, shape (n,)
        Which catalogue each map shows.
    variance : numpy.ndarray, shape (n_features,)
        Of the residuals, as expected.
    rng : numpy.random.Generator
        Resamples the catalogues.

    Returns
    -------
    numpy.ndarray, shape (n_features,)
        To be added to the variance; 0 where the excess is within two of its standard errors, or
        there are too few catalogues to tell.
    """
    names, member = np.unique(catalogue, return_inverse=True)
    if names.size < LEAST_CATALOGUES:
        return np.zeros(len(variance))
    sums = np.zeros((names.size, len(variance)))
    np.add.at(sums, member, residuals**2)
    n_maps = np.bincount(member)
    drawn = rng.integers(names.size, size=(N_BOOTSTRAP, names.size))
    square = sums[drawn].sum(axis=1) / n_maps[drawn].sum(axis=1)[:, None]
    excess = sums.sum(axis=0) / len(residuals) - variance
    return np.where(excess > SIGNIFICANT * square.std(axis=0), excess, 0.0)
