"""Every parameter of an experiment as a form: a tab a stage, errors beside the field."""

import ipywidgets as widgets

from imtools.dashboards.builder.fields import Field, Look
from imtools.dashboards.closing import close_all
from imtools.experiment import FIELD_STAGE, Experiment
from imtools.experiment.problems import find_problems
from imtools.networks.registry import settings_of
from imtools.run_folder.names import within_data

ALWAYS = ("architecture", "output", "n_ensemble")  # of the network's parameters
SUMMARISED = ("dense", "counting")  # architectures that read a summary of the map


def unused(values):
    """Return the names of the parameters that have no use beside the others.

    Parameters
    ----------
    values : dict
        Every parameter by name.

    Examples
    --------
    >>> values = Experiment.from_preset("tiny").flat()
    >>> sorted(unused(values) & {"kernel", "width", "momentum", "n_histogram_bins"})
    ['kernel', 'momentum']
    """
    network = {name for name, stage in FIELD_STAGE.items() if stage == "network"}
    used = {*ALWAYS, *settings_of(values["architecture"])}
    if values["architecture"] in SUMMARISED:
        used |= {"reads", "temp_scale"} if values["reads"] != "map" else {"reads"}
    idle = network - used
    idle |= {"momentum"} if values["optimizer"] != "sgd" else set()
    idle |= {"filter_order"} if values["filter"] not in ("polynomial", "pca") else set()
    idle |= {"noise_convention", "hits"} if values["sigma_noise"] == 0 else set()
    return idle | ({"beam_margin"} if values["beam_fwhm"] == 0 else set())


class Form:
    """The parameters of an experiment, to be typed and chosen.

    Parameters
    ----------
    experiment : Experiment
        What it shows first, and what counts as unchanged.
    changed : callable
        Called without arguments whenever a value was changed.

    Attributes
    ----------
    experiment : Experiment or None
        What the form says; None while something is wrong.
    problems : dict of str to str
        What is wrong, by field; "" is of no single field.
    view : ipywidgets.Widget
        To display.
    """

    def __init__(self, experiment, changed):
        self._look = Look()
        self._changed, self._base, self._quiet = changed, {}, False
        self.fields, self.problems, self.experiment = {}, {}, None
        pages = {stage: self._page(info) for stage, info in Experiment.model_fields.items()}
        self.view = widgets.Tab(list(pages.values()), titles=list(pages))
        self.show(experiment)

    def show(self, experiment, *, base=None):
        """Show an experiment; `base` is what its values are compared with, itself by default."""
        self._base, self._quiet = (base or experiment).flat(), True
        try:
            for name, value in experiment.flat().items():
                self.fields[name].write(value)
        finally:
            self._quiet = False
        self.check()

    def check(self):
        """Look at every value, and say beside each field what is wrong."""
        values, wrong = self._read()
        problems = find_problems(values)
        # where a value could not be read, its default stood in for it
        self.problems = {k: v for k, v in problems.items() if not wrong or k} | wrong
        self.experiment = None if self.problems else Experiment.from_flat(values)
        known = self._base | {k: v for k, v in values.items() if k not in self.problems}
        idle = unused(known)
        for name, field in self.fields.items():
            different = name not in wrong and values[name] != self._base[name]
            error = self.problems.get(name, "")
            field.tell(error, used=name not in idle or bool(error), changed=different)
        self._mark()

    def close(self):
        """Take the form off the page."""
        close_all(self.view)

    def _page(self, info):
        """Return the fields of a stage, one below the other."""
        children = []
        for name, entry in info.annotation.model_fields.items():
            field = self.fields[name] = Field(name, entry, self._look)
            field.control.observe(self._touched, "value")
            children += [field.control, field.note]
        grid = {"grid_template_columns": "345px minmax(200px, auto)", "grid_gap": "1px 8px"}
        box = widgets.GridBox(children, layout=grid | {"overflow": "hidden"})
        words = widgets.HTML(f"<i>{info.annotation.__doc__}</i>")
        return widgets.VBox([words, box])

    def _touched(self, change):
        if not self._quiet:
            self.check()
            self._changed()

    def _read(self):
        """Return the values that can be read, and what is wrong with the others."""
        values, wrong = {}, {}
        for name, field in self.fields.items():
            try:
                values[name] = field.read()
                if name == "sfr" and "." in values[name]:
                    # the notebook runs in another folder
                    values[name] = str(within_data(values[name], what="the table"))
            except ValueError as error:
                wrong[name] = str(error)
                values.pop(name, None)
        return values, wrong

    def _mark(self):
        """Mark the tabs in which something is wrong."""
        titles = []
        for stage in Experiment.model_fields:
            n = sum(FIELD_STAGE.get(name) == stage for name in self.problems)
            titles.append(f"! {stage}" if n else stage)  # a longer one would be cut
        if list(self.view.titles) != titles:
            self.view.titles = titles
