import inspect
from functools import partial

import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools.datasets import log_counts_array, network_inputs
from imtools.estimators import (
    ESTIMATORS,
    QUANTILES,
    fit_histogram_regression,
    fit_network,
    fit_summary_regression,
    load_network,
    predict_all,
)
from imtools.evaluation.memorisation import fit_memoriser

# Keras 3.15 asks numpy for a copy in the way of numpy 1 when it saves weights


@pytest.fixture(scope="module")
def experiment():
    return toy_experiment(epochs=60, n_train=16, batch_size=16)


@pytest.fixture(scope="module")
def train():
    return toy_data(range(16))


@pytest.fixture(scope="module")
def validation():
    return toy_data(range(20, 24))


@pytest.fixture(scope="module")
def test():
    return toy_data(range(30, 34))


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def methods(experiment, train, validation, run_dir):
    return {name: fit(experiment, train, validation, run_dir) for name, fit in ESTIMATORS.items()}


@pytest.fixture(params=sorted(ESTIMATORS))
def method(request, methods):
    return methods[request.param]


def rms(method, data, experiment):
    error = method.median(data["map"], experiment) - log_counts_array(data, experiment)
    return np.sqrt(np.mean(error**2))


def test_every_fit_takes_the_same_arguments():
    known = ["experiment", "data_train", "data_validation", "run_dir"]
    assert list(ESTIMATORS) == ["prior_mean", "histogram_regression", "network"]
    assert all(list(inspect.signature(fit).parameters) == known for fit in ESTIMATORS.values())


def test_predictions_are_ordered_quantiles_with_units(method, test, experiment):
    seen = method.predict(test["map"], experiment)
    assert seen.dims == ("sample", "quantile", "log_l")
    assert seen.attrs["units"] == "log10(1)"
    assert seen.attrs["convention"] == "log_dn"
    npt.assert_allclose(seen["log_l"], test["counts"]["log_l"], rtol=1e-12)  # same arithmetic
    npt.assert_allclose(seen["quantile"], QUANTILES)
    npt.assert_array_equal(seen["catalogue"], test["catalogue"])
    assert (seen.diff("quantile") >= 0).all()
    npt.assert_array_equal(seen.sel(quantile=0.5), method.median(test["map"], experiment))


def test_prior_mean_is_the_mean_and_the_spread_of_the_training_maps(methods, train, experiment):
    seen = methods["prior_mean"].predict(train["map"], experiment)
    log_dn = log_counts_array(train, experiment)
    npt.assert_allclose(seen.sel(quantile=0.5)[0], log_dn.mean(axis=0), rtol=1e-5)  # float32
    inside = (log_dn > seen.sel(quantile=0.16)) & (log_dn < seen.sel(quantile=0.84))
    # 0.68 by construction, less the two maps at each edge; where bins are seldom empty
    npt.assert_allclose(inside.mean("sample")[:9], 0.68, atol=4 / 64)


@pytest.mark.parametrize("name", ["histogram_regression", "network"])
def test_a_method_that_sees_the_map_beats_the_prior_threefold(name, methods, test, experiment):
    prior = rms(methods["prior_mean"], test, experiment)
    assert rms(methods[name], test, experiment) < prior / 3


@pytest.mark.parametrize("name", ["histogram_regression", "network"])
def test_intervals_hold_their_share_of_the_validation_maps(name, methods, validation, experiment):
    seen = methods[name].predict(validation["map"], experiment)
    log_dn = log_counts_array(validation, experiment)
    for low, high in ((0.16, 0.84), (0.025, 0.975)):
        inside = (log_dn >= seen.sel(quantile=low)) & (log_dn <= seen.sel(quantile=high))
        # quantiles of 16 maps: at most one map beyond on each side is cut differently
        assert inside.mean("sample").min() >= high - low - 2 / 16


def test_histogram_regression_does_not_see_where_a_voxel_is(methods, test, experiment):
    ridge = methods["histogram_regression"]
    turned = test["map"].copy(data=test["map"].values[:, ::-1, :, ::-1])
    straight = ridge.median(test["map"], experiment)
    npt.assert_allclose(ridge.median(turned, experiment), straight, rtol=1e-12)  # same counts


def test_histogram_regression_chooses_a_penalty_by_validation(train, validation, experiment):
    # validation maps without any signal to learn: the strongest penalty does best
    others = toy_data(range(40, 44))["map"].values
    shuffled = validation.assign(map=validation["map"].copy(data=others))
    weak = fit_histogram_regression(experiment, train, validation).ridge.alpha
    strong = fit_histogram_regression(experiment, train, shuffled).ridge.alpha
    assert weak < strong


def test_a_network_is_loaded_as_it_was_fitted(methods, test, experiment, validation, run_dir):
    again = load_network(run_dir, experiment, validation)
    expected = methods["network"].predict(test["map"], experiment)
    npt.assert_allclose(again.predict(test["map"], experiment), expected, rtol=1e-5, atol=1e-6)


def test_a_network_answers_in_log_counts_not_in_standardised_ones(methods, train, experiment):
    network = methods["network"]
    raw = network.model.predict_on_batch(network_inputs(train["map"], experiment))
    assert np.abs(raw.mean(axis=0)).max() < 0.5  # standardised over the training maps
    mean = log_counts_array(train, experiment).mean(axis=0)
    median = network.median(train["map"], experiment).mean(axis=0)
    npt.assert_allclose(median, mean, atol=0.1)  # dex, of 0 to 2.7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.isel(ra=slice(8)), r"predict: shape of the maps is \[4, 16, 8\], expected"),
        (lambda m: m.isel(freq=slice(2)), r"predict: shape of the maps is \[2, 16, 16\], expect"),
        (lambda m: m.assign_coords(ra=2 * m.ra, dec=2 * m.dec), "is 0.175 deg, expected 0.0875"),
    ],
)
def test_maps_unlike_those_in_training_are_refused(method, test, experiment, change, message):
    with pytest.raises(ValueError, match=message):
        method.predict(change(test["map"]), experiment)


def test_another_scaling_than_in_the_fit_is_refused(method, test, experiment):
    with pytest.raises(ValueError, match="transform is 'log_modulus', expected 'asinh'"):
        method.predict(test["map"], experiment.replace(transform="log_modulus"))


def test_all_methods_see_the_same_noise(methods, test, experiment):
    noisy = experiment.replace(sigma_noise=1.0)
    ridge = methods["histogram_regression"]
    seen = predict_all([ridge, methods["prior_mean"], ridge], test["map"], noisy, seed=1)
    assert seen.dims == ("method", "sample", "quantile", "log_l")
    names = ["histogram_regression", "prior_mean", "histogram_regression"]
    assert seen["method"].values.tolist() == names
    npt.assert_array_equal(seen[0], seen[2])
    other = predict_all([ridge], test["map"], noisy, seed=2)
    assert (np.abs(other[0] - seen[0]) > 0).any()
    npt.assert_array_equal(predict_all([ridge], test["map"], noisy, seed=1)[0], seen[0])


def test_noise_makes_a_regression_worse(train, validation, test, experiment):
    noisy = experiment.replace(sigma_noise=20.0)
    clear = fit_histogram_regression(experiment, train, validation)
    blurred = fit_histogram_regression(noisy, train, validation)
    rng = np.random.default_rng(0)
    error = blurred.median(test["map"], noisy, rng) - log_counts_array(test, noisy)
    assert np.sqrt(np.mean(error**2)) > 1.5 * rms(clear, test, experiment)


FITS = {
    "fit_histogram_regression": fit_histogram_regression,
    "fit_summary_regression": partial(fit_summary_regression, summary="pk"),
    "fit_memoriser": fit_memoriser,
}


@pytest.mark.parametrize("name", FITS)
def test_a_fit_refuses_a_validation_that_shares_a_catalogue(name, train, experiment):
    with pytest.raises(ValueError, match="check_splits: catalogue 15 is in validation"):
        FITS[name](experiment, train, toy_data([15, 20]))


@pytest.mark.parametrize(("name", "fit"), [*FITS.items(), ("fit_network", fit_network)])
def test_a_fit_refuses_a_validation_without_maps(name, fit, train, experiment, tmp_path):
    with pytest.raises(ValueError, match=f"{name}: 0 validation maps, expected at least 1"):
        fit(experiment, train, train.isel(sample=[]), tmp_path)


@pytest.mark.parametrize("name", ["prior_mean", "histogram_regression"])
def test_a_fit_refuses_a_training_without_maps(name, validation, experiment):
    with pytest.raises(ValueError, match=f"fit_{name}: 0 training maps, expected at least 1"):
        ESTIMATORS[name](experiment, validation.isel(sample=[]), validation)


def test_no_maps_and_no_draws_are_refused(method, test, experiment):
    rng = np.random.default_rng(0)
    for ask in (method.predict, method.median, method.draws):
        with pytest.raises(ValueError, match=r"predict: 0 maps, expected at least 1"):
            ask(test["map"][:0], experiment, rng)
    with pytest.raises(ValueError, match=r"\.draws: 0 draws, expected at least 1"):
        method.draws(test["map"], experiment, rng, n_draws=0)
