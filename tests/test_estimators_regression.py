from functools import partial

import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools.datasets import log_counts_array, reading
from imtools.estimators import (
    SUMMARIES,
    fit_histogram_regression,
    fit_prior_mean,
    fit_summary_regression,
    regression,
)


@pytest.fixture(scope="module")
def experiment():
    return toy_experiment(n_train=24)


@pytest.fixture(scope="module")
def noisy(experiment):
    return experiment.replace(sigma_noise=3.0, filter="mean")


@pytest.fixture(scope="module")
def sides():
    return toy_data(range(24)), toy_data(range(30, 36)), toy_data(range(40, 46))


def rms(method, data, experiment):
    median = method.median(data["map"], experiment, np.random.default_rng(5))
    return np.sqrt(np.mean((median - log_counts_array(data, experiment)) ** 2))


@pytest.mark.parametrize("name", list(SUMMARIES))
def test_every_summary_tells_more_than_the_prior(name, noisy, sides):
    train, validation, test = sides
    method = fit_summary_regression(noisy, train, validation, summary=name)
    prior = fit_prior_mean(noisy, train)
    assert method.name == f"ridge_{name}"
    assert rms(method, test, noisy) < 0.6 * rms(prior, test, noisy)
    seen = method.predict(test["map"], noisy, np.random.default_rng(5))
    assert seen.dims == ("sample", "quantile", "log_l")
    assert (seen.diff("quantile") >= 0).all()


def test_an_unknown_summary_is_refused_and_the_known_are_named(experiment, sides):
    with pytest.raises(ValueError, match="summary is 'wavelets', expected one of histogram, vid"):
        fit_summary_regression(experiment, *sides[:2], summary="wavelets")


def in_parts_of(n_bytes, monkeypatch):
    """Let maps be read so many bytes at a time."""
    monkeypatch.setattr(reading.parts_of, "__defaults__", (n_bytes,))


@pytest.mark.parametrize(
    "fit", [fit_histogram_regression, partial(fit_summary_regression, summary="pk")]
)
def test_maps_in_parts_have_the_noise_they_have_at_once(fit, noisy, sides, monkeypatch):
    maps = sides[2]["map"]
    whole = fit(noisy, *sides[:2]).median(maps, noisy, np.random.default_rng(1))
    in_parts_of(5 * maps[0].nbytes, monkeypatch)
    assert [part.sizes["sample"] for part in reading.parts_of(maps[:12])] == [5, 5, 2]
    method = fit(noisy, *sides[:2])
    # sums of the same numbers in another order: float32 noise, histograms and a ridge of them
    npt.assert_allclose(method.median(maps, noisy, np.random.default_rng(1)), whole, atol=1e-5)
    other = method.median(maps, noisy, np.random.default_rng(2))
    assert np.abs(other - whole).max() > 1e-3


def test_training_maps_are_seen_with_other_noise_each_time(noisy, sides, monkeypatch):
    seen = []
    monkeypatch.setitem(
        SUMMARIES,
        "first",
        lambda maps, temp_scale: seen.append(maps.values) or maps.values[:, 0, 0],
    )
    fit_summary_regression(noisy, *sides[:2], summary="first")
    of_training = [s for s in seen if len(s) == sides[0].sizes["sample"]]
    first, again = of_training[0], of_training[1]
    assert first.shape == again.shape
    assert np.abs(first - again).max() > 1.0  # uK, of noise 3
    npt.assert_allclose(first.mean(axis=(1, 2, 3)), 0, atol=1e-4)  # filtered; float32


def features_of(n, rng):
    """Two directions behind twenty features, and counts that turn with the first of them."""
    hidden = rng.normal(size=(n, 2))
    features = hidden @ rng_free_mixing() + 0.01 * rng.normal(size=(n, 20))
    truth = np.stack([hidden[:, 0] + 0.5 * hidden[:, 0] ** 2, hidden[:, 1]], axis=1)
    return features, truth, hidden


def rng_free_mixing():
    return np.random.default_rng(7).normal(size=(2, 20))


def test_a_quadratic_regression_follows_a_parabola_where_a_linear_one_cannot():
    rng = np.random.default_rng(0)
    sets = [features_of(n, rng)[:2] for n in (400, 200, 200)]
    linear, quadratic = (regression.fit_regression(*sets[:2], n_directions=k) for k in (None, 2))
    features, truth = sets[2]
    straight = np.std(linear.predict(features)[:, 0] - truth[:, 0])
    bent = np.std(quadratic.predict(features)[:, 0] - truth[:, 0])
    npt.assert_allclose(straight, np.sqrt(0.5), rtol=0.3)  # what is left is (x^2 - 1) / 2
    assert bent < 0.2 * straight


def test_maps_that_can_be_read_well_are_served_first():
    rng = np.random.default_rng(0)

    def draw(n):
        x = rng.uniform(-1, 1, n)
        faint = rng.normal(size=n) * np.where(x < 0, 1.0, 0.01)
        return np.stack([x, x**2], axis=1), np.stack([x + faint] * 2, axis=1)

    training, validation, test = draw(600), draw(200), draw(500)
    weighted = regression._weighted_ridge(training[0], validation[0], training[1], validation[1])
    equal = regression.best_ridge(training, validation)
    bright = test[0][:, 0] > 0
    error = [np.std((r.predict(test[0]) - test[1])[bright]) for r in (weighted, equal)]
    assert error[0] < error[1] / 2


def test_a_single_bin_keeps_its_axis():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 1))
    best = regression.fit_regression((x[:200], 2 * x[:200]), (x[200:], 2 * x[200:]))
    npt.assert_allclose(best.predict(x), 2 * x, atol=1e-3)  # the least penalty shrinks by 5e-6
