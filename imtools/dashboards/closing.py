"""Widgets taken off the page for good: what they hold, their layouts and styles with them."""

from ipywidgets import Widget

PARTS = ("layout", "style", "tooltip")


def close_all(*views):
    """Close widgets with all that they hold, so that none of them stays in the kernel's registry.

    Parameters
    ----------
    *views : ipywidgets.Widget
        The outermost ones; what is closed already is left alone.
    """
    waiting, seen = list(views), []
    while waiting:
        widget = waiting.pop()
        if any(widget is one for one in seen):
            continue
        seen.append(widget)
        waiting += getattr(widget, "children", ())
        parts = (getattr(widget, part, None) for part in PARTS)
        waiting += [part for part in parts if isinstance(part, Widget)]
    for widget in seen:
        widget.unobserve_all()
        widget.close()
