import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.networks.inside import activations, answers, first_filters, summarise_activations
from imtools.networks.saliency import gradient, mean_by_temperature, occlusion, sum_patches

SHAPE = (8, 8, 3)
SMALL = {"n_blocks": 2, "filters": 4, "width": 10, "dropout": 0.5}


@pytest.fixture
def maps():
    return np.random.default_rng(5).exponential(size=(20, *SHAPE)).astype("float32")


def network(name="notes_cnn", **settings):
    keras.utils.set_random_seed(2)
    return networks.build(name, SHAPE, 5, **SMALL | settings)


def linear_network():
    """Return a network whose bins are sums of weights times voxels, and the weights."""
    weights = np.random.default_rng(1).normal(size=(*SHAPE, 5)).astype("float32")
    voxels = keras.Input(SHAPE, name="voxels")
    x = keras.layers.Dense(5, name="log_dn")(keras.layers.Flatten(name="flatten")(voxels))
    model = keras.Model(voxels, x)
    model.layers[-1].set_weights([weights.reshape(-1, 5), np.arange(5, dtype="float32")])
    return model, weights


def test_the_gradient_of_a_linear_network_is_its_weights(maps):
    model, weights = linear_network()
    slopes = gradient(model, maps, 3)
    npt.assert_allclose(slopes, np.broadcast_to(weights[..., 3], slopes.shape), rtol=1e-6)


def test_covering_a_patch_of_a_linear_network_takes_its_part_away(maps):
    model, _ = linear_network()
    lost = sum_patches(-gradient(model, maps, 2) * maps, 4)
    # the answers, near 10, are differences of float32 sums over 192 voxels
    npt.assert_allclose(occlusion(model, maps, 2, patch=4), lost, rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match="patch is 3, expected a divisor of 8 and 8"):
        occlusion(model, maps, 2, patch=3)


@pytest.mark.parametrize("output", ["point", "quantiles", "gaussian"])
@pytest.mark.parametrize("name", ["notes_cnn", "histogram"])
def test_the_gradient_is_the_slope_of_the_answer(name, output, maps):
    settings = {"n_histogram_bins": 8} if name == "histogram" else {}
    model = network(name, output=output, **settings)
    if name == "histogram":
        networks.adapt(model, maps)
    for layer in model.layers:  # the last layers of a histogram start at zero
        if isinstance(layer, keras.layers.Dense):
            noise = np.random.default_rng(4).normal(scale=0.3, size=layer.kernel.shape)
            layer.kernel.assign(noise.astype("float32"))
    slope, step = gradient(model, maps, 2), 1e-3
    direction = np.sign(slope)  # every voxel a little, so that the answer moves above float32
    ahead, behind = (answers(model, maps + s * step * direction)[:, 2] for s in (0.5, -0.5))
    expected = np.abs(slope).sum(axis=(1, 2, 3))
    close = np.isclose((ahead - behind) / step, expected, rtol=0.01)
    assert close.mean() > 0.7  # a voxel whose ReLU or bin changes within the step leaves the line


def test_the_gradient_of_an_ensemble_is_the_mean_of_its_members(maps):
    members = [networks.build("notes_cnn", SHAPE, 5, **SMALL) for _ in range(2)]
    each = [gradient(member, maps, 1) for member in members]
    npt.assert_allclose(
        gradient(networks.average(members), maps, 1), np.mean(each, axis=0), rtol=1e-4, atol=1e-7
    )  # float32 path
    with pytest.raises(ValueError, match="gradient: output is 5, expected one of the 5 bins"):
        gradient(members[0], maps, 5)


def test_a_point_answer_is_the_median_of_quantiles_and_the_mean_of_a_gaussian(maps):
    model = network(output="quantiles")
    median = model.predict(maps, verbose=0)[:, len(networks.LEVELS) // 2]
    npt.assert_allclose(answers(model, maps), median, rtol=1e-5)
    model = network(output="gaussian")
    npt.assert_allclose(answers(model, maps), model.predict(maps, verbose=0)[..., 0], rtol=1e-5)


def test_first_filters_are_the_weights_that_a_map_meets(maps):
    model = network(freq_channel=True)
    filters = first_filters(model)
    assert filters.dims == ("filter", "freq", "dec", "ra")
    assert filters.shape == (4, 3, 3, 3)
    npt.assert_array_equal(filters["freq"], [-1, 0, 1])
    kernel = model.get_layer("block_1_convolution").kernel.numpy()
    npt.assert_array_equal(filters.transpose("dec", "ra", "freq", "filter"), kernel[:, :, :, 0])
    flat = first_filters(networks.average([network(n_dims=2), network(n_dims=2)]))
    assert flat.sizes == {"filter": 4, "freq": 3, "dec": 3, "ra": 3}
    with pytest.raises(ValueError, match="expected one with a convolution"):
        first_filters(network("histogram"))


def test_activations_are_what_leaves_each_block(maps):
    model = network()
    outputs = activations(model, maps)
    assert list(outputs) == ["voxels", "block_1", "block_2", "dense", "log_dn"]
    npt.assert_array_equal(outputs["voxels"], maps)
    assert outputs["block_1"].shape == (20, 4, 4, 2, 4)
    npt.assert_allclose(outputs["log_dn"], answers(model, maps), rtol=1e-5, atol=1e-6)  # float32


def test_silence_and_scatter_between_maps_are_counted():
    rng = np.random.default_rng(0)
    place = rng.normal(size=(1, 50, 50, 2)) * np.ones((4, 1, 1, 1))  # the same for every map
    of_map = np.arange(4.0)[:, None, None, None] * np.ones((1, 50, 50, 2))
    of_map[..., 0] = 0.0
    summary = summarise_activations({"place": place, "map": of_map, "dense": of_map[:, 0, 0]})
    npt.assert_allclose(summary["between"], [0.0, 1.0, 1.0], atol=1e-12)  # same arithmetic
    noise = summarise_activations({"noise": rng.normal(size=(400, 10, 10, 2))})
    rtol = 5 / np.sqrt(2 * 800)  # 5 sigma of a standard deviation from 800 means
    npt.assert_allclose(noise["between"], 0.1, rtol=rtol)  # the mean of 100 places
    npt.assert_allclose(summary["silent"], [0.0, 0.5, 0.5], rtol=1e-12)
    npt.assert_allclose(summary["zero"], [0.0, 0.625, 0.625], rtol=1e-12)  # and a map of zeros


def test_gradients_are_averaged_over_voxels_of_one_temperature():
    inputs = np.array([0.1, 0.2, 1.5, 1.5, 9.0])
    means = mean_by_temperature(np.array([1.0, 3.0, 5.0, 7.0, 9.0]), inputs, np.array([0, 1, 2, 3]))
    npt.assert_allclose(means, [2.0, 6.0, np.nan], rtol=1e-12)
