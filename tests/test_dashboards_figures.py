"""A figure that shows panel after panel: every mark of a panel, its labels and its scales."""

import holoviews as hv
import numpy as np
import pytest
from ipywidgets import HTML, VBox
from ipywidgets.widgets.widget import _instances

from imtools.dashboards.closing import close_all
from imtools.dashboards.figures import EitherFigure, Figure
from imtools.dashboards.live import Poller
from imtools.plots.style import band, line, open_circles, panel

X = np.array([1.0, 2.0, 3.0])
LOOK = {"kdim": "x", "vdim": "loss"}


@pytest.fixture
def figure():
    figure = Figure(logy=True)
    yield figure
    figure.close()


def test_every_mark_of_a_panel_is_drawn(figure):
    curve = line(X, X**2, colour="#112233", label="run", dash="dotted", **LOOK)
    bare = line(X, X, colour="black", **LOOK)
    low = np.array([1.0, np.nan, 3.0])
    area = band(X, low, low + 1, colour="#445566", **LOOK)
    dots = open_circles(hv.Scatter((X, X), "x", "loss"), "#778899")
    figure.show(panel(hv.Overlay([area, curve, bare, dots]), title="Losses", ylim=(1, 9)))
    source = {name: s.data for name, s in figure.sources.items()}
    assert source["lines"]["label"] == ["run"]
    np.testing.assert_array_equal(source["lines"]["ys"][0], X**2)
    assert (source["lines"]["color"], source["lines"]["dash"]) == (["#112233"], ["dotted"])
    assert source["plain_lines"]["color"] == ["black"]  # no empty row in the legend
    np.testing.assert_array_equal(source["bands"]["xs"][0], [1, 3, 3, 1])  # NaN has no place
    np.testing.assert_array_equal(source["bands"]["ys"][0], [1, 3, 4, 2])
    assert source["plain_dots"]["line_color"] == ["#778899"] * 3
    assert figure.figure.title.text == "Losses"
    assert figure.figure.xaxis[0].axis_label == "x"
    assert figure.figure.yaxis[0].axis_label == "loss"
    assert (figure.figure.y_range.start, figure.figure.y_range.end) == (1, 9)


def test_the_next_panel_takes_the_place_of_the_last(figure):
    figure.show(line(X, X, colour="black", label="a", **LOOK))
    model = figure.figure
    figure.show(line(X, X, colour="black", label="b", **LOOK))
    assert figure.figure is model  # replaced data, never a new plot
    assert figure.sources["lines"].data["label"] == ["b"]
    figure.say("nothing to see")
    assert figure.sources["lines"].data["label"] == []
    assert figure.figure.title.text == "nothing to see"


def test_what_it_cannot_draw_is_refused(figure):
    with pytest.raises(ValueError, match="got Image, expected curves"):
        figure.show(hv.Image(np.zeros((2, 2))))


def test_steps_are_drawn_as_steps(figure):
    curve = line(X, X, colour="black", label="a", **LOOK)
    figure.show(curve.opts(interpolation="steps-post"))
    np.testing.assert_array_equal(figure.sources["lines"].data["xs"][0], [1, 2, 2, 3, 3])
    np.testing.assert_array_equal(figure.sources["lines"].data["ys"][0], [1, 1, 2, 2, 3])


def test_a_panel_has_the_axis_that_it_asks_for():
    either = EitherFigure()
    either.show(panel(line(X, X, colour="black", **LOOK), logy=True))
    log = either.now
    either.show(panel(line(X, X, colour="black", **LOOK)))
    assert either.now is not log
    either.show(panel(line(X, X, colour="black", **LOOK)), logy=True)
    assert either.now is log
    either.close()
    assert not set(_instances.values()) & {log.view, either.view}


def test_closing_takes_all_that_widgets_hold():
    before = set(_instances)
    box = VBox([HTML("a"), VBox([HTML("b", layout={"width": "3px"})])])
    assert set(_instances) > before
    close_all(box)
    close_all(box)  # once more does no harm
    assert set(_instances) == before


def test_a_poller_ends_with_its_function_or_when_closed():
    seen = []

    def look():
        seen.append(1)
        return len(seen) < 3

    poller = Poller(look, every=0.001)
    poller._thread.join(10)
    assert len(seen) == 3
    endless = Poller(lambda: True, every=0.001)
    assert endless.alive
    endless.close()
    assert not endless.alive
