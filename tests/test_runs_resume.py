"""`imtools run --resume`: a run that was killed goes on in its own folder."""

import json
import os
from pathlib import Path

import nbformat
import numpy.testing as npt
import pytest
from typer.testing import CliRunner

from imtools import runs
from imtools.cli import app
from imtools.run_folder import locked, read_json, read_rows, write_status
from imtools.runs import resume_run, run_notebook

CELL = """\
preset = "tiny"  # tiny, quick or paper
seed = 0  # integer, seeds every random draw
run_dir = "."  # folder for everything this notebook writes
changes = "{}"  # other experiment fields, JSON
"""

# writes a result, and fails at its first attempt
FAIL_ONCE = """
import json
from pathlib import Path
from imtools.run_folder import write_json
write_json([preset, seed, changes], Path(run_dir, "result.json"))  # refuses to overwrite
Path(run_dir, "figures").mkdir()
Path(run_dir, "figures", "a.png").write_text("drawn")
"""
FAIL = "if not Path(run_dir, 'earlier').exists(): raise ArithmeticError('no light')"


@pytest.fixture
def notebook(tmp_path):
    """Return a function that writes a small notebook with the given code cells."""

    def write(*sources):
        cells = [nbformat.v4.new_markdown_cell("# A small run")]
        cells.append(nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]}))
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = tmp_path / "small.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
        return path

    return write


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    (tmp_path / "package").mkdir()  # that others work on the package is no change here
    monkeypatch.setattr(runs.jobs, "PACKAGE", tmp_path / "package")
    return tmp_path / "data"


def imtools(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_failed_run_goes_on_in_its_folder_with_its_parameters(notebook, tmp_path):
    path = notebook(FAIL_ONCE, FAIL, "print('through')")
    run = run_notebook(path, preset="tiny", parameters={"seed": 3, "epochs": 2}, timeout=120)
    assert run.state == "failed"
    again = resume_run(run.folder.name, timeout=120)
    assert (again.folder, again.state, again.reused) == (run.folder, "done", False)
    status = read_json(run.folder / "status.json")
    assert (status["state"], status["resumed"], status["traceback"]) == ("done", 1, "")
    assert status["parameters"] == {"seed": 3, "epochs": 2}
    assert str(tmp_path) not in json.dumps(status)  # a folder can be moved, and shown
    assert read_json(run.folder / "result.json") == ["tiny", 3, '{"epochs": 2}']
    earlier = run.folder / "earlier" / "1"
    names = sorted(p.relative_to(earlier).as_posix() for p in earlier.rglob("*") if p.is_file())
    assert names == [
        "figures/a.png", "notebook.ipynb", "report.html", "result.json", "status.json"
    ]  # fmt: skip
    assert "no light" in read_json(earlier / "status.json")["reason"]
    assert "through" in (run.folder / "report.html").read_text()


TRAIN = """
import json, os, signal
from pathlib import Path
from toy_maps import toy_data, toy_experiment
from imtools.training import fitting, train

plain = fitting.write_progress

def write(folder, progress, **kept):
    plain(folder, progress, **kept)
    if progress.epoch == 1 and Path("kill").exists():
        os.kill(os.getpid(), signal.SIGKILL)

fitting.write_progress = write
experiment = toy_experiment(seed=seed, checkpoint_every=1, **json.loads(changes))
train(experiment, toy_data(range(6)), toy_data(range(6, 8)), Path(run_dir) / "small")
"""


@pytest.mark.slow
def test_a_run_killed_in_training_gives_what_it_would_have(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    path, settings = notebook(TRAIN), {"parameters": {"dropout": 0.3, "epochs": 4}, "timeout": 300}
    whole = run_notebook(path, preset="tiny", **settings)
    assert whole.state == "done", whole.reason
    (tmp_path / "kill").touch()
    killed = run_notebook(path, preset="tiny", **settings)
    assert killed.state == "lost"
    (tmp_path / "kill").unlink()
    assert resume_run(killed.folder, timeout=300).state == "done"
    history, expected = (read_rows(r.folder / "small" / "history.csv") for r in (killed, whole))
    for name in ("epoch", "loss", "validation_loss"):
        npt.assert_array_equal(history[name], expected[name])
    assert list(history["seam"]) == [0, 0, 1, 0]
    best = [read_json(r.folder / "small" / "manifest.json")["best"] for r in (killed, whole)]
    assert best[0] == best[1]


def test_what_belongs_to_a_training_stays(tmp_path):
    folder = tmp_path / "run"
    own = ["status.json", "experiment.json", "environment.json", "earlier/1/result.json"]
    training = ["model.keras", "manifest.json", "history.csv", "checkpoints/000003/state.npz"]
    kept = [*own, *training, *(f"networks/cnn/{name}" for name in training)]
    moved = [
        "scores.json",
        "networks/table.csv",
        "networks/cnn/predictions.nc",
        "other/model.keras",
    ]
    for name in [*kept, *moved]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    assert runs.resume._set_aside(folder) == 2
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    aside = {f"earlier/2/{name}" for name in [*moved, "status.json"]}
    assert found == {*kept, *aside}
    assert not (folder / "other").exists()


@pytest.fixture
def failed(notebook, tmp_path):
    """Return the folder of a run that failed, without running it, and its notebook."""
    path = notebook("never = 1")
    job = runs.jobs.prepare(path, preset="tiny", parameters={"seed": 3})
    folder = tmp_path / "data" / "runs" / "one"
    folder.mkdir(parents=True)
    (folder / "experiment.json").write_text(job.experiment.to_json())
    facts = {"source": os.path.relpath(path, folder), "preset": "tiny", "notebook": path.name}
    known = {"parameters": {"seed": 3}, "fingerprint": job.fingerprint, "begun": 0.0}
    write_status(folder, "failed", reason="killed", **facts, **known)
    return folder, path


@pytest.fixture
def started(monkeypatch):
    """Have no kernel started, and return the list of the jobs that would have been."""
    jobs = []

    def execute(job, folder, **settings):
        jobs.append((job, read_json(folder / "status.json")))
        return {"state": "done", "reason": ""}

    monkeypatch.setattr(runs.running, "execute", execute)
    return jobs


def test_a_changed_notebook_or_package_is_refused_or_forced(failed, notebook, tmp_path, started):
    folder, _ = failed
    notebook("never = 2")
    match = r"since one began the package or the notebook has changed; .*--force"
    with pytest.raises(ValueError, match=match):
        resume_run(folder)
    notebook("never = 1")
    (tmp_path / "package" / "painting.py").write_text("brighter = 1")
    with pytest.raises(ValueError, match=match):
        resume_run(folder)
    assert not started
    assert resume_run(folder, force=True).state == "done"
    assert started[0][1]["forced"] is True  # which its trainings read


def test_a_changed_experiment_is_told_by_name(failed, started):
    folder, _ = failed
    experiment = json.loads((folder / "experiment.json").read_text())
    experiment["training"]["epochs"] = 77  # as if the preset had been another then
    (folder / "experiment.json").write_text(json.dumps(experiment))
    with pytest.raises(ValueError, match="since one began epochs became 4, was 77;"):
        resume_run(folder)
    assert not started


def test_a_run_that_is_done_is_not_done_again(failed, started):  # F16
    folder, _ = failed
    assert not resume_run(folder).reused
    assert resume_run(folder).reused
    assert len(started) == 1
    assert started[0][1]["forced"] is False


def test_a_run_that_runs_is_refused(failed, started):  # F10
    folder, _ = failed
    with locked(folder), pytest.raises(BlockingIOError, match="one is locked by host"):
        resume_run(folder)
    assert not started


def test_what_cannot_be_resumed_is_one_line(failed):
    folder, path = failed
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"small\.ipynb does not exist"):
        resume_run(folder)
    status = read_json(folder / "status.json")
    del status["source"]
    (folder / "status.json").write_text(json.dumps(status))
    with pytest.raises(ValueError, match="does not say where its notebook lies"):
        resume_run(folder)
    with pytest.raises(FileNotFoundError, match="two is no run, expected its folder or its name"):
        resume_run("two")


def test_the_command_line_resumes(failed, notebook, started):
    folder, _ = failed
    done = imtools("run", "--resume", "one")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0] == "done"
    assert "nothing was started" in imtools("run", "--resume", folder).stdout
    assert started[0][0].parameters == {"seed": 3}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run"], "got no notebook, expected the path of one, -f FILE, or --resume RUN"),
        (["run", "--resume", "two"], "two is no run"),
        (["run", "a.ipynb", "--resume", "one"], "--resume is given with a notebook"),
        (["run", "--resume", "one", "-p", "seed", "1"], "--resume is given with -p"),
        (["run", "a.ipynb", "--force"], "--force is given without --resume"),
    ],
)
def test_the_command_line_says_what_does_not_go_together(failed, started, words, message):
    done = imtools(*words)
    assert done.exit_code == 2
    assert message in done.stderr
    assert not started
