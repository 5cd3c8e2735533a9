import json

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.observing import (
    applied_filters,
    subtract_mean,
    subtract_pca,
    subtract_polynomial,
    transfer_function,
)
from imtools.survey import Survey

SURVEY = Survey.comap(n_pix=8, n_chan=32)
FILTERS = {
    "mean of the map": lambda cube: subtract_mean(cube),
    "mean of a channel": lambda cube: subtract_mean(cube, per="channel"),
    "polynomial": lambda cube: subtract_polynomial(cube, order=2),
    "pca": lambda cube: subtract_pca(cube, n_modes=3),
}
every_filter = pytest.mark.parametrize("filter_map", FILTERS.values(), ids=FILTERS)


def noise(survey=SURVEY, seed=0, mean=0.0):
    return survey.cube(mean + np.random.default_rng(seed).normal(size=survey.shape))


def stack_of(*maps):
    return xr.concat(maps, "sample").transpose("sample", ...)


@every_filter
def test_a_filter_keeps_dims_units_and_dtype_and_leaves_the_map_alone(filter_map):
    cube = noise().astype(np.float32)
    before = cube.copy(deep=True)
    filtered = filter_map(cube)
    xr.testing.assert_identical(cube, before)
    assert filtered.dims == cube.dims
    assert filtered.dtype == np.float32
    assert filtered.attrs["units"] == "uK"
    assert filtered.attrs["long_name"] == "filtered brightness temperature"


@every_filter
def test_a_stack_is_filtered_map_by_map(filter_map):
    maps = [noise(seed=seed, mean=seed) for seed in range(3)]
    filtered = filter_map(stack_of(*maps))
    assert filtered.dims == ("sample", "freq", "dec", "ra")
    for one, alone in zip(filtered, maps, strict=True):
        npt.assert_allclose(one, filter_map(alone), atol=1e-12)  # sums of floats of order 1


@every_filter
def test_a_filter_is_written_into_the_attributes(filter_map):
    filtered = filter_map(noise())
    (step,) = json.loads(filtered.attrs["filter"])
    assert step == applied_filters(filtered)[0]
    twice = subtract_polynomial(filtered, order=1)
    assert applied_filters(twice) == [step, {"name": "subtract_polynomial", "order": 1}]
    assert applied_filters(noise()) == []


def test_the_mean_of_a_map_is_one_number():
    cube = noise(mean=10.0)
    filtered = subtract_mean(cube)
    npt.assert_allclose(filtered.mean(), 0.0, atol=1e-12)
    npt.assert_allclose(filtered - filtered[0, 0, 0], cube - cube[0, 0, 0], atol=1e-12)


def test_the_mean_of_each_channel_is_its_own():
    cube = noise() + xr.DataArray(np.arange(32.0), dims="freq")
    cube.attrs["units"] = "uK"
    filtered = subtract_mean(cube.transpose("freq", "dec", "ra"), per="channel")
    npt.assert_allclose(filtered.mean(["dec", "ra"]), 0.0, atol=1e-12)
    # of each channel's 64 pixels of unit variance, one mean is gone
    npt.assert_allclose(filtered.var(), 1 - 1 / 64, rtol=5 * np.sqrt(2 / cube.size))


@pytest.mark.parametrize("order", [0, 1, 3])
def test_a_polynomial_takes_out_all_up_to_its_order_and_no_more(order):
    x = np.linspace(-1, 1, 32)
    amplitudes = np.random.default_rng(2).normal(size=(8, 8))
    for power in range(order + 1):
        cube = SURVEY.cube(100 * x[:, None, None] ** power * amplitudes)
        npt.assert_allclose(subtract_polynomial(cube, order=order), 0.0, atol=1e-11)
    cube = SURVEY.cube(x[:, None, None] ** (order + 1) * amplitudes)
    fit = np.polynomial.Polynomial.fit(x, x ** (order + 1), order)(x)
    expected = (x ** (order + 1) - fit)[:, None, None] * amplitudes  # another least-squares code
    npt.assert_allclose(subtract_polynomial(cube, order=order), expected, atol=1e-12)


def test_a_polynomial_takes_its_share_of_white_noise_and_taken_twice_no_more():
    survey = SURVEY.replace(n_pix=32)
    cube = noise(survey)
    filtered = subtract_polynomial(cube, order=3)
    # 4 of 32 modes of each line of sight are lost
    npt.assert_allclose(filtered.var(), 1 - 4 / 32, rtol=5 * np.sqrt(2 / cube.size))
    npt.assert_allclose(subtract_polynomial(filtered, order=3), filtered, atol=1e-12)


@pytest.mark.parametrize("n_pix", [4, 16])  # fewer pixels than channels, and more
def test_pca_is_the_rest_of_a_truncated_singular_value_decomposition(n_pix):
    survey = SURVEY.replace(n_pix=n_pix)
    cube = noise(survey, mean=2.0)
    u, s, v = np.linalg.svd(cube.values.reshape(32, -1), full_matrices=False)
    s[:3] = 0
    expected = (u * s @ v).reshape(survey.shape)
    npt.assert_allclose(subtract_pca(cube, n_modes=3), expected, atol=1e-10)


def test_pca_takes_out_as_many_spectra_as_it_has_modes():
    rng = np.random.default_rng(3)
    spectra, maps = rng.normal(size=(32, 2)), rng.normal(size=(2, 64))
    cube = SURVEY.cube(100 * (spectra @ maps).reshape(SURVEY.shape))
    npt.assert_allclose(subtract_pca(cube, n_modes=2), 0.0, atol=1e-9)
    assert float(abs(subtract_pca(cube, n_modes=1)).max()) > 10
    npt.assert_array_equal(subtract_pca(cube, n_modes=0), cube)


def test_pca_looks_at_weighted_pixels_only():
    rng = np.random.default_rng(4)
    spectrum = rng.normal(size=32)[:, None, None]
    cube = SURVEY.cube(spectrum * rng.normal(size=(8, 8)))
    noisy_edge = cube.copy()
    noisy_edge[:, 0] += 100 * noise(seed=5)[:, 0]
    weight = xr.ones_like(cube[0])
    weight[0] = 0
    filtered = subtract_pca(noisy_edge, n_modes=1, weight=weight)
    npt.assert_allclose(filtered[:, 1:], 0.0, atol=1e-12)
    assert float(abs(subtract_pca(noisy_edge, n_modes=1)[:, 1:]).max()) > 0.1


@every_filter
def test_a_filter_refuses_what_is_not_finite(filter_map):
    cube = noise()
    cube[3, 2, 1] = np.nan
    with pytest.raises(ValueError, match="1 of 2048 voxels are not finite"):
        filter_map(cube)


def test_filters_refuse_impossible_settings():
    with pytest.raises(ValueError, match="per is 'row'"):
        subtract_mean(noise(), per="row")
    with pytest.raises(ValueError, match="order is 32, expected a whole number from 0 to 31"):
        subtract_polynomial(noise(), order=32)
    with pytest.raises(ValueError, match="n_modes is -1"):
        subtract_pca(noise(), n_modes=-1)
    with pytest.raises(ValueError, match=r"weight has shape \(3,\)"):
        subtract_pca(noise(), n_modes=1, weight=np.ones(3))


# one mode along the line of sight is 2 pi / 1068 Mpc, here 0.0059 Mpc-1; across, 0.042
K_PAR_EDGES = [0.0, 0.001, 0.05, 0.2]


@pytest.mark.parametrize("along", ["k", "k_par", "k_perp"])
def test_transfer_of_no_filter_is_one(along):
    share = transfer_function(lambda cube: cube, noise(), noise(), survey=SURVEY, along=along)
    filled = share["n_modes"].values > 0
    npt.assert_allclose(share[filled], 1.0, rtol=1e-12)
    assert np.isnan(share[~filled]).all()
    assert share.dims == (along,)
    assert (share.attrs["units"], share[along].attrs["units"]) == ("1", "Mpc-1")


def test_transfer_counts_each_mode_once():
    share = transfer_function(
        lambda cube: cube, noise(), noise(), survey=SURVEY, k_edges=[0.0, 100.0]
    )
    assert int(share["n_modes"].sum()) == noise().size - 1  # all but the mean


def test_transfer_of_a_mean_along_the_line_of_sight_is_a_step():
    """Order 0 takes every mode with k_par = 0, and no other."""
    signal = noise()
    share = transfer_function(
        lambda cube: subtract_polynomial(cube, order=0), signal, signal + 5 * noise(seed=1),
        survey=SURVEY, k_edges=K_PAR_EDGES, along="k_par",
    )  # fmt: skip
    npt.assert_allclose(share, [0, 1, 1], atol=1e-10)


def test_transfer_along_k_par_lies_at_the_modes_of_the_band():
    share = transfer_function(
        lambda cube: cube, noise(), noise(), survey=SURVEY, k_edges=[0.005, 0.007], along="k_par"
    )
    depth = np.diff(SURVEY.cosmology.comoving_distance([SURVEY.z_min, SURVEY.z_max]))
    npt.assert_allclose(share["k_par"], 2 * np.pi / depth, rtol=1e-12)
    npt.assert_allclose(depth, 1068, rtol=1e-3)  # Mpc, PHYSICS section 1
    assert int(share["n_modes"][0]) == 2 * 64


def test_transfer_of_a_projection_is_a_ratio_of_powers():
    survey = SURVEY.replace(n_pix=12)
    signal = noise(survey)

    def filter_map(cube):
        return subtract_polynomial(cube, order=3)

    edges = [0.0, 100.0]
    share = transfer_function(filter_map, signal, 3 * signal, survey=survey, k_edges=edges)
    centred, filtered = subtract_mean(signal), filter_map(subtract_mean(signal))
    expected = float((filtered**2).sum() / (centred**2).sum())
    npt.assert_allclose(share, expected, rtol=1e-12)  # Parseval


def test_pca_loses_more_signal_where_foregrounds_do_not_pin_its_modes():
    signal = noise()
    spectrum = np.linspace(2, 1, 32)[:, None, None]
    bright = 1e3 * spectrum * np.random.default_rng(6).normal(size=(8, 8))

    def share(foreground):
        return float(
            transfer_function(
                lambda cube: subtract_pca(cube, n_modes=1), signal, signal + foreground,
                survey=SURVEY, k_edges=[0.0, 100.0],
            )[0]
        )  # fmt: skip

    pinned, alone = share(bright), share(0.0)
    # one of 32 spectra and, since the mode bends to the signal, one of 64 maps
    npt.assert_allclose(pinned, 1 - 1 / 32 - 1 / 64, atol=0.01)
    s = np.linalg.svd(signal.values.reshape(32, -1), compute_uv=False)
    npt.assert_allclose(alone, 1 - s[0] ** 2 / (s**2).sum(), rtol=0.02)  # the mean is no mode
    assert alone < pinned


def test_transfer_averages_over_a_stack_and_its_power():
    weak, strong = noise(seed=7), 3 * noise(seed=8)
    stack = stack_of(weak, strong)

    def filter_map(cube):  # keeps the strong map alone
        return cube.where(abs(cube).max(["freq", "dec", "ra"]) > 5, 0.0)

    share = transfer_function(filter_map, stack, stack, survey=SURVEY, k_edges=[0.0, 100.0])
    npt.assert_allclose(share, 0.9, rtol=0.05)  # 9 / (9 + 1), of 2048 numbers


def test_transfer_refuses_maps_that_do_not_fit():
    with pytest.raises(ValueError, match="expected the same dims"):
        transfer_function(subtract_mean, noise(), noise()[:4], survey=SURVEY)
    with pytest.raises(ValueError, match=r"maps are \(32, 8, 8\), expected \(32, 9, 9\)"):
        transfer_function(subtract_mean, noise(), noise(), survey=SURVEY.replace(n_pix=9))
    with pytest.raises(ValueError, match="along is 'mu'"):
        transfer_function(subtract_mean, noise(), noise(), survey=SURVEY, along="mu")
