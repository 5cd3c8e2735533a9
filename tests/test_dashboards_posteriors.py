"""The posterior viewer: what a run says of a map, map by map, and whether that holds."""

import gc
import json

import holoviews as hv
import numpy as np
import numpy.testing as npt
import psutil
import pytest
from ipywidgets.widgets.widget import _instances
from toy_runs import METHODS, WIDTHS, write_posterior_run

from imtools.dashboards.posteriors import PosteriorViewer
from imtools.run_folder import open_netcdf
from imtools.runs.posteriors import posterior_runs, read_posteriors

EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "runs"
    write_posterior_run(root / "first")
    return root


@pytest.fixture
def viewer(stored):
    viewer = PosteriorViewer(root=stored)
    yield viewer
    viewer.close()


def shown(viewer, name, column="ys", kind="lines"):
    """Return what the page draws in a figure, by label."""
    data = viewer.figures_of[name].sources[kind].data
    return dict(zip(data["label"], data[column], strict=True))


def test_it_opens_on_the_newest_run_and_shows_a_map_against_its_truth(viewer, stored):
    assert viewer.message.text == ""
    assert viewer.chosen == ["prior_mean", "mcmc_pk_vid"]  # of those to begin with
    with open_netcdf(stored / "first" / "predictions.nc") as file:
        run = file.load()
    lines = shown(viewer, "posteriors")
    assert list(lines) == ["prior", "P(k) + VID, MCMC", "truth"]
    npt.assert_allclose(lines["truth"], np.log10(run["counts"][viewer.sample]), rtol=1e-12)
    median = run["log_dn"].sel({"method": "mcmc_pk_vid", "quantile": 0.5})[viewer.sample]
    npt.assert_allclose(lines["P(k) + VID, MCMC"], median, rtol=1e-12)
    excess = shown(viewer, "excess")["P(k) + VID, MCMC"]
    npt.assert_allclose(excess, median - np.log10(run["counts"][viewer.sample]), atol=1e-12)


def test_the_slider_goes_from_the_faintest_map_to_the_brightest(viewer):
    totals, readouts = [], []
    for place in range(viewer.place.max + 1):
        viewer.place.value = place
        totals.append(float(np.sum(10 ** np.asarray(shown(viewer, "posteriors")["truth"]))))
        readouts.append(viewer.readout.value)
    assert len(totals) == 12
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]
    assert readouts[0].startswith("map 1 of 12 by brightness, catalogue ")
    assert f"{totals[-1]:,.0f} sources" in readouts[-1]


def test_coverage_and_widths_are_those_of_the_run(viewer, stored):
    with open_netcdf(stored / "first" / "calibration.nc") as file:
        coverage = file["coverage"].load()
    viewer.choose(["network", "mcmc_pk_vid"])
    for probability in (0.68, 0.95):
        viewer.probability.value = probability
        own = coverage.sel({"method": "network", "probability": probability})
        npt.assert_allclose(shown(viewer, "coverage")["network"], own, rtol=1e-12)
    widths = shown(viewer, "widths")
    # the network of this run is drawn 0.6 times as wide as it should be
    ratio = np.array(widths["network"]) / np.array(widths["P(k) + VID, MCMC"])
    npt.assert_allclose(ratio, 0.6, rtol=0.02)  # the same draws, stretched; float32 quantiles


def test_only_the_chosen_methods_are_drawn(viewer):
    viewer.methods.boxes["mcmc_pk_vid"].value = False
    assert list(shown(viewer, "posteriors")) == ["prior", "truth"]
    viewer.choose([])
    assert viewer.figures() == {}
    assert viewer.figures_of["posteriors"].figure.title.text == "Choose a method"
    assert shown(viewer, "posteriors") == {}
    with pytest.raises(ValueError, match="choose: methods are magic, expected among prior_mean"):
        viewer.choose(["magic"])
    viewer.choose(list(METHODS))
    assert len(shown(viewer, "posteriors")) == len(METHODS) + 1


def test_the_corner_holds_the_draws_of_this_map_and_its_truth(viewer, stored):
    viewer.choose(list(METHODS))
    viewer.tabs.selected_index = 1
    draws, names, truth = read_posteriors(stored / "first").samples(METHODS, viewer.sample)
    assert names == ["alpha", "beta"]
    assert list(draws) == list(WIDTHS)  # networks know no parameters
    panels = viewer.corner.panels
    assert sorted(panels) == [(0, 0), (1, 0), (1, 1)]
    assert [mark.location for mark in panels[1, 0].marks] == truth
    x, y = (np.array(panels[0, 0].source.data[k]) for k in ("xs", "ys"))
    above_half = [np.ptp(a[b > 0.5]) for a, b in zip(x, y, strict=True)]
    # both are smoothed over 1.5 cells, so the narrow one less than three times
    assert 2.0 < above_half[0] / above_half[1] < 3.5
    viewer.place.value = 0
    moved = [mark.location for mark in panels[1, 0].marks]
    assert moved != truth
    assert viewer.corner.panels is panels  # no plot is made anew
    viewer.choose(["network"])
    assert "choose one that is fitted by MCMC" in viewer.corner.view.children[0].value


def test_numbers_are_tables_of_the_chosen_methods(viewer):
    viewer.choose(["network"])
    viewer.tabs.selected_index = 2
    assert "truths in the 68 % interval" in viewer.numbers.value
    assert "half width of the 68 % interval" in viewer.numbers.value
    assert "prior mean" not in viewer.numbers.value


def test_a_figure_for_print_renders_without_a_browser(viewer):
    layout = viewer.figure()
    assert len(layout) == 4
    assert hv.renderer("matplotlib").get_plot(layout).state is not None


def test_without_a_run_it_says_which_notebook_to_run(tmp_path):
    viewer = PosteriorViewer(root=tmp_path)
    assert "run notebooks/07_against_the_power_spectrum.ipynb" in viewer.message.text
    assert viewer.figures_of["posteriors"].figure.title.text == "No posteriors"
    with pytest.raises(ValueError, match="no run or no method is shown"):
        viewer.figure()
    write_posterior_run(tmp_path / "later", parameters=False)
    viewer.refresh()
    assert viewer.run.value == "later"
    assert "truth" in shown(viewer, "posteriors")
    viewer.tabs.selected_index = 1
    assert "kept no draws of parameters" in viewer.corner.view.children[0].value
    viewer.close()


def test_another_run_keeps_methods_and_a_damaged_one_says_why(tmp_path):
    write_posterior_run(tmp_path / "good")
    bad = write_posterior_run(tmp_path / EVIL, seed=1)
    viewer = PosteriorViewer(tmp_path / "good", root=tmp_path)
    assert viewer.run.value == "good"
    viewer.choose(["network"])
    (bad / "calibration.nc").write_bytes(b"<html>")
    viewer.run.value = EVIL
    assert viewer.message.kind == "error"
    assert "calibration.nc" in viewer.message.text
    assert EVIL not in viewer.message.view.value  # escaped
    assert shown(viewer, "posteriors") == {}  # nothing of the other run under this name
    viewer.run.value = "good"
    assert viewer.message.text == ""
    assert viewer.chosen == ["network"]
    with pytest.raises(ValueError, match="open: run is 'none', expected one of good"):
        viewer.open("none")
    viewer.close()


def test_files_of_other_maps_are_refused(tmp_path):
    one, other = (write_posterior_run(tmp_path / n, seed=i) for i, n in enumerate("ab"))
    assert set(posterior_runs(tmp_path)) == {"a", "b"}
    with open_netcdf(other / "calibration.nc") as file:
        calibration = file.load()
    (one / "calibration.nc").unlink()
    assert list(posterior_runs(tmp_path)) == ["b"]
    with pytest.raises(FileNotFoundError, match=r"a has no predictions or no calibration\.nc"):
        read_posteriors(one)
    calibration.assign_attrs(n_maps=11).to_netcdf(one / "calibration.nc")
    with pytest.raises(ValueError, match=r"of other maps or methods than its predictions \(12"):
        read_posteriors(one)


def test_no_large_array_is_in_the_state_of_a_widget(viewer):
    viewer.tabs.selected_index = 1
    sizes = [len(json.dumps(w.get_state(), default=str)) for w in _instances.values()]
    assert sum(sizes) < 1e6


@pytest.mark.slow
def test_fifty_viewers_leave_nothing_behind(stored):  # F18
    def once(n=0):
        viewer = PosteriorViewer(root=stored)
        if n % 10 == 0:
            viewer.tabs.selected_index = 1
        viewer.close()

    once()  # what is loaded once
    gc.collect()
    before, memory = set(_instances), psutil.Process().memory_info().rss
    for n in range(50):
        once(n)
    gc.collect()
    assert set(_instances) == before
    assert psutil.Process().memory_info().rss - memory < 5e7
