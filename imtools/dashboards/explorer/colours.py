"""What the colours of maps stand for: a range that stays until someone changes it."""

import ipywidgets as widgets
import xarray as xr

from imtools.dashboards.closing import close_all
from imtools.plots.maps import colour_range

ENOUGH = 1_000_000  # voxels
MODES = ("robust", "percentile", "manual", "locked")
HELP = {
    "robust": "0.2 % of the voxels are brighter than the last colour",
    "percentile": "as robust, with a share of voxels of one's own",
    "manual": "from one temperature to another",
    "locked": "as it is now, whatever is shown",
}


class ColourControls:
    """One range of temperature for all panels, or one for each layer; never one a slice.

    Parameters
    ----------
    on_change : callable
        Called without arguments when the range has changed.
    """

    def __init__(self, on_change):
        self._on_change = on_change
        self._locked, self._known = {}, {}
        narrow = {"layout": {"width": "150px"}, "style": {"description_width": "70px"}}
        self.mode = widgets.Dropdown(options=MODES, description="colours", **narrow)
        self.mode.tooltip = "; ".join(f"{name}: {text}" for name, text in HELP.items())
        self.percent = widgets.BoundedFloatText(
            99.8, min=50, max=100, step=0.1, description="percent", **narrow
        )
        self.low = widgets.FloatText(0.0, description="low [uK]", **narrow)
        self.high = widgets.FloatText(1.0, description="high [uK]", **narrow)
        self.shared = widgets.Checkbox(
            True, description="same in all panels", indent=False, layout={"width": "160px"}
        )
        self.view = widgets.HBox([self.mode, self.percent, self.low, self.high, self.shared])
        for control in (self.mode, self.percent, self.low, self.high, self.shared):
            control.observe(self._changed, "value")
        self._enable()

    def ranges(self, layers):
        """Return the (low, high) of each layer, by name.

        Parameters
        ----------
        layers : dict of str to xarray.DataArray
            All that is shown; the range is that of whole cubes, so that channels compare.

        Raises
        ------
        ValueError
            If the range is given by hand and low is not below high.
        """
        mode = self.mode.value
        if mode == "locked":
            return {name: self._locked.get(name) or self._found(layers)[name] for name in layers}
        found = self._found(layers)
        if mode == "manual":
            low, high = self.low.value, self.high.value
            if not low < high:
                msg = f"colours: low is {low:g} uK and high {high:g} uK, expected low below high"
                raise ValueError(msg)
            found |= {n: (low, high) for n, c in layers.items() if c.attrs["units"] == "uK"}
        self._locked = found
        return found

    def _found(self, layers):
        """Return ranges from the voxels; they are looked for once for each set of maps."""
        percent = self.percent.value if self.mode.value == "percentile" else 99.8
        key = (tuple((name, id(cube)) for name, cube in layers.items()), percent)
        if self._known.get("key") != key:
            each = {n: colour_range(_some(cube), percent=percent) for n, cube in layers.items()}
            self._known = {"key": key, "each": each}
        each = dict(self._known["each"])
        if self.shared.value:
            warm = [name for name, cube in layers.items() if cube.attrs["units"] == "uK"]
            high = max(each[name][1] for name in warm)
            low = max(min(each[name][0] for name in warm), -high / 3)
            each |= dict.fromkeys(warm, (low, high))
        return each

    def set(self, mode, *, percent=None, low=None, high=None, shared=None):
        """Choose the range as the controls do; see `MODES`."""
        if mode not in MODES:
            msg = f"colours: mode is {mode!r}, expected one of {', '.join(MODES)}"
            raise ValueError(msg)
        new = {"percent": percent, "low": low, "high": high, "shared": shared}
        quiet, self._on_change = self._on_change, lambda: None
        try:
            self.mode.value = mode
            for name, value in new.items():
                if value is not None:
                    getattr(self, name).value = value
        finally:
            self._on_change = quiet
        self._on_change()

    def _changed(self, change):
        if change["owner"] is self.mode and change["new"] == "manual" and self._locked:
            self._start_by_hand()
        self._enable()
        self._on_change()

    def _start_by_hand(self):
        """Let the range by hand begin as the range that is shown."""
        low, high = next(iter(self._locked.values()))
        quiet, self._on_change = self._on_change, lambda: None
        try:
            self.low.value, self.high.value = round(low, 3), round(high, 3)
        finally:
            self._on_change = quiet

    def _enable(self):
        """Show the numbers that the mode has a use for."""
        for control, mode in (
            (self.percent, "percentile"),
            (self.low, "manual"),
            (self.high, "manual"),
        ):
            control.layout.display = "" if self.mode.value == mode else "none"
        self.shared.disabled = self.mode.value in ("manual", "locked")

    def close(self):
        """Take the controls off the page, and forget the maps."""
        self._known, self._locked = {}, {}
        close_all(self.view)


def _some(cube):
    """Return the voxels of a map, of a large one a million, evenly spread: enough for a range."""
    step = cube.size // ENOUGH | 1  # odd, so that it goes through all columns of a map
    return xr.DataArray(cube.values.ravel()[::step], dims="voxel", attrs=cube.attrs)
