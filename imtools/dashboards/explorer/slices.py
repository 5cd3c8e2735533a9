"""Slices of maps side by side: one field, one zoom, a mark under the mouse, and pins."""

import numpy as np
from bokeh.events import MouseLeave, MouseMove, Tap
from bokeh.layouts import gridplot
from bokeh.models import (
    ColorBar,
    ColumnDataSource,
    CustomJS,
    LinearColorMapper,
    Range1d,
)
from bokeh.palettes import Inferno256
from bokeh.plotting import figure

from imtools.plots.maps import NO_DATA
from imtools.plots.style import axis_label
from imtools.survey import spacing

SIDE = 290  # pixels, of a panel
NAN_LEVEL = 255  # colours are sent as numbers of 0 to 254: a quarter of the bytes of a float32
PALETTE = (*np.array(Inferno256)[np.linspace(0, 255, NAN_LEVEL).round().astype(int)], NO_DATA)


def colour_levels(values, clim):
    """Return numbers of colours for temperatures, uint8: 0 to 254, and 255 for NaN.

    Parameters
    ----------
    values : numpy.ndarray
        Of one slice.
    clim : (float, float)
        What the first and the last colour stand for; what lies beyond gets the nearest.

    Examples
    --------
    >>> colour_levels(np.array([-1.0, 0.0, 5.0, 10.0, 11.0, np.nan]), (0.0, 10.0))
    array([  0,   0, 127, 254, 254, 255], dtype=uint8)
    """
    low, high = clim
    share = (values.astype(float) - low) / (high - low)
    seen = np.isfinite(share)
    levels = np.clip(np.where(seen, share, 0.0), 0, 1) * (NAN_LEVEL - 1)
    return np.where(seen, levels.round(), NAN_LEVEL).astype(np.uint8)


class SlicePanels:
    """Bokeh panels of one slice each, right ascension growing to the left.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    on_hover : callable
        Called with (ra, dec) [deg] under the mouse, or with None where it leaves.
    on_tap : callable
        Called with (ra, dec) [deg] where a panel is clicked.
    """

    def __init__(self, n_panels, *, on_hover, on_tap):
        self.x_range, self.y_range = Range1d(1, 0), Range1d(0, 1)
        self.field = None
        self.mark = ColumnDataSource({"ra": [], "dec": [], "width": [], "height": []})
        self.pins = ColumnDataSource({"ra": [], "dec": [], "colour": []})
        self.images, self.bars, self.figures = [], [], []
        for number in range(n_panels):
            self._add_panel(number)
        # a click comes as an event; the mouse moves too often for that, so that its place is a
        # property, of which the widget sends the last value only
        pointer = self.figures[0]
        pointer.on_change("tags", lambda attr, old, new: on_hover(tuple(new) if new else None))
        for panel in self.figures:
            move = "pointer.tags = [cb_obj.x, cb_obj.y]"
            panel.js_on_event(MouseMove, CustomJS(args={"pointer": pointer}, code=move))
            leave = CustomJS(args={"pointer": pointer}, code="pointer.tags = []")
            panel.js_on_event(MouseLeave, leave)
            panel.on_event(Tap, lambda event: on_tap((event.x, event.y)))
        self.model = gridplot([self.figures], toolbar_location="right")

    def _add_panel(self, number):
        panel = figure(
            frame_width=SIDE, frame_height=SIDE, x_range=self.x_range, y_range=self.y_range,
            tools="pan,wheel_zoom,box_zoom,reset", active_scroll=None, active_drag="box_zoom",
        )  # fmt: skip
        panel.grid.visible = False
        panel.title.text_font_size = "10pt"
        image = ColumnDataSource({"image": [], "x": [], "y": [], "dw": [], "dh": []})
        levels = LinearColorMapper(palette=PALETTE, low=-0.5, high=NAN_LEVEL + 0.5)
        panel.image(
            image="image", x="x", y="y", dw="dw", dh="dh", color_mapper=levels, source=image
        )
        panel.rect(
            "ra", "dec", "width", "height", source=self.mark,
            fill_alpha=0, line_color="white", line_width=1.5,
        )  # fmt: skip
        panel.scatter(
            "ra", "dec", source=self.pins, marker="circle", size=11,
            fill_alpha=0, line_color="colour", line_width=2.5,
        )  # fmt: skip
        mapper = LinearColorMapper(palette=PALETTE[:-1], low=0, high=1)
        bar = ColorBar(
            color_mapper=mapper, orientation="horizontal", height=8, padding=4, margin=0,
            title_text_font_size="9pt", title_text_font_style="normal", title_standoff=3,
        )  # fmt: skip
        panel.add_layout(bar, "below")
        if number:
            panel.yaxis.major_label_text_font_size = "0pt"
        self.images.append(image)
        self.bars.append(bar)
        self.figures.append(panel)

    def set_field(self, cube):
        """Put the panels on the field of a cube; the zoom stays where the field does."""
        place = {}
        for name in ("ra", "dec"):
            centre, half = cube[name].values, spacing(cube, name) / 2
            place[name] = (float(centre[0] - half), float(centre[-1] + half))
        for panel in self.figures:
            panel.xaxis.axis_label, panel.yaxis.axis_label = axis_label(cube["ra"]), ""
        self.figures[0].yaxis.axis_label = axis_label(cube["dec"])
        if place == self.field:
            return
        self.field = place
        (left, right), (low, high) = place["ra"], place["dec"]
        self.x_range.update(start=right, end=left, reset_start=right, reset_end=left)
        self.y_range.update(start=low, end=high, reset_start=low, reset_end=high)

    def show(self, number, channel, *, clim, title):
        """Show one channel, dims ("dec", "ra"), in the panel of that number."""
        (left, right), (low, high) = self.field["ra"], self.field["dec"]
        levels = colour_levels(channel.transpose("dec", "ra").values, clim)
        self.images[number].data = {
            "image": [levels], "x": [left], "y": [low], "dw": [right - left], "dh": [high - low],
        }  # fmt: skip
        bar = self.bars[number]
        bar.color_mapper.update(low=float(clim[0]), high=float(clim[1]))
        bar.title = axis_label(channel)
        self.figures[number].title.text = title

    def hide(self, number, title):
        """Show nothing in a panel but a title that says why."""
        self.images[number].data = {"image": [], "x": [], "y": [], "dw": [], "dh": []}
        self.figures[number].title.text = title
        self.bars[number].title = ""

    def set_mark(self, cube, place):
        """Frame the voxel at (ra, dec), coordinates of its middle; None frames none."""
        if place is None:
            self.mark.data = {"ra": [], "dec": [], "width": [], "height": []}
            return
        self.mark.data = {
            "ra": [place[0]], "dec": [place[1]],
            "width": [spacing(cube, "ra")], "height": [spacing(cube, "dec")],
        }  # fmt: skip

    def set_pins(self, places, colours):
        """Put a ring of its own colour around each of some voxels."""
        self.pins.data = {
            "ra": [ra for ra, _ in places], "dec": [dec for _, dec in places],
            "colour": list(colours),
        }  # fmt: skip

    @property
    def zoom(self):
        """What of the field is shown: ((ra, ra), (dec, dec)) [deg], ascending."""
        x, y = (self.x_range.end, self.x_range.start), (self.y_range.start, self.y_range.end)
        return (min(x), max(x)), (min(y), max(y))
