import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.counts import DEFAULT_EDGES, log_counts, luminosity_function
from imtools.evaluation.trials import judge_answers
from imtools.plots import what_works as panels
from imtools.plots.style import COLOURS

NAMES = ["exact", "twice", "no number"]


@pytest.fixture
def truth():
    rng = np.random.default_rng(3)
    expected = 10 ** np.linspace(4, 0, 49) * rng.uniform(0.5, 2, (6, 1))
    return luminosity_function(rng.poisson(expected), DEFAULT_EDGES)


@pytest.fixture
def outcomes(truth):
    """Three trials: off by 0.1 dex, by a factor 2, and one that never had a loss."""
    log_truth = log_counts(truth).values
    answers = (log_truth + 0.1, log_truth + np.log10(2), np.nan * log_truth)
    judged = xr.concat([judge_answers(a, truth, floor=0.5) for a in answers], "trial")
    nothing = [np.nan, np.nan]
    losses = {"loss": [[4.0, 2.0], [5.0, 1.0], nothing]}
    losses |= {"validation_loss": [[6.0, 3.0], [7.0, 4.0], nothing]}
    losses |= {"seconds": [[10.0, 30.0], [20.0, 60.0], nothing]}
    for name, values in losses.items():
        attrs = {"units": "s" if name == "seconds" else "1", "long_name": name}
        judged[name] = (("trial", "epoch"), np.array(values), attrs)
    return judged.assign_coords(trial=NAMES, epoch=[1, 2])


def labelled(shown, kind=hv.Curve):
    return {e.label: e for e in shown.values() if type(e) is kind and e.label}


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_every_panel_renders(backend, outcomes, truth):
    baselines = {"ridge": judge_answers(log_counts(truth) + 0.3, truth, floor=0.5)}
    for element in (
        panels.show_losses(outcomes, NAMES[:2]),
        panels.show_losses(outcomes, NAMES, against="seconds"),
        panels.show_errors(outcomes, NAMES, baselines),
        panels.show_costs(outcomes, NAMES, baselines),
        panels.show_answers(outcomes, truth, "exact", 5.0, floor=0.5),
    ):
        assert hv.render(element, backend=backend) is not None


def test_losses_fall_with_epochs_or_with_time(outcomes):
    by_epoch = labelled(panels.show_losses(outcomes, NAMES[:2]))["twice"]
    by_time = labelled(panels.show_losses(outcomes, NAMES[:2], against="seconds"))["twice"]
    assert by_epoch.dimension_values(0).tolist() == [1, 2]
    assert by_time.dimension_values(0).tolist() == [20, 60]
    assert by_epoch.dimension_values(1).tolist() == [7, 4]  # of validation; training is dashed
    assert by_time.kdims[0].label == "seconds [s]"
    with pytest.raises(ValueError, match="expected 'epoch' or 'seconds'"):
        panels.show_losses(outcomes, NAMES, against="maps")


def test_errors_are_those_of_each_trial_and_baseline(outcomes, truth):
    baselines = {"ridge": judge_answers(log_counts(truth) + 0.3, truth, floor=0.5)}
    drawn = labelled(panels.show_errors(outcomes, NAMES, baselines))
    assert list(drawn) == [*NAMES, "ridge"]
    np.testing.assert_allclose(drawn["exact"].dimension_values(1), 0.1, rtol=1e-9)
    np.testing.assert_allclose(drawn["ridge"].dimension_values(1), 0.3, rtol=1e-9)


def test_costs_stand_at_the_whole_time_and_the_error(outcomes):
    drawn = labelled(panels.show_costs(outcomes, NAMES), hv.Scatter)
    assert set(drawn) == {"exact", "twice"}  # the third has no error
    x, y = (drawn["twice"].dimension_values(i).item() for i in (0, 1))
    assert x == 60
    np.testing.assert_allclose(y, np.log10(2), rtol=1e-9)


def test_answers_are_shown_against_the_truth_of_the_bin_asked_for(outcomes, truth):
    shown = panels.show_answers(outcomes, truth, "twice", 4.9, floor=0.5)
    (dots,) = (e for e in shown.values() if type(e) is hv.Scatter)
    expected = log_counts(truth).sel(log_l=4.9, method="nearest").values
    np.testing.assert_allclose(dots.dimension_values(0), expected, rtol=1e-12)
    np.testing.assert_allclose(dots.dimension_values(1), expected + np.log10(2), rtol=1e-12)


def test_a_trial_keeps_its_colour_from_panel_to_panel(outcomes):
    colours = set()
    for shown in (panels.show_losses(outcomes, NAMES), panels.show_errors(outcomes, NAMES)):
        curve = labelled(shown)["twice"]
        colours.add(hv.Store.lookup_options("bokeh", curve, "style").kwargs["color"])
    assert colours == {COLOURS[1]}


def test_more_trials_than_colours_are_refused(outcomes):
    with pytest.raises(ValueError, match="expected at most 7"):
        panels.show_errors(outcomes, ["exact"] * 8)
