"""Keras, imported without the remarks of TensorFlow on the processor, which no setting silences."""

import os
import sys


def _import_quietly():
    """Import Keras while what its libraries write to the standard error goes nowhere."""
    if "keras" in sys.modules:
        return
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras  # noqa: F401, what goes wrong with it is raised
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


_import_quietly()
