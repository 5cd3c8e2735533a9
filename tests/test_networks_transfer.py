"""A trained network with another last layer."""

import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.networks import MeanOverSky, Temperature, build_classifier, logits_of

SHAPE = (16, 16, 4)
SMALL = {
    "notes_cnn": {"n_blocks": 2, "filters": 2, "width": 5, "dropout": 0.5},
    "histogram": {"n_histogram_bins": 8, "width": 5},
    "resnet_small": {"n_blocks": 1, "filters": 2},
    "additive": {"filters": 3, "patch": 4},
}
FEATURES = {"notes_cnn": 5, "histogram": 16 + 5, "resnet_small": 2, "additive": 3}


@pytest.fixture
def maps():
    return np.random.default_rng(0).gamma(1.0, size=(12, *SHAPE)).astype(np.float32)


def network(name, maps, **changes):
    keras.utils.set_random_seed(1)
    model = networks.build(name, SHAPE, 6, **SMALL[name] | changes)
    networks.adapt(model, maps, target=(np.zeros(6), np.ones(6)))
    return model


def classifier_of(name, maps, **settings):
    model = build_classifier(network(name, maps), 3, **settings)
    networks.adapt(model, maps)
    return model


@pytest.mark.parametrize("name", SMALL)
def test_the_last_layer_gives_way_to_one_neuron_a_class(name, maps):
    model = classifier_of(name, maps)
    answer = model.predict(maps, verbose=0)
    npt.assert_allclose(answer, 1 / 3, rtol=1e-6)  # before training it knows nothing
    kernel = model.get_layer("logits").kernel
    assert tuple(kernel.shape) == (FEATURES[name], 3)
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    answer = model.predict(maps, verbose=0)
    npt.assert_allclose(answer.sum(axis=1), 1, rtol=1e-5)  # float32
    assert np.ptp(answer, axis=0).min() > 1e-3


@pytest.mark.parametrize("output", networks.OUTPUTS)
def test_every_kind_of_answer_gives_way(output, maps):
    model = build_classifier(network("notes_cnn", maps, output=output), 2)
    assert tuple(model.get_layer("logits").kernel.shape) == (5, 2)


def test_the_body_reads_what_the_trained_network_reads(maps):
    model = network("notes_cnn", maps)
    dense = keras.Model(model.input, model.get_layer("dense").output).predict(maps, verbose=0)
    body = build_classifier(model, 3).get_layer("body")
    npt.assert_allclose(body.predict(maps, verbose=0), dense, rtol=1e-5)  # float32


@pytest.mark.parametrize(("frozen", "n_trained"), [(True, 2), (False, 16)])
def test_a_frozen_body_stays_and_the_trained_network_always_does(frozen, n_trained, maps):
    trained = network("notes_cnn", maps)
    before = [w.copy() for w in trained.get_weights()]
    model = build_classifier(trained, 3, frozen=frozen)
    networks.adapt(model, maps)
    assert len(model.trainable_weights) == n_trained
    body = [w.copy() for w in model.get_layer("body").get_weights()]
    model.compile(optimizer=keras.optimizers.Adam(0.1), loss="categorical_crossentropy")
    for _ in range(3):
        model.train_on_batch(maps, np.eye(3, dtype="float32")[np.arange(12) % 3])
    for now, then in zip(trained.get_weights(), before, strict=True):
        npt.assert_array_equal(now, then)
    same = [
        np.array_equal(now, then)
        for now, then in zip(model.get_layer("body").get_weights(), body, strict=True)
    ]
    assert all(same) if frozen else not all(same)
    assert trained.trainable_weights  # and can still be trained


def test_a_frozen_body_drops_no_units(maps):
    model = classifier_of("notes_cnn", maps)
    model.get_layer("logits").kernel.assign(np.ones((5, 3)) * [1.0, 0.0, -1.0])
    npt.assert_array_equal(model(maps, training=True), model(maps, training=True))
    tuned = classifier_of("notes_cnn", maps, frozen=False)
    tuned.get_layer("logits").kernel.assign(np.ones((5, 3)) * [1.0, 0.0, -1.0])
    assert not np.array_equal(tuned(maps, training=True), tuned(maps, training=True))


def test_an_ensemble_is_read_by_all_its_bodies(maps):
    members = [network("histogram", maps), network("notes_cnn", maps)]
    model = build_classifier(networks.average(members), 3)
    assert model.get_layer("logits").kernel.shape[0] == 21 + 5


@pytest.mark.parametrize("name", SMALL)
def test_a_classifier_comes_back_from_disk(name, maps, tmp_path):
    model = classifier_of(name, maps, frozen=name != "notes_cnn")
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    model.get_layer("temperature").value.assign(2.5)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False, safe_mode=True)
    npt.assert_allclose(again.predict(maps, verbose=0), model.predict(maps, verbose=0), rtol=1e-5)
    npt.assert_allclose(again.get_layer("temperature").value, 2.5)


def test_the_temperature_divides_the_logits(maps):
    model = classifier_of("histogram", maps)
    kernel = model.get_layer("logits").kernel
    kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
    logits = logits_of(model).predict(maps, verbose=0)
    model.get_layer("temperature").value.assign(4.0)
    cooled = np.exp(logits / 4) / np.exp(logits / 4).sum(axis=1, keepdims=True)
    npt.assert_allclose(model.predict(maps, verbose=0), cooled, rtol=1e-4)  # float32 exponentials
    npt.assert_array_equal(logits_of(model).predict(maps, verbose=0), logits)


def test_the_mean_over_sky_is_over_all_places():
    values = np.arange(24.0).reshape(1, 2, 3, 4)
    npt.assert_allclose(MeanOverSky(2)(values), values.mean(axis=(1, 2)))
    assert Temperature(name="t").get_config()["name"] == "t"


def test_what_cannot_be_a_classifier_is_refused(maps):
    with pytest.raises(ValueError, match="n_classes is 1, expected at least 2"):
        build_classifier(network("histogram", maps), 1)
    voxels = keras.Input(SHAPE)
    bare = keras.Model(voxels, keras.layers.Flatten()(voxels), name="bare")
    with pytest.raises(ValueError, match="'bare' has no last layer with weights"):
        build_classifier(bare, 2)
