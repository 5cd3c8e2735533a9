import json

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.constants import C_LIGHT, NU_CO21
from imtools.cosmology import Cosmology
from imtools.survey import (
    Survey,
    channel_width,
    check_cube,
    pixel_size,
    spacing,
    with_bounds,
)

PRESETS = {"notes": Survey.notes, "comap": Survey.comap, "ihle2019": Survey.ihle2019}


@pytest.fixture
def sky():
    survey = Survey.notes(n_pix=8, n_chan=10)
    return survey.cube(np.random.default_rng(0).lognormal(size=survey.shape))


def test_notes_is_the_field_of_the_notes():
    survey = Survey.notes()
    assert survey.shape == (100, 256, 256)
    assert survey.delta_nu == pytest.approx(0.08)
    assert survey.pixel_size * 60 == pytest.approx(0.328, abs=5e-4)  # arcmin
    assert (survey.z_min, survey.z_max) == pytest.approx((2.39, 3.43), abs=5e-3)


def test_comap_has_pixels_of_4_arcmin_and_channels_of_15_mhz():
    survey = Survey.comap()
    assert survey.shape == (512, 21, 21)
    assert survey.delta_nu == pytest.approx(0.015625)
    assert survey.pixel_size * 60 == pytest.approx(4.0)


def test_ihle2019_is_the_field_of_the_paper():
    survey = Survey.ihle2019()
    assert (survey.shape, survey.field_size) == ((512, 22, 22), 1.5)


def test_presets_take_changes():
    for preset in PRESETS.values():
        assert preset(n_chan=7, field_size=2.0).shape[0] == 7
        assert preset(field_size=2.0).field_size == 2.0


def test_volume_and_depth_of_the_notes_field():
    survey = Survey.notes()
    npt.assert_allclose(survey.volume, 2.54e7, rtol=3e-3)  # target has 3 digits
    chi = survey.cosmology.comoving_distance([survey.z_min, survey.z_max])
    npt.assert_allclose(np.diff(chi), 1068, rtol=1e-3)  # target has 4 digits
    npt.assert_allclose(np.deg2rad(1.4) * chi, [141, 167], rtol=4e-3)  # and 3


def test_volume_does_not_depend_on_the_voxels():
    coarse = Survey.notes(n_pix=3, n_chan=4)
    npt.assert_allclose(coarse.volume, Survey.notes().volume, rtol=1e-9)  # float64 sums


def test_voxel_volume_is_area_times_depth():
    survey = Survey.notes()
    z = survey.coords["z"][1]
    chi, rate = survey.cosmology.comoving_distance(z), survey.cosmology.hubble(z)
    depth = C_LIGHT * (1 + z) ** 2 * survey.delta_nu / (survey.nu_rest * rate)
    expected = chi**2 * survey.pixel_solid_angle * depth
    npt.assert_allclose(survey.voxel_volume, expected, rtol=1e-5)  # second order in 80 MHz
    assert (np.diff(survey.voxel_volume) < 0).all()  # nearer, smaller


def test_solid_angles_add_up():
    survey = Survey.comap()
    npt.assert_allclose(survey.pixel_solid_angle * 21**2, survey.solid_angle, rtol=1e-12)
    npt.assert_allclose(survey.solid_angle, 1.4**2 / 3282.80635, rtol=1e-8)  # deg^2 in one sr


def test_edges_and_centres_cover_field_and_band():
    survey = Survey(field_size=2.0, n_pix=4, n_chan=2)
    npt.assert_allclose(survey.angle_edges, [-1, -0.5, 0, 0.5, 1], atol=1e-12)
    npt.assert_allclose(survey.freq_edges, [26, 30, 34], rtol=1e-12)
    npt.assert_allclose(survey.coords["ra"][1], [-0.75, -0.25, 0.25, 0.75], rtol=1e-12)
    npt.assert_allclose(survey.coords["freq"][1], [28, 32], rtol=1e-12)
    npt.assert_allclose(survey.coords["z"][1], 115.2712018 / np.array([28, 32]) - 1, rtol=1e-12)


def test_another_line_moves_the_redshift():
    survey = Survey.notes(nu_rest=NU_CO21)
    assert (survey.z_min, survey.z_max) == pytest.approx((5.8, 7.9), abs=0.04)


def test_cube_has_the_labels_of_the_package(sky):
    assert sky.name == "brightness_temperature"
    assert sky.dims == ("freq", "dec", "ra")
    assert sky.attrs["units"] == "uK"
    assert sky.attrs["nu_rest"] == Survey.notes().nu_rest
    units = {name: sky[name].attrs["units"] for name in sky.coords}
    assert units == {"freq": "GHz", "dec": "deg", "ra": "deg", "z": "1"}
    assert all("long_name" in sky[name].attrs for name in sky.coords)
    assert sky["freq"].attrs["standard_name"] == "radiation_frequency"
    check_cube(sky, caller="test")


def test_cube_refuses_another_shape():
    with pytest.raises(ValueError, match=r"shape \(2, 3, 3\), expected \(100, 256, 256\)"):
        Survey.notes().cube(np.zeros((2, 3, 3)))


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_survey_survives_json(preset):
    survey = preset(cosmology=Cosmology(omega_m=0.31))
    assert Survey.from_dict(json.loads(json.dumps(survey.to_dict()))) == survey


def test_from_dict_names_what_it_does_not_know_and_leaves_its_input_alone():
    values = Survey.notes().to_dict()
    before = json.dumps(values)
    Survey.from_dict(values)
    assert json.dumps(values) == before
    with pytest.raises(ValueError, match=r"unknown \['n_pixels'\], expected among .*n_pix"):
        Survey.from_dict(values | {"n_pixels": 3})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"field_size": 0.0}, "field_size is 0.0 deg"),
        ({"field_size": 84.0}, "field_size is 84.0 deg, expected 0 to 60"),
        ({"field_size": np.nan}, "field_size is nan deg"),
        ({"n_pix": 0}, "n_pix is 0, expected a whole number of at least 1"),
        ({"n_chan": 10.0}, "n_chan is 10.0, expected a whole number"),
        ({"n_chan": True}, "n_chan is True, expected a whole number"),
        ({"nu_min": 34.0, "nu_max": 26.0}, "band is 34.0 to 26.0 GHz; put nu_min below nu_max"),
        ({"nu_min": np.nan}, "band is nan"),
        ({"nu_max": 120.0}, "nu_max is 120.0 GHz, expected below the rest frequency"),
    ],
)
def test_impossible_survey_raises(changes, match):
    with pytest.raises(ValueError, match=match):
        Survey(**changes)


def test_spacing_is_that_of_the_survey(sky):
    npt.assert_allclose(channel_width(sky), 0.8, rtol=1e-12)
    npt.assert_allclose(pixel_size(sky), 1.4 / 8, rtol=1e-12)
    npt.assert_allclose(spacing(sky.sortby("ra", ascending=False), "ra"), 1.4 / 8, rtol=1e-12)


def test_spacing_of_one_channel_is_its_width(sky):
    npt.assert_allclose(channel_width(sky.isel(freq=[3])), 0.8, rtol=1e-12)
    bare = sky.isel(freq=[3])
    del bare["freq"].attrs["width"]
    with pytest.raises(ValueError, match="freq is spaced by 0 to 0 GHz"):
        channel_width(bare)


def test_spacing_refuses_gaps_and_zeros(sky):
    with pytest.raises(ValueError, match=r"freq is spaced by 0.8 to 1.6 GHz, expected even"):
        channel_width(sky.drop_isel(freq=4))
    with pytest.raises(ValueError, match="freq is spaced by 0 to 0 GHz"):
        channel_width(sky.assign_coords(freq=("freq", np.zeros(10), {"units": "GHz"})))


def test_pixel_size_refuses_oblong_pixels(sky):
    oblong = sky.coarsen(ra=2).mean()
    with pytest.raises(ValueError, match=r"pixels are 0\.175 by 0\.35 deg, expected square"):
        pixel_size(oblong)


def test_bounds_meet_and_cover_the_field(sky):
    dataset = with_bounds(sky)
    for name, (low, high) in {"freq": (26, 34), "dec": (-0.7, 0.7), "ra": (-0.7, 0.7)}.items():
        bounds = dataset[f"{name}_bounds"]
        assert bounds.dims == (name, "bounds")
        assert bounds.attrs["units"] == sky[name].attrs["units"]
        assert dataset[name].attrs["bounds"] == f"{name}_bounds"
        npt.assert_allclose(bounds[1:, 0], bounds[:-1, 1], atol=1e-12)  # float64 arithmetic
        npt.assert_allclose([bounds[0, 0], bounds[-1, 1]], [low, high], rtol=1e-12)
    npt.assert_array_equal(dataset["brightness_temperature"], sky)


def test_with_bounds_leaves_the_cube_alone(sky):
    before = sky.copy(deep=True)
    with_bounds(sky)
    xr.testing.assert_identical(sky, before)
    assert "bounds" not in sky["freq"].attrs


def test_check_cube_refuses_what_breaks_the_conventions(sky):
    with pytest.raises(TypeError, match="caller: got ndarray, expected a DataArray"):
        check_cube(sky.values, caller="caller")
    with pytest.raises(ValueError, match=r"dims are \('ra', 'dec', 'freq'\)"):
        check_cube(sky.transpose(), caller="caller")
    with pytest.raises(ValueError, match="units are 'K', expected 'uK'"):
        check_cube(sky.assign_attrs(units="K"), caller="caller")
    with pytest.raises(ValueError, match="units are None"):
        check_cube(sky.drop_attrs(), caller="caller")
    with pytest.raises(ValueError, match="freq is not ascending"):
        check_cube(sky.isel(freq=slice(None, None, -1)), caller="caller")


def test_check_cube_takes_a_stack(sky):
    check_cube(xr.concat([sky, sky], "sample"), caller="caller")


@pytest.mark.parametrize("name", ["field_size", "nu_min", "nu_max", "nu_rest"])
def test_a_survey_of_words_is_refused(name):
    with pytest.raises(TypeError, match=f"Survey: {name} is '1', expected a number"):
        Survey(**{name: "1"})
