from dataclasses import dataclass, replace

import numpy as np
import numpy.testing as npt
import pytest
from scipy import stats
from toy_maps import SURVEY, toy_data, toy_experiment

from imtools.estimators import (
    ESTIMATORS,
    Estimator,
    Network,
    fit_histogram_regression,
    fit_network,
    fit_prior_mean,
    fit_summary_regression,
)
from imtools.estimators.base import common, errors_of
from imtools.networks import LEVELS
from imtools.prediction.trained import open_trained
from imtools.training import Target

FLOOR = np.float32(np.log10(0.5))
FEW = {"epochs": 2, "n_train": 4, "batch_size": 8}


@dataclass(frozen=True, kw_only=True, eq=False)
class Given(Estimator):
    """Answers 2 everywhere."""

    def point(self, inputs):
        return np.full((len(inputs), 14), 2.0)


@pytest.fixture(scope="module")
def experiment():
    return toy_experiment(**FEW)


@pytest.fixture(scope="module")
def train():
    return toy_data(range(4))


@pytest.fixture(scope="module")
def validation():
    return toy_data(range(20, 24))


@pytest.fixture(scope="module")
def maps():
    return toy_data([30])["map"]


def given(experiment, data, residuals):
    return Given(**common("given", experiment, data), **errors_of(residuals))


def test_draws_are_float32_with_dims_units_and_the_coordinates_of_the_maps(
    experiment, train, validation, maps
):
    method = fit_histogram_regression(experiment, train, validation)
    drawn = method.draws(maps, experiment, np.random.default_rng(0), n_draws=30)
    assert drawn.dims == ("sample", "draw", "log_l")
    assert drawn.shape == (4, 30, 14)
    assert drawn.dtype == np.float32
    assert (drawn.attrs["units"], drawn.attrs["convention"]) == ("log10(1)", "log_dn")
    npt.assert_array_equal(drawn["catalogue"], maps["catalogue"])
    npt.assert_array_equal(drawn["log_l"], method.predict(maps, experiment)["log_l"])


def test_a_draw_is_the_estimate_plus_the_error_of_one_map_in_all_bins(experiment, train, maps):
    residuals = np.arange(7.0)[:, None] / 10 + np.linspace(0, 0.01, 14)
    method = given(experiment, train, residuals)
    drawn = method.draws(maps, experiment, np.random.default_rng(1), n_draws=400).values
    which = np.round((drawn[..., 0] - 2) * 10).astype(int)
    assert set(which.ravel()) == set(range(7))
    npt.assert_allclose(drawn, 2 + residuals[which], rtol=1e-6)  # float32
    # 1600 draws of 7 equally likely errors: 5 sampling errors of a share
    share = np.bincount(which.ravel()) / which.size
    npt.assert_allclose(share, 1 / 7, atol=5 * np.sqrt(6 / 49 / which.size))


def test_intervals_of_draws_are_those_of_the_estimate(experiment, train, validation, maps):
    method = fit_summary_regression(experiment, train, validation, summary="multiscale")
    drawn = method.draws(maps, experiment, np.random.default_rng(2), n_draws=20_000)
    seen = np.quantile(drawn, [0.16, 0.84], axis=1).swapaxes(0, 1)
    own = method.predict(maps, experiment).sel(quantile=[0.16, 0.84]).values
    ordered = np.sort(method.residuals, axis=0)
    step = np.diff(ordered, axis=0).max()  # quantiles of 16 errors lie between two of them
    bright = own > FLOOR
    assert np.abs(seen - own)[bright].max() < step + 1e-6


def test_nothing_is_drawn_below_the_floor(experiment, train, maps):
    method = given(experiment, train, np.full((3, 14), -5.0))
    drawn = method.draws(maps, experiment, np.random.default_rng(0), n_draws=5)
    npt.assert_array_equal(drawn, FLOOR)
    high = method.draws(maps, experiment.replace(floor=1.0), np.random.default_rng(0), n_draws=5)
    npt.assert_array_equal(high, 0)


def test_draws_see_the_noise_of_predictions_with_an_equal_generator(
    experiment, train, validation, maps
):
    noisy = experiment.replace(sigma_noise=20.0)
    method = fit_histogram_regression(noisy, train, validation)
    exact = replace(method, residuals=np.zeros((1, 14)))
    drawn = exact.draws(maps, noisy, np.random.default_rng(3), n_draws=2)
    expected = np.maximum(method.median(maps, noisy, np.random.default_rng(3)), FLOOR)
    npt.assert_allclose(drawn.values, expected[:, None] + np.zeros((1, 2, 1)), rtol=1e-5)
    again = method.draws(maps, noisy, np.random.default_rng(3))
    npt.assert_array_equal(method.draws(maps, noisy, np.random.default_rng(3)), again)
    assert (method.draws(maps, noisy, np.random.default_rng(4)) != again).any()


def test_maps_in_parts_are_read_as_those_at_once(monkeypatch, experiment, train, validation, maps):
    noisy = experiment.replace(sigma_noise=20.0)
    method = fit_histogram_regression(noisy, train, validation)
    whole = method.predict(maps, noisy, np.random.default_rng(5))
    parts = [maps[i : i + 1] for i in range(4)]
    monkeypatch.setattr("imtools.estimators.base.parts_of", lambda maps: parts)
    seen = method.predict(maps, noisy, np.random.default_rng(5))
    npt.assert_allclose(seen, whole, rtol=1e-9)  # float64 sums in another order; noise would show


def test_a_method_without_errors_says_so(experiment, train, maps):
    method = Given(**common("given", experiment, train))
    with pytest.raises(ValueError, match=r"Given.draws: given has no residuals; fit it again"):
        method.draws(maps, experiment, np.random.default_rng(0))


def test_draws_of_other_maps_are_refused(experiment, train, maps):
    method = fit_prior_mean(experiment, train)
    with pytest.raises(ValueError, match=r"shape of the maps is \[2, 16, 16\], expect"):
        method.draws(maps.isel(freq=slice(2)), experiment, np.random.default_rng(0))


def test_draws_of_the_prior_spread_as_the_training_maps(experiment, train, maps):
    drawn = fit_prior_mean(experiment, train).draws(
        maps, experiment, np.random.default_rng(0), 4000
    )
    expected = np.log10(np.maximum(train["counts"], 0.5)).std("sample")
    # 16000 draws of few values: 5 sampling errors of a standard deviation
    npt.assert_allclose(drawn.std(["sample", "draw"]), expected, rtol=5 / np.sqrt(2 * 16_000) * 2)


# -- networks


@pytest.fixture(scope="module", params=["point", "quantiles", "gaussian"])
def trained(request, train, validation, tmp_path_factory):
    """Return a network of each output, its experiment and its folder."""
    experiment = toy_experiment(**FEW, output=request.param)
    folder = tmp_path_factory.mktemp(request.param)
    return fit_network(experiment, train, validation, folder), experiment, folder


def test_draws_of_a_network_are_spread_as_its_quantiles(trained, maps):
    network, experiment, _ = trained
    drawn = network.draws(maps, experiment, np.random.default_rng(0), n_draws=4000).values
    own = np.maximum(network.predict(maps, experiment).values, FLOOR)
    shares = (drawn[:, None] < own[:, :, None]).mean(axis=2)
    rising = own > FLOOR
    # 5 sampling errors of a share of 4000 draws, and of point networks the steps of 16 errors
    slack = 5 * 0.5 / np.sqrt(4000) + (1 / 16 if network.target.output == "point" else 0)
    expected = np.array([0.025, 0.16, 0.5, 0.84, 0.975])[:, None] + np.zeros_like(own)
    keep = rising if network.target.output != "point" else rising & (expected != 0.5)
    assert np.abs(shares - expected)[keep].max() < slack


def test_a_network_in_a_folder_draws_too(trained, maps):
    network, experiment, folder = trained
    other = open_trained(folder).network
    one, two = (
        n.draws(maps, experiment, np.random.default_rng(1), n_draws=2000) for n in (network, other)
    )
    # two samples of 2000: 5 sampling errors of the difference of two means
    width = float(one.std("draw").max())
    npt.assert_allclose(one.mean("draw"), two.mean("draw"), atol=5 * width * np.sqrt(2 / 2000))


def quantile_network(experiment, data, scores, monkeypatch):
    """Return a network that says the same Gaussian of every bin."""
    answer = stats.norm.ppf(LEVELS)[None, :, None] * 0.1 + 2 + np.zeros((4, 1, 14))
    monkeypatch.setattr(
        "imtools.estimators.network.predict", lambda model, inputs, size: answer[: len(inputs)]
    )
    target = Target.of(experiment.replace(standardise=False, output="quantiles"))
    return Network(**common("q", experiment, data), model=None, target=target, scores=scores)


def test_bins_of_a_quantile_network_depend_as_validation_truths_do(
    experiment, train, maps, monkeypatch
):
    rng = np.random.default_rng(6)
    shared = rng.normal(size=(600, 1)) + 0.3 * rng.normal(size=(600, 14))
    shared[:, 7:] *= -1  # truths that lie high in faint bins lie low in bright ones
    network = quantile_network(experiment, train, shared, monkeypatch)
    drawn = network.draws(maps, experiment, np.random.default_rng(7), n_draws=5000).values[0]
    npt.assert_allclose(drawn.mean(axis=0), 2, atol=5 * 0.1 / np.sqrt(5000))
    npt.assert_allclose(drawn.std(axis=0), 0.1, rtol=5 / np.sqrt(2 * 5000))
    seen = np.corrcoef(drawn.T)
    expected = stats.spearmanr(shared)[0]
    npt.assert_allclose(seen, expected, atol=0.04)  # a normal's own correlation is up to .02 above
    assert seen[0, 1] > 0.8
    assert seen[0, 13] < -0.8


def test_scores_of_validation_truths_are_kept(trained):
    network, _, _ = trained
    known = network.scores is not None
    assert known == (network.target.output == "quantiles")
    assert not known or network.scores.shape == (16, 14)


def test_every_fit_by_name_can_draw(experiment, train, validation, maps, tmp_path):
    for name, fit in ESTIMATORS.items():
        method = fit(experiment, train, validation, tmp_path)
        drawn = method.draws(maps, experiment, np.random.default_rng(0), n_draws=3)
        assert np.isfinite(drawn).all(), name
    assert SURVEY.shape == maps.shape[1:]
