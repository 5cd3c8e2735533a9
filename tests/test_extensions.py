"""A user's own models, known in every process of a run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr

from imtools.experiment import Experiment
from imtools.experiment.extensions import VARIABLE
from imtools.luminosity import LUMINOSITY_MODELS

MODEL = """
from dataclasses import dataclass
from imtools.luminosity import LuminosityModel, register

@register("straight")
@dataclass(frozen=True, kw_only=True)
class Straight(LuminosityModel):
    slope: float = {slope}
    sigma: float = 0.3
    PRIORS = {{"loose": {{"slope": 2e-7}}}}

    def mean_luminosity(self, m_halo, z):
        return self.slope * m_halo
"""


@pytest.fixture
def write_file(tmp_path, monkeypatch):
    """Return a function that writes an extension and names it; all is forgotten afterwards."""

    def write(text, name="own_models.py"):
        path = tmp_path / name
        path.write_text(text)
        monkeypatch.setenv(VARIABLE, str(path))
        forget()
        return path

    def forget():
        for stem in ("own_models", "own_models_2"):
            sys.modules.pop(stem, None)
        LUMINOSITY_MODELS.pop("straight", None)

    yield write
    forget()


def experiment(**changes):
    return Experiment.from_preset("tiny", luminosity_model="straight", prior="loose", **changes)


def test_a_model_of_an_extension_is_known_by_name(write_file, monkeypatch):
    path = write_file(MODEL.format(slope=1e-6))
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv(VARIABLE, path.name)  # relative, as one types it
    assert experiment().luminosity.luminosity_model == "straight"
    assert os.environ[VARIABLE] == str(path)  # for kernels that start elsewhere
    experiment()  # the file is not run again: that would register the name twice


def test_without_the_extension_the_name_is_refused(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match="luminosity_model is 'straight', expected one of"):
        experiment()


def test_a_changed_model_has_another_data_set(write_file):
    write_file(MODEL.format(slope=1e-6))
    key = experiment().data_key()
    assert experiment().data_key() == key
    write_file(MODEL.format(slope=2e-6), name="own_models_2.py")
    assert experiment().data_key() != key


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("1 / 0", "own_models.py", "raises ZeroDivisionError: division by zero; mend it"),
        ("", "own_models.txt", "is no Python file"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(write_file, text, name, message):
    path = write_file(text, name=name)
    with pytest.raises(ValueError, match=message) as error:
        Experiment.from_preset("tiny")
    assert str(path) in str(error.value)


def test_a_name_that_another_module_has_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "numpy.py"
    path.write_text("")
    monkeypatch.setenv(VARIABLE, str(path))
    with pytest.raises(ValueError, match="has the name of another module; rename the file"):
        Experiment.from_preset("tiny")


@pytest.mark.slow
def test_workers_know_the_model_too(tmp_path):
    path = tmp_path / "own_models.py"
    path.write_text(MODEL.format(slope=1e-6))
    settings = {VARIABLE: path.name, "IMTOOLS_DATA": str(tmp_path / "data")}
    parameters = ["luminosity_model=straight", "prior=loose", "n_workers=2"]
    done = subprocess.run(
        [Path(sys.executable).parent / "imtools", "simulate", "--preset", "tiny",
         *(word for p in parameters for word in ("-p", p))],
        cwd=tmp_path, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    files = sorted((tmp_path / "data" / "sets").glob("*/*.nc"))
    assert len(files) == 4
    with xr.open_dataset(files[0]) as file:
        assert set(file["luminosity_model"].values) == {"straight"}
        assert file["counts"].sum() > 0
