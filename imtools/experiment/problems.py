"""What is wrong with the values of a form, field by field, so that each stands beside its own."""

import re

from pydantic import ValidationError

from imtools.experiment import FIELD_STAGE, Experiment

NAMES = re.compile(rf"\b({'|'.join(sorted(FIELD_STAGE, key=len, reverse=True))})\b")


def find_problems(values):
    """Return what keeps some parameters from being an experiment.

    Parameters
    ----------
    values : dict
        Every parameter by name, others at default.

    Returns
    -------
    dict of str to str
        By the name of the field that a message is about, or "" where it names none. Empty if all
        is well. What no field can tell alone is looked at once every field is right by itself.

    Examples
    --------
    >>> find_problems({"n_pix": -1, "epochs": 2.5})["n_pix"]
    'is -1, expected greater than or equal to 1'
    >>> find_problems({"pool_freq": 3})
    {'pool_freq': 'is 3, expected a divisor of n_chan = 100'}
    """
    stages = {name: {} for name in Experiment.model_fields}
    for name, value in values.items():
        stages[FIELD_STAGE[name]][name] = value
    try:
        Experiment.model_validate(stages)
    except ValidationError as error:
        return dict(_problem(one) for one in reversed(error.errors()))  # of two, the first stays
    return {}


def _problem(error):
    """Return the field that a pydantic error is about, and what it says of it."""
    message = error["msg"].removeprefix("Value error, ")
    if len(error["loc"]) > 1:
        expected = message.replace("Input should be", "expected")
        return error["loc"][-1], f"is {error['input']!r}, {expected}"
    named = NAMES.search(message)
    if named is None:
        return "", message
    return named[1], message.removeprefix(f"{named[1]} ")
