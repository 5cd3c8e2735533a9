"""The convolutional network of the notes that works: six blocks, each halving the map."""

import keras

from imtools.networks.registry import check_input_shape, register


@register("notes_cnn")
def build_notes_cnn(
    input_shape, n_outputs, *, n_blocks=6, filters=64, kernel=3, n_dims=3, dropout=0.5, width=1000
):
    """Build the network of the notes: blocks of convolutions, then dense layers.

    A block is a convolution, batch normalisation, dropout, and a convolution of side 2 and stride
    2 that halves each axis. Maps are padded with zeros, so an axis that has shrunk to one voxel
    stays at one.

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
    dropout : float
        Share of values dropped in training.
    width : int
        Units of the dense layer.

    Returns
    -------
    keras.Model
        Not compiled; 122 million weights at the defaults on 64 x 64 x 10 voxels.

    Raises
    ------
    ValueError
        If the map runs out of voxels, or `n_dims` is neither 2 nor 3.
    """
    shape = check_input_shape(input_shape, caller="build_notes_cnn")
    if n_dims not in (2, 3):
        msg = f"build_notes_cnn: n_dims is {n_dims}, expected 2 or 3"
        raise ValueError(msg)
    if 2**n_blocks > min(shape[:2]):
        fits = min(shape[:2]).bit_length() - 1
        msg = (
            f"build_notes_cnn: input_shape is {shape}, expected at least {2**n_blocks} voxels in "
            f"dec and ra for n_blocks {n_blocks}; use n_blocks of at most {fits}, or pool less"
        )
        raise ValueError(msg)
    voxels = keras.Input(shape, name="voxels")
    x = voxels if n_dims == 2 else keras.layers.Reshape((*shape, 1), name="channel")(voxels)
    for i in range(n_blocks):
        x = _block(x, filters * 2**i, kernel, n_dims, dropout, name=f"block_{i + 1}")
    x = keras.layers.Flatten(name="flatten")(x)
    x = keras.layers.Dense(width, activation="relu", name="dense")(x)
    return keras.Model(voxels, keras.layers.Dense(n_outputs, name="log_dn")(x), name="notes_cnn")


def _block(x, filters, kernel, n_dims, dropout, name):
    """Return one block's output."""
    convolution = keras.layers.Conv2D if n_dims == 2 else keras.layers.Conv3D
    settings = {"padding": "same", "activation": "relu"}
    x = convolution(filters, kernel, **settings, name=f"{name}_convolution")(x)
    x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return convolution(filters, 2, strides=2, **settings, name=f"{name}_halving")(x)
