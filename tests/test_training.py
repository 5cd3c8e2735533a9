import csv
import json
import pickle
import zipfile

import h5py
import keras
import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools import networks
from imtools.datasets import Batches, log_counts_array, network_inputs
from imtools.estimators import load_network
from imtools.run_folder import read_json, read_rows, read_status
from imtools.training import (
    NonFiniteLossError,
    Target,
    check_maps,
    check_splits,
    describe_maps,
    device_name,
    load_model,
    save_model,
    train,
)
from imtools.training.loop import fit
from imtools.training.saved import checksum


@pytest.fixture(scope="module")
def data():
    return {"train": toy_data(range(6)), "validation": toy_data(range(6, 8))}


def run(data, folder, **changes):
    return train(toy_experiment(**changes), data["train"], data["validation"], folder)


# -- splits by catalogue


def test_disjoint_catalogues_pass(data):
    check_splits(**data, test=toy_data([8]))


def test_a_catalogue_on_two_sides_is_refused_by_its_name(data):
    # fewer sources, so that no map is a copy
    other = toy_data([5], n_sources=100)
    with pytest.raises(ValueError, match="catalogue 5 is in test and, as 5, in train"):
        check_splits(**data, test=other)


def test_a_map_on_two_sides_is_refused_under_another_name(data):
    renamed = data["train"].isel(sample=[4]).assign_coords(catalogue=("sample", [99]))
    with pytest.raises(ValueError, match="map of catalogue 99 is in test and, as 1, in train"):
        check_splits(**data, test=renamed)


def test_haloes_on_two_sides_are_refused_though_the_maps_differ(data):
    named = {
        side: d.assign_coords(halo_hash=("sample", [f"hash-{c}" for c in d["catalogue"].values]))
        for side, d in (data | {"test": toy_data([8])}).items()
    }
    check_splits(**named)
    named["test"]["halo_hash"].values[0] = "hash-7"
    with pytest.raises(ValueError, match="haloes of catalogue 8 is in test and, as 7, in valid"):
        check_splits(**named)


def test_blank_maps_are_no_copies_of_each_other(data):
    blank = {side: d.assign(map=d["map"] * 0) for side, d in data.items()}
    check_splits(**blank)


def test_train_refuses_a_shared_catalogue(data, tmp_path):
    with pytest.raises(ValueError, match="in validation and, as 0, in train"):
        train(toy_experiment(), data["train"], data["train"], tmp_path)


# -- maps unlike those in training


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.isel(ra=slice(8)), r"shape of the maps is \[4, 16, 8\], expected \[4, 16, 16"),
        (lambda m: m.isel(freq=slice(3)), r"shape of the maps is \[3, 16, 16\], expected \[4, 16"),
        (lambda m: m.assign_coords(ra=m.ra * 2, dec=m.dec * 2), r"pixel_size .* is 0\.175 deg, ex"),
        (lambda m: m.assign_coords(freq=m.freq + 1), r"nu_min .* is 28 GHz, expected 27 GHz"),
        (lambda m: m.assign_attrs(n_pooled=4), "n_pooled of the maps is 4, expected 1"),
        (lambda m: m.assign_attrs(units="K"), "units are 'K', expected 'uK'"),
        (lambda m: m.isel(sample=0), "dims are .*, expected .sample, freq, dec, ra."),
        (lambda m: m.where(m != m.max()), "1 voxels are NaN or infinite, expected none"),
    ],
)
def test_maps_unlike_those_in_training_are_refused(data, change, message):
    expected = describe_maps(data["train"]["map"])
    check_maps(data["validation"]["map"], expected, caller="predict")
    with pytest.raises(ValueError, match=message):
        check_maps(change(data["validation"]["map"]), expected, caller="predict")


# -- a model on disk


@pytest.fixture
def saved(tmp_path):
    model = networks.build("histogram", (4, 4, 2), 3, n_histogram_bins=5, width=2)
    save_model(model, {"architecture": "histogram"}, tmp_path)
    return tmp_path


def test_a_saved_model_comes_back_with_its_manifest(saved):
    model, manifest = load_model(saved)
    assert manifest["architecture"] == "histogram"
    assert manifest["sha256"] == [checksum(saved / "model.keras")]
    assert model.output_shape == (None, 3)
    assert load_model(saved / "model.keras")[1] == manifest
    assert sorted(p.name for p in saved.iterdir()) == ["manifest.json", "model.keras"]


def test_a_kill_between_the_two_renames_leaves_a_model_that_loads(saved):
    old = (saved / "model.keras").read_bytes()
    model, _ = load_model(saved)
    model.trainable_weights[0].assign_add(np.ones(model.trainable_weights[0].shape))
    save_model(model, {}, saved)
    assert (saved / "model.keras").read_bytes() != old
    load_model(saved)
    (saved / "model.keras").write_bytes(old)  # as if the second rename had not come
    load_model(saved)


def test_a_flipped_byte_is_seen(saved):
    content = bytearray((saved / "model.keras").read_bytes())
    content[len(content) // 2] ^= 1
    (saved / "model.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"SHA-256 of .*manifest\.json lacks"):
        load_model(saved)


def test_a_model_without_manifest_is_refused(saved):
    (saved / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"manifest\.json does not exist"):
        load_model(saved)


def test_a_missing_model_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model\.keras does not exist; train a network"):
        load_model(tmp_path)


class Sentinel:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5", "model.pkl", "model"])
def test_other_formats_are_refused_unread(tmp_path, name):
    sentinel = tmp_path / "sentinel"
    (tmp_path / name).write_bytes(pickle.dumps(Sentinel(sentinel)))
    with pytest.raises(ValueError, match=r"expected '\.keras'; other formats may run code"):
        load_model(tmp_path / name)
    assert not sentinel.exists()


def test_a_pickle_that_calls_itself_keras_is_refused_unread(tmp_path):
    (tmp_path / "model.keras").write_bytes(pickle.dumps(Sentinel(tmp_path / "sentinel")))
    _vouch(tmp_path)
    with pytest.raises(ValueError, match=r"cannot be read \(File is not a zip file"):
        load_model(tmp_path)
    assert not (tmp_path / "sentinel").exists()


def test_a_lambda_layer_is_refused_and_does_not_run(tmp_path):
    sentinel = tmp_path / "sentinel"
    code = f"lambda x: [x, open({str(sentinel)!r}, 'w')][0]"
    layer = keras.layers.Lambda(eval(code), output_shape=(2,))
    model = keras.Sequential([keras.Input((2,)), layer])
    sentinel.unlink(missing_ok=True)  # building the model has run it
    model.save(tmp_path / "model.keras")
    sentinel.unlink(missing_ok=True)
    _vouch(tmp_path)
    with pytest.raises(ValueError, match=r"has a layer 'Lambda' of 'keras\.layers'"):
        load_model(tmp_path)
    assert not sentinel.exists()


def test_a_class_of_another_module_is_refused(saved):
    def edit(config):
        config["config"]["layers"][1] |= {"module": "subprocess", "class_name": "Popen"}
        config["config"]["layers"][1]["registered_name"] = "Popen"

    _edit_config(saved, edit)
    with pytest.raises(ValueError, match="has a layer 'Popen' of 'subprocess', expected Keras'"):
        load_model(saved)


def test_weights_that_link_to_another_file_are_refused(saved):
    _edit_weights(saved, lambda f: f.update(outside=h5py.ExternalLink("/etc/passwd", "/")))
    with pytest.raises(ValueError, match="has a link at //outside, expected weights"):
        load_model(saved)


def test_weights_that_unpack_to_more_are_refused(saved):
    def bomb(file):
        file.create_dataset("bomb", shape=(10**9,), dtype="f8", compression="gzip")

    _edit_weights(saved, bomb)
    with pytest.raises(ValueError, match="has packed or outside weights at /bomb"):
        load_model(saved)


def test_an_archive_with_something_else_inside_is_refused(saved):
    with zipfile.ZipFile(saved / "model.keras", "a") as archive:
        archive.writestr("assets/more.py", "boo")
    _vouch(saved)
    with pytest.raises(ValueError, match=r"holds .*assets/more\.py.*expected .'config\.json'"):
        load_model(saved)


def test_a_configuration_of_a_gigabyte_is_refused_unread(saved, monkeypatch):
    monkeypatch.setattr("imtools.training.saved.MAX_JSON_BYTES", 100)  # stands for 64 MB
    with pytest.raises(ValueError, match=r"holds .* bytes, expected"):
        load_model(saved)


def _vouch(folder):
    """List the model's checksum, as an attacker would who can write a manifest."""
    sha256 = [checksum(folder / "model.keras")]
    (folder / "manifest.json").write_text(json.dumps({"sha256": sha256}))


def _rewrite(folder, changes):
    with zipfile.ZipFile(folder / "model.keras") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()} | changes
    with zipfile.ZipFile(folder / "model.keras", "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    _vouch(folder)


def _edit_config(folder, edit):
    with zipfile.ZipFile(folder / "model.keras") as archive:
        config = json.loads(archive.read("config.json"))
    edit(config)
    _rewrite(folder, {"config.json": json.dumps(config)})


def _edit_weights(folder, edit):
    path = folder / "weights.h5"
    with zipfile.ZipFile(folder / "model.keras") as archive:
        path.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(path, "a") as file:
        edit(file)
    _rewrite(folder, {"model.weights.h5": path.read_bytes()})
    path.unlink()


# -- training


def test_training_leaves_the_best_network_its_history_and_its_manifest(data, tmp_path):
    manifest = run(data, tmp_path, epochs=5)
    history = read_rows(tmp_path / "history.csv")
    with (tmp_path / "history.csv").open() as file:
        columns = ["member", "epoch", "loss", "validation_loss", "seconds", "seam"]
        assert next(csv.reader(file)) == columns
    npt.assert_array_equal(history["epoch"], range(5))
    assert history["loss"][-1] < history["loss"][0]
    lowest = int(history["validation_loss"].argmin())
    assert manifest["best"] == [
        {"epoch": lowest, "validation_loss": history["validation_loss"][lowest]}
    ]
    model, written = load_model(tmp_path)
    assert written["experiment"] == toy_experiment(epochs=5).model_dump()
    assert written["catalogues"] == list(range(6))
    assert written["device"] == device_name()
    target = {k: np.array(v, "float32") for k, v in written["target"].items()}
    inputs = network_inputs(data["validation"]["map"], toy_experiment())
    truth = log_counts_array(data["validation"], toy_experiment())
    error = model.predict_on_batch(inputs) - (truth - target["mean"]) / target["width"]
    expected = manifest["best"][0]["validation_loss"]
    npt.assert_allclose(np.mean(error**2), expected, rtol=1e-4)  # float32, other batch sizes


def test_a_seed_sets_every_random_number_of_a_training(data, tmp_path):
    noisy = {"sigma_noise": 0.1, "dropout": 0.3}
    losses = []
    for i, seed in enumerate((1, 1, 2)):
        run(data, tmp_path / str(i), seed=seed, **noisy)
        losses.append(read_rows(tmp_path / str(i) / "history.csv")["validation_loss"])
    npt.assert_array_equal(losses[0], losses[1])
    assert np.all(losses[0] != losses[2])


def test_the_loss_of_an_epoch_is_the_mean_of_its_batches(data, tmp_path):
    # with no step to speak of, that is the variance of the standardised counts about zero
    manifest = run(data, tmp_path, learning_rate=1e-12, epochs=1)
    target = log_counts_array(data["train"], toy_experiment()) - manifest["target"]["mean"]
    expected = np.mean((target / manifest["target"]["width"]) ** 2)
    loss = read_rows(tmp_path / "history.csv")["loss"][0]
    npt.assert_allclose(loss, expected, rtol=1e-4)  # float32


def test_no_short_or_empty_batch_is_drawn(data, tmp_path, monkeypatch):
    sizes, plain = [], Batches.batch

    def seen(self, epoch, index):
        inputs, targets = plain(self, epoch, index)
        sizes.append((epoch, index, len(inputs), len(targets)))
        return inputs, targets

    monkeypatch.setattr(Batches, "batch", seen)
    run(data, tmp_path, batch_size=9, epochs=2)  # of 24 maps, 6 are left over in each epoch
    # small batches are drawn two at a time, and either may be there first
    assert sorted(sizes) == [(e, i, 9, 9) for e in range(2) for i in range(2)]


def test_more_steps_than_batches_go_on_with_the_next_order(data, tmp_path, monkeypatch):
    asked, plain = [], Batches.batch
    monkeypatch.setattr(Batches, "batch", lambda s, *key: asked.append(key) or plain(s, *key))
    run(data, tmp_path, batch_size=8, steps_per_epoch=4, epochs=2)
    assert sorted(asked) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]


def test_fewer_maps_than_a_batch_are_refused(data, tmp_path):
    few = data | {"train": data["train"].isel(sample=slice(3))}
    with pytest.raises(ValueError, match="fewer maps than batch_size 4; lower batch_size"):
        run(few, tmp_path)


def test_a_loss_of_nan_stops_and_keeps_the_last_good_network(data, tmp_path, monkeypatch):
    plain = Batches.batch

    def poisoned(self, epoch, index):
        inputs, targets = plain(self, epoch, index)
        return inputs, targets * (np.nan if (epoch, index) == (2, 1) else 1)

    monkeypatch.setattr(Batches, "batch", poisoned)
    with pytest.raises(NonFiniteLossError, match="the loss is nan in epoch 2; lower learning_rate"):
        run(data, tmp_path, epochs=9)
    status = read_status(tmp_path)
    assert status["state"] == "failed"
    assert status["reason"].startswith("nan: ")
    assert len(read_rows(tmp_path / "history.csv")["epoch"]) == 2
    model, manifest = load_model(tmp_path)
    lowest = read_rows(tmp_path / "history.csv")["validation_loss"].min()
    assert manifest["best"][0]["validation_loss"] == lowest
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_training_stops_when_patience_is_over(data, tmp_path, monkeypatch):
    losses = iter([3.0, 2.0, 2.5, 2.5, 2.5, 1.0])
    monkeypatch.setattr("imtools.training.loop.validation_loss", lambda *args: next(losses))
    manifest = run(data, tmp_path, epochs=6, patience=3)
    assert len(read_rows(tmp_path / "history.csv")["epoch"]) == 5
    assert manifest["best"] == [{"epoch": 1, "validation_loss": 2.0}]


def test_a_network_is_left_at_its_best_weights(data, monkeypatch):
    losses, kept = iter([2.0, 1.0, 3.0]), []
    monkeypatch.setattr("imtools.training.loop.validation_loss", lambda *args: next(losses))
    experiment = toy_experiment(epochs=3)
    inputs = network_inputs(data["train"]["map"], experiment)
    model = networks.build("histogram", inputs.shape[1:], 14, width=3)
    networks.adapt(model, inputs)
    fit(
        model, Batches(data["train"], experiment, 0), (inputs, data["train"]["counts"].values),
        experiment.training, target=Target.of(experiment), log=lambda row: None,
        keep=lambda epoch, loss: kept.append(model.get_weights()),
    )  # fmt: skip
    assert len(kept) == 2
    for now, then in zip(model.get_weights(), kept[1], strict=True):
        npt.assert_array_equal(now, then)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_lowers_the_loss(data, tmp_path, optimizer):
    run(data, tmp_path, optimizer=optimizer, epochs=4)
    loss = read_rows(tmp_path / "history.csv")["loss"]
    assert loss[-1] < loss[0]


def test_an_ensemble_trains_its_members_apart(data, tmp_path):
    manifest = run(data, tmp_path, n_ensemble=2, epochs=2)
    history = read_rows(tmp_path / "history.csv")
    npt.assert_array_equal(history["member"], [0, 0, 1, 1])
    assert history["loss"][0] != history["loss"][2]
    assert len(manifest["best"]) == len(read_json(tmp_path / "manifest.json")["best"]) == 2
    model, _ = load_model(tmp_path)
    assert model.name == "ensemble"


def test_every_member_and_every_seed_draws_its_own_batches(data, tmp_path, monkeypatch):
    seeds, plain = [], Batches.__init__

    def seen(self, maps, experiment, seed):
        seeds.append(seed)
        plain(self, maps, experiment, seed)

    monkeypatch.setattr(Batches, "__init__", seen)
    for seed in (0, 1):
        run(data, tmp_path / str(seed), n_ensemble=2, epochs=1, seed=seed)
    assert len(set(seeds)) == 4


@pytest.mark.slow
def test_the_network_of_the_notes_can_over_fit_twelve_maps(data, tmp_path):
    twelve = data | {"train": data["train"].isel(sample=slice(0, 24, 2))}
    small = {"architecture": "notes_cnn", "n_blocks": 3, "filters": 16, "width": 64}
    settings = {"batch_size": 12, "steps_per_epoch": 10, "epochs": 20, "transform": "log10"}
    run(twelve, tmp_path, **small, **settings, dropout=0.0)
    loss = read_rows(tmp_path / "history.csv")["loss"]
    assert loss[-1] < 0.01  # of a variance of 1: every map is told from every other


# -- outputs and targets


ENOUGH = {"epochs": 12, "learning_rate": 0.01}


@pytest.mark.parametrize(
    "changes",
    [
        {"output": "quantiles"},
        {"output": "gaussian"},
        {"loss": "poisson"},
        {"loss": "msle", "target_log": False},
        {"target": "n_cumulative"},
        {"target": "n_cumulative", "target_log": False},
        {"target": "phi", "target_log": False},
        {"target": "l_phi"},
        {"standardise": False},
        {"optimizer": "sgd", "momentum": 0.9, "schedule": "exponential"},
        {"schedule": "constant", "validation_steps": 1},
        {"architecture": "dense", "reads": "multiscale", "sigma_noise": 1.0},
    ],
    ids=str,
)
def test_a_network_learns_whatever_it_is_asked_for(data, tmp_path, changes):
    experiment = toy_experiment(**ENOUGH | changes)
    train(experiment, data["train"], data["validation"], tmp_path)
    loss = read_rows(tmp_path / "history.csv")["validation_loss"]
    assert loss.min() < loss[0] - 0.05 * abs(loss[0])
    network = load_network(tmp_path, experiment, data["validation"])
    rng = np.random.default_rng(0)
    assert np.isfinite(network.median(data["validation"]["map"], experiment, rng)).all()


def test_an_additive_network_learns_log_counts_alone(data, tmp_path):
    with pytest.raises(ValueError, match="target is 'phi' and target_log True, expected 'dn'"):
        run(data, tmp_path, architecture="additive", target="phi")


def test_an_additive_network_is_told_the_scale_of_its_counts(data, tmp_path):
    changes = {"architecture": "additive", "patch": 4, "epochs": 2}
    manifest = run(data, tmp_path, **changes)
    model, _ = load_model(tmp_path)
    wide = networks.resized(model, (16, 8, *model.input_shape[3:]))  # refused where it was not told
    assert wide.output_shape == (None, len(manifest["target"]["mean"]))
