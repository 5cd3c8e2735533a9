"""What the convolutional networks are built of: convolution, norm, halving, and the way out.

Each piece takes a Keras tensor and returns one, and names its layers. Maps are padded with zeros,
so an axis that has shrunk to one voxel stays at one.
"""

import keras

from imtools.networks.layers import FreqChannel

POOLINGS = ("strided", "max", "average")
DROPOUT_PLACES = ("block", "pooled", "dense")
HEADS = ("dense", "global")


def check_choice(value, choices, *, name, caller):
    """Raise unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(map(str, choices[:-1]))
        msg = f"{caller}: {name} is {value!r}, expected {known} or {choices[-1]}"
        raise ValueError(msg)


def check_halvings(shape, n_halvings, *, caller, remedy):
    """Raise if the sky axes of `shape`, (n_dec, n_ra, n_freq), cannot be halved so often.

    Parameters
    ----------
    shape : tuple of int
        Shape of the input.
    n_halvings : int
        How often the network halves the sky.
    caller : str
        Name of the builder, for the message.
    remedy : str
        What to do, with ``{fits}`` where the number of halvings that fit stands.

    Raises
    ------
    ValueError
        If fewer than ``2**n_halvings`` voxels lie along dec or ra: a further layer would convolve
        nothing but the zeros of the padding.
    """
    least = min(shape[:2])
    if 2**n_halvings > least:
        remedy = remedy.format(fits=least.bit_length() - 1)
        msg = (
            f"{caller}: input_shape is {shape}, expected at least {2**n_halvings} voxels in dec "
            f"and ra for {n_halvings} halvings; {remedy}"
        )
        raise ValueError(msg)


def enter(shape, *, n_dims, freq_channel):
    """Return the input and what the first convolution sees: a channel a frequency, or one alone.

    Parameters
    ----------
    shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_dims : {2, 3}
        Axes to convolve over.
    freq_channel : bool
        Where `n_dims` is 3, add a second channel that holds each voxel's frequency.
    """
    voxels = keras.Input(shape, name="voxels")
    if n_dims == 2:
        return voxels, voxels
    x = keras.layers.Reshape((*shape, 1), name="channel")(voxels)
    return voxels, FreqChannel(name="freq_channel")(x) if freq_channel else x


def convolve(x, filters, kernel, *, name, n_dims, strides=1, **settings):
    """Return the convolution of `x`, padded with zeros."""
    convolution = {2: keras.layers.Conv2D, 3: keras.layers.Conv3D}[n_dims]
    settings = {"padding": "same", "strides": strides, "name": name} | settings
    return convolution(filters, kernel, **settings)(x)


def halve(x, filters, *, pooling, n_dims, name):
    """Return `x` at half its size: by a convolution of side 2, the maximum or the mean."""
    if pooling == "strided":
        settings = {"n_dims": n_dims, "activation": "relu"}
        return convolve(x, filters, 2, strides=2, name=name, **settings)
    return pool(x, 2, pooling=pooling, n_dims=n_dims, name=name)


def pool(x, side, *, pooling, n_dims, name):
    """Return the maximum or mean over `side` voxels along each axis, at every second voxel."""
    layers = {
        ("max", 2): keras.layers.MaxPooling2D,
        ("max", 3): keras.layers.MaxPooling3D,
        ("average", 2): keras.layers.AveragePooling2D,
        ("average", 3): keras.layers.AveragePooling3D,
    }
    return layers[pooling, n_dims](side, strides=2, padding="same", name=name)(x)


def pool_globally(x, *, n_dims):
    """Return the mean of each filter over the map, shape (batch, filters)."""
    layers = {2: keras.layers.GlobalAveragePooling2D, 3: keras.layers.GlobalAveragePooling3D}
    return layers[n_dims](name="global_pool")(x)


def drop(x, dropout, *, name):
    """Return `x` with a share `dropout` of its values dropped in training."""
    return keras.layers.Dropout(dropout, name=name)(x)


def normalise(x, *, batch_norm, name):
    """Return `x` normalised over the batch, or as it is."""
    return keras.layers.BatchNormalization(name=name)(x) if batch_norm else x
