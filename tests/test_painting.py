import json
import warnings
from dataclasses import asdict

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.constants import C_LIGHT
from imtools.cosmology import Cosmology
from imtools.painting import paint_halos, painted_luminosity, temperature, temperature_from_density
from imtools.survey import Survey

SURVEY = Survey.notes(n_pix=32, n_chan=8)
UNITS = {"ra": "deg", "dec": "deg", "z": "1", "chi": "Mpc", "l_co": "Lsun"}


def make_halos(**values):
    data = {name: ("halo", np.asarray(v), {"units": UNITS[name]}) for name, v in values.items()}
    return xr.Dataset(data)


def random_halos(n, survey=SURVEY, seed=0):
    rng = np.random.default_rng(seed)
    half = survey.field_size / 2
    z = rng.uniform(survey.z_min, survey.z_max, n)
    return make_halos(
        ra=rng.uniform(-half, half, n),
        dec=rng.uniform(-half, half, n),
        z=z,
        chi=survey.cosmology.comoving_distance(z),
        l_co=rng.lognormal(10, 1.5, n),
    )


def centred_halo(channel, row, column, l_co=1e6, survey=SURVEY):
    z = survey.coords["z"][1][channel]
    return make_halos(
        ra=[survey.coords["ra"][1][column]],
        dec=[survey.coords["dec"][1][row]],
        z=[z],
        chi=[survey.cosmology.comoving_distance(z)],
        l_co=[l_co],
    )


def with_value(haloes, name, index, value):
    changed = haloes[name].values.copy()
    changed[index] = value
    return haloes.assign({name: ("halo", changed)})


def test_one_halo_fills_its_own_voxel_and_no_other():
    cube = paint_halos(centred_halo(2, 5, 30), SURVEY)
    filled = np.argwhere(cube.values)
    npt.assert_array_equal(filled, [[2, 5, 30]])
    assert cube.dims == ("freq", "dec", "ra")
    assert cube.attrs["units"] == "uK"
    assert (cube.attrs["n_inside"], cube.attrs["n_outside"], cube.attrs["n_invalid"]) == (1, 0, 0)


def test_temperature_of_one_halo_is_the_formula_of_the_field():
    """PHYSICS section 1, form (a), written out with the observed frequency and redshift."""
    cube = paint_halos(centred_halo(3, 0, 0, l_co=2e6), SURVEY, dtype=np.float64)
    z, nu_obs = float(cube["z"][3]), float(cube["freq"][3])
    chi = SURVEY.cosmology.comoving_distance(z)
    omega = (1.4 / 32 * np.pi / 180) ** 2
    flux = 2e6 / (4 * np.pi * chi**2 * (1 + z) ** 2 * nu_obs**2 * (8 / 8) * omega)
    # the constant 2.61715 is given to six digits
    npt.assert_allclose(cube.values.max(), 0.5 * 2.61715 * flux, rtol=2e-6)


def test_the_two_forms_of_temperature_agree():
    z = np.linspace(SURVEY.z_min, SURVEY.z_max, 7)
    chi, rate = SURVEY.cosmology.comoving_distance(z), SURVEY.cosmology.hubble(z)
    depth = C_LIGHT * (1 + z) ** 2 * SURVEY.delta_nu / (SURVEY.nu_rest * rate)
    density = 1e6 / (chi**2 * SURVEY.pixel_solid_angle * depth)
    # the target is 1e-6; both are float64 arithmetic on the same constants
    npt.assert_allclose(
        temperature(1e6, chi, SURVEY), temperature_from_density(density, z, SURVEY), rtol=1e-12
    )


def test_mean_temperature_is_that_of_the_luminosity_density():
    """A uniform universe of haloes: the cube's mean against the second form, with no voxels."""
    survey = SURVEY.replace(nu_min=29.99, nu_max=30.01, n_chan=2)  # thin: one redshift
    haloes = random_halos(1000, survey)
    density = float(haloes["l_co"].sum()) / survey.volume
    z = survey.nu_rest / 30.0 - 1
    expected = temperature_from_density(density, z, survey)
    # chi changes by 3e-4 over half the band, T by twice that
    npt.assert_allclose(paint_halos(haloes, survey).mean(), expected, rtol=7e-4)


def test_painted_luminosity_returns_a_halo_at_a_channel_centre():
    cube = paint_halos(centred_halo(6, 1, 2, l_co=3e5), SURVEY, dtype=np.float64)
    back = painted_luminosity(cube, SURVEY)
    npt.assert_allclose(back.sum(), 3e5, rtol=1e-12)  # float64 arithmetic
    assert back.attrs["units"] == "Lsun"
    assert back.dims == cube.dims


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_painted_luminosity_is_conserved(dtype):
    survey = SURVEY.replace(n_chan=100)
    haloes = random_halos(20_000, survey)
    cube = paint_halos(haloes, survey, dtype=dtype)
    assert cube.dtype == dtype
    back = painted_luminosity(cube.astype(float), survey).sum()
    # uniform over a channel a halo is off by 1.7e-3 / sqrt(12), and 2000 of them carry the light
    npt.assert_allclose(back, haloes["l_co"].sum(), rtol=5 * 1.7e-3 / np.sqrt(12 * 2000))


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_painted_flux_is_conserved_exactly(dtype, rtol):
    haloes = random_halos(20_000)
    cube = paint_halos(haloes, SURVEY, dtype=dtype)
    total = temperature(haloes["l_co"], haloes["chi"], SURVEY).sum()
    npt.assert_allclose(cube.astype(float).sum(), total, rtol=rtol)  # arithmetic of the cube


def test_cube_is_the_weighted_histogram_of_the_haloes():
    haloes = random_halos(5000)
    temp = temperature(haloes["l_co"].values, haloes["chi"].values, SURVEY)
    where = [SURVEY.nu_rest / (1 + haloes["z"].values), haloes["dec"].values, haloes["ra"].values]
    edges = (SURVEY.freq_edges, SURVEY.angle_edges, SURVEY.angle_edges)
    expected, _ = np.histogramdd(where, bins=edges, weights=temp)
    cube = paint_halos(haloes, SURVEY, dtype=np.float64)
    npt.assert_allclose(cube, expected, rtol=1e-12)  # sums of floats in the same order
    assert cube.attrs["n_inside"] == 5000


def test_order_of_the_haloes_does_not_matter():
    haloes = random_halos(3000)
    turned = haloes.isel(halo=slice(None, None, -1))
    # float64 sums in another order
    npt.assert_allclose(
        paint_halos(haloes, SURVEY, dtype=float), paint_halos(turned, SURVEY, dtype=float), 1e-12
    )


def test_channel_follows_observed_redshift_and_temperature_the_distance():
    """A peculiar velocity moves a halo between channels and leaves its distance."""
    halo = centred_halo(2, 5, 5)
    moved = halo.assign(z=("halo", [SURVEY.coords["z"][1][3]]))
    cube, shifted = paint_halos(halo, SURVEY), paint_halos(moved, SURVEY)
    npt.assert_array_equal(np.argwhere(shifted.values), [[3, 5, 5]])
    npt.assert_allclose(shifted.values.max(), cube.values.max(), rtol=1e-12)  # the same sum


def test_temperature_scales_as_the_inverse_square_of_distance():
    ratio = temperature(1.0, 12_000.0, SURVEY) / temperature(1.0, 6000.0, SURVEY)
    npt.assert_allclose(ratio, 0.25, rtol=1e-12)  # float64 arithmetic


def test_coarser_pixels_have_the_mean_temperature_of_finer_ones():
    haloes = random_halos(2000)
    fine = paint_halos(haloes, SURVEY, dtype=float)
    coarse = paint_halos(haloes, SURVEY.replace(n_pix=16, n_chan=4), dtype=float)
    pooled = fine.coarsen(freq=2, dec=2, ra=2).mean()
    npt.assert_allclose(coarse, pooled, rtol=1e-12)  # float64 sums in another order


def test_an_edge_belongs_to_the_voxel_above_it():
    """Powers of two, so that edges are exact: 0 lies between pixels 1 and 2."""
    survey = Survey(field_size=2.0, n_pix=4, n_chan=2)
    cube = paint_halos(centred_halo(0, 1, 1, survey=survey).assign(ra=("halo", [0.0])), survey)
    npt.assert_array_equal(np.argwhere(cube.values), [[0, 1, 2]])
    lower = centred_halo(0, 1, 1, survey=survey).assign(ra=("halo", [-1.0]))
    npt.assert_array_equal(np.argwhere(paint_halos(lower, survey).values), [[0, 1, 0]])
    upper = centred_halo(0, 1, 1, survey=survey).assign(ra=("halo", [1.0]))
    with pytest.raises(ValueError, match="none of 1 haloes"):
        paint_halos(upper, survey)


@pytest.mark.parametrize(
    ("name", "value"),
    [("ra", 0.71), ("ra", -0.71), ("dec", 0.71), ("dec", -0.71), ("z", 2.38), ("z", 3.44)],
)
def test_haloes_outside_are_counted_with_a_warning_and_change_nothing(name, value):
    haloes = random_halos(10)
    outside = with_value(centred_halo(3, 10, 10), name, 0, value)
    with pytest.warns(UserWarning, match="1 of 11 haloes lie outside the field and band"):
        cube = paint_halos(xr.concat([haloes, outside], "halo"), SURVEY)
    assert (cube.attrs["n_inside"], cube.attrs["n_outside"]) == (10, 1)
    npt.assert_array_equal(cube, paint_halos(haloes, SURVEY))


def test_no_halo_inside_raises_and_says_where_they_are():
    haloes = with_value(centred_halo(0, 0, 0), "z", 0, 3.55)
    with pytest.raises(ValueError, match=r"none of 1 haloes lies inside .*z 3.55 to 3.55.*3.43"):
        paint_halos(haloes, SURVEY)
    with pytest.warns(UserWarning, match="the map is zero"):
        cube = paint_halos(haloes, SURVEY, allow_empty=True)
    assert not cube.values.any()


def test_empty_catalogue_raises():
    with pytest.raises(ValueError, match="the catalogue is empty"):
        paint_halos(random_halos(10).isel(halo=slice(0)), SURVEY)


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, np.nan) for name in UNITS]
    + [(name, np.inf) for name in UNITS]
    + [("ra", -np.inf), ("chi", 0.0), ("chi", -5000.0), ("z", -0.1), ("l_co", -1.0)],
)
def test_invalid_values_raise_with_their_count_and_place(name, value):
    haloes = with_value(random_halos(1500), name, [7, 1203], value)
    with pytest.raises(ValueError, match=rf"2 of 1500 .* in {name} \(first indices 7, 1203\)"):
        paint_halos(haloes, SURVEY)
    with pytest.warns(UserWarning, match="they are left out"):
        cube = paint_halos(haloes, SURVEY, drop_invalid=True)
    assert (cube.attrs["n_inside"], cube.attrs["n_invalid"]) == (1498, 2)
    npt.assert_array_equal(cube, paint_halos(haloes.drop_isel(halo=[7, 1203]), SURVEY))


def test_all_invalid_raises_even_when_they_may_be_dropped():
    haloes = with_value(random_halos(3), "z", slice(None), np.nan)
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="no halo is valid"),
    ):
        paint_halos(haloes, SURVEY, drop_invalid=True)


def test_haloes_without_luminosity_raise():
    with pytest.raises(ValueError, match=r"haloes lack l_co; found .*expected ra, dec"):
        paint_halos(random_halos(3).drop_vars("l_co"), SURVEY)


def test_text_in_place_of_numbers_raises():
    with pytest.raises(ValueError, match=r"l_co has dims .*real numbers"):
        paint_halos(random_halos(2).assign(l_co=("halo", ["a", "b"])), SURVEY)


def test_another_cosmology_in_the_catalogue_warns():
    haloes = random_halos(3)
    haloes.attrs["cosmology"] = json.dumps(asdict(Cosmology(omega_m=0.31)))
    with pytest.warns(UserWarning, match=r"differ in cosmology \(omega_m 0.31 not 0.286\)"):
        paint_halos(haloes, SURVEY)
    haloes.attrs["cosmology"] = json.dumps(asdict(SURVEY.cosmology))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paint_halos(haloes, SURVEY)


def test_painting_leaves_the_haloes_alone():
    haloes = random_halos(10)
    before = haloes.copy(deep=True)
    paint_halos(haloes, SURVEY)
    xr.testing.assert_identical(haloes, before)
