import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import FLOOR, convert, luminosity_function
from imtools.plots import luminosity_functions as lf_plots

EDGES = np.logspace(3.5, 7, 50)  # Lsun
N_SAMPLES = 200
PANELS = {
    "show_luminosity_function": lambda dn: lf_plots.show_luminosity_function(dn, label="a"),
    "show_samples": lf_plots.show_samples,
    "show_ratio_of_numbers": lambda dn: lf_plots.show_ratio_of_numbers(dn, dn[0]),
    "show_ratio_of_logs": lambda dn: lf_plots.show_ratio_of_logs(dn, dn[0]),
    "show_unlogged_ratio": lambda dn: lf_plots.show_unlogged_ratio(1.05, np.linspace(0, 5, 6)),
    "show_loss_share": lf_plots.show_loss_share,
    "show_power": lf_plots.show_power,
    "show_scatter": lf_plots.show_scatter,
    "show_scatter_line": lambda dn: lf_plots.show_scatter_line(lf_plots.poisson_scatter(dn)),
}


@pytest.fixture(scope="module")
def dn():
    """Poisson counts about a falling power law, empty at the bright end."""
    mean = 2e4 * (EDGES[:-1] / EDGES[0]) ** -1.4
    counts = np.random.default_rng(1).poisson(mean, (N_SAMPLES, mean.size))
    return luminosity_function(counts, EDGES)


def wave(cycles, amplitude=1.0, slope=0.0):
    """Return a straight line with a wave of so many cycles a dex, as a labelled array."""
    lf = luminosity_function(np.zeros(49), EDGES)
    x = lf["log_l"].values
    return lf.copy(data=slope * x + amplitude * np.cos(2 * np.pi * cycles * x))


def areas_and_curves(element):
    elements = list(element)  # an Area is a Curve too
    return [[e for e in elements if type(e) is kind] for kind in (hv.Area, hv.Curve)]


def test_unlogged_ratio_undoes_the_ratio_of_logs(dn):
    predicted, truth = 3.0 * dn[0] + 1, dn[1].where(dn[1] > 1, 2)
    ratio = np.log10(predicted) / np.log10(truth)
    npt.assert_allclose(
        lf_plots.unlogged_ratio(ratio, np.log10(truth)), predicted / truth, rtol=1e-12
    )  # float64 arithmetic


def test_unlogged_ratio_is_one_where_the_logs_agree_not_the_truth_as_printed():
    npt.assert_allclose(lf_plots.unlogged_ratio(1.0, [0.0, 2.0, 5.0]), 1.0, rtol=1e-12)


def test_log_form_of_numbers_puts_half_a_source_in_an_empty_bin(dn):
    empty = dn.values == 0
    assert empty.any()
    npt.assert_allclose(lf_plots.log_form(dn).values[empty], np.log10(FLOOR), rtol=1e-12)
    n_above = lf_plots.log_form(convert(dn, "n_cumulative"))
    npt.assert_allclose(n_above.min(), np.log10(FLOOR), rtol=1e-12)


@pytest.mark.parametrize("form", ["phi", "l_phi", "dn_dl"])
def test_log_form_of_a_density_has_its_unit_and_no_value_where_nothing_is(dn, form):
    density = convert(dn, form, volume=1e7)
    log = lf_plots.log_form(density)
    assert log.attrs["units"] == f"log10({density.attrs['units']})"
    assert log.attrs["long_name"].startswith("log10 of")
    npt.assert_array_equal(np.isnan(log), dn == 0)
    npt.assert_allclose(10**log, density.where(density > 0), rtol=1e-12)


def test_log_form_leaves_its_input_alone(dn):
    before = dn.copy(deep=True)
    lf_plots.log_form(dn)
    xr.testing.assert_identical(dn, before)


def test_loss_share_of_poisson_counts_is_the_share_of_the_counts(dn):
    share = lf_plots.loss_share(dn)
    npt.assert_allclose(share.sum(), 1.0, rtol=1e-12)
    mean = dn.mean("sample")
    # variance of Poisson counts is their mean; a variance from N draws scatters by sqrt(2/N)
    rtol = 5 * np.sqrt(2 / N_SAMPLES)
    npt.assert_allclose(share[:10], (mean / mean.sum())[:10], rtol=rtol)


def test_power_of_a_wave_stands_at_its_frequency_whatever_the_slope():
    spacing = 1 / 3.5  # dex-1, of the frequencies that 3.5 dex hold
    power = lf_plots.power_along_log_l(wave(10 * spacing, slope=-50.0))
    flat = lf_plots.power_along_log_l(wave(10 * spacing))
    peak = float(power["cycles"][int(power.argmax("cycles"))])
    npt.assert_allclose(peak, 10 * spacing, rtol=1e-12)
    npt.assert_allclose(power.sum(), 1.0, rtol=1e-12)
    npt.assert_allclose(power, flat, atol=1e-10)  # slope 50 taken off in float64
    # a Hann window confines a wave to two frequencies on each side, but for 1e-3
    near = abs(power["cycles"] - peak) < 2.5 * spacing
    assert float(power.where(near).sum()) > 0.999


def test_phi_and_l_phi_have_the_features_of_dn_under_the_logarithm(dn):
    full = dn[:, :40] + 1.0
    full = full.assign_attrs(dn.attrs, log_l_edges=np.log10(EDGES[:41]).tolist())
    power = lf_plots.power_along_log_l(lf_plots.log_form(full))
    for form in ("phi", "l_phi", "dn_dl"):
        density = lf_plots.log_form(convert(full, form, volume=1e7))
        # a straight line apart, taken off in float64
        npt.assert_allclose(lf_plots.power_along_log_l(density), power, atol=1e-12)
    n_above = lf_plots.log_form(convert(full, "n_cumulative"))
    smooth = lf_plots.power_along_log_l(n_above).sel(cycles=slice(2, None)).sum("cycles")
    rough = power.sel(cycles=slice(2, None)).sum("cycles")
    assert float(smooth.median()) < 0.2 * float(rough.median())  # a sum smooths


def test_power_refuses_what_has_no_fourier_transform(dn):
    with pytest.raises(ValueError, match="values are not finite"):
        lf_plots.power_along_log_l(lf_plots.log_form(convert(dn, "phi", volume=1e7)))
    uneven = luminosity_function(np.ones(3), [1e4, 1e5, 1e6, 1e8])
    with pytest.raises(ValueError, match="1 to 2 dex wide"):
        lf_plots.power_along_log_l(uneven)


def test_log_scatter_of_poisson_counts_is_that_of_counting(dn):
    scatter, expected = lf_plots.log_scatter(dn), lf_plots.poisson_scatter(dn)
    many = dn.mean("sample") > 300  # where log10 of a Poisson number is nearly Gaussian
    rtol = 5 / np.sqrt(2 * N_SAMPLES)  # 5 sigma of a standard deviation from N draws
    npt.assert_allclose(scatter[many], expected[many], rtol=rtol)
    assert scatter.attrs["units"] == "dex"
    assert scatter.attrs["n_samples"] == N_SAMPLES


def test_the_band_holds_68_per_cent_and_the_line_is_the_median(dn):
    shown = lf_plots.show_luminosity_function(dn)
    (area,), (curve,) = areas_and_curves(shown)
    low, high = (area.dimension_values(i) for i in (1, 2))
    inside = (dn[:, 0] >= low[0]) & (dn[:, 0] <= high[0])
    npt.assert_allclose(inside.mean(), 0.68, atol=1 / N_SAMPLES)  # quantiles of N draws
    npt.assert_allclose(curve.dimension_values(1)[:5], dn.median("sample")[:5], rtol=1e-12)


def test_nothing_at_or_below_zero_reaches_a_logarithmic_axis(dn):
    (area,), (curve,) = areas_and_curves(lf_plots.show_luminosity_function(dn))
    for values in (area.dimension_values(1), area.dimension_values(2), curve.dimension_values(1)):
        assert np.nanmin(values) > 0
    assert area.dimension_values(1).min() == FLOOR  # where the 16 % are empty
    assert np.nanmin(lf_plots.show_samples(dn).dimension_values(1)) >= 1


def test_the_ratio_of_numbers_is_the_same_in_every_unit_and_that_of_logs_is_not(dn):
    numbers = (dn[:, :30] * 1.3).assign_attrs(dn.attrs, log_l_edges=np.log10(EDGES[:31]).tolist())
    truth = (dn[:, :30]).assign_attrs(numbers.attrs)
    densities = [convert(lf, "phi", volume=1e7) for lf in (numbers, truth)]
    curves = [
        areas_and_curves(show(*pair))[1][0].dimension_values(1)
        for show in (lf_plots.show_ratio_of_numbers, lf_plots.show_ratio_of_logs)
        for pair in ((numbers, truth), densities)
    ]
    npt.assert_allclose(curves[0], 1.3, rtol=1e-12)
    npt.assert_allclose(curves[1], 1.3, rtol=1e-12)
    assert np.all(curves[2] > 1)
    assert np.all(curves[3] < 1)  # log phi is negative: a larger number, a smaller ratio


def test_the_shared_loss_ends_at_one(dn):
    curve = lf_plots.show_loss_share(dn)
    npt.assert_allclose(curve.dimension_values(1)[-1], 1.0, rtol=1e-12)


def test_scatter_is_left_out_at_ends_that_most_samples_leave_empty(dn):
    gap = dn.where(dn["log_l"] != dn["log_l"][5], 0.0)  # a gap is no end
    (area,), (curve,) = areas_and_curves(lf_plots.show_scatter(gap.assign_attrs(dn.attrs)))
    hidden = np.isnan(curve.dimension_values(1))
    npt.assert_array_equal(hidden, dn.median("sample") == 0)
    assert hidden.any()
    assert len(area) == (~hidden).sum()


@pytest.mark.parametrize("name", PANELS)
def test_a_panel_renders_on_screen_and_on_paper_with_labels_from_the_data(name, dn):
    few = dn[:20]
    shown = PANELS[name](few)
    on_screen, on_paper = (hv.render(shown, backend=b) for b in ("bokeh", "matplotlib"))
    assert on_paper.axes[0].get_ylabel() == on_screen.yaxis[0].axis_label != ""
    if name in ("show_luminosity_function", "show_samples"):
        assert on_screen.yaxis[0].axis_label == "sources per luminosity bin"
        assert on_paper.axes[0].get_xlabel() == "log10 of luminosity, bin centre [log10(Lsun)]"
    assert (on_paper.axes[0].get_yscale() == "log") == (
        name not in ("show_ratio_of_logs", "show_loss_share")
    )


@pytest.mark.parametrize("form", ["dn", "n_cumulative", "phi", "l_phi", "dn_dl"])
def test_every_convention_is_shown_with_its_own_unit(dn, form):
    lf = convert(dn, form, volume=1e7)
    plot = hv.render(lf_plots.show_luminosity_function(lf), backend="bokeh")
    units = lf.attrs["units"]
    assert plot.yaxis[0].axis_label == lf.attrs["long_name"] + f" [{units}]" * (units != "1")


def test_two_panels_overlay_with_one_legend_entry_each(dn):
    both = [
        lf_plots.show_luminosity_function(dn * factor, label=label)
        for label, factor in (("one", 1.0), ("two", 2.0))
    ]
    plot = hv.render(both[0] * both[1], backend="bokeh")
    assert [item.label["value"] for item in plot.legend[0].items] == ["one", "two"]


def test_what_is_no_luminosity_function_is_refused(dn):
    with pytest.raises(ValueError, match="show_luminosity_function: got DataArray of convention"):
        lf_plots.show_luminosity_function(lf_plots.log_form(dn))
    with pytest.raises(ValueError, match="show_luminosity_function: got ndarray"):
        lf_plots.show_luminosity_function(dn.values)
    with pytest.raises(ValueError, match=r"predicted is 'phi' and truth 'dn'; use counts\.convert"):
        lf_plots.show_ratio_of_logs(convert(dn, "phi", volume=1e7), dn)
    for needs_samples in (lf_plots.show_samples, lf_plots.show_scatter, lf_plots.loss_share):
        with pytest.raises(ValueError, match="expected at least two along sample"):
            needs_samples(dn[0])
