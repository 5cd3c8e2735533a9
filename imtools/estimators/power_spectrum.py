"""The conventional analysis as an estimator: power spectrum and voxel intensities, then a chain."""

import zlib
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from imtools.estimators.base import QUANTILES, Estimator, check_sides, common
from imtools.inference import (
    Likelihood,
    Posterior,
    PriorDraws,
    draw_counts,
    fit_likelihood,
    map_features,
    normals,
    run_chain,
    sample_prior,
)
from imtools.inference.chain import MAX_STEPS

SAMPLERS = ("importance", "emcee")
N_PRIOR = 20_000  # draws of the prior that all maps share
N_POSTERIOR = 1000  # draws of a posterior that are kept, of which quantiles are taken
LEAST_ESS = 100.0  # effective draws; where weights leave fewer, a chain tells
N_KEPT = 10_000  # maps whose posterior is kept: 24 to 40 MB a thousand


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerSpectrum(Estimator):
    """Posterior of a luminosity model's parameters, and of the counts of the map's own field."""

    likelihood: Likelihood
    prior: PriorDraws
    sampler_name: str  # "importance" or "emcee"
    floor: float  # sources that an empty bin stands for under a logarithm
    seed: int  # of the draws behind quantiles
    chain_steps: int = MAX_STEPS  # at most, of a chain, converged or not
    kept: dict = field(default_factory=dict, init=False, repr=False)  # posteriors, by features

    def inputs(self, maps, experiment, rng=None):
        """Return power spectrum and voxel intensities of the maps as observed."""
        return map_features(maps, experiment, rng).values

    def answer(self, inputs):
        """Return what `sampler` draws from: the features themselves."""
        return inputs

    def sampler(self, rng):
        """Return a function of (features, n_draws) that draws log10 dN, (n, n_draws, n_bins)."""

        def sample(features, n_draws):
            return np.array([self.log_counts(x, n_draws, rng) for x in features])

        return sample

    def quantiles(self, inputs):
        """Return quantiles of the counts in the field, shape (n, quantile, n_bins)."""
        rng = np.random.default_rng([self.seed, 9])
        each = (self.log_counts(x, N_POSTERIOR, rng) for x in inputs)
        return np.array([np.quantile(draws, QUANTILES, axis=0) for draws in each])

    def point(self, inputs):
        """Return the medians."""
        return self.quantiles(inputs)[:, QUANTILES.index(0.5)]

    def log_counts(self, x, n, rng):
        """Return draws of log10 dN in the field, shape (n, n_bins), from the features of a map."""
        dn = draw_counts(self.likelihood, self.parameters(x, n, rng), rng=rng)
        return np.log10(np.maximum(dn.values, self.floor))

    def parameters(self, x, n, rng):
        """Return draws of the parameters as standard normals, (n, n_dim), from features.

        Each map's posterior is explored once, from a seed that its features give: prediction,
        calibration and corner plot then show the same one.
        """
        key = np.ascontiguousarray(x).tobytes()
        if key not in self.kept:
            if len(self.kept) >= N_KEPT:
                self.kept.clear()
            self.kept[key] = self._explored(x, np.random.default_rng([self.seed, zlib.crc32(key)]))
        u = self.kept[key]
        if n > len(u):
            return u[rng.integers(len(u), size=n)]
        return u[rng.permutation(len(u))[:n]]

    def _explored(self, x, rng):
        """Return ``N_POSTERIOR`` draws of the posterior of one map, as standard normals."""
        posterior = Posterior(likelihood=self.likelihood, x=x)
        if self.sampler_name == "importance":
            weighted = sample_prior(posterior, rng=rng, draws=self.prior)
            if weighted.ess >= LEAST_ESS:
                return weighted.u[weighted.resample(N_POSTERIOR, rng)]
        chain = run_chain(posterior, rng=rng, max_steps=self.chain_steps)
        u = normals(chain, self.likelihood.emulator.space)
        return u[rng.integers(len(u), size=N_POSTERIOR)]

    def parameter_draws(self, maps, experiment, rng=None, n_draws=500):
        """Return draws of the luminosity model's parameters from the posterior of each map.

        Parameters
        ----------
        maps, experiment, rng
            As `predict` takes; the same seed gives a map the same noise.
        n_draws : int
            Draws a map.

        Returns
        -------
        xarray.DataArray, dims ("sample", "draw", "parameter")
            float32, each parameter in its own unit.
        """
        space, inputs = self.likelihood.emulator.space, self.inputs(maps, experiment, rng)
        rng = np.random.default_rng([self.seed, 11])
        values = [space.parameters(self.parameters(x, n_draws, rng)) for x in inputs]
        attrs = {"units": "1", "long_name": "parameters, each in its own unit"}
        return xr.DataArray(
            np.array(values, dtype=np.float32), dims=("sample", "draw", "parameter"),
            coords={"parameter": list(space.names)}, attrs=attrs, name="draws",
        )  # fmt: skip


def fit_pk_vid(
    experiment, data_train, data_validation, run_dir=None, *, parts="pk_vid",
    sampler="importance", **simulations,
):  # fmt: skip
    """Fit the conventional analysis: emulator, covariance and likelihood of an experiment's maps.

    Parameters
    ----------
    experiment : Experiment
        Its noise, filter, luminosity model and prior.
    data_train : xarray.Dataset
        Variables ``map``, ``counts`` and ``parameters`` over ``sample``: what the emulator learns.
    data_validation : xarray.Dataset
        Maps of other catalogues, which choose its polynomials and measure its error.
    run_dir : path-like, optional
        Not used; emulator and covariance are kept under `run_folder.data_root`, for all runs.
    parts : {"pk_vid", "pk", "vid"}
        Power spectrum, voxel intensities, or both.
    sampler : {"importance", "emcee"}
        Weights on draws, for many maps, with a chain where few draws carry the weight; or a chain
        for each map.
    **simulations
        ``folder``, ``n_catalogues``, ``n_draws`` and ``progress``, handed to
        `inference.fit_likelihood`.

    Returns
    -------
    PowerSpectrum
        Named ``mcmc_`` and its parts.

    Raises
    ------
    ValueError
        If parts or sampler are unknown, the experiment spans no `inference.Space`, a side has no
        maps, or both share a catalogue.
    """
    if sampler not in SAMPLERS:
        msg = f"fit_pk_vid: sampler is {sampler!r}, expected one of {', '.join(SAMPLERS)}"
        raise ValueError(msg)
    check_sides(data_train, data_validation, caller="fit_pk_vid")
    likelihood = fit_likelihood(experiment, data_train, data_validation, parts=parts, **simulations)
    rng = np.random.default_rng([experiment.data.seed, 10])
    return PowerSpectrum(
        **common(f"mcmc_{parts}", experiment, data_train),
        likelihood=likelihood, prior=PriorDraws.of(likelihood, N_PRIOR, rng=rng),
        sampler_name=sampler, floor=experiment.counts.floor, seed=experiment.data.seed,
    )  # fmt: skip
