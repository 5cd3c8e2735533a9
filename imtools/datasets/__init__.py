"""Many maps on disk, split by catalogue, and the batches drawn from them."""

from imtools.datasets.batches import Batches
from imtools.datasets.building import build, catalogue_path, n_catalogues, set_folder
from imtools.datasets.catalogue import SIDES, make_maps, side_of
from imtools.datasets.layers import Kept, MapSettings, make_layers
from imtools.datasets.reading import (
    input_shape,
    load,
    log_counts_array,
    network_inputs,
    observe,
    parts_of,
    scaled_maps,
    typical_spread,
)
from imtools.datasets.scripts import map_script
from imtools.datasets.selecting import families, leave_out_families, select_families

__all__ = [
    "SIDES",
    "Batches",
    "Kept",
    "MapSettings",
    "build",
    "catalogue_path",
    "families",
    "input_shape",
    "leave_out_families",
    "load",
    "log_counts_array",
    "make_layers",
    "make_maps",
    "map_script",
    "n_catalogues",
    "network_inputs",
    "observe",
    "parts_of",
    "scaled_maps",
    "select_families",
    "set_folder",
    "side_of",
    "typical_spread",
]
