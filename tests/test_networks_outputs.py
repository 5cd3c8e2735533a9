import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.estimators import QUANTILES
from imtools.networks import LEVELS, MeanAndFactor, OrderedQuantiles, mean_and_covariance
from imtools.networks.outputs import levels_of, n_raw


def test_the_levels_hold_those_of_the_estimators_and_lie_evenly_about_the_median():
    assert set(QUANTILES) < set(LEVELS)
    npt.assert_allclose(np.array(LEVELS) + LEVELS[::-1], 1, rtol=1e-12)  # same arithmetic


def test_quantiles_of_a_network_from_before_are_known_by_their_number():
    assert levels_of(len(LEVELS)) == LEVELS
    assert levels_of(5) == QUANTILES
    with pytest.raises(ValueError, match="answers with 7 quantiles, expected 11, or 5"):
        levels_of(7)


def test_quantiles_never_cross_and_the_median_is_free():
    raw = np.random.default_rng(0).normal(0, 3, (7, n_raw("quantiles", 4))).astype("float32")
    seen = np.array(OrderedQuantiles(4)(raw))
    n = len(LEVELS)
    assert seen.shape == (7, n, 4)
    assert (np.diff(seen, axis=1) > 0).all()
    npt.assert_array_equal(seen[:, n // 2], raw.reshape(7, n, 4)[:, n // 2])


def test_quantiles_are_softplus_steps_from_the_median():
    raw = np.array([[3.0, 1.0, 10.0, 2.0, 4.0]], "float32")
    seen = np.array(OrderedQuantiles(1, levels=QUANTILES)(raw))[0, :, 0]
    s = np.log1p(np.exp(raw[0]))
    npt.assert_allclose(seen, 10 + np.array([-s[1] - s[0], -s[1], 0, s[3], s[3] + s[4]]), rtol=1e-5)


def test_mean_and_factor_put_each_number_in_its_place():
    raw = np.arange(1.0, 10.0, dtype="float32")[None]  # 3 means, 3 on the diagonal, 3 below
    seen = np.array(MeanAndFactor(3, floor=0.5)(raw))[0]
    d = np.log1p(np.exp([4.0, 5.0, 6.0])) + 0.5
    expected = [[1, d[0], 0, 0], [2, 7, d[1], 0], [3, 8, 9, d[2]]]
    npt.assert_allclose(seen, expected, rtol=1e-6)  # float32


def test_the_covariance_is_symmetric_and_positive():
    raw = np.random.default_rng(1).normal(0, 1, (6, n_raw("gaussian", 4))).astype("float32")
    mean, covariance = (np.array(a) for a in mean_and_covariance(MeanAndFactor(4)(raw)))
    npt.assert_array_equal(mean, raw[:, :4])
    factor = np.array(MeanAndFactor(4)(raw))[..., 1:].astype(float)
    inverse = factor @ np.swapaxes(factor, 1, 2)
    # float32, and the worst of six condition numbers
    npt.assert_allclose(covariance @ inverse, np.eye(4) + np.zeros((6, 1, 1)), atol=2e-3)
    npt.assert_allclose(covariance, np.swapaxes(covariance, 1, 2), rtol=1e-5)  # float32
    assert np.linalg.eigvalsh(covariance.astype(float)).min() > 0


def test_a_gaussian_answer_can_be_trained_on():
    """Every raw number of mean and factor gets a gradient."""
    layer, n = MeanAndFactor(3), n_raw("gaussian", 3)
    raw = keras.Input((n,))
    model = keras.Model(raw, layer(keras.layers.Dense(n, name="dense")(raw)))
    before = model.get_layer("dense").bias.numpy()
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse", jit_compile=False)
    model.train_on_batch(np.ones((2, n), "float32"), np.full((2, 3, 4), 9.0, "float32"))
    assert (model.get_layer("dense").bias.numpy() != before).all()


@pytest.mark.parametrize(
    "layer", [OrderedQuantiles(3, levels=(0.1, 0.5, 0.9)), MeanAndFactor(3, floor=0.2)]
)
def test_an_answer_is_rebuilt_from_its_config(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again.n_outputs == 3
    raw = np.ones((2, n_raw("gaussian", 3)), "float32")
    npt.assert_array_equal(np.array(again(raw)), np.array(layer(raw)))


@pytest.mark.parametrize("levels", [(0.5, 0.1, 0.9), (0.1, 0.9), (0.0, 0.5, 1.0), ()])
def test_levels_that_are_no_quantiles_are_refused(levels):
    with pytest.raises(ValueError, match="expected an odd number between 0 and 1, ascending"):
        OrderedQuantiles(3, levels=levels)


def test_a_covariance_that_could_vanish_is_refused():
    with pytest.raises(ValueError, match="floor is 0, expected > 0"):
        MeanAndFactor(3, floor=0)


def test_networks_that_answer_with_a_covariance_are_not_averaged():
    one = networks.build("histogram", (4, 4, 2), 3, width=2, output="gaussian")
    assert networks.average([one]) is one
    with pytest.raises(ValueError, match="2 networks with output 'gaussian', expected 1"):
        networks.average([one, one])
