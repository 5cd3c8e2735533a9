"""What README shows is what happens."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

import imtools
from imtools.cli import app
from imtools.cli.program import values_of
from imtools.experiment import Experiment
from imtools.runs.parameters import plan, read_notebook

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
CODE = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [
    line.split("#")[0].strip()
    for language, text in BLOCKS
    if not language
    for line in text.splitlines()
]
RUNS = [line for line in COMMANDS if line.startswith(".venv/bin/imtools run notebooks/")]


MAPS = [text for text in CODE if "cube = " in text]
OWN_MODELS = next(text for text in CODE if text.startswith("# my_models.py"))


@pytest.mark.parametrize("source", MAPS, ids=range(len(MAPS)))
def test_the_examples_make_maps(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(source, names)
    cube = names["cube"]
    assert cube.dims == ("freq", "dec", "ra")
    assert cube.attrs["units"] == "uK"
    assert cube.sum() > 0
    if "true_counts" in names:
        # every source that is counted was painted, and the faintest are below the bins
        assert 0 < names["true_counts"].sum() <= cube.attrs["n_inside"]


@pytest.mark.slow
def test_models_of_ones_own_are_trained_in_a_run(tmp_path):
    (tmp_path / "my_models.py").write_text(OWN_MODELS)
    line = next(line for line in RUNS if "one_layer" in line)
    words = [str(Path(sys.executable).parent / "imtools"), *shlex.split(line)[1:]]
    words[2] = str(ROOT / words[2])
    settings = {"IMTOOLS_EXTENSIONS": "my_models.py", "IMTOOLS_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [*words, "--run-dir", "own"],
        cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "own" / "scores.json").read_text())
    assert "network" in scores["subsets"]["all"]
    manifest = json.loads((tmp_path / "own" / "manifest.json").read_text())
    assert "one_layer" in json.dumps(manifest)


@pytest.mark.parametrize("line", [line for line in RUNS if "one_layer" not in line])
def test_the_runs_it_names_would_start(line):
    assert RUNS
    words = shlex.split(line)
    notebook = words[2]
    pairs = [f"{a}={b}" for p, a, b in zip(words, words[1:], words[2:], strict=False) if p == "-p"]
    preset = words[words.index("--preset") + 1]
    content = read_notebook(ROOT / notebook)
    experiment, _ = plan(content, preset=preset, parameters=values_of(pairs), name=notebook)
    assert isinstance(experiment, Experiment)


def test_the_settings_of_a_cluster_and_its_commands_are_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    text = next(
        text for language, text in BLOCKS if language == "yaml" and "workers_per_job" in text
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.yaml").write_text(text.replace("ib0", "lo"))
    lines = [line for line in COMMANDS if "--scheduler" in line]
    assert {words[0] for line in lines if (words := line.split()[1:])} == {"simulate", "sweep"}
    for line in lines:
        words = shlex.split(line)[1:]
        slurm = "slurm" in words
        shown = CliRunner().invoke(app, [*words, *(["--job-script"] if slurm else ["--help"])])
        assert shown.exit_code == 0, shown.output
        assert ("#SBATCH -p standard\n" in shown.stdout) == slurm


@pytest.mark.slow
def test_the_cluster_example_makes_a_data_set(tmp_path):
    source = next(text for text in CODE if "cluster.connect" in text)
    (tmp_path / "example.py").write_text(source)
    settings = {"IMTOOLS_DATA": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "example.py"],
        cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "data" / "sets" / Experiment.from_preset("tiny").data_key()
    assert len(list(folder.glob("catalogue_*.nc"))) == 4


def test_every_target_and_file_it_names_is_there():
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", "\n".join(COMMANDS), flags=re.MULTILINE):
        assert f"\n{target}:" in makefile
    for path in re.findall(r"\]\(([\w./]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_table_is_one_that_the_scoreboard_prints():
    for label in ("prior mean", "histogram regression", "network", "published CNN"):
        assert re.search(
            rf"^{label} +\|( \d\.\d\d\d){{6}} \|( \d\.\d\d\d){{6}}$", README, re.MULTILINE
        )


def test_contributing_names_the_rooms_in_their_order():
    from test_layout import ORDER

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("`constants`"))
    assert re.findall(r"`(\w+)`", line) == list(ORDER)


def test_the_citation_can_be_read_and_has_the_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == imtools.__version__
    assert citation["license"] == "BSD-3-Clause"
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
