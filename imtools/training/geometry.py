"""What the maps were that a method was fitted on, and whether new ones are alike."""

import numpy as np

from imtools.survey import channel_width, check_cube, pixel_size

UNITS = {"pixel_size": "deg", "channel_width": "GHz", "nu_min": "GHz", "nu_max": "GHz"}


def describe_maps(maps):
    """Return what a method must find again in maps it is given, ready for JSON.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Maps, pooled or not.

    Returns
    -------
    dict
        Shape of one map (freq, dec, ra), pixel size [deg], channel width [GHz], lowest and highest
        channel centre [GHz], and how many voxels were pooled and how.
    """
    check_cube(maps, caller="describe_maps")
    freq = maps["freq"].values
    return {
        "shape": [int(maps.sizes[name]) for name in ("freq", "dec", "ra")],
        "pixel_size": pixel_size(maps),
        "channel_width": channel_width(maps),
        "nu_min": float(freq[0]),
        "nu_max": float(freq[-1]),
        "n_pooled": int(maps.attrs.get("n_pooled", 1)),
        "pooling": str(maps.attrs.get("pooling", "none")),
    }


def check_maps(maps, expected, *, caller):
    """Raise unless `maps` are like those that a method was fitted on.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Maps to infer from.
    expected : dict
        What `describe_maps` said of the training maps.
    caller : str
        Name of the public function that checks, for the message.

    Raises
    ------
    ValueError
        If shape, pixel size, channels or pooling differ, or a voxel is not finite; a map is never
        resized silently.
    """
    check_cube(maps, caller=caller)
    if maps.ndim != 4:
        msg = f"{caller}: dims are {maps.dims}, expected (sample, freq, dec, ra); use expand_dims"
        raise ValueError(msg)
    got = describe_maps(maps)
    for name, value in expected.items():
        if _alike(got[name], value):
            continue
        unit = f" {UNITS[name]}" if name in UNITS else ""
        msg = (
            f"{caller}: {name} of the maps is {_in_words(got[name])}{unit}, expected "
            f"{_in_words(value)}{unit} as in training; pool or cut the maps alike, or train on "
            "maps like these"
        )
        raise ValueError(msg)
    n_bad = int((~np.isfinite(maps)).sum())
    if n_bad:
        msg = f"{caller}: {n_bad} voxels are NaN or infinite, expected none; fill or drop them"
        raise ValueError(msg)


def _alike(got, expected):
    return np.isclose(got, expected, rtol=1e-4) if isinstance(got, float) else got == expected


def _in_words(value):
    return f"{value:.6g}" if isinstance(value, float) else value
