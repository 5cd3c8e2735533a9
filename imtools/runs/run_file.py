"""One run as a YAML file and as a command: what a form writes, and what a person reads again."""

import json
import os
from difflib import get_close_matches
from pathlib import Path

import yaml

from imtools.run_folder import read_yaml, write_text
from imtools.runs.parameters import from_text

KEYS = ("notebook", "preset", "parameters")
HEAD = "# imtools run -f FILE\n"


def read_run_file(path):
    """Read what to run from a YAML file.

    Parameters
    ----------
    path : path-like
        YAML with ``notebook`` (its path, from the folder of the file), ``preset`` and
        ``parameters`` (values by name); the last two may be missing.

    Returns
    -------
    notebook : pathlib.Path
    preset : str or None
    parameters : dict
        Names and values are not checked here, see `jobs.prepare`.

    Raises
    ------
    FileNotFoundError
        If the file is not there.
    ValueError
        If it is no YAML, or says something else; the message names the file.
    """
    path = Path(path)
    content = read_yaml(path, "run", example="notebook and preset")
    for key in content:
        if key not in KEYS:
            near = get_close_matches(str(key), KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected among {', '.join(KEYS)}"
            msg = f"run: {path.name}: unknown key {key!r}; {hint}"
            raise ValueError(msg)
    kinds = {"notebook": (str, "text"), "preset": (str | None, "text")}
    kinds["parameters"] = (dict | None, "'name: value' pairs")
    for key, (kind, words) in kinds.items():
        if not isinstance(content.get(key), kind):
            msg = f"run: {path.name}: {key} is {content.get(key)!r:.80}, expected {words}"
            raise ValueError(msg)
    parameters = content.get("parameters") or {}
    return path.parent / content["notebook"], content.get("preset"), parameters


def write_run_file(path, notebook, *, preset=None, parameters=None, overwrite=False):
    """Write what to run as YAML, such that ``imtools run -f`` and `read_run_file` read it.

    Parameters
    ----------
    path : path-like
        Where to.
    notebook : path-like
        It is written as seen from the folder of the file.
    preset, parameters
        As in `run_notebook`.
    overwrite : bool
        Replace a file that exists.

    Raises
    ------
    FileExistsError
        If it exists and `overwrite` is False.
    """
    path = Path(path).absolute()
    seen = os.path.relpath(Path(notebook).absolute(), path.parent)
    content = {"notebook": seen, "preset": preset, "parameters": dict(parameters or {})}
    text = yaml.safe_dump(
        {key: value for key, value in content.items() if value}, sort_keys=False, allow_unicode=True
    )
    write_text(HEAD + text, path, overwrite=overwrite)


def run_command(notebook, *, preset=None, parameters=None, run_dir=None):
    """Return the words of the command that runs a notebook; `shlex.join` makes a line of them.

    Parameters
    ----------
    notebook, preset, parameters, run_dir
        As in `run_notebook`.

    Returns
    -------
    list of str

    Examples
    --------
    >>> import shlex
    >>> words = run_command("04_train.ipynb", preset="tiny", parameters={"epochs": 3, "sfr": "um"})
    >>> shlex.join(words)
    'imtools run 04_train.ipynb --preset tiny -p epochs 3 -p sfr um'
    """
    words = ["imtools", "run", str(notebook)]
    if preset is not None:
        words += ["--preset", preset]
    for name, value in (parameters or {}).items():
        words += ["-p", name, as_text(value)]
    return words if run_dir is None else [*words, "--run-dir", str(run_dir)]


def as_text(value):
    """Return the text that `parameters.from_text` reads as `value`.

    Examples
    --------
    >>> [as_text(value) for value in (3, 1e-3, True, "adam", "3")]
    ['3', '0.001', 'true', 'adam', '"3"']
    """
    if isinstance(value, str) and from_text(value) == value:
        return value
    return json.dumps(value)
