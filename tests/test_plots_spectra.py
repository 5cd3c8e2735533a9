import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools import observing, statistics
from imtools.evaluation import score
from imtools.plots import spectra
from imtools.survey import Survey

SURVEY = Survey.comap(n_chan=32).replace(n_pix=8, field_size=0.5)


@pytest.fixture
def noise():
    values = np.random.default_rng(5).normal(0, 11, (40, *SURVEY.shape))
    return xr.concat([SURVEY.cube(one) for one in values], "sample")


@pytest.fixture
def pk(noise):
    return statistics.power_spectrum(noise, SURVEY)


@pytest.fixture
def counts(noise):
    return statistics.vid(noise, temp_edges=np.geomspace(5, 50, 8))


@pytest.fixture
def transfer(noise):
    longest = 2 * np.pi / statistics.comoving_box(noise, SURVEY).lengths[0]
    return observing.transfer_function(
        lambda cube: observing.subtract_polynomial(cube, order=1),
        noise, noise, survey=SURVEY, along="k_par", k_edges=longest * (np.arange(9) - 0.5),
    )  # fmt: skip


@pytest.fixture
def scores():
    """Method "near" is off by 0.1 dex, "far" by 1 dex, in each of three catalogues."""
    log_l = ("log_l", np.array([4.25, 4.75]), {"units": "log10(Lsun)", "long_name": "log10 of L"})
    attrs = {"convention": "dn", "units": "1", "long_name": "sources", "log_l_edges": [4, 4.5, 5]}
    truth = xr.DataArray(
        np.full((6, 2), 100.0), dims=("sample", "log_l"), coords={"log_l": log_l}, attrs=attrs
    )
    values = np.stack([np.full((6, 1, 2), 2.1), np.full((6, 1, 2), 3.0)])
    predictions = xr.DataArray(
        values, dims=("method", "sample", "quantile", "log_l"),
        coords={"method": ["near", "far"], "quantile": [0.5], "log_l": truth["log_l"]},
    )  # fmt: skip
    rng = np.random.default_rng(0)
    return score(predictions, truth, np.repeat([0, 1, 2], 2), rng=rng, n_bootstrap=5)


def curve(element):
    return next(e for e in element.traverse(lambda e: e) if type(e) is hv.Curve)


def area(element):
    return next(e for e in element.traverse(lambda e: e) if type(e) is hv.Area)


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_every_panel_renders(backend, noise, pk, counts, transfer, scores):
    edges = {"k_perp_edges": [0, 0.2, 0.6], "k_par_edges": [0, 0.1, 0.4, 0.5]}
    for element in (
        spectra.show_power_spectrum(pk),
        spectra.show_power_spectrum(pk[0], dash="dashed"),
        spectra.show_power_spectrum_2d(statistics.power_spectrum_2d(noise[0], SURVEY, **edges)),
        spectra.show_vid(counts),
        spectra.show_transfer(transfer),
        spectra.show_channel_spread(noise[0]),
        spectra.show_score(scores, "near"),
        spectra.show_score(scores, "far", quantity="skill"),
    ):
        assert hv.render(element, backend=backend) is not None


def test_power_of_one_map_lies_in_the_error_of_gaussian_modes(pk):
    one = pk[0]
    seen = np.isfinite(one.values)
    assert not seen.all()  # the field is narrow: long waves are missing, and left out
    element = spectra.show_power_spectrum(one, label="noise")
    shown = area(element)
    np.testing.assert_allclose(curve(element).dimension_values("pk"), one.values[seen])
    np.testing.assert_allclose(
        shown.dimension_values(2), (one + one["sigma"]).values[seen], rtol=1e-12
    )
    assert curve(element).kdims[0].label == "wavenumber, mean of the modes in the bin [Mpc-1]"
    assert curve(element).vdims[0].label == "power spectrum [uK2 Mpc3]"


def test_power_of_a_stack_is_the_median_in_68_percent_of_its_maps(pk):
    element = spectra.show_power_spectrum(pk)
    seen = np.isfinite(pk.values[0])
    middle = curve(element).dimension_values("pk")
    np.testing.assert_allclose(middle, np.median(pk.values[:, seen], axis=0), rtol=1e-12)
    high = area(element).dimension_values(2)
    share = (pk.values[:, seen] <= high).mean(axis=0)
    # the quantile of 40 maps lies between two of them: one map is 2.5 %
    np.testing.assert_allclose(share, 0.84, atol=0.026)


def test_a_bin_without_power_is_left_out_and_a_band_stays_above_0(pk):
    one = pk[0].dropna("k").copy()
    one[0] = 0.0
    one["sigma"] = 2 * one  # more than all of it
    element = spectra.show_power_spectrum(one)
    assert curve(element).dimension_values("k").tolist() == one["k"].values[1:].tolist()
    assert (area(element).dimension_values(1) > 0).all()


def test_power_in_two_dimensions_stands_between_its_edges():
    edges = {"k_perp_edges": [0, 0.2, 0.6], "k_par_edges": [0, 0.1, 0.4, 0.5]}
    wave = 20 * np.cos(2 * np.pi * 8 * np.arange(32) / 32)[:, None, None]  # along the sight alone
    pk = statistics.power_spectrum_2d(SURVEY.cube(wave + np.zeros(SURVEY.shape)), SURVEY, **edges)
    box = statistics.comoving_box(SURVEY.cube(np.zeros(SURVEY.shape)), SURVEY)
    k_par = 2 * np.pi * 8 / box.lengths[0]
    mesh = spectra.show_power_spectrum_2d(pk)
    k_par_edges = mesh.interface.coords(mesh, 1, edges=True)
    np.testing.assert_allclose(np.unique(k_par_edges), edges["k_par_edges"])
    values = mesh.dimension_values(2, flat=False)  # rows along k_par
    assert values.shape == (3, 2)
    row, column = np.unravel_index(np.nanargmax(values), values.shape)
    assert edges["k_par_edges"][row] <= k_par < edges["k_par_edges"][row + 1]
    assert column == 0


def test_voxels_are_counted_on_axes_that_are_logarithmic(counts):
    element = spectra.show_vid(counts[0])
    full = counts.values[0] > 0
    assert not full.all()  # none of the voxels is so hot: a logarithm has no place for that bin
    np.testing.assert_allclose(curve(element).dimension_values("vid"), counts.values[0, full])
    figure = hv.render(element, backend="bokeh")
    assert {type(s).__name__ for s in (figure.x_scale, figure.y_scale)} == {"LogScale"}


def test_voxels_below_zero_have_no_place(noise):
    with pytest.raises(ValueError, match=r"show_vid: the first bin is at .* uK"):
        spectra.show_vid(statistics.vid(noise, temp_edges=[-10, 0, 10]))


def test_transfer_leaves_the_wave_of_length_zero_out(transfer):
    assert transfer["k_par"].values[0] == 0
    shown = curve(spectra.show_transfer(transfer))
    assert (shown.dimension_values(0) > 0).all()
    seen = (transfer["n_modes"] > 0) & (transfer["k_par"] > 0)
    np.testing.assert_allclose(shown.dimension_values(1), transfer.values[seen])


def test_channel_spread_is_of_each_channel_and_ends_with_the_band():
    cube = SURVEY.cube(np.arange(1.0, 33)[:, None, None] * np.random.default_rng(1).normal(size=64)
                       .reshape(8, 8))  # fmt: skip
    shown = spectra.show_channel_spread(cube)
    x, values = (shown.dimension_values(i) for i in (0, 1))
    np.testing.assert_allclose(x[[0, -1]], [26.0, 34.0])
    np.testing.assert_allclose(values[:-1] / values[0], np.arange(1.0, 33), rtol=1e-12)
    assert shown.vdims[0].label == "standard deviation over the field [uK]"


def test_score_shows_the_method_that_was_asked_for(scores):
    for method, rms in (("near", 0.1), ("far", 1.0)):
        shown = curve(spectra.show_score(scores, method))
        np.testing.assert_allclose(shown.dimension_values(1), rms, rtol=1e-6)  # float64 of a log10
    assert curve(spectra.show_score(scores, "near", label="close")).label == "close"
