import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.networks import Patches, SumCounts

SHAPE = (8, 8, 4)
MEAN, WIDTH = np.array([3.0, 2.0, 0.5]), np.array([0.1, 0.2, 0.4])


@pytest.fixture
def maps():
    return np.random.default_rng(0).gamma(1.0, 1.0, (5, *SHAPE)).astype("float32")


def trained(shape=SHAPE, seed=4, **settings):
    """Return a network of random weights, on the scale of the targets."""
    model = networks.build("additive", shape, 3, **{"filters": 6, "patch": 2} | settings)
    networks.adapt(model, np.zeros((1, *shape), "float32"), target=(MEAN, WIDTH))
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return model


def counts(model, maps):
    return 10 ** (model.predict_on_batch(maps).astype(float) * WIDTH + MEAN)


@pytest.mark.parametrize("settings", [{}, {"n_dims": 2}, {"patch": 1}, {"freq_channel": False}])
def test_the_counts_of_a_field_are_the_sum_of_those_of_its_parts(maps, settings):
    model = trained(**settings)
    quarter = networks.resized(model, (4, 4, 4))
    parts = [maps[:, i : i + 4, j : j + 4] for i in (0, 4) for j in (0, 4)]
    whole = counts(model, maps)
    assert (np.ptp(whole, axis=0) > 1e-3 * whole.mean(axis=0)).all()  # the maps do differ
    npt.assert_allclose(sum(counts(quarter, p) for p in parts), whole, rtol=1e-5)  # float32


def test_a_network_trained_on_patches_is_applied_to_a_field_of_any_size(maps):
    model = trained()
    field = np.concatenate([maps[0], maps[1], maps[2]], axis=0)[None]
    larger = networks.resized(model, (24, 8, 4))
    npt.assert_allclose(counts(larger, field)[0], counts(model, maps[:3]).sum(axis=0), rtol=1e-5)


def test_an_average_of_additive_networks_is_resized_too(maps):
    members = [trained(seed=seed) for seed in (1, 2)]
    ensemble = networks.resized(networks.average(members), (4, 4, 4))
    small = maps[:, :4, :4]
    alone = [networks.resized(m, (4, 4, 4)).predict_on_batch(small) for m in members]
    npt.assert_allclose(ensemble.predict_on_batch(small), np.mean(alone, axis=0), rtol=1e-5)


def test_a_network_starts_at_the_mean_counts(maps):
    model = networks.build("additive", SHAPE, 3)
    networks.adapt(model, maps, target=(MEAN, WIDTH))
    npt.assert_allclose(counts(model, maps), 10 ** np.tile(MEAN, (5, 1)), rtol=1e-5)  # float32


def test_patches_hold_the_pixels_of_a_square_and_a_channel():
    maps = np.arange(4 * 6 * 3, dtype="float32").reshape(1, 4, 6, 3)
    seen = np.array(Patches(2, n_dims=3)(maps))
    assert seen.shape == (1, 2 * 3 * 3, 4)
    npt.assert_array_equal(seen[0, 4], maps[0, 0:2, 2:4, 1].ravel())  # second along ra
    seen = np.array(Patches(2, n_dims=2)(maps))
    assert seen.shape == (1, 2 * 3, 12)
    npt.assert_array_equal(np.sort(seen[0, 4]), np.sort(maps[0, 2:4, 2:4].ravel()))


def test_patches_know_their_frequency():
    seen = np.array(
        Patches(1, n_dims=3, freq_channel=True)(
            np.ones(
                (
                    1,
                    2,
                    1,
                    3,
                ),
                "float32",
            )
        )
    )
    npt.assert_array_equal(seen[0, :, 1], [-1, 0, 1, -1, 0, 1])


def test_pixels_in_no_patch_are_refused():
    with pytest.raises(ValueError, match=r"\(8, 8, 4\), expected multiples of patch 3 in dec"):
        networks.build("additive", SHAPE, 3, patch=3)
    with pytest.raises(ValueError, match=r"\(9, 8, 4\), expected multiples of patch 2"):
        networks.resized(trained(), (9, 8, 4))


def test_no_counts_are_no_infinite_logarithm():
    layer = SumCounts()
    seen = np.array(layer(np.full((1, 4, 2), -200.0, "float32")))
    npt.assert_allclose(seen, -6, rtol=1e-5)  # log10 of LEAST, float32


def test_what_is_not_additive_is_refused():
    with pytest.raises(ValueError, match="'quantiles', expected 'point', since"):
        networks.build("additive", SHAPE, 3, output="quantiles")
    with pytest.raises(ValueError, match="the network is 'histogram', expected an additive one"):
        networks.resized(networks.build("histogram", SHAPE, 3, width=2), (4, 4, 4))
    with pytest.raises(ValueError, match="n_freq is 2, expected 4 as in training"):
        networks.resized(trained(), (8, 8, 2))


def test_a_network_that_does_not_know_its_targets_is_not_resized():
    model = networks.build("additive", SHAPE, 3, patch=2)
    with pytest.raises(ValueError, match="never told the scale of its targets, so what it sums"):
        networks.resized(model, (4, 4, 4))
