import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.networks import ARCHITECTURES, predict_costs
from imtools.networks.sketch import describe_blocks, describe_layers, first_member, sketch

SHAPE = (16, 16, 5)
SMALL = {"n_blocks": 2, "filters": 4, "width": 20, "stages": "1-1"}


@pytest.mark.parametrize("name", sorted(ARCHITECTURES.keys() - {"counting"}))  # it reads no map
def test_the_parts_of_a_sketch_sum_to_the_costs_of_the_network(name):
    blocks = sketch(name, SHAPE, 7, **SMALL)
    costs = predict_costs(name, SHAPE, 7, **SMALL)
    assert sum(block.n_params for block in blocks) == costs.n_params
    assert sum(block.multiply_adds for block in blocks) == costs.multiply_adds
    assert sum(block.n_values for block in blocks) == costs.n_values
    assert blocks[0].shape == SHAPE
    assert blocks[-1].shape == (7,)


def test_a_sketch_is_that_of_the_network_that_is_built():
    model = networks.build("resnet50", SHAPE, 7, **SMALL)
    assert sketch("resnet50", SHAPE, 7, **SMALL) == describe_blocks(model)


def test_a_block_gives_the_shape_that_leaves_it():
    blocks = {b.name: b for b in sketch("notes_cnn", (16, 16, 5), 7, **SMALL)}
    assert list(blocks) == ["voxels", "block_1", "block_2", "dense", "log_dn"]
    assert blocks["block_1"].shape == (8, 8, 3, 4)  # halved, 5 channels to 3, 4 filters
    assert blocks["block_2"].shape == (4, 4, 2, 8)
    assert blocks["block_1"].kinds == ("Conv3D", "BatchNormalization", "Dropout", "Conv3D")
    assert blocks["block_2"].shape_in_words == "4 x 4 x 2 x 8"


def test_layers_of_a_block_lie_in_the_order_of_the_network():
    model = networks.build("notes_cnn", SHAPE, 7, **SMALL)
    assert [layer.name for layer in describe_layers(model)] == [x.name for x in model.layers]


def test_of_an_ensemble_the_first_member_is_described():
    members = [networks.build("notes_cnn", SHAPE, 7, **SMALL) for _ in range(2)]
    both = networks.average(members)
    assert describe_blocks(both) == describe_blocks(members[0])
    first = first_member(both).get_weights()
    for one, two in zip(first, members[0].get_weights(), strict=True):
        npt.assert_array_equal(one, two)
    assert not np.array_equal(first[0], members[1].get_weights()[0])


def test_a_shape_that_runs_out_of_voxels_is_refused_with_its_reason():
    keras.utils.set_random_seed(1)
    with pytest.raises(ValueError, match="at least 32 voxels in dec and ra for 5 halvings"):
        sketch("notes_cnn", SHAPE, 7, n_blocks=5)
