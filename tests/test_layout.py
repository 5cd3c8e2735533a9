"""The rules of the house that a reader relies on, read from the sources."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from imtools.runs.parameters import parameters_cell, read_notebook

ROOT = Path(__file__).parents[1]
ORDER = (  # the order the light travels: a module imports only from those above it
    "constants", "cosmology", "survey", "halos", "luminosity", "counts", "painting", "observing",
    "statistics", "preprocessing", "run_folder", "cluster", "formats", "experiment", "datasets",
    "networks", "training", "inference", "estimators", "evaluation", "prediction", "plots", "runs",
    "dashboards", "cli",
)  # fmt: skip
MODULES = sorted((ROOT / "imtools").rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def room(path):
    """Return the room of a source file: its module, or the folder that a module became."""
    return path.relative_to(ROOT / "imtools").parts[0].removesuffix(".py")


def imported_rooms(tree):
    """Return the rooms that a module imports from, also inside functions."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are written out in full"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    parts = [name.split(".") for name in names]
    return {p[1] for p in parts if p[0] == "imtools" and len(p) > 1} & set(ORDER)


def body_lines(function):
    """Return how many lines the body of a function takes, its docstring left out."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def named(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_imports_only_from_those_above_it(path):
    if path == ROOT / "imtools" / "__init__.py":
        assert not imported_rooms(ast.parse(path.read_text()))
        return
    assert room(path) in ORDER, f"{room(path)} has no place in the order"
    allowed = set(ORDER[: ORDER.index(room(path)) + 1])
    assert imported_rooms(ast.parse(path.read_text())) <= allowed


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_modules_and_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) < 300
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        node.name: body_lines(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, functions) and body_lines(node) >= 40
    }
    assert not long


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_every_public_name_has_a_docstring(path):
    tree = ast.parse(path.read_text())
    kinds = (ast.FunctionDef, ast.ClassDef)
    public = [n for n in tree.body if isinstance(n, kinds) and not n.name.startswith("_")]
    assert ast.get_docstring(tree)
    assert [n.name for n in public if not ast.get_docstring(n)] == []


def test_the_import_order_test_sees_a_wrong_import():
    wrong = ast.parse("def f():\n    from imtools import cli\n    import imtools.plots.maps\n")
    assert imported_rooms(wrong) == {"cli", "plots"}


def test_importing_imtools_loads_nothing_heavy():
    code = "import sys, imtools, imtools.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"keras", "tensorflow", "torch", "jax", "holoviews", "bokeh", "ipywidgets", "nbconvert"}
    assert not heavy & set(done.stdout.split())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_notebooks_are_stored_as_the_style_says(path):
    notebook = read_notebook(path)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not [cell["outputs"] for cell in code if cell["outputs"]]
    assert not [cell["execution_count"] for cell in code if cell["execution_count"]]
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    first, second = notebook["cells"][:2]
    opening = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert opening.startswith("# ")
    for word in ("**Question:**", "**Needs:**", "**Runtime:**"):
        assert word in opening
    assert "parameters" in second["metadata"]["tags"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_explains_its_parameters_and_never_assigns_them_again(path):
    notebook = read_notebook(path)
    names = parameters_cell(notebook, name=path.name)
    assert {"preset", "seed", "run_dir"} <= names.keys()
    for line in "".join(notebook["cells"][1]["source"]).splitlines():
        assert line.count("=") == 1, f"one assignment and a comment without '=': {line}"
        assert "  # " in line, f"a comment with the unit: {line}"
    later = [c for c in notebook["cells"][2:] if c["cell_type"] == "code"]
    for cell in later:
        lines = [li for li in "".join(cell["source"]).splitlines() if not li.startswith("%")]
        stores = {
            node.id
            for node in ast.walk(ast.parse("\n".join(lines)))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        assert not stores & names.keys()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=named)
def test_a_notebook_has_no_long_function_and_no_path_of_a_machine(path):
    text = json.dumps(read_notebook(path))
    for word in ("sys.path", "!pip", "%pip", "autoreload", "/home/", "/Users/", "/root/", "/tmp/"):
        assert word not in text
    for cell in read_notebook(path)["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and "def " in source:
            tree = ast.parse(source)
            assert all(body_lines(n) <= 5 for n in ast.walk(tree) if isinstance(n, ast.FunctionDef))


def test_the_pins_hold_no_address():
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert all("==" in pin and "://" not in pin and " " not in pin for pin in pins)
