import holoviews as hv
import pytest

from imtools.plots.saving import save_figures
from imtools.plots.style import line

X, Y = hv.Dimension("x"), hv.Dimension("y")


def test_each_figure_becomes_a_pdf_and_a_png(tmp_path):
    element = line([1, 2], [3, 4], kdim=X, vdim=Y, colour="black")
    pictures = save_figures({"one": element, "two": element}, tmp_path / "figures")
    assert [p.name for p in pictures] == ["one.png", "two.png"]
    assert pictures[0].read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "figures" / "two.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "figures").iterdir())) == 4  # and no temporary file


def test_a_figure_that_exists_is_kept(tmp_path):
    element = line([1, 2], [3, 4], kdim=X, vdim=Y, colour="black")
    (tmp_path / "one.pdf").write_text("mine")
    with pytest.raises(FileExistsError, match=r"one\.pdf exists"):
        save_figures({"one": element}, tmp_path)
    assert (tmp_path / "one.pdf").read_text() == "mine"
