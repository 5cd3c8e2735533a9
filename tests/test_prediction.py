import json
import warnings

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_maps import SURVEY, toy_data, toy_experiment

from imtools.counts import log_l_edges, to_phi
from imtools.estimators import load_network
from imtools.formats import open_map, write_fits, write_limlam, write_map
from imtools.observing import add_white_noise, smooth_beam, subtract_mean, subtract_polynomial
from imtools.prediction import (
    compare,
    find_run,
    format_prediction,
    open_trained,
    predict_map,
    to_training_voxels,
    write_prediction,
)
from imtools.preprocessing import pool_cube
from imtools.run_folder import open_netcdf
from imtools.training import describe_maps, train

POOL = {"freq": 2, "dec": 2, "ra": 2}
POOLED = {"field_size": 1.4, "pool_freq": 2, "pool_dec": 2, "pool_ra": 2}
SIGMA = 0.5  # uK per painted voxel


def pooled(data):
    return data.drop_dims(["freq", "dec", "ra"]).assign(
        map=pool_cube(data["map"], **POOL, how="sum")
    )


@pytest.fixture(scope="module")
def data():
    return toy_data(range(6)), toy_data(range(6, 8))


@pytest.fixture(scope="module")
def clean(data, tmp_path_factory):
    """Return a run on maps without noise, pooled by sum."""
    folder = tmp_path_factory.mktemp("clean")
    train(toy_experiment(**POOLED), *map(pooled, data), folder)
    return open_trained(folder)


@pytest.fixture(scope="module")
def noisy(data, tmp_path_factory):
    """Return a run on maps with noise whose mean was subtracted, not pooled."""
    folder = tmp_path_factory.mktemp("noisy")
    experiment = toy_experiment(field_size=1.4, sigma_noise=SIGMA, filter="mean")
    train(experiment, *data, folder)
    return open_trained(folder)


@pytest.fixture(scope="module")
def sky():
    """Return a map of a catalogue that was never trained on, without noise."""
    return toy_data([9], n_draws=1)["map"].isel(sample=0, drop=True)


@pytest.fixture(scope="module")
def observed(sky):
    return add_white_noise(
        sky, sigma_noise=SIGMA, convention="fine_voxel", rng=np.random.default_rng(1)
    )


def quietly(*arguments, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return predict_map(*arguments, **settings)


# -- the answer


def test_a_map_gets_the_answer_that_the_estimator_gives(clean, data, sky):
    told = quietly(clean.folder, sky, sigma_noise=0)
    experiment = toy_experiment(**POOLED)
    network = load_network(clean.folder, experiment, pooled(data[1]))
    maps = pool_cube(sky, **POOL, how="sum").expand_dims("sample")
    expected = network.predict(maps, experiment).isel(sample=0)
    # the same network, but offsets from residuals that were stored in float32
    npt.assert_allclose(told["log_dn"], expected, rtol=0, atol=1e-5)
    assert told["log_dn"].dims == ("quantile", "log_l")


def test_densities_are_the_counts_in_the_surveys_volume(clean, sky):
    told = quietly(clean, sky, sigma_noise=0)
    dn = (10 ** told["log_dn"]).assign_attrs(told["log_dn"].attrs, convention="dn")
    volume = SURVEY.volume
    npt.assert_allclose(told["phi"], to_phi(dn, volume), rtol=1e-12)
    assert told["phi"].attrs["units"] == "Mpc-3 dex-1"
    assert told["log_dn"].attrs["units"] == "log10(1)"
    npt.assert_allclose(told["log_l_bounds"][:, 0], log_l_edges(told["phi"])[:-1], rtol=1e-12)


@pytest.mark.parametrize("write", [write_map, write_fits, write_limlam])
def test_every_format_gives_the_same_answer(clean, sky, tmp_path, write):
    path = tmp_path / {write_map: "a.nc", write_fits: "a.fits", write_limlam: "a.npz"}[write]
    write(sky, path)
    told = quietly(clean, path, sigma_noise=0)
    here = quietly(clean, sky, sigma_noise=0)
    # float32 files, and a network in float32
    npt.assert_allclose(told["log_dn"], here["log_dn"], rtol=0, atol=1e-4)
    assert told.attrs["map"] == path.name
    assert here.attrs["map"] == "in memory"


# -- voxels


def test_a_map_on_painted_voxels_is_pooled_as_in_training(data, sky):
    expected = describe_maps(pooled(data[0])["map"])
    cube, steps = to_training_voxels(sky, expected, toy_experiment(**POOLED))
    npt.assert_allclose(cube[0], pool_cube(sky, **POOL, how="sum"), rtol=1e-6)  # float32
    assert steps == ["pooled by sum, {'freq': 2, 'dec': 2, 'ra': 2}"]
    assert describe_maps(cube) == expected


@pytest.mark.parametrize("how", ["mean", "sum"])
def test_a_coarse_map_becomes_a_sum_where_the_training_maps_are(data, sky, how):
    expected = describe_maps(pooled(data[0])["map"])
    noisy_sky = sky.assign_attrs(sigma_noise=SIGMA)
    coarse = pool_cube(noisy_sky, **POOL, how=how)
    cube, steps = to_training_voxels(coarse, expected, toy_experiment(**POOLED))
    npt.assert_allclose(cube[0], pool_cube(sky, **POOL, how="sum"), rtol=1e-5)  # float32
    assert cube.attrs["sigma_noise"] == pytest.approx(SIGMA * np.sqrt(8), rel=1e-12)
    assert len(steps) == (how == "mean")
    assert describe_maps(cube) == expected


def test_a_map_of_another_telescope_without_pooling_attributes_is_a_mean(data, sky):
    coarse = pool_cube(sky, **POOL, how="mean")
    for name in ("n_pooled", "pooling"):
        del coarse.attrs[name]
    expected = describe_maps(pooled(data[0])["map"])
    cube, _ = to_training_voxels(coarse, expected, toy_experiment(**POOLED))
    npt.assert_allclose(cube[0], pool_cube(sky, **POOL, how="sum"), rtol=1e-5)  # float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.isel(ra=slice(8)), r"shape of the maps is \[4, 16, 8\], expected \[2, 8, 8\]"),
        (lambda c: c.assign_coords(ra=c.ra / 2, dec=c.dec / 2), r"shape .*\[4, 16, 16\], expected"),
        (lambda c: pool_cube(c, freq=2), r"shape of the maps is \[2, 16, 16\], expected \[2, 8, 8"),
        (lambda c: c.assign_coords(freq=c.freq + 1), "nu_min of the maps is 29 GHz, expected 28"),
        (lambda c: c.assign_attrs(units="K"), "units are 'K', expected 'uK'"),
        (lambda c: c.assign_attrs(units=""), "units are '', expected 'uK'"),
        (lambda c: c.expand_dims("sample"), "expected one map"),
    ],
)
def test_maps_in_other_voxels_or_units_are_refused_whatever_is_allowed(
    clean, sky, change, message
):  # B10, B13
    allow = ("noise", "filter", "beam", "mask")
    with pytest.raises(ValueError, match=f"^predict_map: .*{message}"):
        predict_map(clean, change(sky), sigma_noise=0, allow=allow)


def test_a_file_in_kelvin_is_converted(clean, sky, tmp_path):  # B10
    in_kelvin = xr.Dataset({"t": (sky * 1e-6).assign_attrs(units="K")}, coords=sky.coords)
    in_kelvin.to_netcdf(tmp_path / "kelvin.nc")
    told = quietly(clean, tmp_path / "kelvin.nc", sigma_noise=0)
    here = quietly(clean, sky, sigma_noise=0)
    npt.assert_allclose(told["log_dn"], here["log_dn"], rtol=0, atol=1e-4)  # float32


# -- noise, filters, beam, mask


def test_a_map_that_states_no_noise_is_refused(clean, sky):
    with pytest.raises(ValueError, match=r"states no noise, expected 0 uK .*; pass sigma_noise"):
        predict_map(clean, sky)
    with pytest.warns(UserWarning, match="states no noise.*; allowed"):
        predict_map(clean, sky, allow=["noise"])


@pytest.mark.parametrize(("factor", "fits"), [(0.5, False), (0.98, False), (1.005, True)])
def test_noise_must_be_that_of_the_training_maps(noisy, observed, factor, fits):
    cube = observed.assign_attrs(sigma_noise=SIGMA * factor)
    checks = {c["name"]: c["fits"] for c in compare(cube, noisy.reference)}
    assert checks["noise"] is fits
    if not fits:
        with pytest.raises(
            ValueError, match=r"sigma_noise of the map is .* expected 0\.5 as in tra"
        ):
            predict_map(noisy, cube)


def test_noise_is_compared_in_pooled_voxels(clean, sky):
    # 8 voxels summed: root 8 times the noise of one
    with pytest.raises(ValueError, match=r"of the map is 2\.828 uK per voxel, expected 0"):
        predict_map(clean, sky, sigma_noise=1.0)


def test_no_noise_is_added_to_a_map_that_has_its_own(noisy, observed):
    once, again = (quietly(noisy, observed) for _ in range(2))
    assert once["log_dn"].identical(again["log_dn"])
    assert float(once["distance_quantile"]) < 1


def test_a_map_without_filter_is_filtered_as_in_training(noisy, observed):
    raw, done = quietly(noisy, observed), quietly(noisy, subtract_mean(observed))
    npt.assert_allclose(raw["log_dn"], done["log_dn"], rtol=0, atol=1e-5)  # float32
    assert "subtract_mean" in raw.attrs["steps"]
    assert "subtract_mean" not in done.attrs["steps"]


def test_a_map_with_another_filter_is_refused_or_allowed_with_a_warning(noisy, clean, observed):
    other = subtract_polynomial(observed, order=1)  # B16
    with pytest.raises(ValueError, match=r"went through the filters .*polynomial.* or allow 'filt"):
        predict_map(noisy, other)
    with pytest.raises(ValueError, match=r"went through the filters .*mean.*, expected \[\] as in"):
        predict_map(clean, subtract_mean(observed), sigma_noise=0)
    with pytest.warns(UserWarning, match=r"filters .*polynomial.*; allowed"):
        told = predict_map(noisy, other, allow=["filter"])
    assert "polynomial" in json.loads(told.attrs["warnings"])[0]
    assert json.loads(told.attrs["allowed"]) == ["filter"]
    checks = {c["name"]: c["fits"] for c in json.loads(told.attrs["checks"])}
    assert checks == {"noise": True, "filter": False, "beam": True, "mask": True}


def test_a_filtered_map_is_not_filtered_again(noisy, observed):
    other = subtract_polynomial(observed, order=1) + 5.0  # its mean shows whether it is subtracted
    told = quietly(noisy, other.assign_attrs(subtract_polynomial(observed, order=1).attrs),
                   allow=["filter"])  # fmt: skip
    assert "filtered" not in told.attrs["steps"]
    assert float(told["distance_quantile"]) == 1


def test_a_map_of_another_beam_is_refused(noisy, observed):
    blurred = observed.copy(data=smooth_beam(observed, beam_fwhm=12.0)).assign_attrs(beam_fwhm=12.0)
    with pytest.raises(ValueError, match="beam_fwhm of the map is 12 arcmin, expected 0 as in"):
        predict_map(noisy, blurred)


def test_masked_voxels_are_filled_and_too_many_refused(noisy, observed, tmp_path):
    write_map(observed, tmp_path / "map.nc")
    seen = open_map(tmp_path / "map.nc")

    def hidden(n_pix):
        mask = seen["mask"].copy(data=np.zeros(observed.shape, bool))
        mask[:, :, :n_pix] = True
        return seen.assign(
            mask=mask, brightness_temperature=seen["brightness_temperature"].where(~mask)
        )

    told = quietly(noisy, hidden(0))
    assert json.loads(told.attrs["steps"]) == json.loads(quietly(noisy, observed).attrs["steps"])
    few = hidden(0)
    few["brightness_temperature"][0, :4, :4], few["mask"][0, :4, :4] = np.nan, True
    told = quietly(noisy, few)
    assert np.isfinite(told["log_dn"]).all()
    assert "filled 1.56%" in told.attrs["steps"]
    with pytest.raises(
        ValueError, match=r"masked share of the map is 0\.125, expected at most 0\."
    ):
        predict_map(noisy, hidden(2))
    told = quietly(noisy, hidden(2), allow=["mask"])
    assert "masked share of the map is 0.125" in json.loads(told.attrs["warnings"])[0]


def test_a_dataset_without_a_map_is_refused(noisy, observed):
    with pytest.raises(ValueError, match="Dataset holds temperature, expected brightness_temp"):
        predict_map(noisy, observed.to_dataset(name="temperature"))


@pytest.mark.parametrize("allow", [["units"], "noise", None])
def test_only_named_checks_can_be_allowed(noisy, observed, allow):
    with pytest.raises(ValueError, match="expected a list of noise, filter, beam, mask; units"):
        predict_map(noisy, observed, allow=allow)


# -- how far out


def test_maps_like_those_in_training_lie_inside(noisy):
    quantiles = []
    for k, cube in enumerate(toy_data(range(20, 25))["map"]):
        rng = np.random.default_rng([2, k])
        seen = add_white_noise(cube, sigma_noise=SIGMA, convention="fine_voxel", rng=rng)
        quantiles.append(float(quietly(noisy, seen)["distance_quantile"]))
    # 20 even quantiles: their mean is 1/2 with an error of 1/sqrt(12 x 20); 4 of these
    assert abs(np.mean(quantiles) - 0.5) < 4 / np.sqrt(240)


@pytest.mark.parametrize(
    "change",
    [
        lambda cube: cube * 3,
        lambda cube: cube / 3,
        lambda cube: cube.copy(data=np.zeros_like(cube.values)),
        lambda cube: -cube,
    ],
    ids=["too bright", "too faint", "empty", "turned about"],
)
def test_strange_maps_are_said_to_lie_outside(noisy, observed, change):
    told = quietly(noisy, change(observed).assign_attrs(observed.attrs))
    assert "the map lies outside the training set" in json.loads(told.attrs["warnings"])[0]
    assert float(told["distance_quantile"]) == 1
    assert float(told["distance"]) > float(told["reference_distance"].max())


def test_a_few_voxels_beyond_all_others_are_said(noisy, observed):
    spikes = observed.copy()
    spikes[1, 3:5, 3:7] = [[9e3, -9e3, 9e3, -9e3]] * 2  # their mean is 0
    with pytest.warns(UserWarning, match=r"predict_map: 8 voxels lie beyond .* at most \d;") as got:
        told = predict_map(noisy, spikes)
    assert int(told["n_beyond"]) == 8
    assert [f"predict_map: {text}" for text in json.loads(told.attrs["warnings"])] == [
        str(one.message) for one in got
    ]


def test_known_maps_have_few_voxels_beyond(noisy, observed):
    told = quietly(noisy, observed)
    assert int(told["n_beyond"]) <= noisy.reference["histogram"][:, [0, -1]].sum("bin").max()


# -- files and words


def test_a_prediction_comes_back_from_its_file(noisy, observed, tmp_path):
    told = quietly(noisy, observed)
    path = write_prediction(told, tmp_path / "new")
    with open_netcdf(path) as file:
        back = file.load()
    for name in ("log_dn", "phi", "distance", "reference_distance", "log_l_bounds"):
        npt.assert_array_equal(back[name], told[name])
    assert json.loads(back.attrs["checks"]) == json.loads(told.attrs["checks"])
    assert back.attrs["model_sha256"] == noisy.reference.attrs["model_sha256"]
    with pytest.raises(FileExistsError, match="overwrite=True"):  # B22
        write_prediction(told, tmp_path / "new")
    write_prediction(told, tmp_path / "new", overwrite=True)


def test_words_quote_the_counts_and_the_distance(noisy, observed):
    told = quietly(noisy, observed)
    told["log_dn"] = told["log_dn"] * 0 + xr.DataArray(
        [-1.0, 1.0, 2.0, 3.5, 4.0], dims="quantile", coords={"quantile": told["quantile"]}
    )
    lines = format_prediction(told).splitlines()
    assert len(lines) == 8
    assert lines[1].split() == ["4.0", "2.00", "1.00", "to", "3.50"]
    assert "of 32 maps" in lines[-1]


def test_a_run_is_found_by_path_or_name(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path))
    (tmp_path / "runs" / "one").mkdir(parents=True)
    assert find_run("one") == tmp_path / "runs" / "one"
    assert find_run(tmp_path) == tmp_path
    with pytest.raises(FileNotFoundError, match="two is no folder and no run in"):
        find_run("two")
