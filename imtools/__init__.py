"""Line-intensity mapping in notebooks: mock CO maps, networks, and an honest scoreboard."""

from importlib import import_module

__version__ = "0.1.0"


def __getattr__(name):
    """Import `open_map` when it is first asked for: the formats bring astropy and HDF5."""
    if name == "open_map":
        return import_module("imtools.formats").open_map
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
