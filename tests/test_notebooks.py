"""Notebooks from first cell to last, at the smallest sizes; two at a time.

Where there is a browser, its tests run some of them in JupyterLab, and those are left out here.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from browser import chromium_path

from imtools.run_folder import read_status

TESTS = Path(__file__).parent
IN_BROWSER = ("01_intensity_maps", "03_architectures", "05_what_works", "10_inside_the_network")
NOTEBOOKS = [
    path
    for path in sorted((TESTS.parent / "notebooks").glob("*.ipynb"))
    if not (path.stem in IN_BROWSER and chromium_path())
]
IMTOOLS = Path(sys.executable).parent / "imtools"


def run_alone(path, folder):
    """Run a notebook as a user does, with a data folder of its own, and return the process."""
    return subprocess.run(
        [IMTOOLS, "run", path, "--preset", "tiny", "--run-dir", "run", "--timeout", "600"],
        cwd=folder, env=os.environ | {"IMTOOLS_DATA": str(folder / "data")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def runs(request, tmp_path_factory):
    """Return the folder and the coming process of each notebook that is asked for."""
    chosen = [
        item.callspec.params["path"]
        for item in request.session.items
        if item.path == request.path and hasattr(item, "callspec")
    ]
    folders = {path: tmp_path_factory.mktemp(path.stem) for path in chosen}
    with ThreadPoolExecutor(2) as pool:
        yield {path: (f, pool.submit(run_alone, path, f)) for path, f in folders.items()}
        pool.shutdown(cancel_futures=True)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_first_cell_to_last(path, runs):
    folder, coming = runs[path]
    done, run = coming.result(), folder / "run"
    assert done.returncode == 0, done.stderr[-4000:]
    assert read_status(run)["state"] == "done"
    executed = nbformat.read(run / "notebook.ipynb", as_version=4)
    code = [cell for cell in executed.cells if cell.cell_type == "code" and cell.source]
    assert all(cell.execution_count for cell in code)
    assert (run / "report.html").exists()


def test_what_is_left_out_here_runs_in_a_browser():
    told = "".join(path.read_text(encoding="utf-8") for path in TESTS.glob("test_browser_*.py"))
    assert all(f'"{name}.ipynb"' in told for name in IN_BROWSER)
