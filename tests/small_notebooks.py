"""A notebook of a few cells, for tests of the runs."""

import nbformat

CELL = """\
preset = "tiny"  # tiny, quick or paper
seed = 0  # integer, seeds every random draw
threshold = 2.5  # a number of this notebook alone
run_dir = "."  # folder for everything this notebook writes
changes = "{}"  # other experiment fields, JSON
"""


def write_notebook(path, *sources, cell=CELL):
    """Write a notebook with a parameters cell and these code cells to `path`."""
    cells = [nbformat.v4.new_markdown_cell("# A small run")]
    cells.append(nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}))
    cells += [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    node = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
    nbformat.write(node, path)
    return path
