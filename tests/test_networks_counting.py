import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.counts import DEFAULT_EDGES, count_sources
from imtools.networks import VoxelCounts
from imtools.networks.counting import Corrected
from imtools.painting import temperature
from imtools.statistics import SUMMARIES
from imtools.statistics.summaries import N_LUMINOSITIES
from imtools.survey import Survey

EDGES = np.log10(DEFAULT_EDGES)
SHAPE = (1, 1, 2 * N_LUMINOSITIES)


def features_of(l_co, survey=None):
    """Return the summary of a map in which each source has a voxel for itself."""
    survey = survey or Survey.notes(n_pix=64, n_chan=20)
    values = np.zeros(survey.shape)
    places = np.random.default_rng(0).permutation(values.size)[: len(l_co)]
    channel = np.unravel_index(places, survey.shape)[0]
    cube = survey.cube(values)
    chi = survey.cosmology.comoving_distance(cube["z"].values)
    values.flat[places] = temperature(np.asarray(l_co), chi[channel], survey)
    features = SUMMARIES["luminosity"](survey.cube(values).expand_dims("sample"), temp_scale=1.0)
    return features.astype("float32")


def untrained(**changes):
    model = networks.build("counting", SHAPE, 49, log_l_edges=EDGES, **changes)
    networks.adapt(
        model, np.ones((3, *SHAPE), "float32"), target=(np.full(49, 2.0), np.full(49, 0.5))
    )
    return model


def test_lonely_sources_are_counted_without_any_training():
    l_co = 10 ** np.random.default_rng(1).uniform(3.6, 6.9, 30_000)
    answer = untrained().predict(features_of(l_co)[:, None, None], verbose=0)[0] * 0.5 + 2.0
    expected = np.log10(count_sources(l_co).values[2:-2])
    # about 600 in a bin, whose edges cut through two finer ones, each even inside: 5 Poisson errors
    npt.assert_allclose(answer[2:-2], expected, atol=5 * 0.43 / np.sqrt(600))


def test_a_blank_map_holds_nothing():
    answer = untrained().predict(features_of([])[:, None, None], verbose=0)[0] * 0.5 + 2.0
    npt.assert_allclose(answer, np.log10(0.5), rtol=1e-4)


def test_counts_above_are_sums_of_counts():
    seen = 10 ** np.array(VoxelCounts(EDGES)(features_of(np.geomspace(4e3, 8e6, 5000))))[0]
    seen = np.where(seen > 0.51, seen, 0)  # none at all counts 0.5
    counts, above = seen[:49], seen[49:]
    npt.assert_allclose(above, counts[::-1].cumsum()[::-1], rtol=1e-4)  # float32 sums
    npt.assert_allclose(above[0], 5000, rtol=1e-3)  # the ends of the range, cut by edges


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"output": "quantiles"}, "output is 'quantiles', expected 'point'"),
        ({"log_l_edges": EDGES[1:]}, "49 log_l_edges for 49 bins, expected one more"),
        ({"log_l_edges": EDGES - 1}, "log_l_edges run from 2.5 to 6, expected within 3 to 8"),
    ],
)
def test_what_cannot_be_counted_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        networks.build("counting", SHAPE, 49, **{"log_l_edges": EDGES} | changes)


@pytest.mark.parametrize("shape", [(64, 64, 10), (1, 1, 700), (2, 1, 2 * N_LUMINOSITIES)])
def test_what_is_no_summary_of_luminosities_is_refused(shape):
    with pytest.raises(ValueError, match="set reads to 'luminosity' or 'luminosity_scales'"):
        networks.build("counting", shape, 49)


def noisy_maps(dn, rng):
    """Return maps of 0.1 uK of noise with sources of 49 bins, `dn` (n, 49), and their counts."""
    survey = Survey.notes(n_pix=64, n_chan=20)
    chi = survey.cosmology.comoving_distance(survey.cube(np.zeros(survey.shape))["z"].values)
    maps, counts = rng.normal(0, 0.1, (len(dn), *survey.shape)), []
    for one, means in zip(maps, dn, strict=True):
        n = rng.poisson(means)
        l_co = 10 ** rng.uniform(np.repeat(EDGES[:-1], n), np.repeat(EDGES[1:], n))
        places = rng.permutation(one.size)[: l_co.size]
        channel = np.unravel_index(places, survey.shape)[0]
        one.flat[places] += temperature(l_co, chi[channel], survey)
        counts.append(n)
    template = survey.cube(maps[0]).expand_dims(sample=len(dn))
    return template.copy(data=maps), np.array(counts)


def test_in_noise_bright_sources_are_counted_and_the_rest_starts_from_the_mean():
    rng = np.random.default_rng(2)
    dn = np.geomspace(200, 5, 49) * rng.uniform(0.5, 2, (12, 1))
    maps, counts = noisy_maps(dn, rng)
    features = SUMMARIES["luminosity_scales"](maps, temp_scale=1.0).astype("float32")[:, None, None]
    truth = np.log10(np.maximum(counts, 0.5))
    mean, width = truth.mean(axis=0), truth.std(axis=0)
    model = networks.build("counting", features.shape[1:], 49, log_l_edges=EDGES)
    networks.adapt(model, features, target=(mean, width))
    answer = model.predict(features, verbose=0) * width + mean
    bright = EDGES[:-1] > 6.0
    # the noise is some 10^4.5 Lsun: at 10^6 it moves one source in ten to the next bin
    assert np.sqrt(np.mean((answer - truth)[:, bright] ** 2)) < 0.4 * width[bright].mean()
    npt.assert_allclose(answer[:, :10], np.tile(mean[:10], (12, 1)), atol=1e-5)


def test_in_noise_the_bins_that_are_counted_are_kept_with_the_model():
    layer = Corrected(noisy=True)
    # the second bin is filled by noise, and the first, which seems to fit, is fainter
    found, ratio = np.array([[1.0, 3.0, 1.9, 1.0, 9, 9, 9, 9]]), np.zeros((1, 4))
    layer([found, ratio])
    layer.adapt([found, ratio])
    layer.adapt_target(np.array([1.0, 1.0, 1.8, 1.0]), np.array([1.0, 1.0, 1.0, 2.0]))
    npt.assert_allclose(layer([found, ratio]), [[0.0, 0.0, 0.1, 0.0]], atol=1e-6)
    again = Corrected.from_config(layer.get_config())
    again([found, ratio])
    again.set_weights(layer.get_weights())
    other = np.array([[2.0, 4.0, 2.9, 2.0, 9, 9, 9, 9]])
    npt.assert_allclose(again([other, ratio]), [[0.0, 0.0, 1.1, 0.5]], atol=1e-6)
