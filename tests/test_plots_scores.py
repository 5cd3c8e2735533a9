import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.counts import DEFAULT_EDGES, luminosity_function
from imtools.evaluation import published_scores, score
from imtools.plots import scores as panels

METHODS = ["prior_mean", "histogram_regression", "network"]
QUANTILES = [0.025, 0.16, 0.5, 0.84, 0.975]


@pytest.fixture
def truth():
    rng = np.random.default_rng(3)
    expected = 10 ** np.linspace(4, 0, 49) * rng.uniform(0.5, 2, (6, 1))
    return luminosity_function(rng.poisson(expected), DEFAULT_EDGES)


@pytest.fixture
def predictions(truth):
    """Every method is off by a factor of its own: 10, 0.1 and 0 dex."""
    log_truth = np.log10(np.maximum(truth.values, 0.5))
    middle = np.stack([log_truth + shift for shift in (1.0, -1.0, 0.0)])
    offsets = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])[:, None]
    return xr.DataArray(
        middle[:, :, None, :] + offsets,
        dims=("method", "sample", "quantile", "log_l"),
        coords={"method": METHODS, "quantile": QUANTILES, "log_l": truth["log_l"]},
    )


@pytest.fixture
def scores(predictions, truth):
    rng = np.random.default_rng(0)
    return score(predictions, truth, np.repeat([0, 1, 2], 2), rng=rng, n_bootstrap=20)


def curves(overlay):
    return {c.label: c for c in overlay.values() if type(c) is hv.Curve}


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_every_panel_renders(backend, scores, predictions, truth):
    history = {"member": np.zeros(3), "epoch": np.arange(3.0)}
    history |= {"loss": np.array([3.0, 2.0, 1.0]), "validation_loss": np.array([3.0, 2.5, 2.4])}
    for element in (
        panels.show_history(history),
        panels.show_rms(scores, published_scores()),
        panels.show_prediction(predictions, truth, 2),
        panels.show_ratio(predictions, truth),
    ):
        assert hv.render(element, backend=backend) is not None


def test_history_counts_epochs_from_one_and_keeps_the_networks_of_an_ensemble_apart():
    history = {"member": np.array([0.0, 0, 1, 1]), "epoch": np.array([0.0, 1, 0, 1])}
    history |= {"loss": np.arange(4.0) + 1, "validation_loss": np.arange(4.0) + 5}
    drawn = [c for c in panels.show_history(history).values() if type(c) is hv.Curve]
    assert [c.dimension_values(1).tolist() for c in drawn] == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert all(c.dimension_values(0).tolist() == [1, 2] for c in drawn)


def test_history_marks_where_a_training_was_resumed():
    history = {"member": np.array([0.0, 0, 1, 1]), "epoch": np.array([0.0, 1, 0, 1])}
    history |= {"loss": np.arange(4.0) + 1, "validation_loss": np.arange(4.0) + 5}
    assert not [e for e in panels.show_history(history).values() if type(e) is hv.Scatter]
    overlay = panels.show_history(history | {"seam": np.array([0.0, 1, 0, 0])})
    dots = {e.label: e for e in overlay.values() if type(e) is hv.Scatter}
    assert dots.keys() == {"training, resumed", "validation, resumed"}
    assert dots["training, resumed"].array().tolist() == [[2, 2]]
    assert dots["validation, resumed"].array().tolist() == [[2, 6]]
    for backend in ("bokeh", "matplotlib"):
        assert hv.render(overlay, backend=backend) is not None


def test_rms_shows_each_method_at_its_own_error(scores):
    drawn = curves(panels.show_rms(scores))
    assert set(drawn) == {"prior mean", "histogram regression", "network"}
    # the shifts of the fixture, exact up to float64 arithmetic
    np.testing.assert_allclose(drawn["prior mean"].dimension_values(1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(drawn["network"].dimension_values(1), 0.0, atol=1e-12)


def test_ratio_is_one_of_numbers_and_not_of_logs(predictions, truth):
    drawn = curves(panels.show_ratio(predictions, truth))
    np.testing.assert_allclose(drawn["prior mean"].dimension_values(1), 10.0, rtol=1e-12)
    np.testing.assert_allclose(drawn["histogram regression"].dimension_values(1), 0.1, rtol=1e-12)


def test_prediction_shows_the_truth_of_the_map_that_was_asked_for(predictions, truth):
    overlay = panels.show_prediction(predictions, truth, 4)
    dots = next(e for e in overlay.values() if e.label == "truth")
    expected = np.log10(np.maximum(truth.values[4], 0.5))
    np.testing.assert_allclose(dots.dimension_values(1), expected, rtol=1e-12)
    assert "4" in hv.render(overlay, backend="bokeh").title.text
    assert dots.kdims[0].label == "log10 of luminosity, bin centre [log10(Lsun)]"


def test_methods_keep_one_colour_in_every_panel(scores, predictions, truth):
    colours = set()
    for overlay in (panels.show_rms(scores), panels.show_prediction(predictions, truth, 0)):
        curve = curves(overlay)["network"]
        colours.add(hv.Store.lookup_options("bokeh", curve, "style").kwargs["color"])
    assert colours == {panels.METHOD_COLOURS["network"]}


def test_spread_samples_go_from_the_fewest_sources_to_the_most(truth):
    totals = truth.sum("log_l").values
    chosen = panels.spread_samples(truth, 3)
    assert totals[chosen[0]] == totals.min()
    assert totals[chosen[-1]] == totals.max()
    assert len(set(chosen)) == 3
