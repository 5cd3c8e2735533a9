"""The dashboards as an app: Voila behind its token, two people at once, in a real browser."""

import shutil

import pytest
from browser import (
    ROOT,
    changed_picture,
    copy_notebook,
    need_chromium,
    open_pages,
    picture,
    screenshot,
    serve,
    shared_picture,
    wait_for_picture,
)
from toy_runs import write_posterior_run

pytestmark = [pytest.mark.browser, pytest.mark.slow]
NOTEBOOK = "dashboard.ipynb"
COMMAND = ["-c", "from imtools.cli import app; app()", "dashboard", NOTEBOOK, "--port", "{port}"]
TAB = ".imtools-dashboard > .widget-tab-bar .lm-TabBar-tabLabel:text-is('{}')"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the pages of two people, of an app that `imtools dashboard` serves."""
    need_chromium()
    folder = tmp_path_factory.mktemp("app") / "notebooks"
    folder.mkdir()
    copy_notebook(NOTEBOOK, folder)
    shutil.copy(ROOT / "notebooks" / "04_train.ipynb", folder)  # for the builder
    data = folder.parent / "data"
    write_posterior_run(data / "runs" / "seven")
    broken = write_posterior_run(data / "runs" / "six")
    (broken / "predictions.nc").write_bytes(b"<html>")
    environment = {"IMTOOLS_DATA": str(data)}
    command = [*COMMAND, "--token", "{token}"]
    with (
        serve(command, folder, ready="login", environment=environment) as server,
        open_pages(2) as pages,
    ):
        for page in pages:  # both kernels start at once
            page.goto(server.url(), wait_until="commit")
        for page in pages:
            page.locator(".imtools-slices .bk-Figure canvas").first.wait_for()
        yield pages
        for page in pages:
            assert page.faults == []


def open_tab(page, title):
    page.locator(TAB.format(title)).click()


def test_maps_are_there_for_both_and_a_slider_changes_the_picture_of_one(pages):
    slices = [page.locator(".imtools-slices .bk-Figure").first for page in pages]
    before = shared_picture(slices)  # the same seed
    screenshot(pages[0], "dashboard-maps")
    pages[0].locator(".imtools-explorer .noUi-handle").first.focus()
    pages[0].keyboard.press("ArrowRight")
    changed_picture(slices[0], before)
    pages[0].locator(".imtools-explorer :text('channel 11 of 20')").wait_for()
    assert picture(slices[1]) == before
    pages[1].locator(".imtools-explorer :text('channel 10 of 20')").wait_for()


def test_posteriors_follow_the_map_and_the_methods_of_each_person(pages):
    figures = []
    for page in pages:
        open_tab(page, "Posteriors")
        figures.append(page.locator(".imtools-posteriors .bk-Figure").first)
    for page, figure in zip(pages, figures, strict=True):
        figure.locator("canvas").first.wait_for()
        page.locator(".imtools-posteriors select").first.select_option("seven")
        page.locator(".imtools-posteriors :text('map 6 of 12')").wait_for()
        page.locator(".imtools-posteriors :text('Run: seven.')").wait_for()  # the last to be sent
    before = [picture(figure) for figure in figures]
    screenshot(pages[0], "dashboard-posteriors")
    pages[0].locator(".imtools-place .noUi-handle").focus()
    pages[0].keyboard.press("ArrowRight")
    moved = changed_picture(figures[0], before[0])
    pages[0].locator(".imtools-posteriors :text('map 7 of 12')").wait_for()
    box = pages[0].locator(".imtools-posteriors label:has-text('network') input")
    box.check()
    changed_picture(figures[0], moved)
    box.uncheck()
    wait_for_picture(figures[0], moved)
    assert picture(figures[1]) == before[1]
    pages[1].locator(".imtools-posteriors :text('map 6 of 12')").wait_for()


def test_the_corner_plot_is_that_of_the_map(pages):
    page = pages[0]
    page.locator(".imtools-posteriors .lm-TabBar-tabLabel:text-is('Parameters')").click()
    panel = page.locator(".imtools-corner .bk-Figure").first
    panel.locator("canvas").first.wait_for()
    page.locator(".imtools-posteriors :text('Contours hold')").wait_for()  # the last to be sent
    before = picture(panel)
    page.locator(".imtools-place .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    changed_picture(panel, before)
    screenshot(page, "dashboard-corner")


def test_a_damaged_run_shows_its_message(pages):
    page = pages[1]
    page.locator(".imtools-posteriors select").first.select_option("six")
    error = page.locator(".imtools-posteriors .imtools-error")
    error.wait_for()
    assert "predictions.nc" in error.inner_text()
    screenshot(page, "dashboard-error")
    page.locator(".imtools-posteriors select").first.select_option("seven")
    error.wait_for(state="detached")


def test_the_other_pages_open(pages):
    page = pages[1]
    open_tab(page, "New run")
    page.get_by_text("imtools run").first.wait_for()
    screenshot(page, "dashboard-new-run")
    open_tab(page, "Runs")
    page.get_by_text("2 runs").wait_for()
    screenshot(page, "dashboard-runs")
