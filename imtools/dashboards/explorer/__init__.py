"""The map explorer: slices, spectra and statistics of a map, and the knobs that make it."""

from imtools.dashboards.explorer.explorer import MapExplorer
from imtools.dashboards.explorer.viewer import MapViewer

__all__ = ["MapExplorer", "MapViewer"]
