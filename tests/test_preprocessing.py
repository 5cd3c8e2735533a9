import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.preprocessing import TRANSFORMS, filled_share, pool_cube, scale, unscale
from imtools.survey import Survey, channel_width, pixel_size

SURVEY = Survey.notes(n_pix=16, n_chan=20)
FACTORS = [(1, 2, 2), (1, 4, 4), (10, 4, 4), (20, 16, 16), (1, 1, 1), (5, 1, 2)]


@pytest.fixture
def sky():
    return SURVEY.cube(np.random.default_rng(0).lognormal(size=SURVEY.shape))


@pytest.fixture
def noisy(sky):
    return sky - 2.0


@pytest.mark.parametrize(("freq", "dec", "ra"), FACTORS)
def test_mean_pooling_keeps_the_mean_and_sum_pooling_the_sum(sky, freq, dec, ra):
    mean = pool_cube(sky, freq=freq, dec=dec, ra=ra)
    summed = pool_cube(sky, freq=freq, dec=dec, ra=ra, how="sum")
    assert mean.shape == (20 // freq, 16 // dec, 16 // ra)
    # float64 sums in another order
    npt.assert_allclose(mean.mean(), sky.mean(), rtol=1e-12)
    npt.assert_allclose(summed.sum(), sky.sum(), rtol=1e-12)
    npt.assert_allclose(summed, mean * freq * dec * ra, rtol=1e-12)


def test_pooling_takes_the_block_of_each_axis(sky):
    pooled = pool_cube(sky, freq=5, dec=2, ra=4)
    block = sky.isel(freq=slice(10, 15), dec=slice(6, 8), ra=slice(4, 8))
    npt.assert_allclose(pooled[2, 3, 1], block.mean(), rtol=1e-12)  # float64 sums


def test_pooled_coordinates_are_those_of_the_coarser_survey(sky):
    pooled = pool_cube(sky, freq=10, dec=4, ra=4)
    coarse = SURVEY.replace(n_pix=4, n_chan=2)
    coarse = coarse.cube(np.zeros(coarse.shape))
    for name in ("freq", "dec", "ra", "z"):
        npt.assert_allclose(pooled[name], coarse[name], rtol=1e-12)  # float64 arithmetic
        assert pooled[name].attrs["units"] == coarse[name].attrs["units"]
    npt.assert_allclose(channel_width(pooled), coarse["freq"].attrs["width"], rtol=1e-12)
    npt.assert_allclose(pixel_size(pooled), coarse["ra"].attrs["width"], rtol=1e-12)


def test_width_survives_pooling_to_a_single_voxel(sky):
    pooled = pool_cube(sky, freq=20, dec=16, ra=16)
    npt.assert_allclose(channel_width(pooled), 8.0, rtol=1e-12)  # GHz, the band
    npt.assert_allclose(pixel_size(pooled), 1.4, rtol=1e-12)  # deg, the field


def test_pooled_cube_says_how_and_how_many(sky):
    pooled = pool_cube(pool_cube(sky, dec=2, ra=2, how="sum"), freq=10, how="sum")
    assert pooled.attrs["pooling"] == "sum"
    assert pooled.attrs["n_pooled"] == 40
    assert "summed" in pooled.attrs["long_name"]
    assert pool_cube(sky, ra=2).attrs["long_name"] == "brightness temperature"
    assert pooled.attrs["units"] == "uK"


def test_pooling_in_two_steps_is_pooling_in_one(sky):
    steps = pool_cube(pool_cube(sky, freq=2, dec=2), freq=5, dec=2, ra=4)
    xr.testing.assert_allclose(steps, pool_cube(sky, freq=10, dec=4, ra=4), rtol=1e-12)
    assert steps.attrs == pool_cube(sky, freq=10, dec=4, ra=4).attrs


def test_pooling_a_stack_is_pooling_each_map(sky):
    stack = xr.concat([sky, 2 * sky], "sample").assign_attrs(sky.attrs)
    pooled = pool_cube(stack, freq=10, dec=4, ra=4)
    assert pooled.dims == ("sample", "freq", "dec", "ra")
    npt.assert_allclose(pooled[1], pool_cube(2 * sky, freq=10, dec=4, ra=4), rtol=1e-12)


def test_pooling_keeps_float32_and_makes_whole_numbers_float(sky):
    assert pool_cube(sky.astype(np.float32), ra=2).dtype == np.float32
    counts = SURVEY.cube(np.arange(np.prod(SURVEY.shape)).reshape(SURVEY.shape))
    assert float(pool_cube(counts, ra=2)[0, 0, 0]) == 0.5


def test_pooling_leaves_the_input_alone(sky):
    before = sky.copy(deep=True)
    for factors in ({"ra": 2}, {"freq": 1}):
        pool_cube(sky, **factors)[...] = 0
    xr.testing.assert_identical(sky, before)
    assert sky["ra"].attrs == before["ra"].attrs


def test_pooling_refuses_what_does_not_divide(sky):
    with pytest.raises(ValueError, match="freq is 3, expected a whole number that divides 20"):
        pool_cube(sky, freq=3)
    with pytest.raises(ValueError, match=r"ra is 2\.0, expected a whole number"):
        pool_cube(sky, ra=2.0)
    with pytest.raises(ValueError, match="dec is 0"):
        pool_cube(sky, dec=0)


def test_pooling_refuses_an_unknown_way_and_a_mixture_of_ways(sky):
    with pytest.raises(ValueError, match="'max', expected 'mean' or 'sum'"):
        pool_cube(sky, ra=2, how="max")
    with pytest.raises(ValueError, match="'mean' but the cube was pooled by 'sum'"):
        pool_cube(pool_cube(sky, ra=2, how="sum"), ra=2)


def test_filled_share_counts_voxels_that_are_not_zero(sky):
    empty = sky * 0
    half = sky.where(sky["freq"] > 30, 0.0)
    stack = xr.concat([sky, half, empty], "sample").assign_attrs(units="uK")
    share = filled_share(stack)
    npt.assert_array_equal(share, [1.0, 0.5, 0.0])
    assert share.dims == ("sample",)
    assert share.attrs["units"] == "1"


def test_pooling_fills_a_sparse_map(sky):
    sparse = sky.where(np.random.default_rng(1).random(sky.shape) < 0.1, 0.0)
    # 16 voxels: 1 - 0.9^16 = 0.815; 5 sigma of a share of 320
    share = filled_share(pool_cube(sparse, dec=4, ra=4))
    npt.assert_allclose(share, 1 - 0.9**16, atol=5 * np.sqrt(0.815 * 0.185 / 320))


def test_log10_is_that_of_the_notes():
    npt.assert_allclose(scale(np.array([0.0, 1.0, 100.0]), "log10"), [0, 6, 8], atol=1e-6)


def test_log_modulus_and_asinh_are_odd_and_logarithmic():
    temp = np.array([-999.0, -9.0, 0.0, 9.0, 999.0])
    npt.assert_allclose(scale(temp, "log_modulus"), [-3, -1, 0, 1, 3], rtol=1e-12)
    npt.assert_allclose(scale(temp, "asinh"), -scale(-temp, "asinh"), rtol=1e-12)
    # asinh(x) = ln(2x) + 1 / (4 x^2) for x large
    npt.assert_allclose(scale(temp, "asinh")[-1], np.log(2 * 999), rtol=1e-6)
    npt.assert_allclose(scale(temp, "asinh", softening=1e6), temp / 1e6, rtol=1e-6)  # linear there


@pytest.mark.parametrize("transform", TRANSFORMS)
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-9)])
def test_unscale_returns_what_scale_was_given(sky, transform, dtype, rtol):
    temp = np.concatenate([np.logspace(-3, 4, 50), [0.0]]).astype(dtype)
    if transform != "log10":
        temp = np.concatenate([-temp, temp])
    scaled = scale(temp, transform, softening=2.0)
    back = unscale(scaled, transform, softening=2.0)
    assert scaled.dtype == back.dtype == dtype
    # float32: digits of log10(T) + 6 are lost below 1e-6 / eps of 9, about 1e-6 uK
    npt.assert_allclose(back, temp, rtol=rtol, atol=2e-7 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_every_transform_is_finite_for_noise_or_refuses_it(noisy, transform):
    if transform == "log10":
        with pytest.raises(ValueError, match=r"are negative \(lowest .*log_modulus or asinh"):
            scale(noisy, transform)
    else:
        assert np.isfinite(scale(noisy, transform)).all()


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_scaled_map_says_its_unit_and_unscaled_map_is_the_map(sky, transform):
    before = sky.copy(deep=True)
    scaled = scale(sky, transform, softening=3.0)
    assert scaled.attrs["units"] == ("uK" if transform == "linear" else "1")
    assert scaled.attrs["transform"] == transform
    assert (scaled.attrs["long_name"] == sky.attrs["long_name"]) == (transform == "linear")
    assert scaled.dims == sky.dims
    back = unscale(scaled, transform, softening=3.0)
    xr.testing.assert_allclose(back, sky, rtol=1e-9)  # digits lost under the + 6
    assert back.attrs == sky.attrs
    scaled[...] = 0
    xr.testing.assert_identical(sky, before)


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_scale_is_monotonic(transform):
    temp = np.linspace(0, 50, 300)
    assert (np.diff(scale(temp, transform)) > 0).all()


def test_scale_returns_a_new_array():
    temp = np.ones(3)
    scale(temp, "linear")[:] = 5
    unscale(temp, "linear")[:] = 5
    npt.assert_array_equal(temp, 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scale_refuses_a_mask_that_is_not_filled(sky, bad):
    holed = sky.copy(deep=True)
    holed[0, 0, :3] = bad
    for values in (holed, holed.values):
        with pytest.raises(ValueError, match="scale: 3 of 5120 values are NaN or infinite"):
            scale(values, "asinh")


def test_scale_refuses_an_unknown_transform_and_lists_them(sky):
    with pytest.raises(ValueError, match="'log', expected one of linear, log10, log_modulus"):
        scale(sky, "log")
    with pytest.raises(ValueError, match="softening is 0"):
        scale(sky, "asinh", softening=0)


def test_scale_refuses_a_scaled_map_and_unscale_one_of_another_transform(sky):
    scaled = scale(sky, "log10")
    with pytest.raises(ValueError, match="got a map in log10, expected temperatures in uK"):
        scale(scaled, "asinh")
    with pytest.raises(ValueError, match="got a map in linear"):
        scale(scale(sky, "linear"), "log10")
    with pytest.raises(ValueError, match=r"made by log10 with softening 1.0 uK, expected asinh"):
        unscale(scaled, "asinh")


def test_scale_takes_an_empty_batch():
    assert scale(np.zeros((0, 4, 4, 2), np.float32), "log10").shape == (0, 4, 4, 2)
