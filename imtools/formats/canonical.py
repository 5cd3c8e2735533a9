"""What every reader ends in: one Dataset on an even grid, axes ascending, temperatures in uK.

`brightness_temperature` and `sigma_noise` are NaN where `mask` is true, so that no voxel without
data passes for a measurement; `fill_masked` makes the cube that statistics and networks take.
"""

import json
import warnings

import numpy as np
import xarray as xr

from imtools import __version__

DIMS = ("freq", "dec", "ra")
LABELS = {
    "brightness_temperature": ("uK", "brightness temperature"),
    "sigma_noise": ("uK", "noise per voxel"),
    "hits": ("1", "number of samples in a voxel"),
    "mask": ("1", "voxel without data"),
}
AXES = {
    "freq": {
        "units": "GHz", "long_name": "observed frequency", "standard_name": "radiation_frequency",
    },
    "dec": {"units": "deg", "long_name": "declination offset"},
    "ra": {"units": "deg", "long_name": "right ascension offset"},
}  # fmt: skip
UNEVEN = 0.02  # of a voxel, by how much a value may lie off an even axis (rounding to float32)
SQUARE = 1e-4  # pixels whose sides differ by less, relatively, are square but for rounding
NEARLY_SQUARE = 0.01  # by less than this, they are taken as square, and it is said


def map_dataset(fields, *, freq, dec, ra, nu_rest, path, attrs=None, repairs=(), widths=None):
    """Return a map from outside as one canonical Dataset.

    Parameters
    ----------
    fields : dict of numpy.ndarray, shape (n_freq, n_dec, n_ra)
        ``brightness_temperature`` [uK] and, where known, ``sigma_noise`` [uK], ``hits``, ``mask``.
    freq : numpy.ndarray
        Channel centres [GHz] in the order of the arrays: any order, and twice where two sidebands
        overlap, whose channels are then averaged with their noise as weight.
    dec, ra : numpy.ndarray
        Offsets of pixel centres [deg of a great circle], rising or falling.
    nu_rest : float
        Rest frequency [GHz].
    path : path-like
        File they come from, for messages.
    attrs : dict, optional
        Kept on the Dataset and its cube.
    repairs : list of str
        What a reader had to guess; warned of, and kept as JSON in ``attrs["repairs"]``.
    widths : dict, optional
        Width of a voxel along an axis that has one voxel only.

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")

    Raises
    ------
    ValueError
        If shapes disagree, an axis is not even, or every voxel is masked.
    """
    axes = {"freq": np.asarray(freq), "dec": np.asarray(dec), "ra": np.asarray(ra)}
    _check_axes(fields, axes, path)
    if not nu_rest > axes["freq"].max():
        msg = f"{path}: rest frequency is {nu_rest:g} GHz, below channels at {axes['freq'].max():g}"
        raise ValueError(msg + " GHz; expected a redshifted line; pass nu_rest= [GHz]")
    fields = with_mask(fields)
    for number, name in enumerate(DIMS):
        order = np.argsort(axes[name], kind="stable")
        axes[name] = axes[name][order]
        fields = {key: values.take(order, number) for key, values in fields.items()}
    axes["freq"], fields = _merge_channels(axes["freq"], fields)
    if fields["mask"].all():
        msg = f"{path}: all {fields['mask'].size} voxels are masked (no hits, noise 0 or NaN); "
        raise ValueError(msg + "expected some with data")
    grid = {name: even_axis(values, name, path, widths) for name, values in axes.items()}
    repairs = list(repairs)
    grid["ra"] = _square(*grid["ra"], grid["dec"][1], repairs)
    if repairs:
        warnings.warn(f"{path}: {'; '.join(repairs)}", UserWarning, stacklevel=3)
    return _labelled(fields, grid, nu_rest, dict(attrs or {}), repairs)


def _check_axes(fields, axes, path):
    for name, values in axes.items():
        if values.ndim != 1 or values.size == 0 or not np.all(np.isfinite(values)):
            msg = f"{path}: {name} has shape {values.shape} or values that are not finite; "
            raise ValueError(msg + "expected a list of finite numbers")
    if not np.all(axes["freq"] > 0):
        zero = "all 0" if not np.any(axes["freq"]) else f"down to {axes['freq'].min():g} GHz"
        msg = f"{path}: frequencies are {zero}, expected above 0; pass freq=, channel centres [GHz]"
        raise ValueError(msg)
    shape = tuple(axes[name].size for name in DIMS)
    for name, values in fields.items():
        if values.shape != shape:
            msg = f"{path}: {name} has shape {values.shape}, expected {shape} (freq, dec, ra)"
            raise ValueError(msg)


def with_mask(fields):
    """Return `fields` with every voxel masked that has no data, and nothing left of it.

    Bad are a temperature or noise that is not finite, a noise of 0 or below, and no hits.
    """
    temp = fields["brightness_temperature"]
    mask = ~np.isfinite(temp)
    if "mask" in fields:
        mask |= fields["mask"].astype(bool)
    if "sigma_noise" in fields:
        mask |= ~(np.isfinite(fields["sigma_noise"]) & (fields["sigma_noise"] > 0))
    if "hits" in fields:
        mask |= ~(np.isfinite(fields["hits"]) & (fields["hits"] > 0))
    empty = {"brightness_temperature": np.nan, "sigma_noise": np.nan, "hits": 0}
    clean = {
        name: np.where(mask, np.asarray(empty[name], dtype=values.dtype), values)
        for name, values in fields.items()
        if name != "mask"
    }
    return clean | {"mask": mask}


def coadd(parts):
    """Return the average of maps of the same voxels, weighted by 1 / sigma_noise^2.

    Parameters
    ----------
    parts : iterable of dict of numpy.ndarray
        Maps as `with_mask` returns them. Without noise the hits are the weight, else each map
        counts the same. It is read once, so maps may be made one at a time.
    """
    total, weight, hits, dtype, noisy = 0.0, 0.0, 0, None, True
    for part in parts:
        temp, seen = part["brightness_temperature"], ~part["mask"]
        noisy = "sigma_noise" in part
        w = np.zeros(temp.shape)
        w[seen] = 1 / part["sigma_noise"][seen].astype(float) ** 2 if noisy else 1.0
        if not noisy and "hits" in part:
            w[seen] = part["hits"][seen]
        total, weight = total + w * np.where(seen, temp, 0), weight + w
        hits, dtype = (hits + part["hits"] if "hits" in part else None), temp.dtype
    mask = weight == 0
    safe = np.where(mask, np.nan, weight)
    fields = {"brightness_temperature": (total / safe).astype(dtype), "mask": mask}
    fields |= {"sigma_noise": (1 / np.sqrt(safe)).astype(dtype)} if noisy else {}
    return fields | ({"hits": hits} if hits is not None else {})


def _merge_channels(freq, fields):
    """Average channels of the same frequency; `freq` is ascending."""
    rounding = max(4 * np.finfo(freq.dtype).eps, 1e-9) if freq.dtype.kind == "f" else 0
    first = np.flatnonzero(np.r_[True, np.diff(freq) > rounding * freq[1:]])
    if first.size == freq.size:
        return freq, fields
    ends = np.r_[first[1:], freq.size]
    groups = [
        coadd({name: values[i] for name, values in fields.items()} for i in range(low, high))
        for low, high in zip(first, ends, strict=True)
    ]
    return freq[first], {name: np.stack([group[name] for group in groups]) for name in groups[0]}


def even_axis(values, name, path, widths=None):
    """Return an axis free of rounding, and the width of a voxel along it.

    Raises
    ------
    ValueError
        If the steps differ (a gap, or channels of two widths), or there is one value, no width.
    """
    unit = AXES[name]["units"]
    values = np.asarray(values, dtype=float)
    if values.size == 1:
        width = float((widths or {}).get(name, 0.0))
        if not width > 0:
            msg = f"{path}: {name} has one value and no width; expected two, or the edges"
            raise ValueError(msg)
        return values, width
    steps = np.diff(values)
    typical = float(np.median(steps))
    even = np.linspace(values[0], values[-1], values.size)
    if typical == 0 or np.max(np.abs(values - even)) > UNEVEN * typical:
        worst = int(np.argmax(np.abs(steps - typical)))
        msg = (
            f"{path}: {name} steps by {steps[worst]:.6g} {unit} at {values[worst]:.6g}, elsewhere "
            f"by {typical:.6g}; expected an even axis without gaps; re-grid the map"
        )
        raise ValueError(msg + (", or pass freq=" if name == "freq" else ""))
    return even, (values[-1] - values[0]) / steps.size


def _square(ra, width, height, repairs):
    """Return the right ascensions with the pixels made square, where they are so but for little.

    cos(dec) varies by more over a field, which a flat sky neglects.
    """
    unequal = abs(width / height - 1)
    if unequal > NEARLY_SQUARE:
        return ra, width
    if unequal > SQUARE:
        repairs.append(f"pixels are {width:.6g} deg in ra, {height:.6g} in dec, taken as square")
    middle = (ra[0] + ra[-1]) / 2
    return (ra if width == height else middle + (ra - middle) * (height / width)), height


def _labelled(fields, grid, nu_rest, attrs, repairs):
    coords = {
        name: (name, values, AXES[name] | {"width": float(width)})
        for name, (values, width) in grid.items()
    }
    z = nu_rest / grid["freq"][0] - 1
    coords["z"] = ("freq", z, {"units": "1", "long_name": "redshift"})
    data = {
        name: (DIMS, fields[name], {"units": units, "long_name": label})
        for name, (units, label) in LABELS.items()
        if name in fields
    }
    if repairs:
        attrs["repairs"] = json.dumps(repairs)
    dataset = xr.Dataset(data, coords=coords, attrs=attrs | {"imtools_version": __version__})
    cube = dataset["brightness_temperature"].attrs
    cube |= attrs | {"nu_rest": float(nu_rest)}
    if "sigma_noise" in fields:
        seen = fields["sigma_noise"][~fields["mask"]].astype(float)
        cube["sigma_noise"] = float(np.sqrt(np.mean(seen**2)))  # as observing.add_noise says it
    return dataset


def fill_masked(dataset, *, fill="zero"):
    """Return the cube of a map without NaN, as statistics and networks need it.

    Parameters
    ----------
    dataset : xarray.Dataset
        Map from `open_map`; dims ("freq", "dec", "ra"), a ``sample`` may stand in front.
    fill : {"zero", "channel_mean"}
        What a masked voxel gets: 0 uK, which is the mean of a map whose mean was subtracted, or
        the mean of the voxels of its channel that have data (of the whole map, if none has).

    Returns
    -------
    xarray.DataArray, units uK
        ``attrs["masked_share"]`` is the share of voxels filled, ``attrs["fill"]`` how.

    Raises
    ------
    ValueError
        If `fill` is unknown, every voxel is masked, or one without data is not.
    """
    cube = dataset["brightness_temperature"]
    empty = xr.zeros_like(cube, dtype=bool)
    mask = dataset["mask"].astype(bool) if "mask" in dataset else empty
    if mask.all():
        msg = f"fill_masked: all {mask.size} voxels are masked; expected some with data"
        raise ValueError(msg)
    seen = cube.where(~mask)
    if fill == "zero":
        value = 0.0
    elif fill == "channel_mean":
        value = seen.mean(["dec", "ra"]).fillna(seen.mean(DIMS))
    else:
        msg = f"fill_masked: fill is {fill!r}, expected 'zero' or 'channel_mean'"
        raise ValueError(msg)
    filled = xr.where(mask, value, cube).astype(cube.dtype)
    n_bad = int((~np.isfinite(filled)).sum())
    if n_bad:
        msg = f"fill_masked: {n_bad} of {filled.size} voxels are NaN or infinite and not masked"
        raise ValueError(msg + "; mask them")
    filled.attrs = cube.attrs | {"masked_share": float(mask.mean()), "fill": fill}
    return filled.rename(cube.name)
