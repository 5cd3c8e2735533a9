"""Maps and haloes as HoloViews elements: labels, colours, orientation, both backends."""

import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools import plots
from imtools.cosmology import Cosmology
from imtools.halos import make_catalogue
from imtools.luminosity import LUMINOSITY_MODELS
from imtools.observing import add_white_noise
from imtools.plots.style import COLOURS, MAP_COLOURS, RESIDUAL_COLOURS, TRUTH
from imtools.preprocessing import scale
from imtools.survey import Survey

SURVEY = Survey(field_size=0.5, n_pix=8, n_chan=6)
BACKENDS = ("bokeh", "matplotlib")


@pytest.fixture
def cube():
    rng = np.random.default_rng(1)
    return SURVEY.cube(rng.exponential(2.0, SURVEY.shape))


@pytest.fixture
def haloes():
    rng = np.random.default_rng(2)
    n = 500
    z = rng.uniform(SURVEY.z_min, SURVEY.z_max, n)
    columns = {
        "m_halo": 2.5e10 * rng.pareto(1.0, n) + 2.5e10, "z": z, "l_co": 10 ** rng.normal(4, 1, n),
        "chi": SURVEY.cosmology.comoving_distance(z),
        "ra": rng.uniform(-0.25, 0.25, n), "dec": rng.uniform(-0.25, 0.25, n),
    }  # fmt: skip
    return make_catalogue(columns, cosmology=Cosmology())


@pytest.fixture
def table():
    """Halo counts of three fields, twice as many as expected in the second slice."""
    m_halo = np.geomspace(1e11, 1e13, 4)
    expected = np.broadcast_to([1000.0, 200.0, 40.0, 1.0], (3, 2, 4))
    counts = expected * np.array([1.0, 2.0])[:, None] * np.array([0.9, 1.0, 1.1])[:, None, None]
    dims = ("seed", "slice", "m_halo")
    attrs = {"units": "Msun", "long_name": "halo mass"}
    return xr.Dataset(
        {"counts": (dims, counts), "expected": (dims, expected)},
        coords={"m_halo": ("m_halo", m_halo, attrs), "z": ("slice", [2.5, 3.2])},
    )


def ratio_of(seeds=3):
    k = xr.DataArray([0.1, 0.2], dims="k", attrs={"units": "Mpc-1", "long_name": "wavenumber"})
    values = np.arange(seeds)[:, None, None] + np.array([[1.0, 2.0], [3.0, 4.0]])
    return xr.DataArray(values, dims=("seed", "m_range", "k"), coords={"k": k})


def bokeh_of(element):
    return hv.renderer("bokeh").get_plot(element).state


def options_of(element, backend="bokeh"):
    kinds = ("plot", "style")
    return {
        k: v for kind in kinds
        for k, v in hv.Store.lookup_options(backend, element, kind).kwargs.items()
    }  # fmt: skip


def parts_of(overlay, kind):
    return [element for element in overlay if type(element) is kind]  # an Area is a Curve


def every_panel(cube, haloes, table):
    models = {name: model() for name, model in LUMINOSITY_MODELS.items()}
    return {
        "channel": plots.show_channel(cube, 30.0),
        "log": plots.show_channel(cube, 30.0, clim=(0.1, 10.0), log=True),
        "difference": plots.show_difference(cube, 2 * cube, 30.0),
        "slice": plots.show_slice(cube, 0.1),
        "spectrum": plots.show_spectrum(cube, ra=0.1, dec=-0.1),
        "mean": plots.show_spectrum(cube, label="mean"),
        "histogram": plots.show_voxel_histogram(cube),
        "two": plots.panel(
            plots.show_voxel_histogram(cube, label="a") * plots.show_voxel_histogram(cube)
        ),
        "sky": plots.show_halo_sky(haloes),
        "depth": plots.show_halo_depth(haloes),
        "density": plots.show_halo_density(haloes),
        "luminosities": plots.show_halo_luminosities(haloes),
        "models": plots.show_luminosity_of_mass(models, 2.8),
        "mass function": plots.show_mass_function(table),
        "mass function ratio": plots.show_mass_function_ratio(table),
        "ratio": plots.show_ratio_over_k(ratio_of(), [1, 2], quantity="bias", labels=["a", "b"]),
        "scatter": plots.show_count_scatter([90, 100, 110, 105], 0.1),
    }


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_panel_renders_and_is_of_one_kind(cube, haloes, table, backend):
    for name, element in every_panel(cube, haloes, table).items():
        assert isinstance(element, hv.Element | hv.Overlay), name
        assert hv.renderer(backend).get_plot(element).state is not None, name


def test_labels_come_from_the_data(cube):
    figure = bokeh_of(plots.show_channel(cube, 30.0))
    assert figure.xaxis[0].axis_label == "right ascension offset [deg]"
    assert figure.yaxis[0].axis_label == "declination offset [deg]"
    assert options_of(plots.show_channel(cube, 30.0))["clabel"] == "brightness temperature [uK]"
    scaled = scale(cube, "asinh")
    label = plots.axis_label(scaled)
    assert options_of(plots.show_channel(scaled, 30.0))["clabel"] == label
    assert label.startswith("asinh(brightness temperature")


def test_labels_of_a_spectrum_and_a_histogram_follow_the_unit(cube):
    in_mk = (cube * 1e-3).assign_attrs(cube.attrs, units="mK")
    spectrum = bokeh_of(plots.show_spectrum(in_mk, ra=0.0, dec=0.0))
    assert spectrum.xaxis[0].axis_label == "observed frequency [GHz]"
    assert spectrum.yaxis[0].axis_label == "brightness temperature [mK]"
    histogram = bokeh_of(plots.show_voxel_histogram(in_mk))
    assert histogram.xaxis[0].axis_label == "brightness temperature [mK]"


def test_a_quantity_without_unit_has_no_bracket():
    z = xr.DataArray(2.0, attrs={"units": "1", "long_name": "redshift"})
    assert plots.axis_label(z) == "redshift"


@pytest.mark.parametrize("name", ["channel", "difference", "sky", "density"])
def test_right_ascension_grows_to_the_left(cube, haloes, table, name):
    element = every_panel(cube, haloes, table)[name]
    x_range = bokeh_of(element).x_range
    assert x_range.start > x_range.end
    low, high = hv.renderer("matplotlib").get_plot(element).handles["axis"].get_xlim()
    assert low > high


def test_a_source_stands_where_it_is_on_the_sky():
    values = np.zeros(SURVEY.shape)
    values[2, 6, 1] = 5.0  # high declination, low right ascension
    source = SURVEY.cube(values)
    element = plots.show_channel(source, float(source["freq"][2]))
    ra, dec = float(source["ra"][1]), float(source["dec"][6])
    assert element[ra, dec] == 5.0
    assert element[-ra, -dec] == 0.0


def test_the_nearest_channel_is_shown_and_named(cube):
    element = plots.show_channel(cube, float(cube["freq"][3]) + 0.1)
    npt.assert_array_equal(element.dimension_values(2, flat=False), cube.values[3])
    assert options_of(element)["title"] == f"{float(cube['freq'][3]):.2f} GHz, z = 2.76"


def test_a_frequency_outside_the_band_is_refused(cube):
    plots.show_channel(cube, 26.01)  # in the first channel, below its centre
    with pytest.raises(ValueError, match=r"show_channel: freq is 25\.9 GHz, expected within"):
        plots.show_channel(cube, 25.9)


def test_channels_share_one_colour_range(cube):
    cube[0] *= 100
    ranges = [options_of(plots.show_channel(cube, f))["clim"] for f in cube["freq"].values]
    assert set(ranges) == {plots.colour_range(cube)}
    low, high = ranges[0]
    assert low == 0.0
    assert np.percentile(cube, 99) < high <= cube.max()


def test_colour_range_covers_the_brightest_map_and_keeps_zero_dark(cube):
    noisy = add_white_noise(
        cube, sigma_noise=50.0, convention="fine_voxel", rng=np.random.default_rng(3)
    )
    low, high = plots.colour_range(cube, noisy)
    assert high == np.percentile(noisy, 99.8)
    npt.assert_allclose(low, -high / 3, rtol=1e-12)  # same arithmetic
    assert plots.colour_range(0 * cube) == (0.0, 1.0)


def test_maps_in_different_units_share_no_colour_range(cube):
    with pytest.raises(ValueError, match="2 maps in units"):
        plots.colour_range(cube, cube.assign_attrs(units="K"))


@pytest.mark.parametrize("backend", BACKENDS)
def test_maps_are_inferno_and_residuals_diverge_about_zero(cube, backend):
    assert options_of(plots.show_channel(cube, 30.0), backend)["cmap"] == MAP_COLOURS == "inferno"
    element = plots.show_difference(cube, cube + 1, 30.0)
    options = options_of(element, backend)
    assert options["cmap"] == RESIDUAL_COLOURS
    npt.assert_allclose(options["clim"], (-1, 1), rtol=1e-12)  # the difference is 1 everywhere
    npt.assert_allclose(element.dimension_values(2), -1, rtol=1e-12)  # float64 arithmetic
    assert options["clabel"] == "difference in brightness temperature [uK]"


def test_only_like_maps_are_subtracted(cube):
    with pytest.raises(ValueError, match="expected the same"):
        plots.show_difference(cube, cube.isel(freq=slice(2)), 30.0)
    with pytest.raises(ValueError, match="units uK and mK"):
        plots.show_difference(cube, cube.assign_attrs(units="mK"), 30.0)


def test_logarithmic_colours_need_a_range_above_zero(cube):
    with pytest.raises(ValueError, match="expected above 0 where log is true"):
        plots.show_channel(cube, 30.0, clim=(0, 1), log=True)
    element = plots.show_channel(cube, 30.0, clim=(0.1, 1), log=True)
    assert options_of(element)["cnorm"] == "log"


def test_a_slice_shows_its_row_over_frequency(cube):
    element = plots.show_slice(cube, float(cube["dec"][5]))
    assert [d.name for d in element.kdims] == ["freq", "ra"]
    freq, ra = float(cube["freq"][4]), float(cube["ra"][2])
    assert element[freq, ra] == cube.values[4, 5, 2]


def test_a_spectrum_has_a_step_a_channel_to_the_edges_of_the_band(cube):
    ra, dec = float(cube["ra"][1]), float(cube["dec"][6])
    curve = plots.show_spectrum(cube, ra=ra, dec=dec)
    npt.assert_allclose(curve.dimension_values(0), SURVEY.freq_edges, rtol=1e-12)  # float64
    npt.assert_array_equal(curve.dimension_values(1)[:-1], cube.values[:, 6, 1])
    mean = plots.show_spectrum(cube)
    npt.assert_allclose(mean.dimension_values(1)[:-1], cube.values.mean(axis=(1, 2)), rtol=1e-12)
    assert mean.vdims[0].label == "mean brightness temperature [uK]"
    with pytest.raises(ValueError, match="expected both or neither"):
        plots.show_spectrum(cube, ra=0.0)


def test_a_voxel_histogram_counts_every_voxel_and_leaves_gaps(cube):
    edges = np.append(np.linspace(0, 50, 101), 60.0)  # no voxel is beyond 50 uK
    shown = plots.show_voxel_histogram(cube, edges=edges).dimension_values(1)[:-1]
    assert np.nansum(shown) == cube.size
    assert np.isnan(shown[-1])
    assert not (shown == 0).any()


def test_the_sky_shows_the_heaviest_haloes(haloes):
    heaviest = np.sort(haloes["m_halo"].values)[-20:]
    for element in (
        plots.show_halo_sky(haloes, n_most=20),
        plots.show_halo_depth(haloes, n_most=20),
    ):
        npt.assert_array_equal(element.dimension_values("m_halo"), heaviest)


def test_halo_density_adds_up_to_the_haloes(haloes):
    element = plots.show_halo_density(haloes, n_pix=10)
    density = element.dimension_values(2)
    side = 2 * 60 * np.abs([haloes["ra"], haloes["dec"]]).max()  # arcmin
    npt.assert_allclose(density.mean() * side**2, haloes.sizes["halo"], rtol=1e-12)  # float64
    assert options_of(element)["clabel"] == "haloes per solid angle [arcmin-2]"


def test_dark_haloes_are_left_out_of_the_luminosities(haloes):
    haloes["l_co"][:100] = 0.0
    element = plots.show_halo_luminosities(haloes)
    assert np.nansum(element.dimension_values(2)) == haloes.sizes["halo"] - 100
    assert element.kdims[1].label == "log10 of CO luminosity [Lsun]"


def test_the_luminosity_band_holds_68_percent_of_the_haloes():
    model = LUMINOSITY_MODELS["keating2016"]()
    overlay = plots.show_luminosity_of_mass({"keating2016": model}, 2.8, m_range=(1e11, 1e12))
    (area,), (median,) = parts_of(overlay, hv.Area), parts_of(overlay, hv.Curve)
    mass, low = area.dimension_values(0)[0], area.dimension_values(1)[0]
    n, high = 20_000, area.dimension_values(2)[0]
    l_co = model.luminosity(np.full(n, mass), np.full(n, 2.8), rng=np.random.default_rng(4))
    # a share of n draws, 5 sigma
    npt.assert_allclose(np.mean((l_co > low) & (l_co < high)), 0.6827, atol=5 * 0.466 / n**0.5)
    npt.assert_allclose(np.mean(l_co < median.dimension_values(1)[0]), 0.5, atol=5 * 0.5 / n**0.5)


def test_a_model_without_scatter_has_no_band():
    models = {"breysse2014": LUMINOSITY_MODELS["breysse2014"]()}
    assert parts_of(plots.show_luminosity_of_mass(models, 2.8), hv.Area) == []


def test_the_mass_function_shows_means_errors_and_theory(table):
    overlay = plots.show_mass_function(table)
    lines, dots = parts_of(overlay, hv.Curve), parts_of(overlay, hv.Scatter)
    bars = parts_of(overlay, hv.ErrorBars)
    npt.assert_allclose(lines[0].dimension_values(1), [1000, 200, 40, 1], rtol=1e-12)  # float64
    npt.assert_allclose(dots[1].dimension_values(1), [2000, 400, 80, 2], rtol=1e-12)
    # of 0.9, 1 and 1.1 times the mean: standard deviation 0.1, over sqrt(3)
    npt.assert_allclose(bars[0].dimension_values(2), np.array([1000, 200, 40, 1]) * 0.1 / 3**0.5)
    colours = [options_of(dot)["color"] for dot in dots]
    assert colours == list(COLOURS[:2])
    assert [options_of(line)["color"] for line in lines] == colours
    assert [dot.label for dot in dots] == ["z = 2.50", "z = 3.20"]


def test_the_mass_function_ratio_leaves_out_rare_haloes(table):
    overlay = plots.show_mass_function_ratio(table)
    first, second = parts_of(overlay, hv.Scatter)
    npt.assert_allclose(first.dimension_values(1), 1, rtol=1e-12)  # 3 fields of 1 halo are too few
    npt.assert_allclose(second.dimension_values(1), [2, 2, 2], rtol=1e-12)
    assert options_of(parts_of(overlay, hv.Curve)[0])["color"] == TRUTH == "black"


def test_a_ratio_over_k_has_its_mean_error_and_theory():
    overlay = plots.show_ratio_over_k(ratio_of(), [5, 6], quantity="bias", labels=["a", "b"])
    npt.assert_allclose(parts_of(overlay, hv.Scatter)[0].dimension_values(1), [2, 3], rtol=1e-12)
    bars = parts_of(overlay, hv.ErrorBars)[0]
    npt.assert_allclose(bars.dimension_values(2), 1 / np.sqrt(3), rtol=1e-12)  # of 0, 1 and 2
    assert set(parts_of(overlay, hv.Curve)[1].dimension_values(1)) == {6.0}
    figure = bokeh_of(overlay)
    assert figure.xaxis[0].axis_label == "wavenumber [Mpc-1]"
    assert figure.yaxis[0].axis_label == "bias"
    with pytest.raises(ValueError, match="shorter"):
        plots.show_ratio_over_k(ratio_of(), [5, 6], quantity="bias", labels=["a"])


def test_the_count_scatter_has_the_area_of_its_histogram():
    counts = np.random.default_rng(5).normal(1000, 50, 400)
    overlay = plots.show_count_scatter(counts, 0.05)
    (histogram,), (theory,) = parts_of(overlay, hv.Histogram), parts_of(overlay, hv.Curve)
    assert histogram.dimension_values(1).sum() == 400
    area = 400 * np.diff(histogram.edges)[0]
    x, y = theory.dimension_values(0), theory.dimension_values(1)
    npt.assert_allclose(np.trapezoid(y, x), area, rtol=1e-3)  # 4 sigma hold all but 6e-5
    assert options_of(theory)["color"] == TRUTH


def test_pictures_leave_the_data_alone(cube, haloes, table):
    before = [data.copy(deep=True) for data in (cube, haloes, table)]
    every_panel(cube, haloes, table)
    for data, copy in zip((cube, haloes, table), before, strict=True):
        xr.testing.assert_identical(data, copy)
