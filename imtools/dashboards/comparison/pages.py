"""What is shown of the chosen runs, a page each: losses, answers, intervals and parameters."""

import ipywidgets as widgets
import numpy as np

from imtools.dashboards.choices import offer
from imtools.dashboards.comparison.page import Page, html_table
from imtools.dashboards.figures import EitherFigure, Figure
from imtools.evaluation.coverage import interval_coverage
from imtools.evaluation.tables import LABELS
from imtools.plots.comparing import show_over_maps, show_run_coverage, show_run_ratios
from imtools.plots.histories import LOSSES, show_histories
from imtools.plots.scores import show_prediction


class Losses(Page):
    """Losses against epoch."""

    title = "losses"

    def parts(self):
        """Return controls and figure."""
        names = {dimension.label: name for name, dimension in LOSSES.items()}
        self.quantity = widgets.Dropdown(options=names, layout={"width": "160px"})
        self.log = widgets.Checkbox(value=True, description="log axis", indent=False)
        self.smooth = widgets.IntSlider(
            value=1, min=1, max=25, step=2, description="smooth", continuous_update=False
        )
        for control in (self.quantity, self.log, self.smooth):
            control.observe(self.again, "value")
        self.figure, self._panels = EitherFigure(width=640), {}
        return [widgets.HBox([self.quantity, self.log, self.smooth]), self.figure.view]

    def draw(self):
        """Draw the losses of all runs that trained."""
        histories, self._panels = self.of_each(self.reader.history, "training"), {}
        if not any((h[self.quantity.value] > 0).any() for h in histories.values()):
            self.empty(self.figure, "trained a network")
            return
        element = show_histories(histories, quantity=self.quantity.value, smooth=self.smooth.value)
        self._panels = {"losses": element}
        self.figure.show(element, logy=self.log.value)

    def figures(self):
        """Return the panel of losses."""
        return self._panels


class Parameters(Page):
    """Parameters that differ."""

    title = "parameters"

    def parts(self):
        """Return the table."""
        self.table = widgets.HTML()
        return [self.table]

    def draw(self):
        """Write what differs, a row a parameter and a column a run."""
        runs = self.chosen.parameters
        names = list(dict.fromkeys(name for values in runs.values() for name in values))
        rows = [[name, *(values.get(name, "-") for values in runs.values())] for name in names]
        same = "<i>The chosen runs have the same parameters.</i>"
        self.table.value = html_table(["parameter", *runs], rows) if rows else same


class OneMap(Page):
    """The answers to one test map beside its truth."""

    title = "one map"

    def parts(self):
        """Return controls and figure."""
        self.run = widgets.Dropdown(description="run", layout={"width": "420px"})
        self.sample = widgets.IntSlider(
            description="test map", max=0, continuous_update=False, layout={"width": "420px"}
        )
        self.methods = widgets.SelectMultiple(description="methods", rows=5)
        for control in (self.run, self.sample, self.methods):
            control.observe(self.again, "value")
        self.figure, self._panels = Figure(width=480, height=360), {}
        controls = widgets.VBox([self.run, self.sample, self.methods])
        return [widgets.HBox([self.figure.view, controls])]

    def draw(self):
        """Draw the answers of the chosen methods to the chosen map."""
        self._panels = {}
        answers = self.of_each(self.reader.answers, "predictions")
        self._offer(answers)
        if not answers:
            self.empty(self.figure, "predictions")
            return
        dataset = answers[self.run.value]
        log_dn = dataset["log_dn"].sel({"method": list(self.methods.value)})
        floor = dataset["log_dn"].attrs.get("floor", 0.5)
        element = show_prediction(log_dn, dataset["counts"], self.sample.value, floor=floor)
        self._panels = {"one_map": element}
        self.figure.show(element)

    def figures(self):
        """Return the panel of the map."""
        return self._panels

    def _offer(self, answers):
        """Set what can be chosen; what was chosen stays where it can."""
        self._quiet = True
        try:
            offer(self.run, list(answers))
            if not answers:
                return
            dataset = answers[self.run.value]
            self.sample.max = dataset.sizes["sample"] - 1
            names = dataset["method"].values.tolist()
            before = [name for name in self.methods.value if name in names]
            self.methods.options = [(LABELS.get(name, name), name) for name in names]
            chosen = [self.chosen.method] if self.chosen.method in names else names[-1:]
            self.methods.value = before or chosen
        finally:
            self._quiet = False


class OverMaps(Page):
    """Luminosity functions and ratios over all test maps."""

    title = "over maps"

    def parts(self):
        """Return both figures."""
        self.functions, self.ratios = Figure(), Figure(logy=True)
        self._panels = {}
        return [self.functions.view, self.ratios.view]

    def draw(self):
        """Draw both for all runs with the method."""
        self._panels = {}
        answers = self.with_method(self.of_each(self.reader.answers, "predictions"))
        if not answers:
            for figure in (self.functions, self.ratios):
                self.empty(figure, f"predictions of {self.chosen.method}")
            return
        settings = {"method": self.chosen.method}
        self._panels = {
            "over_maps": show_over_maps(answers, **settings),
            "ratios": show_run_ratios(answers, **settings),
        }
        self.functions.show(self._panels["over_maps"])
        self.ratios.show(self._panels["ratios"])

    def figures(self):
        """Return both panels."""
        return self._panels


class Coverage(Page):
    """How often intervals hold the truth."""

    title = "coverage"

    def parts(self):
        """Return figure and table."""
        self.figure, self.table, self._panels = Figure(), widgets.HTML(), {}
        return [self.figure.view, self.table]

    def draw(self):
        """Draw coverage by luminosity, and write its mean over all bins."""
        self._panels, self.table.value = {}, ""
        answers = self.with_method(self.of_each(self.reader.answers, "predictions"))
        if not answers:
            self.empty(self.figure, f"predictions of {self.chosen.method}")
            return
        coverage = {
            label: interval_coverage(
                one["log_dn"].sel({"method": self.chosen.method}), one["counts"],
                floor=one["log_dn"].attrs.get("floor", 0.5),
            )
            for label, one in answers.items()
        }  # fmt: skip
        self._panels = {"coverage": show_run_coverage(coverage)}
        self.figure.show(self._panels["coverage"])
        rows = []
        for label, one in coverage.items():
            means = [f"{value:.3f}" for value in np.asarray(one.mean("log_l"))]
            rows.append([label, *means, answers[label].sizes["sample"]])
        head = ["mean over all bins", "of 68 %", "of 95 %", "maps"]
        self.table.value = html_table(head, rows)

    def figures(self):
        """Return the panel of coverage."""
        return self._panels
