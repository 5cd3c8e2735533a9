"""A run as a file and as a command: both mean the run that was written down."""

import shlex

import pytest
import yaml
from small_notebooks import write_notebook
from typer.testing import CliRunner

from imtools.cli import app
from imtools.runs import Run
from imtools.runs.jobs import prepare
from imtools.runs.run_file import as_text, read_run_file, run_command, write_run_file

GIVEN = {
    "epochs": 3, "learning_rate": 1e-5, "augment": False, "sfr": "my table; rm -rf $HOME.csv",
    "sigma_noise": 0.1 + 0.2, "summaries": "", "threshold": -4.5,
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return what the command line hands to the runner, which here runs nothing."""
    settings = {}

    def stand_in(notebook, **given):
        settings.update(given, notebook=notebook)
        return Run(folder=tmp_path, state="done")

    monkeypatch.setattr("imtools.cli.running.run_notebook", stand_in)
    return settings


def imtools(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_means_the_run_it_was_made_of(asked, tmp_path):
    notebook = write_notebook(tmp_path / "a small; notebook.ipynb")
    line = shlex.join(run_command(notebook, preset="tiny", parameters=GIVEN))
    done = imtools(*shlex.split(line)[1:])  # as a shell would split it
    assert done.exit_code == 0, done.output
    assert asked["preset"] == "tiny"
    assert str(asked["notebook"]) == str(notebook)
    assert asked["parameters"] == GIVEN
    assert [type(v) for v in asked["parameters"].values()] == [type(v) for v in GIVEN.values()]
    given = {k: v for k, v in GIVEN.items() if k != "sfr"}  # no such table
    assert (
        prepare(notebook, preset="tiny", parameters=given).experiment
        == prepare(asked["notebook"], preset="tiny", parameters=given).experiment
    )


@pytest.mark.parametrize("value", [3, -1e-7, 1e300, True, "true", "3", "", "a=b", '"', "nul", "-p"])
def test_a_value_comes_back_from_its_text(asked, tmp_path, value):
    assert imtools("run", "n.ipynb", "-p", "name", as_text(value)).exit_code == 0
    assert asked["parameters"] == {"name": value}
    assert type(asked["parameters"]["name"]) is type(value)


def test_a_run_file_means_the_run_it_was_made_of(asked, tmp_path):
    notebook = write_notebook(tmp_path / "small.ipynb")
    path = tmp_path / "kept" / "run.yaml"
    write_run_file(path, notebook, preset="tiny", parameters=GIVEN)
    assert yaml.safe_load(path.read_text())["notebook"] == "../small.ipynb"  # both may move
    assert imtools("run", "-f", path).exit_code == 0
    assert asked["notebook"].resolve() == notebook.resolve()
    assert (asked["preset"], asked["parameters"]) == ("tiny", GIVEN)
    with pytest.raises(FileExistsError):  # B22
        write_run_file(path, notebook)


def test_the_command_line_beats_the_file(asked, tmp_path):
    path = tmp_path / "run.yaml"
    write_run_file(path, "n.ipynb", preset="tiny", parameters={"epochs": 3, "seed": 1})
    assert imtools("run", "-f", path, "-p", "epochs", "9", "--preset", "quick").exit_code == 0
    assert (asked["preset"], asked["parameters"]) == ("quick", {"epochs": 9, "seed": 1})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("notebok: n.ipynb", "unknown key 'notebok'; did you mean 'notebook'"),
        ("preset: tiny", "run.yaml: notebook is None, expected text"),
        ("{notebook: n.ipynb, parameters: [1]}", "parameters is \\[1\\], expected 'name: value'"),
        ("notebook: n.ipynb\nnotebook: m.ipynb", "given twice"),
        ("notebook: !!python/object/apply:os.getcwd []", "is no YAML that we read"),
    ],
)
def test_a_run_file_that_says_something_else_is_refused(tmp_path, text, match):  # B18
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        read_run_file(path)
    done = imtools("run", "-f", path)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
