"""The posterior viewer: a map as P(k) with VID and as networks read it, and whether that holds."""

import html
from pathlib import Path

import holoviews as hv
import ipywidgets as widgets

import imtools.dashboards.backend  # noqa: F401, before anything else imports Keras
from imtools.counts import QUOTED_LOG_L
from imtools.dashboards.choices import offer
from imtools.dashboards.closing import close_all
from imtools.dashboards.corner import Corner
from imtools.dashboards.figures import Figure
from imtools.dashboards.messages import Message, guarded, one_at_a_time
from imtools.dashboards.method_boxes import MethodBoxes
from imtools.evaluation.calibration import format_coverage
from imtools.evaluation.intervals import format_widths
from imtools.plots.calibration import show_coverage, styles_of
from imtools.plots.noise import show_errors
from imtools.plots.posteriors import POSTERIOR_STYLES, show_excess, show_posteriors
from imtools.runs.posteriors import posterior_runs, read_posteriors

__all__ = ["PosteriorViewer"]

FIRST = ("mcmc_pk_vid", "network_multiscale", "prior_mean")  # the methods to begin with
NOTEBOOK = "07_against_the_power_spectrum.ipynb"
CAPTIONS = (  # of each page
    "Left: bands hold 68 % of the posterior of this map. Right: bands are one sigma of a bootstrap "
    "over {} catalogues; grey is within three points of what is aimed at.",
    "Contours hold 68 % and 95 % of the draws; black lines are the parameters of this map.",
    "Over all test maps, of {} catalogues.",
)
NONE = f"No run has posteriors yet: run notebooks/{NOTEBOOK}, and refresh"
LIKE_CODE = "font-family:monospace;line-height:1.3;overflow-x:auto"
WIDTH, HEIGHT = 460, 240  # pixels, of a frame


class PosteriorViewer:
    """The posteriors of a run: luminosity functions of one map, coverage, widths, parameters.

    Parameters
    ----------
    run : path-like, optional
        Folder of a run of notebook 07; by default the newest of those below `root`.
    root : path-like, optional
        Where runs lie; by default ``runs`` in the folder of data.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    posteriors : Posteriors
        Of the run that is shown, None if there is none.
    message : Message
        What was done, or what is wrong.
    """

    def __init__(self, run=None, *, root=None):
        self._root, self._own = root, {} if run is None else {Path(run).name: Path(run)}
        self.message, self.posteriors, self._quiet = Message(), None, False
        self._elements, self._styles = {}, {}
        self.figures_of = {
            name: Figure(width=WIDTH, height=HEIGHT, logy=name == "widths")
            for name in ("posteriors", "coverage", "excess", "widths")
        }  # fmt: skip
        for figure in self.figures_of.values():  # the boxes above have the colours
            figure.figure.right.remove(figure.legend)
            figure.figure.toolbar.autohide = True
        self.corner, self.numbers, self.caption = Corner(), widgets.HTML(), widgets.HTML()
        self._controls()
        self.view = self._page()
        self.view.add_class("imtools-posteriors")
        with guarded(self.message):
            self.refresh()

    def _controls(self):
        show = guarded(self.message)
        wide = {"layout": {"width": "420px"}, "style": {"description_width": "40px"}}
        self.run = widgets.Dropdown(description="run", **wide)
        self.again = widgets.Button(description="Refresh", layout={"width": "100px"})
        self.place = widgets.IntSlider(
            description="map", max=0, continuous_update=False, readout=False, **wide
        )
        self.place.add_class("imtools-place")
        self.readout = widgets.HTML()
        self.probability = widgets.Dropdown(
            description="coverage of", options=[("68 %", 0.68), ("95 %", 0.95), ("50 %", 0.5)],
            layout={"width": "180px"}, style={"description_width": "80px"},
        )  # fmt: skip
        self.methods = MethodBoxes(show(self._draw))
        self.run.observe(show(lambda change: self.open(change["new"])), "value")
        self.place.observe(show(self._draw), "value")
        self.probability.observe(show(self._draw), "value")
        job = one_at_a_time(self.message, button=self.again)(self.refresh)
        self.again.on_click(lambda _: job())

    def _page(self):
        """Return everything, one below the other."""
        middle = {"align_items": "center"}
        figures = {name: figure.view for name, figure in self.figures_of.items()}
        above = widgets.HBox([figures["posteriors"], figures["coverage"]])
        below = widgets.HBox([figures["excess"], figures["widths"]])
        pages = {
            "Luminosity function": widgets.VBox([above, below]),
            "Parameters": self.corner.view, "Numbers": self.numbers,
        }  # fmt: skip
        self.tabs = widgets.Tab(list(pages.values()), titles=list(pages))
        self.tabs.observe(guarded(self.message)(self._draw), "selected_index")
        first = widgets.HBox([self.run, self.again, self.probability], layout=middle)
        second = widgets.HBox([self.place, self.readout], layout=middle)
        parts = [first, second, self.methods.view, self.message.view, self.tabs, self.caption]
        return widgets.VBox(parts, layout={"max_width": "1180px"})

    def refresh(self):
        """Look which runs there are; what is shown stays where it can."""
        self.runs = self._own | posterior_runs(self._root)
        self._quiet = True
        try:
            offer(self.run, list(self.runs))
        finally:
            self._quiet = False
        if not self.runs:
            self.message.show(NONE)
            self._say("No posteriors")
            return
        self.open(self.run.value)

    def open(self, run):
        """Show a run, by its name among `runs`.

        Raises
        ------
        ValueError
            If there is no such run, or its files do not belong together.
        """
        if self._quiet or run is None:
            return
        if run not in self.runs:
            msg = f"open: run is {run!r}, expected one of {', '.join(self.runs)}"
            raise ValueError(msg)
        before, self.posteriors = self.chosen, None
        self._say("This run cannot be shown")
        self.readout.value = ""
        self.posteriors = found = read_posteriors(self.runs[run])
        self._styles = _ordered(styles_of(found.methods))
        known = [name for name in before or FIRST if name in self._styles]
        self._quiet = True
        try:
            self.run.value = run
            self.methods.offer(self._styles, known or list(self._styles)[:3])
            last = found.truth.sizes["sample"] - 1
            self.place.max = last
            if not before:  # neither faint nor bright
                self.place.value = last // 2
        finally:
            self._quiet = False
        self._draw()

    @property
    def chosen(self):
        """Names of the methods that are shown."""
        return self.methods.chosen

    @property
    def sample(self):
        """Which map of the run is shown."""
        return int(self.posteriors.order[self.place.value])

    def choose(self, methods):
        """Show these methods.

        Raises
        ------
        ValueError
            If the run has none of a name.
        """
        self._quiet = True
        try:
            self.methods.choose(methods)
        finally:
            self._quiet = False
        self._draw()

    def _draw(self, change=None):
        """Draw the page that is looked at."""
        if self._quiet or self.posteriors is None:
            return
        self._read_out()
        if not self.chosen:
            self._say("Choose a method")
            return
        pages = (self._draw_functions, self._draw_corner, self._write_numbers)
        page = self.tabs.selected_index or 0
        pages[page]()
        words = CAPTIONS[page].format(self.posteriors.calibration.attrs["n_catalogues"])
        self.caption.value = f"<i>{words} Run: {html.escape(self.run.value)}.</i>"

    def _say(self, text):
        """Show a line of text in place of everything."""
        for figure in self.figures_of.values():
            figure.say(text)
        self.corner.say(text)
        self.numbers.value, self._elements, self.caption.value = f"<i>{text}</i>", {}, ""

    def _draw_functions(self):
        self._elements = self._functions()
        for name, element in self._elements.items():
            self.figures_of[name].show(element)

    def _functions(self):
        """Return the four panels of the chosen map and methods."""
        found, styles = self.posteriors, {n: self._styles[n] for n in self.chosen}
        one = found.predictions.isel(sample=self.sample), found.truth[self.sample]
        look = {"styles": styles, "floor": found.floor}
        error = found.widths["width"].sel({"method": self.chosen}).rename("half_width")
        error = error.assign_attrs(units="dex", long_name="mean half width of 68 %")
        return {
            "posteriors": show_posteriors(*one, **look, title="This map: sources in the field"),
            "coverage": show_coverage(
                found.calibration.sel({"method": self.chosen}), self.probability.value,
                styles=styles,
            ),
            "excess": show_excess(*one, **look, title="This map: predicted over true"),
            "widths": show_errors(error, styles=styles, title="Widths over the same maps"),
        }  # fmt: skip

    def _draw_corner(self):
        draws, names, truth = self.posteriors.samples(self.chosen, self.sample)
        if not draws:
            self.corner.say(
                "The chosen methods know no parameters; choose one that is fitted by MCMC"
                if self.posteriors.parameters is not None
                else f"This run kept no draws of parameters; run {NOTEBOOK} anew"
            )
            self._elements = {}
            return
        self._elements = {
            "corner": self.corner.show(draws, names, truth=truth, styles=self._styles)
        }

    def _write_numbers(self):
        found = self.posteriors
        some = found.calibration.sel({"method": self.chosen})
        low, *_, high = found.widths.attrs["log_l_edges"]
        quoted = [x for x in QUOTED_LOG_L if low <= x <= high]
        widths = format_widths(found.widths.sel({"method": self.chosen}), quoted=quoted)
        tables = [format_coverage(some), widths]
        text = html.escape("\n\n".join(tables))
        self.numbers.value = f'<pre style="{LIKE_CODE}">{text}</pre>'
        self._elements = {}

    def _read_out(self):
        truth, last = self.posteriors.truth[self.sample], self.place.max
        where = f"map {self.place.value + 1} of {last + 1} by brightness"
        if "catalogue" in truth.coords:
            where += f", catalogue {int(truth['catalogue'])}"
        self.readout.value = html.escape(f"{where}: {float(truth.sum()):,.0f} sources")

    def figures(self):
        """Return the panels that are shown now, by name: HoloViews elements."""
        return dict(self._elements)

    def figure(self):
        """Return luminosity function, coverage, excess and widths for print.

        Returns
        -------
        holoviews.Layout

        Raises
        ------
        ValueError
            If there is no run, or no method is chosen.
        """
        if self.posteriors is None or not self.chosen:
            msg = "figure: no run or no method is shown, expected both; see the message"
            raise ValueError(msg)
        return hv.Layout(list(self._functions().values())).cols(2).opts(shared_axes=False)

    def close(self):
        """Take everything off the page."""
        for figure in self.figures_of.values():
            figure.close()
        self.corner.close()
        close_all(self.view)
        self.message.close()
        self.posteriors, self._elements = None, {}


def _ordered(styles):
    """Return styles in the order of `POSTERIOR_STYLES`, those of other methods last."""
    known = [name for name in POSTERIOR_STYLES if name in styles]
    return {name: styles[name] for name in [*known, *(n for n in styles if n not in known)]}
