"""A user's own luminosity models and networks, from Python files that the environment names.

Notebooks run in processes of their own, and so do the workers that make maps: a model that was
registered in one process is unknown in the next, unless each of them runs the file.
"""

import hashlib
import inspect
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

from imtools.luminosity import LUMINOSITY_MODELS
from imtools.luminosity.mixtures import SEPARATOR

VARIABLE = "IMTOOLS_EXTENSIONS"


def load_extensions():
    """Run the files that ``IMTOOLS_EXTENSIONS`` names, each once in a process.

    Paths stand as in ``PATH``, with a colon between them. What they register, by
    `luminosity.register` or `networks.register`, is then known by name; a file can also be imported
    by its own name. The variable is set to absolute paths, for processes in other folders.

    Raises
    ------
    ValueError
        If a path is no Python file, its name is that of another module, or it raises an error.
    """
    names = [name for name in os.environ.get(VARIABLE, "").split(os.pathsep) if name]
    paths = [Path(name).resolve() for name in names]
    for path in paths:
        known = getattr(sys.modules.get(path.stem), "__file__", None)
        if known is not None and Path(known).resolve() == path:
            continue
        if path.suffix != ".py" or not path.is_file():
            msg = f"{VARIABLE}: {path} is no Python file; expected paths of existing .py files"
            raise ValueError(msg)
        if path.stem in sys.modules:
            msg = f"{VARIABLE}: {path} has the name of another module; rename the file"
            raise ValueError(msg)
        spec = spec_from_file_location(path.stem, path)
        module = sys.modules[path.stem] = module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[path.stem]
            msg = f"{VARIABLE}: {path} raises {type(error).__name__}: {error}; mend it"
            raise ValueError(msg) from error
    if paths:
        os.environ[VARIABLE] = os.pathsep.join(map(str, paths))


def own_sources(luminosity_model):
    """Return a digest of the source of each model that is not the package's, by name.

    Maps of a model that was changed must not pass for those of the model as it was.
    """
    digests = {}
    for name in luminosity_model.split(SEPARATOR):
        model = LUMINOSITY_MODELS.get(name)
        if model is None or model.__module__.startswith("imtools."):
            continue
        try:
            text = inspect.getsource(model)
        except (OSError, TypeError):  # defined at a prompt
            text = repr(model)
        digests[name] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return digests
