"""From power spectrum and voxel intensities to parameters: the conventional analysis.

The prior is a space of standard normals; an emulator gives means over it; a Gaussian likelihood
with a covariance from simulated catalogues weighs them; a chain, or weights on draws of the prior,
give the posterior.
"""

from imtools.inference.chain import normals, run_chain
from imtools.inference.covariance import Covariance, fiducial_experiment, fit_covariance
from imtools.inference.emulator import Emulator, fit_emulator
from imtools.inference.features import PARTS, map_features
from imtools.inference.field import FieldScatter, field_scatter_of
from imtools.inference.importance import PriorDraws, Weighted, sample_prior
from imtools.inference.likelihood import Likelihood, Posterior, fit_likelihood
from imtools.inference.predictive import draw_counts
from imtools.inference.space import Space

__all__ = [
    "PARTS",
    "Covariance",
    "Emulator",
    "FieldScatter",
    "Likelihood",
    "Posterior",
    "PriorDraws",
    "Space",
    "Weighted",
    "draw_counts",
    "fiducial_experiment",
    "field_scatter_of",
    "fit_covariance",
    "fit_emulator",
    "fit_likelihood",
    "map_features",
    "normals",
    "run_chain",
    "sample_prior",
]
