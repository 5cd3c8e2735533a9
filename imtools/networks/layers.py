"""Layers that Keras has not: voxels to counts to features, and the frequency of a voxel."""

import keras
import numpy as np
from keras import ops

PACKAGE = "imtools"


@keras.saving.register_keras_serializable(package=PACKAGE)
class SoftHistogram(keras.layers.Layer):
    """Histogram of all values of a sample, each shared between the two nearest bin centres.

    Parameters
    ----------
    n_bins : int
        Number of bin centres, evenly spaced from `low` to `high`; at least 2.
    low, high : float
        First and last bin centre, until `adapt` takes them from data. A value outside counts at
        the nearer end.

    Notes
    -----
    The two linear weights of a value sum to one, so the counts of a map sum to its number of
    voxels, and a count changes smoothly with each voxel. It does not matter where a voxel is: the
    result is unchanged by translation, rotation and reflection.
    """

    def __init__(self, n_bins, low=0.0, high=1.0, **kwargs):
        super().__init__(**kwargs)
        if n_bins < 2 or not low < high:
            msg = (
                f"SoftHistogram: n_bins is {n_bins} and the range {low} to {high}, expected at "
                "least 2 bins and low below high"
            )
            raise ValueError(msg)
        self.n_bins, self.low, self.high = n_bins, low, high

    def build(self, input_shape):
        """Make the weights that hold the range, so that it is saved with the model."""
        for name in ("low", "high"):
            start = keras.initializers.Constant(getattr(self, name))
            weight = self.add_weight(shape=(), initializer=start, trainable=False, name=name)
            setattr(self, f"{name}_weight", weight)
        super().build(input_shape)

    def adapt(self, values):
        """Set the range to that of `values`, so that no value of the training maps is outside."""
        low, high = float(np.min(values)), float(np.max(values))
        if not low < high:
            msg = f"SoftHistogram.adapt: every value is {low}, expected maps that are not constant"
            raise ValueError(msg)
        self.low_weight.assign(low)
        self.high_weight.assign(high)

    def call(self, inputs):
        """Return the counts, shape (batch, n_bins)."""
        n_samples = ops.shape(inputs)[0]
        values = ops.reshape(inputs, (n_samples, -1))
        position = (values - self.low_weight) / (self.high_weight - self.low_weight)
        position = ops.clip(position, 0.0, 1.0) * (self.n_bins - 1)
        left = ops.clip(ops.floor(position), 0, self.n_bins - 2)
        upper = ops.reshape(position - left, (-1,))
        start = ops.expand_dims(ops.arange(n_samples, dtype="int32") * self.n_bins, 1)
        index = ops.reshape(ops.cast(left, "int32") + start, (-1,))
        # one flat sum over (sample, bin): a tensor of voxels by bins would take 0.8 GB a batch
        n_all = n_samples * self.n_bins
        counts = ops.segment_sum(1 - upper, index, n_all)
        counts = counts + ops.segment_sum(upper, index + 1, n_all)
        return ops.reshape(counts, (n_samples, self.n_bins))

    def compute_output_shape(self, input_shape):
        """Return (batch, n_bins)."""
        return (input_shape[0], self.n_bins)

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"n_bins": self.n_bins, "low": self.low, "high": self.high}


@keras.saving.register_keras_serializable(package=PACKAGE)
class LogCounts(keras.layers.Layer):
    """Logarithms of the counts in each bin and of the counts above each bin, ln(1 + n).

    The second half is smooth where the first is empty: at the bright end, where most bins of a map
    hold no voxel, it still says how many lie beyond.
    """

    def call(self, inputs):
        """Return the features, shape (batch, 2 n_bins)."""
        above = ops.flip(ops.cumsum(ops.flip(inputs, axis=1), axis=1), axis=1)
        return ops.log1p(ops.concatenate([inputs, above], axis=1))

    def compute_output_shape(self, input_shape):
        """Return (batch, 2 n_bins)."""
        return (input_shape[0], 2 * input_shape[1])


@keras.saving.register_keras_serializable(package=PACKAGE)
class Standardise(keras.layers.Layer):
    """Subtract the mean of each feature and divide by its scatter, both from training maps.

    Parameters
    ----------
    floor : float
        Added in quadrature to the scatter. Without it, a bin that is empty in every training map
        would blow up at the first test map with a voxel there.
    """

    def __init__(self, floor=0.1, **kwargs):
        super().__init__(**kwargs)
        if not floor > 0:
            msg = f"Standardise: floor is {floor}, expected > 0"
            raise ValueError(msg)
        self.floor = floor

    def build(self, input_shape):
        """Make the weights that hold mean and width, so that they are saved with the model."""
        shape = (input_shape[-1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.width = self.add_weight(shape=shape, initializer="ones", trainable=False, name="width")
        super().build(input_shape)

    def adapt(self, features):
        """Set mean and width from `features`, shape (n, n_features)."""
        self.mean.assign(np.mean(features, axis=0))
        self.width.assign(np.hypot(np.std(features, axis=0), self.floor))

    def call(self, inputs):
        """Return the standardised features, shape of the input."""
        return (inputs - self.mean) / self.width

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"floor": self.floor}


@keras.saving.register_keras_serializable(package=PACKAGE)
class FreqChannel(keras.layers.Layer):
    """Tell each voxel its frequency: a further channel, -1 in the first and 1 in the last.

    A given temperature stands for a luminosity that changes along the band, by 40 % from
    34 to 26 GHz; a filter that is shared over frequencies cannot know where it is.
    """

    def call(self, inputs):
        """Return (batch, n_dec, n_ra, n_freq, n_channels + 1)."""
        n_freq = inputs.shape[-2]
        shape = (1,) * (len(inputs.shape) - 2) + (n_freq, 1)
        place = np.linspace(-1.0, 1.0, n_freq, dtype="float32").reshape(shape)
        one = ops.zeros_like(inputs[..., :1])
        return ops.concatenate([inputs, one + ops.cast(place, inputs.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the shape of the input with one more channel."""
        return (*input_shape[:-1], input_shape[-1] + 1)
