"""The runs as a table that is sorted by a click on a head, and chosen from by a click on a row."""

import pandas as pd
from bokeh.models import (
    ColumnDataSource,
    DataTable,
    NumberFormatter,
    StringFormatter,
    TableColumn,
)

from imtools.dashboards.bokeh_widget import BokehWidget

WIDTHS = {
    "run": 235, "state": 60, "notebook": 115, "preset": 55, "begun": 135, "minutes": 60,
    "epochs_run": 78, "best_loss": 72, "memorised": 100, "reason": 300,
}  # fmt: skip
FORMATS = {"minutes": "0.0", "epochs_run": "0", "best_loss": "0.0000"}
WIDTH, HEIGHT = 1120, 280  # pixels


class RunTable:
    """A table of runs of which some are chosen.

    Parameters
    ----------
    chosen : callable
        ``chosen(names)``, called when other rows are chosen.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self, chosen):
        self._chosen, self._quiet = chosen, False
        self.source = ColumnDataSource({"run": []})
        self.table = DataTable(
            source=self.source, columns=[], width=WIDTH, height=HEIGHT, selectable="checkbox",
            index_position=None, autosize_mode="none", row_height=24,
        )  # fmt: skip
        self.source.selected.on_change("indices", self._moved)
        self.view = BokehWidget(self.table)

    @property
    def names(self):
        """The names of the runs shown, from above."""
        return list(self.source.data["run"])

    def show(self, frame, chosen):
        """Show runs in the order of `frame`, those whose names are in `chosen` ticked."""
        self._quiet = True
        document = self.table.document
        document.hold("combine")
        try:
            columns = [_column(name, frame[name]) for name in frame]
            if [c.field for c in columns] != [c.field for c in self.table.columns]:
                self.table.columns = columns
            self.source.data = {name: _plain(frame[name]) for name in frame}
            self.source.selected.indices = [i for i, n in enumerate(frame["run"]) if n in chosen]
        finally:
            document.unhold()
            self._quiet = False

    def close(self):
        """Take the table off the page."""
        layout = self.view.layout
        self.view.close()
        layout.close()

    def _moved(self, attr, old, new):
        if not self._quiet:
            self._chosen([self.names[i] for i in sorted(new)])


def _is_number(values):
    return pd.api.types.is_float_dtype(values) or pd.api.types.is_integer_dtype(values)


def _column(name, values):
    if _is_number(values):
        digits = FORMATS.get(name, "0.0000" if name.startswith("rms_") else "0.[0000]")
        form, width = NumberFormatter(format=digits, nan_format="-", text_align="right"), 60
    else:
        form, width = StringFormatter(nan_format="-"), 90
    return TableColumn(
        field=name, title=name, formatter=form, width=WIDTHS.get(name, max(width, 8 * len(name)))
    )


def _plain(values):
    """Return a column for Bokeh: numbers as they are, all else as text."""
    if _is_number(values):
        return values.astype(float).tolist()
    return ["" if v is None or v != v else str(v) for v in values]
