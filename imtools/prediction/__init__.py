"""The luminosity function of a map from outside, and how far that map lies from all training maps.

A network answers to anything. So a map is first brought onto the voxels of the training maps, which
is exact or refused, and what is known of its filtering, noise, beam and mask is held against what
the network was trained on. What differs is an error, unless it is allowed by name.
"""

from imtools.prediction.checks import ALLOWANCES, compare
from imtools.prediction.predict import predict_map
from imtools.prediction.preparing import to_training_voxels
from imtools.prediction.trained import Trained, find_run, open_trained
from imtools.prediction.writing import FILE, format_prediction, write_prediction

__all__ = [
    "ALLOWANCES",
    "FILE",
    "Trained",
    "compare",
    "find_run",
    "format_prediction",
    "open_trained",
    "predict_map",
    "to_training_voxels",
    "write_prediction",
]
