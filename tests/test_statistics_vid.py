import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.stats import norm

from imtools.statistics import vid
from imtools.survey import Survey

SURVEY = Survey(n_pix=32, n_chan=32)


def noise_map(sigma=11.0, mean=0.0, seed=1):
    return SURVEY.cube(np.random.default_rng(seed).normal(mean, sigma, SURVEY.shape))


def test_white_noise_follows_the_normal_distribution():
    counts = vid(noise_map())
    edges = np.array(counts.attrs["temp_edges"])
    expected = np.diff(norm.cdf(edges, scale=11.0)) * np.prod(SURVEY.shape)
    some = expected > 20
    pull = (counts.values - expected)[some] / np.sqrt(expected[some])
    assert some.sum() > 10
    assert np.abs(pull).max() < 5  # sampling errors


def test_ihles_bins_are_the_default():
    counts = vid(noise_map())
    assert counts.sizes == {"temp": 25}
    npt.assert_allclose(counts.attrs["temp_edges"], np.logspace(1, 2, 26), rtol=1e-12)
    npt.assert_allclose(counts["temp"][0], 10**1.02, rtol=1e-12)  # middle of logarithms


def test_the_monopole_does_not_matter_unless_asked_for():
    dark, bright = noise_map(), noise_map(mean=50.0)
    counts = vid(dark), vid(bright)
    assert np.abs(counts[0] - counts[1]).sum() <= 2  # rounding at an edge
    assert vid(bright, subtract_mean=False).sum() > 5 * counts[1].sum()


def test_counts_are_those_of_numpys_histogram():
    sky = noise_map()
    edges = [-30.0, -2.0, 0.5, 0.75, 40.0]
    expected, _ = np.histogram(sky.values - sky.values.mean(), edges)
    npt.assert_array_equal(vid(sky, temp_edges=edges), expected)


def test_a_bin_holds_its_lower_edge_and_the_last_both():
    survey = Survey(n_pix=2, n_chan=1)
    sky = survey.cube(np.array([[[0.0, 1.0], [2.0, 3.0]]]))
    counts = vid(sky, temp_edges=[1, 2, 3], subtract_mean=False)
    npt.assert_array_equal(counts, [1, 2])


def test_all_voxels_are_counted_between_edges_wide_enough():
    assert vid(noise_map(), temp_edges=[-1e3, 0.0, 1e3]).sum() == np.prod(SURVEY.shape)


def test_a_stack_gives_what_its_maps_give_one_by_one():
    maps = [noise_map(seed=s).astype("float32") for s in range(3)]
    stack = xr.concat(maps, "sample").assign_coords(catalogue=("sample", [4, 4, 5]))
    counts = vid(stack)
    assert counts.dims == ("sample", "temp")
    npt.assert_array_equal(counts["catalogue"], [4, 4, 5])
    for i, sky in enumerate(maps):
        npt.assert_array_equal(counts[i], vid(sky))


def test_counts_carry_their_error_and_units():
    counts = vid(noise_map())
    npt.assert_allclose(counts["sigma"] ** 2, counts, rtol=1e-12)  # float64 arithmetic
    assert counts.attrs["units"] == "1"
    assert counts["temp"].attrs["units"] == "uK"


def test_the_map_is_left_alone():
    sky = noise_map()
    before = sky.copy(deep=True)
    vid(sky)
    xr.testing.assert_identical(sky, before)


def test_a_map_with_nan_raises():
    sky = noise_map()
    sky[0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="vid: the map has NaN"):
        vid(sky)


@pytest.mark.parametrize("edges", [[1.0], [2.0, 1.0], [1.0, np.inf], [1.0, np.nan]])
def test_edges_that_do_not_ascend_raise(edges):
    with pytest.raises(ValueError, match="vid: temp_edges are"):
        vid(noise_map(), temp_edges=edges)
