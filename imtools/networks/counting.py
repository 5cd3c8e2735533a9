"""The counting network: sources counted voxel by voxel, and what blending makes of the count."""

import keras
import numpy as np
from keras import ops

from imtools.counts import DEFAULT_EDGES
from imtools.networks.layers import PACKAGE, Standardise
from imtools.networks.registry import check_input_shape, register
from imtools.statistics.summaries import BRIGHT, FAINT, N_LUMINOSITIES

FLOOR = 0.5  # voxels that an empty bin counts under the logarithm
FILLED = 0.3  # dex, by which voxels outnumber sources in training where noise fills a bin


@register("counting")
def build_counting(
    input_shape, n_outputs, *, log_l_edges=None, width=64, dropout=0.0, output="point"
):
    """Build a network that corrects the number of voxels of each luminosity.

    Where a voxel holds one source at most, the histogram of voxel luminosities is the luminosity
    function. The network starts with that and learns the ratio, which blending sets: it cannot
    answer with what it has learnt by heart, and knows functions that it was never shown.

    In noise, told by the summary "luminosity_scales", bright sources can still be counted, and the
    bins that noise fills start from the mean of the training fields instead.

    Parameters
    ----------
    input_shape : tuple of int
        (1, 1, n_features) of the summary "luminosity" or "luminosity_scales", see
        `statistics.SUMMARIES`.
    n_outputs : int
        Bins of the luminosity function.
    log_l_edges : sequence of float, optional
        Their edges, log10 Lsun; even from 3.5 to 7 by default.
    width : int
        Units of the hidden layer.
    dropout : float
        Share of hidden units dropped in training.
    output : {"point"}
        Kind of answer.

    Returns
    -------
    keras.Model
        Not compiled. Its answer is log10 of counts, brought to the scale of the targets that
        `adapt` was told.

    Raises
    ------
    ValueError
        If the input is not that summary, the edges do not fit the bins, or another output is asked.
    """
    caller = "build_counting"
    shape = check_input_shape(input_shape, caller=caller)
    n_scales, rest = divmod(shape[2], 2 * N_LUMINOSITIES)
    if shape[:2] != (1, 1) or rest:
        msg = (
            f"{caller}: input_shape is {shape}, expected {(1, 1, 2 * N_LUMINOSITIES)} or so many "
            "for each scale; set reads to 'luminosity' or 'luminosity_scales'"
        )
        raise ValueError(msg)
    if log_l_edges is None:
        log_l_edges = np.linspace(*np.log10(DEFAULT_EDGES[[0, -1]]), n_outputs + 1)
    if len(log_l_edges) != n_outputs + 1:
        msg = f"{caller}: {len(log_l_edges)} log_l_edges for {n_outputs} bins, expected one more"
        raise ValueError(msg)
    if output != "point":
        msg = f"{caller}: output is {output!r}, expected 'point'; use dense for quantiles"
        raise ValueError(msg)
    inputs = keras.Input(shape, name="voxels")
    flat = keras.layers.Flatten(name="flatten")(inputs)
    found = VoxelCounts(log_l_edges, name="voxel_counts")(flat)
    features = Standardise(name="standardise")(found)
    linear = keras.layers.Dense(n_outputs, kernel_initializer="zeros", name="linear")(features)
    hidden = keras.layers.Dense(width, activation="gelu", name="hidden")(features)
    hidden = keras.layers.Dropout(dropout, name="dropout")(hidden)
    bend = keras.layers.Dense(n_outputs, kernel_initializer="zeros", name="bend")(hidden)
    ratio = keras.layers.Add(name="log_ratio")([linear, bend])
    answer = Corrected(noisy=n_scales > 1, name="log_dn")([found, ratio])
    return keras.Model(inputs, answer, name="counting")


@keras.saving.register_keras_serializable(package=PACKAGE)
class VoxelCounts(keras.layers.Layer):
    """Voxels in each bin of the luminosity function, and above its lower edge, both as log10.

    Of a summary on several scales, those of each scale, one after the other.

    Parameters
    ----------
    log_l_edges : sequence of float
        Edges of the bins, log10 Lsun, between those of the summary "luminosity".
    """

    def __init__(self, log_l_edges, **kwargs):
        super().__init__(**kwargs)
        self.log_l_edges = [float(x) for x in log_l_edges]
        if not np.log10(FAINT) <= self.log_l_edges[0] < self.log_l_edges[-1] <= np.log10(BRIGHT):
            msg = (
                f"VoxelCounts: log_l_edges run from {self.log_l_edges[0]:g} to "
                f"{self.log_l_edges[-1]:g}, expected within {np.log10(FAINT):g} to "
                f"{np.log10(BRIGHT):g}, where voxels are told apart"
            )
            raise ValueError(msg)

    def call(self, inputs):
        """Return log10 of the counts, shape (batch, n_scales 2 n_bins); an empty bin counts 0.5."""
        shares, parts = ops.cast(self._shares(), inputs.dtype), []
        for start in range(0, inputs.shape[1], 2 * N_LUMINOSITIES):
            voxels = ops.expm1(inputs[:, start : start + N_LUMINOSITIES])
            counts = ops.matmul(voxels, shares)
            above = ops.flip(ops.cumsum(ops.flip(counts, axis=1), axis=1), axis=1)
            parts += [counts, above]
        return ops.log(ops.maximum(ops.concatenate(parts, axis=1), FLOOR)) / np.log(10)

    def _shares(self):
        """Return what share of each summary bin lies in each bin of the luminosity function."""
        end = np.arcsinh(BRIGHT / FAINT)
        fine = np.linspace(-end, end, N_LUMINOSITIES + 1)[:, None]
        edges = np.arcsinh(10.0 ** np.array(self.log_l_edges) / FAINT)
        overlap = np.minimum(fine[1:], edges[1:]) - np.maximum(fine[:-1], edges[:-1])
        return np.maximum(overlap, 0) / (fine[1] - fine[0])

    def compute_output_shape(self, input_shape):
        """Return (batch, n_scales 2 n_bins)."""
        n_scales = input_shape[1] // (2 * N_LUMINOSITIES)
        return (input_shape[0], n_scales * (2 * len(self.log_l_edges) - 2))

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"log_l_edges": self.log_l_edges}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Corrected(keras.layers.Layer):
    """Add the log10 of a ratio to that of counts, and bring the sum to the scale of the targets.

    Parameters
    ----------
    noisy : bool
        Whether bins in which voxels outnumber the sources of the training fields, and all fainter
        ones, are left out of the counts.
    """

    def __init__(self, noisy=False, **kwargs):
        super().__init__(**kwargs)
        self.noisy = noisy
        self.usual = None  # log10 counts of training maps, between `adapt` and `adapt_target`

    def build(self, input_shape):
        """Make the weights that hold the scale, so that they are saved with the model."""
        shape = (input_shape[1][1],)
        self.mean = self.add_weight(shape=shape, initializer="zeros", trainable=False, name="mean")
        self.width = self.add_weight(shape=shape, initializer="ones", trainable=False, name="width")
        if self.noisy:
            self.counted = self.add_weight(
                shape=shape, initializer="ones", trainable=False, name="counted"
            )
        super().build(input_shape)

    def adapt(self, values):
        """Keep the mean log10 counts of training maps; `values` are those, and the ratio."""
        counts, ratio = values
        self.usual = counts[:, : ratio.shape[1]].mean(axis=0)

    def adapt_target(self, mean, width):
        """Set the scale from mean and width of log10 counts of the training fields."""
        self.mean.assign(mean)
        self.width.assign(width)
        if self.noisy:
            filled = self.usual - mean > FILLED
            # fainter than one that noise fills, all are: some hold as many voxels by chance
            self.counted.assign((np.cumsum(filled[::-1])[::-1] == 0).astype("float32"))

    def call(self, inputs):
        """Return the scaled log10 of the corrected counts, shape (batch, n_bins)."""
        counts, ratio = inputs
        counts = counts[:, : ratio.shape[1]]
        if self.noisy:
            counts = self.counted * counts + (1 - self.counted) * self.mean
        return (counts + ratio - self.mean) / self.width

    def compute_output_shape(self, input_shape):
        """Return (batch, n_bins)."""
        return input_shape[1]

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"noisy": self.noisy}
