import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from small_notebooks import write_notebook

from imtools.experiment import Experiment
from imtools.run_folder import append_row, open_netcdf, write_status
from imtools.runs import (
    collect_runs,
    compare_runs,
    differing_parameters,
    find_runs,
    kept_outcomes,
)
from imtools.runs.outcomes import lengthwise, run_labels, score_table, to_table
from imtools.runs.sweep_file import read_sweep

SWEEPS = Path(__file__).parents[1] / "notebooks" / "sweeps"
QUOTED = [4.0, 5.0]


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def run(data):
    """Return a function that makes a run folder as a run would leave it, without running."""

    def make(name, *, parameters=None, losses=(), rms=None, state="done", root=None, seam=0):
        folder = (root or data / "runs") / name
        folder.mkdir(parents=True)
        given = parameters or {}
        fields = {k: v for k, v in given.items() if k != "threshold"}
        experiment = Experiment.from_preset("tiny", **fields)
        (folder / "experiment.json").write_text(experiment.to_json())
        write_notebook(folder / "notebook.ipynb")
        facts = {"notebook": "small.ipynb", "preset": "tiny", "parameters": given, "seconds": 90.0}
        write_status(folder, state, reason="" if state == "done" else "nan", **facts)
        for epoch, loss in enumerate(losses):
            row = {"member": 0, "epoch": epoch, "loss": 2 * loss, "validation_loss": loss}
            append_row(row | {"seam": int(epoch == seam > 0)}, folder / "history.csv")
        if rms is not None:
            _write_scores(folder, rms)
        return folder

    return make


def _write_scores(folder, rms):
    """Write scores of two methods: those of the network are `rms` in every bin."""
    summary = {"quoted_log_l": QUOTED, "subsets": {"all": {}}}
    for method, value in {"network": rms, "prior_mean": 1.0}.items():
        names = ("rms", "rms_error", "median_abs", "bias")
        summary["subsets"]["all"][method] = {name: [value, 2 * value] for name in names}
    summary["subsets"]["all"]["published_cnn"] = {"rms": [0.134, 0.168]}
    (folder / "scores.json").write_text(json.dumps(summary))
    dims, shape = ("subset", "method", "log_l"), (1, 2, 3)
    values = np.array([rms, 1.0])[None, :, None] * np.ones(shape)
    attrs = {"units": "dex", "long_name": "rms error of log10 dN"}
    data = {"rms": (dims, values, attrs), "rms_error": (dims, 0.1 * values, attrs)}
    coords = {"subset": ["all"], "method": ["network", "prior_mean"], "log_l": [3.5, 4.5, 5.5]}
    xr.Dataset(data, coords=coords).to_netcdf(folder / "scores.nc")


def test_what_differs_is_what_was_given_otherwise_or_left_at_another_default(run):
    one = run("one", parameters={"sigma_noise": 3.0})
    two = run("two", parameters={"sigma_noise": 11.0, "threshold": 4.0})
    table = differing_parameters([one, two])
    assert table.to_dict() == {
        "threshold": {"one": 2.5, "two": 4.0},  # the default stands in the notebook
        "sigma_noise": {"one": 3.0, "two": 11.0},
    }
    assert differing_parameters([one, one]).empty


def test_outcomes_hold_states_losses_and_scores(run):
    one = run("one", parameters={"epochs": 3}, losses=[0.4, 0.2, 0.3], rms=0.1)
    two = run("two", parameters={"epochs": 5}, state="failed")
    outcomes = collect_runs([one, two])
    assert outcomes["state"].values.tolist() == ["done", "failed"]
    assert outcomes["reason"].values.tolist() == ["", "nan"]
    np.testing.assert_array_equal(outcomes["minutes"], [1.5, 1.5])
    np.testing.assert_array_equal(outcomes["n_epochs"], [3, np.nan])
    np.testing.assert_array_equal(outcomes["validation_loss"], [0.2, np.nan])
    assert outcomes["value"].sel(parameter="epochs").values.tolist() == ["3", "5"]
    network = outcomes["rms"].sel({"method": "network"})
    np.testing.assert_array_equal(network, [[0.1, 0.2], [np.nan, np.nan]])
    published = outcomes["bias"].sel({"method": "published_cnn"})
    assert np.isnan(published).all()  # nobody published it
    assert outcomes["rms"].attrs["units"] == "dex"


def test_the_loss_is_the_mean_of_the_best_of_an_ensemble(run):
    folder = run("one", losses=[0.4, 0.2])
    for epoch, loss in enumerate([0.8, 0.6, 0.7]):
        row = {"member": 1, "epoch": epoch, "loss": 1, "validation_loss": loss, "seam": 0}
        append_row(row, folder / "history.csv")
    outcomes = collect_runs([folder])
    np.testing.assert_allclose(outcomes["validation_loss"], [0.4], rtol=1e-12)  # (0.2 + 0.6) / 2
    assert outcomes["n_epochs"].values.tolist() == [5]


def test_a_run_that_left_little_or_is_damaged_is_a_row_too(run, data):
    whole, bare = run("one", rms=0.1), data / "runs" / "two"
    bare.mkdir()
    (bare / "status.json").write_text("{")
    table = to_table(collect_runs([whole, bare]))
    assert table["state"].tolist() == ["done", "unknown"]
    assert "is no JSON" in table.loc["two", "reason"]
    assert table["rms 4"].tolist() == ["0.100", ""]
    assert to_table(collect_runs([])).empty


def test_tables_show_what_differs_and_nothing_that_is_empty(run):
    runs = [run(f"r{n}", parameters={"filters": n}, losses=[0.5], rms=n / 100) for n in (1, 2)]
    table = to_table(collect_runs(runs))
    expected = ["state", "filters", "minutes", "epochs run", "best loss", "rms 4", "rms 5"]
    assert list(table.columns) == expected
    assert table["rms 5"].tolist() == ["0.0200", "0.0400"]
    assert list(lengthwise(table).columns) == ["r1", "r2"]
    scores = score_table(collect_runs(runs))
    assert scores.loc[("r2", "network")].tolist() == ["0.0200", "0.0400"]
    assert scores.loc[("r1", "published_cnn")].tolist() == ["0.134", "0.168"]


def test_runs_are_called_by_what_tells_them_apart(run, data):
    runs = [run(f"r{n}", parameters={"filters": n}) for n in (1, 2)]
    assert run_labels(runs) == ["filters = 1", "filters = 2"]
    assert run_labels([*runs, run("r3", parameters={"filters": 2})]) == ["r1", "r2", "r3"]
    assert run_labels(runs[:1]) == ["r1"]
    other = run("r1", parameters={"filters": 1}, root=data / "elsewhere")
    assert run_labels([runs[0], other]) == ["runs/r1", "elsewhere/r1"]


def test_runs_are_found_by_name_and_path_and_in_a_sweep(run, data):
    one = run("one")
    sweep = data / "runs" / "noise"
    points = [run(name, root=sweep) for name in ("aa", "bb")]
    (sweep / "sweep.json").write_text(json.dumps({"runs": {"bb": {}, "aa": {}, "missing": {}}}))
    assert find_runs(["one", one, "noise", points[0]]) == [one, points[1], points[0]]
    for name in ("none", data, data / "none"):
        with pytest.raises(FileNotFoundError, match="is no run, expected its folder or its name"):
            find_runs([name])


def test_a_comparison_is_a_page_a_file_and_figures(run, tmp_path):
    for n in (1, 2):
        run(f"r{n}", parameters={"filters": n}, losses=[0.5, 0.4], rms=n / 100, seam=1)
    outcomes, folder = compare_runs(["r1", "r2"], folder=tmp_path / "both")
    figures = {
        f"{name}{s}" for name in ("validation_loss", "loss", "rms") for s in (".png", ".pdf")
    }
    assert {p.name for p in folder.iterdir()} == {"comparison.html", "comparison.nc"} | figures
    with open_netcdf(folder / "comparison.nc") as stored:
        assert stored["value"].sel(parameter="filters").values.tolist() == ["1", "2"]
        np.testing.assert_array_equal(stored["rms"], outcomes["rms"])
    page = (folder / "comparison.html").read_text()
    assert "<td>0.0200</td>" in page
    assert "filters = 2" in page
    for word in ('src="', "<link"):
        assert word not in page.split("<body>")[0].replace('t.src="https://cdn', "")
    with pytest.raises(FileExistsError, match="exists; pass overwrite"):
        compare_runs(["r1"], folder=folder)
    compare_runs(["r1"], folder=folder, overwrite=True)


def test_a_comparison_without_numbers_is_a_table_alone(run):
    run("r1", state="lost")
    _, folder = compare_runs(["r1"])
    assert {p.name for p in folder.iterdir()} == {"comparison.html", "comparison.nc"}
    assert folder.parent.name == "comparisons"


def test_a_hostile_name_runs_nothing_on_the_page(run):  # S3
    hostile = "<img src=x onerror=alert(1)>"
    for name in (hostile, f"{hostile}2"):
        run(name, losses=[0.5], rms=0.1)
    _, folder = compare_runs([hostile, f"{hostile}2"])
    page = (folder / "comparison.html").read_text()
    assert "&lt;img src=x onerror=alert(1)&gt;2" in page
    assert hostile not in page


def test_outcomes_that_take_hours_are_kept_with_the_repository():
    kept = kept_outcomes("priors")  # of notebooks/sweeps/priors.yaml
    n_runs = len(read_sweep(SWEEPS / "priors.yaml").jobs)
    assert kept.sizes["run"] == n_runs
    assert set(kept["state"].values) == {"done"}
    assert float(kept["rms"].sel(method="network").max()) < np.inf
    with pytest.raises(FileNotFoundError, match=r"kept_outcomes: no 'prior' in .*one of: .*priors"):
        kept_outcomes("prior")
