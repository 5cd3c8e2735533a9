"""A box to tick for each method, beside the line it is drawn with: choice and legend in one."""

import ipywidgets as widgets

from imtools.dashboards.closing import close_all
from imtools.plots.style import TRUTH

SWATCH = "display:inline-block;width:26px;border-top:3px {} {};margin:0 2px 4px 0"
DASHES = ("solid", "dashed", "dotted")


class MethodBoxes:
    """The methods that there are, some of them chosen.

    Parameters
    ----------
    changed : callable
        Called with a change when a box is ticked.

    Attributes
    ----------
    view : ipywidgets.Widget
        To display.
    boxes : dict of str to ipywidgets.Checkbox
        By method.
    """

    def __init__(self, changed):
        self._changed, self.boxes = changed, {}
        self.view = widgets.HBox(layout={"flex_flow": "row wrap", "max_width": "1100px"})

    @property
    def chosen(self):
        """Names of the methods that are ticked."""
        return [name for name, box in self.boxes.items() if box.value]

    def offer(self, styles, chosen):
        """Put a box for each method of a dict of `plots.noise.LineStyle`, some of them ticked."""
        old, cells, self.boxes = self.view.children, [], {}
        for name, style in styles.items():
            box = widgets.Checkbox(value=name in chosen, description=style.label, indent=False)
            box.layout.width = "auto"
            box.observe(self._changed, "value")
            dash = style.dash if style.dash in DASHES else "dashed"
            swatch = widgets.HTML(f'<span style="{SWATCH.format(dash, style.colour)}"></span>')
            self.boxes[name] = box
            cells.append(widgets.HBox([swatch, box], layout={"margin": "0 14px 0 0"}))
        cells.append(widgets.HTML(f'<span style="{SWATCH.format("solid", TRUTH)}"></span> truth'))
        self.view.children = cells
        close_all(*old)

    def choose(self, methods):
        """Tick the boxes of these methods and no others.

        Raises
        ------
        ValueError
            If there is none of a name.
        """
        unknown = [name for name in methods if name not in self.boxes]
        if unknown:
            known = ", ".join(self.boxes)
            msg = f"choose: methods are {', '.join(unknown)}, expected among {known}"
            raise ValueError(msg)
        for name, box in self.boxes.items():
            box.value = name in methods
