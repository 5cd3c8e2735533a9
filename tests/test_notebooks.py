"""Every notebook, from first cell to last, at the smallest sizes."""

from pathlib import Path

import nbformat
import pytest

from imtools.runs import run_notebook

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_first_cell_to_last(path, tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    run = run_notebook(path, preset="tiny", timeout=300, progress=True)
    assert run.state == "done", f"{run.reason}\n{run.traceback}"
    executed = nbformat.read(run.folder / "notebook.ipynb", as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source]
    assert all(cell.execution_count for cell in code)
    assert (run.folder / "report.html").exists()
