"""Scores and tests of memorising of the chosen runs, a page each."""

import html

import ipywidgets as widgets

from imtools.dashboards.choices import offer
from imtools.dashboards.comparison.page import Page, html_table
from imtools.dashboards.figures import EitherFigure, Figure
from imtools.evaluation.outcomes import MARKS, TITLES
from imtools.evaluation.tables import LABELS
from imtools.plots.comparing import show_run_scores
from imtools.plots.memorising import show_outcome

SCORES = {"rms error": "rms", "median |error|": "median_abs", "mean error": "bias"}
OF_REFERENCE = {"rms": "rms_quoted", "median_abs": "median_abs_quoted"}


class Scores(Page):
    """The scoreboard by luminosity, with baselines and the one-point reference."""

    title = "scoreboard"

    def parts(self):
        """Return controls, table and figure."""
        self.score = widgets.Dropdown(options=SCORES, description="score")
        self.subset = widgets.Dropdown(
            options={"all bins": "all", "bins of ten or more": "ten_or_more"}, description="of"
        )
        for control in (self.score, self.subset):
            control.observe(self.again, "value")
        self.table, self.figure, self._panels = widgets.HTML(), Figure(logy=True), {}
        return [widgets.HBox([self.score, self.subset]), self.table, self.figure.view]

    def draw(self):
        """Write every method of every run, and draw the chosen one."""
        self._panels, folders = {}, self.chosen.folders
        summaries = self.of_each(lambda f: self.reader.summary(f) or None, "scores.json")
        rows, heads = [], []
        for label, summary in summaries.items():
            if {"subsets", "quoted_log_l"} <= summary.keys():
                heads += [x for x in summary["quoted_log_l"] if x not in heads]
                rows += self._rows(label, summary, self.reader.reference(folders[label]))
        heads.sort()
        table = [[*names, *(cells.get(x, "-") for x in heads)] for *names, cells in rows]
        head = ["run", "method", *(f"{x:g}" for x in heads)]
        words = f"<p>{html.escape(self.score.label)} of log10 dN [dex] by log10 L [Lsun]</p>"
        self.table.value = words + html_table(head, table) if table else ""
        scores = self.with_method(self.of_each(self.reader.scores, "scores.nc"))
        if not scores:
            self.empty(self.figure, f"scores of {self.chosen.method}")
            return
        references = {k: b for k in scores if (b := self.reader.reference(folders[k])) is not None}
        element = show_run_scores(scores, method=self.chosen.method, references=references)
        self._panels = {"scores": element}
        self.figure.show(element)

    def figures(self):
        """Return the panel of errors."""
        return self._panels

    def _rows(self, label, summary, reference):
        """Yield run, method and cells by luminosity of one run."""
        quoted, name = summary["quoted_log_l"], self.score.value
        for method, row in summary["subsets"].get(self.subset.value, {}).items():
            values = row.get(name) or [None] * len(quoted)
            errors = row.get(f"{name}_error") or [None] * len(quoted)
            cells = dict(zip(quoted, map(_cell, values, errors), strict=True))
            yield label, LABELS.get(method, method), cells
            label = ""  # once for all rows of a run
        if reference is not None and name in OF_REFERENCE and self.subset.value == "all":
            one = reference[OF_REFERENCE[name]]
            cells = map(_cell, one.values)
            cells = dict(zip(one["quoted_log_l"].values.tolist(), cells, strict=True))
            yield "", "one-point reference", cells


class Memorising(Page):
    """Verdicts on memorising, and the panel of each test."""

    title = "memorising"

    def parts(self):
        """Return table, verdicts, controls and figure."""
        self.table, self.verdicts = widgets.HTML(), widgets.HTML()
        self.run = widgets.Dropdown(description="run", layout={"width": "420px"})
        self.test = widgets.Dropdown(description="test", layout={"width": "360px"})
        for control in (self.run, self.test):
            control.observe(self.again, "value")
        self.figure, self._panels = EitherFigure(), {}
        controls = widgets.HBox([self.run, self.test])
        return [self.table, controls, self.verdicts, self.figure.view]

    def draw(self):
        """Write the marks of all runs, and the verdict of one test with its panel."""
        self._panels, self.table.value, self.verdicts.value = {}, "", ""
        tests = self.of_each(self._tests, "tests of memorising")
        self._offer(tests)
        if not tests:
            self.empty(self.figure, "tests of memorising")
            return
        names = [name for name in TITLES if any(name in one for one in tests.values())]
        rows = [[TITLES[name], *(_mark(one, name) for one in tests.values())] for name in names]
        head = f"passed by {LABELS.get(self.chosen.method, self.chosen.method)}?"
        self.table.value = html_table([head, *tests], rows)
        one = tests[self.run.value].get(self.test.value)
        if one is not None:
            self.verdicts.value = f"<p>{html.escape(one['verdict'])}</p>"
        folder = self.chosen.folders[self.run.value]
        outcome = self.reader.outcome(folder, self.chosen.method, self.test.value)
        if outcome is None:
            self.figure.say("The run has kept no outcome of this test")
            return
        self._panels = {f"memorising_{self.test.value}": show_outcome(outcome)}
        self.figure.show(next(iter(self._panels.values())))

    def figures(self):
        """Return the panel of the test."""
        return self._panels

    def _tests(self, folder):
        return self.reader.summary(folder).get("memorisation", {}).get(self.chosen.method)

    def _offer(self, tests):
        self._quiet = True
        try:
            offer(self.run, list(tests))
            names = [n for n in TITLES if tests and n in tests[self.run.value]]
            offer(self.test, [(TITLES[name], name) for name in names])
        finally:
            self._quiet = False


def _mark(tests, name):
    """Return whether a test was passed, as one says it."""
    return MARKS[tests.get(name, {"state": "told"})["state"]]


def _cell(value, error=None):
    """Return a score and its error in three digits."""
    if value is None or value != value:
        return "-"
    around = "" if error is None or error != error else f" \u00b1 {error:.1g}"
    return f"{value:.3g}{around}"
