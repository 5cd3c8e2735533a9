"""One Bokeh figure that shows panel after panel: its data are replaced, it is never drawn anew.

A panel is what the functions of `imtools.plots` return: an overlay of curves, bands, points, shapes
and words. A figure that was zoomed keeps its zoom.
"""

from threading import RLock

import holoviews as hv
import ipywidgets as widgets
import numpy as np
from bokeh.models import ColumnDataSource, HoverTool, Legend, LegendItem, Range1d
from bokeh.plotting import figure

from imtools.dashboards.bokeh_widget import BokehWidget
from imtools.dashboards.closing import close_all
from imtools.plots.style import SIZE, TRUTH, WIDE

LINES = ("xs", "ys", "label", "color", "dash", "width", "alpha")
BANDS = ("xs", "ys", "color", "alpha")
DOTS = ("x", "y", "label", "color", "line_color", "size")
WORDS = ("x", "y", "text", "color", "size")
SHAPES = ("xs", "ys", "color", "alpha", "facts")
COLUMNS = {  # what without a label stands by itself, or the legend would have an empty row
    "bands": BANDS, "shapes": SHAPES, "plain_lines": LINES, "lines": LINES, "plain_dots": DOTS,
    "dots": DOTS, "words": WORDS,
}  # fmt: skip
AGAIN = ("plain_", "")
FACTS = ("block", "shape", "weights", "layers")  # what a shape says where the mouse rests


class Figure:
    """A place for panels of one kind.

    Parameters
    ----------
    width, height : int
        Of the frame [pixels].
    logx, logy : bool
        Whether an axis is logarithmic, which a figure is for good.
    bare : bool
        Without axes and tools: a drawing.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self, *, width=WIDE, height=SIZE, logx=False, logy=False, bare=False):
        self._lock = RLock()
        kinds = {"x_axis_type": "log" if logx else "linear"}
        kinds["y_axis_type"] = "log" if logy else "linear"
        tools = "" if bare else "pan,box_zoom,wheel_zoom,reset,save"
        self.figure = figure(frame_width=width, frame_height=height, tools=tools, **kinds)
        self.figure.toolbar.logo = None
        self.figure.toolbar.active_scroll = None  # the wheel would zoom where a reader scrolls
        self.figure.title.text_font_size = "11pt"
        self.sources = {k: ColumnDataSource(_empty(names)) for k, names in COLUMNS.items()}
        self._draw(bare)
        self.view = BokehWidget(self.figure)

    def show(self, element):
        """Show a panel in place of what was shown.

        Parameters
        ----------
        element : holoviews.Element or holoviews.Overlay
            Curves, areas, points, polygons and labels over numbers.

        Raises
        ------
        ValueError
            If it holds another kind of element.
        """
        data = _data_of(element)
        options = _options(element, "plot")
        axes = _axes(element)
        with self._lock:
            document = self.figure.document
            document.hold("combine")
            try:
                self._set(data, options, axes)
            finally:
                document.unhold()

    def say(self, text):
        """Show a line of text in an empty frame."""
        with self._lock:
            for name, source in self.sources.items():
                source.data = _empty(COLUMNS[name])
            self.figure.title.text = text

    def close(self):
        """Take the figure off the page."""
        layout = self.view.layout
        self.view.close()
        layout.close()

    def _draw(self, bare):
        """Put the glyphs into the figure, which stay there."""
        plot, source = self.figure, self.sources
        plot.patches("xs", "ys", source=source["bands"], fill_color="color", fill_alpha="alpha",
                     line_alpha=0)  # fmt: skip
        shapes = plot.patches("xs", "ys", source=source["shapes"], fill_color="color",
                              fill_alpha="alpha", line_color="white")  # fmt: skip
        look = {"line_color": "color", "line_dash": "dash"}
        look |= {"line_width": "width", "line_alpha": "alpha"}
        lines = [plot.multi_line("xs", "ys", source=source[f"{a}lines"], **look) for a in AGAIN]
        look = {"fill_color": "color", "line_color": "line_color", "size": "size"}
        dots = [plot.scatter("x", "y", source=source[f"{a}dots"], **look) for a in AGAIN]
        plot.text("x", "y", text="text", source=source["words"], text_color="color",
                  text_font_size="size", text_align="center", text_baseline="top")  # fmt: skip
        if bare:
            plot.toolbar_location = None
            plot.axis.visible, plot.grid.visible, plot.outline_line_color = False, False, None
            plot.add_tools(HoverTool(tooltips="@facts", renderers=[shapes]))
            plot.x_range, plot.y_range = Range1d(0, 1), Range1d(0, 1)
            return
        tips = [("", "@label"), ("x", "$x{0.000}"), ("y", "$y{0.0000}")]
        plot.add_tools(HoverTool(tooltips=tips, renderers=[*lines, *dots]))
        items = [LegendItem(label={"field": "label"}, renderers=[r]) for r in (lines[1], dots[1])]
        self.legend = Legend(items=items, border_line_alpha=0, label_text_font_size="9pt")
        plot.add_layout(self.legend, "right")

    def _set(self, data, options, axes):
        for name, columns in data.items():
            self.sources[name].data = columns
        self.figure.title.text = options.get("title", "")
        self.figure.xaxis.axis_label, self.figure.yaxis.axis_label = axes
        for axis, limits in (("x", options.get("xlim")), ("y", options.get("ylim"))):
            if limits is not None:
                setattr(self.figure, f"{axis}_range", Range1d(*limits))


class EitherFigure:
    """A place for panels some of which have a logarithmic axis upwards, and some have not."""

    def __init__(self, **size):
        self._size, self.figures = size, {True: Figure(logy=True, **size)}
        self.view = widgets.VBox([self.figures[True].view])

    @property
    def now(self):
        """The `Figure` that is shown."""
        return next(f for f in self.figures.values() if f.view is self.view.children[0])

    def show(self, element, *, logy=None):
        """Show a panel on the axis that it asks for, or on that of `logy`."""
        asked = _options(element, "plot").get("logy", False) if logy is None else logy
        if asked not in self.figures:
            self.figures[asked] = Figure(logy=asked, **self._size)
        chosen = self.figures[asked]
        chosen.show(element)
        if self.now is not chosen:
            self.view.children = (chosen.view,)

    def say(self, text):
        """Show a line of text in an empty frame."""
        self.now.say(text)

    def close(self):
        """Take both figures off the page."""
        for one in self.figures.values():
            one.close()
        close_all(self.view)


def _data_of(element):
    """Return the columns of each kind of glyph that a panel needs."""
    rows = {name: [] for name in COLUMNS}
    for one in element if isinstance(element, hv.Overlay) else [element]:
        kind = next((k for k in READERS if isinstance(one, k)), None)
        if kind is None:
            msg = f"Figure.show: got {type(one).__name__}, expected curves, areas, points or shapes"
            raise ValueError(msg)
        name, read = READERS[kind]
        name = f"plain_{name}" if name in ("lines", "dots") and not one.label else name
        rows[name] += read(one, _options(one, "style"))
    return {
        name: {column: [row[i] for row in rows[name]] for i, column in enumerate(columns)}
        for name, columns in COLUMNS.items()
    }


def _curve(one, style):
    x, y = (np.asarray(one.dimension_values(i), dtype=float) for i in (0, 1))
    if _options(one, "plot").get("interpolation") == "steps-post":
        x, y = np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]
    label, dash = one.label, style.get("line_dash", "solid")
    width, alpha = style.get("line_width", 2), style.get("alpha", 1.0)
    return [(x, y, label, style.get("color", TRUTH), dash, width, alpha)]


def _area(one, style):
    x, low = (np.asarray(one.dimension_values(i), dtype=float) for i in (0, 1))
    high = np.asarray(one.dimension_values(2), dtype=float)
    there = np.isfinite(low) & np.isfinite(high)
    x, low, high = x[there], low[there], high[there]
    around = np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])
    return [(*around, style.get("color", TRUTH), style.get("alpha", 1.0))]


def _scatter(one, style):
    x, y = (np.asarray(one.dimension_values(i), dtype=float) for i in (0, 1))
    colour = style.get("color", TRUTH)
    look = (one.label, colour, style.get("line_color", colour), style.get("size", 5))
    return [(a, b, *look) for a, b in zip(x, y, strict=True)]


def _polygons(one, style):
    look = (style.get("color", TRUTH), style.get("alpha", 1.0))
    facts = [", ".join(str(shape[k]) for k in FACTS if k in shape) for shape in one.data]
    return [(s["x"], s["y"], *look, f) for s, f in zip(one.data, facts, strict=True)]


def _words(one, style):
    look = (style.get("text_color", TRUTH), style.get("text_font_size", "9pt"))
    columns = (one.dimension_values(i) for i in range(3))
    return [(x, y, text, *look) for x, y, text in zip(*columns, strict=True)]


READERS = {
    hv.Area: ("bands", _area),
    hv.Scatter: ("dots", _scatter),
    hv.Curve: ("lines", _curve),
    hv.Polygons: ("shapes", _polygons),
    hv.Labels: ("words", _words),
}


def _options(element, group):
    return hv.Store.lookup_options("bokeh", element, group).kwargs


def _axes(element):
    """Return the labels of both axes, from the first element."""
    first = next(iter(element)) if isinstance(element, hv.Overlay) else element
    return tuple(first.get_dimension(i).pprint_label for i in (0, 1))


def _empty(columns):
    return {column: [] for column in columns}
