"""Dashboards: widgets around plots and runs, in JupyterLab and as an app.

Each is a class with `view`, a widget to display, and `close`, which leaves nothing behind; what its
buttons do are plain methods, so that a program can do the same.
"""

from imtools.dashboards.messages import Message, guarded, one_at_a_time

__all__ = ["Message", "guarded", "one_at_a_time"]
