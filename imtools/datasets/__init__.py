"""Many maps on disk, split by catalogue, and the batches drawn from them."""

from imtools.datasets.building import build, catalogue_path, n_catalogues, set_folder
from imtools.datasets.catalogue import SIDES, make_maps, side_of
from imtools.datasets.reading import Batches, load, log_counts_array, network_inputs, observe

__all__ = [
    "SIDES",
    "Batches",
    "build",
    "catalogue_path",
    "load",
    "log_counts_array",
    "make_maps",
    "n_catalogues",
    "network_inputs",
    "observe",
    "set_folder",
    "side_of",
]
