"""Haloes onto voxels: the brightness temperature of every halo's line, summed in each voxel."""

from imtools.painting.paint import LINE_WIDTH, PAINTED, paint_halos
from imtools.painting.temperatures import (
    painted_luminosity,
    temperature,
    temperature_from_density,
    temperature_per_luminosity,
)

__all__ = [
    "LINE_WIDTH",
    "PAINTED",
    "paint_halos",
    "painted_luminosity",
    "temperature",
    "temperature_from_density",
    "temperature_per_luminosity",
]
