"""Controls of what a map is made with, from the fields of experiments and luminosity models."""

import inspect
import re
from dataclasses import fields
from typing import Literal, get_args, get_origin

import ipywidgets as widgets
import numpy as np

from imtools.experiment import FIELD_STAGE, Experiment
from imtools.luminosity import LUMINOSITY_MODELS, SFR_SOURCES

CONTROL = {"width": "300px"}
WORDS = {"description_width": "150px"}
ROW = {"flex_flow": "row wrap", "align_items": "center"}


def field_help(model):
    """Return what the comments beside the fields of a model say of them: unit and meaning.

    Examples
    --------
    >>> field_help(LUMINOSITY_MODELS["breysse2014"])["a"]
    'Lsun, luminosity of a shining halo of 1 Msun'
    """
    try:
        text = inspect.getsource(model)
    except (OSError, TypeError):  # a class that was typed into a shell
        return {}
    found = re.findall(r"^    (\w+): \w+ = [^#\n]*# (.*)$", text, flags=re.MULTILINE)
    return dict(found)


def control_of(name, kind, value, words):
    """Return the control of one value: a box for a number or a text, a menu, or a tick.

    Parameters
    ----------
    name : str
        Stands before the control.
    kind : type
        int, float, bool or a Literal.
    value : object
        What it shows first.
    words : str
        Shown where the mouse rests.
    """
    common = {"description": name, "tooltip": words, "style": WORDS, "layout": CONTROL}
    if get_origin(kind) is Literal:
        return widgets.Dropdown(options=get_args(kind), value=value, **common)
    if kind is bool:
        return widgets.Checkbox(value=value, **common)
    box = widgets.IntText if kind is int else widgets.FloatText
    return box(value=value, continuous_update=False, **common)


class StageKnobs:
    """Some parameters of an experiment.

    Parameters
    ----------
    experiment : Experiment
        Whose values they show first.
    names : list of str
        Parameters.
    on_change : callable, optional
        Called without arguments when one of them was changed.
    """

    def __init__(self, experiment, names, on_change=lambda: None):
        self.controls, values = {}, experiment.flat()
        for name in names:
            info = Experiment.model_fields[FIELD_STAGE[name]].annotation.model_fields[name]
            unit = info.json_schema_extra["unit"]
            title = name if unit == "1" else f"{name} [{unit}]"
            self.controls[name] = control_of(title, info.annotation, values[name], info.description)
            self.controls[name].observe(lambda _: on_change(), "value")
        self.view = widgets.Box(list(self.controls.values()), layout=ROW)

    def values(self):
        """Return the values by name."""
        return {name: control.value for name, control in self.controls.items()}


class ModelKnobs:
    """A luminosity model and its parameters.

    Parameters
    ----------
    model : LuminosityModel
        What they show first.
    on_change : callable
        Called without arguments when something was changed.
    """

    def __init__(self, model, on_change):
        self._on_change, self._quiet = on_change, False
        names = list(LUMINOSITY_MODELS)
        look = {"layout": {"width": "240px"}, "style": {"description_width": "60px"}}
        self.menu = widgets.Dropdown(options=names, value=model.name, description="model", **look)
        self.menu.add_class("imtools-model")
        self.prior = widgets.Dropdown(description="prior", **look)
        button = {"layout": {"width": "90px"}}
        self.fiducial = widgets.Button(
            description="fiducial", tooltip="the published parameters", **button
        )
        self.draw = widgets.Button(
            description="draw", tooltip="parameters from the prior", **button
        )
        self.box = widgets.Box(layout=ROW)
        above = widgets.HBox([self.menu, self.fiducial, self.prior, self.draw])
        self.view = widgets.VBox([above, self.box])
        self.controls = {}
        self._fill(model)
        self.menu.observe(self._choose, "value")

    def model(self):
        """Return the model as the controls say.

        Raises
        ------
        ValueError
            If a parameter is out of range.
        """
        values = {name: control.value for name, control in self.controls.items()}
        return LUMINOSITY_MODELS[self.menu.value](**values)

    def set(self, model):
        """Show another model, or other parameters."""
        self._quiet = True
        try:
            self.menu.value = model.name
            self._fill(model)
        finally:
            self._quiet = False
        self._on_change()

    def set_fiducial(self):
        """Go back to the published parameters."""
        self.set(LUMINOSITY_MODELS[self.menu.value]())

    def draw_from_prior(self, rng=None):
        """Draw parameters from the prior that is chosen."""
        rng = np.random.default_rng() if rng is None else rng
        self.set(LUMINOSITY_MODELS[self.menu.value].draw(rng=rng, prior=self.prior.value))

    def _choose(self, change):
        if not self._quiet:
            self.set(LUMINOSITY_MODELS[change["new"]]())

    def _fill(self, model):
        """Show the parameters of a model; those of the same class keep their controls."""
        kind = type(model)
        if list(self.controls) != _shown_fields(kind):
            self._make_controls(kind)
        for name, control in self.controls.items():
            control.value = getattr(model, name)

    def _make_controls(self, kind):
        old, words = list(self.controls.values()), field_help(kind)
        default = kind()
        self.controls = {}
        for name in _shown_fields(kind):
            value = getattr(default, name)
            of = Literal[SFR_SOURCES] if name == "sfr" else float
            self.controls[name] = control_of(name, of, value, words.get(name, name))
            self.controls[name].observe(self._changed, "value")
        self.box.children = list(self.controls.values())
        for control in old:  # they would stay in the kernel's registry
            control.unobserve_all()
            for part in (control, control.layout, control.style):
                part.close()
        self.prior.options = priors = list(kind.PRIORS) or ["fiducial"]
        self.prior.value = priors[0]

    def _changed(self, change):
        if not self._quiet:
            self._on_change()


def _shown_fields(kind):
    """Return the parameters of a model, and the source of star formation where it has one."""
    names = {f.name for f in fields(kind)}
    return [*kind.parameter_names(), *(["sfr"] if "sfr" in names else [])]
