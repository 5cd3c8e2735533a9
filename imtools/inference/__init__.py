"""From power spectrum and voxel intensities to parameters: the conventional analysis.

The prior is a space of standard normals; an emulator gives means over it; a Gaussian likelihood
with a covariance from simulated catalogues weighs them; a chain, or weights on draws of the prior,
give the posterior.
"""

from imtools.inference.space import Space

__all__ = ["Space"]
