"""What stands beside the slices: spectra of voxels, and what a map is compressed to."""

import numpy as np

from imtools.plots.luminosity_functions import show_luminosity_function
from imtools.plots.maps import show_spectrum
from imtools.plots.spectra import show_power_spectrum, show_vid
from imtools.plots.style import COLOURS, TRUTH, overlay, panel
from imtools.statistics import power_spectrum, vid

TITLES = {
    "signal": "signal", "sky": "signal and foregrounds", "noise": "noise",
    "observed": "observed", "signal_to_noise": "signal-to-noise",
}  # fmt: skip
LAYER_COLOURS = {"observed": COLOURS[0], "sky": COLOURS[2], "signal": TRUTH}  # bottom to top
PIN_COLOURS = (COLOURS[1], COLOURS[3], COLOURS[4], COLOURS[5], COLOURS[6])
STATISTICS = {"pk": "power spectrum", "vid": "voxels", "counts": "luminosity function"}
N_TEMP_BINS = 30


def show_voxel_spectra(layers, place, pins):
    """Show temperature over frequency of one voxel, or of the field's mean, and of pins.

    Parameters
    ----------
    layers : dict of str to xarray.DataArray
        Cubes by name, dims ("freq", "dec", "ra").
    place : (float, float) or None
        Right ascension and declination [deg] of the pixel whose layers are shown, each in its
        colour; without it, and without pins, the mean over the field.
    pins : list of (float, float)
        Pixels whose last layer is shown, each in its colour of `PIN_COLOURS`.

    Returns
    -------
    holoviews.Overlay
    """
    shown = {n: layers[n] for n in LAYER_COLOURS if n in layers} or dict([*layers.items()][:1])
    last, curves = [*shown.values()][-1], []
    for (ra, dec), colour in zip(pins, PIN_COLOURS, strict=False):
        label = f"{ra:+.3f}, {dec:+.3f} deg"
        curves.append(show_spectrum(last, ra=ra, dec=dec, label=label, colour=colour))
    if place is None and not pins:
        curves.append(show_spectrum(last, label="mean of the field", colour=TRUTH))
    for name, cube in {} if place is None else shown.items():
        look = {"label": TITLES.get(name, name), "colour": LAYER_COLOURS.get(name, TRUTH)}
        curves.append(show_spectrum(cube, ra=place[0], dec=place[1], **look))
    return panel(overlay(curves), wide=True)


def show_statistics(layers, counts, *, clim):
    """Show P(k), the voxel intensity distribution and the luminosity function of a map.

    Parameters
    ----------
    layers : dict of str to xarray.DataArray
        Cubes by name, units uK; signal, sky and observed are shown where they are there.
    counts : xarray.DataArray, dims ("log_l",), or None
        Sources in bins of luminosity, where they are known.
    clim : (float, float)
        Range of temperatures [uK]; voxels are counted from a hundredth of its end to three times.

    Returns
    -------
    dict of str to holoviews.Overlay
        ``pk``, ``vid``, and where there are counts ``counts``; a map without power or without
        voxels in the bins has no line.

    Notes
    -----
    For P(k) a voxel without data counts as 0 uK; for the voxels' distribution it does not count.
    """
    shown = {n: layers[n] for n in LAYER_COLOURS if n in layers} or layers
    edges = np.geomspace(clim[1] / 100, 3 * clim[1], N_TEMP_BINS + 1)
    panels = {"pk": [], "vid": []}
    for name, cube in shown.items():
        look = {"label": TITLES.get(name, name), "colour": LAYER_COLOURS.get(name, TRUTH)}
        pk, voxels = power_spectrum(_filled(cube, 0.0)), _voxel_counts(cube, edges)
        if (pk > 0).any():
            panels["pk"].append(show_power_spectrum(pk, **look))
        if (voxels > 0).any():
            panels["vid"].append(show_vid(voxels, **look))
    if counts is not None and (counts > 0).any():
        panels["counts"] = [show_luminosity_function(counts, label="sources in the field")]
    return {
        name: panel(overlay(parts), title=STATISTICS[name], logx=name != "counts", logy=True,
                    legend="bottom_left")
        for name, parts in panels.items() if parts
    }  # fmt: skip


def _voxel_counts(cube, edges):
    """Return how many voxels with data lie in each bin above the mean of them all."""
    if _is_whole(cube):
        return vid(cube, temp_edges=edges)
    above = cube.copy(data=cube.values - np.nanmean(cube.values))
    return vid(_filled(above, 2 * edges[-1]), temp_edges=edges, subtract_mean=False)


def _filled(cube, value):
    return cube if _is_whole(cube) else cube.fillna(value)


def _is_whole(cube):
    return np.isfinite(cube.values.sum(dtype=float))
