"""Runs beside each other: a table to choose from, and what became of those that are chosen."""

from threading import RLock

import ipywidgets as widgets

from imtools.dashboards.choices import offer
from imtools.dashboards.closing import close_all
from imtools.dashboards.comparison.pages import Coverage, Losses, OneMap, OverMaps, Parameters
from imtools.dashboards.comparison.reader import Chosen, Reader
from imtools.dashboards.comparison.scoreboard import Memorising, Scores
from imtools.dashboards.comparison.table import RunTable
from imtools.dashboards.live import Poller
from imtools.dashboards.messages import Message, guarded, one_at_a_time
from imtools.evaluation.tables import LABELS
from imtools.run_folder import data_root, write_text
from imtools.run_folder.names import check_typed_name
from imtools.runs.choosing import choose_rows
from imtools.runs.outcomes import METHOD
from imtools.runs.overview import Overview, differing

__all__ = ["Comparison"]

PAGES = (Losses, Parameters, OneMap, OverMaps, Scores, Coverage, Memorising)
MOST = 8  # runs laid over each other; more cannot be told apart
LONGEST = 60  # characters of a label made of parameters
METHODS = tuple(name for name in LABELS if name not in ("memoriser", "published_cnn"))


class Comparison:
    """A table of all runs, and pages about those that are chosen in it.

    Of a run only its small files are read before it is chosen, and each again only once it has
    changed; a page reads what it shows when it is looked at.

    Parameters
    ----------
    root : path-like, optional
        By default ``runs`` in the folder of data.
    live : bool
        Look for news every few seconds.
    every : float
        So many of them.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display; `close` takes it off the page.
    shown : pandas.DataFrame
        The table as it stands: filtered, sorted, without what is hidden.
    chosen : list of str
        Names of the chosen runs.
    """

    def __init__(self, root=None, *, live=True, every=3.0):
        self.overview, self.message, self.reader = Overview(root), Message(), Reader()
        self.hidden, self.chosen, self._lock = set(), [], RLock()
        self._expression, self._order, self._quiet = "", ("begun", True), False
        self.all, self.shown = None, None
        self.table = RunTable(guarded(self.message)(self.choose))
        self.pages = [page(self.reader) for page in PAGES]
        self._controls()
        self.view = self._page()
        self.refresh()
        self._poller = Poller(self._look, every=every) if live else None

    def refresh(self):
        """Read what is new, and show it; return whether anything was."""
        with self._lock:
            table = self.overview.table()
            news = self.all is None or not table.equals(self.all)
            self.all = table
            if news:  # an epoch more is news, too
                self._arrange()
                self._draw()
            return news

    def filter(self, expression):
        """Show only the runs that an expression holds for, see `runs.choosing.choose_rows`."""
        with self._lock:
            choose_rows(self.all, expression)  # or raise, and leave everything as it is
            self._expression = expression
            self._arrange()

    def sort(self, column, *, descending=True):
        """Sort the table by a column; runs without a value stand last.

        Raises
        ------
        ValueError
            If there is no such column.
        """
        with self._lock:
            if column not in self.all:
                msg = f"sort: the table has no column {column!r}, expected one that it shows"
                raise ValueError(msg)
            self._order = (column, descending)
            self._arrange()

    def hide(self, names):
        """Take runs out of the table; their folders stay."""
        with self._lock:
            self.hidden |= set(names)
            self.choose([name for name in self.chosen if name not in self.hidden])
            self._arrange()

    def unhide(self):
        """Show the hidden runs again."""
        with self._lock:
            self.hidden = set()
            self._arrange()

    def choose(self, names):
        """Lay these runs over each other on the pages."""
        with self._lock:
            self.chosen = [name for name in names if name in self.all.index]
            if len(self.chosen) > MOST:
                text = f"{len(self.chosen)} runs are chosen, of which the first {MOST} are drawn"
                self.message.show(text, kind="warning")
            else:
                self.message.clear()
            self.table.show(self.shown, set(self.chosen))
            self._draw()

    def export_table(self, name="table"):
        """Write the table as it stands to ``comparisons/NAME/runs.csv``; return the path."""
        path = self._folder(name) / "runs.csv"
        write_text(self.shown.to_csv(index=False), path, overwrite=self.replace.value)
        self.message.show(f"wrote {path}")
        return path

    def export_figures(self, name="table"):
        """Save the panels of every page as PDF and PNG in ``comparisons/NAME``; return the PNGs."""
        from imtools.plots.saving import save_figures

        with self._lock:
            chosen, figures = self._chosen(), {}
            for page in self.pages:
                page.show(chosen)
                figures |= page.figures()
        if not figures:
            msg = "export: no run that is chosen has anything to draw; choose runs in the table"
            raise ValueError(msg)
        paths = save_figures(figures, self._folder(name), overwrite=self.replace.value)
        self.message.show(f"wrote {len(paths)} figures to {paths[0].parent}")
        return paths

    def figures(self):
        """Return the panels of the page that is looked at, by name: HoloViews elements."""
        page = self.pages[self.tabs.selected_index]
        return page.figures() if page.chosen else {}

    def close(self):
        """Look no more, and take everything off the page."""
        if self._poller is not None:
            self._poller.close()
        for page in self.pages:
            page.close()
        self.table.close()
        close_all(self.view)
        self.message.close()

    def _look(self):
        if self.live.value:
            with guarded(self.message):
                self.refresh()

    def _folder(self, name):
        return data_root() / "comparisons" / check_typed_name(name, what="name")

    def _arrange(self):
        """Filter, sort and show the table."""
        column, descending = self._order
        table = self.all[choose_rows(self.all, self._expression)] if self._expression else self.all
        table = table[~table.index.isin(self.hidden)]
        if column in table:
            table = table.loc[_in_order(table[column], descending)]
        empty = [c for c in table if table[c].map(_is_missing).all() and c != "run"]
        self.shown = table.drop(columns=empty)
        self.table.show(self.shown, set(self.chosen))
        n_hidden = len(self.all) - len(table)
        left_out = f", {n_hidden} left out" if n_hidden else ""
        self._count.value = f"{len(table)} runs{left_out}"
        self._offer()

    def _offer(self):
        """Set the columns that can be sorted by."""
        self._quiet = True
        try:
            offer(self.order, list(self.shown))
            if self._order[0] in self.shown:
                self.order.value = self._order[0]
            self.descending.value = self._order[1]
        finally:
            self._quiet = False

    def _chosen(self):
        """Return the chosen runs by what to call them: the parameters that tell them apart."""
        names = self.chosen[:MOST]
        rows = {name: self.overview.parameters.get(name, {}) for name in names}
        differ = differing(list(rows.values()))
        values = {n: {k: row[k] for k in differ if k in row} for n, row in rows.items()}
        labels = [", ".join(f"{k} = {v}" for k, v in row.items()) for row in values.values()]
        short = len(set(labels)) == len(labels) > 1 and max(map(len, labels)) <= LONGEST
        labels = labels if short and all(labels) else names
        folders = {k: self.overview.root / n for k, n in zip(labels, names, strict=True)}
        parameters = dict(zip(labels, values.values(), strict=True))
        return Chosen(folders=folders, parameters=parameters, method=self.method.value)

    def _draw(self, change=None):
        """Draw the page that is looked at."""
        with self._lock:
            self.pages[self.tabs.selected_index].show(self._chosen())

    def _sorted(self, change=None):
        if not self._quiet:
            self.sort(self.order.value, descending=self.descending.value)

    def _controls(self):
        guard = guarded(self.message)
        self.expression = widgets.Text(
            placeholder="state == 'done' and rms_4 < 0.1", description="show if",
            continuous_update=False, layout={"width": "420px"}, style={"description_width": "60px"},
        )  # fmt: skip
        self.order = widgets.Dropdown(options=["begun"], description="sort by")
        self.order.layout.width, self.order.style.description_width = "230px", "55px"
        self.descending = widgets.Checkbox(value=True, description="descending", indent=False)
        self.live = widgets.Checkbox(value=True, description="live", indent=False)
        self.replace = widgets.Checkbox(description="replace", indent=False)
        for box, width in ((self.descending, "105px"), (self.live, "60px"), (self.replace, "80px")):
            box.layout.width = width
        self.method = widgets.Dropdown(
            options=[(LABELS[name], name) for name in METHODS], value=METHOD, description="method"
        )
        self.name = widgets.Text(value="table", description="name", continuous_update=False)
        self.name.layout.width, self.name.style.description_width = "180px", "40px"
        self.tabs = widgets.Tab([p.view for p in self.pages], titles=[p.title for p in self.pages])
        self._count = widgets.HTML()
        self.expression.observe(guard(lambda change: self.filter(change["new"])), "value")
        for control in (self.order, self.descending):
            control.observe(guard(self._sorted), "value")
        self.method.observe(guard(self._draw), "value")
        self.tabs.observe(guard(self._draw), "selected_index")

    def _page(self):
        """Return everything, one below the other."""
        jobs = {
            "Hide chosen": lambda: self.hide(self.chosen), "Show all": self.unhide,
            "Refresh": self.refresh, "Table as CSV": lambda: self.export_table(self.name.value),
            "Figures": lambda: self.export_figures(self.name.value),
        }  # fmt: skip
        self.buttons = {}
        for text, job in jobs.items():
            button = self.buttons[text] = widgets.Button(description=text)
            button.layout.width = "125px"
            once = one_at_a_time(self.message, button=button)(job)
            button.on_click(lambda _, once=once: once())
        some, others = list(self.buttons.values())[:3], list(self.buttons.values())[3:]
        head = widgets.HBox([self.expression, self.order, self.descending, self.live, self._count])
        row = widgets.HBox([*some, *others, self.name, self.replace, self.method])
        parts = [head, self.table.view, row, self.message.view, self.tabs]
        return widgets.VBox(parts, layout={"max_width": "1180px"})


def _is_missing(value):
    return value is None or value == "" or value != value


def _in_order(values, descending):
    """Return the index of `values` in order: numbers before texts, and what is missing last."""
    there = values[~values.map(_is_missing)]
    keys = [(isinstance(value, str), value) for value in there]
    order = sorted(range(len(keys)), key=keys.__getitem__, reverse=descending)
    missing = values.index.difference(there.index, sort=False)
    return [*there.index[order], *missing]
