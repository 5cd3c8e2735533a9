"""The table of all runs: from small files, read once, whatever else lies in the folders."""

import json
import math
import time

import numpy as np
import pytest
import xarray as xr

from imtools.experiment import Experiment
from imtools.run_folder import append_row, write_netcdf, write_status
from imtools.runs.answers import read_answers
from imtools.runs.overview import Overview

EPOCH = {"member": 0, "epoch": 0, "loss": 1.0, "validation_loss": 0.5, "seconds": 1, "seam": 0}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "runs"


def make_run(folder, *, state="done", rms=0.1, failed=1, **changes):
    """Make a run folder as a run would leave it, the big files unreadable."""
    write_status(folder, state, notebook="n.ipynb", preset="tiny", begun=0.0, seconds=90.0)
    text = Experiment.from_preset("tiny", **changes).to_json()
    (folder / "experiment.json").write_text(text)
    append_row(EPOCH, folder / "history.csv")
    tests = {str(i): {"state": "failed" if i < failed else "passed"} for i in range(3)}
    rows = {"network": {"rms": [rms, 2 * rms]}}
    summary = {"quoted_log_l": [4.0, 4.5], "subsets": {"all": rows}}
    summary["memorisation"] = {"network": tests}
    (folder / "scores.json").write_text(json.dumps(summary))
    for name in ("notebook.ipynb", "predictions.nc", "model.keras", "scores.nc"):
        (folder / name).mkdir()  # whoever reads it fails
    return folder


def test_a_row_says_how_a_run_went(root):
    make_run(root / "a", epochs=3)
    make_run(root / "b", epochs=5, failed=0)
    table = Overview().table()
    assert list(table.index) == ["a", "b"]
    one = table.loc["a"]
    assert (one["state"], one["minutes"], one["epochs_run"], one["best_loss"]) == (
        "done", 1.5, 1, 0.5,
    )  # fmt: skip
    assert (one["rms_4"], one["rms_4_5"]) == (0.1, 0.2)
    assert table["memorised"].tolist() == ["1 of 3 failed", "no"]
    assert table["epochs"].tolist() == [3, 5]
    assert "filters" not in table  # it is the same in both
    assert all(name.isidentifier() for name in table)


def test_files_are_read_once_until_they_change(root):
    folder = make_run(root / "a")
    overview = Overview()
    overview.table()
    n = overview.n_read
    assert overview.table()["epochs_run"].tolist() == [1]
    assert overview.n_read == n
    append_row(EPOCH | {"epoch": 1, "validation_loss": 0.25}, folder / "history.csv")
    assert overview.table().loc["a", ["epochs_run", "best_loss"]].tolist() == [2, 0.25]
    assert overview.n_read == n + 1


def test_a_damaged_or_bare_run_is_a_row_too(root):
    make_run(root / "a")
    (root / "b").mkdir()
    (root / "b" / "status.json").write_text("{")
    (root / "a" / "scores.json").write_text("[1")
    table = Overview().table()
    assert table["state"].tolist() == ["done", "unknown"]
    assert math.isnan(table.loc["b", "best_loss"])
    assert "rms_4" not in table
    assert Overview(root / "none").table().empty


def test_two_hundred_runs_take_no_time(root):
    for n in range(200):
        make_run(root / f"r{n:03}", filters=n + 1)
    start = time.perf_counter()
    table = Overview().table()
    assert time.perf_counter() - start < 5  # half a second on an idle core
    assert table["filters"].tolist() == list(range(1, 201))


def test_the_truth_of_early_runs_comes_from_their_data_set(root, monkeypatch):
    folder, log_l = root / "a", np.array([4.0, 5.0])
    folder.mkdir(parents=True)
    experiment = Experiment.from_preset("tiny")
    (folder / "experiment.json").write_text(experiment.to_json())
    attrs = {"units": "1", "long_name": "x"}
    log_dn = (("method", "sample", "quantile", "log_l"), np.zeros((1, 2, 1, 2)), attrs)
    coords = {"method": ["network"], "quantile": [0.5], "log_l": log_l}
    coords["catalogue"] = ("sample", [3, 3])
    write_netcdf(xr.Dataset({"log_dn": log_dn}, coords=coords), folder / "predictions.nc")
    sets = root.parent / "sets" / experiment.data_key()
    with pytest.raises(FileNotFoundError, match=r"catalogue_00003\.nc is gone"):
        read_answers(folder)
    counts = (("sample", "log_l"), np.array([[1.0, 2.0], [3.0, 4.0]]), attrs)
    truth = xr.Dataset({"counts": counts}, coords={k: coords[k] for k in ("log_l", "catalogue")})
    write_netcdf(truth, sets / "catalogue_00003.nc")
    np.testing.assert_array_equal(read_answers(folder)["counts"], counts[1])
    write_netcdf(truth.isel(sample=[0]), sets / "catalogue_00003.nc", overwrite=True)
    with pytest.raises(ValueError, match="has changed since"):
        read_answers(folder)
