"""Residual networks: each block adds to what came before it, so that many can be stacked."""

import re

import keras

from imtools.networks.blocks import (
    POOLINGS,
    check_choice,
    check_halvings,
    convolve,
    drop,
    enter,
    halve,
    normalise,
    pool,
    pool_globally,
)
from imtools.networks.outputs import answer_of
from imtools.networks.registry import check_input_shape, register

EXPANSION = 4  # a bottleneck gives out so many times the filters that it works with


@register("resnet_small")
def build_resnet_small(
    input_shape,
    n_outputs,
    *,
    n_blocks=3,
    filters=16,
    kernel=3,
    n_dims=3,
    pooling="strided",
    batch_norm=True,
    dropout=0.0,
    first_bias=True,
    freq_channel=False,
    output="point",
):
    """Build a small residual network with global pooling.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_outputs : int
        Bins of the luminosity function.
    n_blocks : int
        Residual blocks of two convolutions, each followed by what halves the map;
        ``2**n_blocks`` voxels are needed along dec and ra.
    filters : int
        Filters of the first block; each next block has twice as many.
    kernel : int
        Side of the convolutions [voxels].
    n_dims : {2, 3}
        Convolve over dec and ra with a channel a frequency (2), or over frequency too (3).
    pooling : {"strided", "max", "average"}
        Halve by a convolution of side 2 and stride 2, or by the maximum or mean of 2 voxels.
    batch_norm : bool
        Normalise each filter over the batch.
    dropout : float
        Share of the pooled filters dropped in training.
    first_bias : bool
        Whether the first convolution has a bias.
    freq_channel : bool
        Tell each voxel its frequency, where `n_dims` is 3.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer, see `networks.outputs`.

    Returns
    -------
    keras.Model
        Not compiled; 0.5 million weights at the defaults on 64 x 64 x 10 voxels.

    Raises
    ------
    ValueError
        If the map runs out of voxels, or a setting is none of its choices.
    """
    caller = "build_resnet_small"
    shape = check_input_shape(input_shape, caller=caller)
    check_choice(n_dims, (2, 3), name="n_dims", caller=caller)
    check_choice(pooling, POOLINGS, name="pooling", caller=caller)
    remedy = "use n_blocks of at most {fits}, or pool less"
    check_halvings(shape, n_blocks, caller=caller, remedy=remedy)
    voxels, x = enter(shape, n_dims=n_dims, freq_channel=freq_channel)
    x = convolve(x, filters, kernel, name="stem", n_dims=n_dims, use_bias=first_bias)
    x = normalise(x, batch_norm=batch_norm, name="stem_norm")
    x = keras.layers.ReLU(name="stem_relu")(x)
    for i in range(n_blocks):
        name, n = f"block_{i + 1}", filters * 2**i
        sides = ((n, kernel, 1), (n, kernel, 1))
        x = _residual(x, sides, 0.0, n_dims=n_dims, batch_norm=batch_norm, name=name)
        x = halve(x, n, pooling=pooling, n_dims=n_dims, name=f"{name}_halving")
    x = drop(pool_globally(x, n_dims=n_dims), dropout, name="dropout")
    return keras.Model(voxels, answer_of(x, n_outputs, output), name="resnet_small")


@register("resnet50")
def build_resnet50(
    input_shape,
    n_outputs,
    *,
    filters=64,
    n_dims=3,
    stages="3-4-6-3",
    batch_norm=True,
    dropout=0.0,
    first_bias=True,
    freq_channel=False,
    leak=0.3,
    output="point",
):
    """Build the residual network of the published work, of bottleneck blocks in stages.

    A stem (side 7, stride 2, then the maximum over 3 voxels, stride 2), stages that halve the map
    and double the filters from the second on, and global pooling. A bottleneck is a convolution of
    side 1, one of side 3 that carries the stride, and one of side 1 to four times the filters.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq); the sky is halved once more than there are stages.
    n_outputs : int
        Bins of the luminosity function.
    filters : int
        Filters of the stem and of the first stage; each next stage has twice as many.
    n_dims : {2, 3}
        Convolve over dec and ra with a channel a frequency (2), or over frequency too (3).
    stages : str
        Number of bottlenecks in each stage; the published work has "3-4-6-3" and "3-5-7-4".
    batch_norm : bool
        Normalise each filter over the batch.
    dropout : float
        Share of the pooled filters dropped in training.
    first_bias : bool
        Whether the first convolution has a bias.
    freq_channel : bool
        Tell each voxel its frequency, where `n_dims` is 3.
    leak : float
        Slope of the activation below zero.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer, see `networks.outputs`.

    Returns
    -------
    keras.Model
        Not compiled.

    Raises
    ------
    ValueError
        If the map runs out of voxels, or a setting is none of its choices.

    References
    ----------
    .. [1] He et al. 2016, arXiv:1512.03385
    """
    caller = "build_resnet50"
    shape = check_input_shape(input_shape, caller=caller)
    check_choice(n_dims, (2, 3), name="n_dims", caller=caller)
    if not re.fullmatch(r"[1-9]\d?(-[1-9]\d?)*", stages):
        msg = f"{caller}: stages is {stages!r}, expected numbers between hyphens, as in '3-4-6-3'"
        raise ValueError(msg)
    counts = [int(count) for count in stages.split("-")]
    remedy = "use fewer stages (two halvings are the stem's, {fits} fit), or pool less"
    check_halvings(shape, 1 + len(counts), caller=caller, remedy=remedy)
    voxels, x = enter(shape, n_dims=n_dims, freq_channel=freq_channel)
    settings = {"n_dims": n_dims, "batch_norm": batch_norm}
    x = _stem(x, filters, leak, use_bias=first_bias, **settings)
    for i, count in enumerate(counts):
        for j in range(count):
            n, stride = filters * 2**i, 2 if i > 0 and j == 0 else 1
            sides = ((n, 1, 1), (n, 3, stride), (EXPANSION * n, 1, 1))
            x = _residual(x, sides, leak, name=f"stage_{i + 1}_{j + 1}", **settings)
    x = drop(pool_globally(x, n_dims=n_dims), dropout, name="dropout")
    return keras.Model(voxels, answer_of(x, n_outputs, output), name="resnet50")


def _stem(x, filters, leak, *, n_dims, batch_norm, use_bias):
    """Return the first quarter-size maps of filters."""
    x = convolve(x, filters, 7, strides=2, name="stem", n_dims=n_dims, use_bias=use_bias)
    x = normalise(x, batch_norm=batch_norm, name="stem_norm")
    x = keras.layers.LeakyReLU(leak, name="stem_relu")(x)
    return pool(x, 3, pooling="max", n_dims=n_dims, name="stem_pool")


def _residual(x, sides, leak, *, n_dims, batch_norm, name):
    """Return `x` plus its convolutions, `sides` a (filters, kernel, stride) each."""
    start, last = x, len(sides)
    for k, (filters, kernel, stride) in enumerate(sides, start=1):
        x = convolve(x, filters, kernel, strides=stride, n_dims=n_dims, name=f"{name}_{k}")
        x = normalise(x, batch_norm=batch_norm, name=f"{name}_{k}_norm")
        if k < last:
            x = keras.layers.LeakyReLU(leak, name=f"{name}_{k}_relu")(x)
    if start.shape != x.shape:  # the way past the block gets the block's shape
        filters, stride = sides[-1][0], max(s for _, _, s in sides)
        start = convolve(start, filters, 1, strides=stride, n_dims=n_dims, name=f"{name}_past")
        start = normalise(start, batch_norm=batch_norm, name=f"{name}_past_norm")
    x = keras.layers.Add(name=f"{name}_sum")([start, x])
    return keras.layers.LeakyReLU(leak, name=f"{name}_relu")(x)
