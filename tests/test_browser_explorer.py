"""The map explorer in JupyterLab, with the eyes and the hand of a real browser."""

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
NOTEBOOK = "01_intensity_maps.ipynb"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return a page of JupyterLab in which notebook 01 has run from first cell to last."""
    need_chromium()
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    copy_notebook(NOTEBOOK, folder)
    with jupyter_lab(folder) as server, open_page() as page:
        open_notebook(page, server, NOTEBOOK)
        run_all(page)
        page.locator(".imtools-explorer").scroll_into_view_if_needed()
        page.locator(".imtools-slices .bk-Figure canvas").first.wait_for()
        yield page
        assert page.faults == []


@pytest.fixture
def slices(page):
    return page.locator(".imtools-slices .bk-Figure").first


def test_a_slider_moves_and_the_picture_changes(page, slices):
    before = picture(slices)
    readout = page.locator(".imtools-explorer :text('channel 10 of 20')")
    readout.wait_for()
    screenshot(page, "explorer-opened")
    page.locator(".imtools-explorer .noUi-handle").first.focus()
    page.keyboard.press("ArrowRight")
    changed_picture(slices, before)
    page.locator(".imtools-explorer :text('channel 11 of 20')").wait_for()
    page.keyboard.press("ArrowLeft")
    readout.wait_for()
    wait_for_picture(slices, before)  # the same channel is the same picture


def test_another_model_changes_the_map_and_its_statistics(page, slices):
    before, spectrum = picture(slices), page.locator(".imtools-spectrum .bk-Figure").first
    spectrum_before = picture(spectrum)
    page.locator(".imtools-model select").select_option("padmanabhan2018")
    changed_picture(slices, before)
    changed_picture(spectrum, spectrum_before)
    screenshot(page, "explorer-other-model")
    page.locator(".imtools-model select").select_option("li2016")
    page.locator(".imtools-explorer :text-is('alpha')").wait_for()


def test_the_spectrum_is_that_of_the_voxel_under_the_mouse(page, slices):
    spectrum = page.locator(".imtools-spectrum .bk-Figure").first
    before = picture(spectrum)
    box = slices.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 3
    page.mouse.move(x, y)
    page.mouse.move(x + 3, y)
    changed_picture(spectrum, before)
    page.mouse.down()
    page.mouse.up()
    before = picture(spectrum)
    page.mouse.move(10, 10)  # off the map: what is left is the pin
    pinned = changed_picture(spectrum, before)
    screenshot(page, "explorer-pinned")
    page.get_by_role("button", name="clear pins").click()
    changed_picture(spectrum, pinned)


def test_an_impossible_parameter_shows_its_message(page, slices):
    before = picture(slices)
    alpha = page.locator(".widget-text:has(:text-is('alpha')) input")
    alpha.fill("-1")
    alpha.press("Enter")
    error = page.locator(".imtools-explorer .imtools-error")
    error.wait_for()
    assert error.inner_text() == "Error: Li2016: alpha is -1, expected 0.01 to inf"
    screenshot(page, "explorer-error")
    assert picture(slices) == before
    page.get_by_role("button", name="fiducial").click()
    error.wait_for(state="detached")


def test_the_code_is_copied_by_a_click(page):
    page.locator(".imtools-explorer .lm-TabBar-tabLabel:text-is('Code')").click()
    page.locator(".imtools-copy").click()
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("import numpy as np")
    assert "cube = paint_halos(haloes, survey)" in text
    page.locator(".imtools-explorer .lm-TabBar-tabLabel:text-is('Luminosity')").click()
