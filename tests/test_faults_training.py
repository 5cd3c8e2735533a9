"""What must happen to a training when things go wrong: disks, kills, damaged files, memory."""

import os
import resource
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools.datasets import Batches
from imtools.run_folder import read_rows, read_status
from imtools.training import (
    NonFiniteLossError,
    OutOfMemoryError,
    checkpoints,
    device_name,
    load_model,
    train,
)
from imtools.training.checkpoints import differences, read_checkpoint, write_checkpoint

ARRAYS = {"state": [np.arange(6.0).reshape(2, 3), np.array(3, "int64")], "best": [np.ones(4, "f4")]}


def write(folder, epoch):
    arrays = {name: [a + epoch for a in values] for name, values in ARRAYS.items()}
    write_checkpoint(folder, {"epoch": epoch}, arrays=arrays, history=f"epoch\n{epoch}\n")


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def check_sound(found, epoch):
    """Check that a checkpoint is all of that epoch, and of no other."""
    assert found["facts"] == {"epoch": epoch}
    assert found["history"] == f"epoch\n{epoch}\n"
    assert found["arrays"].keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        for got, first in zip(found["arrays"][name], values, strict=True):
            npt.assert_array_equal(got, first + epoch)
            assert got.dtype == first.dtype


# --- checkpoints as files


def test_a_checkpoint_comes_back_and_two_are_kept(tmp_path):
    assert read_checkpoint(tmp_path / "none") is None
    for epoch in range(4):
        write(tmp_path, epoch)
        check_sound(read_checkpoint(tmp_path), epoch)
    assert names(tmp_path) == ["000003", "000004", "latest.json"]


def after_calls(n):
    """Have this process killed at the n-th of its calls that change a disk."""
    seen = 0

    def look(event, args):
        nonlocal seen
        to_write = event == "open" and args[2] & (os.O_WRONLY | os.O_RDWR)
        if to_write or event in ("os.mkdir", "os.rename", "os.remove", "os.rmdir"):
            seen += 1
            if seen == n:
                os.kill(os.getpid(), signal.SIGKILL)

    return look


def test_a_kill_at_any_phase_of_a_write_leaves_the_checkpoint_before(tmp_path):  # F3
    ends, n, sound = [], 0, set()
    while not ends or ends[-1] != 0:
        n += 1
        folder = tmp_path / str(n)
        for epoch in (1, 2):
            write(folder, epoch)
        child = os.fork()
        if child == 0:
            sys.addaudithook(after_calls(n))
            write(folder, 3)
            os._exit(0)
        ends.append(os.waitpid(child, 0)[1])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = read_checkpoint(folder)
        epoch = found["facts"]["epoch"]
        check_sound(found, epoch)
        sound.add((epoch, "never finished" in "".join(str(w.message) for w in caught)))
        assert not [name for name in names(folder) if name.startswith("unfinished")]
        write(folder, 4)  # and goes on
        check_sound(read_checkpoint(folder), 4)
        assert len(names(folder)) == 3 or ".tmp-" in str(names(folder))
    assert set(ends[:-1]) == {signal.SIGKILL}
    assert n > 10  # the phases: three arrays and texts, renames, the pointer, the removal
    assert sound == {(2, False), (2, True), (3, False)}


@pytest.mark.parametrize("name", ["state.npz", "best.npz", "history.csv", "facts.json"])
@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, name, damage):  # F4
    for epoch in (1, 2):
        write(tmp_path, epoch)
    harm(tmp_path / "000002" / name, damage)
    with pytest.warns(UserWarning, match=r"000002: .*; going on from 000001"):
        found = read_checkpoint(tmp_path)
    check_sound(found, 1)
    write(tmp_path, 5)
    check_sound(read_checkpoint(tmp_path), 5)
    harm(tmp_path / "000002" / name, damage)
    with pytest.warns(UserWarning, match="going on from 000001"):  # the sound one was kept
        check_sound(read_checkpoint(tmp_path), 1)


def harm(path, damage):
    content = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
        return
    content[len(content) // 2] ^= 1
    path.write_bytes(content if damage == "flip" else content[: len(content) // 2])


def test_a_changed_fact_is_seen(tmp_path):  # F4
    for epoch in (1, 2):
        write(tmp_path, epoch)
    path = tmp_path / "000002" / "facts.json"
    path.write_text(path.read_text().replace('"epoch": 2', '"epoch": 7'))
    with pytest.warns(UserWarning, match=r"SHA-256 of facts\.json differs; going on from 000001"):
        check_sound(read_checkpoint(tmp_path), 1)


def test_a_kill_in_the_first_write_leaves_none(tmp_path):  # F3
    (tmp_path / "unfinished-000001").mkdir()
    with pytest.warns(UserWarning, match="000001: was never finished; training from the start"):
        assert read_checkpoint(tmp_path) is None


def test_damaged_checkpoints_alone_are_refused(tmp_path):  # F4
    for epoch in (1, 2):
        write(tmp_path, epoch)
    for name in ("000001", "000002"):
        harm(tmp_path / name / "best.npz", "flip")
    with pytest.raises(ValueError, match=r"SHA-256 of best\.npz differs; 000001: .*resume=False"):
        read_checkpoint(tmp_path)


def test_a_damaged_pointer_does_no_harm(tmp_path):
    for epoch in (1, 2):
        write(tmp_path, epoch)
    (tmp_path / "latest.json").write_text("{")
    check_sound(read_checkpoint(tmp_path), 2)


class Sentinel:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_in_a_checkpoint_is_refused_and_does_not_run(tmp_path):  # B7, B17
    sentinel = np.array([Sentinel(tmp_path / "sentinel")], dtype=object)
    write_checkpoint(tmp_path / "run", {}, arrays={"state": [sentinel]})
    with pytest.raises(ValueError, match=r"allow_pickle=False.*none before"):
        read_checkpoint(tmp_path / "run")
    assert not (tmp_path / "sentinel").exists()


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path):  # F6
    write(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError, match=r"cannot be written .*; is the disk full"):
            write_checkpoint(tmp_path, {"epoch": 2}, arrays={"state": [np.zeros(10_000)]})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names(tmp_path) == ["000001", "latest.json"]
    check_sound(read_checkpoint(tmp_path), 1)


def test_differences_are_told_by_name():
    then = {"training": {"epochs": 5, "patience": 2}, "data": {"maps": "a"}}
    assert differences(then, then) == []
    now = {"training": {"epochs": 5, "patience": 3}, "device": "cpu:0"}
    assert differences(then, now) == [
        "device is cpu:0, was not set", "maps is not set, was a", "patience is 3, was 2"
    ]  # fmt: skip
    assert checkpoints.KEPT == 2


# --- a training that fails


@pytest.fixture(scope="module")
def data():
    return toy_data(range(6)), toy_data(range(6, 8))


def test_a_loss_of_nan_leaves_the_checkpoint_before_it(data, tmp_path, monkeypatch):  # F19
    plain = Batches.batch

    def poisoned(self, epoch, index):
        inputs, counts = plain(self, epoch, index)
        return inputs, counts * (np.nan if (epoch, index) == (2, 1) else 1)

    monkeypatch.setattr(Batches, "batch", poisoned)
    for _ in range(2):  # resumed, it fails at the same place
        with pytest.raises(NonFiniteLossError, match="the loss is nan in epoch 2"):
            train(toy_experiment(epochs=5, checkpoint_every=1), *data, tmp_path)
        assert read_status(tmp_path)["reason"].startswith("nan: ")
        found = read_checkpoint(tmp_path / "checkpoints")
        assert found["facts"]["epoch"] == 1
        assert all(np.isfinite(a).all() for a in found["arrays"]["state"])
        assert list(read_rows(tmp_path / "history.csv")["epoch"]) == [0, 1]
    monkeypatch.setattr(Batches, "batch", plain)  # as if that map had been mended
    train(toy_experiment(epochs=5, checkpoint_every=1), *data, tmp_path)
    assert list(read_rows(tmp_path / "history.csv")["seam"]) == [0, 0, 1, 0, 0]


def huge_tensor(self, epoch, index):
    return keras.ops.zeros((2**20, 2**20, 2**8)), None  # a petabyte, by the backend


def huge_array(self, epoch, index):
    return np.zeros((2**20, 2**20, 2**8)), None


@pytest.mark.parametrize("batch", [huge_tensor, huge_array])
def test_too_little_memory_is_told_with_a_way_out(data, tmp_path, monkeypatch, batch):  # F20
    monkeypatch.setattr(Batches, "batch", batch)
    match = r"out of memory with batch_size 4 and architecture 'histogram'.*batch_size, to 2 for"
    with pytest.raises(OutOfMemoryError, match=match) as caught:
        train(toy_experiment(), *data, tmp_path)
    assert "\n" not in str(caught.value)
    status = read_status(tmp_path)
    assert (status["state"], status["reason"][:8]) == ("failed", "memory: ")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), OutOfMemoryError),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"), OutOfMemoryError),
        (RuntimeError("the memory of a map"), RuntimeError),
    ],
)
def test_each_backend_s_word_for_memory_is_known(data, tmp_path, monkeypatch, error, told):  # F20
    def fail(self, epoch, index):
        raise error

    monkeypatch.setattr(Batches, "batch", fail)
    with pytest.raises(told) as caught:
        train(toy_experiment(), *data, tmp_path)
    assert type(caught.value) is told


ALONE = """
import socket, sys

def refuse(*args):
    raise OSError("there is no network")

socket.socket.connect = socket.getaddrinfo = refuse
from toy_maps import toy_data, toy_experiment
from imtools.training import train, load_model
train(toy_experiment(epochs=1), toy_data(range(6)), toy_data(range(6, 8)), sys.argv[1])
"""


@pytest.mark.slow
def test_training_needs_no_network_no_home_and_no_accelerator(tmp_path):  # F20, F21
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parent), "CUDA_VISIBLE_DEVICES": "",
        "HOME": "/dev/null/home",  # not even the superuser can write there
    }  # fmt: skip
    command = [sys.executable, "-c", ALONE, str(tmp_path / "run")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    _, manifest = load_model(tmp_path / "run")
    assert manifest["device"].endswith("cpu:0")
    assert device_name().startswith(manifest["device"].split()[0])
