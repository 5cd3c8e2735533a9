"""A network that says which luminosity model made a map, and how sure it is."""

import keras
import numpy as np
import numpy.testing as npt
import pytest
from scipy.special import softmax
from toy_maps import toy_data, toy_experiment

from imtools import networks
from imtools.datasets import network_inputs
from imtools.run_folder import read_json, read_rows
from imtools.training import NonFiniteLossError, load_classifier, save_model, train_classifier
from imtools.training.classifying import best_temperature

NAMES = ("faint", "middle", "bright")
EXPERIMENT = toy_experiment(epochs=30, batch_size=12, learning_rate=0.02, patience=30)


def mixed(catalogues, factors=(0.1, 1.0, 10.0)):
    """Return toy maps of three families, which differ in brightness by `factors`."""
    data = toy_data(catalogues, n_draws=3)
    family = np.arange(data.sizes["sample"]) % 3
    maps = data["map"] * np.array(factors)[family][:, None, None, None]
    names = ("sample", np.array(NAMES)[family])
    kept = maps.astype("float32").assign_attrs(data["map"].attrs)
    return data.assign(map=kept).assign_coords(luminosity_model=names)


@pytest.fixture(scope="module")
def data():
    return {"train": mixed(range(20)), "validation": mixed(range(20, 28))}


@pytest.fixture(scope="module")
def model(data):
    keras.utils.set_random_seed(0)
    inputs = network_inputs(data["train"]["map"], EXPERIMENT)
    model = networks.build("histogram", inputs.shape[1:], 14, n_histogram_bins=32, width=8)
    networks.adapt(model, inputs)
    return model


def run(model, data, folder, experiment=EXPERIMENT, **settings):
    return train_classifier(
        model, experiment, data["train"], data["validation"], folder, **settings
    )


@pytest.fixture(scope="module")
def trained(model, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    return run(model, data, folder), folder


def test_it_tells_bright_from_faint_on_maps_it_never_saw(trained):
    classifier, _ = trained
    test = mixed(range(40, 50))
    seen = classifier.probabilities(test["map"])
    assert seen.dims == ("sample", "family")
    assert seen.attrs["units"] == "1"
    assert "catalogue" in seen.coords
    npt.assert_allclose(seen.sum("family"), 1, rtol=1e-5)  # float32
    said = seen["family"].values[seen.argmax("family").values]
    assert np.mean(said == test["luminosity_model"].values) > 0.9
    assert list(seen["family"].values) == sorted(NAMES)


def test_what_cannot_be_told_apart_is_not(model, data, tmp_path):
    same = {
        k: mixed(c, (1, 1, 1)) for k, c in (("train", range(20)), ("validation", range(20, 28)))
    }
    classifier = run(model, same, tmp_path)
    seen = classifier.probabilities(mixed(range(40, 50), (1, 1, 1))["map"])
    assert float(seen.max("family").mean()) < 0.6  # of 1/3 that is right, 1 that is boast


def test_the_folder_holds_all_of_it(trained, data):
    classifier, folder = trained
    again = load_classifier(folder)
    maps = data["validation"]["map"]
    npt.assert_array_equal(again.probabilities(maps), classifier.probabilities(maps))
    manifest = read_json(folder / "manifest.json")
    assert manifest["families"] == sorted(NAMES)
    assert manifest["frozen"] is True
    assert 0.05 <= manifest["temperature"] <= 20
    history = read_rows(folder / "history.csv")
    best = int(np.argmin(history["validation_loss"]))
    assert manifest["best"]["epoch"] == best
    npt.assert_allclose(manifest["best"]["validation_loss"], history["validation_loss"][best])
    npt.assert_allclose(again.model.get_layer("temperature").value, manifest["temperature"])


def test_the_weights_are_those_of_the_best_epoch(trained, data):
    classifier, folder = trained
    manifest = read_json(folder / "manifest.json")
    classifier.model.get_layer("temperature").value.assign(1.0)
    p = classifier.probabilities(data["validation"]["map"]).values
    classifier.model.get_layer("temperature").value.assign(manifest["temperature"])
    true = data["validation"]["luminosity_model"].values[:, None] == np.array(sorted(NAMES))
    loss = -np.log(p[true]).mean()
    npt.assert_allclose(loss, manifest["best"]["validation_loss"], rtol=1e-4)  # float32


def test_the_same_seed_gives_the_same_classifier(trained, model, data, tmp_path):
    once = trained[0].probabilities(data["validation"]["map"])
    for _ in range(2):  # a folder that is used again starts its history anew
        twice = run(model, data, tmp_path).probabilities(data["validation"]["map"])
        npt.assert_allclose(twice, once, rtol=1e-5, atol=1e-6)  # float32, sums in any order
    assert read_rows(tmp_path / "history.csv")["epoch"].size == 30


@pytest.mark.parametrize("frozen", [True, False])
def test_the_body_stays_only_if_it_is_frozen(frozen, model, data, tmp_path):
    few = EXPERIMENT.replace(epochs=2)
    classifier = run(model, data, tmp_path, few, frozen=frozen)
    before = keras.Model(model.input, model.get_layer("hidden").output)
    inputs = network_inputs(data["validation"]["map"], EXPERIMENT)
    body = classifier.model.get_layer("body").predict(inputs, verbose=0)
    hidden = before.predict(inputs, verbose=0)
    same = any(np.allclose(body[:, i : i + 8], hidden, rtol=1e-5) for i in (0, body.shape[1] - 8))
    assert same is frozen


def test_noise_is_drawn_for_every_batch_and_asks_for_a_generator(model, data, tmp_path):
    noisy = EXPERIMENT.replace(epochs=2, sigma_noise=5.0)
    classifier = run(model, data, tmp_path, noisy)
    maps = data["validation"]["map"]
    with pytest.raises(ValueError, match="pass rng"):
        classifier.probabilities(maps)
    first, second = (classifier.probabilities(maps, rng=np.random.default_rng(i)) for i in (0, 1))
    assert not np.array_equal(first, second)
    clean = classifier.probabilities(maps, EXPERIMENT)  # another instrument
    assert not np.array_equal(clean, first)


def test_blank_maps_have_no_class(model, data, tmp_path):
    blanks = EXPERIMENT.replace(epochs=2, blank_share=0.9)
    run(model, data, tmp_path / "a", blanks)
    run(model, data, tmp_path / "b", EXPERIMENT.replace(epochs=2))
    losses = [read_rows(tmp_path / n / "history.csv")["loss"] for n in "ab"]
    npt.assert_allclose(*losses, rtol=1e-5)


# --- the temperature


def random_case(n=4000, sure=1.0):
    """Return logits `sure` times as sure as they are right, and classes drawn by them."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (n, 3))
    drawn = (rng.random(n)[:, None] > softmax(logits, axis=1).cumsum(axis=1)).sum(axis=1)
    return sure * logits, np.eye(3)[drawn]


@pytest.mark.parametrize("sure", [0.3, 1.0, 4.0])
def test_the_temperature_makes_logits_as_sure_as_they_are_right(sure):
    # about 3 % from 4000 draws; 5 sampling errors
    npt.assert_allclose(best_temperature(*random_case(sure=sure)), sure, rtol=0.15)


def test_a_few_maps_all_right_are_not_taken_for_certainty():
    true = np.eye(3)[np.arange(12) % 3]
    temperature = best_temperature(10 * true, true)
    p = softmax(10 * true / temperature, axis=1)[true > 0]
    npt.assert_allclose(p, 13 / 15, rtol=1e-3)  # (n + 1) / (n + 3)


# --- refusals


def test_what_cannot_be_trained_on_is_refused(model, data, tmp_path):
    one = data["train"].isel(sample=slice(0, None, 3))
    for train, validation, match in (
        (one, data["validation"], "families are faint in training"),
        (data["train"], data["validation"].isel(sample=slice(0, 2)), "faint, middle in validation"),
        (data["train"], data["train"], "in validation and, as"),
        (data["train"].isel(sample=slice(6)), data["validation"], "fewer maps than batch_size 12"),
    ):
        with pytest.raises(ValueError, match=match):
            run(model, {"train": train, "validation": validation}, tmp_path)


def test_other_maps_are_refused(trained):
    with pytest.raises(ValueError, match=r"Classifier\.probabilities: shape of the maps"):
        trained[0].probabilities(mixed([40])["map"].isel(ra=slice(8)))


def test_a_network_that_is_no_classifier_is_refused(model, tmp_path):
    save_model(model, {}, tmp_path)
    with pytest.raises(ValueError, match="holds no classifier"):
        load_classifier(tmp_path)


def test_a_loss_that_is_no_number_ends_the_training(model, data, tmp_path):
    spoilt = {k: d.copy(deep=True) for k, d in data.items()}
    spoilt["train"]["map"].values[:] = np.nan
    with pytest.raises((NonFiniteLossError, ValueError), match=r"nan|NaN"):
        run(model, spoilt, tmp_path)
