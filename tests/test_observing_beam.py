import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from astropy.convolution import Gaussian2DKernel, convolve

from imtools.constants import FWHM_TO_SIGMA
from imtools.observing import finer, smooth_beam, to_survey
from imtools.survey import Survey

SURVEY = Survey.comap(n_chan=3)
FINE = finer(SURVEY, 5)  # pixels of 0.8 arcmin
BEAM = 4.0  # arcmin


def point_source(survey, row, column, channel=1):
    values = np.zeros(survey.shape)
    values[channel, row, column] = 1.0
    return survey.cube(values)


def random_sky(survey, seed=0):
    return survey.cube(np.random.default_rng(seed).lognormal(size=survey.shape))


def test_beam_keeps_the_flux_of_a_source_away_from_the_edges():
    smooth = smooth_beam(point_source(FINE, 50, 40), beam_fwhm=BEAM)
    # 2e-9 of a Gaussian lies beyond 5.5 sigma, and the weights are divided by their sum
    npt.assert_allclose(smooth.isel(freq=1).sum(), 1.0, rtol=1e-12)
    npt.assert_array_equal(smooth.isel(freq=[0, 2]), 0.0)


def test_beam_has_the_stated_width_and_is_round():
    smooth = smooth_beam(point_source(FINE, 52, 52), beam_fwhm=BEAM).isel(freq=1)
    for name in ("dec", "ra"):
        variance = float((smooth * (60 * smooth[name]) ** 2).sum())
        npt.assert_allclose(variance, (BEAM * FWHM_TO_SIGMA) ** 2, rtol=5e-6)  # cut at 5.5 sigma
    at_half = float(smooth.interp(ra=BEAM / 2 / 60, dec=0.0) / smooth.max())
    npt.assert_allclose(at_half, 0.5, rtol=0.03)  # linear between pixels of a fifth of the beam
    npt.assert_allclose(smooth.values, smooth.values.T, rtol=1e-12)


def test_beam_at_the_edge_loses_half_and_nothing_comes_round():
    smooth = smooth_beam(point_source(FINE, 52, 0), beam_fwhm=BEAM).isel(freq=1)
    middle = float(smooth.isel(ra=0).sum())
    npt.assert_allclose(smooth.sum(), (1 + middle) / 2, rtol=1e-9)  # symmetric about its pixel
    npt.assert_array_equal(smooth.isel(ra=slice(50, None)), 0.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_beam_is_that_of_astropy(dtype):
    cube = random_sky(FINE).astype(dtype)
    smooth = smooth_beam(cube, beam_fwhm=BEAM)
    assert smooth.dtype == dtype
    sigma = BEAM * FWHM_TO_SIGMA / (60 * FINE.pixel_size)
    kernel = Gaussian2DKernel(sigma, x_size=41, y_size=41)
    for channel in range(FINE.n_chan):
        expected = convolve(cube.values[channel], kernel, boundary="fill", fill_value=0.0)
        npt.assert_allclose(smooth[channel], expected, rtol=1e-4)  # their kernel ends at 9 sigma


def test_two_beams_are_one_of_their_widths_in_quadrature():
    cube = random_sky(FINE)
    twice = smooth_beam(smooth_beam(cube, beam_fwhm=3.0), beam_fwhm=4.0)
    once = smooth_beam(cube, beam_fwhm=5.0)
    npt.assert_allclose(twice.attrs["beam_fwhm"], 5.0, rtol=1e-12)
    inner = {"dec": slice(25, -25), "ra": slice(25, -25)}  # sky lost at the edge is lost twice
    # a Gaussian of sigma 1.6 pixels, sampled, is one to exp(-2 pi^2 1.6^2) or so
    npt.assert_allclose(twice.isel(inner), once.isel(inner), rtol=1e-6)


def test_beam_works_on_a_stack_as_on_each_map_and_leaves_it_alone():
    maps = [random_sky(FINE, seed) for seed in range(2)]
    stack = xr.concat(maps, "sample").transpose("sample", ...)
    before = stack.copy(deep=True)
    smooth = smooth_beam(stack, beam_fwhm=BEAM)
    xr.testing.assert_identical(stack, before)
    assert smooth.dims == ("sample", "freq", "dec", "ra")
    for one, alone in zip(smooth, maps, strict=True):
        npt.assert_allclose(one, smooth_beam(alone, beam_fwhm=BEAM), rtol=1e-12)


def test_no_beam_changes_nothing():
    cube = random_sky(SURVEY)
    npt.assert_array_equal(smooth_beam(cube, beam_fwhm=0.0), cube)


def test_beam_refuses_pixels_that_cannot_hold_it():
    with pytest.raises(ValueError, match=r"beam_fwhm is 4 arcmin and a pixel 4.*finer"):
        smooth_beam(random_sky(SURVEY), beam_fwhm=4.0)
    with pytest.raises(ValueError, match="beam_fwhm is -1"):
        smooth_beam(random_sky(FINE), beam_fwhm=-1.0)


def test_to_survey_is_the_mean_of_the_finer_pixels():
    cube = random_sky(FINE)
    back = to_survey(cube, SURVEY)
    assert back.shape == SURVEY.shape
    npt.assert_allclose(back[2, 3, 7], cube[2, 15:20, 35:40].mean(), rtol=1e-12)
    npt.assert_allclose(back.mean(), cube.mean(), rtol=1e-12)
    xr.testing.assert_identical(back, SURVEY.cube(back.values))  # coordinates and attributes


def test_a_source_outside_the_field_leaks_in_with_a_margin():
    wide = finer(SURVEY, 5, margin=8.0)
    assert wide.n_pix == 5 * (21 + 4)
    edge = np.argmin(np.abs(wide.coords["ra"][1] - (SURVEY.field_size / 2 + 1.2 / 60)))
    smooth = smooth_beam(point_source(wide, 62, int(edge)), beam_fwhm=BEAM)
    seen = to_survey(smooth, SURVEY).isel(freq=1)
    # 1.2' away, of which 0.7 sigma: the share of a Gaussian beyond it, within half a fine pixel
    npt.assert_allclose(25 * float(seen.sum()), 0.24, atol=0.02)
    assert float(seen.isel(ra=-1).sum()) > 0.95 * float(seen.sum())


def test_margin_is_cut_where_the_field_ends():
    wide = finer(SURVEY, 2, margin=3.0)
    cube = random_sky(wide)
    back = to_survey(cube, SURVEY)
    npt.assert_allclose(back[0, 0, 0], cube[0, 2:4, 2:4].mean(), rtol=1e-12)
    npt.assert_allclose(back[0, -1, -1], cube[0, -4:-2, -4:-2].mean(), rtol=1e-12)


def test_to_survey_keeps_samples_and_their_labels():
    stack = xr.concat([random_sky(FINE)] * 2, "sample").assign_coords(catalogue=("sample", [4, 7]))
    back = to_survey(stack.transpose("sample", ...), SURVEY)
    assert back.dims == ("sample", "freq", "dec", "ra")
    npt.assert_array_equal(back["catalogue"], [4, 7])


@pytest.mark.parametrize(
    ("survey", "match"),
    [
        (Survey.comap(n_chan=3, n_pix=20), "105 x 105 pixels"),
        (Survey.comap(n_chan=4), "map has 3 channels, expected 4"),
        (Survey.comap(n_chan=3, nu_max=33.0), "channels, expected 3 over 26.0 to 33.0"),
    ],
)
def test_to_survey_refuses_another_survey(survey, match):
    with pytest.raises(ValueError, match=match):
        to_survey(random_sky(FINE), survey)


def test_finer_refuses_impossible_settings():
    with pytest.raises(ValueError, match="factor is 0"):
        finer(SURVEY, 0)
    with pytest.raises(ValueError, match="margin is -1"):
        finer(SURVEY, 2, margin=-1.0)
