"""What lies between the sky and a map: beam, foregrounds, interlopers, noise and filters."""

from imtools.observing.beam import finer, smooth_beam, to_survey
from imtools.observing.filters import (
    applied_filters,
    subtract_mean,
    subtract_pca,
    subtract_polynomial,
)
from imtools.observing.hits import add_noise, hit_map, noise_map
from imtools.observing.lines import line_width
from imtools.observing.noise import (
    CONVENTIONS,
    REFERENCE_DELTA_NU,
    REFERENCE_PIXEL,
    add_white_noise,
    noise_per_voxel,
    pooled_noise,
    voxel_noise,
)
from imtools.observing.transfer import K_EDGES, transfer_function

__all__ = [
    "CONVENTIONS",
    "K_EDGES",
    "REFERENCE_DELTA_NU",
    "REFERENCE_PIXEL",
    "add_noise",
    "add_white_noise",
    "applied_filters",
    "finer",
    "hit_map",
    "line_width",
    "noise_map",
    "noise_per_voxel",
    "pooled_noise",
    "smooth_beam",
    "subtract_mean",
    "subtract_pca",
    "subtract_polynomial",
    "to_survey",
    "transfer_function",
    "voxel_noise",
]
