"""Panels of several luminosity models, and of the classifier that tells them apart."""

import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.counts import DEFAULT_EDGES, luminosity_function
from imtools.evaluation.classification import score_classes
from imtools.evaluation.families import score_by_family
from imtools.plots import classification as class_panels
from imtools.plots import families as panels
from imtools.plots.style import COLOURS, TRUTH

FAMILY = np.array(["li", "pad", "power", "li", "pad", "power", "li", "pad"])
METHODS = ["all", "only li"]


@pytest.fixture
def truth():
    expected = 10 ** np.linspace(4, 0, 49) * np.where(FAMILY == "power", 0.1, 1.0)[:, None]
    return luminosity_function(np.round(expected), DEFAULT_EDGES)


@pytest.fixture
def predictions(truth):
    """Method "all" is 0.1 dex too high, "only li" 1 dex too low on the others."""
    log_truth = np.log10(np.maximum(truth.values, 0.5))
    off = np.stack([np.full(8, 0.1), np.where(FAMILY == "li", 0.0, -1.0)])
    return xr.DataArray(
        (log_truth + off[:, :, None])[:, :, None, :],
        dims=("method", "sample", "quantile", "log_l"),
        coords={"method": METHODS, "quantile": [0.5], "log_l": truth["log_l"]},
    )


@pytest.fixture
def probabilities():
    p = np.array([[0.9, 0.1, 0.0], [0.3, 0.6, 0.1], [0.1, 0.1, 0.8], [0.4, 0.5, 0.1]] * 2)
    attrs = {"units": "1", "long_name": "probability of the luminosity model"}
    coords = {"family": ["li", "pad", "power"]}
    return xr.DataArray(p, dims=("sample", "family"), coords=coords, attrs=attrs)


@pytest.fixture
def class_scores(probabilities):
    return score_classes(probabilities, FAMILY, np.arange(8), rng=np.random.default_rng(0))


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_every_panel_renders(backend, truth, predictions, probabilities, class_scores):
    scores = score_by_family(predictions, truth, FAMILY)
    for element in (
        panels.show_family_counts(truth, FAMILY),
        panels.show_answers(predictions, truth, FAMILY, "pad"),
        panels.show_family_errors(scores, "li"),
        class_panels.show_confusion(class_scores),
        class_panels.show_reliability(class_scores),
        class_panels.show_probabilities(probabilities, 2, true="power"),
    ):
        assert hv.render(element, backend=backend) is not None


def curves(overlay):
    return {c.label: c for c in overlay.values() if type(c) is hv.Curve}


def test_each_model_has_its_counts_in_one_colour(truth):
    drawn = curves(panels.show_family_counts(truth, FAMILY))
    assert list(drawn) == ["li", "pad", "power"]
    for name, curve in drawn.items():
        expected = np.median(np.log10(np.maximum(truth.values[name == FAMILY], 0.5)), axis=0)
        npt.assert_allclose(curve.dimension_values(1), expected)
    colours = [c.opts.get("style", backend="bokeh").kwargs["color"] for c in drawn.values()]
    assert colours == list(COLOURS[:3])


def test_answers_are_those_of_the_models_own_maps(truth, predictions):
    drawn = curves(panels.show_answers(predictions, truth, FAMILY, "pad"))
    assert list(drawn) == ["truth", *METHODS]
    assert drawn["truth"].opts.get("style", backend="bokeh").kwargs["color"] == TRUTH
    y = {name: curve.dimension_values(1) for name, curve in drawn.items()}
    npt.assert_allclose(y["all"] - y["truth"], 0.1, atol=1e-9)
    npt.assert_allclose(y["only li"] - y["truth"], -1.0, atol=1e-9)


def test_a_method_keeps_the_colour_it_is_given(truth, predictions):
    colours = {"all": "red", "only li": "green"}
    scores = score_by_family(predictions, truth, FAMILY)
    for overlay in (
        panels.show_answers(predictions, truth, FAMILY, "li", colours=colours),
        panels.show_family_errors(scores, "li", colours=colours),
    ):
        drawn = curves(overlay)
        for name, colour in colours.items():
            assert drawn[name].opts.get("style", backend="bokeh").kwargs["color"] == colour


def test_an_error_of_zero_has_no_place_on_a_log_axis(truth, predictions):
    scores = score_by_family(predictions, truth, FAMILY)
    drawn = curves(panels.show_family_errors(scores, "li"))
    assert np.isnan(drawn["only li"].dimension_values(1)).all()
    npt.assert_allclose(drawn["all"].dimension_values(1), 0.1)


def test_the_confusion_matrix_shows_shares_and_numbers(class_scores):
    overlay = class_panels.show_confusion(class_scores)
    (mesh,) = (e for e in overlay if isinstance(e, hv.QuadMesh))
    counts = class_scores["confusion"].values
    npt.assert_allclose(
        mesh.dimension_values(2, flat=False), counts / counts.sum(axis=1, keepdims=True)
    )
    written = {
        (x, y): n for e in overlay if isinstance(e, hv.Labels) for x, y, n in e.array().tolist()
    }
    assert len(written) == 9
    for y, row in enumerate(counts):
        for x, n in enumerate(row):
            assert int(written[x, y]) == n


def test_bars_are_the_probabilities_of_one_map(probabilities):
    bars = class_panels.show_probabilities(probabilities, 1, true="pad")
    npt.assert_allclose(bars.dimension_values("probability"), [0.3, 0.6, 0.1])
    assert bars.dimension_values("colour").tolist() == [COLOURS[0], TRUTH, COLOURS[0]]
