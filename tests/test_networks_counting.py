import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.counts import DEFAULT_EDGES, count_sources
from imtools.networks import VoxelCounts
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


def test_a_map_itself_is_refused():
    with pytest.raises(ValueError, match="set reads to 'luminosity'"):
        networks.build("counting", (64, 64, 10), 49)
