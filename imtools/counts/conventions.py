"""Counts, cumulative counts and densities of sources, turned into one another and back."""

import numpy as np

from imtools.counts.sources import CONVENTIONS, check_convention, labelled, log_l_edges


def cumulate(dn):
    """Return N(>L) at each bin's lower edge; sources above the last edge are left out."""
    check_convention(dn, "dn", caller="cumulate")
    backwards = dn.isel(log_l=slice(None, None, -1)).cumsum("log_l")
    total = backwards.isel(log_l=slice(None, None, -1)).transpose(*dn.dims)
    return labelled(dn.copy(data=total.data), "n_cumulative")


def differentiate(n_cumulative, *, clip=False):
    """Return dN from N(>L), the inverse of `cumulate`.

    Parameters
    ----------
    n_cumulative : xarray.DataArray, dims (..., "log_l"), units 1
        Convention "n_cumulative"; a prediction need not fall with luminosity.
    clip : bool
        Set negative counts to zero.

    Returns
    -------
    xarray.DataArray, dims and coordinates of the input, units 1
        Convention "dn". ``attrs["n_negative"]`` is the number of bins below zero (before the clip),
        which a prediction of N(>L) that rises somewhere has.
    """
    check_convention(n_cumulative, "n_cumulative", caller="differentiate")
    n_next = n_cumulative.shift(log_l=-1, fill_value=0.0)
    values = n_cumulative.data - n_next.data
    dn = n_cumulative.copy(data=np.maximum(values, 0.0) if clip else values)
    return labelled(dn, "dn").assign_attrs(n_negative=int((values < 0).sum()))


def to_phi(dn, volume):
    """Return phi = dn/dlog10 L [Mpc-3 dex-1] of counts in `volume` [Mpc^3], kept in attrs."""
    check_convention(dn, "dn", caller="to_phi")
    volume = _checked_volume(dn, volume, "to_phi")
    phi = dn.copy(data=dn.data / (volume * np.diff(log_l_edges(dn))))
    return labelled(phi, "phi").assign_attrs(volume=volume)


def from_phi(phi, volume=None):
    """Return dN in `volume` [Mpc^3], by default the one that `to_phi` kept in attrs."""
    check_convention(phi, "phi", caller="from_phi")
    volume = _checked_volume(phi, volume, "from_phi")
    dn = labelled(phi.copy(data=phi.data * (volume * np.diff(log_l_edges(phi)))), "dn")
    return dn.assign_attrs(volume=volume)


def to_l_phi(phi):
    """Return L phi [Lsun Mpc-3 dex-1], the luminosity density per dex, from phi."""
    check_convention(phi, "phi", caller="to_l_phi")
    return labelled(phi.copy(data=phi.data * 10 ** phi["log_l"].values), "l_phi")


def from_l_phi(l_phi):
    """Return phi [Mpc-3 dex-1] from L phi."""
    check_convention(l_phi, "l_phi", caller="from_l_phi")
    return labelled(l_phi.copy(data=l_phi.data / 10 ** l_phi["log_l"].values), "phi")


def to_dn_dl(phi, *, h=0.7):
    """Return dn/dL [Lsun-1 (Mpc/h)-3], its mean over each bin, as Ihle et al. 2019 count.

    Parameters
    ----------
    phi : xarray.DataArray, dims (..., "log_l"), units Mpc-3 dex-1
        Convention "phi".
    h : float
        H0 / (100 km/s/Mpc) of the cosmology in which phi was counted, kept in attrs.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487
    """
    check_convention(phi, "phi", caller="to_dn_dl")
    return labelled(phi.copy(data=phi.data * _per_lsun(phi, h)), "dn_dl").assign_attrs(h=h)


def from_dn_dl(dn_dl, *, h=None):
    """Return phi [Mpc-3 dex-1] from dn/dL; `h` is by default that which `to_dn_dl` kept."""
    check_convention(dn_dl, "dn_dl", caller="from_dn_dl")
    h = dn_dl.attrs.get("h") if h is None else h
    if h is None or not 0 < h < np.inf:
        msg = f"from_dn_dl: h is {h}, expected > 0; pass h, or set attrs['h'], of the cosmology"
        raise ValueError(msg)
    return labelled(dn_dl.copy(data=dn_dl.data / _per_lsun(dn_dl, h)), "phi")


# Each convention but dn stands one step from another: the way to it, and the way back.
_STEPS = {
    "n_cumulative": ("dn", cumulate, differentiate),
    "phi": ("dn", to_phi, from_phi),
    "l_phi": ("phi", to_l_phi, from_l_phi),
    "dn_dl": ("phi", to_dn_dl, from_dn_dl),
}


def convert(lf, to, volume=None):
    """Return a luminosity function in another convention.

    Parameters
    ----------
    lf : xarray.DataArray, dims (..., "log_l")
        ``attrs["convention"]`` says what it holds.
    to : {"dn", "n_cumulative", "phi", "l_phi", "dn_dl"}
        What is wanted; "dn_dl" takes the h of COMAP's mocks, `to_dn_dl` any other.
    volume : float, optional
        Comoving volume that was counted [Mpc^3]; needed between numbers and densities, unless
        ``attrs["volume"]`` holds it.

    Raises
    ------
    ValueError
        If a convention is unknown, or volume or h is needed and missing.

    Examples
    --------
    >>> from imtools.counts import count_sources
    >>> dn = count_sources([2e4, 3e4, 5e5], edges=[1e4, 1e5, 1e6])
    >>> convert(dn, "n_cumulative").values
    array([3., 1.])
    >>> convert(dn, "phi", volume=100.0).values
    array([0.02, 0.01])
    """
    here = lf.attrs.get("convention")
    for name in (here, to):
        if name not in CONVENTIONS:
            msg = f"convert: convention is {name!r}, expected one of {', '.join(CONVENTIONS)}"
            raise ValueError(msg)
    up, down = _way_to_dn(here), _way_to_dn(to)
    while up and down and up[-1] == down[-1]:  # meet before dn where both pass the same place
        up.pop(), down.pop()
    for name in up:
        back = _STEPS[name][2]
        lf = back(lf, volume) if name == "phi" else back(lf)
    for name in reversed(down):
        there = _STEPS[name][1]
        lf = there(lf, volume) if name == "phi" else there(lf)
    return lf


def _way_to_dn(convention):
    """Return the conventions passed on the way to dN, this one first and dN left out."""
    way = []
    while convention != "dn":
        way.append(convention)
        convention = _STEPS[convention][0]
    return way


def _per_lsun(lf, h):
    """Return the factor from phi to dn/dL in (Mpc/h)^-3, per bin."""
    edges = log_l_edges(lf)
    return np.diff(edges) / np.diff(10**edges) / h**3


def _checked_volume(lf, volume, caller):
    volume = lf.attrs.get("volume") if volume is None else volume
    if volume is None or not 0 < volume < np.inf:
        msg = f"{caller}: volume is {volume} Mpc^3, expected > 0; pass Survey.volume"
        raise ValueError(msg)
    return float(volume)
