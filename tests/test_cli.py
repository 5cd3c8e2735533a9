import json
import sys
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from imtools import cli, datasets
from imtools.experiment import Experiment
from imtools.run_folder import write_status
from imtools.runs import Run


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return the settings that `imtools run` hands to the runner, which here runs nothing."""
    settings = {"ends": {"state": "done"}}

    def stand_in(notebook, **given):
        settings.update(given, notebook=notebook)
        return Run(folder=tmp_path, **settings["ends"])

    monkeypatch.setattr(cli, "run_notebook", stand_in)
    return settings


def imtools(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_parameters_come_as_pairs_or_with_an_equals_sign(asked):
    done = imtools("run", "a.ipynb", "--preset", "tiny", "-p", "seed", "3", "-p", "sfr=um",
                   "-p", "sigma_noise", "1e-1", "--timeout", "9", "--reuse")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert asked["parameters"] == {"seed": 3, "sfr": "um", "sigma_noise": 0.1}
    assert (asked["preset"], asked["timeout"], asked["reuse"]) == ("tiny", 9.0, True)
    assert str(asked["notebook"]) == "a.ipynb"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["run", "missing.ipynb"], "missing.ipynb does not exist"),
        (["run", "a.ipynb", "-p", "seed"], "expected -p NAME VALUE"),
        (["run", "a.ipynb", "-p", "seed=1", "-p", "seed=2"], "given twice"),
        (["simulate", "--preset", "huge"], "expected one of tiny, quick, paper"),
        (["simulate", "-p", "n_pixs", "3"], "did you mean 'n_pix'"),
        (["simulate", "-p", "n_pix", "0"], "n_pix is 0"),
    ],
)
def test_an_error_is_one_line_and_status_2(arguments, match):  # B18, B19
    done = imtools(*arguments)
    assert done.exit_code == 2
    assert match in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.output


def test_a_run_that_failed_ends_with_status_1_and_its_traceback(asked, tmp_path):
    asked["ends"] = {"state": "failed", "reason": "ValueError: dark", "traceback": "in line 3"}
    done = imtools("run", "a.ipynb")
    assert done.exit_code == 1
    assert "failed: ValueError: dark" in done.stdout
    assert str(tmp_path) in done.stdout
    assert "in line 3" in done.stderr


def test_a_run_with_scores_prints_their_table(asked, tmp_path, monkeypatch):
    (tmp_path / "scores.json").write_text(json.dumps({"rms": 0.01}))
    (tmp_path / "report.html").touch()
    stand_in = SimpleNamespace(format_table=lambda scores: f"rms {scores['rms']}")
    monkeypatch.setitem(sys.modules, "imtools.evaluation", stand_in)
    lines = imtools("run", "a.ipynb").stdout.splitlines()
    assert lines == ["rms 0.01", "done", str(tmp_path / "report.html")]
    asked["ends"] = {"state": "done", "reused": True}
    assert "nothing was started" in imtools("run", "a.ipynb").stdout


def test_simulate_builds_the_data_set_of_its_parameters(data, monkeypatch):
    built = []
    monkeypatch.setattr(datasets, "build", lambda *given: built.append(given))
    done = imtools("simulate", "--preset", "tiny", "-p", "seed", "4")
    experiment = Experiment.from_preset("tiny", seed=4)
    assert built == [(experiment, data / "sets" / experiment.data_key())]
    assert str(built[0][1]) in done.stdout


def test_runs_are_listed(data):
    assert "no runs in" in imtools("runs").stdout
    (data / "runs" / "one").mkdir(parents=True)
    write_status(data / "runs" / "one", "failed", reason="nan", preset="tiny", seconds=90)
    shown = imtools("runs").stdout
    assert "one" in shown
    assert "failed" in shown
    assert "1.5" in shown  # minutes
