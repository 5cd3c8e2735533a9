"""A corner plot as one Bokeh widget, whose panels take other draws without being made anew."""

import holoviews as hv
import ipywidgets as widgets
import numpy as np
from bokeh.layouts import gridplot
from bokeh.models import ColumnDataSource, Range1d, Span
from bokeh.plotting import figure

from imtools.dashboards.bokeh_widget import BokehWidget
from imtools.dashboards.closing import close_all
from imtools.plots.posteriors import POSTERIOR_STYLES, show_corner
from imtools.plots.style import TRUTH

SIDE = 230, 650  # pixels: the largest frame of a panel, and of all of them side by side
LABELS = 55  # pixels, beside the outer panels
LINES = ("xs", "ys", "color", "dash")


class Corner:
    """A place for the posteriors of some parameters: each alone, and each pair.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self):
        self.view, self._words = widgets.VBox(), widgets.HTML()
        self._names, self.panels, self._plot = [], {}, None

    def show(self, samples, names, *, truth=None, styles=POSTERIOR_STYLES):
        """Show draws in place of what was shown; everything as `plots.posteriors.show_corner`.

        Returns
        -------
        holoviews.Layout
            The same for print.
        """
        layout = show_corner(samples, names, truth=truth, styles=styles)
        if list(names) != self._names:
            self._make(list(names))
        document = self._plot.children[0][0].document
        document.hold("combine")
        try:
            for (row, column), place in self.panels.items():
                place.show(layout[row, column], truth, row, column)
        finally:
            document.unhold()
        self.view.children = (self.widget,)
        return layout

    def say(self, text):
        """Show a line of text instead."""
        self._words.value = f"<i>{text}</i>"
        self.view.children = (self._words,)

    def close(self):
        """Take the plot off the page."""
        self._forget()
        close_all(self.view, self._words)

    def _make(self, names):
        """Make the panels of so many parameters."""
        self._forget()
        n = len(names)
        self.panels = {
            (i, j): _Panel(i, j, names) for i in range(n) for j in range(i + 1)
        }  # fmt: skip
        rows = [
            [self.panels[i, j].figure if j <= i else None for j in range(n)] for i in range(n)
        ]  # fmt: skip
        self._plot = gridplot(rows, toolbar_location=None)
        self.widget = BokehWidget(self._plot)
        self.widget.add_class("imtools-corner")
        self._names = names

    def _forget(self):
        if self._plot is not None:
            close_all(self.widget)
            self._plot, self._names, self.panels = None, [], {}


class _Panel:
    """One panel of the triangle."""

    def __init__(self, row, column, names):
        last, side = row == len(names) - 1, min(SIDE[0], SIDE[1] // len(names))
        left, below = LABELS * (column == 0), LABELS * last
        self.figure = plot = figure(
            width=side + left + 12, height=side + below + 12, tools="", toolbar_location=None,
            x_range=Range1d(0, 1), y_range=Range1d(0, 1.1), min_border=6,
            min_border_left=left + 6, min_border_bottom=below + 6,
        )  # fmt: skip
        self.source = ColumnDataSource({name: [] for name in LINES})
        plot.multi_line(
            "xs", "ys", source=self.source, line_color="color", line_dash="dash", line_width=2
        )
        across = Span(dimension="height", line_color=TRUTH)
        up = Span(dimension="width", line_color=TRUTH)
        self.marks = (across, up) if row != column else (across,)
        for mark in self.marks:
            plot.add_layout(mark)
        plot.grid.visible = False
        plot.xaxis.ticker.desired_num_ticks = plot.yaxis.ticker.desired_num_ticks = 3
        plot.xaxis.major_label_orientation = 0.8
        plot.xaxis.visible, plot.yaxis.visible = last, column == 0 and row > 0
        plot.xaxis.axis_label, plot.yaxis.axis_label = names[column], names[row]

    def show(self, element, truth, row, column):
        """Show the lines of an element, and the truth."""
        lines = [e for e in element if isinstance(e, hv.Curve | hv.Contours)]
        columns = {name: [] for name in LINES}
        for one in lines:
            style = hv.Store.lookup_options("bokeh", one, "style").kwargs
            columns["xs"].append(np.asarray(one.dimension_values(0), dtype=float))
            columns["ys"].append(np.asarray(one.dimension_values(1), dtype=float))
            columns["color"].append(style["color"])
            columns["dash"].append(style.get("line_dash", "solid"))
        self.source.data = columns
        first = lines[0]
        ranges = [(self.figure.x_range, first.get_dimension(0).range)]
        ranges.append((self.figure.y_range, first.get_dimension(1).range))
        for shown, (low, high) in ranges:
            shown.update(start=float(low), end=float(high))
        for mark, value in zip(self.marks, _at(truth, row, column), strict=False):
            mark.location = value


def _at(truth, row, column):
    """Return where the truth lies along both axes of a panel; nowhere if it is not known."""
    return (None, None) if truth is None else (float(truth[column]), float(truth[row]))
