"""A sweep on the workers of a dask client: as on one machine, whatever happens to a worker."""

import json
import os
from types import SimpleNamespace

import pytest
from small_notebooks import write_notebook

from imtools.cluster import connect
from imtools.run_folder import read_json
from imtools.runs import jobs, run_sweep, sweeps
from imtools.runs.feasible import check_networks, worker_limits
from imtools.runs.sweep_file import read_sweep

# one run's kernel is killed, another's worker and its kernel, once
DIE = """
import os, signal, psutil
from pathlib import Path
from imtools.run_folder import write_text
sweep = Path(run_dir).parent
if seed == 1:
    os.kill(os.getpid(), signal.SIGKILL)
if seed == 2 and not (sweep / "once").exists():
    (sweep / "once").touch()
    worker = psutil.Process().parent().parent()
    assert "distributed" in " ".join(worker.cmdline()) or "multiprocessing" in worker.cmdline()[-2]
    worker.kill()
    os.kill(os.getpid(), signal.SIGKILL)
write_text(f"{seed} {changes} {os.environ['IMTOOLS_DATA']}", Path(run_dir, "result.txt"))
"""


@pytest.fixture(scope="module", autouse=True)
def root(tmp_path_factory):
    """One data root for all: workers take it from the process that starts them."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("data")
        patch.setenv("IMTOOLS_DATA", str(path))
        (path / "package").mkdir()  # that others work on the package is no change here
        patch.setattr(jobs, "PACKAGE", path / "package")
        yield path


@pytest.fixture(scope="module")
def client():
    with connect("local", n_workers=2) as connected:
        yield connected


@pytest.fixture
def path(tmp_path):
    write_notebook(tmp_path / "small.ipynb", DIE)
    path = tmp_path / "dying.yaml"
    path.write_text("notebook: small.ipynb\ngrid: {seed: [0, 1, 2]}\nparameters: {epochs: 2}\n")
    return path


@pytest.mark.slow
def test_a_lost_kernel_is_one_lost_run_and_a_lost_worker_none(path, client, root):  # F8, F12, F16
    told = []
    settings = {"client": client, "n_parallel": 2}
    ended = run_sweep(path, tell=lambda name, run: told.append(name), **settings)
    assert [run.state for run in ended.values()] == ["done", "lost", "done"]
    assert sorted(told) == sorted(ended)
    folder = root / "runs" / "dying"
    assert (folder / "once").exists()
    for seed, run in enumerate(ended.values()):
        if run.state == "done":
            text = (run.folder / "result.txt").read_text()
            assert text == f'{seed} {{"epochs": 2}} {root}'
            assert read_json(run.folder / "status.json")["state"] == "done"
    assert len((folder / "outcomes.csv").read_text().splitlines()) == 4
    begun = {n: read_json(run.folder / "status.json")["begun"] for n, run in ended.items()}
    again = run_sweep(path, **settings)
    assert [run.reused for run in again.values()] == [True, False, True]
    later = {n: read_json(run.folder / "status.json")["begun"] for n, run in again.items()}
    assert [n for n in begun if begun[n] != later[n]] == [list(ended)[1]]


def test_a_run_that_was_done_by_a_lost_worker_is_not_done_again(path, root, monkeypatch):
    (name, job), *_ = read_sweep(path).jobs.items()
    folder = root / "runs" / "early"
    (folder / name).mkdir(parents=True)
    status = {"state": "done", "fingerprint": job.fingerprint, "reason": "", "process": {}}
    (folder / name / "status.json").write_text(json.dumps(status))
    monkeypatch.setattr(sweeps, "stopping", lambda: pytest.fail("it was begun again"))
    run = sweeps._run_on_worker(folder, None, (name, job))
    assert (run.state, run.reused, run.folder) == ("done", False, folder / name)


def test_a_run_is_taken_over_when_what_the_lost_worker_ran_has_ended(path, root, monkeypatch):
    (name, job), *_ = read_sweep(path).jobs.items()
    folder = root / "runs" / "late" / name
    folder.mkdir(parents=True)
    process = {"host": os.uname().nodename, "pid": 2**22 + 1, "started": 0.0}
    status = {"state": "running", "fingerprint": job.fingerprint, "process": process}
    (folder / "status.json").write_text(json.dumps(status))

    def sleep(seconds):  # meanwhile papermill writes once more
        waited.append(seconds)
        (folder / "notebook.ipynb").touch()

    waited, left = [], []
    monkeypatch.setattr(sweeps, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(sweeps, "stopping", lambda: None)
    monkeypatch.setattr(sweeps, "run_job", lambda *_, **__: left.append(list(folder.iterdir())))
    sweeps._run_on_worker(folder.parent, None, (name, job))
    assert waited == [sweeps.ORPHAN]
    assert left == [[]]


def test_a_notebook_that_a_worker_does_not_see_is_an_error(path, tmp_path):
    (name, job), *_ = read_sweep(path).jobs.items()
    job.notebook.unlink()
    with pytest.raises(FileNotFoundError, match=r"a worker does not see \S+small\.ipynb"):
        sweeps._run_on_worker(tmp_path, None, (name, job))


def test_a_run_that_kills_its_workers_is_lost(tmp_path):
    run = sweeps._lost(tmp_path, ("abc", None))
    assert (run.state, run.folder) == ("lost", tmp_path / "abc")
    assert "kept dying" in read_json(tmp_path / "abc" / "status.json")["reason"]


class Workers:
    """A client that knows what its workers may take."""

    def __init__(self, *limits):
        self.limits = limits

    def scheduler_info(self):
        return {"workers": {str(i): {"memory_limit": n} for i, n in enumerate(self.limits)}}


def test_a_network_must_fit_the_smallest_worker(monkeypatch):
    assert worker_limits(Workers(8e9, 4e9), 7) == {"n_parallel": 1, "have": 4e9}
    assert worker_limits(Workers(None, 0), 7) == {"n_parallel": 7}
    monkeypatch.setattr("imtools.runs.feasible._ask", lambda questions: [{"bytes": 5e9}])
    monkeypatch.setattr("imtools.runs.feasible._matters", lambda job: True)
    job = read_sweep_of_one()
    check_networks([job], have=6e9)
    with pytest.raises(ValueError, match=r"about 5\.0 GB .* at most 4\.0 GB, which there is"):
        check_networks([job], **worker_limits(Workers(4e9), 7))


def read_sweep_of_one():
    from imtools.experiment import Experiment

    return SimpleNamespace(experiment=Experiment.from_preset("tiny"), trains=True)
