"""Maps slice by slice: layers side by side, spectra of voxels, statistics of the whole."""

import html

import holoviews as hv
import ipywidgets as widgets
from bokeh.models import Span

from imtools.dashboards.bokeh_widget import BokehWidget
from imtools.dashboards.closing import close_all
from imtools.dashboards.explorer.colours import ColourControls
from imtools.dashboards.explorer.curves import (
    PIN_COLOURS,
    STATISTICS,
    TITLES,
    show_statistics,
    show_voxel_spectra,
)
from imtools.dashboards.explorer.saving import show_slices
from imtools.dashboards.explorer.slices import SIDE, SlicePanels
from imtools.dashboards.figures import Figure
from imtools.dashboards.messages import Message, guarded
from imtools.survey import channel_width

N_PANELS = 3
HEIGHT = 220  # pixels, of the curves
FIRST = ("signal", "noise", "signal_to_noise")  # what the panels begin with


class MapViewer:
    """Any map, slice by slice.

    Parameters
    ----------
    layers : dict of str to xarray.DataArray
        Cubes on the same voxels, such as `datasets.make_layers` returns; NaN is drawn grey.
    counts : xarray.DataArray, dims ("log_l",), optional
        Sources in bins of luminosity.
    message : Message, optional
        Where errors are shown; by default a line of its own.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    layers : dict of str to xarray.DataArray
        What is shown.
    """

    def __init__(self, layers, counts=None, *, message=None):
        self.message = message or Message()
        self.layers, self.counts, self._ranges, self._elements = {}, None, {}, {}
        self.place, self.pins, self._filling = None, [], False
        show = guarded(self.message)
        self.colours = ColourControls(show(self.refresh))
        self.slices = SlicePanels(N_PANELS, on_hover=show(self.hover), on_tap=show(self.toggle_pin))
        self.spectrum = Figure(width=2 * SIDE, height=HEIGHT)
        self.spectrum.view.add_class("imtools-spectrum")
        self.here = Span(dimension="height", line_color="#666666", line_dash="dashed")
        self.spectrum.figure.add_layout(self.here)
        self.statistics = {
            name: Figure(width=SIDE - 30, height=HEIGHT, logx=name != "counts", logy=True)
            for name in STATISTICS
        }
        for figure in self.statistics.values():  # three in a row have no room for tools
            figure.figure.toolbar_location = None
            figure.figure.right.remove(figure.legend)
        self.statistics["pk"].figure.add_layout(self.statistics["pk"].legend, "center")
        self.statistics["pk"].legend.location = "bottom_left"
        self._make_controls(show)
        self.show_layers(layers, counts)
        # the page draws at once what is there now
        self.plot = BokehWidget(self.slices.model)
        self.plot.add_class("imtools-slices")
        for figure in (self.spectrum, *self.statistics.values()):
            figure.view.refresh()
        own = [] if message else [self.message.view]
        below = widgets.HBox([figure.view for figure in self.statistics.values()])
        self.view = widgets.VBox([*self._rows, *own, self.plot, self.spectrum.view, below])

    def _make_controls(self, show):
        """Make what moves through the map, and what chooses its layers."""
        self.slider = widgets.IntSlider(
            0, 0, 1, description="channel", continuous_update=False, readout=False,
            layout={"width": "330px"}, style={"description_width": "60px"},
        )  # fmt: skip
        self.play = widgets.Play(0, 0, 1, interval=400, show_repeat=False)
        self._link = widgets.jslink((self.play, "value"), (self.slider, "value"))
        small = {"layout": {"width": "36px"}}
        self.back = widgets.Button(icon="step-backward", tooltip="one channel back", **small)
        self.on = widgets.Button(icon="step-forward", tooltip="one channel on", **small)
        self.readout = widgets.HTML(layout={"margin": "0 0 0 12px"})
        self.back.on_click(show(lambda _: self.step(-1)))
        self.on.on_click(show(lambda _: self.step(1)))
        self.slider.observe(show(lambda _: self._show_slices()), "value")
        wide = {"layout": {"width": "190px"}, "style": {"description_width": "20px"}}
        self.menus = [
            widgets.Dropdown(description=str(n + 1), **wide) for n in range(N_PANELS)
        ]  # fmt: skip
        for menu in self.menus:
            menu.observe(show(lambda _: self.refresh()), "value")
        self.unpin = widgets.Button(
            description="clear pins", tooltip="click on a map to pin a voxel", icon="map-pin",
            layout={"width": "110px"},
        )  # fmt: skip
        self.unpin.on_click(show(lambda _: self.clear_pins()))
        middle = {"align_items": "center"}
        self._rows = [
            widgets.HBox([self.back, self.on, self.play, self.slider, self.readout], layout=middle),
            widgets.HBox([*self.menus, self.unpin], layout=middle),
            self.colours.view,
        ]

    def show_layers(self, layers, counts=None):
        """Show other maps; slice, zoom, pins and choices stay where they have a place.

        Parameters
        ----------
        layers : dict of str to xarray.DataArray
            As the class takes them.
        counts : xarray.DataArray, dims ("log_l",), optional
            As the class takes them.
        """
        cube, freq = next(iter(layers.values())), self.freq
        self.layers, self.counts = dict(layers), counts
        last = cube.sizes["freq"] - 1
        here = last // 2 if freq is None else int(abs(cube["freq"].values - freq).argmin())
        with self.slider.hold_trait_notifications():
            self.slider.max = self.play.max = last
            self.slider.value = self.play.value = here  # a page takes over the latter's
        self._fill_menus()
        self.slices.set_field(cube)
        inside = [self._voxel(ra, dec) for ra, dec in self.pins if self._is_inside(ra, dec)]
        self.pins = list(dict.fromkeys(inside))
        self.place = None
        self.slices.set_mark(cube, None)
        self.refresh()

    def _fill_menus(self):
        """Offer the layers that there are, and keep what was chosen."""
        options = [(TITLES.get(name, name), name) for name in self.layers]
        self._filling = True
        try:
            taken = []
            for menu, first in zip(self.menus, FIRST, strict=True):
                free = [name for name in self.layers if name not in taken]
                wanted = [n for n in (menu.value, first) if n in self.layers] + free + [None]
                menu.options = [*options, ("nothing", None)]
                menu.value = wanted[0]
                taken.append(wanted[0])
        finally:
            self._filling = False

    def refresh(self):
        """Draw everything again: slices, spectra and statistics."""
        if self._filling:
            return
        self._ranges = self.colours.ranges(self.layers)
        self._show_slices()
        self._show_spectra()
        temperatures = {n: c for n, c in self.layers.items() if c.attrs["units"] == "uK"}
        clim = self._ranges[next(reversed(temperatures))]
        self._elements = elements = show_statistics(temperatures, self.counts, clim=clim)
        for name, figure in self.statistics.items():
            if name in elements:
                figure.show(elements[name])
            else:
                figure.say("no power" if name == "pk" else "none")

    @property
    def freq(self):
        """Frequency of the channel that is shown [GHz]."""
        if not self.layers:
            return None
        return float(self._cube["freq"].values[self.slider.value])

    @property
    def _cube(self):
        return next(iter(self.layers.values()))

    def step(self, n):
        """Go `n` channels on, and from one end to the other."""
        self.slider.value = (self.slider.value + n) % (self.slider.max + 1)

    def _show_slices(self):
        freq, cube = self.freq, self._cube
        for number, menu in enumerate(self.menus):
            if menu.value is None:
                self.slices.hide(number, "")
                continue
            channel = self.layers[menu.value].sel(freq=freq)
            title = f"{TITLES.get(menu.value, menu.value)}, {freq:.3f} GHz"
            self.slices.show(number, channel, clim=self._ranges[menu.value], title=title)
        self.here.location = freq
        z = f", z = {float(cube['z'].sel(freq=freq)):.3f}" if "z" in cube.coords else ""
        width = 1e3 * channel_width(cube)
        self.readout.value = html.escape(
            f"{freq:.3f} GHz{z}; channel {self.slider.value + 1} of {cube.sizes['freq']}, "
            f"{width:.4g} MHz wide"
        )

    def hover(self, place):
        """Show the spectrum of the voxel at `place`, (ra, dec) [deg]; None or outside shows none.

        Returns
        -------
        (float, float) or None
            Middle of the voxel [deg].
        """
        inside = place is not None and self._is_inside(*place)
        voxel = self._voxel(*place) if inside else None
        if voxel != self.place:
            self.place = voxel
            self.slices.set_mark(self._cube, voxel)
            self._show_spectra()
        return voxel

    def toggle_pin(self, place):
        """Pin the voxel at `place`, (ra, dec) [deg], or unpin it; the oldest pin makes room."""
        if not self._is_inside(*place):
            return
        voxel = self._voxel(*place)
        if voxel in self.pins:
            self.pins.remove(voxel)
        else:
            self.pins = [*self.pins, voxel][-len(PIN_COLOURS) :]
        self._show_spectra()

    def clear_pins(self):
        """Take all pins away."""
        self.pins = []
        self._show_spectra()

    def _is_inside(self, ra, dec):
        (left, right), (low, high) = self.slices.field["ra"], self.slices.field["dec"]
        return left <= ra <= right and low <= dec <= high

    def _voxel(self, ra, dec):
        """Return the middle of the pixel at (ra, dec) [deg]."""
        pixel = self._cube.isel(freq=0).sel(ra=ra, dec=dec, method="nearest")
        return float(pixel["ra"]), float(pixel["dec"])

    def _show_spectra(self):
        """Draw the spectra of the voxel under the mouse and of the pins, and rings around these."""
        self.slices.set_pins(self.pins, PIN_COLOURS[: len(self.pins)])
        temperatures = {n: c for n, c in self.layers.items() if c.attrs["units"] == "uK"}
        self.spectrum.show(show_voxel_spectra(temperatures, self.place, self.pins))

    def figure(self):
        """Return what the panels show, for print, with their zoom.

        Returns
        -------
        holoviews.Layout
            Slices, and under them the statistics of the whole map.
        """
        shown = {TITLES.get(m.value, m.value): m.value for m in self.menus if m.value}
        layers = {title: self.layers[name] for title, name in shown.items()}
        ranges = {title: self._ranges[name] for title, name in shown.items()}
        slices = show_slices(layers, self.freq, ranges=ranges, zoom=self.slices.zoom)
        both = (slices + hv.Layout(list(self._elements.values()))).cols(max(len(layers), 1))
        # room for the labels of the colour bars
        room = {"sublabel_format": "", "hspace": 0.75, "vspace": 0.1, "shared_axes": False}
        return both.opts(backend="matplotlib", **room)

    def close(self):
        """Take the viewer off the page, and let go of the maps."""
        self._link.close()
        self.colours.close()
        for figure in (self.spectrum, *self.statistics.values()):
            figure.close()
        close_all(self.view, self.message.view)
        self.layers, self.counts, self._ranges, self._elements = {}, None, {}, {}
