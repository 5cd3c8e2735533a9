"""Families of luminosity models in a mixture: which there are, and samples of some of them."""

import numpy as np


def families(data):
    """Return the names of the luminosity models in a data set, in the order they first appear.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, from `load`.
    """
    return tuple(dict.fromkeys(data["luminosity_model"].values.tolist()))


def select_families(data, names):
    """Return the samples whose luminosity model is one of `names`.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, from `load`.
    names : str or iterable of str
        Luminosity models.

    Returns
    -------
    xarray.Dataset
        Those samples, in their order; ``parameter`` keeps the names that they have a value for.

    Raises
    ------
    ValueError
        If the data set has none of a name; the message lists those it has.
    """
    names, there = _as_names(names), families(data)
    _check(names, there, caller="select_families")
    return _only(data, names)


def leave_out_families(data, names):
    """Return the samples whose luminosity model is none of `names`: what training may see of them.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, from `load`.
    names : str or iterable of str
        Luminosity models.

    Returns
    -------
    xarray.Dataset
        The other samples, as from `select_families`.

    Raises
    ------
    ValueError
        If the data set has none of a name, or no other family is left.
    """
    names, there = _as_names(names), families(data)
    _check(names, there, caller="leave_out_families")
    left = [name for name in there if name not in names]
    if not left:
        msg = f"leave_out_families: names are {', '.join(names)}, which leaves no sample; keep one"
        raise ValueError(msg)
    return _only(data, left)


def _as_names(names):
    return (names,) if isinstance(names, str) else tuple(names)


def _check(names, there, *, caller):
    missing = [name for name in names if name not in there]
    if missing or not names:
        msg = (
            f"{caller}: names are {', '.join(names) or 'none'}, expected among {', '.join(there)}, "
            "the families of this data set"
        )
        raise ValueError(msg)


def _only(data, names):
    chosen = data.isel(sample=np.isin(data["luminosity_model"].values, names))
    has_value = np.isfinite(chosen["parameters"].values).any(axis=0)
    return chosen.isel(parameter=has_value)
