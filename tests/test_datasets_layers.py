"""One map in its layers, and the script that makes the same map."""

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools import halos
from imtools.counts import count_sources
from imtools.datasets import layers as layers_module
from imtools.datasets.layers import LAYERS, Kept, MapSettings, halo_key, make_layers
from imtools.datasets.scripts import map_script
from imtools.datasets.sky import paint_sky, simulate_haloes
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS, Li2016, LuminosityModel
from imtools.observing import voxel_noise
from imtools.preprocessing import filled_share

SMALL = {
    "field_size": 0.2, "n_pix": 16, "n_chan": 8, "nu_min": 30.0, "nu_max": 31.0, "m_min": 2e11,
    "pool_freq": 1, "pool_dec": 1, "pool_ra": 1,
}  # fmt: skip
NOISY = {"sigma_noise": 5.0}
SEED_WITH_SOURCES = 1  # of radio; most seeds have none in so small a field
BEAM = {"beam_fwhm": 2.0, "fine_factor": 2, "beam_margin": 3.0}
ALL = BEAM | NOISY | {
    "point_sources": True, "diffuse": True, "interlopers": True, "line_width": True,
    "hits": "edge", "noise_convention": "reference_voxel", "filter": "pca", "filter_order": 2,
}  # fmt: skip


def settings_of(model="li2016", seed=0, parameters=None, **changes):
    experiment = Experiment.from_preset("tiny", **SMALL | changes)
    return MapSettings(
        experiment=experiment, model=LUMINOSITY_MODELS[model](**parameters or {}), seed=seed
    )


def test_a_map_without_noise_is_its_signal():
    layers = make_layers(settings_of())
    assert list(layers) == ["signal", "observed", "counts"]
    xr.testing.assert_equal(layers["signal"], layers["observed"])


def test_the_layers_add_up_and_say_their_units():
    layers = make_layers(settings_of(seed=SEED_WITH_SOURCES, **NOISY, point_sources=True))
    assert list(layers) == [*LAYERS, "counts"]
    assert {name: layers[name].attrs["units"] for name in LAYERS} == {
        "signal": "uK", "sky": "uK", "noise": "uK", "observed": "uK", "signal_to_noise": "1",
    }  # fmt: skip
    total = layers["sky"].values + layers["noise"].values
    npt.assert_allclose(layers["observed"], total, rtol=1e-5, atol=1e-4)  # float32
    assert (layers["sky"] >= layers["signal"]).all()  # sources add, they never take
    assert layers["sky"].sum() > 2 * layers["signal"].sum()


def test_signal_to_noise_divides_by_the_noise_of_the_voxel():
    settings = settings_of(**NOISY, hits="edge")
    layers = make_layers(settings)
    sigma = layers["signal"].values / np.where(
        layers["signal_to_noise"].values > 0, layers["signal_to_noise"].values, np.nan
    )
    edge, middle = np.nanmean(sigma[:, 0]), np.nanmean(sigma[:, 8])
    assert edge > 2 * middle
    uniform = make_layers(settings_of(**NOISY))
    ratio = uniform["signal"].values / voxel_noise(
        uniform["signal"], sigma_noise=5.0, convention="fine_voxel"
    )
    npt.assert_allclose(uniform["signal_to_noise"], ratio, rtol=1e-5)  # float32


def test_noise_that_is_drawn_has_the_stated_width():
    noise = make_layers(settings_of(**NOISY))["noise"]
    npt.assert_allclose(noise.std(), 5.0, rtol=5 / np.sqrt(2 * noise.size))  # 5 sigma


def test_the_sky_is_that_of_the_data_sets():
    settings = settings_of(**ALL | {"interlopers": False})
    experiment = settings.experiment
    haloes = simulate_haloes(experiment, 0)
    l_co = settings.model.luminosity(
        haloes["m_halo"].values, haloes["z_cosmo"].values, rng=np.random.default_rng([0, 1])
    )
    haloes = haloes.assign(l_co=("halo", l_co))
    theirs = paint_sky(haloes, experiment, [], np.random.default_rng([0, 2]))
    npt.assert_array_equal(make_layers(settings)["sky"], theirs)


def test_counts_are_of_the_sources_in_the_field_not_of_the_margin():
    settings = settings_of(**BEAM)
    layers, kept = make_layers(settings), Kept()
    make_layers(settings, kept)
    haloes = kept("haloes", halo_key(settings), None)
    l_co = settings.model.luminosity(
        haloes["m_halo"].values, haloes["z_cosmo"].values, rng=np.random.default_rng([0, 1])
    )
    inside = (abs(haloes["ra"]) < 0.1) & (abs(haloes["dec"]) < 0.1)
    assert 0 < inside.sum() < haloes.sizes["halo"]
    npt.assert_array_equal(layers["counts"], count_sources(l_co[inside.values]))


@pytest.mark.parametrize(
    "change",
    [{"sigma_noise": 9.0}, {"n_pix": 8}, {"n_chan": 4}, {"beam_fwhm": 3.0}, {"filter": "mean"}],
    ids=str,
)
def test_haloes_are_kept_and_the_map_is_that_of_a_fresh_start(change, monkeypatch):
    kept = Kept()
    make_layers(settings_of(**NOISY), kept)
    changed = settings_of(**NOISY | change)
    fresh = make_layers(changed)
    monkeypatch.setattr(layers_module.halos, "simulate", None)  # calling it would raise
    again = make_layers(changed, kept)
    for name, cube in fresh.items():
        xr.testing.assert_identical(again[name], cube)


@pytest.mark.parametrize("change", [{"seed": 1}, {"nu_max": 30.5}, {"m_min": 3e11}], ids=str)
def test_other_haloes_are_made_where_they_are_asked_for(change):
    kept = Kept()
    before = make_layers(settings_of(), kept)
    after = make_layers(settings_of(**change), kept)
    assert float(before["counts"].sum()) != float(after["counts"].sum())
    xr.testing.assert_identical(after["observed"], make_layers(settings_of(**change))["observed"])


def test_kept_steps_are_forgotten_one_by_one():
    kept, made = Kept(), []
    for key in (1, 1, 2, 1):
        kept("step", key, lambda key=key: made.append(key))
    assert made == [1, 2, 1]
    kept.clear()
    kept("step", 1, lambda: made.append("again"))
    assert made[-1] == "again"


def run_script(text):
    names = {}
    exec(compile(text, "script", "exec"), names)
    return names


@pytest.mark.parametrize(
    "settings",
    [
        settings_of(),
        settings_of("breysse2014", seed=3, parameters={"duty_cycle": 0.5}),
        settings_of(parameters={"alpha": 1.17, "beta": 0.21, "sigma_sfr": 0.0}, **NOISY),
        settings_of(**NOISY, filter="polynomial", filter_order=2, line_width=True),
        settings_of(**BEAM, filter="channel_mean"),
        settings_of("flexible", seed=SEED_WITH_SOURCES, **ALL),
    ],
    ids=["plain", "breysse", "noise", "filter", "beam", "all"],
)
def test_the_script_makes_the_same_map(settings):
    text = map_script(settings)
    cube = run_script(text)["cube"]
    observed = make_layers(settings)["observed"]
    assert cube.values.tobytes() == observed.values.tobytes()
    xr.testing.assert_identical(cube, observed)
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_script_has_no_step_that_the_map_has_not():
    text = map_script(settings_of())
    assert "noise" not in text
    assert "beam" not in text
    assert "imtools.observing" not in text
    assert 'LUMINOSITY_MODELS["li2016"]()' in text


def test_a_model_that_nobody_registered_has_no_script():
    class Mine(Li2016):
        pass

    settings = MapSettings(experiment=settings_of().experiment, model=Mine())
    with pytest.raises(
        ValueError, match="Mine is not in LUMINOSITY_MODELS, expected one of li2016"
    ):
        map_script(settings)


def test_a_brighter_model_fills_the_same_voxels():
    faint, bright = (
        make_layers(settings_of("breysse2014", parameters={"a": a}))["signal"] for a in (1e-6, 3e-6)
    )
    npt.assert_allclose(bright, 3 * faint, rtol=1e-5)  # float32
    assert float(filled_share(faint)) == float(filled_share(bright))
    assert issubclass(Li2016, LuminosityModel)
    assert halos is layers_module.halos
