import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from small_notebooks import write_notebook

from imtools.run_folder import locked, open_netcdf, read_json, read_rows, write_status
from imtools.runs import Run, jobs, list_runs, run_sweep, sweeps
from imtools.runs.sweep_file import read_sweep
from imtools.runs.sweeps import out_of_date

EXAMPLES = sorted((Path(__file__).parents[1] / "notebooks" / "sweeps").glob("*.yaml"))


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def sweep(tmp_path):
    """Return a function that writes a sweep file beside its notebook."""

    def write(text, *sources, name="noise.yaml"):
        write_notebook(tmp_path / "small.ipynb", *(sources or ["1"]))
        path = tmp_path / name
        path.write_text(text if "notebook:" in text else f"notebook: small.ipynb\n{text}")
        return path

    return write


@pytest.fixture
def started(monkeypatch):
    """Return the runs that were started, by their parameters; here they end as `ends` says."""
    seen, ends = [], {}

    def stand_in(job, folder, *, timeout=None, stop=None):
        values = job.values()
        seen.append({"parameters": values, "timeout": timeout, "thread": threading.get_ident()})
        end = ends.get(values["seed"], "done")
        if isinstance(end, BaseException):
            raise end
        folder.mkdir(parents=True, exist_ok=True)
        facts = {"fingerprint": job.fingerprint, "parameters": job.parameters, "seconds": 1.0}
        write_status(folder, end, preset=job.preset, notebook=job.notebook.name, **facts)
        return Run(folder=folder, state=end)

    monkeypatch.setattr(sweeps, "run_job", stand_in)
    monkeypatch.setattr(sweeps, "check_networks", lambda jobs, **_: None)
    return SimpleNamespace(runs=seen, ends=ends)


# --- the file


def test_a_grid_is_every_combination_in_order(sweep):
    path = sweep("preset: tiny\nparameters: {epochs: 2}\ngrid: {seed: [1, 2], sigma_noise: [0, 3]}")
    read = read_sweep(path)
    assert [job.values() for job in read.jobs.values()] == [
        {"epochs": 2, "seed": seed, "sigma_noise": sigma} for seed in (1, 2) for sigma in (0.0, 3.0)
    ]
    assert all(type(job.values()["sigma_noise"]) is float for job in read.jobs.values())
    assert {job.preset for job in read.jobs.values()} == {"tiny"}
    assert (read.n_parallel, read.timeout) == (1, None)


def test_points_are_a_run_each_and_may_differ_from_what_they_share(sweep):
    text = "parameters: {seed: 1}\nn_parallel: 3\ntimeout: 1.5\npoints:\n"
    text += "  - {threshold: 3}\n  - {seed: 2, preset: quick}\n  - {changes: {width: 8}}\n  - {}"
    read = read_sweep(sweep(text))
    jobs = list(read.jobs.values())
    expected = [{"seed": 1, "threshold": 3}, {"seed": 2}, {"seed": 1, "width": 8}, {"seed": 1}]
    assert [job.values() for job in jobs] == expected
    assert [job.preset for job in jobs] == ["notebook", "quick", "notebook", "notebook"]
    assert jobs[2].experiment.network.width == 8
    assert (read.n_parallel, read.timeout) == (3, 1.5)


def test_a_run_is_named_by_its_parameters_however_they_are_written(sweep):
    first = read_sweep(sweep("preset: tiny\npoints: [{seed: 1, sigma_noise: 3, threshold: 4}]"))
    text = "points: [{threshold: 4.0, changes: {sigma_noise: 3.0}, preset: tiny}]\n"
    again = read_sweep(sweep(text + "parameters: {seed: 1}"))
    assert list(first.jobs) == list(again.jobs)
    others = ("{seed: 2, sigma_noise: 3, threshold: 4}", "{seed: 1, sigma_noise: 3}")
    for other in others:
        assert list(read_sweep(sweep(f"preset: tiny\npoints: [{other}]")).jobs) != list(first.jobs)


def test_numbers_are_read_as_people_write_them(sweep):
    text = "preset: tiny\ngrid: {learning_rate: [1e-4, 2.E-3, .5], sfr: [um]}"
    rates = [job.experiment.training.learning_rate for job in read_sweep(sweep(text)).jobs.values()]
    assert rates == [1e-4, 2e-3, 0.5]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("grid: {seed: [1], sigma_nose: [1]}", r"run 1 \(.*\): .*did you mean 'sigma_noise'"),
        ("grid: {seed: [1, 1.5]}", r"run 2 \(seed = 1.5\): seed is 1.5, expected int"),
        ("grid: {epochs: [1, 0]}", r"run 2 \(epochs = 0\): .*epochs is 0, expected greater"),
        ("grid: {luminosity_model: [li2061]}", "did you mean 'li2016'"),
        ("gird: {seed: [1]}", "unknown key 'gird'; did you mean 'grid'"),
        ("grid: {seed: 1}", "seed is 1, expected a list of values"),
        ("grid: {seed: []}", "seed is .., expected a list of values"),
        ("grid: {}", "grid is .., expected lists"),
        ("grid: {seed: [1]}\npoints: [{seed: 1}]", "both grid and points"),
        ("preset: tiny", "neither grid nor points"),
        ("points: {seed: 1}", "points is .*, expected a list of 'name: value' mappings"),
        ("points: [1]", "points is .1., expected"),
        ("points: [{1: 2}]", "parameter 1, expected a name"),
        ("grid: {seed: [1]}\nparameters: {seed: 2}", "seed stands in grid and in parameters"),
        ("grid: {seed: [1]}\nparameters: 3", "parameters is 3"),
        ("grid: {seed: [1]}\npreset: [tiny]", "preset is .*, expected text"),
        ("grid: {seed: [1]}\npreset: huge", "expected one of tiny, quick"),
        ("grid: {seed: [1]}\nn_parallel: 0", "n_parallel is 0, expected"),
        ("grid: {seed: [1]}\nn_parallel: true", "n_parallel is True, expected"),
        ("grid: {seed: [1]}\ntimeout: 0", "timeout is 0, expected seconds"),
        ("grid: {sigma_noise: [1, 1.0]}", r"run 2 \(.*\) is the same as run 1"),
        ("grid: {seed: [1], seed: [2]}", "'seed' is given twice"),
        ("grid: {seed: [2024-01-01]}", "seed is '2024-01-01', expected int"),
        ("grid: {seed: [!!binary aGk=]}", "holds more than numbers"),
        ("grid: {seed: [1", "is no YAML"),
        ("grid: {seed: !!python/object/apply:os.system ['touch sentinel']}", "is no YAML"),
        ("notebook: [1]\ngrid: {seed: [1]}", "notebook is .1., expected text"),
        ("- 1\n- notebook: 1", "has no 'key: value' lines"),
        (
            "grid: {seed: [1, 2, 3, 4], n_pix: [1, 2, 3, 4]}",
            "has 16 combinations, expected",
        ),
    ],
)
def test_a_wrong_sweep_starts_no_kernel(sweep, data, monkeypatch, text, match):  # B18, B19
    monkeypatch.setattr("imtools.runs.sweep_file.MAX_POINTS", 15)
    path = sweep(text)
    with pytest.raises(ValueError, match=rf"sweep: noise\.yaml: .*{match}") as caught:
        run_sweep(path)
    assert "\n" not in str(caught.value)
    assert not data.exists()
    assert not path.with_name("sentinel").exists()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_sweeps_that_come_with_the_notebooks_can_be_run(path):
    assert len(read_sweep(path).jobs) > 1


def test_a_file_or_notebook_that_is_missing_is_one_line(sweep, tmp_path):  # B14
    with pytest.raises(FileNotFoundError, match=r"none\.yaml does not exist"):
        run_sweep(tmp_path / "none.yaml")
    with pytest.raises(FileNotFoundError, match=r"other\.ipynb does not exist"):
        run_sweep(sweep("notebook: other.ipynb\ngrid: {seed: [1]}"))


@pytest.mark.slow
def test_a_network_that_cannot_be_trained_is_told_by_its_run(sweep, data):
    path = sweep("preset: tiny\ngrid: {width: [8, 1000000000]}", "train(experiment)")
    with pytest.raises(ValueError, match=r"noise\.yaml: tiny, width = 1000000000: training 'hist"):
        run_sweep(path)
    assert not data.exists()


# --- what runs and what stays; nothing is started here


SEEDS = "grid: {seed: [1, 2, 3]}"


def seeds(started):
    return [run["parameters"]["seed"] for run in started.runs]


def test_a_finished_sweep_starts_nothing(sweep, data, started):  # F16
    path = sweep(SEEDS + "\ntimeout: 9")
    first = run_sweep(path)
    assert [run.state for run in first.values()] == ["done"] * 3
    assert not any(run.reused for run in first.values())
    assert {run["timeout"] for run in started.runs} == {9}
    assert all(run.folder == data / "runs" / "noise" / name for name, run in first.items())
    again = run_sweep(path)
    assert seeds(started) == [1, 2, 3]
    assert all(run.reused for run in again.values())


def test_what_is_missing_failed_or_lost_runs_again_in_an_empty_folder(sweep, started):
    path, told = sweep(SEEDS), []
    started.ends |= {1: "failed", 2: "lost"}
    first = run_sweep(path, tell=lambda name, run: told.append((name, run.state)))
    assert [run.state for run in first.values()] == ["failed", "lost", "done"]
    assert dict(told) == {name: run.state for name, run in first.items()}
    failed = next(iter(first.values())).folder
    (failed / "remains").mkdir()
    (failed / "remains" / "model").write_text("old")
    started.ends.clear()
    again = run_sweep(sweep("grid: {seed: [1, 2, 3, 4]}"))
    assert seeds(started) == [1, 2, 3, 1, 2, 4]
    assert [run.state for run in again.values()] == ["done"] * 4
    assert list(again)[:3] == list(first)
    assert [p.name for p in failed.iterdir()] == ["status.json"]


def test_a_training_goes_on_from_its_checkpoint(sweep, started, monkeypatch):
    path, resumed = sweep(SEEDS), []
    started.ends |= {1: "lost", 2: "failed", 3: "failed"}
    folders = [run.folder for run in run_sweep(path).values()]
    for folder in folders[:2]:
        (folder / "network" / "checkpoints").mkdir(parents=True)
    status = read_json(folders[1] / "status.json")
    (folders[1] / "status.json").write_text(json.dumps(status | {"fingerprint": "other code"}))
    started.ends.clear()

    def stand_in(job, folder, *, timeout, stop):
        resumed.append(folder)
        return Run(folder=folder, state="done")

    monkeypatch.setattr(sweeps, "go_on", stand_in)
    run_sweep(path)
    assert resumed == folders[:1]
    assert seeds(started) == [1, 2, 3, 2, 3]
    assert not (folders[1] / "network").exists()


def test_an_error_outside_of_a_run_is_how_that_run_ended(sweep, started):
    started.ends[2] = OSError("disk full")
    ended = run_sweep(sweep(SEEDS))
    assert [run.state for run in ended.values()] == ["done", "failed", "done"]
    assert list(ended.values())[1].reason == "OSError: disk full"


def test_runs_of_other_code_stay_until_they_are_asked_for_again(
    sweep, started, monkeypatch, tmp_path
):
    path = sweep(SEEDS)
    run_sweep(path)
    assert out_of_date(path) == []
    path = sweep("grid: {seed: [1, 2]}", "another = 1")  # another notebook of that name
    assert len(out_of_date(path)) == 2
    run_sweep(path)
    assert seeds(started) == [1, 2, 3]
    run_sweep(path, again=True)
    assert seeds(started) == [1, 2, 3, 1, 2]
    assert out_of_date(path) == []


def test_so_many_run_at_once_as_are_asked_for(sweep, started, monkeypatch):
    meet, here = threading.Barrier(3), sweeps.run_job

    def wait(*given, **settings):
        meet.wait(10)  # broken unless three are there
        return here(*given, **settings)

    monkeypatch.setattr(sweeps, "run_job", wait)
    ended = run_sweep(sweep(SEEDS), n_parallel=3)
    assert [run.state for run in ended.values()] == ["done"] * 3
    with pytest.raises(ValueError, match="n_parallel is 0"):
        run_sweep(sweep(SEEDS), n_parallel=0)


def test_the_outcomes_are_a_table(sweep, data, started):
    started.ends[2] = "failed"
    run_sweep(sweep(SEEDS))
    lines = (data / "runs" / "noise" / "outcomes.csv").read_text().splitlines()
    assert lines[0] == "run,state,seed,minutes"
    assert [line.split(",")[1:3] for line in lines[1:]] == [
        ["done", "1"],
        ["failed", "2"],
        ["done", "3"],
    ]
    with open_netcdf(data / "runs" / "noise" / "outcomes.nc") as outcomes:
        assert outcomes["state"].values.tolist() == ["done", "failed", "done"]
        assert outcomes["value"].sel(parameter="seed").values.tolist() == ["1", "2", "3"]
        assert outcomes["minutes"].attrs["units"] == "min"


def test_runs_of_a_sweep_are_listed_after_its_name(sweep, started):
    ended = run_sweep(sweep(SEEDS))
    assert list(list_runs().index) == sorted(f"noise/{name}" for name in ended)


def test_a_folder_with_something_else_is_refused(sweep, data, started):  # B22
    folder = data / "runs" / "noise"
    folder.mkdir(parents=True)
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"noise holds files but no sweep\.json"):
        run_sweep(sweep(SEEDS))
    assert [p.name for p in folder.iterdir()] == ["precious.txt"]
    (folder / "precious.txt").unlink()
    (folder / "sweep.json").write_text(json.dumps({"notebook": "other.ipynb"}))
    with pytest.raises(FileExistsError, match=r"runs of other\.ipynb, expected small\.ipynb"):
        run_sweep(sweep(SEEDS))
    assert started.runs == []


def test_two_sweeps_of_one_folder_are_refused(sweep, data, started):  # F10
    with (
        locked(data / "runs" / "noise"),
        pytest.raises(BlockingIOError, match=f"locked by host .* process {os.getpid()}"),
    ):
        run_sweep(sweep(SEEDS))
    assert started.runs == []


# --- real kernels

TEN = """\
grid: {seed: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}
n_parallel: 2
timeout: 300
"""
DIE = """
import os, signal
from pathlib import Path
once = Path(run_dir).parents[2] / "once"
print("began", seed)
if seed == 3 and not once.exists():
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 4 and not once.exists():
    raise ArithmeticError("four")
"""


@pytest.mark.slow
def test_of_ten_runs_one_is_killed_one_raises_and_the_others_are_done(sweep, data):  # F12, F13, F16
    path = sweep(TEN, DIE)
    ended = list(run_sweep(path).values())
    states = ["done"] * 3 + ["lost", "failed"] + ["done"] * 5
    assert [run.state for run in ended] == states
    assert ended[4].reason == "ArithmeticError: four"
    for run in ended:
        executed = nbformat.read(run.folder / "notebook.ipynb", as_version=4)
        nbformat.validate(executed)
    began = [read_json(run.folder / "status.json")["begun"] for run in ended]
    (data / "once").touch()
    again = list(run_sweep(path).values())
    assert [run.state for run in again] == ["done"] * 10
    later = [read_json(run.folder / "status.json")["begun"] for run in again]
    assert [a != b for a, b in zip(began, later, strict=True)] == [s != "done" for s in states]


TRAIN = """
import json, os, signal
from pathlib import Path
from toy_maps import toy_data, toy_experiment
from imtools.training import fitting, train

plain = fitting.write_progress

def write(folder, progress, **kept):
    plain(folder, progress, **kept)
    if seed == 1 and progress.epoch == 1 and Path("kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)

fitting.write_progress = write
experiment = toy_experiment(seed=seed, checkpoint_every=1, **json.loads(changes))
train(experiment, toy_data(range(6)), toy_data(range(6, 8)), Path(run_dir) / "small")
"""


@pytest.mark.slow
def test_a_point_killed_in_training_goes_on_from_its_checkpoint(sweep, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(jobs, "PACKAGE", tmp_path / "package")  # others may work on it
    (tmp_path / "package").mkdir()
    path = sweep("grid: {seed: [1]}\nparameters: {epochs: 4, dropout: 0.3}", TRAIN)
    (tmp_path / "kill").touch()
    (run,) = run_sweep(path).values()
    assert run.state == "lost"
    (tmp_path / "kill").unlink()
    (run,) = run_sweep(path).values()
    assert run.state == "done", run.reason
    history = read_rows(run.folder / "small" / "history.csv")
    assert list(history["epoch"]) == [0, 1, 2, 3]  # none twice
    assert list(history["seam"]) == [0, 0, 1, 0]  # and it went on after the second
    assert read_json(run.folder / "status.json")["resumed"] == 1


HANG = """
import os, time
from pathlib import Path
Path(run_dir, "pid").write_text(str(os.getpid()))
if seed == 1:
    time.sleep(1000)
"""


@pytest.mark.slow
def test_an_interrupted_sweep_leaves_no_kernel_and_goes_on_where_it_stopped(sweep, data):
    path = sweep("grid: {seed: [0, 1, 2]}", HANG)
    code = (
        "import signal, sys; from imtools.runs import run_sweep; "
        # a shell's background job starts with SIGINT ignored, and would never end
        "signal.signal(signal.SIGINT, signal.default_int_handler); run_sweep(sys.argv[1])"
    )
    runner = subprocess.Popen([sys.executable, "-c", code, path], stderr=subprocess.DEVNULL)
    hanging = data / "runs" / "noise" / list(read_sweep(path).jobs)[1] / "pid"
    end = time.monotonic() + 120
    while not (hanging.exists() and hanging.read_text()):
        assert time.monotonic() < end
        assert runner.poll() is None
        time.sleep(0.2)
    runner.send_signal(signal.SIGINT)
    assert runner.wait(120) != 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(hanging.read_text()), 0)
    table = list_runs()
    assert sorted(table["state"]) == ["done", "failed"]  # the third was not begun
    assert list(table.loc[table["state"] == "failed", "reason"]) == ["interrupted"]
    assert len((data / "runs" / "noise" / "outcomes.csv").read_text().splitlines()) == 3
