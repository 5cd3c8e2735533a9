"""Fit a network to maps, keep the best, and say on what device that was."""

from imtools.training.classifying import Classifier, load_classifier, train_classifier
from imtools.training.failures import NonFiniteLossError, OutOfMemoryError
from imtools.training.fitting import train
from imtools.training.geometry import check_maps, describe_maps
from imtools.training.loop import device_name
from imtools.training.reference import (
    histogram_distance,
    read_reference,
    voxel_histogram,
    write_reference,
)
from imtools.training.saved import load_model, save_model
from imtools.training.splits import check_splits, content_hashes
from imtools.training.targets import Target, experiment_of

__all__ = [
    "Classifier", "NonFiniteLossError", "OutOfMemoryError", "Target", "check_maps", "check_splits",
    "content_hashes", "describe_maps", "device_name", "experiment_of", "histogram_distance",
    "load_classifier", "load_model", "read_reference", "save_model", "train", "train_classifier",
    "voxel_histogram", "write_reference",
]  # fmt: skip
