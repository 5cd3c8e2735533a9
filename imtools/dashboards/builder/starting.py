"""A run from a form: started once, watched while it trains, stopped between two batches."""

import html
import shlex
import time

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.dashboards.figures import Figure
from imtools.dashboards.live import Poller
from imtools.plots.scores import show_history
from imtools.run_folder import data_root, read_rows
from imtools.run_folder.names import check_typed_name
from imtools.runs.launching import start_run

HEIGHT = 260  # pixels of the loss
ENDED = ("done", "failed", "lost")
STATE = '<div style="line-height:1.4" role="status">{}</div>'


class Runner:
    """One run at a time, and its loss while it trains.

    Parameters
    ----------
    every : float
        Seconds between two looks at the run.

    Attributes
    ----------
    launch : imtools.runs.launching.Launch or None
        The run that was started last.
    state : dict
        Its state and reason, as last seen.
    figure : Figure or None
        Of its loss; there is none before the first run.
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self, *, every=1.0):
        self.launch, self.state, self._every, self._poller = None, {}, every, None
        self._stamp = None
        self.figure = None
        self._words = widgets.HTML()
        self.view = widgets.VBox([self._words])  # the figure comes with the first run

    @property
    def running(self):
        """Whether the run that was started last has not ended."""
        return self.launch is not None and not self.launch.ended

    def start(self, notebook, *, name="", preset=None, parameters=None):
        """Start a run and look at it until it ends.

        Parameters
        ----------
        notebook, preset, parameters
            As in `runs.run_notebook`.
        name : str
            Of its folder in data/runs; by default the time, preset and notebook.

        Raises
        ------
        ValueError
            If the name is a path, or a run that was started here has not ended.
        FileExistsError
            If there is a run of that name.
        """
        if self.running:
            msg = f"{self.launch.folder.name} has not ended; stop it, or wait"
            raise ValueError(msg)
        stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{preset or 'own'}-{notebook.stem}"
        name = check_typed_name(name, what="run name") if name.strip() else stem
        self._let_go()
        self.launch = start_run(
            notebook, data_root() / "runs" / name, preset=preset, parameters=parameters
        )
        self._stamp = None
        if self.figure is None:
            self.figure = Figure(logy=True, height=HEIGHT)
        self.figure.say("Loss history, once the training has begun")
        self.view.children = (self._words, self.figure.view)
        self.look()
        self._poller = Poller(self.look, every=self._every)

    def stop(self):
        """Have the run end at its next batch.

        Raises
        ------
        ValueError
            If none is running.
        """
        if not self.running:
            msg = "no run was started here, or it has ended; there is nothing to stop"
            raise ValueError(msg)
        self.launch.stop()
        self._say("stopping at the end of a batch")

    def look(self):
        """Show how the run stands; return whether it goes on."""
        goes_on = self.running  # asked first: what is read after it is the last word
        before = self.state.get("state")
        self.state = self.launch.status
        path = self.launch.folder / "history.csv"
        if path.exists():
            stat = path.stat()
            if (stat.st_mtime_ns, stat.st_size) != self._stamp:
                self._stamp = (stat.st_mtime_ns, stat.st_size)
                history = read_rows(path)
                if history and history["epoch"].size:
                    self.figure.show(show_history(history))
        if goes_on and self._words.value and before == self.state["state"]:
            return True
        self._say(self.state["reason"])
        return goes_on

    def close(self):
        """Look no more, and take it off the page; the run goes on."""
        self._let_go()
        if self.figure is not None:
            self.figure.close()
        close_all(self.view)

    def _let_go(self):
        if self._poller is not None:
            self._poller.close()
        if self.launch is not None:
            self.launch.close()
        self._poller = None

    def _say(self, reason):
        """Show name and state of the run, and what to do next."""
        name, state = self.launch.folder.name, self.state.get("state", "pending")
        words = f"<b>{html.escape(name)}</b>: {state}"
        words += f", {html.escape(reason)}" if reason else ""
        if state in ("failed", "lost") and self.launch.folder.exists():
            again = shlex.join(["imtools", "run", "--resume", name])
            words += f"; go on with <code>{html.escape(again)}</code>"
        if state == "done":
            words += f"; see <code>{html.escape(str(self.launch.folder / 'report.html'))}</code>"
        self._words.value = STATE.format(words)
