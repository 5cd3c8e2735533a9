"""The form of an experiment: what it says is what runs, once, and nothing else than it may."""

import gc
import html
import shlex
import time
from pathlib import Path

import psutil
import pytest
import yaml
from ipywidgets.widgets.widget import _instances
from small_notebooks import write_notebook
from typer.testing import CliRunner

from imtools.cli import app
from imtools.dashboards.builder import Builder
from imtools.dashboards.builder.fields import in_words
from imtools.dashboards.builder.form import unused
from imtools.experiment import FIELD_STAGE, Experiment
from imtools.run_folder import append_row, read_json, read_rows, write_status
from imtools.runs import Run
from imtools.runs.jobs import prepare
from imtools.training import load_model
from imtools.training.checkpoints import FOLDER, read_checkpoint

TRAINING = f"""\
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from toy_maps import toy_data, toy_experiment
from imtools.training import train
endless = toy_experiment(epochs=100_000, patience=100_000, checkpoint_every=1)
train(endless, toy_data(range(6)), toy_data([6, 7]), run_dir)
"""
ROW = {"member": 0, "epoch": 0, "loss": 1.0, "validation_loss": 0.5, "seconds": 1.0, "seam": 0}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a folder of notebooks beside an empty folder of data."""
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    (tmp_path / "notebooks").mkdir()
    write_notebook(tmp_path / "notebooks" / "04_train.ipynb")
    (tmp_path / "notebooks" / "broken.ipynb").write_text("{")
    return tmp_path / "notebooks"


@pytest.fixture
def builder(folder):
    builder = Builder("tiny", notebooks=folder, every=0.02)
    yield builder
    builder.close()


class Launch:
    """A run that was started, and does nothing of itself."""

    started, ended, asked = 0, False, 0

    def __init__(self, notebook, run_dir, **settings):
        type(self).started += 1
        self.folder, self.settings = run_dir, settings
        run_dir.mkdir(parents=True)

    @property
    def status(self):
        path = self.folder / "status.json"
        return read_json(path) if path.exists() else {"state": "pending", "reason": ""}

    def stop(self):
        self.asked += 1

    def close(self):
        pass


@pytest.fixture
def launch(monkeypatch):
    class Mine(Launch):
        pass

    monkeypatch.setattr("imtools.dashboards.builder.starting.start_run", Mine)
    return Mine


def type_in(builder, **values):
    for name, value in values.items():
        builder.form.fields[name].control.value = value


def test_every_parameter_stands_in_the_form_with_unit_and_range(builder):
    assert set(builder.form.fields) == set(FIELD_STAGE)
    note = builder.form.fields["sigma_noise"].note.value
    assert "white noise per voxel [uK], at least 0, at most 1e+06" in note
    for stage, info in Experiment.model_fields.items():
        assert stage in builder.form.view.titles
        assert all(in_words(entry) for entry in info.annotation.model_fields.values())


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"n_pix": "-3"}, "n_pix", "is -3, expected greater than or equal to 1"),
        ({"epochs": "2.5"}, "epochs", "is '2.5', expected a whole number"),
        ({"sigma_noise": "nan"}, "sigma_noise", "finite number"),
        ({"n_pix": "63"}, "pool_dec", "is 4, expected a divisor of n_pix = 63"),
        ({"luminosity_model": "li2061"}, "luminosity_model", "did you mean 'li2016'"),
        ({"stages": "<b>"}, "stages", "&lt;b&gt;"),
        ({"sfr": "../../etc/passwd.csv"}, "sfr", "expected one within"),
        ({"sfr": "/etc/passwd.csv"}, "sfr", "expected one within"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(builder, typed, field, words):  # B19, S2, S3
    before = builder.form.fields[field].note.value
    type_in(builder, **typed)
    note = builder.form.fields[field].note.value
    assert words in html.unescape(note) or words in note
    assert "<b>&lt;" not in note or "stages" in typed
    assert "<b></b>" not in note
    assert any(title.startswith("! ") for title in builder.form.view.titles)
    assert builder.experiment is None
    assert "the form is not right" in builder._command.value
    with pytest.raises(ValueError, match="the form is not right"):
        builder.start()
    start = Experiment.from_preset("tiny").flat()
    for name in typed:
        builder.form.fields[name].write(start[name])
    assert builder.form.fields[field].note.value == before
    assert builder.experiment == Experiment.from_preset("tiny")


def test_html_that_is_typed_stays_text(builder):  # S3
    type_in(builder, prior="<img src=x onerror=alert(1)>")
    values = [w.value for w in builder.view.children[1].children[2].children[1].children]
    shown = "".join(v for v in values if isinstance(v, str) and "span" in v)
    assert "<img" not in shown
    assert "&lt;img" in shown
    assert "<img" not in builder._command.value


def test_a_preset_sets_every_field_and_what_differs_is_marked(builder):
    type_in(builder, epochs="7")
    assert "changed" in builder.form.fields["epochs"].note.value
    assert builder.changes() == {"epochs": 7}
    builder.preset.value = "quick"
    assert builder.changes() == {}
    assert builder.experiment == Experiment.from_preset("quick")
    assert "changed" not in builder.form.fields["epochs"].note.value


def test_only_what_the_architecture_uses_can_be_set(builder):
    enabled = {name for name, f in builder.form.fields.items() if not f.control.disabled}
    assert {"n_histogram_bins", "width", "architecture", "learning_rate"} <= enabled
    assert not {"kernel", "n_blocks", "patch", "reads", "momentum"} & enabled
    type_in(builder, architecture="notes_cnn", n_blocks="3", optimizer="sgd")
    enabled = {name for name, f in builder.form.fields.items() if not f.control.disabled}
    assert {"kernel", "n_blocks", "momentum"} <= enabled
    assert not {"n_histogram_bins", "patch"} & enabled
    values = Experiment.from_preset("full").flat()
    assert not {"reads", "temp_scale"} & unused(values)  # counting reads a summary


def test_costs_are_those_of_the_network_that_is_drawn(builder):
    assert "28,260 weights" in builder.costs.text
    shapes = len(builder.costs.figure.sources["shapes"].data["xs"])
    type_in(builder, architecture="notes_cnn")
    assert builder.costs.refused  # six blocks on 16 pixels
    assert "use n_blocks of at most 4" in builder.costs.text
    with pytest.raises(ValueError, match="the network cannot be built"):
        builder.start()
    type_in(builder, n_blocks="3")
    assert not builder.costs.refused
    assert len(builder.costs.figure.sources["shapes"].data["xs"]) != shapes
    assert "4 catalogues are still to be made" in builder.costs.text
    hours = builder.costs.text
    type_in(builder, n_ensemble="2", epochs="8")
    assert hours != builder.costs.text
    assert "2 networks of" in builder.costs.text


def test_command_and_file_mean_the_experiment_of_the_form(builder, monkeypatch, tmp_path):
    asked = {}

    def stand_in(notebook, **given):
        asked.update(given, notebook=notebook)
        return Run(folder=tmp_path, state="done")

    monkeypatch.setattr("imtools.cli.running.run_notebook", stand_in)
    monkeypatch.chdir(tmp_path)  # beside the folder of data, where a person types it
    type_in(builder, epochs="7", learning_rate="2e-5", augment=False, seed="3", stages="1-2")
    builder.name.value = "deep; rm -rf x"
    assert "run name is" in builder._command.value  # S2
    builder.name.value = "deep"
    lines = (shlex.join(builder.command()), f"imtools run -f {builder.write()}")
    for line in lines:
        done = CliRunner().invoke(app, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
        given = {"preset": asked["preset"], "parameters": asked["parameters"]}
        assert prepare(asked["notebook"], **given).experiment == builder.experiment
    assert asked["parameters"] == {
        "epochs": 7, "learning_rate": 2e-5, "augment": False, "seed": 3, "stages": "1-2",
    }  # fmt: skip


def test_a_file_is_written_once_and_opened_again(builder, tmp_path):
    type_in(builder, epochs="9")
    builder.name.value = "nine"
    path = builder.write()
    assert path == tmp_path / "data" / "experiments" / "nine.yaml"
    builder.write_button.click()
    assert "exists" in builder.message.text  # B22
    builder.preset.value = "quick"
    builder.files.value = "nine.yaml"
    assert builder.preset.value == "tiny"
    assert builder.experiment == Experiment.from_preset("tiny", epochs=9)
    assert builder.changes() == {"epochs": 9}
    path.write_text(yaml.safe_dump({"notebook": "/etc/passwd.ipynb", "preset": "tiny"}))
    builder.files.value = ""
    builder.files.value = "nine.yaml"
    assert "expected one in" in builder.message.text  # S2


def test_one_run_at_a_time(builder, launch):  # F17
    type_in(builder, epochs="7")
    builder.name.value = "one"
    builder.start_button.click()
    builder.start_button.click()
    builder.start_button.click()
    assert launch.started == 1
    with pytest.raises(ValueError, match="one has not ended"):
        builder.start()
    assert builder.runner.launch.settings == {"preset": "tiny", "parameters": {"epochs": 7}}
    builder.stop_button.click()
    assert builder.runner.launch.asked == 1
    assert "stopping at the end of a batch" in builder.runner._words.value
    builder.runner.launch.ended = True
    with pytest.raises(ValueError, match="nothing to stop"):
        builder.stop()


def test_a_callback_that_raises_says_so(builder, monkeypatch):  # F17
    def fail(*args, **settings):
        msg = "no <process> left"
        raise OSError(msg)

    monkeypatch.setattr("imtools.dashboards.builder.starting.start_run", fail)
    builder.start_button.click()
    assert builder.message.text == "no <process> left"
    assert "<process>" not in builder.message.view.value
    assert not builder.start_button.disabled


def validation(data):
    """Return the validation losses that a figure's lines show."""
    curves = dict(zip(data["label"], data["ys"], strict=True))
    return list(curves.get("validation", ()))


def test_the_loss_is_shown_while_it_falls_and_looked_at_no_more_after_the_end(builder, launch):
    builder.start()
    runner = builder.runner
    lines = runner.figure.sources["lines"]
    assert not lines.data["ys"]
    write_status(runner.launch.folder, "running")
    append_row(ROW, runner.launch.folder / "history.csv")
    append_row(ROW | {"epoch": 1, "validation_loss": 0.25}, runner.launch.folder / "history.csv")
    end = time.monotonic() + 30
    while validation(lines.data) != [0.5, 0.25] or ": running" not in runner._words.value:
        assert time.monotonic() < end
        time.sleep(0.01)
    write_status(runner.launch.folder, "failed", reason="interrupted")
    runner.launch.ended = True
    while runner._poller.alive:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert "imtools run --resume" in runner._words.value
    assert "interrupted" in runner._words.value


def test_closing_stops_looking_and_leaves_the_run_alone(builder, launch):
    builder.start()
    poller, run = builder.runner._poller, builder.runner.launch
    assert poller.alive
    builder.close()
    assert not poller.alive
    assert run.asked == 0


@pytest.mark.slow
def test_a_training_stops_at_the_end_of_a_batch_with_a_valid_checkpoint(folder):  # F17
    write_notebook(folder / "04_train.ipynb", TRAINING)
    builder = Builder("tiny", notebooks=folder, every=0.1)
    builder.name.value = "endless"
    builder.start_button.click()
    run = builder.runner.launch
    try:
        end = time.monotonic() + 150
        history = builder.runner.figure.sources["lines"]
        while not history.data["ys"] or len(history.data["ys"][0]) < 5:  # epochs
            assert time.monotonic() < end
            time.sleep(0.1)
        builder.stop_button.click()
        assert run.wait(120)
        builder.runner.look()
    finally:
        run.stop()
        builder.close()
    status = read_json(run.folder / "status.json")
    assert (status["state"], status["reason"]) == ("failed", "interrupted")
    assert "KeyboardInterrupt" in (run.folder / "notebook.ipynb").read_text()
    found = read_checkpoint(run.folder / FOLDER)  # a damaged one would be an error, or a warning
    epochs = read_rows(run.folder / "history.csv")["epoch"]
    assert 0 <= found["facts"]["epoch"] <= epochs[-1]
    assert load_model(run.folder)[1]["architecture"] == "histogram"
    assert not list(run.folder.rglob(".tmp-*"))


@pytest.mark.slow
def test_fifty_forms_leave_nothing_behind(folder):  # F18
    Builder("tiny", notebooks=folder).close()  # what is loaded once
    gc.collect()
    before, memory = set(_instances), psutil.Process().memory_info().rss
    for _ in range(50):
        builder = Builder("tiny", notebooks=folder)
        builder.close()
    del builder
    gc.collect()
    assert set(_instances) == before
    grown = psutil.Process().memory_info().rss - memory
    assert grown < 3e7  # 5 MB were seen, all of it with the first few
