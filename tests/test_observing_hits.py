import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.observing import add_noise, add_white_noise, hit_map, noise_map
from imtools.survey import Survey

SURVEY = Survey.comap(n_pix=40, n_chan=256)
NOISE = {"sigma_noise": 11.0, "convention": "fine_voxel"}


def empty_sky(survey=SURVEY, dtype=float):
    return survey.cube(np.zeros(survey.shape, dtype))


def test_uniform_hits_are_one_everywhere():
    hits = hit_map(SURVEY)
    npt.assert_array_equal(hits, np.ones((40, 40)))
    assert hits.dims == ("dec", "ra")
    assert hits.attrs["units"] == "1"


def test_edge_hits_are_few_in_the_outer_twentieth_and_even_inside():
    hits = hit_map(SURVEY, kind="edge")
    npt.assert_allclose(hits.mean(), 1.0, rtol=1e-12)
    inner = hits[2:-2, 2:-2]  # 2 of 40 pixels are 5 %
    npt.assert_allclose(inner, inner[0, 0], rtol=1e-12)
    assert float(inner.min()) > float(hits[1, 20]) > float(hits[0, 20])
    npt.assert_allclose(hits, hits.values[::-1], rtol=1e-12)
    npt.assert_array_equal(hits, hits.values.T)


def test_noise_at_the_very_edge_is_as_stated():
    """Pixels of a thousandth of the side: the outermost lies at 1/100 of the edge."""
    hits = hit_map(SURVEY.replace(n_pix=1000), kind="edge", edge_noise=9.0)
    ratio = np.sqrt(float(hits[500, 500] / hits[500, 0]))
    npt.assert_allclose(ratio, 9 - 8 * 0.01, rtol=1e-12)
    halfway = np.sqrt(float(hits[500, 500] / hits[500, 24:26].mean()))
    npt.assert_allclose(halfway, 5.0, rtol=1e-3)  # between two pixels


def test_hits_of_a_cube_are_those_of_its_survey():
    xr.testing.assert_allclose(hit_map(empty_sky(), kind="edge"), hit_map(SURVEY, kind="edge"))


def test_even_hits_give_white_noise():
    """The same draws, so the same map."""
    cube = empty_sky()
    white = add_white_noise(cube, **NOISE, rng=np.random.default_rng(3))
    noisy = add_noise(cube, 7 * hit_map(SURVEY), **NOISE, rng=np.random.default_rng(3))
    npt.assert_allclose(noisy, white, rtol=1e-12)
    npt.assert_allclose(noisy.attrs["sigma_noise"], 11.0, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_falls_as_the_root_of_hits(dtype):
    hits = hit_map(SURVEY, kind="edge")
    noisy = add_noise(empty_sky(dtype=dtype), hits, **NOISE, rng=np.random.default_rng(4))
    assert noisy.dtype == dtype
    sigma = noise_map(empty_sky(), hits, **NOISE)
    npt.assert_allclose(sigma * np.sqrt(hits), 11.0, rtol=1e-12)
    pull = noisy / sigma
    for part in (pull[:, 0], pull[:, 1], pull[:, 20]):  # at the edge, beside it, in the middle
        npt.assert_allclose(part.std(), 1.0, rtol=5 / np.sqrt(2 * part.size))
    rms = np.sqrt(float((noisy.astype(float) ** 2).mean()))
    npt.assert_allclose(rms, noisy.attrs["sigma_noise"], rtol=0.02)  # few voxels carry it


def test_noise_adds_in_quadrature_to_what_was_there_and_leaves_the_map_alone():
    cube = empty_sky()
    before = cube.copy(deep=True)
    once = add_noise(cube, hit_map(SURVEY), **NOISE, rng=np.random.default_rng(5))
    xr.testing.assert_identical(cube, before)
    twice = add_noise(once, hit_map(SURVEY), **NOISE, rng=np.random.default_rng(6))
    npt.assert_allclose(twice.attrs["sigma_noise"], 11.0 * np.sqrt(2), rtol=1e-12)
    npt.assert_allclose(twice.std(), 11.0 * np.sqrt(2), rtol=5 / np.sqrt(2 * cube.size))


def test_hits_may_change_with_frequency_and_serve_a_stack():
    hits = (hit_map(SURVEY) * xr.DataArray(np.repeat([1.0, 3.0], 128), dims="freq")).transpose(
        "freq", "dec", "ra"
    )
    stack = xr.concat([empty_sky()] * 2, "sample").transpose("sample", ...)
    noisy = add_noise(stack, hits, **NOISE, rng=np.random.default_rng(7))
    assert noisy.dims == stack.dims
    for half, sigma in ((slice(0, 128), np.sqrt(2)), (slice(128, 256), np.sqrt(2 / 3))):
        part = noisy.isel(freq=half)
        npt.assert_allclose(part.std(), 11 * sigma, rtol=5 / np.sqrt(2 * part.size))
    assert not np.array_equal(noisy[0], noisy[1])


def test_pixels_without_hits_are_refused():
    hits = hit_map(SURVEY)
    hits[0, :3] = 0
    with pytest.raises(ValueError, match="hits of 3 of 1600 voxels are 0"):
        add_noise(empty_sky(), hits, **NOISE, rng=np.random.default_rng(0))


def test_hits_of_another_field_are_refused():
    with pytest.raises(ValueError, match=r"hits are \{'dec': 20, 'ra': 20\}"):
        noise_map(empty_sky(), hit_map(SURVEY.replace(n_pix=20)), **NOISE)
    with pytest.raises(ValueError, match="hits are"):
        noise_map(empty_sky(), hit_map(SURVEY).rename(dec="y"), **NOISE)
    with pytest.raises(TypeError, match="noise_map: hits are ndarray, expected a DataArray"):
        noise_map(empty_sky(), hit_map(SURVEY).values, **NOISE)


def test_noise_by_hits_refuses_what_cannot_draw():
    with pytest.raises(TypeError, match="add_noise: rng is None, expected a Generator"):
        add_noise(empty_sky(), hit_map(SURVEY), **NOISE, rng=None)


@pytest.mark.parametrize(("survey", "outermost"), [(Survey.notes(), 87), (Survey.comap(), 52)])
def test_11_uk_are_what_the_docstring_says_in_the_middle_and_outermost(survey, outermost):
    hits = hit_map(survey, kind="edge")
    sigma = 11 * np.sqrt(hits.mean() / hits)
    assert sigma.min().round(1) == 10.0
    assert sigma.max().round() == outermost


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"kind": "round"}, "kind is 'round', expected one of uniform, edge"),
        ({"edge_share": 0.6}, "edge_share is 0.6"),
        ({"edge_noise": 0.5}, "edge_noise is 0.5"),
    ],
)
def test_hit_map_refuses_impossible_settings(settings, match):
    with pytest.raises(ValueError, match=match):
        hit_map(SURVEY, **settings)
