"""Data sets: what is in a map, what survives a kill, and what a network is given."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import numpy as np
import numpy.testing as npt
import psutil
import pytest
import xarray as xr

from imtools import datasets, halos
from imtools.datasets import SIDES, Batches, build, catalogue_path, load, make_maps, network_inputs
from imtools.datasets.batches import N_DRAWS
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS
from imtools.painting import paint_halos
from imtools.preprocessing import pool_cube
from imtools.run_folder import locked, open_netcdf
from imtools.training import check_splits

SMALL = Experiment.from_preset(
    "tiny", field_size=0.4, n_pix=16, n_chan=8, nu_min=29.0, nu_max=31.0, m_min=1e11,
    cell_size=8.0, pool_freq=2, pool_dec=4, pool_ra=4, n_train=3, n_validation=1, n_test=2,
    n_draws=6, batch_size=4, seed=5,
)  # fmt: skip
BARE = SMALL.replace(luminosity_model="padmanabhan2018", prior="fiducial")  # nothing is random
N = datasets.n_catalogues(SMALL)
NAMES = {f"catalogue_{k:05d}.nc" for k in range(N)} | {"experiment.json"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A data set made by one worker, never changed."""
    path = tmp_path_factory.mktemp("sets") / "serial"
    assert build(SMALL, path, progress=False) == list(range(N))
    return path


@pytest.fixture(scope="module")
def sides(folder):
    return {side: load(folder, side) for side in SIDES}


def copy_of(folder, path, *, without=()):
    path.mkdir()
    for file in folder.iterdir():
        if file.name not in {catalogue_path(path, k).name for k in without}:
            (path / file.name).write_bytes(file.read_bytes())
    return path


def assert_same_files(path, folder):
    assert {p.name for p in path.iterdir()} == NAMES
    for file in folder.glob("*.nc"):
        assert (path / file.name).read_bytes() == file.read_bytes()


# --- what is in a catalogue's file


def test_a_catalogue_holds_maps_counts_and_where_they_come_from(folder):
    with open_netcdf(catalogue_path(folder, 4)) as data:
        assert data["map"].dims == ("sample", "freq", "dec", "ra")
        assert data["map"].shape == (6, *SMALL.pooled_shape)
        assert data["map"].dtype == np.float32
        assert data["map"].attrs["units"] == "uK"
        assert data["map"].encoding["chunksizes"] == (1, *SMALL.pooled_shape)
        assert data["counts"].dims == ("sample", "log_l")
        npt.assert_allclose(data["log_l_bounds"][0, 0], 3.5, rtol=1e-12)
        npt.assert_array_equal(data["catalogue"], 4)
        npt.assert_array_equal(data["draw"], np.arange(6))
        assert len(set(data["halo_hash"].values)) == 1
        assert list(data["parameter"].values) == list(LUMINOSITY_MODELS["li2016"]().parameters())
        assert {"freq_bounds", "z", "quarter_turns", "flip", "n_redrawn"} <= set(data.coords)
        assert data.attrs["side"] == "test"
        assert data.attrs["seed"] == 5
        assert data.attrs["data_key"] == SMALL.data_key()
        assert json.loads(data.attrs["experiment"])["survey"]["n_pix"] == 16
        assert data.attrs["imtools_version"]
        assert np.isfinite(data["map"]).all()


def test_draws_of_a_catalogue_differ_in_luminosity(sides):
    data = sides["validation"]
    assert len(np.unique(data["parameters"], axis=0)) == 6
    assert len(np.unique(data["counts"], axis=0)) == 6


def test_counts_are_those_of_a_recount():
    data = make_maps(BARE, 1)
    haloes = halos.simulate(
        BARE.survey_object(), seed=np.random.SeedSequence(5, spawn_key=(1, 0)), m_min=1e11,
        cell_size=8.0,
    )  # fmt: skip
    model = LUMINOSITY_MODELS["padmanabhan2018"]()
    l_co = model.luminosity(haloes["m_halo"].values, haloes["z_cosmo"].values, rng=None)
    expected = np.histogram(l_co, bins=np.logspace(3.5, 7, 50))[0]
    assert expected.sum() > 1000
    assert data.attrs["n_halos"] == haloes.sizes["halo"]
    for counts in data["counts"].values:
        npt.assert_array_equal(counts, expected)


def turned_map(values, quarter_turns, flip):
    """Return maps (freq, dec, ra) mirrored in ra, then turned from ra towards dec."""
    if flip:
        values = values[:, :, ::-1]
    for _ in range(quarter_turns):  # the row that was a column
        values = values[:, ::-1, :].swapaxes(1, 2)
    return values


def test_a_turned_and_flipped_map_is_the_map_of_turned_haloes():
    data = make_maps(BARE.replace(n_draws=20), 2)
    haloes = halos.simulate(
        BARE.survey_object(), seed=np.random.SeedSequence(5, spawn_key=(2, 0)), m_min=1e11,
        cell_size=8.0,
    )  # fmt: skip
    model = LUMINOSITY_MODELS["padmanabhan2018"]()
    l_co = model.luminosity(haloes["m_halo"].values, haloes["z_cosmo"].values, rng=None)
    cube = paint_halos(haloes.assign(l_co=("halo", l_co)), BARE.survey_object())
    plain = pool_cube(cube, freq=2, dec=4, ra=4, how="sum").values
    seen = set()
    for sample in range(20):
        one = data.isel(sample=sample)
        turns, flip = int(one["quarter_turns"]), bool(one["flip"])
        seen.add((turns, flip))
        # float32 sums in another order
        npt.assert_allclose(one["map"], turned_map(plain, turns, flip), rtol=1e-5)
    assert len(seen) >= 6  # of 8
    different = [turned_map(plain, t, f) for t in range(4) for f in (False, True)]
    assert len({d.tobytes() for d in different}) == 8


def test_maps_stay_unturned_on_request():
    data = make_maps(BARE.replace(augment=False), 0)
    assert not data["quarter_turns"].any()
    assert not data["flip"].any()
    npt.assert_array_equal(data["map"][1:], data["map"][:-1])


def test_a_catalogue_without_haloes_is_an_error():  # B1
    with pytest.raises(ValueError, match="none of 0"):
        make_maps(SMALL.replace(m_min=1e14), 0)


# --- sides


def test_sides_share_neither_catalogue_nor_haloes(sides):  # B20
    for name in ("catalogue", "halo_hash"):
        found = [set(np.unique(sides[side][name].values)) for side in SIDES]
        assert [len(f) for f in found] == [3, 1, 2]
        assert len(set.union(*found)) == N
    maps = np.concatenate([sides[side]["map"].values for side in SIDES])
    assert len(np.unique(maps.reshape(len(maps), -1), axis=0)) == len(maps)


def test_every_catalogue_is_on_one_side():
    assert [datasets.side_of(SMALL, k) for k in range(N)] == (
        ["train"] * 3 + ["validation"] + ["test"] * 2
    )
    for catalogue in (-1, N):
        with pytest.raises(ValueError, match=f"catalogue is {catalogue}, expected 0 to 5"):
            datasets.side_of(SMALL, catalogue)


def test_another_seed_makes_other_haloes(sides):
    other = make_maps(SMALL.replace(seed=6), 0)
    assert other["halo_hash"].values[0] not in sides["train"]["halo_hash"].values
    again = make_maps(SMALL, 0)
    assert again["halo_hash"].values[0] == sides["train"]["halo_hash"].values[0]


# --- build


def test_a_whole_set_is_not_made_again(folder):
    before = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.nc")}
    assert build(SMALL, folder, progress=False) == []
    assert {p.name: p.stat().st_mtime_ns for p in folder.glob("*.nc")} == before
    assert {p.name for p in folder.iterdir()} == NAMES


def test_the_set_lies_where_its_key_says(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path))
    assert datasets.set_folder(SMALL) == tmp_path / "sets" / SMALL.data_key()


@pytest.mark.slow
def test_two_workers_write_the_same_bytes_as_one(tmp_path, folder):
    assert build(SMALL.replace(n_workers=2), tmp_path / "two", progress=False) == list(range(N))
    assert_same_files(tmp_path / "two", folder)


def test_only_missing_and_damaged_catalogues_are_made_again(tmp_path, folder):
    path = copy_of(folder, tmp_path / "set", without=(1,))
    whole = catalogue_path(path, 3).read_bytes()
    catalogue_path(path, 3).write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match=r"catalogue_00003\.nc .* it is made again"):
        assert build(SMALL, path, progress=False) == [1, 3]
    assert_same_files(path, folder)


def test_a_file_is_no_folder_for_a_data_set(tmp_path):
    (tmp_path / "set").write_text("mine")
    with pytest.raises(NotADirectoryError, match=r"build: .*set is a file, expected a folder"):
        build(SMALL, tmp_path / "set", progress=False)
    assert (tmp_path / "set").read_text() == "mine"


def test_the_folder_of_another_experiment_is_left_alone(tmp_path, folder):  # B22
    path = copy_of(folder, tmp_path / "set", without=(1,))
    with pytest.raises(ValueError, match=r"another experiment \(m_min 1.* not 2.*choose another"):
        build(SMALL.replace(m_min=2e11), path, progress=False)
    assert {p.name for p in path.iterdir()} == NAMES - {"catalogue_00001.nc"}


def test_a_catalogues_file_is_never_replaced_silently(tmp_path, folder):  # B22
    path = copy_of(folder, tmp_path / "set")
    before = catalogue_path(path, 0).read_bytes()
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        datasets.building._make_file(SMALL.replace(seed=9), path, 0)
    assert catalogue_path(path, 0).read_bytes() == before


def test_two_builds_of_one_folder_are_refused(tmp_path, folder):  # F10
    path = copy_of(folder, tmp_path / "set", without=(1,))
    with (
        locked(path),
        pytest.raises(BlockingIOError, match=f"locked by host .* process {os.getpid()}"),
    ):
        build(SMALL, path, progress=False)
    assert not catalogue_path(path, 1).exists()
    assert build(SMALL, path, progress=False) == [1]


# --- kills

KILLED_WRITE = """
import os, signal, sys, xarray as xr
from imtools.datasets import build
from imtools.experiment import Experiment
from imtools.run_folder import files
experiment = Experiment.from_json(sys.argv[1])
flush, to_netcdf = files.flush, xr.Dataset.to_netcdf

def die(path):
    if "catalogue_00002" in str(path):
        os.kill(os.getpid(), signal.SIGKILL)

def flush_or_die(path):
    die(path)
    flush(path)

def write_half_and_die(dataset, path, **settings):
    to_netcdf(dataset, path, **settings)
    if "catalogue_00002" in str(path):
        os.truncate(path, os.path.getsize(path) // 2)
    die(path)

if sys.argv[3] == "half":
    xr.Dataset.to_netcdf = write_half_and_die
else:
    files.flush = flush_or_die
build(experiment, sys.argv[2], progress=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["half", "written"])
def test_a_kill_during_a_write_leaves_no_truncated_file(tmp_path, folder, phase):  # F7
    path = tmp_path / "set"
    arguments = [sys.executable, "-c", KILLED_WRITE, SMALL.to_json(), path, phase]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert {p.name for p in path.glob("*.nc") if not p.name.startswith(".")} == {
        "catalogue_00000.nc", "catalogue_00001.nc",
    }  # fmt: skip
    assert len(list(path.glob(".tmp-*"))) == 1  # what the killed write left ...
    with pytest.raises(FileNotFoundError, match=r"lacks catalogues \[2\] of train"):
        load(path, "train")
    assert build(SMALL, path, progress=False) == [2, 3, 4, 5]
    assert_same_files(path, folder)  # ... is gone


DRIVER = """
import sys
from imtools.datasets import build
from imtools.experiment import Experiment
made = build(Experiment.from_json(sys.argv[1]), sys.argv[2], progress=False)
print("made", made)
"""
SLOW = SMALL.replace(n_draws=40, n_workers=2)  # so that a kill finds a catalogue in work


def start_driver(experiment, path):
    """Start a build in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, experiment.to_json(), path],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def workers_of(driver):
    """Return the worker processes of a build."""
    children = psutil.Process(driver.pid).children()
    return [c for c in children if "spawn_main" in " ".join(c.cmdline())]


def wait_for(condition, seconds=90.0):
    """Return what `condition` gives once it is true; fail after a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail("waited too long")


def has_ended(process):
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # just now
        return True


@pytest.fixture(scope="module")
def slow_folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sets") / "slow"
    build(SLOW.replace(n_workers=1), path, progress=False)
    return path


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_but_time(tmp_path, slow_folder):  # F8
    path = tmp_path / "set"
    driver = start_driver(SLOW, path)
    try:
        wait_for(lambda: list(path.glob("catalogue_*.nc")))
        workers_of(driver)[0].kill()
        out, err = driver.communicate(timeout=120)
    finally:
        driver.kill()
        driver.wait()
    assert driver.returncode == 0, err
    assert "a worker died; catalogues [" in err  # it died in the middle
    assert out.strip() == "made [0, 1, 2, 3, 4, 5]"
    assert_same_files(path, slow_folder)


@pytest.mark.slow
def test_a_killed_driver_takes_its_workers_along_and_loses_nothing_done(
    tmp_path, slow_folder, caplog
):  # F9
    path = tmp_path / "set"
    driver = start_driver(SLOW, path)
    workers = []
    try:
        wait_for(lambda: list(path.glob("catalogue_*.nc")))
        workers = workers_of(driver)
        assert len(workers) == 2
        driver.kill()
        driver.wait()
        wait_for(lambda: all(map(has_ended, workers)), seconds=20.0)
    finally:
        for process in (driver, *workers):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        driver.communicate()
    there = [k for k in range(N) if catalogue_path(path, k).exists()]
    assert 1 <= len(there) < N
    with caplog.at_level(logging.WARNING):
        made = build(SLOW.replace(n_workers=1), path, progress=False)
    assert made == [k for k in range(N) if k not in there]
    assert "took over" in caplog.text  # the stale lock
    assert_same_files(path, slow_folder)


def die_writing(_experiment, folder, catalogue):
    (folder / f".tmp-{os.getpid()}-{catalogue}.nc").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_workers_that_keep_dying_are_an_error(tmp_path, monkeypatch):
    # a worker unpickles what it shall call, so this reaches it
    monkeypatch.setattr(datasets.building, "_make_file", die_writing)
    monkeypatch.setattr(datasets.building, "MAX_BROKEN", 2)
    with pytest.raises(
        RuntimeError, match=r"workers died 2 times, catalogues \[0, 1, 2, 3, 4, 5\]"
    ):
        build(SMALL.replace(n_workers=2), tmp_path / "set", progress=False)
    # no lock, and nothing half written
    assert [p.name for p in (tmp_path / "set").iterdir()] == ["experiment.json"]


# --- load


def test_load_puts_the_catalogues_of_a_side_along_sample(sides):
    assert {side: data.sizes["sample"] for side, data in sides.items()} == {
        "train": 18, "validation": 6, "test": 12,
    }  # fmt: skip
    npt.assert_array_equal(sides["train"]["catalogue"], np.repeat([0, 1, 2], 6))
    assert sides["train"]["freq_bounds"].dims == ("freq", "bounds")
    assert sides["train"]["map"].attrs["units"] == "uK"
    xr.testing.assert_equal(
        sides["train"].isel(sample=slice(6, 12))["map"], make_maps(SMALL, 1)["map"]
    )


def test_missing_catalogues_are_named(tmp_path, folder):  # F11
    path = copy_of(folder, tmp_path / "set", without=(0, 2))
    with pytest.raises(FileNotFoundError, match=r"lacks catalogues \[0, 2\] of train"):
        load(path, "train")
    assert load(path, "test").sizes["sample"] == 12


@pytest.mark.parametrize("kind", ["truncated", "empty", "html", "folder"])
def test_a_corrupt_catalogue_is_named(tmp_path, folder, kind):  # F11
    path = copy_of(folder, tmp_path / "set")
    file = catalogue_path(path, 1)
    whole = file.read_bytes()
    file.unlink()
    content = {"truncated": whole[: len(whole) // 2], "empty": b"", "html": b"<html></html>"}
    if kind in content:
        file.write_bytes(content[kind])
    else:
        file.mkdir()
    with pytest.raises(ValueError, match=r"catalogue 1 is damaged .*catalogue_00001\.nc") as caught:
        load(path, "train")
    assert "\n" not in str(caught.value)
    load(path, "validation")


def test_a_catalogue_under_another_name_is_found_out(tmp_path, folder):  # B20
    path = copy_of(folder, tmp_path / "set", without=(4,))
    catalogue_path(path, 4).write_bytes(catalogue_path(path, 0).read_bytes())
    with pytest.raises(ValueError, match=r"catalogue_00004\.nc says .*\(0, 'train'.*moved here"):
        load(path, "test")


def test_a_catalogue_of_another_set_is_found_out(tmp_path, folder):
    path = copy_of(folder, tmp_path / "set", without=(3,))
    datasets.building._make_file(SMALL.replace(m_min=2e11), path, 3)
    with pytest.raises(ValueError, match="moved here from another data set"):
        load(path, "validation")


def test_what_is_no_data_set_or_side_is_refused(tmp_path, folder):
    with pytest.raises(FileNotFoundError, match=r"is no data set \(it has no experiment\.json"):
        load(tmp_path, "train")
    with pytest.raises(ValueError, match="side is 'training', expected one of train, validation"):
        load(folder, "training")


# --- what a network is given


def test_axes_come_in_the_networks_order():
    shape = {"sample": 2, "freq": 3, "dec": 4, "ra": 5}
    values = np.arange(120.0).reshape(2, 3, 4, 5)
    maps = xr.DataArray(values, dims=tuple(shape), attrs={"units": "uK"})
    inputs = network_inputs(maps, SMALL.replace(transform="linear"))
    assert inputs.shape == (2, 4, 5, 3)
    assert inputs.dtype == np.float32
    for sample, freq, dec, ra in [(0, 0, 0, 1), (1, 2, 3, 4), (1, 0, 3, 2), (0, 2, 1, 4)]:
        assert inputs[sample, dec, ra, freq] == values[sample, freq, dec, ra]
    npt.assert_array_equal(
        network_inputs(maps.transpose(..., "freq"), SMALL.replace(transform="linear")), inputs
    )


def test_inputs_are_scaled_by_the_experiments_transform(sides):
    maps = sides["test"]["map"]
    plain = network_inputs(maps, SMALL.replace(transform="linear"))
    npt.assert_allclose(
        network_inputs(maps, SMALL.replace(transform="asinh")), np.arcsinh(plain), rtol=1e-5
    )  # float32


def test_noise_is_drawn_and_not_stored(folder, sides):
    noisy = SMALL.replace(sigma_noise=5.0, transform="linear")
    assert noisy.data_key() == SMALL.data_key()
    assert build(noisy, folder, progress=False) == []
    maps = sides["train"]["map"]
    before = maps.copy(deep=True)
    clean = network_inputs(maps, SMALL.replace(transform="linear"))
    noise = network_inputs(maps, noisy, np.random.default_rng(1)) - clean
    # sums of 2 x 4 x 4 voxels; 5 sampling errors of a standard deviation
    npt.assert_allclose(noise.std(), 5.0 * np.sqrt(32), rtol=5 / np.sqrt(2 * noise.size))
    xr.testing.assert_identical(maps, before)
    with pytest.raises(ValueError, match=r"sigma_noise is 5\.0 uK; pass rng"):
        network_inputs(maps, noisy)


def test_targets_are_logarithms_with_the_floor(sides):
    targets = datasets.log_counts_array(sides["test"], SMALL)
    counts = sides["test"]["counts"].values
    assert targets.dtype == np.float32
    assert (counts == 0).any()
    npt.assert_allclose(targets[counts == 0], np.log10(0.5), rtol=1e-6)
    npt.assert_allclose(targets[counts > 0], np.log10(counts[counts > 0]), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("sigma_noise", [0.0, 5.0])
def test_a_batch_is_a_function_of_seed_epoch_and_index(sides, sigma_noise):
    experiment = SMALL.replace(sigma_noise=sigma_noise)
    keys = [(e, i) for e in range(3) for i in range(4)]
    first = Batches(sides["train"], experiment, seed=1)
    forth = {key: first.batch(*key) for key in keys}
    second = Batches(sides["train"], experiment, seed=1)
    for key in reversed(keys):  # in another order, twice, from another object
        for batches in (second, second, first):
            for ours, theirs in zip(batches.batch(*key), forth[key], strict=True):
                npt.assert_array_equal(ours, theirs)
    other = Batches(sides["train"], experiment, seed=2)
    assert any(not np.array_equal(other.batch(*key)[0], forth[key][0]) for key in keys)
    x, y = forth[0, 0]
    assert x.shape == (4, 4, 4, 4)
    assert y.shape == (4, 49)
    assert x.dtype == y.dtype == np.float32


def test_an_epoch_draws_each_map_once_with_its_own_counts(sides):
    batches = Batches(sides["train"], SMALL, seed=1)
    inputs = network_inputs(sides["train"]["map"], SMALL)
    counts = sides["train"]["counts"].values
    orders = []
    for epoch in range(2):
        drawn = []
        for index in range(batches.n_batches()):
            for x, y in zip(*batches.batch(epoch, index), strict=True):
                (sample,) = np.flatnonzero((inputs == x).all(axis=(1, 2, 3)))
                npt.assert_array_equal(y, counts[sample])
                drawn.append(sample)
        assert len(set(drawn)) == len(drawn) == 16  # of 18: two would make a short batch
        orders.append(drawn)
    assert orders[0] != orders[1]


def test_maps_left_on_disk_are_those_in_memory(folder, sides):
    lazy = load(folder, "train", lazy=True)
    assert lazy["map"].chunks
    assert not lazy["counts"].chunks
    xr.testing.assert_identical(lazy.compute(), sides["train"])
    check_splits(train=lazy, test=load(folder, "test", lazy=True))
    for experiment in (SMALL, SMALL.replace(sigma_noise=5.0)):
        ours, theirs = (Batches(data, experiment, seed=1) for data in (lazy, sides["train"]))
        for x, y in zip(ours.batch(3, 1), theirs.batch(3, 1), strict=True):
            npt.assert_array_equal(x, y)


def test_a_damaged_file_is_named_also_where_maps_stay_on_disk(folder, tmp_path):
    there = copy_of(folder, tmp_path / "set")
    catalogue_path(there, 0).write_bytes(b"not a map")
    with pytest.raises(ValueError, match="catalogue 0 is damaged"):
        load(there, "train", lazy=True)


@pytest.mark.parametrize("sigma_noise", [0.0, 5.0])
def test_a_network_may_read_a_summary_made_of_a_few_draws_of_the_noise(sides, sigma_noise):
    changes = {"architecture": "dense", "reads": "luminosity", "sigma_noise": sigma_noise}
    experiment = SMALL.replace(blank_share=0.3, **changes)
    batches = Batches(sides["train"], experiment, seed=1)
    inputs, counts = batches.batch(0, 0)
    assert inputs.shape == (4, 1, 1, 610)
    assert inputs.dtype == np.float32
    order = batches._rng(0).permutation(18)[:4]
    full = (counts > 0).any(axis=1)
    assert full.any()
    own = network_inputs(sides["train"]["map"], experiment, batches._rng(0))[order]
    npt.assert_array_equal(inputs[full], own[full])
    again = batches.batch(N_DRAWS, 0)  # another order of the same draw
    npt.assert_array_equal(
        again[0][(again[1] > 0).any(axis=1)],
        network_inputs(sides["train"]["map"], experiment, batches._rng(0))[
            batches._rng(N_DRAWS).permutation(18)[:4]
        ][(again[1] > 0).any(axis=1)],
    )


@pytest.mark.parametrize("reads", ["map", "luminosity", "vid_pk"])
def test_the_shape_of_inputs_is_known_before_there_are_maps(sides, reads):
    network = {} if reads == "map" else {"architecture": "dense", "reads": reads}
    experiment = SMALL.replace(sigma_noise=5.0, **network)
    seen = network_inputs(sides["train"]["map"][:2], experiment, np.random.default_rng(1))
    assert datasets.input_shape(experiment) == seen.shape[1:]


def test_noise_is_new_in_every_epoch(sides):
    experiment = SMALL.replace(sigma_noise=5.0, transform="linear", batch_size=18)
    batches = Batches(sides["train"], experiment, seed=1)
    clean = network_inputs(sides["train"]["map"], SMALL.replace(transform="linear"))
    first, second = (
        batches.batch(epoch, 0)[0] - clean[batches._rng(epoch).permutation(18)] for epoch in (0, 1)
    )
    npt.assert_allclose(first.std(), second.std(), rtol=0.2)
    correlation = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert abs(correlation) < 5 / np.sqrt(first.size)


@pytest.mark.parametrize("sigma_noise", [0.0, 5.0])
def test_a_share_of_the_maps_is_blank_sky_without_sources(sides, sigma_noise):
    settings = {"transform": "linear", "batch_size": 9, "sigma_noise": sigma_noise}
    experiment = SMALL.replace(blank_share=0.5, **settings)
    batches = Batches(sides["train"], experiment, seed=1)
    bright = Batches(sides["train"], SMALL.replace(**settings), seed=1)
    n_blank = 0
    for key in ((e, i) for e in range(10) for i in range(2)):
        inputs, counts = batches.batch(*key)
        npt.assert_array_equal(inputs, batches.batch(*key)[0])  # the same again
        blank = (counts == 0).all(axis=1)
        n_blank += blank.sum()
        whole = bright.batch(*key)
        npt.assert_array_equal(counts[~blank], whole[1][~blank])
        npt.assert_array_equal(inputs[~blank], whole[0][~blank])
        scatter = 5 * inputs[blank].std() / np.sqrt(inputs[0].size)  # 5 errors of a mean
        assert np.all(np.abs(inputs[blank].mean(axis=(1, 2, 3))) <= scatter)
    assert abs(n_blank - 90) < 5 * np.sqrt(180 / 4)  # 180 maps, half of them: 5 binomial errors


def test_a_short_or_empty_batch_is_never_drawn(sides):  # F22
    batches = Batches(sides["train"], SMALL, seed=1)
    assert batches.n_batches() == 18 // 4
    for index in (4, -1):
        with pytest.raises(IndexError, match=f"index is {index}, expected one of the 4 full"):
            batches.batch(0, index)
    few = Batches(sides["train"].isel(sample=slice(3)), SMALL, seed=1)
    assert few.n_batches() == 0
    with pytest.raises(IndexError, match="the 0 full batches of 4 among 3 maps"):
        few.batch(0, 0)
    assert Batches(sides["train"].isel(sample=slice(0)), SMALL, seed=1).n_batches() == 0


def test_large_batches_are_drawn_one_at_a_time(sides, monkeypatch):
    batches = Batches(sides["train"], SMALL, seed=1)
    size = 4 * sides["train"]["map"][0].nbytes  # of a batch of four maps
    monkeypatch.setattr("imtools.datasets.batches.SMALL", size + 1)
    assert batches.at_once == 2
    monkeypatch.setattr("imtools.datasets.batches.SMALL", size)
    assert batches.at_once == 1


def test_a_flipped_byte_in_a_map_is_named_and_never_loaded(tmp_path):
    experiment = Experiment.from_preset("tiny", n_draws=1, n_train=1, n_workers=1, batch_size=1)
    build(experiment, tmp_path, progress=False)
    path = catalogue_path(tmp_path, 0)
    data = bytearray(path.read_bytes())
    values = load(tmp_path, "train")["map"].values[0].tobytes()
    start = data.find(values[:64])
    assert start > 0  # the map stands there as it is
    data[start + 40] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ValueError, match=r"catalogue 0 is damaged .*; run datasets.build again"):
        load(tmp_path, "train")
