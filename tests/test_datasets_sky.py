import numpy as np
import numpy.testing as npt
import pytest

from imtools import halos
from imtools.counts import count_sources
from imtools.datasets import make_maps, network_inputs, observe
from imtools.datasets.sky import inside_field, paint_sky, painted_survey, simulate_haloes
from imtools.experiment import Experiment
from imtools.luminosity import draw_model
from imtools.observing import applied_filters, hit_map
from imtools.painting import paint_halos
from imtools.preprocessing import pool_cube

SMALL = {"field_size": 0.35, "n_pix": 16, "n_chan": 20, "n_draws": 2, "m_min": 1e11}
BEAM = {"beam_fwhm": 4.0, "beam_margin": 6.0, "fine_factor": 2}


def experiment(**changes):
    return Experiment.from_preset("tiny", **SMALL | {"pool_dec": 2, "pool_ra": 2} | changes)


@pytest.fixture(scope="module")
def plain():
    return make_maps(experiment(), 0)


@pytest.fixture(scope="module")
def beamed():
    return make_maps(experiment(**BEAM), 0)


def test_an_empty_sky_is_the_haloes_alone(plain):
    e = experiment(augment=False)
    maps = make_maps(e, 0)
    seeds = [np.random.SeedSequence(e.data.seed, spawn_key=key) for key in ((0, 0), (0, 1, 1))]
    haloes, rng = simulate_haloes(e, seeds[0]), np.random.default_rng(seeds[1])
    model = draw_model("li2016", rng=rng, prior="ten_percent")
    l_co = model.luminosity(haloes["m_halo"].values, haloes["z_cosmo"].values, rng=rng)
    cube = paint_halos(haloes.assign(l_co=("halo", l_co)), e.survey_object())
    expected = pool_cube(cube, freq=2, dec=2, ra=2, how="sum")
    npt.assert_array_equal(maps["map"][1], expected)
    npt.assert_array_equal(maps["counts"][1], count_sources(l_co, e.l_edges))


def test_sources_of_the_margin_shine_in_and_are_not_counted():
    e = experiment(**BEAM)
    haloes = simulate_haloes(e, np.random.SeedSequence(e.data.seed, spawn_key=(0, 0)))
    inside = inside_field(haloes, e.survey_object())
    # counts in proportion to the areas; clustering moves them by some per cent
    wide = painted_survey(e).field_size / e.survey.field_size
    assert wide > 1.3
    npt.assert_allclose(inside.mean(), wide**-2, rtol=0.2)
    outside = haloes.isel(halo=~inside).assign(l_co=("halo", np.full((~inside).sum(), 1e6)))
    cube = paint_sky(outside, e, [], np.random.default_rng(0))
    edge, middle = cube.isel(ra=[0, -1]).mean(), cube.isel(ra=slice(6, 10), dec=slice(6, 10)).mean()
    assert edge > 0
    assert middle < 1e-3 * edge


def test_the_beam_takes_the_contrast_and_keeps_the_mean(beamed):
    sharp = make_maps(experiment(**BEAM | {"beam_fwhm": 0.0}), 0)
    for name in ("counts", "parameters"):
        npt.assert_array_equal(beamed[name], sharp[name])  # the same draws
    assert (
        beamed["map"].std(["freq", "dec", "ra"]) < sharp["map"].std(["freq", "dec", "ra"])
    ).all()
    # what leaves the field comes back from the margin, up to the scatter of the sources there
    npt.assert_allclose(beamed["map"].mean(), sharp["map"].mean(), rtol=0.1)
    assert beamed["map"].attrs["beam_fwhm"] == 4.0


def test_foregrounds_come_on_top_and_leave_the_draws_alone(plain):
    bright = make_maps(experiment(point_sources=True, diffuse=True), 0)
    npt.assert_array_equal(bright["counts"], plain["counts"])
    added = bright["map"] - plain["map"]
    assert added.std() > 5 * plain["map"].std()
    assert not np.allclose(added[0], added[1])  # each map has a sky of its own
    again = make_maps(experiment(point_sources=True, diffuse=True), 0)
    npt.assert_array_equal(again["map"], bright["map"])


def test_interlopers_belong_to_the_catalogue(plain):
    both = make_maps(experiment(interlopers=True), 0)
    added = both["map"].values - plain["map"].values
    assert added.min() > -1e-3  # float32 of sums of some 100 uK
    assert added.max() > 0
    npt.assert_allclose(added[0], added[1], atol=1e-3)


def test_line_width_moves_light_between_channels_and_keeps_it(plain):
    narrow = {"n_chan": 400, "pool_freq": 1}
    thin, broad = (make_maps(experiment(line_width=w, **narrow), 0)["map"] for w in (False, True))
    npt.assert_allclose(broad.sum(), thin.sum(), rtol=5e-3)  # some leaves the band
    assert (broad > 0).mean() > 1.2 * (thin > 0).mean()


def test_observing_adds_noise_and_then_filters(plain):
    e = experiment(sigma_noise=11.0, filter="mean")
    seen = observe(plain["map"], e, np.random.default_rng(1))
    npt.assert_allclose(seen.mean(["freq", "dec", "ra"]), 0, atol=1e-3)  # of the noisy map
    assert applied_filters(seen) == [{"name": "subtract_mean", "per": "map"}]
    raw = observe(plain["map"], e.replace(filter="none"), np.random.default_rng(1))
    npt.assert_allclose(raw - raw.mean(["freq", "dec", "ra"]), seen, atol=2e-3)
    inputs = network_inputs(plain["map"], e, np.random.default_rng(1))
    npt.assert_allclose(
        np.sinh(inputs[1, 2, 3, 4]), seen[1].sel(freq=seen["freq"][4])[2, 3], rtol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "order", "left"),
    [("channel_mean", 0, ["dec", "ra"]), ("polynomial", 0, ["freq"]), ("polynomial", 2, ["freq"])],
)
def test_each_filter_takes_what_its_name_says(plain, name, order, left):
    seen = observe(plain["map"], experiment(filter=name, filter_order=order))
    scale = float(plain["map"].std())
    npt.assert_allclose(seen.mean(left), 0, atol=1e-5 * scale)


def test_principal_spectra_take_a_foreground_that_is_the_same_in_every_pixel(plain):
    spectrum = 1e4 * (plain["freq"] / 30.0) ** -2.7
    sky = (plain["map"] + spectrum).transpose(*plain["map"].dims)
    sky.attrs = plain["map"].attrs
    seen = observe(sky, experiment(filter="pca", filter_order=1))
    assert abs(seen.mean(["dec", "ra"])).max() < 1e-2 * spectrum.min()


def test_edge_hits_make_the_edge_noisier():
    e = experiment(sigma_noise=11.0, hits="edge", n_pix=64)
    blank = make_maps(e, 0)["map"] * 0
    blank.attrs = {"units": "uK", "pooling": "sum", "n_pooled": 8}
    noise = observe(blank, e, np.random.default_rng(2)).std(["sample", "freq", "dec"])
    hits = hit_map(blank, kind="edge")
    expected = np.sqrt((1 / hits).mean("dec"))  # noise of a column is the rms over its pixels
    n = blank.sizes["sample"] * blank.sizes["freq"] * blank.sizes["dec"]
    ratio = float(noise[0] / noise[16])
    # 5 sigma of two standard deviations from n draws, of unequal widths along the column
    npt.assert_allclose(ratio, float(expected[0] / expected[16]), rtol=5 / np.sqrt(n / 4))
    assert ratio > 1.5


def test_noise_needs_a_source_of_random_numbers(plain):
    with pytest.raises(ValueError, match=r"observe: sigma_noise is 11.0 uK; pass rng"):
        observe(plain["map"], experiment(sigma_noise=11.0))


def test_only_what_is_stored_has_a_data_set_of_its_own():
    base = experiment()
    for stored in ({"line_width": True}, {"point_sources": True}, BEAM):
        assert base.replace(**stored).data_key() != base.data_key()
    for drawn in ({"sigma_noise": 3.0}, {"filter": "pca"}, {"hits": "edge"}, {"summaries": "vid"}):
        assert base.replace(**drawn).data_key() == base.data_key()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"beam_fwhm": 2.0},
            r"beam_fwhm is 2.0 arcmin and a painted pixel 1.31.*raise fine_factor",
        ),
        ({"filter": "mean", "transform": "log10"}, r"filter 'mean', but noise and filters make"),
        ({"filter": "median"}, r"filter is 'median'"),
    ],
)
def test_impossible_observations_are_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        experiment(**changes)


def test_turned_maps_are_turned_skies():
    e = experiment(augment=True)
    haloes = simulate_haloes(e, np.random.SeedSequence(0, spawn_key=(0, 0)))
    turned = halos.rotate(haloes, angle=90.0)
    here, there = (inside_field(h, e.survey_object()) for h in (haloes, turned))
    npt.assert_array_equal(here, there)  # so the counts do not depend on the turn
