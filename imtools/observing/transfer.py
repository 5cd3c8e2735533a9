"""What a filter leaves of the signal: the share of its power, against wavenumber."""

import numpy as np
import xarray as xr

from imtools.survey import check_cube

K_EDGES = np.logspace(-1.5, 0, 21)  # Mpc^-1, 20 bins of Ihle et al. 2019, arXiv:1808.07487
DIRECTIONS = ("k", "k_par", "k_perp")


def transfer_function(filter_map, signal, contaminated, *, survey, k_edges=K_EDGES, along="k"):
    r"""Return the share of the signal's power that a filter keeps.

    Parameters
    ----------
    filter_map : callable
        Takes a cube and returns the filtered one, such as
        ``lambda cube: subtract_polynomial(cube, order=2)``.
    signal : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        The signal alone. A stack is averaged over.
    contaminated : xarray.DataArray, dims and units as `signal`
        The signal with foregrounds and noise: what is filtered.
    survey : imtools.survey.Survey
        Voxels of the maps, and the cosmology that gives their comoving size.
    k_edges : array_like
        Edges of the bins of wavenumber [Mpc^-1].
    along : {"k", "k_par", "k_perp"}
        Wavenumber to bin in: its size, or its part along or across the line of sight.

    Returns
    -------
    xarray.DataArray, dims (`along`,), units 1
        Share kept; the coordinate is the mean wavenumber of the modes in a bin, or the middle of
        the bin where there are none, and ``n_modes`` counts them. NaN where a bin has no mode.

    Raises
    ------
    ValueError
        If the maps break the map conventions or do not fit each other and `survey`, or `along` is
        unknown.

    Notes
    -----
    With S the signal and C what is put on top,

    .. math:: T(k) = \frac{\mathrm{Re} \langle [F(S + C) - F(C)]^* S \rangle}{\langle |S|^2 \rangle}

    A linear filter gives the same without C. If it is a projection, such as a polynomial fit, T is
    the power of the filtered signal over that of the signal. Principal components adapt to the
    signal in the map, and only the difference shows what is lost to that. Wavenumbers are those of
    a box with the comoving size of the field at the middle of the band, and its comoving depth.
    """
    for cube in (signal, contaminated):
        check_cube(cube, caller="transfer_function")
    if signal.dims != contaminated.dims or signal.shape != contaminated.shape:
        msg = (
            f"transfer_function: signal is {signal.sizes} and contaminated {contaminated.sizes}, "
            "expected the same dims and sizes"
        )
        raise ValueError(msg)
    if signal.shape[-3:] != survey.shape:
        msg = f"transfer_function: maps are {signal.shape[-3:]}, expected {survey.shape}"
        raise ValueError(msg)
    if along not in DIRECTIONS:
        msg = f"transfer_function: along is {along!r}, expected one of {', '.join(DIRECTIONS)}"
        raise ValueError(msg)
    kept = filter_map(contaminated) - filter_map(contaminated - signal.data)
    size, part = _wavenumbers(survey, along)
    bins = np.digitize(part, k_edges) - 1
    bins[size == 0] = -1  # the mean of the map is no mode
    cross, power = _mean_products(kept.values, signal.values)
    return _binned(bins, part, cross, power, np.asarray(k_edges, dtype=float), along)


def _mean_products(first, second):
    """Return the mean over maps of the cross power and of the power of `second`, by mode."""
    shape = first.shape[-3:]
    cross, power = np.zeros(shape), np.zeros(shape)
    for a, b in zip(first.reshape(-1, *shape), second.reshape(-1, *shape), strict=True):
        modes = np.fft.fftn(b.astype(float))
        cross += (np.fft.fftn(a.astype(float)).conj() * modes).real
        power += np.abs(modes) ** 2
    return cross, power


def _wavenumbers(survey, along):
    """Return the size of the wavenumber of each mode [Mpc^-1], and the part that is binned."""
    chi = survey.cosmology.comoving_distance(
        [survey.z_min, survey.nu_rest / ((survey.nu_min + survey.nu_max) / 2) - 1, survey.z_max]
    )
    depth, side = (chi[2] - chi[0]) / survey.n_chan, chi[1] * np.sqrt(survey.pixel_solid_angle)
    n_chan, n_pix, _ = survey.shape
    k_par = np.abs(2 * np.pi * np.fft.fftfreq(n_chan, depth))[:, None, None]
    k_side = 2 * np.pi * np.fft.fftfreq(n_pix, side)
    k_perp = np.hypot(k_side[:, None], k_side)[None]
    size = np.hypot(k_par, k_perp)
    part = {"k": size, "k_par": k_par + 0 * size, "k_perp": k_perp + 0 * size}[along]
    return size, part


def _binned(bins, part, cross, power, k_edges, along):
    """Return the ratio of the sums over each bin, labelled."""
    n_bin = k_edges.size - 1
    inside = (bins >= 0) & (bins < n_bin)

    def total(values):
        return np.bincount(bins[inside], values[inside], n_bin)

    n_modes = np.bincount(bins[inside], minlength=n_bin)
    is_empty = n_modes == 0
    middle = (k_edges[1:] + k_edges[:-1]) / 2
    k = np.where(is_empty, middle, total(part) / np.maximum(n_modes, 1))
    share = np.where(is_empty, np.nan, total(cross) / np.where(is_empty, 1, total(power)))
    words = {"k": "", "k_par": " along the line of sight", "k_perp": " across the line of sight"}
    k_attrs = {"units": "Mpc-1", "long_name": f"comoving wavenumber{words[along]}"}
    n_attrs = {"units": "1", "long_name": "number of modes"}
    return xr.DataArray(
        share, dims=(along,), name="transfer_function",
        coords={along: (along, k, k_attrs), "n_modes": (along, n_modes, n_attrs)},
        attrs={"units": "1", "long_name": "share of signal power kept"},
    )  # fmt: skip
