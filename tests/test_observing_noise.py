import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.observing import add_white_noise, noise_per_voxel, pooled_noise, voxel_noise
from imtools.preprocessing import pool_cube
from imtools.survey import Survey

FEED = {"t_sys": 40.0, "n_feeds": 19, "t_pix": 1000.0}
SURVEY = Survey.notes(n_pix=64, n_chan=20)
NOTES_CONVENTION = {"sigma_noise": 11.0, "convention": "fine_voxel"}
SURVEY_CONVENTION = {"sigma_noise": 11.0, "convention": "reference_voxel"}


@pytest.fixture
def sky():
    return SURVEY.cube(np.random.default_rng(0).lognormal(size=SURVEY.shape))


def empty_sky(survey):
    return survey.cube(np.zeros(survey.shape))


def test_noise_per_voxel_of_the_comap_survey():
    t_pix = 6000 * 3600 * (4 / 60) ** 2 / 2.25
    sigma = noise_per_voxel(t_sys=40.0, n_feeds=19, delta_nu=0.015625, t_pix=t_pix)
    npt.assert_allclose(sigma, 11.0, rtol=0.05)  # the survey quotes two digits


@pytest.mark.parametrize("name", ["n_feeds", "t_pix", "delta_nu"])
def test_noise_per_voxel_halves_with_four_times_of(name):
    settings = FEED | {"delta_nu": 0.5}
    four = settings | {name: 4 * settings[name]}
    npt.assert_allclose(
        noise_per_voxel(**four), noise_per_voxel(**settings) / 2, rtol=1e-12
    )  # same arithmetic


def test_noise_per_voxel_is_proportional_to_system_temperature():
    hot = noise_per_voxel(delta_nu=0.5, **FEED | {"t_sys": 80.0})
    npt.assert_allclose(hot, 2 * noise_per_voxel(delta_nu=0.5, **FEED), rtol=1e-12)


@pytest.mark.parametrize("name", ["t_sys", "n_feeds", "t_pix", "delta_nu"])
def test_noise_per_voxel_refuses_what_is_not_positive(name):
    settings = FEED | {"delta_nu": 0.5, name: 0.0}
    with pytest.raises(ValueError, match=f"{name} is 0.0.*expected above 0"):
        noise_per_voxel(**settings)


def test_fine_voxel_convention_ignores_the_size_of_the_voxel():
    for survey in (SURVEY, Survey.comap(n_chan=16)):
        assert voxel_noise(empty_sky(survey), **NOTES_CONVENTION) == 11.0


def test_reference_voxel_convention_returns_sigma_for_that_voxel():
    # 4' by 15.625 MHz: the comap channels are 15.625 MHz, and 21 pixels of 4' fill 1.4 deg
    cube = empty_sky(Survey.comap())
    npt.assert_allclose(voxel_noise(cube, **SURVEY_CONVENTION), 11.0, rtol=1e-12)


def test_reference_voxel_convention_gives_59_uk_in_a_voxel_of_the_notes():
    survey = Survey.notes(field_size=1.4 / 32, n_pix=8)  # the same voxels, fewer
    sigma = voxel_noise(empty_sky(survey), **SURVEY_CONVENTION)
    npt.assert_allclose(sigma, 59.0, rtol=0.01)  # quoted to two digits


def test_noise_of_the_reference_convention_falls_as_the_root_of_the_volume():
    small = voxel_noise(empty_sky(SURVEY), **SURVEY_CONVENTION)
    wide = voxel_noise(empty_sky(SURVEY.replace(n_pix=32, n_chan=5)), **SURVEY_CONVENTION)
    npt.assert_allclose(small, wide * 4, rtol=1e-12)  # 2 x 2 x 4 voxels in one


@pytest.mark.parametrize("convention", ["fine_voxel", "reference_voxel"])
@pytest.mark.parametrize("how", ["mean", "sum"])
def test_noise_added_after_pooling_is_as_wide_as_before_it(convention, how):
    noise = {"sigma_noise": 11.0, "convention": convention}
    factors = {"freq": 5, "dec": 2, "ra": 2, "how": how}
    rng = np.random.default_rng(1)
    before = pool_cube(add_white_noise(empty_sky(SURVEY), rng=rng, **noise), **factors)
    after = add_white_noise(pool_cube(empty_sky(SURVEY), **factors), rng=rng, **noise)
    npt.assert_allclose(before.attrs["sigma_noise"], after.attrs["sigma_noise"], rtol=1e-12)
    rtol = 5 / np.sqrt(2 * after.size)  # 5 sigma of a standard deviation from N draws
    npt.assert_allclose(before.std(), before.attrs["sigma_noise"], rtol=rtol)
    npt.assert_allclose(after.std(), after.attrs["sigma_noise"], rtol=rtol)


@pytest.mark.parametrize("convention", ["fine_voxel", "reference_voxel"])
def test_noise_has_the_stated_width_and_no_mean(sky, convention):
    rng = np.random.default_rng(1)
    noisy = add_white_noise(sky, sigma_noise=7.0, convention=convention, rng=rng)
    noise, sigma = noisy - sky, noisy.attrs["sigma_noise"]
    npt.assert_allclose(noise.std(), sigma, rtol=5 / np.sqrt(2 * sky.size))  # 5 sampling errors
    npt.assert_allclose(noise.mean(), 0, atol=5 * sigma / np.sqrt(sky.size))


def test_noise_is_independent_between_voxels_and_maps(sky):
    stack = xr.concat([sky, sky], "sample")
    rng = np.random.default_rng(1)
    noise = (add_white_noise(stack, rng=rng, **NOTES_CONVENTION) - stack) / 11.0
    limit = 5 / np.sqrt(sky.size)  # 5 sigma of a correlation from N pairs
    for name in noise.dims:
        assert abs((noise * noise.roll({name: 1})).mean()) < limit


def test_noise_twice_adds_in_quadrature(sky):
    rng = np.random.default_rng(1)
    once = add_white_noise(sky, sigma_noise=3.0, convention="fine_voxel", rng=rng)
    twice = add_white_noise(once, sigma_noise=4.0, convention="fine_voxel", rng=rng)
    npt.assert_allclose(twice.attrs["sigma_noise"], 5.0, rtol=1e-12)  # float64 arithmetic


def test_the_same_generator_draws_the_same_noise(sky):
    one, two = (
        add_white_noise(sky, rng=np.random.default_rng(5), **NOTES_CONVENTION) for _ in range(2)
    )
    xr.testing.assert_identical(one, two)


def test_noise_of_zero_changes_no_value(sky):
    rng = np.random.default_rng(1)
    quiet = add_white_noise(sky, sigma_noise=0.0, convention="fine_voxel", rng=rng)
    npt.assert_array_equal(quiet, sky)


def test_add_white_noise_keeps_labels_and_dtype_and_leaves_the_input_alone(sky):
    single = sky.astype(np.float32)
    before = single.copy(deep=True)
    noisy = add_white_noise(single, rng=np.random.default_rng(1), **NOTES_CONVENTION)
    xr.testing.assert_identical(single, before)
    assert noisy.dtype == np.float32
    assert noisy.dims == sky.dims
    assert noisy.attrs["units"] == "uK"
    xr.testing.assert_identical(noisy["freq"], sky["freq"])


def test_noise_refuses_an_unknown_convention_and_lists_both(sky):
    with pytest.raises(ValueError, match=r"'voxel'.*fine_voxel, reference_voxel"):
        voxel_noise(sky, sigma_noise=1.0, convention="voxel")


@pytest.mark.parametrize("sigma", [-1.0, np.nan, np.inf])
def test_noise_refuses_a_negative_or_endless_sigma(sky, sigma):
    with pytest.raises(ValueError, match=f"sigma_noise is {sigma} uK"):
        voxel_noise(sky, sigma_noise=sigma, convention="fine_voxel")


def test_noise_refuses_a_map_that_is_not_in_uk(sky):
    with pytest.raises(ValueError, match="add_white_noise: units are 'K'"):
        add_white_noise(
            sky.assign_attrs(units="K"), rng=np.random.default_rng(1), **NOTES_CONVENTION
        )


def test_pooled_noise_refuses_what_it_does_not_know():
    with pytest.raises(ValueError, match="'median', expected 'mean' or 'sum'"):
        pooled_noise(1.0, n_voxels=4, how="median")
    with pytest.raises(ValueError, match="n_voxels is 0"):
        pooled_noise(1.0, n_voxels=0, how="mean")
    with pytest.raises(ValueError, match="sigma_noise is -1 uK, expected finite and at least 0"):
        pooled_noise(-1, n_voxels=4, how="mean")


@pytest.mark.parametrize("rng", [None, 5])
def test_noise_refuses_what_cannot_draw(sky, rng):
    with pytest.raises(TypeError, match=f"add_white_noise: rng is {rng}, expected a Generator"):
        add_white_noise(sky, rng=rng, **NOTES_CONVENTION)
