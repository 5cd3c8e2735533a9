"""Names that people type, kept within the folder of data: no way up, no way out."""

import re
from pathlib import Path

from imtools.run_folder import data_root

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def check_typed_name(text, *, what="name"):
    """Return a name that was typed, or raise: letters, digits, ``.``, ``_``, ``-`` and no path.

    Examples
    --------
    >>> check_typed_name(" deep-6 ")
    'deep-6'
    >>> check_typed_name("../deep", what="run name")
    Traceback (most recent call last):
    ...
    ValueError: run name is '../deep', expected letters, digits, '.', '_' and '-', 80 at most
    """
    name = text.strip()
    if not NAME.fullmatch(name) or ".." in name:
        msg = f"{what} is {name!r:.100}, expected letters, digits, '.', '_' and '-', 80 at most"
        raise ValueError(msg)
    return name


def within_data(path, *, what="path"):
    """Return a path that was typed as one below the folder of data, or raise.

    Parameters
    ----------
    path : str
        Relative to `data_root`, or absolute within it.
    what : str
        What to call it in a message.

    Raises
    ------
    ValueError
        If it leads out of the folder of data, through ``..`` or a link.
    """
    root = data_root().resolve()
    up = "\0" in path or ".." in Path(path).parts
    there = root if up else (root / path.strip()).resolve()
    if up or not there.is_relative_to(root):
        msg = f"{what} is {path!r:.100}, expected one within {root}; put the file there"
        raise ValueError(msg)
    return there
