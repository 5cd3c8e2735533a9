"""A run as a page that a person opens: text and figures, without the code."""

import html
import json
import re
import warnings
from pathlib import Path

from imtools.run_folder import read_json, write_text

REMARK = re.compile(r"I0000 |WARNING: All log messages before absl::InitializeLog")


def write_report(run_dir):
    """Write ``report.html`` from the executed notebook of a run and return its path.

    The code is left out: it stands in ``notebook.ipynb`` beside it. After the title stands what was
    run, with which parameters, and how it ended. Figures show without a network.
    """
    import nbformat
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    run_dir = Path(run_dir)
    notebook = nbformat.read(run_dir / "notebook.ipynb", as_version=4)
    _drop_remarks(notebook)
    notebook.cells.insert(1, nbformat.v4.new_markdown_cell(_summary(run_dir)))
    exporter = HTMLExporter(
        exclude_input=True, exclude_input_prompt=True, exclude_output_prompt=True,
        # of a progress bar, which writes over itself, the end is kept
        config=Config({"CoalesceStreamsPreprocessor": {"enabled": True}}),
    )  # fmt: skip
    exporter.require_js_url = ""  # widgets need it, figures do not, and it lies on the network
    with warnings.catch_warnings():  # HoloViews leaves outputs that hold nothing
        warnings.filterwarnings("ignore", message="Your element with mimetype")
        text, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": run_dir.name}})
    write_text(text, run_dir / "report.html", overwrite=True)
    return run_dir / "report.html"


def _drop_remarks(notebook):
    """Drop what TensorFlow says of itself when it is imported, which no setting silences."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream" and output.name == "stderr":
                lines = output.text.splitlines(keepends=True)
                output.text = "".join(line for line in lines if not REMARK.match(line))


def _summary(run_dir):
    """Return what was run and how it ended, as an HTML table."""
    status = read_json(run_dir / "status.json")
    rows = {
        "run": run_dir.name,
        "notebook": status["notebook"],
        "preset": status["preset"],
        "parameters": json.dumps(status["parameters"]),
        "state": status["state"] + (f": {status['reason']}" if status["reason"] else ""),
        "took": f"{status['seconds']:.0f} s",
        "device": read_json(run_dir / "environment.json")["device"],
    }
    cells = (f"<tr><th>{k}</th><td>{html.escape(str(v))}</td></tr>" for k, v in rows.items())
    return f"<table>{''.join(cells)}</table>"
