import numpy as np
import numpy.testing as npt
import pytest
from scipy.constants import c, h, k

from imtools.observing import (
    add_emission,
    diffuse,
    draw_point_sources,
    point_source_counts,
    point_sources,
    subtract_pca,
    subtract_polynomial,
)
from imtools.survey import Survey

SURVEY = Survey.comap(n_chan=16)
WIDE = Survey(field_size=30.0, n_pix=4, n_chan=2)  # 900 deg2: many sources


@pytest.fixture(scope="module")
def sources():
    return draw_point_sources(WIDE, rng=np.random.default_rng(0))


def test_counts_are_the_integral_of_the_published_slope():
    flux = np.geomspace(1, 1e6, 20_001)
    integral = np.trapezoid(32.1 * flux**-2.18, flux)
    npt.assert_allclose(point_source_counts(1.0), integral, rtol=1e-5)  # trapezes of 7e-4 in ln S


@pytest.mark.parametrize(("flux", "per_deg2"), [(1.0, 27.17), (3.0, 7.41), (30.0, 0.461)])
def test_sources_above_a_flux_are_as_many_as_counted(sources, flux, per_deg2):
    """27.2 S^-1.18, less 0.031 above 316 mJy, which are masked."""
    found = int((sources["flux"] > flux).sum())
    expected = 900 * per_deg2
    npt.assert_allclose(found, expected, rtol=0.002, atol=5 * np.sqrt(expected))  # Poisson
    assert float(sources["flux"].min()) >= 1.0
    assert float(sources["flux"].max()) <= 316.0


def test_sources_lie_evenly_over_the_field(sources):
    for name in ("ra", "dec"):
        hist = np.histogram(sources[name], np.linspace(-15, 15, 7))[0]
        npt.assert_allclose(hist, hist.mean(), atol=5 * np.sqrt(hist.mean()))
        assert abs(sources[name]).max() < 15


def test_spectral_indices_have_the_published_mean_and_scatter(sources):
    n = sources.sizes["source"]
    npt.assert_allclose(sources["index"].mean(), -0.39, atol=5 * 0.33 / np.sqrt(n))
    npt.assert_allclose(sources["index"].std(), 0.33, rtol=5 / np.sqrt(2 * n))


def test_number_of_sources_is_a_poisson_draw():
    rng = np.random.default_rng(1)
    counts = [draw_point_sources(SURVEY, rng=rng).sizes["source"] for _ in range(400)]
    mean = (27.2 - 0.031) * 1.4**2
    npt.assert_allclose(np.mean(counts), mean, atol=5 * np.sqrt(mean / 400))
    npt.assert_allclose(np.var(counts), mean, rtol=5 * np.sqrt(2 / 400))


def test_one_millijansky_is_26_7_microkelvin_in_a_pixel_of_4_arcmin():
    """PHYSICS section 8, at 30 GHz."""
    survey = WIDE.replace(n_chan=1, nu_min=29.9, nu_max=30.1)
    cube = point_sources(
        survey, rng=np.random.default_rng(2), s_min=0.99, s_max=1.01, index=0, sigma_index=0,
        dtype=float,
    )  # fmt: skip
    per_source = float(cube.sum()) / cube.attrs["n_sources"]
    ratio = (survey.pixel_size / (4 / 60)) ** 2
    npt.assert_allclose(per_source * ratio, 26.7, rtol=3e-3)  # three digits; flux even over 2 %


def test_a_source_has_its_spectral_index():
    cube = point_sources(
        SURVEY, rng=np.random.default_rng(3), index=-0.7, sigma_index=0, dtype=float
    )
    column = cube.values.reshape(16, -1)[:, cube.values[0].argmax()]
    slope = np.polyfit(np.log(cube["freq"]), np.log(column), 1)[0]
    npt.assert_allclose(slope, -2.7, rtol=1e-6)  # flux ~ freq^-0.7, temperature two powers steeper


def test_sources_fall_into_their_own_pixels():
    rng = np.random.default_rng
    drawn = draw_point_sources(SURVEY, rng=rng(4))
    cube = point_sources(SURVEY, rng=rng(4), dtype=float)
    edges = SURVEY.angle_edges
    flux = np.histogram2d(drawn["dec"], drawn["ra"], [edges, edges], weights=drawn["flux"])[0]
    npt.assert_array_equal(cube[5] > 0, flux > 0)
    brightest = int(drawn["flux"].values.argmax())
    found = cube[8].values[np.unravel_index(flux.argmax(), flux.shape)]
    freq, index = float(cube["freq"][8]), float(drawn["index"][brightest])
    alone = float(drawn["flux"].max()) * (freq / 31) ** index
    alone *= 26.7 * (30 / freq) ** 2 * (4 / 60) ** 2 / SURVEY.pixel_size**2
    # 26.7 has three digits, and 87 sources share 441 pixels
    assert alone * 0.99 < found < alone * flux.max() / drawn["flux"].max() * 1.05


def test_mean_temperature_of_sources_exceeds_that_of_co():
    """PHYSICS section 8: 8 to 14 uK; the mean is set by few bright sources, so fields differ."""
    rng = np.random.default_rng(5)
    means = np.array([float(point_sources(SURVEY, rng=rng).mean()) for _ in range(300)])
    # 1 mJy in every square degree is 0.1187 uK at 30 GHz; scatter and curvature add 1 % or so
    flux = 32.1 / 0.18 * (1 - 316**-0.18)
    expected = flux * 26.7 * (4 / 60) ** 2
    error = means.std() / np.sqrt(300)
    npt.assert_allclose(means.mean(), expected, atol=5 * error)
    assert 8 < np.median(means) < 14


def test_sources_refuse_impossible_settings():
    with pytest.raises(ValueError, match="flux is 3 to 1 mJy"):
        point_sources(SURVEY, rng=np.random.default_rng(0), s_min=3, s_max=1)
    with pytest.raises(ValueError, match="sigma_index is -1"):
        point_sources(SURVEY, rng=np.random.default_rng(0), sigma_index=-1)


@pytest.mark.parametrize(("component", "rms"), [("synchrotron", 3.0), ("cmb", 30.0)])
def test_diffuse_rms_is_that_of_a_field_of_2_degrees_at_30_ghz(component, rms):
    survey = Survey(field_size=2.0, n_pix=16, n_chan=1, nu_min=29.9, nu_max=30.1)
    rng = np.random.default_rng(6)
    variance = [float(diffuse(survey, component, rng=rng)[0].var()) for _ in range(400)]
    error = np.std(variance) / np.sqrt(400)
    npt.assert_allclose(np.mean(variance), rms**2, atol=5 * error)
    assert error < 0.05 * rms**2


def test_diffuse_rms_does_not_depend_on_the_survey():
    """A field of 4 deg: its quarters have the rms of a field of 2 deg."""
    survey = Survey(field_size=4.0, n_pix=48, n_chan=1, nu_min=29.9, nu_max=30.1)
    rng = np.random.default_rng(7)
    maps = [diffuse(survey, "synchrotron", rng=rng, rms=5.0)[0, :24, :24] for _ in range(200)]
    variance = [float(m.var()) for m in maps]
    npt.assert_allclose(np.mean(variance), 25.0, atol=5 * np.std(variance) / np.sqrt(200))


def test_diffuse_fields_do_not_wrap_around():
    """Opposite edges differ more than an edge and the middle do."""
    survey = Survey(field_size=4.0, n_pix=32, n_chan=1, nu_min=29.9, nu_max=30.1)
    rng = np.random.default_rng(13)
    maps = np.array([diffuse(survey, "cmb", rng=rng).values[0] for _ in range(200)])
    across, halfway = ((maps[:, :, 0] - maps[:, :, j]).var() for j in (31, 16))
    assert across > 1.1 * halfway


@pytest.mark.parametrize("slope", [2.5, 1.5])
def test_diffuse_power_has_the_stated_slope(slope):
    survey = Survey(field_size=2.0, n_pix=64, n_chan=1, nu_min=29.9, nu_max=30.1)
    rng, power = np.random.default_rng(8), 0.0
    taper = np.outer(np.hanning(64), np.hanning(64))  # so that long waves do not leak into short
    for _ in range(60):
        field = diffuse(survey, "free_free", rng=rng, slope=slope).values[0]
        power = power + np.abs(np.fft.fft2(taper * (field - field.mean()))) ** 2
    size = np.hypot(*np.meshgrid(np.fft.fftfreq(64), np.fft.fftfreq(64)))
    bins = np.geomspace(4 / 64, 0.45, 9)
    place = np.digitize(size, bins)
    means = [(size[place == i].mean(), power[place == i].mean()) for i in range(1, 9)]
    ell, c_l = np.log(np.array(means)).T
    # the worst bin holds 40 modes of 60 maps, 2 %; the taper mixes neighbouring modes
    npt.assert_allclose(np.polyfit(ell, c_l, 1)[0], -slope, atol=0.08)


@pytest.mark.parametrize(
    ("component", "beta", "found"),
    [("synchrotron", None, -3.0), ("free_free", None, -2.1), ("synchrotron", -2.8, -2.8)],
)
def test_diffuse_spectra_are_power_laws(component, beta, found):
    cube = diffuse(SURVEY, component, rng=np.random.default_rng(9), beta=beta, dtype=float)
    assert cube.attrs["beta"] == found
    ratio = cube / cube[0]
    expected = (cube["freq"] / cube["freq"][0]) ** found
    npt.assert_allclose(ratio, expected.broadcast_like(ratio), rtol=1e-9)


def test_cmb_has_the_spectrum_of_a_small_change_of_temperature():
    """By a finite difference of Planck's law, in Rayleigh-Jeans temperature."""
    cube = diffuse(SURVEY, "cmb", rng=np.random.default_rng(10), dtype=float)
    freq = cube["freq"].values * 1e9

    def temperature(t):
        intensity = 2 * h * freq**3 / c**2 / np.expm1(h * freq / (k * t))
        return c**2 * intensity / (2 * k * freq**2)

    expected = temperature(2.72548 + 1e-3) - temperature(2.72548 - 1e-3)
    npt.assert_allclose(cube[:, 3, 4] / cube[0, 3, 4], expected / expected[0], rtol=1e-6)
    assert float(abs(cube[-1, 3, 4])) < float(abs(cube[0, 3, 4]))
    assert cube.attrs["beta"] == "cmb"


def test_diffuse_maps_differ_by_draw_and_keep_the_conventions():
    rng = np.random.default_rng(11)
    first, second = (diffuse(SURVEY, "synchrotron", rng=rng) for _ in range(2))
    assert not np.array_equal(first, second)
    assert first.dims == ("freq", "dec", "ra")
    assert first.dtype == np.float32
    assert first.attrs["units"] == "uK"
    assert first.attrs["long_name"] == "brightness temperature of synchrotron"
    assert (first.attrs["component"], first.attrs["rms"]) == ("synchrotron", 3.0)


def test_filters_take_out_smooth_foregrounds():
    """What a polynomial of third order leaves of 26-34 GHz power laws is below the signal."""
    survey = Survey.comap(n_chan=64)
    rng = np.random.default_rng(12)
    parts = [diffuse(survey, name, rng=rng, dtype=float) for name in ("synchrotron", "cmb")]
    sky = add_emission(*parts, point_sources(survey, rng=rng, dtype=float))
    before = float(sky.std())
    assert before > 20
    assert float(subtract_polynomial(sky, order=3).std()) < 1e-3 * before
    # two power laws and sources of many: five spectra span them to a thousandth
    assert float(subtract_pca(sky, n_modes=5).std()) < 1e-3 * before


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"component": "dust"}, "component is 'dust', expected one of synchrotron, free_free, cmb"),
        ({"component": "cmb", "rms": -1.0}, "rms is -1.0 uK"),
        ({"component": "cmb", "slope": 5.0}, "slope is 5.0"),
    ],
)
def test_diffuse_refuses_impossible_settings(settings, match):
    with pytest.raises(ValueError, match=match):
        diffuse(SURVEY, rng=np.random.default_rng(0), **settings)
