"""Frequencies and angles out of a FITS header, and the slips that can be mended without a guess."""

import numpy as np
from astropy.wcs import WCSSUB_LATITUDE, WCSSUB_LONGITUDE

from imtools.constants import C_LIGHT, DEG

LINES = (1e9, 5e12)  # Hz, where lines that are mapped have their rest frequency
PREFIXES = {"GHz": 1e9, "MHz": 1e6, "kHz": 1e3}
WIDEST = 10  # highest over lowest frequency of one receiver
NARROWEST = 1e-3  # band over frequency; narrower is one object's line, or a slip of 1e3
CHANGES = (1e-3, 1e-6, 1e-9)  # by which a channel that is too wide may be off
STEP = 1e-3  # deg, over which the size of a pixel is measured
SKEW = 2e-3  # of a pixel, how far a row may leave its declination from one pixel to the next


def read_rest_frequency(header, path, repairs):
    """Return the rest frequency [GHz] in the header, or None; one not in Hz is mended."""
    value = header.get("RESTFRQ", header.get("RESTFREQ"))
    if value is None or value == 0:
        return None
    return _in_hz(value, "RESTFRQ", path, repairs) / 1e9


def _in_hz(value, name, path, repairs):
    """Return a frequency in Hz that may have been stored in GHz, MHz or kHz."""
    low, high = LINES
    if not isinstance(value, int | float) or not value > 0:
        msg = f"{path}: {name} is {value!r}, expected a frequency in Hz; mend the header"
        raise ValueError(msg)
    if low <= value <= high:
        return float(value)
    fitting = [unit for unit, factor in PREFIXES.items() if low <= value * factor <= high]
    if len(fitting) != 1:
        msg = f"{path}: {name} is {value:g} Hz, expected {low:g} to {high:g}; mend the header"
        raise ValueError(msg)
    repairs.append(f"{name} is {value:g}, read as {fitting[0]} where the standard asks for Hz")
    return float(value) * PREFIXES[fitting[0]]


def frequencies(wcs, n_chan, nu_rest, path, repairs):
    """Return the centre of each channel [GHz], in the order of the cube, and the stated width.

    Parameters
    ----------
    wcs : astropy.wcs.WCS
        Of the cube.
    n_chan : int
        How many channels there are.
    nu_rest : float or None
        Rest frequency [GHz]; an axis of velocity or wavelength needs it, or not.
    path : path-like
        File, for messages.
    repairs : list of str
        What had to be mended is appended.

    Returns
    -------
    numpy.ndarray, float
        The width [GHz] is 0 where the header does not give it plainly.

    Raises
    ------
    ValueError
        If the axis is of an unknown kind, or its frequencies are impossible in more than one way.
    """
    spectral = wcs.sub([wcs.wcs.spec + 1])
    kind = str(spectral.wcs.ctype[0])[:4].strip("-")
    if kind == "FREQ":
        n_repairs, step = len(repairs), abs(float(spectral.pixel_scale_matrix[0, 0]))
        freq = _mended(spectral, n_chan, path, repairs)
        return freq / 1e9, step / 1e9 if len(repairs) == n_repairs else 0.0
    values = spectral.all_pix2world(np.arange(n_chan), 0)[0]  # SI
    if kind == "WAVE":
        return C_LIGHT * 1e3 / values / 1e9, 0.0
    beta = values if kind in ("ZOPT", "BETA") else values / (C_LIGHT * 1e3)
    ratio = {  # observed over rest frequency, Greisen et al. 2006, table 3
        "VRAD": 1 - beta,
        "VOPT": 1 / (1 + beta),
        "ZOPT": 1 / (1 + beta),
        "VELO": np.sqrt(np.maximum(1 - beta, 0) / np.maximum(1 + beta, 1e-30)),
    }
    if kind not in ratio:
        msg = f"{path}: spectral axis is {kind}, expected FREQ, WAVE or one of {sorted(ratio)}"
        raise ValueError(msg)
    if nu_rest is None:
        msg = f"{path}: spectral axis is {kind} and RESTFRQ is missing; pass nu_rest= [GHz]"
        raise ValueError(msg)
    repairs.append(f"{kind} axis made into frequencies with the rest frequency {nu_rest:g} GHz")
    return nu_rest * ratio[kind], 0.0


def _mended(spectral, n_chan, path, repairs):
    """Return the frequencies [Hz] of a FREQ axis, with slips of units undone where one way fits."""
    raw = spectral.all_pix2world(np.arange(n_chan), 0)[0]
    reference = float(spectral.wcs.crval[0])
    factor = _in_hz(reference, "CRVAL3", path, repairs) / reference
    freq = raw * factor
    if n_chan == 1 or _plausible(freq):
        return freq
    step, from_reference = float(np.median(np.diff(raw))), freq - reference * factor
    ways = [
        change for change in CHANGES if _plausible(reference * factor + from_reference * change)
    ]
    stated = f"channels are {step * factor:g} Hz wide at {reference * factor:g} Hz"
    if len(ways) == 1:
        repairs.append(f"{stated}, which leaves the band; CDELT3 multiplied by {ways[0]:g}")
        return reference * factor + from_reference * ways[0]
    msg = f"{path}: {stated}, {n_chan} of them; expected a band of 1e-3 to {WIDEST} times the "
    raise ValueError(msg + "frequency; mend CDELT3 if it is off by 1e3, pass freq= [GHz] if not")


def _possible(freq):
    return freq.min() > 0 and freq.max() < WIDEST * freq.min()


def _plausible(freq):
    return _possible(freq) and np.ptp(freq) >= NARROWEST * freq.min()


def sky_offsets(wcs, n_ra, n_dec, path):
    """Return ra and dec of the pixels as angles from a centre, that centre, and a pixel's sides.

    Returns
    -------
    ra, dec : numpy.ndarray
        Offsets [deg], in the order of the cube.
    centre : dict
        ``ra_center``, ``dec_center`` [deg].
    pixel : tuple of float
        Sides of a pixel at the centre [deg].

    Raises
    ------
    ValueError
        If the map is rotated against right ascension and declination.
    """
    sky = wcs.sub([WCSSUB_LONGITUDE, WCSSUB_LATITUDE])
    column, row = sky.wcs.crpix - 1
    if not (-0.5 <= column <= n_ra - 0.5 and -0.5 <= row <= n_dec - 0.5):
        column, row = (n_ra - 1) / 2, (n_dec - 1) / 2
    # a step so small that the projection is straight, yet not lost in the rounding of 360 deg
    step = STEP / np.max(np.abs(sky.pixel_scale_matrix))
    i = np.array([column, column + step, column - step, column, column])
    j = np.array([row, row, row, row + step, row - step])
    lon, lat = sky.all_pix2world(np.column_stack([i, j]), 0).T
    lon = np.unwrap(lon, period=360)
    x, y = (lon - lon[0]) * np.cos(lat[0] * DEG) / (2 * step), lat / (2 * step)
    along, up = np.array([x[1] - x[2], y[1] - y[2]]), np.array([x[3] - x[4], y[3] - y[4]])
    if not abs(along[1]) + abs(up[0]) < SKEW * (abs(along[0]) + abs(up[1])):
        msg = f"{path}: rows turn {along[1]:.3g} deg in declination for {along[0]:.3g} in right "
        raise ValueError(msg + "ascension, expected a map that is not rotated; reproject it")
    centre = {"ra_center": float(lon[0] % 360), "dec_center": float(lat[0])}
    ra, dec = (np.arange(n_ra) - column) * along[0], (np.arange(n_dec) - row) * up[1]
    return ra, dec, centre, (abs(float(along[0])), abs(float(up[1])))
