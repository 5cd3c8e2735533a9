"""What lies between the sky and a map: beam, foregrounds, interlopers, noise and filters."""

from imtools.observing.beam import finer, smooth_beam, to_survey
from imtools.observing.noise import (
    CONVENTIONS,
    REFERENCE_DELTA_NU,
    REFERENCE_PIXEL,
    add_white_noise,
    noise_per_voxel,
    pooled_noise,
    voxel_noise,
)

__all__ = [
    "CONVENTIONS",
    "REFERENCE_DELTA_NU",
    "REFERENCE_PIXEL",
    "add_white_noise",
    "finer",
    "noise_per_voxel",
    "pooled_noise",
    "smooth_beam",
    "to_survey",
    "voxel_noise",
]
