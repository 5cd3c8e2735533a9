import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy.special import ndtr
from toy_maps import toy_data

from imtools.estimators import SUMMARIES, summary
from imtools.painting import temperature
from imtools.preprocessing import pool_cube
from imtools.statistics import power_spectrum, vid
from imtools.statistics.summaries import (
    BRIGHT,
    FAINT,
    HIGHEST,
    LOWEST,
    N_LEVELS,
    N_LUMINOSITIES,
    SMOOTHINGS,
    voxel_histograms,
)
from imtools.survey import Survey

LEVELS = np.linspace(LOWEST, HIGHEST, N_LEVELS + 1)
SURVEY = Survey.comap(n_chan=128)


def stack(*values, survey=SURVEY):
    return xr.concat([survey.cube(v) for v in values], "sample")


def histograms(maps, smoothings=SMOOTHINGS, temp_scale=1.0):
    logs = voxel_histograms(maps, temp_scale=temp_scale, smoothings=smoothings)
    return np.expm1(logs).reshape(len(logs), len(smoothings), N_LEVELS)


@pytest.fixture(scope="module")
def noise():
    return stack(*np.random.default_rng(1).normal(size=(8, *SURVEY.shape)))


@pytest.fixture(scope="module")
def toy():
    return toy_data(range(2))["map"]


def test_the_summaries_of_the_scoreboard_are_there():
    expected = {"histogram", "vid", "pk", "vid_pk", "multiscale", "luminosity", "luminosity_scales"}
    assert set(SUMMARIES) == expected


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="'vid' is voxel_intensity; choose another name"):
        summary("vid")(lambda maps, *, temp_scale: maps)


@pytest.mark.parametrize("name", list(SUMMARIES))
def test_a_summary_is_a_row_of_finite_numbers_a_map(name, toy):
    features = SUMMARIES[name](toy, temp_scale=5.0)
    assert features.shape[0] == toy.sizes["sample"]
    assert features.ndim == 2
    assert np.isfinite(features).all()
    one = SUMMARIES[name](toy[3:4], temp_scale=5.0)
    npt.assert_allclose(one[0], features[3], rtol=1e-12)  # a map does not know its neighbours


@pytest.mark.parametrize("name", list(SUMMARIES))
def test_a_summary_does_not_change_when_the_map_is_turned(name, toy):
    straight = SUMMARIES[name](toy, temp_scale=5.0)
    values = toy.values.swapaxes(-1, -2)[..., ::-1]
    # sums in another order move a voxel at the edge of a bin into the next
    npt.assert_allclose(SUMMARIES[name](toy.copy(data=values), temp_scale=5.0), straight, atol=0.7)
    moved = np.abs(SUMMARIES[name](toy.copy(data=values), temp_scale=5.0) - straight) > 1e-5
    assert moved.mean() < 0.02


def test_vid_and_pk_are_logarithms_of_the_statistics(toy):
    pk = power_spectrum(toy)
    expected = np.log(pk.values[:, pk["n_modes"] > 0])
    npt.assert_allclose(SUMMARIES["pk"](toy, temp_scale=1.0), expected, rtol=1e-12)
    npt.assert_allclose(SUMMARIES["vid"](toy, temp_scale=1.0), np.log1p(vid(toy)), rtol=1e-12)
    both = SUMMARIES["vid_pk"](toy, temp_scale=1.0)
    npt.assert_allclose(both, np.hstack([np.log1p(vid(toy).values), expected]), rtol=1e-12)


def test_every_voxel_is_counted_once_at_every_smoothing(noise):
    npt.assert_allclose(histograms(noise).sum(axis=-1), np.prod(SURVEY.shape), rtol=1e-9)


def test_bins_are_even_in_the_stated_variable():
    temps = np.array([-1e4, -3.3, 0.01, 5.0, 90.0, 1e5])
    survey = Survey.comap(n_chan=6, n_pix=1)
    counts = histograms(stack(temps.reshape(6, 1, 1), survey=survey), (0.0,), temp_scale=2.0)[0, 0]
    x = temps / 2
    levels = np.clip(np.digitize(x / np.sqrt(1 + np.abs(x)), LEVELS) - 1, 0, N_LEVELS - 1)
    npt.assert_array_equal(counts, np.bincount(levels, minlength=N_LEVELS))


def test_white_noise_keeps_its_width_however_it_is_smoothed(noise):
    counts = histograms(noise)
    u = LEVELS[1:-1]  # x / sqrt(1 + |x|), solved for x
    x = np.sign(u) * (u**2 + np.abs(u) * np.sqrt(u**2 + 4)) / 2
    expected = np.diff(np.concatenate([[0.0], ndtr(x), [1.0]]))
    for i, smoothing in enumerate(SMOOTHINGS):
        seen = counts[:, i].sum(axis=0) / counts[:, i].sum()
        wide = np.cumsum(expected)
        # (4 pi)^1.5 sigma^3 of volume to an independent voxel of 4 arcmin (7.4 Mpc) x 2 Mpc
        n_independent = counts[:, i].sum() / max(1.0, 44.5 * smoothing**3 / (7.4**2 * 2.0))
        atol = 5 * 0.5 / np.sqrt(n_independent)  # 5 sampling errors of a share of one half
        npt.assert_allclose(np.cumsum(seen), wide, atol=atol)


def test_a_group_of_faint_sources_stands_out_where_it_is_smoothed(noise):
    values = noise.values[0].copy()
    values[40:60, 8:13, 8:13] += 1.0  # half the noise or so in each voxel, 40 x 37 Mpc wide
    with_group = histograms(stack(values))[0]
    without = histograms(noise[:1])[0]
    bright = LEVELS[:-1] >= 2.0  # x above 4.8
    gained = (with_group - without)[:, bright].sum(axis=-1)
    assert gained[0] == 0
    assert gained[2] > 100


# -- luminosities

END = np.arcsinh(BRIGHT / FAINT)


def luminosities(maps, name="luminosity"):
    """Return voxels in each bin, and above each, with the luminosity at the bins' edges."""
    features = np.expm1(SUMMARIES[name](maps, temp_scale=1.0))
    edges = FAINT * np.sinh(np.linspace(-END, END, N_LUMINOSITIES + 1))
    return features.reshape(len(features), -1, N_LUMINOSITIES), edges


def test_single_sources_are_counted_by_their_luminosity_at_any_frequency():
    survey = Survey.notes(n_pix=8, n_chan=20)
    l_co = np.array([3e3, 2e5, 2e5, 4e6])
    values = np.zeros(survey.shape)
    chi = survey.cosmology.comoving_distance(survey.nu_rest / survey.cube(values)["freq"] - 1)
    for channel, one in zip((0, 7, 19, 12), l_co, strict=True):
        values[channel, channel % 8, 3] = temperature(one, float(chi[channel]), survey)
    both, edges = luminosities(stack(values, survey=survey))
    counts, above = both[:, 0], both[:, 1]
    expected = np.histogram(l_co, edges)[0]
    bright = edges[:-1] > FAINT
    npt.assert_allclose(counts[0][bright], expected[bright], atol=1e-6)
    npt.assert_allclose(above[0], counts[0][::-1].cumsum()[::-1], rtol=1e-6)
    assert counts[0].sum() == pytest.approx(values.size)


def test_pooling_by_sum_keeps_the_luminosity_of_a_lonely_source():
    survey = Survey.notes(n_pix=8, n_chan=20)
    values = np.zeros(survey.shape)
    values[10, 2, 5] = 300.0
    maps = stack(values, survey=survey)
    pooled = pool_cube(maps, freq=2, dec=4, ra=4, how="sum")
    places = [
        np.flatnonzero(luminosities(m)[0][0, 0][N_LUMINOSITIES // 2 + 1 :]) for m in (maps, pooled)
    ]
    # one channel of 2 pooled is half a channel off: 1e-2 of the luminosity, less than a bin
    assert places[0].size == places[1].size == 1
    assert abs(places[0] - places[1]) <= 1


def test_coarser_scales_hold_fewer_voxels_and_the_same_light(toy):
    counts = luminosities(toy, "luminosity_scales")[0][0, ::2]
    n_voxels = toy[0].size
    npt.assert_allclose(counts.sum(axis=1), [n_voxels, n_voxels / 4, n_voxels / 16], rtol=1e-9)
