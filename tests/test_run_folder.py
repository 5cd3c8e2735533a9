import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from imtools import run_folder
from imtools.run_folder import (
    append_row,
    atomic_path,
    check_finite,
    data_root,
    environment,
    locked,
    new_run,
    open_netcdf,
    read_json,
    read_rows,
    read_status,
    read_yaml,
    write_environment,
    write_json,
    write_netcdf,
    write_status,
)
from imtools.run_folder.lock import is_silent


@pytest.fixture
def maps():
    values = np.random.default_rng(1).normal(size=(3, 4, 5, 6)).astype("float32")
    attrs = {"units": "uK", "long_name": "brightness temperature"}
    array = xr.DataArray(values, dims=("sample", "freq", "dec", "ra"), attrs=attrs)
    return array.to_dataset(name="map")


def run_python(code, *arguments):
    """Run `code` in a process of its own and return its result."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# --- places


def test_data_root_is_chosen_by_variable_then_checkout_then_working_folder(tmp_path, monkeypatch):
    deep = tmp_path / "checkout" / "notebooks" / "deep"
    deep.mkdir(parents=True)
    (tmp_path / "checkout" / "imtools").mkdir()
    monkeypatch.delenv("IMTOOLS_DATA", raising=False)
    monkeypatch.chdir(deep)
    assert data_root() == tmp_path / "checkout" / "data"
    monkeypatch.chdir(tmp_path)
    assert data_root() == tmp_path / "data"
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "big"))
    assert data_root() == tmp_path / "big"


def test_runs_of_the_same_second_get_folders_of_their_own(tmp_path):
    runs = [new_run("tiny", root=tmp_path) for _ in range(5)]
    assert len(set(runs)) == 5
    assert all(run.is_dir() and "tiny" in run.name for run in runs)


# --- whole or absent files


def test_a_path_that_exists_is_refused_unless_asked(tmp_path, maps):  # B22
    for write, value, path in [
        (write_json, {"a": 1}, tmp_path / "a.json"),
        (write_netcdf, maps, tmp_path / "a.nc"),
    ]:
        write(value, path)
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match="pass overwrite=True"):
            write(value, path)
        assert path.read_bytes() == before
        write(value, path, overwrite=True)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_json({}, tmp_path, overwrite=True)


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with (
        pytest.raises(UnicodeEncodeError),
        atomic_path(path, overwrite=True) as temporary,
        temporary.open("w", encoding="ascii") as file,
    ):
        file.writelines(["half", "µ"])
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_text() == "old"


FULL_DISK = """
import resource, sys, numpy as np, xarray as xr
from imtools.run_folder import write_json, write_netcdf
limit = 200_000
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
attrs = {"units": "uK", "long_name": "brightness temperature"}
data = xr.Dataset({"map": (("sample", "x", "y"), np.ones((20, 100, 100)), attrs)})
try:
    if sys.argv[2] == "nc":
        write_netcdf(data, sys.argv[1], overwrite=True)
    else:
        write_json(["x" * 300_000], sys.argv[1], overwrite=True)
except OSError as error:
    sys.exit(f"OSError: {error}")
"""


@pytest.mark.parametrize("suffix", ["nc", "json"])
def test_a_full_disk_is_an_error_that_leaves_the_old_file(tmp_path, suffix):  # F6
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")
    done = run_python(FULL_DISK, path, suffix)
    assert done.returncode == 1, done.stderr
    assert done.stderr.startswith("OSError: ")
    assert len(done.stderr.splitlines()) == 1
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


KILLED_WRITE = """
import os, signal, sys, numpy as np, xarray as xr
from imtools.run_folder import files
attrs = {"units": "uK", "long_name": "brightness temperature"}
data = xr.Dataset({"map": (("sample", "x", "y"), np.ones((20, 100, 100)), attrs)})
def die(path):
    os.kill(os.getpid(), signal.SIGKILL)
files.flush = die
files.write_netcdf(data, sys.argv[1], overwrite=True)
"""


def test_a_kill_during_a_netcdf_write_leaves_the_old_file(tmp_path):  # F7
    path = tmp_path / "a.nc"
    path.write_bytes(b"old")
    assert run_python(KILLED_WRITE, path).returncode == -9
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 2  # the unfinished file is there ...
    with locked(tmp_path):
        assert {p.name for p in tmp_path.iterdir()} == {"a.nc", ".lock"}  # ... until the next lock


def test_json_takes_numpy_numbers_and_writes_nan_as_null(tmp_path):
    path = tmp_path / "a.json"
    write_json({"a": np.float32(1.5), "b": np.array([1, 2]), "c": (np.nan, np.inf), 3: True}, path)
    assert read_json(path) == {"a": 1.5, "b": [1, 2], "c": [None, None], "3": True}


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "status.json"
    path.write_text('{"state": ')
    with pytest.raises(ValueError, match=r"status\.json is no JSON"):
        read_json(path)


def test_history_keeps_its_rows_when_a_line_was_torn(tmp_path):
    path = tmp_path / "history.csv"
    append_row({"epoch": 0, "loss": 0.5}, path)
    append_row({"epoch": 1, "loss": np.nan}, path)
    with path.open("a") as file:
        file.write("2,0.")  # killed here
    np.testing.assert_array_equal(read_rows(path)["epoch"], [0, 1])
    append_row({"epoch": 2, "loss": 0.25}, path)
    rows = read_rows(path)
    np.testing.assert_array_equal(rows["epoch"], [0, 1, 2])
    np.testing.assert_array_equal(rows["loss"], [0.5, np.nan, 0.25])
    with pytest.raises(ValueError, match="keep the columns"):
        append_row({"epoch": 3, "mse": 0.1}, path)


# --- netCDF


def test_netcdf_comes_back_equal_in_chunks_of_one_map(tmp_path, maps):
    path = tmp_path / "a.nc"
    write_netcdf(maps, path)
    with open_netcdf(path) as back:
        xr.testing.assert_equal(back, maps)
        assert back["map"].dtype == np.float32
        assert back["map"].attrs["units"] == "uK"
        assert back["map"].encoding["chunksizes"] == (1, 4, 5, 6)
        assert back.attrs["imtools_version"]
        write_netcdf(back.isel(sample=[0, 2]), tmp_path / "b.nc")  # old chunk sizes do no harm
    assert maps.attrs == {}  # the input is left alone


def test_netcdf_wants_units(tmp_path, maps):
    del maps["map"].attrs["units"]
    with pytest.raises(ValueError, match=r"map has attributes .* expected units"):
        write_netcdf(maps, tmp_path / "a.nc")
    assert list(tmp_path.iterdir()) == []


def damage(path, kind):
    whole = path.read_bytes()
    path.unlink()
    if kind == "truncated":
        path.write_bytes(whole[: len(whole) // 2])
    elif kind == "header":
        path.write_bytes(whole[:100])
    elif kind == "empty":
        path.touch()
    elif kind == "html":
        path.write_text("\n<!DOCTYPE html><html>404</html>")
    elif kind == "text":
        path.write_text("hello")
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "error", "match"),
    [
        ("truncated", OSError, "truncated or damaged"),
        ("header", OSError, "truncated or damaged"),
        ("empty", ValueError, "is empty"),
        ("html", ValueError, "is a web page, expected netCDF"),
        ("text", ValueError, "is no netCDF file"),
        ("folder", IsADirectoryError, "is a folder, expected a file"),
        ("missing", FileNotFoundError, "does not exist"),
    ],
)
def test_what_is_no_netcdf_is_one_line(tmp_path, maps, capfd, kind, error, match):  # B14
    path = tmp_path / "a.nc"
    write_netcdf(maps, path)
    damage(path, kind)
    with pytest.raises(error, match=match) as caught:
        open_netcdf(path)
    assert "a.nc" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")  # no dump of the HDF5 library


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, maps, monkeypatch):  # B14
    path = tmp_path / "a.nc"
    write_netcdf(maps, path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read everything: stand in for the system

        def refuse(*_arguments, **_settings):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PermissionError, match=r"a\.nc may not be read"):
        open_netcdf(path)


def test_check_finite_counts_and_locates(maps):
    check_finite(maps["map"], caller="fit")
    bad = maps["map"].copy()
    bad[0, 1, 2, 3] = np.nan
    bad[2, 3, 4, 5] = np.inf
    with pytest.raises(
        ValueError, match=r"fit: map has 2 NaN .* of 360, first at \(0, 1, 2, 3\), \(2, 3, 4, 5\)"
    ):
        check_finite(bad, caller="fit")


def test_yaml_is_read_as_people_write_it(tmp_path):
    text = "{a: 12:00:00, b: 2024-01-01, c: 1e-4, d: 010, e: -3, f: 2., g: yes, h: '5', i: 1_000}"
    (tmp_path / "a.yaml").write_text(text)
    assert read_yaml(tmp_path / "a.yaml", "run") == {
        "a": "12:00:00", "b": "2024-01-01", "c": 1e-4, "d": 10.0, "e": -3, "f": 2.0, "g": True,
        "h": "5", "i": 1000,
    }  # fmt: skip


# --- lock

HOLD = """
import sys, time
from imtools.run_folder import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_writer_is_told_who_holds_the_folder(tmp_path):  # F10
    holder = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        match = f"locked by host {os.uname().nodename}, process {holder.pid}"
        with pytest.raises(BlockingIOError, match=match), locked(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(tmp_path):  # a stale lock is recognised
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_lock_is_given_back_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        1 / 0  # noqa: B018
    with locked(tmp_path), pytest.raises(BlockingIOError, match="locked by"), locked(tmp_path):
        pass


def test_a_lock_can_be_waited_for(tmp_path):
    code = "import sys\nfrom imtools.run_folder import locked\n"
    code += "with locked(sys.argv[1]):\n    print('mine', flush=True)\n    sys.stdin.read()"
    command, pipe = [sys.executable, "-c", code, str(tmp_path)], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "mine\n"
        begun = time.monotonic()
        with pytest.raises(BlockingIOError), locked(tmp_path, wait=0.3):
            pass
        assert time.monotonic() - begun > 0.3
        threading.Timer(0.5, holder.stdin.close).start()
        with locked(tmp_path, wait=60):
            assert holder.stdin.closed  # not before
            assert holder.wait(60) == 0  # it ends once it has given it back


def test_a_lock_file_that_another_took_for_unfinished_is_made_again(tmp_path, monkeypatch):
    def link(own, lock):
        if not removed:
            removed.append(own)
            own.unlink()  # as a new holder does, who then gave the lock back
        plain(own, lock)

    removed, plain = [], os.link
    monkeypatch.setattr("imtools.run_folder.lock.os.link", link)
    with locked(tmp_path):
        assert len(removed) == 1
        assert [p.name for p in tmp_path.iterdir()] == [".lock"]


def test_a_lock_is_not_silent_where_its_holder_removed_the_clock(tmp_path, monkeypatch):
    lock = tmp_path / ".lock"
    assert is_silent(lock)  # given back
    lock.touch()
    monkeypatch.setattr(Path, "touch", lambda self: None)
    assert not is_silent(lock)


def test_a_lock_of_another_host_or_a_process_with_a_used_id(tmp_path):
    lock = tmp_path / ".lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0}))
    with pytest.raises(BlockingIOError, match="host elsewhere, process 1"), locked(tmp_path):
        pass
    mine = {"host": os.uname().nodename, "pid": os.getpid(), "started": 1e9}  # not this process
    lock.write_text(json.dumps(mine))
    with locked(tmp_path):
        assert json.loads(lock.read_text())["started"] > 1e9
    lock.write_text("")  # unreadable: nobody's to remove but the user's
    with pytest.raises(BlockingIOError, match="host unknown"), locked(tmp_path):
        pass


def test_a_holder_on_another_host_is_known_by_its_touch(tmp_path, monkeypatch):  # F10
    lock = tmp_path / ".lock"
    lock.write_text(json.dumps({"host": "elsewhere", "pid": 1, "started": 0.0}))
    monkeypatch.setattr(run_folder.lock, "SILENT", 100.0)
    touched = time.time() - 90
    os.utime(lock, (touched, touched))
    with pytest.raises(BlockingIOError, match="host elsewhere"), locked(tmp_path):
        pass
    os.utime(lock, (touched - 20, touched - 20))
    with locked(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert list(tmp_path.iterdir()) == []


def test_a_holder_touches_its_lock_and_never_removes_that_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(run_folder.lock, "BEAT", 0.01)
    lock = tmp_path / ".lock"
    with locked(tmp_path):
        os.utime(lock, (0, 0))
        end = time.monotonic() + 10
        while lock.stat().st_mtime == 0:
            assert time.monotonic() < end
        lock.write_text("of another, who took over")
    assert lock.read_text() == "of another, who took over"


# --- status and environment


def test_status_keeps_earlier_facts(tmp_path):
    write_status(tmp_path, "pending", notebook="04_train.ipynb")
    write_status(tmp_path, "failed", reason="nan")
    status = read_status(tmp_path)
    assert (status["state"], status["reason"]) == ("failed", "nan")
    assert status["notebook"] == "04_train.ipynb"
    with pytest.raises(ValueError, match="expected one of pending, running"):
        write_status(tmp_path, "finished")


def test_a_run_whose_process_ended_without_a_word_is_lost(tmp_path):
    write_status(tmp_path, "running")
    assert read_status(tmp_path)["state"] == "running"
    code = (
        "import sys; from imtools.run_folder import write_status; "
        "write_status(sys.argv[1], 'running')"
    )
    assert run_python(code, tmp_path).returncode == 0
    status = read_status(tmp_path)
    assert status["state"] == "lost"
    assert "ended without a word" in status["reason"]


def test_a_run_on_another_host_is_lost_when_its_lock_is_not_touched(tmp_path):
    there = {"host": "elsewhere", "pid": 7, "started": 0.0}
    write_status(tmp_path, "running", preset="tiny")
    status = read_json(tmp_path / "status.json")
    (tmp_path / "status.json").write_text(json.dumps(status | {"process": there}))
    lock = tmp_path / ".lock"
    lock.write_text(json.dumps(there))
    assert read_status(tmp_path)["state"] == "running"
    os.utime(lock, (0, 0))
    assert read_status(tmp_path)["state"] == "lost"
    assert "process 7 on elsewhere" in read_status(tmp_path)["reason"]
    lock.unlink()
    assert read_status(tmp_path)["state"] == "lost"


def test_the_environment_holds_no_secret(tmp_path, monkeypatch):  # S5
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    for name in ("API_TOKEN", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY", "PIP_INDEX_URL"):
        monkeypatch.setenv(name, "hunter2-do-not-store")
    write_environment(tmp_path, device="GPU:0")
    text = (tmp_path / "environment.json").read_text()
    assert "hunter2" not in text
    kept = json.loads(text)
    assert kept["variables"]["KERAS_BACKEND"] == "tensorflow"
    assert kept["packages"]["numpy"] == np.__version__
    assert kept["device"] == "GPU:0"
    assert environment()["device"]
    forbidden = ("TOKEN", "KEY", "SECRET", "PASSWORD", "PROXY", "URL")
    assert not [name for name in run_folder.VARIABLES if any(word in name for word in forbidden)]
