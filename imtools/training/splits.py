"""One catalogue, one side: what was learnt from is never what is scored."""

import hashlib

import numpy as np


def check_splits(**sides):
    """Raise if two sides of a split share a catalogue, by its name or by what it holds.

    Parameters
    ----------
    **sides : xarray.Dataset
        Data sets by the name of their side (``train``, ``validation``, ``test``): variable ``map``
        (sample, freq, dec, ra) and, on ``sample``, the coordinate ``catalogue``. Where there is a
        coordinate ``halo_hash`` too, haloes that were given another name are found as well.

    Raises
    ------
    ValueError
        If a catalogue, a set of haloes or a map is on two sides.

    Notes
    -----
    Maps of one catalogue share their haloes, so a network that saw one of them knows part of the
    next; scores of such a split are too good.
    """
    for label, keys in (
        ("catalogue", _catalogues),
        ("haloes of catalogue", _halo_hashes),
        ("map of catalogue", content_hashes),
    ):
        _check_disjoint(label, {side: keys(data) for side, data in sides.items()})


def content_hashes(data):
    """Return a dict from the SHA-256 of each map's values to the catalogue it belongs to."""
    maps, catalogues = data["map"], data["catalogue"].values
    each = (np.ascontiguousarray(one.values.astype("<f4", copy=False)) for one in maps)
    return {
        hashlib.sha256(one.tobytes()).hexdigest(): _plain(name)
        for one, name in zip(each, catalogues, strict=True)
        if one.any()  # blank maps are equal without being copies
    }


def _catalogues(data):
    return {_plain(name): _plain(name) for name in data["catalogue"].values}


def _halo_hashes(data):
    if "halo_hash" not in data.coords:
        return {}
    pairs = zip(data["halo_hash"].values, data["catalogue"].values, strict=True)
    return {str(digest): _plain(name) for digest, name in pairs}


def _plain(name):
    return name.item() if isinstance(name, np.generic) else name


def _check_disjoint(label, keys):
    """Raise where a key of one side is a key of another; `keys` maps side to {key: catalogue}."""
    seen = {}
    for side, of_side in keys.items():
        for key, catalogue in of_side.items():
            if key in seen:
                other, there = seen[key]
                msg = (
                    f"check_splits: {label} {catalogue!r} is in {side} and, as {there!r}, in "
                    f"{other}; expected each catalogue on one side, so split by catalogue"
                )
                raise ValueError(msg)
        seen |= {key: (side, catalogue) for key, catalogue in of_side.items()}
