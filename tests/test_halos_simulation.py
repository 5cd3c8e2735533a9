"""The parts of a simulated catalogue: abundance, density box, and what simulate returns."""

import itertools
import json

import numpy as np
import numpy.testing as npt
import pytest

from imtools import halos
from imtools.constants import C_LIGHT, DEG
from imtools.cosmology import Cosmology
from imtools.halos.abundance import abundance_tables, log_modulation, second_order_bias
from imtools.halos.box import (
    Geometry,
    displacement,
    draw_modes,
    geometry_of,
    smooth_density,
)
from imtools.halos.catalogue import cosmology_from
from imtools.halos.simulation import M_HEAVY
from imtools.survey import Survey

COSMOLOGY = Cosmology()
SMALL = Survey(field_size=0.35, nu_min=29.0, nu_max=31.0)
GRID = Geometry(n_cells=(72, 64, 48), cell_size=4.0, z_near=6000.0, side=-128.0)


@pytest.fixture(scope="module")
def haloes():
    return halos.simulate(SMALL, seed=1)


@pytest.fixture(scope="module")
def modes():
    return draw_modes(GRID, COSMOLOGY, rng=np.random.default_rng(1))


def wavenumbers(geometry):
    """Return k_z, k_y, k_x [Mpc^-1] of the modes of a box, which broadcast."""
    n_z, n_y, n_x = geometry.n_cells
    k_z = 2 * np.pi * np.fft.fftfreq(n_z, geometry.cell_size)
    k_y = 2 * np.pi * np.fft.fftfreq(n_y, geometry.cell_size)
    k_x = 2 * np.pi * np.fft.rfftfreq(n_x, geometry.cell_size)
    return k_z[:, None, None], k_y[:, None], k_x


def twice(geometry):
    """Return 2 for modes of a halved x axis that stand for two, else 1."""
    weight = np.full(geometry.n_cells[2] // 2 + 1, 2.0)
    weight[[0, -1]] = 1.0
    return weight


# --- abundance


@pytest.mark.parametrize("b", [1.1, 1.6, 2.6, 5.0, 9.0])
@pytest.mark.parametrize("sigma", [0.05, 0.2, 0.45])
def test_the_modulation_keeps_the_mean_and_has_the_bias(b, sigma):
    nu = np.linspace(-12, 16, 20001)
    weight = np.exp(log_modulation(b, nu, sigma) - nu**2 / 2) / np.sqrt(2 * np.pi)
    npt.assert_allclose(np.trapezoid(weight, nu), 1, rtol=1e-10)  # of smooth, narrow functions
    npt.assert_allclose(np.trapezoid(nu * weight, nu), b * sigma, rtol=1e-10)


def test_the_modulation_has_the_second_order_bias_where_the_field_is_smooth():
    b, sigma, nu = 2.0, 0.05, np.linspace(-12, 12, 20001)
    weight = np.exp(log_modulation(b, nu, sigma) - nu**2 / 2) / np.sqrt(2 * np.pi)
    # <d^2> among haloes is s^2 (1 + b2 s^2) for a density 1 + b d + b2 (d^2 - s^2) / 2
    second = (np.trapezoid(nu**2 * weight, nu) - 1) / sigma**2
    npt.assert_allclose(second, second_order_bias(b), rtol=1e-9)
    npt.assert_allclose(second_order_bias(b), -0.094, atol=1e-12)  # Lazeyras et al. 2016, Eq. 5.2


def test_the_abundance_tables_integrate_to_the_mass_function():
    z_range, m_range, sigma_today = (2.4, 3.4), (2.5e10, 5e11), 1.3
    tables = abundance_tables(COSMOLOGY, z_range, m_range, sigma_today)
    gauss = np.exp(-(tables.nu**2) / 2) / np.sqrt(2 * np.pi)
    for m_least in (2.5e10, 6e10, 2e11):
        log_m = np.linspace(np.log(m_least), np.log(m_range[1]), 2000)
        for z in (2.4, 2.87, 3.4):  # the middle one between nodes
            i = min(np.searchsorted(tables.z, z), tables.z.size - 1)
            below = max(i - 1, 0)
            weight = 0.0 if i == below else (z - tables.z[below]) / (tables.z[i] - tables.z[below])
            density = np.exp(
                (1 - weight) * tables.log_density[below] + weight * tables.log_density[i]
            )
            log_mass = (1 - weight) * tables.log_mass[below] + weight * tables.log_mass[i]
            # depth is -ln of the share of haloes above a mass, which falls along it
            share = [np.exp(-np.interp(log_m[0], row, tables.depth)) for row in log_mass]
            found = np.trapezoid(gauss * density * share, tables.nu)
            expected = np.trapezoid(COSMOLOGY.mass_function(np.exp(log_m), z), log_m)
            npt.assert_allclose(found, expected, rtol=3e-3)  # as abundance_tables says


# --- box


def test_the_box_holds_the_cone_and_is_wider_than_the_field():
    for survey in (SMALL, Survey.notes(), Survey.notes(field_size=9.52)):
        geometry = geometry_of(survey, cell_size=4.0)
        chi_near, chi_far = survey.cosmology.comoving_distance([survey.z_min, survey.z_max])
        half = survey.field_size / 2 * DEG
        n_z, n_y, n_x = geometry.n_cells
        width = 2 * chi_far * np.tan(half)
        assert n_y == n_x
        assert n_x * 4.0 >= 2 * width
        if width < 200:
            assert n_x * 4.0 >= 3 * width  # cheap, and keeps the scatter of the count
        npt.assert_allclose(geometry.side, -n_x * 4.0 / 2, rtol=1e-12)
        # the corner of the field is nearest to the plane of the observer
        assert geometry.z_near < chi_near * np.cos(half) ** 2 - 40
        assert geometry.z_near + n_z * 4.0 > chi_far + 40
        assert all(n % 4 == 0 for n in geometry.n_cells)


def test_the_drawn_field_has_the_linear_power(modes):
    k_z, k_y, k_x = wavenumbers(GRID)
    k = np.sqrt(k_z**2 + k_y**2 + k_x**2)
    n_cells = np.prod(GRID.n_cells)
    power = np.abs(modes) ** 2 * GRID.cell_size**3 / n_cells
    edges = np.geomspace(0.04, 0.8, 9)
    for low, high in itertools.pairwise(edges):
        inside = (k >= low) & (k < high) & (k_x > 0) & (k_x < k_x[-1])  # each stands for itself
        ratio = power[inside] / COSMOLOGY.matter_power(k[inside])
        # |mode|^2 is exponential: 5 sampling errors of the mean of n
        npt.assert_allclose(ratio.mean(), 1, atol=5 / np.sqrt(inside.sum()))
    assert modes[0, 0, 0] == 0


def test_sigma_is_the_rms_of_the_smoothed_field(modes):
    for k_smooth, cells in ((0.35, False), (0.25, True)):
        density = smooth_density(modes, GRID, COSMOLOGY, k_smooth=k_smooth, coarse=cells)
        k_z, k_y, k_x = wavenumbers(GRID)
        k2 = (k_z**2 + k_y**2 + k_x**2).ravel()
        weight = np.broadcast_to(twice(GRID), (*GRID.n_cells[:2], k_x.size)).ravel()[1:]
        power = COSMOLOGY.matter_power(np.sqrt(k2[1:])) * np.exp(-((k2[1:] / k_smooth**2) ** 2))
        power /= np.prod(GRID.n_cells) * GRID.cell_size**3
        variance = (weight * power).sum()
        error = np.sqrt(2 * (weight * power**2).sum()) / variance  # of the variance, relative
        npt.assert_allclose(density.delta.var(), variance, rtol=5 * error)
        # sigma knows the modes longer than this small box, which hold 6 % of the variance
        npt.assert_allclose(density.sigma, np.sqrt(variance), rtol=0.05)
        assert density.sigma > np.sqrt(variance)


@pytest.mark.parametrize(
    ("k_smooth", "rtol"),
    [(0.15, 5e-3), (0.5, 2e-2)],  # modes longer than 1 Gpc; the cube of modes taken as a sphere
)
def test_sigma_of_a_wide_box_is_the_sum_over_its_modes(k_smooth, rtol):
    wide = Geometry(n_cells=(100, 100, 100), cell_size=10.0, z_near=0.0, side=0.0)
    none = np.zeros((100, 100, 51), dtype=np.complex64)
    density = smooth_density(none, wide, COSMOLOGY, k_smooth=k_smooth)
    k = np.sqrt(sum(one**2 for one in wavenumbers(wide)))
    k[0, 0, 0] = 1.0
    power = COSMOLOGY.matter_power(k) * np.exp(-((k / k_smooth) ** 4)) * twice(wide)
    power[0, 0, 0] = 0.0
    npt.assert_allclose(density.sigma, np.sqrt(power.sum() / 1000.0**3), rtol=rtol)


def test_the_coarse_field_is_every_other_point_of_the_fine_one(modes):
    # smoothed so much that the coarse grid resolves it: exp(-(0.39 / 0.2)^4 / 2) = 1e-3
    fine = smooth_density(modes, GRID, COSMOLOGY, k_smooth=0.2)
    coarse = smooth_density(modes, GRID, COSMOLOGY, k_smooth=0.2, coarse=True)
    npt.assert_allclose(coarse.delta, fine.delta[::2, ::2, ::2], atol=1e-3 * fine.sigma)
    # and stands at the same places: the centre of the first cell of either grid
    for name in ("z_near", "side"):
        first = getattr(GRID, name) + GRID.cell_size / 2
        npt.assert_allclose(getattr(coarse.geometry, name) + 4.0, first, rtol=1e-12)
    assert coarse.geometry.cell_size == 8.0


def test_smoothing_leaves_the_modes_alone(modes):
    before = modes.copy()
    smooth_density(modes, GRID, COSMOLOGY, k_smooth=0.3)
    smooth_density(modes, GRID, COSMOLOGY, k_smooth=0.3, coarse=True)
    displacement(modes, GRID)
    npt.assert_array_equal(modes, before)


def test_the_divergence_of_the_displacement_is_minus_the_density(modes):
    psi = displacement(modes, GRID)
    coarse = smooth_density(modes, GRID, COSMOLOGY, k_smooth=np.inf, coarse=True)
    k = wavenumbers(coarse.geometry)
    smooth = np.sqrt(sum(one**2 for one in k)) < 0.3  # Nyquist is 0.39
    psi_k = [np.fft.rfftn(component) for component in psi.astype(float)]
    divergence = sum(1j * k[2 - axis] * psi_k[axis] for axis in range(3))
    delta_k = np.fft.rfftn(coarse.delta.astype(float))
    scale = np.abs(delta_k[smooth]).max()
    npt.assert_allclose(divergence[smooth], -delta_k[smooth], atol=1e-5 * scale)  # float32


def test_the_displacement_has_the_rms_of_linear_theory(modes):
    psi = displacement(modes, GRID)
    coarse = GRID.coarser()
    k = wavenumbers(coarse)
    k2 = sum(one**2 for one in k)
    k2[0, 0, 0] = np.inf
    power = COSMOLOGY.matter_power(np.sqrt(k2.clip(max=100.0))) / k2**2 * twice(coarse)
    volume = np.prod(coarse.n_cells) * coarse.cell_size**3
    for axis in range(3):
        share = power * k[2 - axis] ** 2 / volume
        variance = share.sum()
        error = np.sqrt(2 * (share**2 / twice(coarse)).sum()) / variance
        npt.assert_allclose(psi[axis].var(), variance, rtol=4 * error)  # few long modes rule


# --- simulate


def test_a_catalogue_lies_in_field_and_band(haloes):
    assert haloes.sizes["halo"] > 5000
    half = SMALL.field_size / 2
    assert np.abs(haloes["ra"]).max() < half
    assert np.abs(haloes["dec"]).max() < half
    assert SMALL.z_min < haloes["z"].min()
    assert haloes["z"].max() < SMALL.z_max
    assert haloes["m_halo"].min() >= 2.5e10 * (1 - 1e-5)  # float32
    assert haloes["ra"].min() < -0.95 * half  # and fills both
    assert haloes["dec"].max() > 0.95 * half
    npt.assert_allclose(haloes["z"].min(), SMALL.z_min, atol=1e-3)
    npt.assert_allclose(haloes["z"].max(), SMALL.z_max, atol=1e-3)


def test_a_catalogue_says_what_it_is(haloes):
    for name, (units, long_name) in halos.COLUMNS.items():
        if name in haloes:
            assert haloes[name].attrs == {"units": units, "long_name": long_name}
            assert haloes[name].dims == ("halo",)
    assert cosmology_from(haloes) == COSMOLOGY
    assert haloes.attrs["seed"] == 1
    parameters = json.loads(haloes.attrs["parameters"])
    assert Survey.from_dict(parameters["survey"]) == SMALL
    assert parameters["m_min"] == 2.5e10
    assert haloes.attrs["imtools_version"]


def test_heavy_haloes_come_last_each_kind_near_to_far(haloes):
    heavy = haloes["m_halo"].values > M_HEAVY * (1 + 1e-5)
    assert 50 < heavy.sum() < 0.2 * heavy.size
    assert not heavy[: heavy.size - heavy.sum()].any()
    chi = haloes["chi"].values[~heavy]
    assert (np.diff(chi) > -10.0).all()  # Mpc; within a plane of cells of 2 Mpc, seen at an angle


def test_a_seed_gives_the_same_bytes_and_another_other_haloes(haloes):
    again = halos.simulate(SMALL, seed=1)
    for name in haloes:
        assert haloes[name].values.tobytes() == again[name].values.tobytes()
    other = halos.simulate(SMALL, seed=2)
    assert not np.isin(other["chi"].values, haloes["chi"].values).any()
    sequences = [np.random.SeedSequence(7, spawn_key=(k, 0)) for k in (0, 0, 1)]
    first, same, next_ = (halos.simulate(SMALL, seed=s, m_min=1e12) for s in sequences)
    npt.assert_array_equal(first["chi"], same["chi"])
    assert not np.isin(next_["chi"].values, first["chi"].values).any()
    assert first.attrs["seed"] == "7/0/0"


def test_the_observed_redshift_is_the_cosmological_one_and_the_velocity(haloes):
    chi, dec, ra = haloes["chi"].values, haloes["dec"].values * DEG, haloes["ra"].values * DEG
    sight = {"vx": -np.cos(dec) * np.sin(ra), "vy": np.sin(dec), "vz": np.cos(dec) * np.cos(ra)}
    speed = sum(haloes[name].values.astype(float) * part for name, part in sight.items())
    z_cosmo = haloes["z_cosmo"].values
    seen = (1 + z_cosmo) * (1 + speed / C_LIGHT) - 1
    npt.assert_allclose(haloes["z"], seen, rtol=1e-8)  # float32 velocities, 1e-7 of 1e-3
    assert np.std(haloes["z"].values - z_cosmo) > 1e-3  # 100 km/s and more
    # z_cosmo is interpolated on 4000 nodes
    npt.assert_allclose(COSMOLOGY.comoving_distance(z_cosmo), chi, rtol=1e-6)


@pytest.mark.slow
def test_velocities_have_the_rms_of_linear_theory():
    survey = SMALL.replace(field_size=1.4)
    fields = [halos.simulate(survey, seed=s, m_min=3e11, cell_size=8.0) for s in range(40)]
    squares = np.array([[np.mean(f[v].values ** 2.0) for v in ("vx", "vy", "vz")] for f in fields])
    z = 0.5 * (survey.z_min + survey.z_max)
    # modes of the box: it is periodic, so nothing longer than its sides moves haloes
    coarse = geometry_of(survey, cell_size=8.0).coarser()
    k = wavenumbers(coarse)
    k2 = sum(one**2 for one in k)
    k2[0, 0, 0] = np.inf
    power = COSMOLOGY.matter_power(np.sqrt(k2.clip(max=100.0))) / k2**2 * twice(coarse)
    power /= np.prod(coarse.n_cells) * coarse.cell_size**3
    for one in k:  # linear interpolation at random places between points 16 Mpc apart
        power *= (2 + np.cos(one * coarse.cell_size)) / 3
    psi2 = np.array([(power * k[2 - axis] ** 2).sum() for axis in range(3)])
    growth = COSMOLOGY.hubble(z) / (1 + z) * COSMOLOGY.growth_rate(z) * COSMOLOGY.growth_factor(z)
    mean, error = squares.mean(axis=0), squares.std(axis=0, ddof=1) / np.sqrt(len(fields))
    assert (error < 0.15 * mean).all()
    assert (np.abs(mean - growth**2 * psi2) < 4 * error).all()


def test_fewer_and_heavier_haloes_with_a_higher_least_mass():
    light = halos.simulate(SMALL, seed=3, m_min=1e11)
    heavy = halos.simulate(SMALL, seed=3, m_min=1e12)
    assert heavy["m_halo"].min() >= 1e12 * (1 - 1e-5)
    expected = [
        np.trapezoid(COSMOLOGY.mass_function(np.exp(m), 2.85), m)
        for m in (np.linspace(np.log(low), np.log(1e16), 500) for low in (1e11, 1e12))
    ]
    for haloes, density in zip((light, heavy), expected, strict=True):
        # 12 % of scatter from field to field, and Poisson
        npt.assert_allclose(haloes.sizes["halo"], density * SMALL.volume, rtol=0.5)


def test_cells_of_many_light_haloes_lose_none():
    thin = Survey(field_size=0.02, nu_min=30.0, nu_max=30.2)
    ln_m = np.linspace(np.log(1e8), np.log(1e16), 1000)
    density = np.trapezoid(COSMOLOGY.mass_function(np.exp(ln_m), 2.83), ln_m)
    assert density * 20.0**3 > 2**16  # in a cell, on average
    light = halos.simulate(thin, seed=1, m_min=1e8, cell_size=20.0)
    # 20 % of scatter from field to field; counts that wrap lose 65536 haloes a cell
    npt.assert_allclose(light.sizes["halo"], density * thin.volume, rtol=0.5)


@pytest.mark.parametrize(
    ("changes", "settings", "match"),
    [
        ({}, {"m_min": 10.4}, "m_min is 10.4 Msun, expected 1e8 to 1e14"),
        ({}, {"m_min": 1e15}, r"m_min is 1e\+15 Msun"),
        ({}, {"cell_size": 0.1}, "cell_size is 0.1 Mpc, expected 0.5 to 20"),
        ({}, {"cell_size": float("nan")}, "cell_size is nan Mpc"),
        ({"field_size": 20.0}, {}, "field_size is 20.0 deg, expected at most 15"),
        ({"nu_max": 115.0}, {}, r"begins at z = 0.0024, 10.1 Mpc away, .* lower Survey.nu_max"),
    ],
)
def test_settings_out_of_range_are_refused(changes, settings, match):
    with pytest.raises(ValueError, match=match):
        halos.simulate(SMALL.replace(**changes), seed=0, **settings)
