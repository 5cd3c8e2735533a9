"""Networks that read a luminosity function off a map, each built by a function of its shape.

Only ``keras`` and ``keras.ops`` are used, so the backend is whatever ``KERAS_BACKEND`` names. A
builder does not compile; `training` does.
"""

from imtools.networks.additive import Patches, SumCounts, build_additive, resized
from imtools.networks.costs import Costs, count_costs, predict_costs
from imtools.networks.counting import VoxelCounts, build_counting
from imtools.networks.histogram import build_dense, build_histogram
from imtools.networks.layers import FreqChannel, LogCounts, SoftHistogram, Standardise
from imtools.networks.notes_cnn import build_notes_cnn
from imtools.networks.outputs import (
    LEVELS,
    OUTPUTS,
    MeanAndFactor,
    OrderedQuantiles,
    levels_of,
    mean_and_covariance,
)
from imtools.networks.registry import ARCHITECTURES, adapt, average, build, register
from imtools.networks.resnet import build_resnet50, build_resnet_small
from imtools.networks.transfer import MeanOverSky, Temperature, build_classifier, logits_of

__all__ = [
    "ARCHITECTURES", "LEVELS", "OUTPUTS", "Costs", "FreqChannel", "LogCounts", "MeanAndFactor",
    "MeanOverSky", "OrderedQuantiles", "Patches", "SoftHistogram", "Standardise", "SumCounts",
    "Temperature", "VoxelCounts", "adapt", "average", "build", "build_additive",
    "build_classifier", "build_counting", "build_dense", "build_histogram", "build_notes_cnn",
    "build_resnet50", "build_resnet_small", "count_costs", "levels_of", "logits_of",
    "mean_and_covariance", "predict_costs", "register", "resized",
]  # fmt: skip
