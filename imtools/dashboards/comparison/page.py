"""A page of the comparison: drawn for the runs that are chosen, when it is looked at."""

import html
from abc import ABC, abstractmethod

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.dashboards.figures import EitherFigure, Figure

TABLE = "border-collapse:collapse;line-height:1.5"
CELL = "padding:2px 10px;border-bottom:1px solid #ddd;white-space:nowrap;text-align:{}"


def html_table(head, rows):
    """Return a table as HTML; every text in it is escaped.

    Parameters
    ----------
    head : list of str
        Of each column.
    rows : list of list of str
        The first cell of a row stands to the left.
    """
    left, right = CELL.format("left"), CELL.format("right")
    lines = [f'<table style="{TABLE}"><tr>']
    lines += [
        f'<th style="{right if i else left}">{html.escape(h)}</th>' for i, h in enumerate(head)
    ]
    for row in rows:
        lines.append("</tr><tr>")
        lines += [
            f'<td style="{right if i else left}">{html.escape(str(cell))}</td>'
            for i, cell in enumerate(row)
        ]
    return "".join(lines) + "</tr></table>"


class Page(ABC):
    """One page: `show` draws it for other runs, `figures` gives its panels for print.

    Attributes
    ----------
    title : str
        Of its tab.
    view : ipywidgets.Widget
        To display.
    """

    title = ""

    def __init__(self, reader):
        self.reader, self.chosen, self._quiet = reader, None, False
        self.note, self.view = widgets.HTML(), widgets.VBox()

    @abstractmethod
    def parts(self):
        """Return the widgets of the page, from above."""

    @abstractmethod
    def draw(self):
        """Draw the page for `self.chosen`."""

    def show(self, chosen):
        """Draw the page for other runs.

        Parameters
        ----------
        chosen : Chosen
        """
        if not self.view.children:  # made when it is first looked at: figures take their time
            self.view.children = (*self.parts(), self.note)
        self.chosen = chosen
        self.again()

    def again(self, change=None):
        """Draw the page once more, after a control of it has moved."""
        if self.chosen is not None and not self._quiet:
            self.note.value = ""
            self.draw()

    def figures(self):
        """Return the panels that are shown now, by the name of a file."""
        return {}

    def close(self):
        """Take the page off."""
        for one in vars(self).values():
            if isinstance(one, Figure | EitherFigure):
                one.close()
        close_all(self.view, self.note)

    def of_each(self, read, what):
        """Return what `read` finds in each run, by label; say which have none, or why not."""
        found, missing = {}, []
        for label, folder in self.chosen.folders.items():
            try:
                one = read(folder)
            except (OSError, ValueError) as error:
                one, label = None, f"{label} ({' '.join(str(error).split())})"
            if one is None:
                missing.append(label)
            else:
                found[label] = one
        if missing:
            self.note.value = f"<i>No {what}: {html.escape('; '.join(missing))}</i>"
        return found

    def with_method(self, found):
        """Return those of `found` in which the method was asked."""
        method = self.chosen.method
        return {k: v for k, v in found.items() if method in v["method"].values}

    def empty(self, figure, what):
        """Say in a figure that no chosen run has any of it."""
        figure.say(
            f"No run that is chosen has {what}" if self.chosen.folders else "Choose some runs"
        )
