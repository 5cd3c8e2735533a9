"""One parameter of an experiment as a control, with its help, its range and what is wrong of it."""

import html
from typing import Literal, get_args, get_origin

import ipywidgets as widgets
from ipywidgets.widgets.widget_description import DescriptionStyle
from ipywidgets.widgets.widget_string import HTMLStyle, TextStyle

from imtools.luminosity import LUMINOSITY_MODELS, SFR_SOURCES
from imtools.networks import ARCHITECTURES
from imtools.preprocessing import TRANSFORMS
from imtools.statistics import SUMMARIES

BOUNDS = (("ge", "at least"), ("gt", "above"), ("le", "at most"), ("lt", "below"))
GREY, RED = "#666666", "#8b1a1a"


def choices_of(name):
    """Return the names that a parameter can take, and whether it can take others, too."""
    priors = {"fiducial": {}, "wide": {}}
    for model in LUMINOSITY_MODELS.values():
        priors |= model.PRIORS
    known = {
        "architecture": (ARCHITECTURES, False),
        "transform": (TRANSFORMS, False),
        "reads": (("map", *SUMMARIES), False),
        "luminosity_model": (LUMINOSITY_MODELS, True),  # or several of them, joined
        "prior": (priors, True),
        "sfr": (SFR_SOURCES, True),  # or a table
    }
    names, more = known.get(name, ((), True))
    return list(names), more


def in_words(info):
    """Return what a parameter is: help, unit and range, from its entry in the schema.

    Examples
    --------
    >>> from imtools.experiment import Experiment
    >>> stage = Experiment.model_fields["network"].annotation
    >>> in_words(stage.model_fields["kernel"])
    'side of the convolution [voxels], at least 1, at most 15'
    """
    unit = (info.json_schema_extra or {}).get("unit", "1")
    words = info.description + ("" if unit == "1" else f" [{unit}]")
    for name, before in BOUNDS:
        limits = (getattr(one, name, None) for one in info.metadata)
        words += "".join(f", {before} {limit:g}" for limit in limits if limit is not None)
    return words


class Look:
    """Layouts and styles that all fields share: of hundreds of widgets, few have their own."""

    def __init__(self):
        self.control, self.note = widgets.Layout(width="330px"), widgets.Layout(width="auto")
        self.words, width = HTMLStyle(), {"description_width": "125px"}
        self.typed, self.chosen = TextStyle(**width), DescriptionStyle(**width)


class Field:
    """A control and the words beside it.

    Parameters
    ----------
    name : str
        Of the parameter.
    info : pydantic.fields.FieldInfo
        Its entry in the schema.
    look : Look
        What all fields share.
    """

    def __init__(self, name, info, look):
        self.name, self.info, self._words = name, info, in_words(info)
        self.control = self._control(look)
        self.note = widgets.HTML(layout=look.note, style=look.words)
        self._shown = None
        self.tell()

    def read(self):
        """Return the value as it was typed or chosen.

        Raises
        ------
        ValueError
            If what was typed is no number.
        """
        value, kind = self.control.value, self.info.annotation
        if kind not in (int, float):
            return value
        words = {int: "a whole number", float: "a number"}[kind]
        try:
            return kind(value)
        except ValueError:
            msg = f"is {value!r:.40}, expected {words}"
            raise ValueError(msg) from None

    def write(self, value):
        """Set the control to a value."""
        number = self.info.annotation in (int, float)
        self.control.value = repr(value) if number else value

    def tell(self, error="", *, used=True, changed=False):
        """Show what is wrong, whether the value has any use, and whether it is the preset's."""
        shown = (error, used, changed)
        if shown == self._shown:
            return
        self._shown, self.control.disabled = shown, not used
        words = html.escape(self._words if used else f"not used here; {self._words}")
        mark = "<b>changed</b>, " if changed else ""
        text = f'<span style="color:{GREY}">{mark}{words}</span>'
        if error:
            role = f'<span role="alert" class="imtools-field-error" style="color:{RED}">'
            text = f"{role}<b>{html.escape(self.name)} {html.escape(error)}</b></span>"
        self.note.value = f'<div style="line-height:1.3">{text}</div>'

    def _control(self, look):
        common = {"description": self.name, "tooltip": self._words, "layout": look.control}
        names, more = choices_of(self.name)
        menu = common | {"style": look.chosen}
        if get_origin(self.info.annotation) is Literal:
            return widgets.Dropdown(options=list(get_args(self.info.annotation)), **menu)
        if self.info.annotation is bool:
            return widgets.Dropdown(options={"yes": True, "no": False}, **menu)
        if names and not more:
            return widgets.Dropdown(options=names, **menu)
        typed = common | {"style": look.typed, "continuous_update": False}
        if names:
            return widgets.Combobox(options=names, ensure_option=False, **typed)
        return widgets.Text(**typed)
