"""Runs beside each other: their outcomes as a page, a netCDF file and figures for print."""

import html
import re
from pathlib import Path

from imtools.run_folder import data_root, new_run, open_netcdf, read_rows, write_netcdf, write_text
from imtools.runs.listing import find_runs
from imtools.runs.outcomes import (
    METHOD,
    collect_runs,
    lengthwise,
    run_labels,
    score_table,
    to_table,
)

PAGE = """\
{% block contents %}
<style>
  body { font-family: sans-serif; margin: 2em; }
  table { border-collapse: collapse; margin-bottom: 2em; }
  th, td { padding: 0.2em 0.7em; text-align: right; border: none; border-bottom: 1px solid #ddd; }
</style>
<h1>{{ title }}</h1>
{{ tables | safe }}
{{ super() }}
{% endblock %}
"""


# a script of Panel's, which HoloViews brings along, for widgets that are not on the page
PANEL = re.compile(r'<script[^>]*src="static/extensions/panel[^"]*"[^>]*></script>')
CAPTION = (
    "Losses of different targets or losses are not to be compared, errors are. An open circle is "
    "where a training was resumed. Bands hold 68 % of the resamplings of the test catalogues."
)


def compare_runs(names, *, folder=None, method=METHOD, overwrite=False):
    """Compare runs and write ``comparison.html``, ``comparison.nc`` and figures.

    Parameters
    ----------
    names : list of path-like
        Runs or sweeps, see `find_runs`.
    folder : path-like, optional
        Where to; by default a new folder under ``data/comparisons/``.
    method : str
        Method of the scoreboard whose scores are laid over each other.
    overwrite : bool
        Replace an earlier comparison in `folder`.

    Returns
    -------
    outcomes : xarray.Dataset
        From `collect_runs`.
    folder : pathlib.Path
        Where it was written: ``comparison.html`` (tables, and figures to zoom in; it needs no
        network), ``comparison.nc``, and ``validation_loss``, ``loss`` and ``rms`` as PNG and PDF,
        those for which a run has numbers.

    Raises
    ------
    FileNotFoundError
        If one of them is no run.
    FileExistsError
        If there is an earlier comparison and `overwrite` is False.
    """
    from imtools.plots.saving import save_figures

    runs = find_runs(names)
    outcomes = collect_runs(runs)
    if folder is None:
        folder = new_run("comparison", root=data_root() / "comparisons")
    folder = Path(folder).absolute()
    figures = _figures(runs, method)
    write_netcdf(outcomes, folder / "comparison.nc", overwrite=overwrite)
    save_figures(figures, folder, overwrite=overwrite)
    write_text(_page(outcomes, figures, method), folder / "comparison.html", overwrite=overwrite)
    return outcomes, folder


def _figures(runs, method):
    """Return the panels for which the runs have numbers, by name."""
    from imtools.plots.histories import show_histories, show_run_rms

    histories, scores = {}, {}
    for label, run in zip(run_labels(runs), runs, strict=True):
        history = read_rows(run / "history.csv")
        if {"member", "epoch", "loss", "validation_loss"} <= history.keys():
            histories[label] = history
        if (run / "scores.nc").exists():
            with open_netcdf(run / "scores.nc") as file:
                if method in file["method"].values:
                    scores[label] = file.load()
    figures = {}
    if histories:
        figures["validation_loss"] = show_histories(histories)
        figures["loss"] = show_histories(histories, quantity="loss")
    if scores:
        figures["rms"] = show_run_rms(scores, method=method)
    return figures


def _page(outcomes, figures, method):
    """Return a page with the tables and the figures in it, which needs no other file."""
    import holoviews as hv
    from bokeh.embed import file_html
    from bokeh.models import Div
    from bokeh.resources import INLINE

    tables = lengthwise(to_table(outcomes, method=method)).to_html(escape=True)
    if "rms" in outcomes:
        tables += f"<h2>rms error of log10 dN [dex]</h2>{score_table(outcomes).to_html()}"
    if figures:
        tables += f"<h2>Figures</h2><p>{CAPTION}</p>"
    title = f"{outcomes.sizes['run']} runs compared"
    plots = [hv.renderer("bokeh").get_plot(figure).state for figure in figures.values()]
    facts = {"tables": tables, "title": html.escape(title)}
    page = file_html(plots or [Div()], INLINE, title, template=PAGE, template_variables=facts)
    return PANEL.sub("", page)
