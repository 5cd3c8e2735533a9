"""HoloViews elements, one panel a function, for Bokeh on screen and matplotlib in print."""

from imtools.plots.haloes import (
    show_halo_density,
    show_halo_depth,
    show_halo_luminosities,
    show_halo_sky,
    show_luminosity_of_mass,
)
from imtools.plots.maps import (
    colour_range,
    show_channel,
    show_difference,
    show_slice,
    show_spectrum,
    show_voxel_histogram,
)
from imtools.plots.style import COLOURS, axis_label, panel
from imtools.plots.validation import (
    show_count_scatter,
    show_mass_function,
    show_mass_function_ratio,
    show_ratio_over_k,
)

__all__ = [
    "COLOURS",
    "axis_label",
    "colour_range",
    "panel",
    "show_channel",
    "show_count_scatter",
    "show_difference",
    "show_halo_density",
    "show_halo_depth",
    "show_halo_luminosities",
    "show_halo_sky",
    "show_luminosity_of_mass",
    "show_mass_function",
    "show_mass_function_ratio",
    "show_ratio_over_k",
    "show_slice",
    "show_spectrum",
    "show_voxel_histogram",
]
