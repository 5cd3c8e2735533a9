"""Runs left to themselves: how they are watched, and stopped between two batches."""

import time

import pytest
from small_notebooks import write_notebook

from imtools.run_folder import read_json, read_status
from imtools.run_folder.names import check_typed_name, within_data
from imtools.runs.launching import start_run, stop_run

TRAINING = """\
import time
from pathlib import Path
n = 0
try:
    while True:
        Path(run_dir, "batch").write_text(str(n))
        time.sleep(0.05)
        n += 1
except KeyboardInterrupt:
    Path(run_dir, "last").write_text(str(n))
    raise
"""


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_is_stopped_by_an_interrupt_that_the_notebook_sees(data, tmp_path):  # F17
    folder = data / "runs" / "one"
    notebook = write_notebook(tmp_path / "small.ipynb", TRAINING)
    run = start_run(notebook, folder, preset="tiny", parameters={"epochs": 3})
    try:
        assert run.status["state"] == "pending"
        wait_until((folder / "batch").exists)
        assert run.status["state"] == "running"
        with pytest.raises(FileExistsError, match="choose another name"):
            start_run(notebook, folder)
        stop_run(folder)
        assert run.wait(120)
    finally:
        run.stop()
        run.close()
    assert (folder / "last").exists()  # it was not killed
    status = read_status(folder)
    assert (status["state"], status["reason"]) == ("failed", "interrupted")
    outputs = [c.get("outputs") for c in read_json(folder / "notebook.ipynb")["cells"]]
    assert "KeyboardInterrupt" in str(outputs)
    with pytest.raises(ValueError, match="one is failed, expected running"):
        stop_run(folder)


@pytest.mark.slow
def test_a_run_that_is_refused_says_why(data, tmp_path):
    run = start_run(write_notebook(tmp_path / "s.ipynb"), data / "r", parameters={"epoch": 3})
    assert run.wait(60)
    assert run.status["state"] == "failed"
    assert "did you mean 'epochs'" in run.status["reason"]
    run.close()
    assert not (data / "r").exists()


@pytest.mark.parametrize(
    "name", ["..", "../x", "a/b", "", " ", "a..b", ".x", "x" * 81, "a\nb", "~"]
)
def test_a_typed_name_is_no_path(name):  # S2
    with pytest.raises(ValueError, match="run name is"):
        check_typed_name(name, what="run name")


@pytest.mark.parametrize("path", ["../x.csv", "/etc/passwd", "a/../../x", "link/x", "a\0b"])
def test_a_typed_path_stays_in_the_folder_of_data(data, path):  # S2
    data.mkdir()
    (data / "link").symlink_to("/etc")
    with pytest.raises(ValueError, match="expected one within"):
        within_data(path)
    assert within_data("tables/sfr.csv") == (data / "tables" / "sfr.csv").resolve()
