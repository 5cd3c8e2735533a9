"""Draw a model by its name, from settings that not every model knows."""

import inspect
from dataclasses import fields

from imtools.luminosity.models import LUMINOSITY_MODELS


def draw_model(name, *, rng, prior="ten_percent", **settings):
    """Draw a model by name, from one list of settings that serves every model.

    Parameters
    ----------
    name : str
        A key of `LUMINOSITY_MODELS`.
    rng : numpy.random.Generator
        Source of every random number drawn here.
    prior : str
        "fiducial", or a name in the model's `PRIORS`.
    **settings
        Such as ``sfr`` and ``correlation``; each goes to the models that know it, and the others
        do without.

    Raises
    ------
    ValueError
        If no model has that name; the message lists those there are.
    """
    model = LUMINOSITY_MODELS[name]
    return model.draw(rng=rng, prior=prior, **settings_of(model, settings))


def settings_of(model, settings):
    """Return those of the settings, a dict, that ``draw`` of a model class takes."""
    takes = {f.name for f in fields(model)} | set(inspect.signature(model.draw).parameters)
    return {name: value for name, value in settings.items() if name in takes}
