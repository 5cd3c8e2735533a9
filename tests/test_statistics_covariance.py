import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.statistics import (
    joint_covariance,
    joint_features,
    power_spectrum,
    rescale_covariance,
    vid,
)
from imtools.survey import Survey

SURVEY = Survey(field_size=1.4, n_pix=12, n_chan=48)
K_EDGES = np.linspace(0.05, 0.3, 6)
TEMP_EDGES = [2.0, 4.0, 8.0, 16.0, 32.0]


def statistics(maps):
    stack = xr.concat([SURVEY.cube(m) for m in maps], "sample")
    return power_spectrum(stack, SURVEY, k_edges=K_EDGES), vid(stack, temp_edges=TEMP_EDGES)


def made_up(values):
    """Features of chosen values: two of the power spectrum, one of the voxels."""
    values = np.asarray(values, dtype=float)
    coords = {"k": [0.1, 0.2], "n_modes": ("k", [50.0, 200.0])}
    pk = xr.DataArray(values[:, :2], dims=("sample", "k"), coords=coords)
    return pk, xr.DataArray(values[:, 2:], dims=("sample", "temp"), coords={"temp": [10.0]})


def test_noise_has_the_covariance_of_independent_modes_and_voxels():
    n_maps = 600
    maps = np.random.default_rng(1).normal(0, 8.0, (n_maps, *SURVEY.shape))
    covariance = joint_covariance(*statistics(maps))
    assert covariance.sizes == {"feature": 9, "feature_prime": 9}
    diagonal = np.diag(covariance)
    share = 1 - covariance["variance"].values / np.prod(SURVEY.shape)  # binomial, not Poisson
    share[covariance["statistic"].values == "pk"] = 1.0
    expected = covariance["variance"].values * share
    # 5 errors of a variance from 600 draws; subtracting the mean of 6912 voxels shifts 1 %
    npt.assert_allclose(diagonal, expected, rtol=5 * np.sqrt(2 / n_maps) + 0.01)
    correlation = covariance.values / np.sqrt(np.outer(diagonal, diagonal))
    between_k = correlation[:5, :5][~np.eye(5, dtype=bool)]
    npt.assert_allclose(between_k, 0, atol=5 / np.sqrt(n_maps))


def test_power_and_voxels_are_correlated_where_the_signal_scatters():
    """A map that is brighter as a whole has more power and more bright voxels."""
    rng = np.random.default_rng(2)
    maps = rng.normal(0, 1, (100, *SURVEY.shape)) * rng.uniform(6, 10, (100, 1, 1, 1))
    covariance = joint_covariance(*statistics(maps))
    across = covariance.values[:5, 5:] / np.sqrt(
        np.outer(np.diag(covariance)[:5], np.diag(covariance)[5:])
    )
    assert (across[:, -2] > 0.7).all()


def test_maps_of_one_catalogue_do_not_make_the_covariance_smaller():
    """Between catalogues 4, 1, .25 in variance; within, 1 in each: 5, 2, 1.25 together."""
    rng = np.random.default_rng(3)
    n_catalogues, n_draws = 4000, 3
    structure = rng.normal(0, [2.0, 1.0, 0.5], (n_catalogues, 1, 3))
    values = structure + rng.normal(0, 1.0, (n_catalogues, n_draws, 3)) + 100
    catalogue = np.repeat(np.arange(n_catalogues), n_draws)
    covariance = joint_covariance(*made_up(values.reshape(-1, 3)), catalogue=catalogue)
    rtol = 5 * np.sqrt(2 / n_catalogues)  # sampling
    npt.assert_allclose(np.diag(covariance), [5.0, 2.0, 1.25], rtol=rtol)
    assert covariance.attrs["n_catalogues"] == n_catalogues
    # few catalogues of many draws: unbiased, where all maps taken alike would come out too small
    few = [
        np.diag(joint_covariance(*made_up(block), catalogue=np.repeat(range(4), n_draws)))
        for block in values.reshape(-1, 4 * n_draws, 3)
    ]
    npt.assert_allclose(np.mean(few, axis=0), [5.0, 2.0, 1.25], rtol=rtol)


def test_unequal_numbers_of_maps_are_weighed_right():
    rng = np.random.default_rng(4)
    size = np.tile([1, 4], 3000)
    catalogue = np.repeat(np.arange(size.size), size)
    values = rng.normal(0, 1, (size.size, 3))[catalogue] + rng.normal(0, 3, (catalogue.size, 3))
    covariance = joint_covariance(*made_up(values), catalogue=catalogue)
    npt.assert_allclose(np.diag(covariance), 10.0, rtol=5 * np.sqrt(2 / size.size))  # sampling


def test_one_map_a_catalogue_is_the_sample_covariance():
    values = np.random.default_rng(5).normal(size=(20, 3))
    covariance = joint_covariance(*made_up(values))
    npt.assert_allclose(covariance, np.cov(values, rowvar=False), rtol=1e-12)  # same formula


def test_features_keep_their_names_and_places():
    pk, counts = statistics(np.random.default_rng(6).normal(0, 8, (12, *SURVEY.shape)))
    features = joint_features(pk, counts)
    assert features.dims == ("sample", "feature")
    assert list(features["statistic"].values) == ["pk"] * 5 + ["vid"] * 4
    npt.assert_array_equal(features["position"][:5], pk["k"])
    npt.assert_array_equal(features["position"][5:], counts["temp"])
    npt.assert_array_equal(features.sel(sample=3)[5:], counts[3])
    npt.assert_allclose(features["variance"][:5], pk.mean("sample") ** 2 / pk["n_modes"])
    assert joint_features(pk[0], counts[0]).dims == ("feature",)


def test_bins_without_modes_are_left_out():
    sky = SURVEY.cube(np.random.default_rng(7).normal(0, 8, SURVEY.shape))
    pk = power_spectrum(sky, SURVEY, k_edges=[1e-6, 1e-5, 0.1, 0.2])
    features = joint_features(pk, vid(sky))
    assert np.isfinite(features).all()
    assert (features["statistic"] == "pk").sum() == 2


def test_rescaling_multiplies_the_variances_and_keeps_the_correlations():
    rng = np.random.default_rng(8)
    pk, counts = made_up(rng.normal(100, 5, (50, 3)))
    covariance = joint_covariance(pk, counts)
    moved = rescale_covariance(covariance, 3 * pk, 4 * counts)
    # variance of P goes as P^2, that of counts as the counts
    expected = covariance.values * np.outer([3, 3, 2], [3, 3, 2])
    npt.assert_allclose(moved, expected, rtol=1e-12)  # float64 arithmetic
    npt.assert_allclose(rescale_covariance(covariance, pk, counts), covariance, rtol=1e-12)


def test_rescaling_needs_the_same_bins():
    pk, counts = made_up(np.random.default_rng(9).normal(100, 5, (50, 3)))
    covariance = joint_covariance(pk, counts)
    with pytest.raises(ValueError, match="2 features, expected the 3"):
        rescale_covariance(covariance, pk.isel(k=[0]), counts)


def test_too_few_catalogues_warn_or_raise():
    values = np.random.default_rng(10).normal(size=(6, 3))
    with pytest.warns(UserWarning, match="3 catalogues for 3 features"):
        joint_covariance(*made_up(values), catalogue=[0, 0, 1, 1, 2, 2])
    with pytest.raises(ValueError, match="1 catalogue, expected at least two"):
        joint_covariance(*made_up(values), catalogue=np.zeros(6))


def test_shapes_that_disagree_raise():
    pk, counts = made_up(np.ones((6, 3)))
    with pytest.raises(ValueError, match="pk has 6 samples and vid 5"):
        joint_features(pk, counts[:5])
    with pytest.raises(ValueError, match=r"catalogue has shape \(5,\), expected \(6,\)"):
        joint_covariance(pk, counts, catalogue=range(5))
