"""The convolutional networks of the notes: blocks that each halve the map, then the way out."""

import keras

from imtools.networks.blocks import (
    DROPOUT_PLACES,
    HEADS,
    POOLINGS,
    check_choice,
    check_halvings,
    convolve,
    drop,
    enter,
    halve,
    normalise,
    pool_globally,
)
from imtools.networks.outputs import answer_of
from imtools.networks.registry import check_input_shape, register


@register("notes_cnn")
def build_notes_cnn(
    input_shape,
    n_outputs,
    *,
    n_blocks=6,
    filters=64,
    kernel=3,
    n_dims=3,
    pooling="strided",
    batch_norm=True,
    dropout=0.5,
    dropout_place="block",
    first_bias=True,
    freq_channel=False,
    head="dense",
    width=1000,
    output="point",
):
    """Build a plain network of the notes: blocks of convolutions, then dense layers.

    A block is a convolution, batch normalisation, dropout, and what halves each axis. The defaults
    are the network that works (section 12 of the notes). The first one (section 4) is
    ``n_blocks=4, filters=32, kernel=5, pooling="max", batch_norm=False, dropout=0.0``.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_outputs : int
        Bins of the luminosity function.
    n_blocks : int
        Number of blocks; ``2**n_blocks`` voxels are needed along dec and ra.
    filters : int
        Filters of the first block; each next block has twice as many.
    kernel : int
        Side of the first convolution of a block [voxels].
    n_dims : {2, 3}
        Convolve over dec and ra with a channel a frequency (2), or over frequency too (3).
    pooling : {"strided", "max", "average"}
        Halve by a convolution of side 2 and stride 2, or by the maximum or mean of 2 voxels.
    batch_norm : bool
        Normalise each filter over the batch.
    dropout : float
        Share of values dropped in training.
    dropout_place : {"block", "pooled", "dense"}
        Drop before the halving of each block, after it, or before the last layer alone.
    first_bias : bool
        Whether the first convolution has a bias. Without one, blank sky stays zero behind it.
    freq_channel : bool
        Tell each voxel its frequency, where `n_dims` is 3.
    head : {"dense", "global"}
        Flatten into a dense layer, or average each filter over the map.
    width : int
        Units of the dense layer.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer, see `networks.outputs`.

    Returns
    -------
    keras.Model
        Not compiled; 122 million weights at the defaults on 64 x 64 x 10 voxels.

    Raises
    ------
    ValueError
        If the map runs out of voxels, or a setting is none of its choices.
    """
    caller = "build_notes_cnn"
    shape = check_input_shape(input_shape, caller=caller)
    check_choice(n_dims, (2, 3), name="n_dims", caller=caller)
    check_choice(pooling, POOLINGS, name="pooling", caller=caller)
    check_choice(dropout_place, DROPOUT_PLACES, name="dropout_place", caller=caller)
    check_choice(head, HEADS, name="head", caller=caller)
    remedy = "use n_blocks of at most {fits}, or pool less"
    check_halvings(shape, n_blocks, caller=caller, remedy=remedy)
    voxels, x = enter(shape, n_dims=n_dims, freq_channel=freq_channel)
    place = (dropout, dropout_place)
    settings = {"n_dims": n_dims, "pooling": pooling, "batch_norm": batch_norm}
    for i in range(n_blocks):
        bias = first_bias or i > 0
        name = f"block_{i + 1}"
        x = _block(x, filters * 2**i, kernel, place, name=name, use_bias=bias, **settings)
    if head == "global":
        x = pool_globally(x, n_dims=n_dims)
    else:
        x = keras.layers.Flatten(name="flatten")(x)
        x = keras.layers.Dense(width, activation="relu", name="dense")(x)
    if dropout_place == "dense":
        x = drop(x, dropout, name="dropout")
    return keras.Model(voxels, answer_of(x, n_outputs, output), name="notes_cnn")


def _block(x, filters, kernel, place, *, name, n_dims, pooling, batch_norm, use_bias):
    """Return one block's output; `place` is the share dropped, and where."""
    dropout, where = place
    settings = {"n_dims": n_dims, "activation": "relu", "use_bias": use_bias}
    x = convolve(x, filters, kernel, name=f"{name}_convolution", **settings)
    x = normalise(x, batch_norm=batch_norm, name=f"{name}_norm")
    if where == "block":
        x = drop(x, dropout, name=f"{name}_dropout")
    x = halve(x, filters, pooling=pooling, n_dims=n_dims, name=f"{name}_halving")
    return drop(x, dropout, name=f"{name}_dropout") if where == "pooled" else x
