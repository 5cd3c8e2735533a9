"""An experiment put together in a form, costed, written down, started, watched and stopped."""

import html
import shlex
from pathlib import Path

import ipywidgets as widgets

import imtools.dashboards.backend  # noqa: F401, before anything else imports Keras
from imtools.dashboards.builder.costs import Costs
from imtools.dashboards.builder.form import Form
from imtools.dashboards.builder.starting import Runner
from imtools.dashboards.choices import offer
from imtools.dashboards.closing import close_all
from imtools.dashboards.messages import Message, guarded, one_at_a_time
from imtools.experiment import PRESETS
from imtools.run_folder import data_root
from imtools.run_folder.names import check_typed_name
from imtools.runs.parameters import parameters_cell, plan, read_notebook
from imtools.runs.run_file import read_run_file, run_command, write_run_file

__all__ = ["Builder"]

NOTEBOOK = "04_train.ipynb"
FOLDER = "experiments"  # of the data root, where YAML files are kept
LIKE_CODE = (
    "white-space:pre-wrap;background:#f5f5f5;padding:6px 8px;margin:2px 0;"
    "font-family:monospace;line-height:1.4"
)


class Builder:
    """A form for every parameter of a run, with what it costs and a button that starts it.

    Parameters
    ----------
    preset : str
        Sizes to begin with.
    notebooks : path-like, optional
        Folder of the notebooks that can be run; by default ``notebooks`` beside the folder of data,
        or the working folder.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display; `close` takes it off the page.
    message : Message
        What was done, or what is wrong.
    """

    def __init__(self, preset="quick", *, notebooks=None, every=1.0):
        beside = data_root().parent / "notebooks"
        self._folder = Path(notebooks or (beside if beside.is_dir() else Path.cwd()))
        self.message = Message()
        self._quiet, self._cells = False, {}
        self._controls()
        self.preset.value = preset
        self.form = Form(self._plan({})[0], self._changed)
        self.costs, self.runner = Costs(), Runner(every=every)
        self._connect()
        self.view = self._page()
        self._changed()

    @property
    def experiment(self):
        """The `Experiment` that the form says, None while something in it is wrong."""
        return self.form.experiment

    def changes(self):
        """Return the parameters that differ from those of the notebook at this preset.

        Raises
        ------
        ValueError
            If something in the form is wrong.
        """
        if self.experiment is None:
            name, words = next(iter(self.form.problems.items()))
            msg = f"the form is not right: {name} {words}".replace(":  ", ": ")
            raise ValueError(msg)
        base = self._plan({})[0].flat()
        return {k: v for k, v in self.experiment.flat().items() if v != base[k]}

    def command(self):
        """Return the words of the ``imtools run`` command that does what the form says."""
        notebook, root = self._notebook().absolute(), data_root().parent
        notebook = notebook.relative_to(root) if notebook.is_relative_to(root) else notebook
        settings = {"preset": self.preset.value, "parameters": self.changes()}
        name = self.name.value.strip()
        run_dir = data_root() / "runs" / check_typed_name(name, what="run name") if name else None
        return run_command(notebook, run_dir=run_dir, **settings)

    def write(self):
        """Write the form as YAML below ``experiments/`` of the folder of data; return its path."""
        name = check_typed_name(self.name.value or self.preset.value, what="name")
        path = data_root() / FOLDER / f"{name}.yaml"
        settings = {"preset": self.preset.value, "parameters": self.changes()}
        write_run_file(path, self._notebook(), overwrite=self.replace.value, **settings)
        self.message.show(f"wrote {path}; run it by: imtools run -f {shlex.quote(str(path))}")
        self._list_files()
        return path

    def load(self, name):
        """Show what a YAML file below ``experiments/`` says."""
        path = data_root() / FOLDER / check_typed_name(name, what="file")
        notebook, preset, parameters = read_run_file(path)
        if notebook.name not in self.notebook.options:
            msg = f"{name}: notebook is {notebook}, expected one in {self._folder}"
            raise ValueError(msg)
        self._quiet = True
        try:
            self.notebook.value, self.preset.value = notebook.name, preset or "tiny"
        finally:
            self._quiet = False
        base, experiment = self._plan({})[0], self._plan(parameters)[0]
        self.form.show(experiment, base=base)
        self._changed()
        self.message.show(f"this is {path.name}")

    def start(self):
        """Start the run that the form says."""
        settings = {"preset": self.preset.value, "parameters": self.changes()}
        if self.costs.refused:
            msg = f"the network cannot be built: {self.costs.text}"
            raise ValueError(msg)
        self.runner.start(self._notebook(), name=self.name.value, **settings)

    def stop(self):
        """Stop the run at the end of a batch."""
        self.runner.stop()

    def measure(self):
        """Measure the speed of this machine, so that times are its own."""
        from imtools.networks.measured import measure_speed

        self.message.show("three small networks are trained for a few steps")
        self.costs.speed, self.costs.measured = measure_speed(), True
        self.costs.show(self.experiment)
        self.message.show("times are those of this machine now")

    def close(self):
        """Take it off the page; a run that was started goes on."""
        self.runner.close()
        self.costs.close()
        self.form.close()
        close_all(self.view)
        self.message.close()

    def _notebook(self):
        if self.notebook.value is None:
            msg = f"no notebook in {self._folder} trains a network; give the folder of notebooks"
            raise ValueError(msg)
        return self._folder / self.notebook.value

    def _plan(self, parameters):
        """Return experiment and values of the cell, as the notebook makes them."""
        path = self._notebook()
        if path not in self._cells:
            self._cells[path] = read_notebook(path)
        content = self._cells[path]
        return plan(content, preset=self.preset.value, parameters=parameters, name=path.name)

    def _changed(self):
        """Show costs and command of what the form says now."""
        self.costs.show(self.experiment)
        try:
            text = shlex.join(self.command())
        except ValueError as error:
            text = f"# {error}"
        self._command.value = f'<div style="{LIKE_CODE}">{html.escape(text)}</div>'

    def _start_anew(self, change):
        """Show the notebook's own values at the preset that was chosen."""
        if not self._quiet:
            self.form.show(self._plan({})[0])
            self._changed()

    def _list_files(self):
        files = sorted(p.name for p in (data_root() / FOLDER).glob("*.yaml"))
        self._quiet = True
        try:
            offer(self.files, [("open a file", ""), *((name, name) for name in files)])
            self.files.value = ""
        finally:
            self._quiet = False

    def _controls(self):
        """Make what stands above and below the form."""
        style, names = {"description_width": "70px"}, _notebooks_in(self._folder)
        first = NOTEBOOK if NOTEBOOK in names else next(iter(names), None)
        layout = {"width": "300px"}
        self.preset = widgets.Dropdown(options=list(PRESETS), description="preset", style=style)
        self.notebook = widgets.Dropdown(
            options=names, value=first, description="notebook", style=style, layout=layout
        )
        self.files = widgets.Dropdown(layout={"width": "200px"})
        self.name = widgets.Text(
            description="run name", placeholder="the time, if empty", continuous_update=False,
            style=style, layout=layout,
        )  # fmt: skip
        self.replace = widgets.Checkbox(description="replace", indent=False)
        self.replace.layout.width = "90px"
        self._command = widgets.HTML()
        self.start_button = widgets.Button(description="Start", button_style="primary", icon="play")
        self.stop_button = widgets.Button(description="Stop", icon="stop")
        self.write_button = widgets.Button(description="Write YAML", icon="save")
        self.measure_button = widgets.Button(description="Time this machine", icon="clock-o")
        self.measure_button.layout.width = "180px"
        self._list_files()

    def _connect(self):
        """Have the controls do what they say."""
        self.preset.observe(guarded(self.message)(self._start_anew), "value")
        self.notebook.observe(guarded(self.message)(self._start_anew), "value")
        self.name.observe(guarded(self.message)(lambda change: self._changed()), "value")
        self.files.observe(guarded(self.message)(self._open), "value")
        for button, job, background in (
            (self.start_button, self.start, False),
            (self.stop_button, self.stop, False),
            (self.write_button, self.write, False),
            (self.measure_button, self.measure, True),
        ):
            once = one_at_a_time(self.message, button=button, background=background)(job)
            button.on_click(lambda _, once=once: once())

    def _open(self, change):
        if change["new"] and not self._quiet:
            self.load(change["new"])

    def _page(self):
        """Return everything, one below the other."""
        head = widgets.HBox([self.preset, self.notebook, self.files])
        buttons = widgets.HBox(
            [self.name, self.start_button, self.stop_button, self.write_button, self.replace]
        )
        network = widgets.VBox([self.costs.view, self.measure_button])
        return widgets.VBox(
            [head, self.form.view, network, buttons, self._command, self.message.view,
             self.runner.view],
            layout={"max_width": "1250px"},
        )  # fmt: skip


def _notebooks_in(folder):
    """Return the names of the notebooks in a folder that take any parameter of the experiment."""
    names = []
    for path in sorted(folder.glob("*.ipynb")):
        try:
            takes_all = "changes" in parameters_cell(read_notebook(path), name=path.name)
        except (OSError, ValueError):
            continue
        names += [path.name] if takes_all else []
    return names
