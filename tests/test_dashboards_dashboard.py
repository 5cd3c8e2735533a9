"""The dashboards in tabs: each is made when it is looked at, and fails alone."""

import gc
from pathlib import Path

import ipywidgets as widgets
import pytest
from ipywidgets.widgets.widget import _instances

from imtools.dashboards import dashboard as module
from imtools.dashboards.dashboard import PAGES, Dashboard


class Page:
    """A page that says what it was made with, and whether it was closed."""

    def __init__(self, settings):
        self.settings, self.view, self.closed = settings, widgets.HTML("here"), False

    def close(self):
        self.closed = True


@pytest.fixture
def made(monkeypatch):
    """Return the pages that are made, by title; a title in `broken` cannot be."""
    made, broken = {}, {"Runs"}

    def maker(title):
        def make(**settings):
            if title in broken:
                msg = "no run can be read"
                raise ValueError(msg)
            made[title] = Page(settings)
            return made[title]

        return make

    monkeypatch.setattr(module, "PAGES", {title: maker(title) for title in PAGES})
    return made, broken


def test_a_page_is_made_when_it_is_first_looked_at(made):
    pages, _ = made
    dashboard = Dashboard(preset="quick", seed=3, sigma_noise=2.0, folder="maps")
    assert list(pages) == ["Maps"]
    given = {"preset": "quick", "seed": 3, "folder": "maps", "sigma_noise": 2.0}
    assert pages["Maps"].settings == given
    dashboard.tabs.selected_index = 3
    dashboard.tabs.selected_index = 0
    dashboard.tabs.selected_index = 3
    assert list(pages) == ["Maps", "Posteriors"]
    assert dashboard.tabs.children[3].children == (pages["Posteriors"].view,)
    first = pages["Posteriors"]
    assert dashboard.open("Posteriors") is first  # made once
    dashboard.close()
    assert all(page.closed for page in pages.values())


def test_a_page_that_cannot_be_made_says_why_and_is_tried_again(made):
    pages, broken = made
    dashboard = Dashboard()
    dashboard.tabs.selected_index = 2
    assert (dashboard.message.kind, dashboard.message.text) == ("error", "no run can be read")
    assert "Runs" not in dashboard.pages
    broken.clear()
    dashboard.tabs.selected_index = 0
    dashboard.tabs.selected_index = 2
    assert dashboard.message.text == ""
    assert list(pages) == ["Maps", "Runs"]
    with pytest.raises(ValueError, match="page is 'Nothing', expected one of Maps, New run, Runs"):
        dashboard.open("Nothing")
    dashboard.close()


def test_an_app_shows_no_figure_twice(made, monkeypatch):
    dashboard = Dashboard()
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    assert dashboard.figure() is None
    dashboard.close()


@pytest.mark.slow
def test_all_four_open_and_leave_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(Path(__file__).parents[1] / "notebooks")  # where the builder looks

    def once():
        dashboard = Dashboard()
        for title in PAGES:
            dashboard.open(title)
            assert dashboard.message.kind != "error", dashboard.message.text
        assert len(dashboard.figure()) > 3  # slices and statistics, for print
        dashboard.close()

    once()  # what is loaded once
    gc.collect()
    before = set(_instances)
    once()
    gc.collect()
    assert set(_instances) == before
