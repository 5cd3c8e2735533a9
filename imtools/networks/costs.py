"""What a network will cost, before any of it is built: weights, multiply-adds, training memory.

The builder runs once with shapes alone. No weight gets a value or memory, so a network that fits
on no machine here can be costed in a tenth of a second.
"""

import math
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import keras

from imtools.networks.layers import SoftHistogram
from imtools.networks.registry import build

BYTES = 4  # of a float32
SLOTS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}  # numbers an optimizer keeps a weight
VIEWS = (keras.layers.InputLayer, keras.layers.Reshape, keras.layers.Flatten)  # no new numbers
PER_VOXEL = 9  # numbers that a soft histogram keeps of each voxel, as measured with TensorFlow


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Costs of one network."""

    n_params: int  # weights, those that are not trained included
    n_trainable: int  # weights that are trained
    multiply_adds: int  # of convolutions and dense layers, for one map, forward
    n_values: int  # outputs of all layers for one map, which training keeps
    n_largest: int  # outputs of the layer that has most, for one map

    def training_memory(self, batch_size, *, optimizer="adam"):
        """Return the memory that a training step takes at its peak [bytes].

        Parameters
        ----------
        batch_size : int
            Maps a step.
        optimizer : str
            A key of ``SLOTS``.

        Raises
        ------
        ValueError
            If the optimizer is not known.

        Notes
        -----
        Each weight is there once, with its gradient and what the optimizer keeps; the outputs of
        all layers wait for the way back; on it, gradients of two large outputs live at once. What
        one more map of a batch takes was measured with TensorFlow on a CPU: 0.7 to 1.2 of this for
        convolutional networks, 0.3 for a histogram, 1.5 for an additive one. The backend itself
        comes on top, 0.6 GB there.
        """
        if optimizer not in SLOTS:
            msg = f"training_memory: optimizer is {optimizer!r}, expected one of {', '.join(SLOTS)}"
            raise ValueError(msg)
        weights = self.n_params + (1 + SLOTS[optimizer]) * self.n_trainable
        return BYTES * (weights + batch_size * (self.n_values + 2 * self.n_largest))


def predict_costs(architecture, input_shape, n_outputs, **settings):
    """Return what the network that `build` would make will cost.

    Parameters
    ----------
    architecture : str
        Name in ``ARCHITECTURES``.
    input_shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_outputs : int
        Bins of the luminosity function.
    **settings
        Network parameters, as for `build`.

    Returns
    -------
    Costs
        Numbers of weights, multiply-adds and layer outputs.

    Raises
    ------
    ValueError
        Where `build` would raise: no such architecture, or a shape that runs out of voxels.

    Examples
    --------
    >>> costs = predict_costs("notes_cnn", (64, 64, 10), 49)
    >>> f"{costs.n_params:,} weights, {costs.multiply_adds:,} multiply-adds a map"
    '122,276,033 weights, 3,226,992,488 multiply-adds a map'
    """
    return shapes_only(lambda: count_costs(build(architecture, input_shape, n_outputs, **settings)))


def shapes_only(function):
    """Return what `function` returns where the networks that it builds have shapes, no weights."""

    def run():
        with keras.StatelessScope(initialize_variables=False):
            return function()

    # a thread of its own: Keras keeps a list of weights without a value for each thread, and would
    # fill them in at the next occasion; and a layer that is made draws from Python's generator
    state = random.getstate()
    try:
        with ThreadPoolExecutor(1) as one:
            return one.submit(run).result()
    finally:
        random.setstate(state)


def count_costs(model):
    """Return the `Costs` of a network that is there, with or without values in its weights.

    Parameters
    ----------
    model : keras.Model
        Network of stock layers and of those of this package.
    """
    sizes = [n_kept(layer) for layer in model.layers]
    return Costs(
        n_params=model.count_params(),
        n_trainable=sum(math.prod(w.shape) for w in model.trainable_weights),
        multiply_adds=sum(multiply_adds(layer) for layer in model.layers),
        n_values=sum(sizes),
        n_largest=max(sizes),
    )


def _n_outputs(layer):
    """Return how many numbers a layer gives for one map."""
    return math.prod(layer.output.shape[1:])


def n_kept(layer):
    """Return how many numbers a layer makes for one map and keeps for the way back."""
    if isinstance(layer, VIEWS) or (isinstance(layer, keras.layers.Dropout) and not layer.rate):
        return 0
    if isinstance(layer, SoftHistogram):
        return PER_VOXEL * math.prod(layer.input.shape[1:])
    return _n_outputs(layer)


def multiply_adds(layer):
    """Return the multiply-adds of a layer with a kernel: all of it, at each place of the output."""
    if not hasattr(layer, "kernel"):
        return 0
    return math.prod(layer.kernel.shape) * _n_outputs(layer) // layer.output.shape[-1]
