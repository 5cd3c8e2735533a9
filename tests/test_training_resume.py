"""A training that was killed ends as if it had never stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools import networks
from imtools.datasets import Batches, network_inputs
from imtools.run_folder import locked, read_json, read_rows, write_status
from imtools.training import checkpoints, load_model, train
from imtools.training.checkpoints import (
    FOLDER,
    network_state,
    read_checkpoint,
    restore_network,
)
from imtools.training.loop import Progress, _when_due, compile_network
from imtools.training.resuming import configuration_of, find_start

# whatever draws random numbers is on: the noise, dropout and the networks of an ensemble
SETTINGS = {"sigma_noise": 0.1, "dropout": 0.3, "n_ensemble": 2, "epochs": 4, "checkpoint_every": 1}
CNN = {"architecture": "notes_cnn", "n_blocks": 2, "filters": 4, "width": 8}


@pytest.fixture(scope="module")
def data():
    return toy_data(range(6)), toy_data(range(6, 8))


@pytest.fixture(scope="module")
def uninterrupted(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(toy_experiment(**SETTINGS), *data, folder)
    return folder


def check_equal(folder, other, data, **settings):
    """Check that two trainings gave the same bits: weights, history, predictions, best epochs."""
    (model, manifest), (second, expected) = load_model(folder), load_model(other)
    assert manifest["best"] == expected["best"]
    for got, wanted in zip(model.get_weights(), second.get_weights(), strict=True):
        npt.assert_array_equal(got, wanted)
    experiment = toy_experiment(**SETTINGS | settings)
    inputs = network_inputs(data[1]["map"], experiment, np.random.default_rng(0))
    npt.assert_array_equal(model.predict_on_batch(inputs), second.predict_on_batch(inputs))
    history, wanted = (read_rows(f / "history.csv") for f in (folder, other))
    for name in ("member", "epoch", "loss", "validation_loss"):
        npt.assert_array_equal(history[name], wanted[name])


def seams(folder):
    history = read_rows(folder / "history.csv")
    rows = np.flatnonzero(history["seam"])
    return [(int(history["member"][i]), int(history["epoch"][i])) for i in rows]


class Stop(Exception):
    """Stands for a kill, in this process."""


def stop_at(monkeypatch, member, epoch, index=1):
    """Have the training stop before a batch of a network of the ensemble."""
    made, plain, first = [], Batches.batch, Batches.__init__

    def begin(self, *args):
        made.append(self)
        first(self, *args)

    def batch(self, *key):
        if (len(made) - 1, *key) == (member, epoch, index):
            raise Stop
        return plain(self, *key)

    monkeypatch.setattr(Batches, "__init__", begin)
    monkeypatch.setattr(Batches, "batch", batch)


def train_until(data, folder, member, epoch, **settings):
    """Train, stop before the second batch of that epoch, and say no more."""
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, member, epoch)
        with pytest.raises(Stop):
            train(toy_experiment(**SETTINGS | settings), *data, folder)


@pytest.fixture
def interruptible():
    """Have SIGINT raise KeyboardInterrupt, which a background job of a shell starts without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_until_the_checkpoint_is_whole(tmp_path, monkeypatch, interruptible):
    def interrupt(*args):
        signal.raise_signal(signal.SIGINT)
        plain(*args)

    state, plain = {"state": [np.ones(2)]}, checkpoints._point
    checkpoints.write_checkpoint(tmp_path, {"epoch": 3}, arrays=state)
    monkeypatch.setattr(checkpoints, "_point", interrupt)  # after the folder has its name
    with pytest.raises(KeyboardInterrupt):
        checkpoints.write_checkpoint(tmp_path, {"epoch": 4}, arrays=state)
    assert read_checkpoint(tmp_path)["facts"] == {"epoch": 4}  # a broken one would be a warning
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_checkpoint_is_written_in_a_thread_too(tmp_path, interruptible):
    with ThreadPoolExecutor(1) as pool:  # which may not set what a signal does
        pool.submit(checkpoints.write_checkpoint, tmp_path, {"epoch": 3}, arrays={}).result()
    assert read_checkpoint(tmp_path)["facts"] == {"epoch": 3}


# --- killed, in processes of their own

KILLED = """
import json, os, signal, sys
from toy_maps import toy_data, toy_experiment
from imtools.datasets import Batches
from imtools.training import fitting

folder, moment, member, epoch, settings = sys.argv[1:]
member, epoch, now = int(member), int(epoch), [-1]

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def write(run_dir, progress, **kept):
    here = (len(kept["members"]) - 1, progress.epoch) == (member, epoch)
    here and moment == "before" and kill()
    plain(run_dir, progress, **kept)
    here and moment == "after" and kill()

def begin(self, *args):
    now[0] += 1
    first(self, *args)

def batch(self, *key):
    moment == "within" and (now[0], *key) == (member, epoch, 2) and kill()
    return draw(self, *key)

plain, fitting.write_progress = fitting.write_progress, write
first, Batches.__init__ = Batches.__init__, begin
draw, Batches.batch = Batches.batch, batch
fitting.train(
    toy_experiment(**json.loads(settings)), toy_data(range(6)), toy_data(range(6, 8)), folder
)
"""


def kill_training(folder, moment, member, epoch, **settings):
    """Train in a process of its own, which is killed at that moment."""
    command = [sys.executable, "-c", KILLED, str(folder), moment, str(member), str(epoch)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [*command, json.dumps(SETTINGS | settings)], env=environment, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "member", "epoch", "seam"),
    [
        ("after", 0, 1, (0, 2)),  # F1: between two epochs
        ("within", 1, 2, (1, 2)),  # F2: in the middle of one, in the second network
        ("before", 0, 2, (0, 2)),  # the history and the model are ahead of the checkpoint
    ],
)
def test_a_killed_training_ends_as_if_it_had_not_been(
    data, uninterrupted, tmp_path, moment, member, epoch, seam
):
    kill_training(tmp_path, moment, member, epoch)
    manifest = train(toy_experiment(**SETTINGS), *data, tmp_path)
    check_equal(tmp_path, uninterrupted, data)
    assert seams(tmp_path) == [seam]
    assert [(s["member"], s["epoch"]) for s in manifest["seams"]] == [seam]


@pytest.mark.slow
def test_a_convolutional_network_too_goes_on_with_its_batch_norm_and_dropout(data, tmp_path):
    settings = CNN | {"n_ensemble": 1, "optimizer": "adamw", "weight_decay": 1e-3}
    train(toy_experiment(**SETTINGS | settings), *data, tmp_path / "whole")
    kill_training(tmp_path / "killed", "within", 0, 2, **settings)
    train(toy_experiment(**SETTINGS | settings), *data, tmp_path / "killed")
    check_equal(tmp_path / "killed", tmp_path / "whole", data, **settings)


# --- stopped, in this process


def test_a_training_stopped_twice_ends_as_if_it_had_not_been(data, uninterrupted, tmp_path):
    train_until(data, tmp_path, 0, 2)
    train_until(data, tmp_path, 0, 3)
    train(toy_experiment(**SETTINGS), *data, tmp_path)
    check_equal(tmp_path, uninterrupted, data)
    assert seams(tmp_path) == [(0, 2), (0, 3)]


def test_an_ensemble_goes_on_with_the_network_in_training(data, uninterrupted, tmp_path):
    train_until(data, tmp_path, 1, 2)
    train(toy_experiment(**SETTINGS), *data, tmp_path)
    check_equal(tmp_path, uninterrupted, data)
    assert seams(tmp_path) == [(1, 2)]


def test_a_network_whose_turn_has_not_come_starts_as_it_would_have(data, uninterrupted, tmp_path):
    train_until(data, tmp_path, 1, 0)  # the first is done, of the second nothing is left
    train(toy_experiment(**SETTINGS), *data, tmp_path)
    check_equal(tmp_path, uninterrupted, data)
    assert seams(tmp_path) == []


def test_a_training_that_has_lost_patience_does_not_go_on(data, tmp_path, monkeypatch):
    losses = [3.0, 2.0, 2.5, 2.5]
    settings = SETTINGS | {"n_ensemble": 1, "epochs": 6, "patience": 2}

    def reported():
        left = iter(losses)
        monkeypatch.setattr("imtools.training.loop.validation_loss", lambda *args: next(left))

    def no_reference(*args):
        raise Stop

    reported()
    monkeypatch.setattr("imtools.training.fitting.write_reference", no_reference)
    for _ in range(2):  # the second has no epoch to train
        with pytest.raises(Stop):
            train(toy_experiment(**settings), *data, tmp_path)
    npt.assert_array_equal(read_rows(tmp_path / "history.csv")["validation_loss"], losses)
    assert read_json(tmp_path / "manifest.json")["best"] == [{"epoch": 1, "validation_loss": 2.0}]


def test_the_best_until_then_is_kept_where_nothing_better_comes(data, tmp_path, monkeypatch):
    train_until(data, tmp_path, 0, 3, n_ensemble=1)
    best = read_json(tmp_path / "manifest.json")["best"]
    (tmp_path / "model.keras").unlink()  # or of an epoch that this training never reaches
    monkeypatch.setattr("imtools.training.loop.validation_loss", lambda *args: 99.0)
    manifest = train(toy_experiment(**SETTINGS | {"n_ensemble": 1}), *data, tmp_path)
    assert manifest["best"] == load_model(tmp_path)[1]["best"] == best


def test_checkpoints_may_be_rare(data, tmp_path):
    settings = {"n_ensemble": 1, "checkpoint_every": 2}
    train_until(data, tmp_path, 0, 1, **settings)
    assert not (tmp_path / FOLDER / "000001").exists()
    train_until(data, tmp_path, 0, 3, **settings)  # an epoch beyond its checkpoint
    train(toy_experiment(**SETTINGS | settings), *data, tmp_path)
    assert seams(tmp_path) == [(0, 2)]
    assert list(read_rows(tmp_path / "history.csv")["epoch"]) == [0, 1, 2, 3]


def test_checkpoints_take_a_twentieth_of_the_time(monkeypatch):
    clock, saved = [0.0], []
    monkeypatch.setattr("imtools.training.loop.time.perf_counter", lambda: clock[0])

    def save(progress):
        saved.append(progress.epoch)
        clock[0] += 2

    training = toy_experiment(epochs=100, patience=100).training
    model, offer = small_network(0), _when_due(save, training)
    for epoch in range(100):
        clock[0] += 10
        offer(model, Progress(epoch=epoch, best_epoch=epoch))
    assert saved == [*range(0, 100, 4), 99]  # 38 s between, 40 in whole epochs; and the last


def test_a_training_that_is_done_is_returned(data, uninterrupted, monkeypatch):
    def never(*args):
        raise Stop

    monkeypatch.setattr(Batches, "batch", never)
    before = (uninterrupted / "model.keras").read_bytes()
    manifest = train(toy_experiment(**SETTINGS), *data, uninterrupted)
    assert len(manifest["best"]) == 2
    assert (uninterrupted / "model.keras").read_bytes() == before
    kept = sorted(p.name for p in (uninterrupted / FOLDER).rglob("*"))
    assert not [name for name in kept if name.endswith(".npz")]  # nothing that takes room


def test_a_training_can_be_started_anew(data, uninterrupted, tmp_path):
    train_until(data, tmp_path, 0, 2, seed=5)
    train(toy_experiment(**SETTINGS), *data, tmp_path, resume=False)
    check_equal(tmp_path, uninterrupted, data)
    assert seams(tmp_path) == []


def test_starting_anew_forgets_the_old_training_before_a_step_is_taken(
    data, uninterrupted, tmp_path
):
    shutil.copytree(uninterrupted, tmp_path / "run")
    experiment = toy_experiment(**SETTINGS)
    start = find_start(
        tmp_path / "run", configuration_of(experiment, *data), resume=False, force=False
    )
    assert not start.done
    assert start.member == 0
    # a kill before the first new checkpoint must not find the old one
    assert read_checkpoint(tmp_path / "run" / FOLDER) is None
    assert not (tmp_path / "run" / "history.csv").exists()


def test_what_a_stop_leaves_is_whole(data, tmp_path):  # F17
    train_until(data, tmp_path, 0, 2)
    model, manifest = load_model(tmp_path)
    assert len(manifest["best"]) == 1
    assert sorted(p.name for p in (tmp_path / FOLDER).iterdir()) == [
        "000001", "000002", "latest.json"
    ]  # fmt: skip
    assert all(np.isfinite(w).all() for w in model.get_weights())


def test_two_trainings_at_once_in_one_folder_are_refused(data, tmp_path):  # F10
    with locked(tmp_path / FOLDER), pytest.raises(BlockingIOError, match="is locked by host"):
        train(toy_experiment(**SETTINGS), *data, tmp_path)


# --- another configuration: F5


def test_another_configuration_is_refused_by_name(data, tmp_path):
    train_until(data, tmp_path, 0, 2)
    before = read_rows(tmp_path / "history.csv")
    changed = SETTINGS | {"learning_rate": 0.01, "epochs": 3}
    match = r"differs: epochs is 3, was 4; learning_rate is 0\.01, was 0\.001; .*force=True"
    with pytest.raises(ValueError, match=match):
        train(toy_experiment(**changed), *data, tmp_path)
    other = (data[0], data[1].isel(sample=slice(4)))
    with pytest.raises(ValueError, match=r"differs: validation_maps is \w+, was \w+;"):
        train(toy_experiment(**SETTINGS), *other, tmp_path)
    npt.assert_array_equal(read_rows(tmp_path / "history.csv")["loss"], before["loss"])


def test_another_configuration_can_be_forced_and_is_written_down(data, tmp_path):
    train_until(data, tmp_path, 0, 2)
    changed = toy_experiment(**SETTINGS | {"learning_rate": 0.01})
    manifest = train(changed, *data, tmp_path, force=True)
    assert manifest["seams"] == [
        {"member": 0, "epoch": 2, "changed": ["learning_rate is 0.01, was 0.001"]}
    ]
    assert manifest["experiment"]["training"]["learning_rate"] == 0.01
    assert len(read_rows(tmp_path / "history.csv")["epoch"]) == 8
    assert train(changed, *data, tmp_path)["seams"] == manifest["seams"]  # done, as it now is


def test_a_run_may_be_forced_from_outside(data, tmp_path):
    train_until(data, tmp_path, 0, 2)
    write_status(tmp_path, "running", forced=True)
    train(toy_experiment(**SETTINGS | {"learning_rate": 0.01}), *data, tmp_path)
    assert seams(tmp_path) == [(0, 2)]


def test_what_changes_no_number_is_no_other_configuration(data):
    same = configuration_of(toy_experiment(), *data)
    idle = toy_experiment(n_workers=7, n_bootstrap=9, checkpoint_every=3, summaries="vid", n_test=3)
    assert configuration_of(idle, *data) == same
    assert configuration_of(toy_experiment(), data[0], data[0]) != same
    fewer = data[0].assign(counts=data[0]["counts"] + 1)
    assert configuration_of(toy_experiment(), fewer, data[1]) != same


def test_another_network_cannot_be_forced(data, tmp_path):
    train_until(data, tmp_path, 0, 2)
    with pytest.raises(ValueError, match=r"checkpoint holds .* it is of another network"):
        train(toy_experiment(**SETTINGS | {"width": 8}), *data, tmp_path, force=True)


# --- the state of a network


def small_network(seed, n_before=0):
    """Return a compiled network with all that changes from step to step, and its batches."""
    for _ in range(n_before):  # Keras counts the seeds it has named in a process
        keras.random.SeedGenerator(1)
    keras.utils.set_random_seed(seed)
    model = networks.build("notes_cnn", (4, 4, 4), 3, n_blocks=1, filters=2, width=4, dropout=0.5)
    compile_network(model, toy_experiment().training, 9, "mse")
    return model


def steps(model, which):
    for i in which:
        rng = np.random.default_rng(i)
        model.train_on_batch(rng.normal(size=(8, 4, 4, 4)), rng.normal(size=(8, 3)))
    return model


def test_the_state_of_a_network_is_all_that_its_next_step_depends_on():
    expected = steps(small_network(1), range(6))
    half = network_state(steps(small_network(1), range(3)))
    other = steps(small_network(2, n_before=3), range(2))  # other weights, seeds and names
    restore_network(other, half)
    steps(other, range(3, 6))
    for got, wanted in zip(network_state(other), network_state(expected), strict=True):
        npt.assert_array_equal(got, wanted)
