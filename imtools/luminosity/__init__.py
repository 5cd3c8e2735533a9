"""Models of CO luminosity as a function of halo mass and redshift, and their priors.

`LUMINOSITY_MODELS` holds the models by name; calling an entry gives the fiducial model. To add
one's own, write a small class and decorate it with `register`; nothing else needs an edit. Names
with + between are a mixture, whose models take turns map by map.
"""

from imtools.luminosity.drawing import draw_model, settings_of
from imtools.luminosity.li2016 import CORRELATIONS, Li2016
from imtools.luminosity.mass_relations import (
    Breysse2014,
    Comap2022,
    Keating2016,
    Padmanabhan2018,
)
from imtools.luminosity.mixtures import family_prior, split_families
from imtools.luminosity.models import LUMINOSITY_MODELS, LuminosityModel, register
from imtools.luminosity.moments import signal_moments
from imtools.luminosity.schechter import Schechter
from imtools.luminosity.schechter_flexible import Flexible
from imtools.luminosity.star_formation import SFR_SOURCES, read_sfr_table, star_formation_rate

__all__ = [
    "CORRELATIONS",
    "LUMINOSITY_MODELS",
    "SFR_SOURCES",
    "Breysse2014",
    "Comap2022",
    "Flexible",
    "Keating2016",
    "Li2016",
    "LuminosityModel",
    "Padmanabhan2018",
    "Schechter",
    "draw_model",
    "family_prior",
    "read_sfr_table",
    "register",
    "settings_of",
    "signal_moments",
    "split_families",
    "star_formation_rate",
]
