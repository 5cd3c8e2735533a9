"""Painting with the width of each halo's line."""

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.special import ndtr

from imtools.constants import C_LIGHT, FWHM_TO_SIGMA
from imtools.painting import paint_halos, temperature
from imtools.survey import Survey

SURVEY = Survey.comap(n_pix=8)  # channels of 15.625 MHz
# a line ends at 4 sigma, beyond which lies 6.3e-5 of it, and the profile is good to 2e-6
PROFILE_ERROR = 7e-5


def make_halos(freq, fwhm, survey=SURVEY, l_co=1e6):
    """Haloes at the frequencies `freq` [GHz], at the middle of pixel (3, 5)."""
    freq = np.atleast_1d(freq).astype(float)
    z = survey.nu_rest / freq - 1
    values = {
        "ra": np.full(freq.size, survey.coords["ra"][1][5]),
        "dec": np.full(freq.size, survey.coords["dec"][1][3]),
        "z": z,
        "chi": survey.cosmology.comoving_distance(z),
        "l_co": np.full(freq.size, l_co),
        "line_fwhm": np.broadcast_to(np.asarray(fwhm, float), freq.shape),
    }
    return xr.Dataset({name: ("halo", value) for name, value in values.items()})


def random_halos(n, survey=SURVEY, seed=0):
    rng = np.random.default_rng(seed)
    half = survey.field_size / 2
    haloes = make_halos(rng.uniform(26.0, 34.0, n), rng.uniform(0, 700, n), survey)
    places = {name: ("halo", rng.uniform(-half, half, n)) for name in ("ra", "dec")}
    return haloes.assign(places | {"l_co": ("halo", rng.lognormal(10, 1.5, n))})


def expected_spectra(haloes, survey):
    """Temperatures (halo, freq) of Gaussian lines, from scipy."""
    freq = survey.nu_rest / (1 + haloes["z"].values[:, None])
    sigma = haloes["line_fwhm"].values[:, None] * FWHM_TO_SIGMA / C_LIGHT * freq
    share = np.diff(ndtr((survey.freq_edges - freq) / sigma), axis=1)
    return share * temperature(haloes["l_co"], haloes["chi"], survey).values[:, None]


def test_a_line_is_a_gaussian_integrated_over_channels():
    haloes = make_halos(30.003, 230.0)
    cube = paint_halos(haloes, SURVEY, dtype=float)
    expected = expected_spectra(haloes, SURVEY)[0]
    npt.assert_allclose(cube[:, 3, 5], expected, atol=PROFILE_ERROR * expected.sum())
    assert int((cube > 0).sum()) == int((cube[:, 3, 5] > 0).sum()) > 4  # in no other pixel


def test_a_line_has_the_stated_width():
    survey = Survey(n_pix=8, n_chan=1000, nu_min=29.9, nu_max=30.1)
    cube = paint_halos(make_halos(30.0, 230.0, survey), survey, dtype=float)[:, 3, 5]
    mean = float((cube * cube["freq"]).sum() / cube.sum())
    spread = np.sqrt(float((cube * (cube["freq"] - mean) ** 2).sum() / cube.sum()))
    npt.assert_allclose(mean, 30.0, rtol=1e-9)
    # 230 km/s of 30 GHz are 23.0 MHz; the tails beyond 4 sigma hold 1.1e-3 of the variance
    npt.assert_allclose(spread, 0.0230158 * FWHM_TO_SIGMA, rtol=1e-3)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_flux_is_conserved_where_no_line_reaches_the_edge(dtype, rtol):
    haloes = random_halos(3000)
    haloes = haloes.isel(halo=np.flatnonzero(abs(SURVEY.nu_rest / (1 + haloes["z"]) - 30) < 3.8))
    cube = paint_halos(haloes, SURVEY, dtype=dtype)
    total = temperature(haloes["l_co"], haloes["chi"], SURVEY).sum()
    npt.assert_allclose(cube.astype(float).sum(), total, rtol=rtol)  # arithmetic of the cube


@pytest.mark.parametrize("freq", [26.0, 26.004, 25.99, 33.98, 34.01])
def test_the_band_keeps_its_part_of_a_line_at_the_edge(freq):
    """Of a halo on the edge half, and of one beyond it the wing."""
    haloes = make_halos([freq, 30.0], 400.0)
    outside = not 26.0 <= freq < 34.0
    if outside:
        with pytest.warns(UserWarning, match="1 of 2 haloes lie outside"):
            cube = paint_halos(haloes, SURVEY, dtype=float)
    else:
        cube = paint_halos(haloes, SURVEY, dtype=float)
    assert (cube.attrs["n_inside"], cube.attrs["n_outside"]) == (2 - outside, outside)
    edge = expected_spectra(haloes, SURVEY)[0]
    half = slice(0, 256) if freq < 30 else slice(256, 512)
    far = SURVEY.n_chan // 2
    middle = paint_halos(make_halos(30.0, 400.0), SURVEY, dtype=float)
    left = (cube - middle)[:, 3, 5].values
    full = temperature(1e6, haloes["chi"].values[0], SURVEY)
    npt.assert_allclose(left[half], edge[half], atol=PROFILE_ERROR * full)
    npt.assert_allclose(left.sum(), edge.sum(), atol=PROFILE_ERROR * full)
    assert 0.01 * full < edge.sum() < 0.99 * full
    assert abs(left[far]) < 1e-12


def test_many_lines_are_the_sum_of_each():
    haloes = random_halos(1500)  # three blocks of the loop, the last one short
    cube = paint_halos(haloes, SURVEY, dtype=float)
    expected = np.zeros(SURVEY.shape)
    row, column = (
        np.searchsorted(SURVEY.angle_edges, haloes[name].values, side="right") - 1
        for name in ("dec", "ra")
    )
    for spectrum, i, j in zip(expected_spectra(haloes, SURVEY), row, column, strict=True):
        expected[:, i, j] += spectrum
    total = temperature(haloes["l_co"], haloes["chi"], SURVEY)
    # the brightest halo's own error, and a few of them to a voxel
    npt.assert_allclose(cube, expected, atol=3 * PROFILE_ERROR * float(total.max()))
    npt.assert_allclose(cube.sum(), expected.sum(), rtol=PROFILE_ERROR)


@pytest.mark.parametrize("fwhm", [0.0, 1e-6])
def test_lines_without_width_are_painted_as_before(fwhm):
    haloes = random_halos(2000)
    plain = paint_halos(haloes.drop_vars("line_fwhm"), SURVEY, dtype=float)
    narrow = paint_halos(
        haloes.assign(line_fwhm=("halo", np.full(2000, fwhm))), SURVEY, dtype=float
    )
    npt.assert_array_equal(narrow, plain)
    assert narrow.attrs == plain.attrs


def test_broad_lines_blur_the_map_along_frequency_alone():
    haloes = random_halos(20_000)
    plain = paint_halos(haloes.drop_vars("line_fwhm"), SURVEY, dtype=float)
    broad = paint_halos(haloes, SURVEY, dtype=float)
    assert float(broad.var()) < 0.8 * float(plain.var())
    # what is lost at the edges of the band: a line of 35 MHz, of 8 GHz
    npt.assert_allclose(broad.sum("freq"), plain.sum("freq"), rtol=0.05)
    npt.assert_allclose(broad.sum(), plain.sum(), rtol=0.01)


@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, 2.3e5])  # the last is in m/s
def test_impossible_widths_raise_or_are_dropped(value):
    haloes = make_halos([29.0, 30.0, 31.0], [200.0, value, 200.0])
    with pytest.raises(
        ValueError, match=r"1 of 3 haloes are invalid, in line_fwhm \(first indices 1"
    ):
        paint_halos(haloes, SURVEY)
    with pytest.warns(UserWarning, match="at least 0, line_fwhm 0 to 10000 km/s; they are"):
        cube = paint_halos(haloes, SURVEY, drop_invalid=True)
    assert (cube.attrs["n_inside"], cube.attrs["n_invalid"]) == (2, 1)
    npt.assert_array_equal(cube, paint_halos(haloes.isel(halo=[0, 2]), SURVEY))


def test_impossible_widths_are_counted_over_all_blocks():
    haloes = random_halos(1500)
    width = haloes["line_fwhm"].values.copy()
    width[[3, 700, 1499]] = -1.0
    with pytest.raises(ValueError, match=r"3 of 1500 haloes .* \(first indices 3, 700, 1499\)"):
        paint_halos(haloes.assign(line_fwhm=("halo", width)), SURVEY)


def test_lines_outside_the_field_are_not_painted():
    haloes = make_halos([29.0, 30.0], 200.0)
    moved = haloes.assign(ra=("halo", [haloes["ra"].values[0], 0.8]))
    with pytest.warns(UserWarning, match="1 of 2 haloes lie outside"):
        cube = paint_halos(moved, SURVEY)
    npt.assert_array_equal(cube, paint_halos(haloes.isel(halo=[0]), SURVEY))
