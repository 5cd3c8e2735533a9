"""Maps of the COMAP pipeline, in HDF5, of three generations.

| generation | arrays | axes |
|---|---|---|
| A | ``map, rms, nhit`` of each feed; ``map_coadd ...``, in older files ``map_beam ...`` | ``x, y, freq`` |
| A' | ``map, rms, nhit``, already averaged over feeds | ``ra_centers, dec_centers, freq_centers`` |
| B | ``map_coadd, sigma_wn_coadd, nhit_coadd``, or of each feed | those, or ``ra_edges ...``, and ``wcs/`` |

Arrays are (sideband, channel, dec, ra), a feed in front; temperatures in K, angles in degrees on
the sky, frequencies in GHz. Right ascension may fall and a sideband run backwards; a voxel without
data has rms 0, NaN or no hits.
"""  # noqa: E501

import json
from pathlib import Path

import h5py
import numpy as np

from imtools.constants import DEG, NU_CO10
from imtools.formats.canonical import coadd, map_dataset, with_mask
from imtools.formats.hdf5 import open_hdf5, read_array
from imtools.formats.units import uk_per_unit
from imtools.run_folder import first_bytes

COADDED = (  # how the generations call map, noise and hits, averaged over feeds
    ("map_coadd", "rms_coadd", "nhit_coadd"),
    ("map_coadd", "sigma_wn_coadd", "nhit_coadd"),
    ("map_beam", "rms_beam", "nhit_beam"),
)
PLAIN = (("map", "rms", "nhit"), ("map", "sigma_wn", "nhit"))  # of each feed, or A'
CENTRES = {
    "freq": ("freq_centers", "freq"), "dec": ("dec_centers", "y"), "ra": ("ra_centers", "x"),
}  # fmt: skip
FIELDS = ("brightness_temperature", "sigma_noise", "hits")


def is_comap(path):
    """Return whether an HDF5 file holds arrays and axes as the COMAP pipeline names them."""
    with open_hdf5(path) as file:
        return _names(file, COADDED + PLAIN) is not None and any(
            name in file for name in (*CENTRES["ra"], "ra_edges")
        )


def read_comap(path, *, feed=None, freq=None, units="K", nu_rest=NU_CO10):
    """Read a map of the COMAP pipeline.

    Parameters
    ----------
    path : path-like
        HDF5 file of any of the three generations.
    feed : int, optional
        Number of one feed, from 1, instead of the average over feeds.
    freq : numpy.ndarray, optional
        Channel centres [GHz], in place of those in the file; all channels in the file's order.
    units : str
        Unit of map and noise, where the dataset itself states none.
    nu_rest : float
        Rest frequency of the line [GHz].

    Returns
    -------
    xarray.Dataset, dims ("freq", "dec", "ra")
        See `map_dataset`. ``ra`` is the offset times cos(dec), an angle on the sky; the centre of
        the field is in ``attrs``, with ``filter`` (JSON) if the pipeline filtered the map.

    Raises
    ------
    OSError
        If the file is damaged.
    ValueError
        If it is no COMAP map, leads out of itself, or breaks what `map_dataset` asks.

    References
    ----------
    .. [1] Foss et al. 2022, ApJ 933, 184, arXiv:2111.05929 (the pipeline up to the maps)
    .. [2] Lunde et al. 2024, A&A 691, A335, arXiv:2406.07510 (its second generation)
    """
    path = Path(path)
    first_bytes(path, "read_comap", 1)  # says what is wrong with a path
    with open_hdf5(path) as file:
        centre, axes, widths = _sky(file, path)
        fields, stated = _fields(file, path, feed)
        channels, width = _frequencies(file, path, freq, fields["brightness_temperature"].shape)
        attrs = {"format": "COMAP HDF5", "source": path.name} | centre
        attrs |= {"feed": feed} if feed is not None else {}
        if filters := _filters(file):
            attrs["filter"] = json.dumps(filters)
    shape = (channels.size, axes["dec"].size, axes["ra"].size)
    fields = {name: _unfold(values, shape, name, path) for name, values in fields.items()}
    factor = uk_per_unit(stated or units, path=path, freq=channels)
    for name in ("brightness_temperature", "sigma_noise"):
        if name in fields:
            fields[name] = (fields[name] * factor).astype(fields[name].dtype)
    return map_dataset(
        fields, freq=channels, **axes, nu_rest=nu_rest, path=path, attrs=attrs,
        widths=widths | {"freq": width},
    )  # fmt: skip


def _names(file, choices):
    """Return the first triple of names whose map is there, one that has its noise if any has."""
    there = [names for names in choices if names[0] in file]
    return next((n for n in there if n[1] in file), there[0] if there else None)


def _fields(file, path, feed):
    """Return map, noise and hits without a feed axis, and the unit that the map states."""
    names = _names(file, COADDED if feed is None else PLAIN) or _names(file, PLAIN)
    if names is None:
        msg = f"{path}: found {sorted(file)}, expected map_coadd, map_beam or map; it is no "
        raise ValueError(msg + "COMAP map")
    there = {key: name for key, name in zip(FIELDS, names, strict=True) if name in file}
    stated = file[names[0]].attrs.get("units", file[names[0]].attrs.get("unit"))
    stated = stated.decode() if isinstance(stated, bytes) else stated
    shape = file[names[0]].shape
    if len(shape) not in (3, 4, 5) or any(file[name].shape != shape for name in there.values()):
        shapes = {name: file[name].shape for name in there.values()}
        msg = f"{path}: arrays have shapes {shapes}, expected one shape, (sideband, channel, dec, "
        raise ValueError(msg + "ra) with or without feeds in front")

    def part(index):
        return {key: read_array(file, name, path, index) for key, name in there.items()}

    if len(shape) < 5:
        if feed is not None:
            msg = f"{path}: {names[0]} is averaged over feeds, expected one map a feed; leave out "
            raise ValueError(msg + "feed=")
        return part(()), stated
    if feed is not None:
        return part(_feed_index(file, path, feed, shape[0])), stated
    return coadd(with_mask(part(i)) for i in range(shape[0])), stated


def _feed_index(file, path, feed, n_feeds):
    listed = read_array(file, "feeds", path) if "feeds" in file else np.arange(1, n_feeds + 1)
    found = np.flatnonzero(listed == feed)
    if found.size != 1 or found[0] >= n_feeds:
        msg = f"{path}: feed is {feed}, expected one of {listed.tolist()}"
        raise ValueError(msg)
    return int(found[0])


def _sky(file, path):
    """Return the centre of the field, the offsets from it on the sky, and the pixels' sides."""
    dec, dec_width = _axis(file, path, "dec")
    ra, ra_width = _axis(file, path, "ra")
    ra = np.unwrap(ra.astype(float), period=360)  # a field may lie across 0 degrees
    centre = np.array([(ra[0] + ra[-1]) / 2, (dec[0] + dec[-1]) / 2])
    if "patch_center" in file:
        stated = read_array(file, "patch_center", path).astype(float).ravel()
        stated[0] += 360 * np.round((centre[0] - stated[0]) / 360)
        inside = (ra.min() <= stated[0] <= ra.max()) and (dec.min() <= stated[1] <= dec.max())
        centre = stated if inside else centre
    shrink = np.cos(centre[1] * DEG)
    axes = {"dec": dec - centre[1], "ra": (ra - centre[0]) * shrink}
    attrs = {"ra_center": float(centre[0] % 360), "dec_center": float(centre[1])}
    return attrs, axes, {"dec": dec_width, "ra": ra_width * shrink}


def _axis(file, path, name):
    """Return the centres of an axis as the file lists them, and the width where it has edges."""
    edges = f"{name}_edges"
    width, middle = 0.0, None
    if edges in file:
        values = read_array(file, edges, path)
        width = float(np.median(np.abs(np.diff(values, axis=-1))))
        middle = (values[..., 1:] + values[..., :-1]) / 2
    centres = next((key for key in CENTRES[name] if key in file), None)
    if centres is None and middle is None:
        msg = f"{path}: found {sorted(file)}, expected {' or '.join(CENTRES[name])} or {edges}"
        raise ValueError(msg)
    values = read_array(file, centres, path) if centres else middle
    if name != "freq":
        values = values.ravel()
    return values, width


def _frequencies(file, path, freq, shape):
    """Return the centre of every channel in the order of the arrays, and the stated width."""
    channels, width = _axis(file, path, "freq")
    n_channels = int(np.prod(shape[:-2]))
    if freq is not None:
        channels = np.asarray(freq)
    if channels.size != n_channels:
        msg = f"{path}: {channels.size} frequencies for {n_channels} channels; pass freq=, all of "
        raise ValueError(msg + "them [GHz]")
    return channels.ravel(), width


def _unfold(values, shape, name, path):
    """Return an array with its sidebands one after the other."""
    flat = values.reshape(-1, *values.shape[-2:])
    if flat.shape != shape:
        msg = f"{path}: {name} has shape {values.shape}, expected channels, dec and ra {shape}"
        raise ValueError(msg)
    return flat


def _filters(file):
    """Return what the pipeline says it did to the map, in the form of `applied_filters`."""

    def flag(name):
        found = file.get(name)
        return found[()] if isinstance(found, h5py.Dataset) and found.shape == () else None

    done = []
    if flag("is_highpassed"):
        done.append({"name": "highpass"})
    if flag("is_pca_subtr"):
        n_modes = flag("n_pca")
        done.append(
            {"name": "subtract_pca"} | ({} if n_modes is None else {"n_modes": int(n_modes)})
        )
    return done
