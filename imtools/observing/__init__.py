"""What lies between the sky and a map: beam, foregrounds, interlopers, noise and filters."""

from imtools.observing.beam import finer, smooth_beam, to_survey
from imtools.observing.filters import (
    applied_filters,
    subtract_mean,
    subtract_pca,
    subtract_polynomial,
)
from imtools.observing.foregrounds import (
    DIFFUSE,
    diffuse,
    draw_point_sources,
    point_source_counts,
    point_sources,
)
from imtools.observing.hits import add_noise, hit_map, noise_map
from imtools.observing.interlopers import INTERLOPERS, interloper_cube
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
from imtools.observing.sky import add_emission
from imtools.observing.transfer import K_EDGES, transfer_function

__all__ = [
    "CONVENTIONS",
    "DIFFUSE",
    "INTERLOPERS",
    "K_EDGES",
    "REFERENCE_DELTA_NU",
    "REFERENCE_PIXEL",
    "add_emission",
    "add_noise",
    "add_white_noise",
    "applied_filters",
    "diffuse",
    "draw_point_sources",
    "finer",
    "hit_map",
    "interloper_cube",
    "line_width",
    "noise_map",
    "noise_per_voxel",
    "point_source_counts",
    "point_sources",
    "pooled_noise",
    "smooth_beam",
    "subtract_mean",
    "subtract_pca",
    "subtract_polynomial",
    "to_survey",
    "transfer_function",
    "voxel_noise",
]
