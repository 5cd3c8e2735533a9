"""Runs beside each other: chosen in a table, read when looked at, alive while they run."""

import gc
import json
import time

import numpy as np
import psutil
import pytest
import xarray as xr
from ipywidgets.widgets.widget import _instances

from imtools.dashboards.comparison import MOST, Comparison
from imtools.dashboards.comparison.page import html_table
from imtools.experiment import Experiment
from imtools.run_folder import append_row, write_netcdf, write_status

LOG_L = np.array([3.75, 4.25, 4.75])
QUANTILES = (0.025, 0.16, 0.5, 0.84, 0.975)
EVIL = "<img src=x onerror=alert(1)>"
DEX = {"units": "dex", "long_name": "rms"}


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "runs"


def make_run(root, name, *, state="done", rms=0.1, begun=0.0, answers=True, **changes):
    """Make a run folder as `04_train` leaves it."""
    folder = root / name
    write_status(folder, state, notebook="n.ipynb", preset="tiny", begun=begun, seconds=60.0)
    experiment = Experiment.from_preset("tiny", **changes)
    (folder / "experiment.json").write_text(experiment.to_json())
    for epoch in range(3):
        row = {"member": 0, "epoch": epoch, "loss": 2.0, "validation_loss": 1 / (1 + epoch)}
        append_row(row | {"seconds": 1, "seam": int(epoch == 2)}, folder / "history.csv")
    verdict = {"state": "failed", "verdict": f"It sees nothing, {EVIL}.", "numbers": {}}
    rows = {m: {"rms": [r, r], "rms_error": [r / 9] * 2} for m, r in _methods(rms).items()}
    summary = {"quoted_log_l": [4.0, 4.5], "subsets": {"all": rows}}
    summary["memorisation"] = {"network": {"blank": verdict, "spread": {"state": "passed"}}}
    summary["memorisation"]["network"]["spread"]["verdict"] = "well"
    (folder / "scores.json").write_text(json.dumps(summary))
    if answers:
        _write_answers(folder, rms)
    return folder


def _methods(rms):
    return {"prior_mean": 0.5, "network": rms}


def _write_answers(folder, rms):
    rng = np.random.default_rng(0)
    truth = rng.integers(100, 1000, (6, 3)).astype(float)
    middle = np.log10(truth) + np.array([0.5, rms])[:, None, None]
    values = middle[:, :, None] + np.array([-0.2, -0.1, 0, 0.1, 0.2])[:, None]
    log_l = ("log_l", LOG_L, {"units": "log10(Lsun)", "long_name": "log10 of luminosity"})
    coords = {"method": ["prior_mean", "network"], "quantile": list(QUANTILES), "log_l": log_l}
    attrs = {"units": "1", "long_name": "x", "convention": "dn"}
    dims = ("method", "sample", "quantile", "log_l")
    data = {"log_dn": (dims, values, attrs), "counts": (("sample", "log_l"), truth, attrs)}
    write_netcdf(xr.Dataset(data, coords=coords), folder / "predictions.nc")
    errors = np.array([0.5, rms])[None, :, None] * np.ones(3)
    dims = ("subset", "method", "log_l")
    data = {"rms": (dims, errors, DEX), "rms_error": (dims, errors / 9, DEX)}
    coords = {"subset": ["all"], "method": ["prior_mean", "network"], "log_l": log_l}
    write_netcdf(xr.Dataset(data, coords=coords), folder / "scores.nc")
    reference = {
        "rms": ("log_l", [0.01] * 3, DEX),
        "rms_quoted": ("quoted_log_l", [0.01, 0.02], DEX),
    }
    coords = {"log_l": log_l, "quoted_log_l": [4.0, 4.5]}
    write_netcdf(xr.Dataset(reference, coords=coords), folder / "one_point_reference.nc")


@pytest.fixture
def comparison(root):
    make_run(root, "a", rms=0.1, begun=1.0, epochs=3)
    make_run(root, "b", rms=0.3, begun=2.0, epochs=9)
    make_run(root, "c", state="failed", rms=0.2, begun=3.0, answers=False, epochs=5)
    comparison = Comparison(live=False)
    yield comparison
    comparison.close()


def page(comparison, title):
    """Look at a page and return it."""
    titles = [one.title for one in comparison.pages]
    comparison.tabs.selected_index = titles.index(title)
    return comparison.pages[titles.index(title)]


def test_the_table_is_sorted_filtered_and_hidden(comparison):
    assert comparison.shown["run"].tolist() == ["c", "b", "a"]  # the newest first
    comparison.order.value = "rms_4"
    comparison.descending.value = False
    assert comparison.shown["run"].tolist() == ["a", "c", "b"]
    assert comparison.table.source.data["run"] == ["a", "c", "b"]
    comparison.expression.value = "state == 'done' and rms_4 < 0.25"
    assert comparison.table.names == ["a"]
    comparison.expression.value = "rms_9 < 1"
    assert "no column 'rms_9'" in comparison.message.text
    assert comparison.table.names == ["a"]  # as it was
    comparison.expression.value = "__import__('os').system('touch x') == 0"
    assert "got call" in comparison.message.text
    comparison.expression.value = ""
    comparison.choose(["c"])
    comparison.buttons["Hide chosen"].click()
    assert comparison.table.names == ["a", "b"]
    assert comparison.chosen == []
    assert "1 left out" in comparison._count.value
    comparison.buttons["Show all"].click()
    assert comparison.table.names == ["a", "c", "b"]
    with pytest.raises(ValueError, match="no column 'x'"):
        comparison.sort("x")


def test_rows_that_are_ticked_stay_so_when_the_table_moves(comparison):
    comparison.table.source.selected.indices = [0, 2]  # as the page does it
    assert comparison.chosen == ["c", "a"]
    comparison.sort("rms_4", descending=False)  # now a, c, b
    assert comparison.table.source.selected.indices == [0, 1]
    assert comparison.chosen == ["c", "a"]


def test_what_is_missing_stands_last_and_kinds_may_differ(root):
    make_run(root, "a", n_train=2)
    bare = root / "b"
    write_status(bare, "running", notebook="n.ipynb", parameters={"threshold": "low"})
    make_run(root, "c", n_train=3)
    comparison = Comparison(live=False)
    for column, descending in (("rms_4", True), ("rms_4", False), ("threshold", True)):
        comparison.sort(column, descending=descending)
        last = comparison.shown["run"].tolist()[-1]
        assert last == ("b" if column == "rms_4" else last)
    assert comparison.shown["run"].tolist()[0] == "b"
    comparison.close()


def test_losses_are_laid_over_each_other_with_their_seams(comparison):
    comparison.choose(["a", "b"])
    losses = page(comparison, "losses")
    lines = losses.figure.now.sources["lines"].data
    assert lines["label"] == ["epochs = 3", "epochs = 9"]  # what tells them apart
    np.testing.assert_allclose(lines["ys"][0], [1, 1 / 2, 1 / 3])
    assert len(losses.figure.now.sources["plain_dots"].data["x"]) == 2
    log = losses.figure.now
    losses.log.value = False
    assert losses.figure.now is not log
    losses.quantity.value = "loss"
    losses.smooth.value = 3
    np.testing.assert_allclose(losses.figure.now.sources["lines"].data["ys"][0], 2.0)


def test_only_parameters_that_differ_are_listed(comparison):
    comparison.choose(["a", "b"])
    table = page(comparison, "parameters").table.value
    assert "epochs" in table
    assert "n_pix" not in table
    comparison.choose(["a"])
    assert "the same parameters" in page(comparison, "parameters").table.value


def test_one_map_and_all_maps_against_the_truth(comparison):
    comparison.choose(["a", "b", "c"])
    one = page(comparison, "one map")
    assert list(one.run.options) == ["epochs = 3", "epochs = 9"]
    assert "No predictions: epochs = 5" in one.note.value
    assert one.sample.max == 5
    one.run.value, one.sample.value = "epochs = 9", 4
    one.methods.value = ("network",)
    lines, dots = (one.figure.sources[k].data for k in ("lines", "dots"))
    np.testing.assert_allclose(lines["ys"][0] - np.array(dots["y"]), 0.3, rtol=1e-9)
    both = page(comparison, "over maps")
    ratios = both.ratios.sources["lines"].data
    np.testing.assert_allclose([y[0] for y in ratios["ys"]], [10**0.1, 10**0.3], rtol=1e-9)
    assert len(both.ratios.sources["bands"].data["xs"]) == 4  # 68 and 95 % of both
    assert both.functions.sources["lines"].data["label"].count("truth") == 1
    comparison.method.value = "prior_mean"
    ratios = both.ratios.sources["lines"].data
    np.testing.assert_allclose([y[0] for y in ratios["ys"]], 10**0.5, rtol=1e-9)


def test_the_scoreboard_has_baselines_and_the_reference(comparison):
    comparison.choose(["a", "b"])
    scores = page(comparison, "scoreboard")
    for words in ("prior mean", "one-point reference", "0.1 \u00b1 0.01", "0.02"):
        assert words in scores.table.value
    labels = scores.figure.sources["lines"].data["label"]
    assert labels == ["epochs = 3", "epochs = 9", "prior mean", "one-point reference, epochs = 3",
                      "one-point reference, epochs = 9"]  # fmt: skip
    scores.score.value = "bias"
    assert "0.1 \u00b1" not in scores.table.value


def test_coverage_is_that_of_the_files(comparison):
    comparison.choose(["a", "b"])
    coverage = page(comparison, "coverage")
    assert "1.000" in coverage.table.value  # run a errs by as much as half its interval
    shares = coverage.figure.sources["lines"].data["ys"]
    assert [y[0] for y in shares] == [1.0, 0.0]  # run b by three times that


def test_verdicts_on_memorising_are_escaped(comparison):  # S3
    comparison.choose(["a"])
    memorising = page(comparison, "memorising")
    assert memorising.table.value.count("NO") == 1
    memorising.test.value = "blank"
    assert "It sees nothing" in memorising.verdicts.value
    assert "<img" not in memorising.verdicts.value
    assert "kept no outcome" in memorising.figure.now.figure.title.text


def test_html_in_the_name_of_a_run_stays_text(root):  # S3
    make_run(root, EVIL)
    (root / EVIL / "status.json").write_text("{")
    make_run(root, "b", epochs=9)
    comparison = Comparison(live=False)
    comparison.choose([EVIL, "b"])
    for title in [one.title for one in comparison.pages]:
        shown = page(comparison, title)
        texts = [w.value for w in vars(shown).values() if isinstance(getattr(w, "value", 0), str)]
        assert not any("<img" in text for text in texts if text != EVIL)
    comparison.message.show(EVIL)
    assert "<img" not in comparison.message.view.value
    comparison.close()
    assert "<img" not in html_table([EVIL], [[EVIL, EVIL]])


def test_a_run_that_goes_on_is_followed(comparison, root):
    folder = make_run(root, "d", state="running", answers=False, begun=9.0, epochs=11)
    assert comparison.refresh()
    assert comparison.table.names[0] == "d"
    comparison.choose(["d"])
    losses = page(comparison, "losses").figure.now.sources["lines"]
    assert len(losses.data["ys"][0]) == 3
    row = {"member": 0, "epoch": 3, "loss": 1.0, "validation_loss": 0.1, "seconds": 1, "seam": 0}
    append_row(row, folder / "history.csv")
    comparison.refresh()
    assert len(losses.data["ys"][0]) == 4
    assert comparison.shown.loc["d", "epochs_run"] == 4
    write_status(folder, "done")
    assert comparison.refresh()
    assert not comparison.refresh()  # nothing is new


def test_it_looks_by_itself_until_it_is_closed(root):
    make_run(root, "a")
    comparison = Comparison(every=0.01)
    make_run(root, "b")
    end = time.monotonic() + 30
    while comparison.table.names != ["b", "a"] and sorted(comparison.table.names) != ["a", "b"]:
        assert time.monotonic() < end
        time.sleep(0.01)
    poller = comparison._poller
    comparison.close()
    assert not poller.alive


def test_a_damaged_file_is_said_and_harms_no_other_run(comparison, root):
    (root / "a" / "predictions.nc").write_text("<html>")
    comparison.choose(["a", "b"])
    one = page(comparison, "over maps")
    assert "is a web page" in one.note.value
    assert one.ratios.sources["lines"].data["label"] == ["epochs = 9"]


def test_table_and_figures_are_exported(comparison, root):
    comparison.sort("rms_4")
    comparison.choose(["a", "b"])
    path = comparison.export_table("mine")
    assert path == root.parent / "comparisons" / "mine" / "runs.csv"
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["run", "b", "c", "a"]
    comparison.name.value = "../mine"
    comparison.buttons["Table as CSV"].click()
    assert "name is '../mine'" in comparison.message.text  # S2
    with pytest.raises(FileExistsError):  # B22
        comparison.export_table("mine")


@pytest.mark.slow
def test_every_page_that_has_something_is_saved_for_print(comparison):
    with pytest.raises(ValueError, match="choose runs in the table"):
        comparison.export_figures("mine")
    comparison.choose(["a", "b"])
    names = {path.stem for path in comparison.export_figures("mine")}
    assert {"losses", "one_map", "over_maps", "ratios", "scores", "coverage"} <= names


def test_two_hundred_runs_open_at_once_and_nothing_heavy_is_read(root):
    for n in range(200):
        folder = make_run(root, f"r{n:03}", answers=False, begun=float(n), filters=n + 1)
        for name in ("predictions.nc", "notebook.ipynb", "model.keras", "scores.nc"):
            (folder / name).mkdir()  # whoever reads it fails
    start = time.perf_counter()
    comparison = Comparison(live=False)
    assert time.perf_counter() - start < 10  # 1 s on an idle core
    assert len(comparison.table.names) == 200
    assert comparison.message.text == ""
    comparison.choose(comparison.table.names)
    assert f"the first {MOST} are drawn" in comparison.message.text
    assert len(page(comparison, "losses").figure.now.sources["lines"].data["label"]) == MOST
    comparison.close()


@pytest.mark.slow
def test_fifty_comparisons_leave_nothing_behind(root):  # F18
    make_run(root, "a")
    make_run(root, "b", epochs=9)

    def once(n=0):
        comparison = Comparison(every=60)
        comparison.choose(["a", "b"])
        if n % 10 == 0:
            page(comparison, "over maps")
        comparison.close()

    once()  # what is loaded once
    gc.collect()
    before, memory = set(_instances), psutil.Process().memory_info().rss
    for n in range(50):
        once(n)
    gc.collect()
    assert set(_instances) == before
    grown = psutil.Process().memory_info().rss - memory
    assert grown < 5e7
