"""Posteriors that are known in closed form: counts whose logarithm is Gaussian, seen with noise."""

import numpy as np
import xarray as xr

from imtools.counts import luminosity_function

N_BINS = 6
EDGES = np.logspace(4, 5.5, N_BINS + 1)
CENTRE = 4.0  # log10 of a typical count: whole numbers lie close
NOISE = 0.2  # dex, of what is seen
KINDS = ("right", "narrow", "wide", "shifted", "unrelated", "prior")


def prior_covariance():
    """Return the covariance of log10 dN: mostly all bins together, 0.4 dex wide."""
    return 0.15 * np.ones((N_BINS, N_BINS)) + 0.01 * np.eye(N_BINS)


def posterior():
    """Return the matrix from what is seen to the posterior mean, and the posterior covariance."""
    prior = prior_covariance()
    gain = prior @ np.linalg.inv(prior + NOISE**2 * np.eye(N_BINS))
    return gain, prior - gain @ prior


def toy_truth(n_catalogues, n_draws, seed, *, shared=0.3):
    """Return what is seen (sample, log_l), true dN as a DataArray, and the catalogue of each map.

    A share of the prior's variance is common to the maps of a catalogue.
    """
    rng = np.random.default_rng([seed, 17])
    n, root = n_catalogues * n_draws, np.linalg.cholesky(prior_covariance())
    catalogue = np.repeat(np.arange(n_catalogues), n_draws)
    common = (rng.standard_normal((n_catalogues, N_BINS)) @ root.T)[catalogue]
    own = rng.standard_normal((n, N_BINS)) @ root.T
    log_dn = CENTRE + np.sqrt(shared) * common + np.sqrt(1 - shared) * own
    truth = luminosity_function(np.round(10**log_dn), EDGES)
    return log_dn + NOISE * rng.standard_normal(log_dn.shape), truth, catalogue


def toy_draws(seen, truth, kind="right", *, n_draws=100, seed=0):
    """Return draws of log10 dN as a DataArray; `kind` says what is wrong with them."""
    rng = np.random.default_rng([seed, 18])
    gain, covariance = posterior()
    mean = CENTRE + (seen - CENTRE) @ gain.T
    normals = rng.standard_normal((len(seen), n_draws, N_BINS))
    about = normals @ np.linalg.cholesky(covariance).T
    width = np.sqrt(np.diag(covariance))
    values = mean[:, None] + {"narrow": 0.6, "wide": 1.6}.get(kind, 1.0) * about
    if kind == "shifted":
        values = values + width
    if kind == "unrelated":  # each bin right, and all of them strangers to each other
        values = mean[:, None] + normals * width
    if kind == "prior":
        values = CENTRE + normals @ np.linalg.cholesky(prior_covariance()).T
    return xr.DataArray(
        values.astype(np.float32),
        dims=("sample", "draw", "log_l"),
        coords={"log_l": truth["log_l"]},
        attrs={"units": "log10(1)", "log_l_edges": truth.attrs["log_l_edges"]},
    )
