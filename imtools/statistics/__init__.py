"""What a map is compressed to: its power spectrum, the distribution of its voxels, and both."""

from imtools.statistics.covariance import joint_covariance, joint_features, rescale_covariance
from imtools.statistics.power import (
    K_EDGES,
    ComovingBox,
    comoving_box,
    power_spectrum,
    power_spectrum_2d,
)
from imtools.statistics.vid import TEMP_EDGES, vid

__all__ = [
    "K_EDGES",
    "TEMP_EDGES",
    "ComovingBox",
    "comoving_box",
    "joint_covariance",
    "joint_features",
    "power_spectrum",
    "power_spectrum_2d",
    "rescale_covariance",
    "vid",
]
