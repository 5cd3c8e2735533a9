import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.constants import DEG
from imtools.cosmology import Cosmology
from imtools.halos import simulate
from imtools.luminosity import Li2016, signal_moments
from imtools.painting import paint_halos, temperature_from_density
from imtools.statistics import K_EDGES, comoving_box, power_spectrum, power_spectrum_2d
from imtools.survey import Survey

SURVEY = Survey(field_size=1.4, n_pix=20, n_chan=48)
ALL_K = np.linspace(0, 10, 40)  # Mpc^-1, beyond every mode of this survey


def noise_map(survey, sigma=1.0, seed=1):
    return survey.cube(np.random.default_rng(seed).normal(0, sigma, survey.shape))


def gaussian_field(survey, power, seed=2):
    """A field of known P(k_perp, k_par), by a full complex transform of white noise."""
    box = comoving_box(survey.cube(np.zeros(survey.shape)), survey)
    steps = np.divide(box.lengths, box.n_cells)
    k_freq, k_dec, k_ra = np.meshgrid(
        *[2 * np.pi * np.fft.fftfreq(n, d) for n, d in zip(box.n_cells, steps, strict=True)],
        indexing="ij",
    )
    white = np.random.default_rng(seed).standard_normal(box.n_cells)
    amplitude = np.sqrt(power(np.hypot(k_dec, k_ra), np.abs(k_freq)) / np.prod(steps))
    return survey.cube(np.fft.ifftn(np.fft.fftn(white) * amplitude).real)


def pulls(pk, expected):
    """Deviations in units of the error of the expectation, where a bin has modes enough."""
    return ((pk / expected - 1) * np.sqrt(pk["n_modes"])).where(pk["n_modes"] >= 20)


@pytest.mark.parametrize("n_pix", [20, 21])
def test_white_noise_has_the_power_sigma_squared_times_voxel_volume(n_pix):
    survey = SURVEY.replace(n_pix=n_pix)
    pk = power_spectrum(noise_map(survey, 11.0), survey)
    level = 11.0**2 * survey.volume / np.prod(survey.shape)
    some = pk["n_modes"] > 0
    mean = float((pk * pk["n_modes"]).where(some).sum() / pk["n_modes"].sum())
    npt.assert_allclose(mean, level, rtol=5 / np.sqrt(float(pk["n_modes"].sum())))  # 5 errors
    assert float(np.abs(pulls(pk, level)).max()) < 5


def test_sigma_is_the_scatter_between_maps_of_noise():
    maps = np.random.default_rng(3).normal(size=(200, *SURVEY.shape))
    stack = xr.concat([SURVEY.cube(m) for m in maps], "sample")
    pk = power_spectrum(stack, SURVEY)
    ratio = (pk.std("sample", ddof=1) / pk["sigma"].mean("sample")).where(pk["n_modes"] >= 20)
    npt.assert_allclose(ratio[ratio.notnull()], 1, rtol=5 / np.sqrt(2 * 200))  # of a deviation


@pytest.mark.parametrize("n_pix", [20, 21])
def test_all_modes_together_hold_the_variance_of_the_map(n_pix):
    """Parseval; a plane of the half transform counted once too often would show."""
    survey = SURVEY.replace(n_pix=n_pix)
    sky = gaussian_field(survey, lambda across, along: 100 / (1 + 30 * np.hypot(across, along)))
    pk = power_spectrum(sky + 5.0, survey, k_edges=ALL_K)
    some = pk["n_modes"] > 0
    n_voxels, voxel = sky.size, survey.volume / sky.size
    npt.assert_allclose(2 * float(pk["n_modes"].sum()), n_voxels - 1)  # all but the mean
    total = 2 * float((pk * pk["n_modes"]).where(some).sum()) / n_voxels
    npt.assert_allclose(total, float(sky.var()) * voxel, rtol=1e-12)  # float64 arithmetic


def test_a_gaussian_field_of_known_power_comes_back():
    def power(k_perp, k_par):
        return 1000 * np.exp(-(k_perp**2 + k_par**2) * 25)

    survey = SURVEY.replace(n_pix=32, n_chan=256)
    pk = power_spectrum(gaussian_field(survey, power), survey, k_edges=np.linspace(0.05, 0.4, 36))
    # over a bin of .01 Mpc^-1 the power changes by at most 20 %, at its mean k by 0.4 %
    expected = xr.zeros_like(pk) + power(pk["k"].values, 0)
    assert float(np.abs(pulls(pk, expected)).max()) < 5
    mean_ratio = float((pk / expected * pk["n_modes"]).sum() / pk["n_modes"].sum())
    npt.assert_allclose(mean_ratio, 1, atol=5 / np.sqrt(float(pk["n_modes"].sum())) + 0.004)


def test_a_wave_lands_at_its_wavenumber():
    """Eight periods across the field of 1.4 deg, at the distance that keeps the volume."""
    _, _, ra = np.meshgrid(*[SURVEY.coords[n][1] for n in ("freq", "dec", "ra")], indexing="ij")
    wave = SURVEY.cube(np.cos(2 * np.pi * 8 * ra / 1.4))
    far, near = SURVEY.cosmology.comoving_distance([SURVEY.z_max, SURVEY.z_min])
    chi = np.sqrt((far**3 - near**3) / 3 / (far - near))
    k_wave = 2 * np.pi * 8 / (1.4 * DEG * chi)
    pk = power_spectrum_2d(
        wave, SURVEY, k_perp_edges=k_wave * np.array([0.5, 0.99, 1.01, 1.5]), k_par_edges=[0, 1]
    )
    assert float(pk[1, 0]) > 0
    npt.assert_allclose(pk[[0, 2], 0] / pk[1, 0], 0, atol=1e-20)  # rounding of a transform


def test_a_wave_along_the_sight_lands_at_its_k_par():
    channel = np.arange(SURVEY.n_chan)[:, None, None]
    wave = SURVEY.cube(np.cos(2 * np.pi * 6 * channel / SURVEY.n_chan) * np.ones(SURVEY.shape))
    far, near = SURVEY.cosmology.comoving_distance([SURVEY.z_max, SURVEY.z_min])
    edges = 2 * np.pi * 6 / (far - near) * np.array([0.5, 0.99, 1.01, 1.5])
    pk = power_spectrum_2d(wave, SURVEY, k_perp_edges=[0, 0.001], k_par_edges=edges)
    assert float(pk[0, 1]) > 0
    npt.assert_allclose(pk[0, [0, 2]] / pk[0, 1], 0, atol=1e-20)  # rounding of a transform


def test_an_anisotropic_field_comes_back_in_two_dimensions():
    def power(k_perp, k_par):
        return 500 * np.exp(-((k_par / 0.1) ** 2)) / (1 + (k_perp / 0.2) ** 2)

    survey = SURVEY.replace(n_pix=64, n_chan=128, field_size=4.2)
    edges = np.linspace(0.02, 0.3, 29)
    pk = power_spectrum_2d(
        gaussian_field(survey, power), survey, k_perp_edges=edges, k_par_edges=edges
    )
    assert pk.dims == ("k_perp", "k_par")
    expected = power(pk["k_perp"].values[:, None], pk["k_par"].values)
    deviation = pulls(pk, expected)
    assert deviation.notnull().sum() > 50
    # the power is bent over a bin of .01 Mpc^-1 by under 3 %, and 70 modes have an error of 12 %
    assert float(np.abs(deviation).max()) < 5
    assert float(np.abs(pulls(pk, expected.T)).max()) > 20  # it is not the transposed field


def test_the_two_dimensional_power_averages_to_the_monopole():
    sky = noise_map(SURVEY)
    pk = power_spectrum(sky, SURVEY, k_edges=ALL_K)
    flat = power_spectrum_2d(sky, SURVEY, k_perp_edges=ALL_K, k_par_edges=ALL_K)
    totals = [float((p * p["n_modes"]).sum()) for p in (pk, flat)]
    npt.assert_allclose(totals[1], totals[0], rtol=1e-12)  # float64 sums in another order


def test_shot_noise_of_unclustered_sources_has_the_analytic_level():
    survey = SURVEY.replace(n_pix=32, n_chan=128)
    rng = np.random.default_rng(4)
    n, l_co = 60_000, 3e6
    far, near = survey.cosmology.comoving_distance([survey.z_max, survey.z_min])
    chi = np.cbrt(rng.uniform(near**3, far**3, n))  # uniform in the cone
    angle = survey.field_size / 2
    haloes = xr.Dataset({
        "ra": ("halo", rng.uniform(-angle, angle, n)),
        "dec": ("halo", rng.uniform(-angle, angle, n)),
        "z": ("halo", survey.cosmology.redshift(chi)),
        "chi": ("halo", chi),
        "l_co": ("halo", np.full(n, l_co)),
    })  # fmt: skip
    pk = power_spectrum(paint_halos(haloes, survey), survey, k_edges=[0.2, 1.0])
    density = n / survey.volume
    per_density = temperature_from_density(1.0, haloes["z"].values, survey)
    level = np.mean(per_density**2) * l_co**2 * density
    # one distance for all channels: temperature and voxel volume vary by 16 and 40 % the other way
    rtol = 0.03 + 5 / np.sqrt(float(pk["n_modes"][0]))
    npt.assert_allclose(float(pk[0]), level, rtol=rtol)


def test_simulated_maps_have_the_power_of_biased_linear_theory():
    """From haloes to P(k), against T^2 b^2 P_m with its redshift-space boost, plus shot noise."""
    survey, model, rng = Survey.comap(n_pix=64), Li2016(), np.random.default_rng(1)
    stack = []
    for seed in range(3):
        haloes = simulate(survey, seed=seed, cell_size=4.0)
        l_co = model.luminosity(haloes["m_halo"].values, haloes["z_cosmo"].values, rng=rng)
        stack.append(paint_halos(haloes.assign(l_co=("halo", l_co)), survey))
    k_edges = [0.06, 0.08, 0.1, 0.13, 0.16, 0.2]
    pk = power_spectrum(xr.concat(stack, "sample"), survey, k_edges=k_edges)
    theory = 0.0
    for z in np.linspace(survey.z_min, survey.z_max, 9):
        signal = signal_moments(model, z)
        beta = float(survey.cosmology.growth_rate(z)) / signal["bias"]
        matter = survey.cosmology.matter_power(pk["k"].values)
        matter = matter * float(survey.cosmology.growth_factor(z)) ** 2
        boost = signal["bias"] ** 2 * (1 + 2 * beta / 3 + beta**2 / 5)
        clustering = signal["mean_temperature"] ** 2 * boost * matter
        theory = theory + (clustering + signal["shot_noise"]) / 9
    weight = pk["n_modes"].values
    ratio = np.average(pk.mean("sample").values / theory, weights=weight)
    # sampling, and 3 % for distances, pixels and evolution through the band
    npt.assert_allclose(ratio, 1, atol=5 / np.sqrt(3 * weight.sum()) + 0.03)


def test_the_box_has_the_volume_of_the_light_cone():
    for survey in (Survey.comap(), Survey.notes(n_pix=8, n_chan=10)):
        box = comoving_box(survey.cube(np.zeros(survey.shape)), survey)
        npt.assert_allclose(np.prod(box.lengths), survey.volume, rtol=1e-12)  # same formula
        npt.assert_allclose(box.voxel_volume, survey.volume / np.prod(survey.shape), rtol=1e-12)


def test_one_distance_is_that_of_the_band_centre_and_off_by_9_percent_at_its_ends():
    survey = Survey.comap()
    box = comoving_box(survey.cube(np.zeros(survey.shape)), survey)
    chi = box.lengths[1] / (survey.field_size * DEG)
    centre, far, near = survey.cosmology.comoving_distance(
        survey.nu_rest / np.array([30.0, 26.0, 34.0]) - 1
    )
    npt.assert_allclose(chi, centre, rtol=0.005)
    npt.assert_allclose([chi / near, chi / far], [1.09, 0.92], atol=0.01)
    freq = survey.freq_edges
    depth = -np.diff(survey.cosmology.comoving_distance(survey.nu_rest / freq - 1))
    assert 0.07 < np.abs(depth / depth.mean() - 1).max() < 0.085


def test_power_follows_the_cosmology():
    """Volume and distance of a wider universe, with the same map."""
    sky = noise_map(SURVEY)
    wide = Cosmology(h=0.5)
    pk, other = (power_spectrum(sky, c, k_edges=ALL_K) for c in (Cosmology(), wide))
    some = pk["n_modes"].values > 0
    assert some.sum() >= 3
    box, other_box = comoving_box(sky), comoving_box(sky, wide)
    npt.assert_allclose(other_box.voxel_volume / box.voxel_volume, 1.4**3, rtol=1e-6)  # splines
    npt.assert_allclose(
        float((other * other["n_modes"]).sum() / (pk * pk["n_modes"]).sum()), 1.4**3, rtol=1e-6
    )


def test_k_is_the_mean_of_the_modes_and_an_empty_bin_is_nan():
    survey = Survey(field_size=0.2, n_pix=8, n_chan=8, nu_min=30.0, nu_max=30.5)
    pk = power_spectrum(noise_map(survey), survey, k_edges=[1e-5, 1e-4, 0.3, 3.0])
    box = comoving_box(survey.cube(np.zeros(survey.shape)), survey)
    steps = np.divide(box.lengths, box.n_cells)
    k = np.sqrt(sum(g**2 for g in np.meshgrid(
        *[2 * np.pi * np.fft.fftfreq(n, d) for n, d in zip(box.n_cells, steps, strict=True)],
        indexing="ij",
    )))  # fmt: skip
    inside = (k >= 0.3) & (k < 3.0)
    npt.assert_allclose(pk["k"][2], k[inside].mean(), rtol=1e-12)  # float64 sums
    assert float(pk["n_modes"][2]) == inside.sum() / 2
    assert np.isnan(pk[0])
    assert float(pk["n_modes"][0]) == 0
    npt.assert_allclose(pk["k"][0], 5.5e-5, rtol=1e-12)


def test_ihles_bins_are_the_default_and_are_kept():
    pk = power_spectrum(noise_map(SURVEY))
    assert pk.sizes == {"k": 20}
    npt.assert_allclose(pk.attrs["k_edges"], np.logspace(-1.5, 0, 21), rtol=1e-12)
    assert (pk["k"] > K_EDGES[:-1]).all()
    assert (pk["k"] < K_EDGES[1:]).all()


def test_a_stack_gives_what_its_maps_give_one_by_one():
    maps = [noise_map(SURVEY, seed=s).astype("float32") for s in range(3)]
    stack = xr.concat(maps, "sample").assign_coords(catalogue=("sample", [0, 0, 1]))
    for function in (power_spectrum, power_spectrum_2d):
        pk = function(stack, SURVEY)
        assert pk.dims[0] == "sample"
        npt.assert_array_equal(pk["catalogue"], [0, 0, 1])
        for i, sky in enumerate(maps):
            npt.assert_array_equal(pk[i].values, function(sky, SURVEY).values)


def test_a_single_map_in_a_stack_keeps_its_sample():
    stack = noise_map(SURVEY).expand_dims("sample")
    assert power_spectrum(stack, SURVEY).dims == ("sample", "k")


def test_power_has_units_and_leaves_the_map_alone():
    sky = noise_map(SURVEY)
    before = sky.copy(deep=True)
    pk = power_spectrum(sky, SURVEY)
    xr.testing.assert_identical(sky, before)
    assert pk.attrs["units"] == "uK2 Mpc3"
    for name in ("k", "n_modes", "sigma"):
        assert pk[name].attrs["units"]
        assert pk[name].attrs["long_name"]


def test_a_map_with_nan_raises():
    sky = noise_map(SURVEY)
    sky[3, 4, 5] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity; fill masked voxels"):
        power_spectrum(sky, SURVEY)


@pytest.mark.parametrize("edges", [[0.1], [0.2, 0.1], [-0.1, 0.1], [0.1, np.inf], [0.1, np.nan]])
def test_edges_that_do_not_ascend_raise(edges):
    with pytest.raises(ValueError, match="power_spectrum: edges are"):
        power_spectrum(noise_map(SURVEY), SURVEY, k_edges=edges)


def test_a_map_without_rest_frequency_raises():
    sky = noise_map(SURVEY).assign_attrs(nu_rest=0.0)
    with pytest.raises(ValueError, match="nu_rest"):
        power_spectrum(sky, SURVEY)
