"""The sum of what shines in a field: signal, interlopers and foregrounds."""

import json

import numpy as np

from imtools.survey import check_cube

_DESCRIPTIONS = ("component", "rms", "slope", "beta", "n_sources", "luminosity_model", "n_inside")


def add_emission(signal, *others):
    """Add cubes of one grid of voxels.

    Parameters
    ----------
    signal : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        The line's own map.
    *others : xarray.DataArray, dims ("freq", "dec", "ra") or as `signal`, units uK
        Interlopers and foregrounds on the same voxels; one without "sample" is added to every map.

    Returns
    -------
    xarray.DataArray, dims and dtype as `signal`, units uK
        New cube with the attributes of `signal`; ``attrs["components"]`` lists, as JSON, what was
        added to it and with which parameters.

    Raises
    ------
    ValueError
        If a cube breaks the map conventions, or lies on other voxels than `signal`.

    Notes
    -----
    Plain ``signal + other`` drops voxels whose coordinates differ in the last digit, and keeps the
    attributes of one cube for the sum.
    """
    for cube in (signal, *others):
        check_cube(cube, caller="add_emission")
    total = signal.copy(deep=True)
    components = json.loads(signal.attrs.get("components", "[]"))
    for other in others:
        _check_voxels(signal, other)
        total.data += other.values
        found = {name: other.attrs[name] for name in _DESCRIPTIONS if name in other.attrs}
        components.append({"component": "unknown"} | found)
    total.attrs["components"] = json.dumps(components)
    return total


def _check_voxels(signal, other):
    """Raise unless two cubes lie on the same voxels."""
    fits = "sample" not in other.dims or other.sizes["sample"] == signal.sizes.get("sample")
    for name in ("freq", "dec", "ra"):
        ours, theirs = signal[name].values, other[name].values
        # to a thousandth of a voxel
        step = abs(ours[1] - ours[0]) if ours.size > 1 else signal[name].attrs.get("width", 1.0)
        same = ours.size == theirs.size and np.allclose(ours, theirs, rtol=0, atol=1e-3 * step)
        fits = fits and same
    if not fits:
        msg = (
            f"add_emission: {other.attrs.get('component', 'a cube')} lies on {dict(other.sizes)} "
            f"voxels, expected those of the signal, {dict(signal.sizes)}, at the same places; "
            "make it for the same survey"
        )
        raise ValueError(msg)
