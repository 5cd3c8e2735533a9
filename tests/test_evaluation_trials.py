import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_maps import toy_data, toy_experiment

from imtools import datasets, networks
from imtools.counts import DEFAULT_EDGES, log_counts, luminosity_function
from imtools.evaluation.trials import (
    _costs,
    format_trials,
    judge_answers,
    largest_spike,
    run_trials,
)

FLOOR = 0.5


@pytest.fixture
def truth():
    rng = np.random.default_rng(1)
    expected = 10 ** np.linspace(3, 0, 49) * rng.uniform(0.5, 2, (8, 1))
    return luminosity_function(rng.poisson(expected), DEFAULT_EDGES)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    experiment = toy_experiment(learning_rate=1e-3)
    trials = {
        "few bins": {"n_histogram_bins": 20},
        "another target": {"target": "l_phi", "target_log": False, "standardise": False},
        # steps so large that the weights overflow within the first epoch
        "no number": {"optimizer": "sgd", "learning_rate": 10.0, "target_log": False}
        | {"standardise": False, "schedule": "constant", "epochs": 2},
    }
    data = toy_data(range(6)), toy_data([6]), toy_data([7, 8])
    folder = tmp_path_factory.mktemp("trials")
    return run_trials(experiment, trials, *data, folder), folder, data


def test_an_exact_answer_has_no_error_and_the_spread_of_the_truth(truth):
    judged = judge_answers(log_counts(truth, FLOOR), truth, floor=FLOOR)
    assert float(judged["error"]) == 0
    assert float(judged["skill"]) == 1
    npt.assert_allclose(judged["spread"], 1, rtol=1e-12)  # float64 arithmetic
    assert float(judged["emptied"]) == 0


def test_the_mean_of_the_truth_has_neither_skill_nor_spread(truth):
    log_truth = log_counts(truth, FLOOR).values
    full = truth.values >= 10
    mean = np.broadcast_to(log_truth.mean(axis=0), log_truth.shape)
    judged = judge_answers(mean, truth, floor=FLOOR)
    npt.assert_allclose(judged["skill"], 0, atol=1e-12)
    npt.assert_allclose(judged["spread"], 0, atol=1e-12)
    npt.assert_allclose(
        judged["error"], (log_truth - mean)[full].std(), rtol=0.02
    )  # mean is near 0
    npt.assert_allclose(judged["rms"], log_truth.std(axis=0), rtol=1e-12)


def test_half_the_swing_about_the_mean_has_half_the_spread(truth):
    log_truth = log_counts(truth, FLOOR).values
    mean = log_truth.mean(axis=0)
    judged = judge_answers(mean + (log_truth - mean) / 2, truth, floor=FLOOR)
    npt.assert_allclose(judged["spread"], 0.5, rtol=1e-12)
    npt.assert_allclose(judged["skill"], 0.75, rtol=1e-12)  # a quarter of the variance is left


def test_bins_that_hold_sources_and_are_said_to_be_empty_are_counted(truth):
    log_dn = log_counts(truth, FLOOR).values.copy()
    full = np.argwhere(truth.values >= 10)
    for place in full[::4]:
        log_dn[tuple(place)] = np.log10(FLOOR)
    judged = judge_answers(log_dn, truth, floor=FLOOR)
    npt.assert_allclose(judged["emptied"], len(full[::4]) / len(full), rtol=1e-12)
    assert np.isnan(judge_answers(np.nan * log_dn, truth, floor=FLOOR)["emptied"])


def test_a_spike_is_measured_from_the_least_loss_before_it():
    loss = xr.DataArray(
        [[4.0, 2.0, 3.0, 6.0, 1.0], [5.0, 4.0, 3.0, np.nan, np.nan]], dims=("trial", "epoch")
    )
    spike = largest_spike(xr.Dataset({"validation_loss": loss}))
    npt.assert_allclose(spike, [3.0, 1.0], rtol=1e-12)


@pytest.mark.parametrize("losses", [[-1.0, -3.0, -2.0], [2.0, -1.0, 0.5], [1.0, 0.0, 2.0]])
def test_a_loss_that_falls_below_zero_has_no_largest_spike(losses):
    loss = xr.DataArray([losses, [1.0, 0.5, 2.0]], dims=("trial", "epoch"))
    spike = largest_spike(xr.Dataset({"validation_loss": loss}))
    npt.assert_allclose(spike, [np.nan, 4.0], rtol=1e-12)


def test_costs_of_a_network_are_those_of_what_it_reads():
    experiment = toy_experiment(architecture="dense", reads="vid_pk", temp_scale=1.0)
    settings = experiment.network.model_dump(exclude={"architecture"})
    shape = datasets.input_shape(experiment)
    model = networks.build("dense", shape, experiment.counts.n_bins, **settings)
    assert _costs(experiment)["n_params"] == model.count_params()


@pytest.mark.slow
def test_trials_are_trained_each_with_its_own_changes(outcomes):
    found, folder, data = outcomes
    assert found["trial"].values.tolist() == ["few bins", "another target", "no number"]
    assert (folder / "few_bins" / "model.keras").exists()
    few, other = (int(found["n_params"].sel(trial=name)) for name in found["trial"].values[:2])
    assert few < other
    assert found["loss"].sel(trial="few bins").notnull().sum() == 3
    assert found.sizes["sample"] == data[2].sizes["sample"]
    assert found["rms"].attrs["units"] == "dex"
    # the number of sources of a bin is of order a thousand, whatever the unit it was learnt in
    assert (found["error"].values[:2] < 3).all()
    assert float(found["speed"].sel(trial="few bins")) > 0
    # time adds up
    assert (np.diff(found["seconds"].sel(trial="few bins")) > 0).all()


@pytest.mark.slow
def test_a_trial_whose_loss_is_no_number_is_told_and_stops_no_other(outcomes):
    found = outcomes[0]
    assert found["ended"].values.tolist()[:2] == ["done", "done"]
    assert "nan" in found["ended"].item(2) or "inf" in found["ended"].item(2)
    assert np.isnan(found["error"].values[2])


@pytest.mark.slow
def test_the_table_has_a_row_for_each_trial(outcomes):
    table = format_trials(outcomes[0]).splitlines()
    assert len(table) == 2 + 3
    assert table[2].startswith("| few bins |")
    assert table[4].endswith("epoch 0 |")


def test_trials_of_one_folder_are_refused(tmp_path):
    with pytest.raises(ValueError, match="differ in letters"):
        run_trials(toy_experiment(), {"a b": {}, "A-B": {}}, None, None, None, tmp_path)
