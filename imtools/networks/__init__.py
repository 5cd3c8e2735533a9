"""Networks that read a luminosity function off a map, each built by a function of its shape.

Only ``keras`` and ``keras.ops`` are used, so the backend is whatever ``KERAS_BACKEND`` names. A
builder does not compile; `training` does.
"""

from imtools.networks.histogram import build_histogram
from imtools.networks.layers import LogCounts, SoftHistogram, Standardise
from imtools.networks.notes_cnn import build_notes_cnn
from imtools.networks.registry import ARCHITECTURES, adapt, average, build, register

__all__ = [
    "ARCHITECTURES", "LogCounts", "SoftHistogram", "Standardise", "adapt", "average", "build",
    "build_histogram", "build_notes_cnn", "register",
]  # fmt: skip
