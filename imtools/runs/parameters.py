"""What a notebook is told: its parameters cell, checked against the experiment's schema."""

import ast
import json
from difflib import get_close_matches
from pathlib import Path

from imtools.experiment import FIELD_STAGE, Experiment
from imtools.run_folder import read_json

OWN = ("preset", "run_dir", "changes")  # parameters that the runner itself fills in


def read_notebook(path):
    """Return the notebook at `path` as a dict; errors are one line and name the file."""
    if Path(path).suffix != ".ipynb":
        msg = f"run: notebook is {path}, expected a path that ends in .ipynb"
        raise ValueError(msg)
    notebook = read_json(path)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        msg = f"run: {path} is no notebook (no list of cells); open it in JupyterLab to repair it"
        raise ValueError(msg)
    return notebook


def parameters_cell(notebook, *, name="notebook"):
    """Return the parameters of a notebook and their defaults.

    Parameters
    ----------
    notebook : dict
        As from `read_notebook`. Its cell tagged ``parameters`` holds ``name = literal`` lines.
    name : str
        What to call the notebook in a message.

    Raises
    ------
    ValueError
        If the cell is missing, or a line of it is not ``name = literal``.
    """
    cells = [c for c in notebook["cells"] if "parameters" in c.get("metadata", {}).get("tags", [])]
    if len(cells) != 1:
        msg = f"run: {name} has {len(cells)} cells tagged 'parameters', expected one; tag cell 2"
        raise ValueError(msg)
    source = "".join(cells[0]["source"])
    defaults = {}
    try:
        for line in ast.parse(source).body:
            (target,) = line.targets
            defaults[target.id] = ast.literal_eval(line.value)
    except (SyntaxError, ValueError, AttributeError) as error:
        msg = f"run: parameters cell of {name} has a line other than 'name = literal' ({error})"
        raise ValueError(msg) from None
    return defaults


def from_text(text):
    """Return the value that `text` from a command line spells: JSON, True, False, or itself.

    Examples
    --------
    >>> [from_text(text) for text in ("3", "1e-3", "true", "adam")]
    [3, 0.001, True, 'adam']
    """
    if text in ("True", "False"):
        return text == "True"
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def plan(notebook, *, preset=None, parameters=None, name="notebook"):
    """Return the experiment of a run, and the values for the notebook's parameters cell.

    Parameters
    ----------
    notebook : dict
        As from `read_notebook`.
    preset : str, optional
        Sizes; by default those in the notebook.
    parameters : dict, optional
        Values by name: of the notebook's parameters cell, or any parameter of the experiment.
        The latter go into the cell's ``changes``, as JSON.
    name : str
        What to call the notebook in a message.

    Returns
    -------
    experiment : Experiment
        What the notebook will compute with.
    injected : dict
        Values for the parameters cell, without ``run_dir``.

    Raises
    ------
    ValueError
        If a name is unknown (the nearest is named), or a value has the wrong type or range.
    """
    cell = parameters_cell(notebook, name=name)
    parameters = dict(parameters or {})
    for own in ("preset", "run_dir"):
        if own in parameters:
            option = own.replace("_", "-")
            msg = f"run: {own} is given as a parameter; use the option --{option} instead"
            raise ValueError(msg)
    given = as_dict(parameters.pop("changes", {}), name)
    _check_names(parameters, cell, name)
    for key in parameters.keys() & cell.keys():
        _check_type(key, parameters[key], cell[key])
    changes = given | {k: v for k, v in parameters.items() if k not in cell}
    injected = {k: v for k, v in parameters.items() if k in cell}
    if preset is not None:
        injected["preset"] = preset
    if changes:
        injected["changes"] = json.dumps(as_dict(cell.get("changes", "{}"), name) | changes)
    for own in injected.keys() & {"preset", "changes"} - cell.keys():
        msg = f"run: {name} has no parameter {own!r} (see the parameters cell); add it there"
        raise ValueError(msg)
    return _experiment(cell | injected, name), injected


def _experiment(values, name):
    """Return the experiment that a notebook makes of its parameters."""
    fields = {k: v for k, v in values.items() if k in FIELD_STAGE}
    changes = as_dict(values.get("changes", "{}"), name)
    return Experiment.from_preset(values.get("preset", "tiny"), **(fields | changes))


def as_dict(changes, name):
    """Return the ``changes`` of the notebook `name` as a dict, of JSON text or of a dict."""
    try:
        changes = json.loads(changes) if isinstance(changes, str) else changes
    except json.JSONDecodeError:
        changes = None
    if not isinstance(changes, dict):
        msg = f"run: changes of {name} is no JSON object; write it like '{{\"epochs\": 3}}'"
        raise ValueError(msg)
    return changes


def _check_names(parameters, cell, name):
    known = [*(k for k in cell if k not in OWN), *FIELD_STAGE]
    for key in parameters:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"expected among {', '.join(known)}"
            msg = f"run: {name} and the experiment have no parameter {key!r}; {hint}"
            raise ValueError(msg)


def _check_type(key, value, default):
    """Raise unless `value` is of the type of `default`; a whole number passes for a float."""
    wanted = type(default)
    if type(value) is not wanted and not (wanted is float and type(value) is int):
        msg = f"run: {key} is {value!r}, expected {wanted.__name__} as in {key} = {default!r}"
        raise ValueError(msg)
