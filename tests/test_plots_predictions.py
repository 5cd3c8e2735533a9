import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import luminosity_function, with_bounds
from imtools.plots.predictions import show_distance, show_read_off

QUANTILES = [0.025, 0.16, 0.5, 0.84, 0.975]
EDGES = np.logspace(4, 6, 5)


@pytest.fixture
def prediction():
    dn = luminosity_function(np.array([100.0, 10.0, 1.0, 0.0]), EDGES)
    log_dn = (dn * 0 + np.arange(4.0)[::-1]).expand_dims(quantile=QUANTILES)
    log_dn = log_dn + xr.DataArray([-2.0, -1, 0, 1, 2], dims="quantile")
    log_dn.attrs = dn.attrs
    told = with_bounds(log_dn.rename("log_dn"))
    distances = np.repeat([1.0, 2.0, 3.0], [5, 3, 2])
    return told.assign(distance=2.5, reference_distance=("reference", distances))


def curves(element, label):
    return [c for c in element.values() if isinstance(c, hv.Curve) and c.label == label]


def test_the_median_lies_in_bands_of_68_and_95_percent(prediction):
    shown = show_read_off(prediction)
    (median,) = curves(shown, "network")
    npt.assert_array_equal(median.dimension_values("log_dn"), [3, 2, 1, 0])
    wide, narrow = (e for e in shown.values() if isinstance(e, hv.Area))
    npt.assert_array_equal(wide.dimension_values(1), [1, 0, -1, -2])
    npt.assert_array_equal(wide.dimension_values(2), [5, 4, 3, 2])
    npt.assert_array_equal(narrow.dimension_values(1), [2, 1, 0, -1])
    npt.assert_array_equal(narrow.dimension_values(2), [4, 3, 2, 1])
    assert not [e for e in shown.values() if isinstance(e, hv.Scatter)]


def test_the_truth_stands_at_its_floor_where_a_bin_is_empty(prediction):
    truth = luminosity_function(np.array([100.0, 10.0, 1.0, 0.0]), EDGES)
    (dots,) = (e for e in show_read_off(prediction, truth).values() if isinstance(e, hv.Scatter))
    npt.assert_allclose(dots.dimension_values("log_dn"), [2, 1, 0, np.log10(0.5)], atol=1e-12)


def test_every_known_map_is_counted_and_the_map_stands_among_them(prediction):
    shown = show_distance(prediction)
    (known,), (own,) = curves(shown, "known maps"), curves(shown, "this map")
    assert known.dimension_values("n_maps")[:-1].sum() == 10  # the last step is drawn to its end
    assert set(own.dimension_values("distance")) == {2.5}


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
@pytest.mark.parametrize("show", [show_read_off, show_distance])
def test_both_backends_draw_each_panel(prediction, show, backend):
    shown = show(prediction)
    # one drawn part for each element of the panel
    assert len(hv.renderer(backend).get_plot(shown).subplots) == len(shown)


def test_a_single_known_map_can_be_drawn(prediction):
    alone = prediction.isel(reference=slice(1))
    shown = show_distance(alone)
    (known,) = curves(shown, "known maps")
    assert known.dimension_values("n_maps")[:-1].sum() == 1
    assert len(hv.renderer("bokeh").get_plot(shown).subplots) == len(shown)
