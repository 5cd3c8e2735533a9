"""Dashboards: widgets around plots and runs, in JupyterLab and as an app.

Each is a class with `view`, a widget to display, and `close`, which leaves nothing behind; what its
buttons do are plain methods, so that a program can do the same.
"""

import os

from imtools.dashboards.messages import Message, guarded, one_at_a_time

# TensorFlow, where a dashboard needs it, shall not fill the notebook with remarks
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

__all__ = ["Message", "guarded", "one_at_a_time"]
