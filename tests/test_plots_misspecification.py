import holoviews as hv
import numpy as np
import numpy.testing as npt
import pytest
from test_evaluation_misspecification import judged  # noqa: F401  (a fixture)

from imtools.plots import misspecification as panels


@pytest.fixture
def flagged(judged):  # noqa: F811
    return judged.assign(flagged=("set", [0.01, np.nan, 0.9]))


def of_kind(overlay, kind):
    return [e for e in overlay.values() if type(e) is kind]


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_panels_render_in_both_backends(flagged, backend):
    for element in (
        panels.show_coverage_elsewhere(flagged),
        panels.show_errors_elsewhere(flagged, "brighter"),
        panels.show_errors_elsewhere(flagged, "brighter", "rms"),
    ):
        assert hv.render(element, backend=backend) is not None


def test_methods_stand_side_by_side_at_their_set_with_the_flagged_share(flagged):
    dots = of_kind(panels.show_coverage_elsewhere(flagged, 0.95), hv.Scatter)
    assert len(dots) == 3
    for i, name in enumerate(flagged["method"].values.tolist()):
        expected = flagged["mean_coverage"].sel({"method": name, "probability": 0.95})
        npt.assert_allclose(dots[i].dimension_values(1), expected, rtol=1e-12)
        npt.assert_array_equal(np.round(dots[i].dimension_values(0)), [0, 1, 2])
    assert (dots[0].dimension_values(0) < dots[1].dimension_values(0)).all()
    npt.assert_array_equal(dots[2].dimension_values(0), [0, 2])
    npt.assert_array_equal(dots[2].dimension_values(1), [0.01, 0.9])
    axis = hv.render(panels.show_coverage_elsewhere(flagged), backend="bokeh").xaxis[0]
    assert axis.major_label_overrides == {0: "as in training", 1: "brighter", 2: "at other noise"}


def test_errors_are_those_of_the_set_and_no_bias_is_dotted(flagged):
    curves = of_kind(panels.show_errors_elsewhere(flagged, "brighter"), hv.Curve)
    expected = flagged["bias"].sel({"set": "brighter", "method": "network"})
    npt.assert_allclose(curves[0].dimension_values(1), expected, rtol=1e-12)
    npt.assert_array_equal(curves[-1].dimension_values(1), 0)
    with pytest.raises(ValueError, match="quantity is 'skill', expected bias or rms"):
        panels.show_errors_elsewhere(flagged, "brighter", "skill")
