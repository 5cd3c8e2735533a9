"""What a map is compressed to: its power spectrum and the distribution of its voxels."""

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
    "power_spectrum",
    "power_spectrum_2d",
    "vid",
]
