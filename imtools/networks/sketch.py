"""A network as a list of its layers or blocks, for a table or a drawing; no weight is needed."""

import math
import re
from dataclasses import dataclass
from itertools import groupby

import keras

from imtools.networks.costs import multiply_adds, n_kept, shapes_only
from imtools.networks.registry import build

BLOCK = re.compile(r"(stem|block_\d+|stage_\d+)(_|$)")  # how the builders name what belongs


@dataclass(frozen=True, kw_only=True)
class Part:
    """One layer of a network, or a block of some."""

    name: str
    kinds: tuple  # classes of its layers, in order
    shape: tuple  # of what leaves it, for one map: (n_dec, n_ra, n_freq or none, n_filters)
    n_params: int  # weights
    multiply_adds: int  # for one map, forward
    n_values: int  # outputs that training keeps, for one map

    @property
    def shape_in_words(self):
        """Shape as one reads it, such as ``64 x 64 x 10``."""
        return " x ".join(map(str, self.shape))


def describe_layers(model):
    """Return the layers of a network in order, those of its first member if it is an ensemble.

    Parameters
    ----------
    model : keras.Model
        Network, with or without values in its weights.

    Returns
    -------
    list of Part
    """
    return [
        Part(
            name=layer.name,
            kinds=(type(layer).__name__,),
            shape=tuple(layer.output.shape[1:]),
            n_params=sum(math.prod(w.shape) for w in layer.weights),
            multiply_adds=multiply_adds(layer),
            n_values=n_kept(layer),
        )
        for layer in first_member(model).layers
    ]


def describe_blocks(model):
    """Return the blocks of a network: layers that a builder named alike, as one part.

    Parameters
    ----------
    model : keras.Model
        As for `describe_layers`.

    Returns
    -------
    list of Part
        A layer that belongs to no block stands for itself, unless it only looks at the same
        numbers in another way. Shapes are those that leave a block.
    """
    start, *others = describe_layers(model)
    layers = [start, *(layer for layer in others if layer.n_values or layer.n_params)]
    return [_joined(name, list(parts)) for name, parts in groupby(layers, _block)]


def sketch(architecture, input_shape, n_outputs, **settings):
    """Return the blocks of the network that `build` would make, from shapes alone.

    Parameters
    ----------
    architecture, input_shape, n_outputs, **settings
        As for `build`, which raises the same errors.

    Returns
    -------
    list of Part
        See `describe_blocks`.

    Examples
    --------
    >>> for block in sketch("notes_cnn", (64, 64, 10), 49, n_blocks=2, filters=8, width=100):
    ...     print(f"{block.name:8} {block.shape_in_words:18} {block.n_params:,} weights")
    voxels   64 x 64 x 10       0 weights
    block_1  32 x 32 x 5 x 8    776 weights
    block_2  16 x 16 x 3 x 16   5,600 weights
    dense    100                1,228,900 weights
    log_dn   49                 4,949 weights
    """
    return shapes_only(
        lambda: describe_blocks(build(architecture, input_shape, n_outputs, **settings))
    )


def first_member(model):
    """Return the first network of an ensemble that `average` made, or the network itself."""
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    return first_member(members[0]) if members else model


def _block(part):
    """Return the name of the block that a layer belongs to."""
    found = BLOCK.match(part.name)
    return found[1] if found else part.name


def _joined(name, parts):
    return Part(
        name=name,
        kinds=tuple(kind for part in parts for kind in part.kinds),
        shape=parts[-1].shape,
        n_params=sum(part.n_params for part in parts),
        multiply_adds=sum(part.multiply_adds for part in parts),
        n_values=sum(part.n_values for part in parts),
    )
