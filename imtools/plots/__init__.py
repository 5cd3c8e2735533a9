"""HoloViews elements, one panel a function, for Bokeh on screen and matplotlib in print."""

from imtools.plots.haloes import (
    count_scatter,
    halo_density,
    halo_depth,
    halo_luminosities,
    halo_sky,
    luminosity_of_mass,
    mass_function,
    mass_function_ratio,
    ratio_over_k,
)
from imtools.plots.maps import (
    colour_range,
    show_channel,
    show_difference,
    show_slice,
    spectrum,
    voxel_histogram,
)
from imtools.plots.style import COLOURS, axis_label, panel

__all__ = [
    "COLOURS",
    "axis_label",
    "colour_range",
    "count_scatter",
    "halo_density",
    "halo_depth",
    "halo_luminosities",
    "halo_sky",
    "luminosity_of_mass",
    "mass_function",
    "mass_function_ratio",
    "panel",
    "ratio_over_k",
    "show_channel",
    "show_difference",
    "show_slice",
    "spectrum",
    "voxel_histogram",
]
