import inspect

import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.networks import ARCHITECTURES, LogCounts, SoftHistogram, Standardise

# Keras 3.15 asks numpy for a copy in the way of numpy 1 when it saves weights

SHAPE = (16, 16, 4)
OFF_DEFAULT = {  # every argument of every builder, none at its default
    "histogram": {"n_histogram_bins": 21, "width": 9, "dropout": 0.2},
    "notes_cnn": {
        "n_blocks": 2, "filters": 3, "kernel": 2, "n_dims": 2, "dropout": 0.1, "width": 11,
    },
}  # fmt: skip


@pytest.fixture
def maps():
    return np.random.default_rng(0).gamma(1.0, 1.0, (6, *SHAPE)).astype("float32")


def test_soft_histogram_shares_a_value_between_the_two_nearest_centres():
    layer = SoftHistogram(4, low=0.0, high=3.0)
    seen = np.array(layer(np.array([[0.0, 1.0, 1.25, 3.0, -5.0, 9.0]], "float32")))
    npt.assert_allclose(seen, [[2.0, 1.75, 0.25, 2.0]], rtol=1e-6)  # float32; ends take outliers


def test_soft_histogram_counts_every_voxel_once(maps):
    seen = np.array(SoftHistogram(13, low=0.5, high=2.0)(maps))
    npt.assert_allclose(seen.sum(axis=1), np.prod(SHAPE), rtol=1e-5)  # float32 sums
    assert seen.shape == (6, 13)


def test_soft_histogram_of_values_at_centres_is_the_plain_histogram(maps):
    values = np.round(maps.clip(0, 7))
    seen = np.array(SoftHistogram(8, low=0.0, high=7.0)(values))
    plain = [np.bincount(v.astype(int).ravel(), minlength=8) for v in values]
    npt.assert_allclose(seen, plain, rtol=1e-5, atol=1e-3)  # 7/7 in float32 is off by an ulp


def test_soft_histogram_takes_its_range_from_training_maps(maps):
    layer = SoftHistogram(5)
    layer.build(maps.shape)
    layer.adapt(maps)
    seen = np.array(layer(np.array([[maps.min(), maps.max()]])))
    npt.assert_allclose(seen, [[1, 0, 0, 0, 1]], atol=1e-5)  # float32


def test_soft_histogram_refuses_maps_without_a_range():
    layer = SoftHistogram(5)
    layer.build((None, *SHAPE))
    with pytest.raises(ValueError, match=r"every value is 2\.0, expected maps that are not"):
        layer.adapt(np.full((3, *SHAPE), 2.0))


@pytest.mark.parametrize("wrong", [{"n_bins": 1}, {"n_bins": 5, "low": 1.0, "high": 1.0}])
def test_soft_histogram_refuses_no_bins_and_no_range(wrong):
    with pytest.raises(ValueError, match="expected at least 2 bins and low below high"):
        SoftHistogram(**wrong)


def test_log_counts_hold_the_counts_of_a_bin_and_above_it():
    seen = np.array(LogCounts()(np.array([[3.0, 0.0, 1.0]], "float32")))
    npt.assert_allclose(np.expm1(seen), [[3, 0, 1, 4, 1, 1]], rtol=1e-5, atol=1e-6)  # float32


def test_standardise_brings_features_to_mean_zero_and_unit_width():
    features = np.random.default_rng(1).normal(5.0, 2.0, (400, 3)).astype("float32")
    layer = Standardise(floor=1e-6)
    layer.build(features.shape)
    layer.adapt(features)
    seen = np.array(layer(features))
    npt.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)  # float32
    npt.assert_allclose(seen.std(axis=0), 1, rtol=1e-5)  # float32


def test_a_bin_empty_in_all_training_maps_does_not_blow_up():
    layer = Standardise()
    layer.build((None, 1))
    layer.adapt(np.zeros((8, 1), "float32"))
    one_voxel = np.log1p(np.ones((1, 1), "float32"))
    assert float(layer(one_voxel)[0, 0]) < 10


@pytest.mark.parametrize(
    "layer", [SoftHistogram(7, low=-1.0, high=4.0, name="a"), Standardise(floor=0.3, name="b")]
)
def test_a_layer_is_rebuilt_from_its_config(layer):
    again = type(layer).from_config(layer.get_config())
    arguments = set(inspect.signature(type(layer).__init__).parameters) - {"self", "kwargs"}
    assert all(getattr(again, name) == getattr(layer, name) for name in arguments | {"name"})


def test_histogram_network_is_unchanged_by_translation_and_turns(maps):
    model = networks.build("histogram", SHAPE, 5)
    networks.adapt(model, maps)
    _disturb(model)
    straight = model.predict_on_batch(maps)
    moved = np.rot90(np.roll(maps, (3, 5, 1), axis=(1, 2, 3)), axes=(1, 2))
    assert np.ptp(straight, axis=0).min() > 0  # different maps do differ
    npt.assert_allclose(model.predict_on_batch(moved), straight, rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.parametrize("name", sorted(OFF_DEFAULT))
def test_a_saved_network_predicts_the_same(name, maps, tmp_path):
    model = networks.build(name, SHAPE, 5, **OFF_DEFAULT[name])
    networks.adapt(model, maps)
    _disturb(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = model.predict_on_batch(maps)
    npt.assert_allclose(again.predict_on_batch(maps), expected, rtol=1e-5, atol=1e-6)  # float32
    assert np.ptp(expected) > 0


def test_every_architecture_has_a_save_and_load_test():
    assert set(OFF_DEFAULT) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", sorted(OFF_DEFAULT))
def test_no_network_has_a_lambda_layer(name):
    model = networks.build(name, SHAPE, 5, **OFF_DEFAULT[name])
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)
    assert model.output_shape == (None, 5)
    assert not model.compiled


def test_the_default_network_of_the_notes_has_its_122_million_weights():
    model = networks.build("notes_cnn", (64, 64, 10), 49)
    assert round(model.count_params() / 1e6) == 122  # as measured for the notes' architecture


@pytest.mark.parametrize(("n_dims", "last"), [(2, (1, 1, 24)), (3, (1, 1, 1, 24))])
def test_each_block_halves_the_map_and_doubles_the_filters(n_dims, last):
    model = networks.build("notes_cnn", SHAPE, 5, n_blocks=4, filters=3, width=7, n_dims=n_dims)
    assert model.get_layer("block_1_halving").output.shape[1:3] == (8, 8)
    assert model.get_layer("block_4_halving").output.shape[1:] == last


def test_a_map_that_runs_out_of_voxels_is_refused():
    with pytest.raises(ValueError, match=r"\(16, 16, 4\), expected at least 32 .* at most 4"):
        networks.build("notes_cnn", SHAPE, 5, n_blocks=5)


def test_convolution_in_four_dims_is_refused():
    with pytest.raises(ValueError, match="n_dims is 4, expected 2 or 3"):
        networks.build("notes_cnn", SHAPE, 5, n_blocks=2, n_dims=4)


@pytest.mark.parametrize("name", sorted(OFF_DEFAULT))
def test_a_map_without_a_frequency_axis_is_refused(name):
    with pytest.raises(ValueError, match=r"input_shape is \(64, 64\), expected \(n_dec, n_ra"):
        networks.build(name, (64, 64), 5)


def test_an_unknown_architecture_names_the_known_ones():
    with pytest.raises(ValueError, match="'resnot', expected one of histogram, notes_cnn"):
        networks.build("resnot", SHAPE, 5)


def test_an_architecture_is_not_registered_twice():
    with pytest.raises(ValueError, match="'histogram' is build_histogram"):
        networks.register("histogram")(lambda input_shape, n_outputs: None)


def test_build_leaves_out_settings_of_other_architectures():
    model = networks.build("histogram", SHAPE, 5, width=9, n_blocks=99, kernel=7)
    assert model.get_layer("hidden").units == 9


def test_an_ensemble_predicts_the_mean_of_its_members(maps, tmp_path):
    members = [networks.build("histogram", SHAPE, 5, width=4) for _ in range(3)]
    for member in members:
        networks.adapt(member, maps)
        _disturb(member)
    ensemble = networks.average(members)
    mean = np.mean([m.predict_on_batch(maps) for m in members], axis=0)
    npt.assert_allclose(ensemble.predict_on_batch(maps), mean, rtol=1e-4, atol=1e-5)  # float32
    ensemble.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    npt.assert_allclose(again.predict_on_batch(maps), mean, rtol=1e-4, atol=1e-5)  # float32
    assert networks.average(members[:1]) is members[0]


def _disturb(model):
    """Give every trainable weight a value, since the last layers start at zero."""
    rng = np.random.default_rng(4)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
