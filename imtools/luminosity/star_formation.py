"""Mean star formation rate of a halo, from Behroozi+2013, UniverseMachine or a user's table."""

import json
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from os import PathLike
from pathlib import Path

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev
from scipy.interpolate import RegularGridInterpolator

from imtools.luminosity.models import checked_halos

STEP = 0.005  # dex of M and of 1 + z: bilinear log SFR is then good to 1e-3 dex at 1 < z < 8
SFR_SOURCES = ("b13", "um")
_MASKED = -100.0  # the published table writes -1000 where no halo of that mass exists


@dataclass(frozen=True, kw_only=True, eq=False)
class SfrTable:
    """log10 SFR [Msun/yr] on a regular grid of log10 M [Msun] and log10(1 + z)."""

    source: str
    log_sfr: np.ndarray  # shape (log_m.size, log_1pz.size)
    log_m: np.ndarray  # below the first there is no value; above the last, the last is held
    log_1pz: np.ndarray

    @property
    def grid(self):
        """What `interpolate` takes first: values, and start and inverse step of either axis."""
        axes = [(axis[0], (axis.size - 1) / (axis[-1] - axis[0])) for axis in self.axes]
        return self.log_sfr, *axes[0], *axes[1]

    @property
    def axes(self):
        """The two axes of the grid, mass first."""
        return self.log_m, self.log_1pz

    def check(self, m_halo, z, *, caller):
        """Raise where the arrays leave the table: too light a halo, or out of its redshifts."""
        if not m_halo.size:
            return
        slack = 1e-9  # relative: an edge may be off in the last digit
        m_min = 10 ** self.log_m[0]
        if m_halo.min() < m_min * (1 - slack):
            msg = (
                f"{caller}: the lightest halo has {m_halo.min():.4g} Msun, expected at least "
                f"{m_min:.4g} for SFR {self.source!r}; raise m_min"
            )
            raise ValueError(msg)
        low, high = 10 ** self.log_1pz[[0, -1]] - 1
        if z.min() < low - slack or z.max() > high + slack:
            msg = (
                f"{caller}: z spans {z.min():.4g} to {z.max():.4g}, expected {low:.4g} to "
                f"{high:.4g} for SFR {self.source!r}; cull the haloes or choose another SFR"
            )
            raise ValueError(msg)


@njit(cache=True, inline="always")
def interpolate(grid, m_halo, z):
    """Return the bilinear value of a grid at one mass [Msun] and redshift, held at its edges."""
    table, log_m_min, per_log_m, log_1pz_min, per_log_1pz = grid
    x = (np.log10(m_halo) - log_m_min) * per_log_m
    y = (np.log10(1.0 + z) - log_1pz_min) * per_log_1pz
    x = min(max(x, 0.0), table.shape[0] - 1.0)
    y = min(max(y, 0.0), table.shape[1] - 1.0)
    i = min(int(x), table.shape[0] - 2)
    j = min(int(y), table.shape[1] - 2)
    u = x - i
    v = y - j
    low = table[i, j] * (1.0 - v) + table[i, j + 1] * v
    high = table[i + 1, j] * (1.0 - v) + table[i + 1, j + 1] * v
    return low * (1.0 - u) + high * u


@njit(cache=True)
def _log_sfr(grid, m_halo, z):
    log_sfr = np.empty(m_halo.size)
    for i in range(m_halo.size):
        log_sfr[i] = interpolate(grid, m_halo[i], z[i])
    return log_sfr


def star_formation_rate(m_halo, z, *, sfr="b13"):
    """Return the mean star formation rate of haloes.

    Parameters
    ----------
    m_halo : array_like, any shape
        Halo mass [Msun].
    z : array_like
        Redshift, of the shape of `m_halo` or one value.
    sfr : {"b13", "um"} or path
        Behroozi+2013 (all galaxies), UniverseMachine DR1 (star-forming galaxies), or a file that
        `read_sfr_table` reads.

    Returns
    -------
    numpy.ndarray, shape of `m_halo`
        Star formation rate [Msun/yr].

    Raises
    ------
    ValueError
        If a mass lies below, or a redshift outside, what the source covers.

    References
    ----------
    .. [1] Behroozi, Wechsler & Conroy 2013, ApJ 770, 57, arXiv:1207.6105
    .. [2] Behroozi et al. 2019, MNRAS 488, 3143, arXiv:1806.07893

    Examples
    --------
    >>> star_formation_rate([1e11, 1e12], 2.8).round(2)
    array([ 0.56, 68.41])
    """
    m_halo, z = checked_halos(m_halo, z, caller="star_formation_rate")
    table = sfr_table(sfr)
    table.check(m_halo, z, caller="star_formation_rate")
    return 10 ** _log_sfr(table.grid, m_halo.ravel(), z.ravel()).reshape(m_halo.shape)


def sfr_table(sfr):
    """Return the `SfrTable` of "b13", "um" or a path, made once."""
    if sfr in SFR_SOURCES:
        return _behroozi13() if sfr == "b13" else _universe_machine()
    path = Path(sfr) if isinstance(sfr, str | PathLike) else None
    if path is None or not path.is_file():
        known = ", ".join(SFR_SOURCES)
        msg = f"sfr_table: sfr is {sfr!r}, expected {known}, or the path of a table"
        raise ValueError(msg)
    return _user_table(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _behroozi13():
    text = files("imtools").joinpath("tables", "sfr_behroozi13_chebyshev.json").read_text("utf-8")
    fit = json.loads(text)
    log_m, log_1pz = _axes(fit["domain"]["log10M"], fit["domain"]["z"])
    x, y = (2 * (v - v[0]) / (v[-1] - v[0]) - 1 for v in (log_m, log_1pz))
    log_sfr = chebyshev.chebgrid2d(x, y, fit["coefficients"])
    return SfrTable(source="b13", log_sfr=log_sfr, log_m=log_m, log_1pz=log_1pz)


@lru_cache(maxsize=1)
def _universe_machine():
    log_m, log_1pz = _axes((8.0, 16.0), (0.0, 12.0))
    log_sfr = np.log10(universe_machine_sfr(10 ** log_m[:, None], 10**log_1pz - 1))
    return SfrTable(source="um", log_sfr=log_sfr, log_m=log_m, log_1pz=log_1pz)


def universe_machine_sfr(m_halo, z):
    """Return the SFR [Msun/yr] of star-forming galaxies in closed form, UniverseMachine DR1.

    Parameters
    ----------
    m_halo, z : array_like, shapes that broadcast
        Halo mass [Msun] and redshift.

    References
    ----------
    .. [1] Behroozi et al. 2019, MNRAS 488, 3143, arXiv:1806.07893, Appendix H
    """
    z = np.asarray(z, dtype=float)
    a, log_1pz = 1 / (1 + z), np.log(1 + z)
    m_200 = 1.64e12 / ((a / 0.378) ** -0.142 + (a / 0.378) ** -1.79)  # of 200 km/s
    v_peak = 200 * (np.asarray(m_halo, dtype=float) / m_200) ** 0.3  # km/s
    v_turn = 10 ** (2.151 - 1.658 * (1 - a) + 1.680 * log_1pz - 0.233 * z)  # km/s
    epsilon = 10 ** (0.109 - 3.441 * (1 - a) + 5.079 * log_1pz - 0.781 * z)  # Msun/yr
    alpha = -5.598 - 20.731 * (1 - a) + 13.455 * log_1pz - 1.321 * z
    beta = -1.911 + 0.395 * (1 - a) + 0.747 * z
    gamma = 10 ** (-1.699 + 4.206 * (1 - a) - 0.809 * z)
    u = v_peak / v_turn
    bump = gamma * np.exp(-(np.log10(u) ** 2) / (2 * 0.055**2))
    return epsilon * (1 / (u**alpha + u**beta) + bump)


@lru_cache(maxsize=4)
def _user_table(path, modified):
    """Read a table; `modified`, the time of its last change, makes an edited file new."""
    return read_sfr_table(path)


def read_sfr_table(path):
    """Read a table in the published form of Behroozi+2013.

    Parameters
    ----------
    path : str or Path
        Two lines of comment, then columns 1 + z, log10 M [Msun], log10 SFR [Msun/yr] and more that
        are not read, on a full grid of the first two. Where the SFR is masked (-1000) the value
        at the nearest mass of that redshift is held.

    Returns
    -------
    SfrTable
        The table, linear in log10 M and log10(1 + z) between its values.

    Raises
    ------
    ValueError
        If the file is no such table.
    """
    try:
        with warnings.catch_warnings(action="error"):  # an empty file only warns
            columns = np.loadtxt(path, skiprows=2, usecols=(0, 1, 2), ndmin=2).T
    except (ValueError, IndexError, UserWarning) as error:
        msg = f"read_sfr_table: {path} has no three columns of numbers below two lines; {error}"
        raise ValueError(msg) from error
    axes = [np.unique(column) for column in columns[:2]]
    rows = [np.searchsorted(axis, column) for axis, column in zip(axes, columns[:2], strict=True)]
    shape = (axes[0].size, axes[1].size)
    cells = np.unique(np.ravel_multi_index(rows, shape)).size
    if min(shape) < 2 or not cells == columns[2].size == shape[0] * shape[1]:
        msg = (
            f"read_sfr_table: {path} has {columns[2].size} rows, {cells} of them distinct; "
            f"expected one for each of {shape[0]} redshifts and {shape[1]} masses; fill the grid"
        )
        raise ValueError(msg)
    values = np.empty(shape)
    values[tuple(rows)] = columns[2]
    held = np.stack([_hold(row, path) for row in values])
    linear = RegularGridInterpolator(
        (np.log10(axes[0]), axes[1]), held, bounds_error=False, fill_value=None
    )
    log_m, log_1pz = _axes(axes[1][[0, -1]], axes[0][[0, -1]] - 1)
    return SfrTable(
        source=str(path), log_sfr=linear((log_1pz, log_m[:, None])), log_m=log_m, log_1pz=log_1pz
    )


def _hold(log_sfr, path):
    """Return one redshift's values with masked ones set to the nearest that is not."""
    valid = np.flatnonzero(log_sfr > _MASKED)
    if not valid.size:
        msg = f"read_sfr_table: {path} has a redshift with no star formation rate; leave it out"
        raise ValueError(msg)
    nearest = np.abs(np.arange(log_sfr.size)[:, None] - valid).argmin(axis=1)
    return log_sfr[valid[nearest]]


def _axes(log_m, z):
    """Return regular axes of log10 M and log10(1 + z) over two ranges, in steps of `STEP`."""
    log_1pz = np.log10(1 + np.asarray(z, dtype=float))
    return [np.linspace(*pair, 1 + int(np.ceil(np.ptp(pair) / STEP))) for pair in (log_m, log_1pz)]
