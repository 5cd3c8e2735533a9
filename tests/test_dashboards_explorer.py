"""The map explorer without a browser: what its controls do, shows, saves, and leaves behind."""

import gc
import json

import ipywidgets as widgets
import numpy as np
import numpy.testing as npt
import psutil
import pytest
from bokeh.events import Tap

from imtools import datasets, halos, open_map, plots
from imtools.dashboards.bokeh_widget import BokehWidget
from imtools.dashboards.explorer import MapExplorer, MapViewer, colours
from imtools.dashboards.explorer import explorer as explorer_module
from imtools.dashboards.explorer.knobs import ModelKnobs
from imtools.dashboards.explorer.saving import save_map, show_slices
from imtools.dashboards.explorer.slices import NAN_LEVEL, PALETTE, colour_levels
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS, Li2016
from imtools.plots.maps import NO_DATA
from imtools.statistics import power_spectrum
from imtools.survey import Survey

SURVEY = Survey(field_size=0.4, n_pix=8, n_chan=6)
TINY = {
    "field_size": 0.2, "n_pix": 16, "n_chan": 8, "nu_min": 30.0, "nu_max": 31.0, "m_min": 2e11,
    "pool_freq": 1, "sigma_noise": 5.0,
}  # fmt: skip


def open_widgets():
    """Return the kernel's registry of widgets."""
    return widgets.widget._instances


@pytest.fixture
def cube():
    """A map without any symmetry."""
    rng = np.random.default_rng(1)
    return SURVEY.cube(rng.exponential(2.0, SURVEY.shape).astype("float32"))


@pytest.fixture
def viewer(cube):
    viewer = MapViewer({"observed": cube})
    yield viewer
    viewer.close()


@pytest.fixture
def tiny():
    return Experiment.from_preset("tiny", **TINY)


@pytest.fixture
def explorer(tiny, tmp_path):
    explorer = MapExplorer(tiny, folder=tmp_path / "maps")
    yield explorer
    explorer.close()


def shown_image(viewer, number=0):
    return viewer.slices.images[number].data["image"][0]


def spectrum_lines(viewer):
    """Return the steps of each line of the spectrum panel, by label."""
    data = viewer.spectrum.sources["lines"].data
    return {name: np.asarray(y)[1::2] for name, y in zip(data["label"], data["ys"], strict=True)}


def test_a_slice_is_drawn_as_it_lies_on_the_sky(viewer, cube):
    data = viewer.slices.images[0].data
    assert (data["x"], data["y"]) == ([-0.2], [-0.2])
    npt.assert_allclose((data["dw"][0], data["dh"][0]), 0.4)
    clim = viewer._ranges["observed"]
    # rows go up in declination, columns to the left in right ascension: the x axis falls
    npt.assert_array_equal(shown_image(viewer), colour_levels(cube.values[2], clim))
    assert viewer.slices.x_range.start > viewer.slices.x_range.end


def test_a_voxel_without_data_is_grey(cube):
    cube[2, 3, 4] = np.nan
    viewer = MapViewer({"observed": cube})
    image = shown_image(viewer)
    assert image[3, 4] == NAN_LEVEL
    assert (image == NAN_LEVEL).sum() == 1
    assert PALETTE[NAN_LEVEL] == NO_DATA
    assert len(set(PALETTE)) == NAN_LEVEL + 1
    assert viewer.message.text == ""  # P(k) and voxels of the others are shown
    viewer.close()


def test_steps_go_through_the_band_and_say_where_they_are(viewer, cube):
    colours = viewer.slices.bars[0].color_mapper.high
    before = shown_image(viewer)
    viewer.on.click()
    assert (shown_image(viewer) != before).any()
    assert viewer.readout.value == "30.667 GHz, z = 2.759; channel 4 of 6, 1333 MHz wide"
    assert viewer.here.location == pytest.approx(30.6667, abs=1e-4)
    assert viewer.slices.bars[0].color_mapper.high == colours  # fixed, whatever the slice holds
    for _ in range(3):
        viewer.on.click()
    assert viewer.slider.value == 0  # after the last comes the first


def test_zoom_stays_when_slice_or_map_change_and_goes_with_the_field(viewer, cube):
    viewer.slices.x_range.start, viewer.slices.x_range.end = 0.1, -0.05
    viewer.step(1)
    viewer.show_layers({"observed": 3 * cube})
    assert viewer.slices.zoom == ((-0.05, 0.1), (-0.2, 0.2))
    wider = SURVEY.replace(field_size=0.8).cube(cube.values)
    viewer.show_layers({"observed": wider})
    assert viewer.slices.zoom == ((-0.4, 0.4), (-0.4, 0.4))


def test_the_voxel_under_the_mouse_shows_its_spectrum(viewer, cube):
    pointer = viewer.slices.figures[0]
    pointer.tags = [0.13, -0.17]  # as the page sets it
    ra, dec = float(cube["ra"][6]), float(cube["dec"][0])
    assert viewer.place == (ra, dec)
    npt.assert_allclose(spectrum_lines(viewer)["observed"], cube.values[:, 0, 6])
    assert viewer.slices.mark.data["ra"] == [ra]
    pointer.tags = []
    assert viewer.place is None
    npt.assert_allclose(
        spectrum_lines(viewer)["mean of the field"], cube.mean(["dec", "ra"]), rtol=1e-5
    )  # float32


def test_a_click_pins_a_voxel_and_another_one_takes_the_pin_away(viewer, cube):
    figure = viewer.slices.figures[0]
    figure._trigger_event(Tap(figure, x=0.13, y=-0.17))
    (pin,) = viewer.pins
    assert pin == (float(cube["ra"][6]), float(cube["dec"][0]))
    npt.assert_allclose(spectrum_lines(viewer)["+0.125, -0.175 deg"], cube.values[:, 0, 6])
    figure._trigger_event(Tap(figure, x=0.14, y=-0.16))  # the same pixel
    assert viewer.pins == []
    for ra in cube["ra"].values[:7]:
        viewer.toggle_pin((ra, 0.0))
    assert len(viewer.pins) == len(set(viewer.slices.pins.data["colour"])) == 5
    assert viewer.pins[-1][0] == float(cube["ra"][6])  # the oldest made room
    viewer.toggle_pin((5.0, 5.0))  # outside
    assert len(viewer.pins) == 5
    viewer.unpin.click()
    assert viewer.slices.pins.data["ra"] == []


def test_colours_follow_voxels_or_a_hand_or_stay(viewer, cube):
    bar = viewer.slices.bars[0].color_mapper
    npt.assert_allclose((bar.low, bar.high), plots.colour_range(cube))
    viewer.colours.set("percentile", percent=60.0)
    npt.assert_allclose(bar.high, np.percentile(cube, 60), rtol=1e-6)
    viewer.colours.set("locked")
    viewer.show_layers({"observed": 10 * cube})
    npt.assert_allclose(bar.high, np.percentile(cube, 60), rtol=1e-6)
    viewer.colours.set("manual", low=-1.0, high=30.0)
    assert (bar.low, bar.high) == (-1.0, 30.0)
    viewer.colours.high.value = -2.0
    assert viewer.message.text == "colours: low is -1 uK and high -2 uK, expected low below high"
    assert (bar.low, bar.high) == (-1.0, 30.0)
    viewer.colours.mode.value = "robust"
    npt.assert_allclose(bar.high, plots.colour_range(10 * cube)[1])
    assert viewer.message.text == ""


def test_some_voxels_are_enough_for_the_range_of_a_large_map(monkeypatch):
    survey = Survey(n_pix=64, n_chan=40)
    cube = survey.cube(np.random.default_rng(1).exponential(2.0, survey.shape))
    monkeypatch.setattr(colours, "ENOUGH", 20_000)
    chosen = colours.ColourControls(lambda: None)
    chosen.set("percentile", percent=99.0)
    (found,) = chosen.ranges({"observed": cube}).values()
    chosen.close()
    # the error of a percentile of n exponentials, in units of its mean: sqrt(p / (1 - p) / n)
    error = 2.0 * np.sqrt(99 / 20_000)
    npt.assert_allclose(found[1], np.percentile(cube, 99.0), rtol=0, atol=5 * error)


def test_only_the_slices_on_show_are_in_the_state_of_widgets():
    survey = Survey(n_chan=2)  # 256 x 256 pixels
    cube = survey.cube(np.random.default_rng(1).normal(size=survey.shape).astype("float32"))
    viewer = MapViewer({"signal": cube, "noise": cube, "observed": cube})
    states = [len(json.dumps(w.get_state(), default=str)) for w in open_widgets().values()]
    viewer.close()
    assert sum(states) < 1e6  # a notebook that stores them stays below 1 MB
    assert sum(states) > survey.n_pix**2  # and here a slice is in it


def test_signal_noise_and_their_ratio_stand_side_by_side(explorer):
    viewer = explorer.viewer
    assert [menu.value for menu in viewer.menus] == ["signal", "noise", "signal_to_noise"]
    assert [bar.title for bar in viewer.slices.bars] == [
        "brightness temperature [uK]", "noise [uK]", "signal over noise",
    ]  # fmt: skip
    signal, noise = (viewer._ranges[name] for name in ("signal", "noise"))
    assert signal == noise  # one meaning of a colour
    viewer.colours.shared.value = False
    assert viewer._ranges["signal"] == plots.colour_range(viewer.layers["signal"])
    explorer.set(sigma_noise=0.0)
    assert [menu.value for menu in viewer.menus] == ["signal", "observed", None]
    explorer.set(sigma_noise=5.0)
    assert viewer.menus[0].value == "signal"


def test_statistics_are_those_of_the_map_that_is_shown(explorer):
    def power(layer):
        data = explorer.viewer.statistics["pk"].sources["lines"].data
        return np.asarray(data["ys"][data["label"].index(layer)])

    for change in ({}, {"model": Li2016(alpha=1.5)}):
        explorer.set(**change)
        for layer in ("signal", "observed"):
            pk = power_spectrum(explorer.viewer.layers[layer])
            npt.assert_allclose(power(layer), pk.values[pk.values > 0])
    counts = explorer.viewer.statistics["counts"].sources["lines"].data["ys"][0]
    npt.assert_array_equal(np.nanmax(counts), explorer.viewer.counts.max())


def test_a_change_keeps_the_haloes_and_paints_again(explorer, monkeypatch):
    monkeypatch.setattr(datasets.layers.halos, "simulate", None)  # calling it would raise
    before = shown_image(explorer.viewer)
    explorer.model.menu.value = "padmanabhan2018"
    assert explorer.message.text == ""
    assert (shown_image(explorer.viewer) != before).any()
    painted = explorer.viewer.layers["signal"]
    explorer.receiver.controls["sigma_noise"].value = 50.0
    assert explorer.viewer.layers["signal"] is painted  # nor is it painted twice
    assert explorer.viewer.layers["noise"].std() > 40
    explorer.sky.controls["beam_fwhm"].value = 3.0
    assert explorer.viewer.layers["signal"].attrs["beam_fwhm"] == 3.0


def test_an_error_is_shown_and_the_map_stays(explorer, monkeypatch):
    before = explorer.viewer.layers["observed"]
    explorer.model.controls["alpha"].value = -1.0
    assert explorer.message.text == "Li2016: alpha is -1, expected 0.01 to inf"
    assert explorer.viewer.layers["observed"] is before
    explorer.model.fiducial.click()
    assert explorer.message.text == ""
    monkeypatch.setattr(explorer_module, "make_layers", lambda *_: 1 / 0)
    explorer.sky.controls["diffuse"].value = True
    assert explorer.message.text == "ZeroDivisionError: division by zero"


def test_a_map_that_does_not_fit_is_refused_before_it_is_made(explorer, monkeypatch):
    monkeypatch.setattr(explorer_module, "make_layers", None)
    explorer.set(n_pix=4096, n_chan=1000)
    assert "the painted map has 16777216000 voxels" in explorer.message.text
    explorer.set(n_pix=16, n_chan=8, field_size=50.0)
    assert "Mpc3, expected at most" in explorer.message.text


def test_a_survey_is_applied_once_however_often_the_button_is_clicked(explorer, monkeypatch):
    made, make = [], explorer_module.make_layers
    monkeypatch.setattr(
        explorer_module, "make_layers", lambda *a: made.append(a) or make(*a)
    )  # fmt: skip
    monkeypatch.setattr("imtools.dashboards.messages.PAUSE", 30.0)  # a click takes long here
    explorer.survey.controls["n_pix"].value = 8
    assert not made  # until the button is pressed
    explorer.apply.click()
    explorer.apply.click()
    assert len(made) == 1
    assert explorer.viewer.layers["observed"].sizes["ra"] == 8
    explorer.surveys.value = "comap"
    assert explorer.survey.values()["n_chan"] == 512
    assert len(made) == 1


def test_the_code_makes_the_map_that_is_shown(explorer):
    explorer.set(model=Li2016(alpha=1.2), point_sources=True, filter="mean", n_pix=12, seed=4)
    names = {}
    exec(explorer.code, names)
    shown = explorer.viewer.layers["observed"]
    assert names["cube"].values.tobytes() == shown.values.tobytes()
    assert "[&quot;li2016&quot;](alpha=1.2)" in explorer.code_view.value


def test_maps_are_saved_once_under_the_name_that_was_typed(explorer, tmp_path):
    shown = explorer.viewer.layers["observed"]
    for kind, suffix in (("netCDF", "nc"), ("FITS", "fits")):
        explorer.kind.value, explorer.name.value = kind, f"mine-{suffix}"
        path = tmp_path / "maps" / f"mine-{suffix}.{suffix}"
        assert explorer.save() == [path]
        assert explorer.message.text == f"saved {path}"
        read = open_map(path)["brightness_temperature"]
        npt.assert_array_equal(read, shown)
        npt.assert_allclose(read["freq"], shown["freq"])
        origin = open_map(path).attrs | read.attrs
        assert json.loads(origin["parameters"]) == Li2016().parameters()
        assert origin["script"] == explorer.code
    explorer.save_button.click()
    assert "mine-fits.fits exists" in explorer.message.text


def test_names_that_lead_elsewhere_are_refused(explorer, tmp_path):
    for name in ("../out", "/etc/map", "a/b", "", "..", "a;b", "$(x)"):
        explorer.name.value = name
        with pytest.raises(ValueError, match=r"^name is "):
            explorer.save()
    explorer.save_button.click()
    assert explorer.message.text.startswith("name is '$(x)', expected letters")
    assert not (tmp_path / "maps").exists()


def test_a_picture_holds_the_slices_as_they_are_zoomed(explorer, cube, tmp_path):
    explorer.viewer.slices.x_range.end = -0.05
    layout = explorer.viewer.figure()
    titles = [title for title in (e.opts.get("plot").kwargs.get("title") for e in layout) if title]
    assert [t.split(",")[0] for t in titles] == [
        "signal", "noise", "signal-to-noise", "power spectrum", "voxels", "luminosity function",
    ]  # fmt: skip
    assert next(iter(layout)).opts.get("plot").kwargs["xlim"] == (-0.05, 0.1)
    figure = show_slices({"map": cube}, 30.0, ranges={"map": (0, 9)})
    png, pdf = save_map("x", "PNG and PDF", cube=cube, figure=figure, folder=tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert pdf.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("name", LUMINOSITY_MODELS)
def test_a_model_has_a_control_for_each_parameter(name):
    before = set(open_widgets())
    kind = LUMINOSITY_MODELS[name]
    knobs = ModelKnobs(Li2016(), lambda: None)
    knobs.set(kind())
    assert set(kind.parameter_names()) <= set(knobs.controls)
    assert knobs.model() == kind()
    knobs.draw_from_prior(np.random.default_rng(1))
    assert knobs.model() != kind()
    assert all(control.tooltip for control in knobs.controls.values())
    explorer_module.close_all(knobs.view)
    assert set(open_widgets()) == before  # the controls of the model before are gone, too


def test_haloes_are_taken_over_only_where_they_are_those_of_the_map(tiny, monkeypatch):
    haloes = halos.simulate(tiny.survey_object(), seed=0, m_min=2e11)
    simulated, simulate = [], halos.simulate
    monkeypatch.setattr(
        datasets.layers.halos, "simulate", lambda *a, **k: simulated.append(k) or simulate(*a, **k)
    )
    for change, seed in (({}, 0), ({"beam_margin": 2.0}, 0), ({"m_min": 3e11}, 0), ({}, 1)):
        experiment = tiny.replace(**change)
        explorer = MapExplorer(experiment, seed=seed, haloes=haloes)
        settings = datasets.MapSettings(experiment=experiment, model=Li2016(), seed=seed)
        fresh = datasets.make_layers(settings)["observed"]
        npt.assert_array_equal(explorer.viewer.layers["observed"], fresh)
        explorer.close()
    assert len(simulated) == 4 + 3  # the fresh maps, and all but the first explorer


@pytest.mark.slow
def test_a_dashboard_opened_and_closed_fifty_times_leaves_nothing(tiny, monkeypatch):
    # what a page is told of a figure is made anew each time, and takes a third of it
    monkeypatch.setattr(BokehWidget, "_model_to_traits", staticmethod(lambda model: {}))
    before, process = set(open_widgets()), psutil.Process()
    haloes = None
    for number in range(50):
        explorer = MapExplorer(tiny, haloes=haloes)
        haloes = explorer._kept("haloes", datasets.layers.halo_key(explorer.settings), None)
        explorer.close()
        assert set(open_widgets()) == before
        if number == 9:  # caches of libraries are full
            gc.collect()
            memory = process.memory_info().rss
    gc.collect()
    assert process.memory_info().rss - memory < 30e6  # 40 that stay open hold 100 MB
