"""Several models in one data set: names with + between, which take turns map by map."""

from imtools.luminosity.models import LUMINOSITY_MODELS

SEPARATOR = "+"


def split_families(luminosity_model):
    """Return the names in a mixture, in turn; one name for a single model.

    Parameters
    ----------
    luminosity_model : str
        Names of `LUMINOSITY_MODELS` with + between. A name that stands twice takes two turns.

    Raises
    ------
    ValueError
        If a name is unknown; the message lists those there are.

    Examples
    --------
    >>> split_families("li2016+padmanabhan2018+breysse2014")
    ('li2016', 'padmanabhan2018', 'breysse2014')
    """
    names = tuple(luminosity_model.split(SEPARATOR))
    for name in names:
        if name not in LUMINOSITY_MODELS:
            known = ", ".join(LUMINOSITY_MODELS)
            msg = f"split_families: luminosity_model is {name!r}, expected one of {known}"
            raise ValueError(msg)
    return names


def family_prior(name, prior):
    """Return the prior that a family draws from where `prior` is asked of a whole mixture.

    Parameters
    ----------
    name : str
        A key of `LUMINOSITY_MODELS`.
    prior : str
        "fiducial", a name in the model's `PRIORS`, or any other.

    Returns
    -------
    str
        `prior` where the model knows it, else its ``wide_prior()``.

    Examples
    --------
    >>> [family_prior(name, "strong") for name in ("li2016", "padmanabhan2018", "comap2022")]
    ['strong', 'loose', 'joint']
    """
    model = LUMINOSITY_MODELS[name]
    return prior if prior == "fiducial" or prior in model.PRIORS else model.wide_prior()
