"""The four dashboards in tabs, each of them made when it is first looked at."""

import os

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.dashboards.messages import Message, guarded
from imtools.experiment import Experiment

__all__ = ["Dashboard"]


def _explorer(preset, seed, sigma_noise, folder):
    from imtools.dashboards.explorer import MapExplorer

    experiment = Experiment.from_preset(preset, sigma_noise=sigma_noise)
    return MapExplorer(experiment, seed=seed, folder=folder)


def _builder(preset, **_):
    from imtools.dashboards.builder import Builder

    return Builder(preset)


def _comparison(**_):
    from imtools.dashboards.comparison import Comparison

    return Comparison()


def _posteriors(**_):
    from imtools.dashboards.posteriors import PosteriorViewer

    return PosteriorViewer()


PAGES = {  # the titles of the tabs, and what makes each
    "Maps": _explorer,
    "New run": _builder,
    "Runs": _comparison,
    "Posteriors": _posteriors,
}


class Dashboard:
    """Map explorer, experiment builder, comparison of runs and posterior viewer, a tab each.

    Parameters
    ----------
    preset : str
        Sizes that the explorer and the builder begin with.
    seed : int
        Of the explorer's first map.
    sigma_noise : float
        Its noise [uK], of the voxel that ``noise_convention`` of the preset names.
    folder : path-like, optional
        Where the explorer saves maps; by default ``maps`` in the folder of data.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display; `close` takes it off the page.
    pages : dict of str to object
        What has been made so far, by the title of its tab.
    message : Message
        Says why a page could not be opened.
    """

    def __init__(self, *, preset="tiny", seed=0, sigma_noise=0.0, folder=None):
        self._settings = {"preset": preset, "seed": seed, "folder": folder}
        self._settings["sigma_noise"] = sigma_noise
        self.pages, self.message = {}, Message()
        self._places = {title: widgets.VBox([_opening()]) for title in PAGES}
        self.tabs = widgets.Tab(list(self._places.values()), titles=list(PAGES))
        self.tabs.add_class("imtools-dashboard")
        self.view = widgets.VBox([self.message.view, self.tabs])
        self.tabs.observe(guarded(self.message)(self._looked_at), "selected_index")
        with guarded(self.message):
            self.open(next(iter(PAGES)))

    def open(self, title):
        """Look at a page; it is made if it was not yet.

        Parameters
        ----------
        title : str
            Of its tab.

        Returns
        -------
        MapExplorer, Builder, Comparison or PosteriorViewer

        Raises
        ------
        ValueError
            If there is no such page.
        """
        if title not in PAGES:
            msg = f"Dashboard: page is {title!r}, expected one of {', '.join(PAGES)}"
            raise ValueError(msg)
        if title not in self.pages:
            place = self._places[title]
            page = self.pages[title] = PAGES[title](**self._settings)
            waiting, place.children = place.children, (page.view,)
            close_all(*waiting)
        self.tabs.selected_index = list(PAGES).index(title)
        return self.pages[title]

    def figure(self):
        """Return what the first page shows, for print; None in an app, which shows the page itself.

        Returns
        -------
        holoviews.Layout or None
        """
        if os.environ.get("SERVER_SOFTWARE", "").startswith("voila"):
            return None
        return self.open(next(iter(PAGES))).viewer.figure()

    def close(self):
        """Take everything off the page, and let go of it."""
        for page in self.pages.values():
            page.close()
        self.pages = {}
        close_all(self.view)
        self.message.close()

    def _looked_at(self, change):
        self.open(list(PAGES)[change["new"] or 0])


def _opening():
    """Return what a page shows until it is made."""
    return widgets.HTML("<p><i>opening ...</i></p>", layout={"min_height": "300px"})
