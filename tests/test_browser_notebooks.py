"""Notebooks by Run All in JupyterLab, and the widgets in them, in a real browser."""

import pytest
from browser import (
    changed_picture,
    copy_notebook,
    jupyter_lab,
    need_chromium,
    open_notebook,
    open_page,
    picture,
    run_all,
    screenshot,
    wait_for_picture,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Return JupyterLab on a folder; what one notebook simulates, the next finds."""
    need_chromium()
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    with jupyter_lab(folder) as server:
        yield server


@pytest.fixture
def open_and_run(lab):
    """Return a function that opens a notebook in a fresh browser and runs all of it."""
    with open_page() as page:

        def run(name, **parameters):
            copy_notebook(name, lab.folder, **parameters)
            open_notebook(page, lab, name)
            run_all(page, timeout_s=300)
            return page

        yield run
        assert page.faults == []


def knob(page, label):
    """Return the menu or slider of that label."""
    return page.locator(f".jp-Cell .widget-inline-hbox:has(> label:text-is('{label}'))")


def figures_beside(page, label):
    """Return the figures of the cell that shows the menu or slider of that label."""
    cell = page.locator(f".jp-Cell:has(.widget-inline-hbox > label:text-is('{label}'))")
    return cell.locator(".bk-Figure")


def choose(page, label, option):
    knob(page, label).locator("select").select_option(option)


def test_an_architecture_is_chosen_drawn_and_refused(open_and_run):
    page = open_and_run("03_architectures.ipynb")
    filtered = figures_beside(page, "filter").first
    before = picture(filtered)
    choose(page, "filter", "edges along ra")
    changed_picture(filtered, before)
    drawing, cell = figures_beside(page, "n_blocks").first, page.locator(".jp-Cell")
    costs = cell.filter(has=page.locator("label:text-is('n_blocks')")).locator(".widget-html")
    drawing.scroll_into_view_if_needed()
    first, told = picture(drawing), costs.inner_text()
    choose(page, "n_dims", "2")
    second = changed_picture(drawing, first)
    assert costs.inner_text() != told
    screenshot(page, "architectures-2-d")
    choose(page, "n_blocks", "8")
    costs.locator("b").wait_for()
    assert "use n_blocks of at most 4" in costs.inner_text()
    changed_picture(drawing, second)
    screenshot(page, "architectures-refused")
    choose(page, "n_blocks", "4")
    choose(page, "n_dims", "3")
    costs.locator("pre").wait_for()
    wait_for_picture(drawing, first)


def test_any_trial_is_shown_at_any_luminosity(open_and_run):
    page = open_and_run("05_what_works.ipynb")
    figure = figures_beside(page, "trial").first
    figure.scroll_into_view_if_needed()
    base = picture(figure)
    choose(page, "trial", "SGD")
    by_sgd = changed_picture(figure, base)
    knob(page, "log10 L").locator(".noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    changed_picture(figure, by_sgd)
    screenshot(page, "what-works-chosen")
    page.keyboard.press("ArrowLeft")
    choose(page, "trial", "base")
    wait_for_picture(figure, base)


def test_the_map_and_its_saliency_move_together(open_and_run):
    page = open_and_run("10_inside_the_network.ipynb")
    both = [figures_beside(page, "channel").nth(i) for i in range(2)]
    both[0].scroll_into_view_if_needed()
    seen, slopes = (picture(figure) for figure in both)
    choose(page, "luminosity", "10^5.96 Lsun")
    slopes = changed_picture(both[1], slopes)
    assert picture(both[0]) == seen  # the map knows nothing of the luminosity
    knob(page, "channel").locator(".noUi-handle").focus()
    page.keyboard.press("ArrowLeft")
    changed_picture(both[0], seen)
    changed_picture(both[1], slopes)
    screenshot(page, "inside-other-channel")
