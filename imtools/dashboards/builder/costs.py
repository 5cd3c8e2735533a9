"""The network of an experiment as a picture, and what training it will take."""

import html

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.dashboards.figures import Figure
from imtools.networks.measured import TYPICAL_SPEED
from imtools.plots.networks import LENGTH, draw_network, short
from imtools.runs.feasible import memory
from imtools.runs.foreseen import foresee

HEIGHT = 230  # pixels of the drawing
RED = "#8b1a1a"


class Costs:
    """A drawing of the network, with the number of its weights, memory and time.

    Attributes
    ----------
    text : str
        What it says now, a fact a line.
    refused : bool
        Whether the network cannot be built.
    speed : array_like, shape (2,)
        Of this machine, see `networks.measured.fit_speed`.
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self):
        self.text, self.refused, self.speed, self.measured = "", False, TYPICAL_SPEED, False
        self.figure = Figure(width=LENGTH, height=HEIGHT, bare=True)
        self._words = widgets.HTML()
        self.view = widgets.VBox([self.figure.view, self._words])

    def show(self, experiment):
        """Show the network of an experiment; without one, of a form with errors, say so.

        Parameters
        ----------
        experiment : Experiment or None
        """
        self.refused, name = False, ""
        if experiment is None:
            self._say(["Drawn again once every field is right."])
            return
        try:
            told = foresee(experiment, speed=self.speed)
        except ValueError as error:
            self.refused = True
            self.figure.show(draw_network([], title="refused"))
            self._say([str(error)], colour=RED)
            return
        name = experiment.network.architecture
        self.figure.show(draw_network(told.blocks, title=name))
        lines = list(_network_lines(told, experiment, measured=self.measured))
        need, have = told.memory, memory()
        if need > have:
            lines.append(f"That is more than the {have / 1e9:.3g} GB of this machine.")
        self._say([*lines, *_data_lines(told)], colour=RED if need > have else "inherit")

    def close(self):
        """Take it off the page."""
        self.figure.close()
        close_all(self.view)

    def _say(self, lines, colour="inherit"):
        self.text = "\n".join(lines)
        shown = "<br>".join(html.escape(line) for line in lines)
        self._words.value = f'<div style="line-height:1.5;color:{colour}">{shown}</div>'


def _network_lines(told, experiment, *, measured):
    """Yield what the network is and takes, in words."""
    training, n = experiment.training, experiment.network.n_ensemble
    if told.costs is None:
        yield f"It reads {experiment.network.reads} of each map: a small network."
        return
    each = f"{n} networks of " if n > 1 else ""
    yield (
        f"{each}{told.costs.n_params:,} weights, {short(told.costs.multiply_adds)} multiply-adds a "
        f"map, {told.memory / 1e9:.3g} GB of memory at {training.batch_size} maps a step."
    )
    yield (
        f"Roughly {duration(told.seconds)} of training at most: {training.epochs} epochs of "
        f"{told.n_steps} steps{f', {n} times' if n > 1 else ''}, "
        f"{'at the speed of this machine' if measured else 'on two CPU cores'}; drawing maps, "
        "noise and summaries comes on top."
    )


def _data_lines(told):
    """Yield what there is of the data set, in words."""
    maps = f"{told.n_maps} maps of {told.n_catalogues} catalogues, {short(round(told.set_bytes))}B"
    if told.n_missing:
        yield f"Data set: {maps}; {told.n_missing} catalogues are still to be made."
    else:
        yield f"Data set: {maps}, all made."


def duration(seconds):
    """Return a time as one says it.

    Examples
    --------
    >>> [duration(s) for s in (0.01, 3.2, 200, 9000, 500_000)]
    ['1 s', '3.2 s', '3.3 min', '2.5 h', '5.8 days']
    """
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{max(seconds, 1):.2g} s"
