"""What a network has learnt: its first filters, what its blocks answer, what moves a bin."""

import keras
import numpy as np
import xarray as xr
from keras import ops

from imtools.networks.outputs import MeanAndFactor, OrderedQuantiles
from imtools.networks.sketch import describe_blocks, first_member

CHUNK = 16  # maps at a time


def first_filters(model):
    """Return the filters of the first convolution, which look at the map itself.

    Parameters
    ----------
    model : keras.Model
        A network that begins with a convolution; of an ensemble, the first member.

    Returns
    -------
    xarray.DataArray, dims ("filter", "freq", "dec", "ra"), units 1
        Weights. Along dec and ra, and along freq where the convolution has three dimensions, the
        coordinate is the distance from the centre in voxels; else freq counts the channels.

    Raises
    ------
    ValueError
        If the network has no convolution.
    """
    kinds = (keras.layers.Conv2D, keras.layers.Conv3D)
    layers = [layer for layer in first_member(model).layers if isinstance(layer, kinds)]
    if not layers:
        msg = (
            f"first_filters: the network is {model.name!r}, expected one with a convolution; "
            "take notes_cnn, resnet_small or resnet50"
        )
        raise ValueError(msg)
    kernel = ops.convert_to_numpy(layers[0].kernel)
    if kernel.ndim == 5:  # (dec, ra, freq, input, filter); a second input is the place in the band
        weights, n_freq = kernel[:, :, :, 0], kernel.shape[2]
        freq = np.arange(n_freq) - n_freq // 2
    else:
        weights, freq = kernel, np.arange(kernel.shape[2])
    side = np.arange(kernel.shape[0]) - kernel.shape[0] // 2
    away = {"units": "voxels", "long_name": "distance from the centre"}
    return xr.DataArray(
        weights.transpose(3, 2, 0, 1), dims=("filter", "freq", "dec", "ra"), name="weight",
        coords={
            "freq": ("freq", freq, {"units": "voxels", "long_name": "place along the band"}),
            "dec": ("dec", side, away), "ra": ("ra", side, away),
        },
        attrs={"units": "1", "long_name": "weight of the first convolution"},
    )  # fmt: skip


def activations(model, inputs):
    """Return what each block of a network makes of some maps.

    Parameters
    ----------
    model : keras.Model
        Network; of an ensemble, the first member.
    inputs : numpy.ndarray, float32, shape (n, n_dec, n_ra, n_freq)
        Network inputs.

    Returns
    -------
    dict of str to numpy.ndarray
        By the name of the block, in order: the outputs, the last axis counts the filters. The input
        is the first.
    """
    one = first_member(model)
    names = [_last_layer(one, block.name) for block in describe_blocks(one)]
    front = keras.Model(one.input, [one.get_layer(name).output for _, name in names])
    parts = [front.predict_on_batch(inputs[i : i + CHUNK]) for i in range(0, len(inputs), CHUNK)]
    return {
        block: np.concatenate([ops.convert_to_numpy(part[k]) for part in parts])
        for k, (block, _) in enumerate(names)
    }


def summarise_activations(outputs):
    """Return how much of each block's answer is zero, and how much of it differs between maps.

    Parameters
    ----------
    outputs : dict of str to numpy.ndarray
        From `activations`, of at least two maps.

    Returns
    -------
    xarray.Dataset, over ``block``
        ``zero``: share of the outputs that are 0. ``silent``: share of the filters that are 0 at
        every place of every map. ``between``: scatter between maps of a filter's mean over the map,
        over the scatter of its outputs; the root mean square over filters.
    """
    rows = {"zero": [], "silent": [], "between": []}
    for values in outputs.values():
        flat = values.reshape(len(values), -1, values.shape[-1] if values.ndim > 2 else 1)
        if values.ndim == 2:  # a dense layer: every unit is a filter with one place
            flat = values[:, None, :]
        rows["zero"].append(float((flat == 0).mean()))
        rows["silent"].append(float((flat == 0).all(axis=(0, 1)).mean()))
        total = flat.std(axis=(0, 1))
        share = flat.mean(axis=1).std(axis=0)[total > 0] / total[total > 0]
        rows["between"].append(float(np.sqrt(np.mean(share**2))) if share.size else 0.0)
    labels = {
        "zero": "share of outputs that are 0",
        "silent": "share of filters that never answer",
        "between": "scatter between maps over all scatter",
    }
    return xr.Dataset(
        {k: ("block", v, {"units": "1", "long_name": labels[k]}) for k, v in rows.items()},
        coords={"block": ("block", list(outputs), {"long_name": "block of the network"})},
    )


def answers(model, inputs):
    """Return the point answers for any number of maps, shape (n, n_outputs).

    Parameters
    ----------
    model : keras.Model
        Network with any kind of output: of quantiles the median, of a Gaussian the mean.
    inputs : numpy.ndarray, float32, shape (n, n_dec, n_ra, n_freq)
        Network inputs.
    """
    point = point_answer(model)
    starts = range(0, len(inputs), CHUNK)
    parts = [point.predict_on_batch(inputs[i : i + CHUNK]) for i in starts]
    return np.concatenate([ops.convert_to_numpy(part) for part in parts])


def point_answer(model):
    """Return the network with one answer a bin, which shares all weights with `model`."""
    last = first_member(model).layers[-1]
    if isinstance(last, OrderedQuantiles):
        return keras.Model(model.input, model.output[:, len(last.levels) // 2])
    if isinstance(last, MeanAndFactor):
        return keras.Model(model.input, model.output[:, :, 0])
    return model


def _last_layer(model, block):
    """Return the name of a block and of the last layer in it."""
    names = [layer.name for layer in model.layers]
    return block, block if block in names else [k for k in names if k.startswith(f"{block}_")][-1]
