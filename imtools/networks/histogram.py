"""Networks of a few dense layers, quick on a CPU: on the voxel histogram, or on any summary."""

import keras

from imtools.networks.layers import LogCounts, SoftHistogram, Standardise
from imtools.networks.outputs import n_raw, raw_name, shape_answer
from imtools.networks.registry import check_input_shape, register


@register("histogram")
def build_histogram(
    input_shape, n_outputs, *, n_histogram_bins=160, width=64, n_hidden=1, dropout=0.0,
    output="point",
):  # fmt: skip
    """Build a network on the histogram of a map's voxels.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_outputs : int
        Bins of the luminosity function.
    n_histogram_bins : int
        Bins of the soft histogram.
    width : int
        Units of a hidden layer.
    n_hidden : int
        Hidden layers.
    dropout : float
        Share of hidden units dropped in training.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer, see `networks.outputs`.

    Returns
    -------
    keras.Model
        A linear path, as in a regression on the histogram, plus hidden layers that add what is
        not linear and start at zero. Not compiled; `adapt` sets the scales.

    Raises
    ------
    ValueError
        If `input_shape` has not three axes, or there are fewer than 2 bins.
    """
    shape = check_input_shape(input_shape, caller="build_histogram")
    voxels = keras.Input(shape, name="voxels")
    counts = SoftHistogram(n_histogram_bins, name="soft_histogram")(voxels)
    features = Standardise(name="standardise")(LogCounts(name="log_counts")(counts))
    hidden = {"width": width, "n_hidden": n_hidden, "dropout": dropout}
    answer = read_features(features, n_outputs, **hidden, output=output)
    return keras.Model(voxels, answer, name="histogram")


@register("dense")
def build_dense(input_shape, n_outputs, *, width=64, n_hidden=1, dropout=0.0, output="point"):
    """Build a network on all numbers of a sample at once: for summaries of maps, not for maps.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq); (1, 1, n_features) for a summary, see `datasets.network_inputs`.
    n_outputs : int
        Bins of the luminosity function.
    width : int
        Units of a hidden layer.
    n_hidden : int
        Hidden layers.
    dropout : float
        Share of hidden units dropped in training.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer, see `networks.outputs`.

    Returns
    -------
    keras.Model
        A linear path and hidden layers, as in `build_histogram`. Not compiled.

    Raises
    ------
    ValueError
        If `input_shape` has not three axes.
    """
    shape = check_input_shape(input_shape, caller="build_dense")
    inputs = keras.Input(shape, name="voxels")
    flat = keras.layers.Flatten(name="flatten")(inputs)
    features = Standardise(name="standardise")(flat)
    hidden = {"width": width, "n_hidden": n_hidden, "dropout": dropout}
    answer = read_features(features, n_outputs, **hidden, output=output)
    return keras.Model(inputs, answer, name="dense")


def read_features(features, n_outputs, *, width, n_hidden, dropout, output):
    """Return an answer that is linear in the features, plus hidden layers that start at zero."""
    n, hidden = n_raw(output, n_outputs), features
    linear = keras.layers.Dense(n, kernel_initializer="zeros", name="linear")(features)
    for i in range(1, n_hidden + 1):
        number = f"_{i}" if i > 1 else ""  # the first without: models on disk know it so
        hidden = keras.layers.Dense(width, activation="gelu", name=f"hidden{number}")(hidden)
        hidden = keras.layers.Dropout(dropout, name=f"dropout{number}")(hidden)
    bend = keras.layers.Dense(n, kernel_initializer="zeros", name="bend")(hidden)
    raw = keras.layers.Add(name=raw_name(output))([linear, bend])
    return shape_answer(raw, n_outputs, output)
