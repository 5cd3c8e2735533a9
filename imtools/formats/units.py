"""Temperatures in uK from whatever unit a file states."""

import numpy as np
from astropy import units as u

ALIASES = {"K_RJ": "K", "microK": "uK", "muK": "uK", "µK": "uK", "μK": "uK"}
AXIS_ALIASES = {  # CF's ways to write a degree and a hertz
    "degrees": "deg", "degree_north": "deg", "degrees_north": "deg", "degree_east": "deg",
    "degrees_east": "deg", "s-1": "Hz",
}  # fmt: skip


def uk_per_unit(units, *, path, freq=None, beam_area=None, pixel_area=None):
    """Return by what a map is multiplied to be in uK.

    Parameters
    ----------
    units : str
        A temperature (K, mK, uK) of the Rayleigh-Jeans law, or an intensity (Jy/sr, MJy/sr,
        Jy/beam, Jy/pixel).
    path : path-like
        File, for messages.
    freq : numpy.ndarray, optional
        Frequency of each channel [GHz]; intensities need it.
    beam_area, pixel_area : float, optional
        Solid angle of the beam and a pixel [sr]; Jy/beam and Jy/pixel need them.

    Returns
    -------
    float, or numpy.ndarray of shape (n_freq, 1, 1)

    Raises
    ------
    ValueError
        If there is no unit, it is unknown, or what a conversion needs is missing.

    Examples
    --------
    >>> uk_per_unit("mK", path="map.fits")
    1000.0
    """
    text = str(units or "").split("(")[0].strip()
    if not text:
        msg = f"{path}: the map states no unit, expected K, uK or Jy/sr; pass units="
        raise ValueError(msg)
    unit = _parse(ALIASES.get(text, text), path)
    if unit.is_equivalent(u.K):
        return float(unit.to(u.K)) * 1e6  # in this order a map in uK comes back unrounded
    for per, area, name in ((u.beam, beam_area, "beam"), (u.pix, pixel_area, "pixel")):
        if (unit * per).is_equivalent(u.Jy):
            if not area:
                msg = f"{path}: unit is {text} and the file tells no {name} area; convert to K"
                raise ValueError(msg)
            unit = u.Unit(unit * per / (area * u.sr))
    if freq is None or not unit.is_equivalent(u.Jy / u.sr):
        msg = f"{path}: unit is {text!r}, expected K, mK, uK, Jy/sr, Jy/beam or Jy/pixel; convert"
        raise ValueError(msg)
    per_channel = (1 * unit).to(u.uK, u.brightness_temperature(np.asarray(freq) * u.GHz))
    return np.asarray(per_channel.value).reshape(-1, 1, 1)


def _parse(text, path):
    try:
        return u.Unit(text)
    except (ValueError, TypeError):
        msg = f"{path}: unit is {text!r}, expected K, mK, uK, Jy/sr, Jy/beam or Jy/pixel; pass "
        raise ValueError(msg + "units=") from None


def axis_factor(units, name, path):
    """Return by what an axis is multiplied to be in GHz (``freq``) or degrees.

    Raises
    ------
    ValueError
        If the unit is missing or of another kind.
    """
    wanted = u.GHz if name == "freq" else u.deg
    try:
        return float(u.Unit(AXIS_ALIASES.get(units, units)).to(wanted))
    except (ValueError, TypeError, u.UnitConversionError):
        msg = f"{path}: unit of {name} is {units!r}, expected {wanted}; set its attribute units"
        raise ValueError(msg) from None
