import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.ndimage import correlate

from imtools.networks import build
from imtools.networks.explained import KERNELS, around, convolve_once, pool_once


@pytest.fixture
def channel():
    rng = np.random.default_rng(3)
    dec, ra = np.linspace(-1, 1, 6), np.linspace(-2, 2, 8)
    deg = {"units": "deg"}
    return xr.DataArray(
        rng.exponential(size=(6, 8)), dims=("dec", "ra"), name="brightness_temperature",
        coords={"dec": ("dec", dec, deg), "ra": ("ra", ra, deg), "freq": 30.0},
        attrs={"units": "uK"},
    )  # fmt: skip


@pytest.mark.parametrize("name", KERNELS)
def test_a_convolution_sums_weights_times_neighbours_and_the_sky_beyond_is_zero(channel, name):
    kernel = KERNELS[name]
    expected = correlate(channel.values, kernel, mode="constant")
    seen = convolve_once(channel, kernel)
    npt.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5)  # float32 path
    assert seen.dims == channel.dims
    npt.assert_array_equal(seen["ra"], channel["ra"])


def test_a_convolution_is_that_of_the_networks(channel):
    kernel = KERNELS["edges along ra"] + KERNELS["bright spots"]
    settings = {"n_blocks": 1, "filters": 1, "n_dims": 2, "batch_norm": False, "width": 1}
    model = build("notes_cnn", (6, 8, 1), 1, **settings)
    layer = model.get_layer("block_1_convolution")
    layer.set_weights([kernel[:, :, None, None].astype("float32"), np.zeros(1, "float32")])
    answer = layer(channel.values[None, :, :, None].astype("float32"))  # with its ReLU
    seen = np.maximum(convolve_once(channel, kernel), 0)
    npt.assert_allclose(np.asarray(answer)[0, :, :, 0], seen, rtol=1e-5, atol=1e-6)  # float32


def test_pooling_takes_the_maximum_or_mean_of_four_pixels(channel):
    four = channel.values.reshape(3, 2, 4, 2)
    npt.assert_allclose(pool_once(channel, "max"), four.max(axis=(1, 3)), rtol=1e-6)  # float32
    half = pool_once(channel, "average")
    npt.assert_allclose(half, four.mean(axis=(1, 3)), rtol=1e-6)
    npt.assert_allclose(half["ra"], channel["ra"].values.reshape(-1, 2).mean(axis=1), rtol=1e-12)
    assert half["ra"].attrs == {"units": "deg"}
    with pytest.raises(ValueError, match="pool_once: how is 'sum', expected max or average"):
        pool_once(channel, "sum")


def test_the_pixels_around_the_brightest_are_cut_out_whole(channel):
    spot = channel.copy(data=np.zeros(channel.shape))
    spot[0, 0], spot[3, 2] = 9.0, 5.0  # the brightest of all has no pixels on two sides
    cut = around(spot, side=5)
    assert cut.shape == (5, 5)
    assert cut[2, 2] == 5.0
    assert around(channel, side=1).shape == (1, 1)
