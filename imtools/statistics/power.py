"""The power spectrum of a map: averaged over shells of k, or apart across and along the sight."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.fft
import xarray as xr

from imtools.constants import DEG
from imtools.cosmology import Cosmology
from imtools.survey import check_cube, spacing

K_EDGES = np.logspace(-1.5, 0, 21)  # Mpc^-1, the 20 bins of Ihle et al. 2019
K_PERP_EDGES = np.logspace(-1.5, 0, 11)  # Mpc^-1
K_PAR_EDGES = np.logspace(-2, 0, 15)  # Mpc^-1
for _edges in (K_EDGES, K_PERP_EDGES, K_PAR_EDGES):
    _edges.flags.writeable = False


@dataclass(frozen=True, kw_only=True)
class ComovingBox:
    """Regular box that stands for the light cone of a cube, axes (freq, dec, ra)."""

    n_cells: tuple
    lengths: tuple  # Mpc

    @property
    def voxel_volume(self):
        """Comoving volume of a voxel [Mpc^3]."""
        return float(np.prod(self.lengths) / np.prod(self.n_cells))


def comoving_box(cube, cosmology=None):
    r"""Return the box on whose grid power spectra of a cube are taken.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Evenly spaced map; ``attrs["nu_rest"]`` is the rest frequency of the line [GHz].
    cosmology : Cosmology or Survey, optional
        By default that of the COMAP mocks.

    Returns
    -------
    ComovingBox
        As deep as the band, and so wide that it has the volume of the light cone.

    Notes
    -----
    One distance serves all channels: :math:`\chi^2 = (\chi_2^3 - \chi_1^3) / 3 (\chi_2 - \chi_1)`,
    within 0.5 % of that of the centre of the band 26-34 GHz. A structure at the near or far end of
    this band then seems 9 % wider or 8 % narrower than it is across the sight, and up to 8 % off
    along it.
    """
    check_cube(cube, caller="comoving_box")
    nu_rest = cube.attrs.get("nu_rest", 0.0)
    if not nu_rest > cube["freq"].values.max():
        msg = (
            f"comoving_box: attrs['nu_rest'] is {nu_rest} GHz, expected above the observed "
            "frequencies; set it to the rest frequency of the line"
        )
        raise ValueError(msg)
    cosmology = getattr(cosmology, "cosmology", cosmology) or Cosmology()
    freq, half = cube["freq"].values, spacing(cube, "freq") / 2
    far, near = cosmology.comoving_distance(
        nu_rest / np.array([freq[0] - half, freq[-1] + half]) - 1
    )
    chi = np.sqrt((far**3 - near**3) / (3 * (far - near)))
    across = [cube.sizes[name] * spacing(cube, name) * DEG * chi for name in ("dec", "ra")]
    return ComovingBox(
        n_cells=tuple(cube.sizes[name] for name in ("freq", "dec", "ra")),
        lengths=(float(far - near), float(across[0]), float(across[1])),
    )


def power_spectrum(cube, cosmology=None, *, k_edges=K_EDGES):
    r"""Return the power spectrum of a map, or of each map of a stack, in shells of k.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Evenly spaced map; ``attrs["nu_rest"]`` is the rest frequency of the line [GHz].
    cosmology : Cosmology or Survey, optional
        Puts the map on the grid of `comoving_box`; by default that of the COMAP mocks.
    k_edges : array_like, shape (n_bins + 1,)
        Edges of the bins [Mpc^-1], ascending; a bin holds its lower edge.

    Returns
    -------
    xarray.DataArray, dims ("k",) or ("sample", "k"), units uK2 Mpc3
        Named ``pk``. Coordinates: ``k``, the mean of the modes in the bin [Mpc^-1]; ``n_modes``,
        half their number; ``sigma``, the error for Gaussian modes. A bin without modes is NaN and
        has its centre for ``k``. ``attrs["k_edges"]`` are the edges.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or has NaN, or the edges do not ascend.

    Notes
    -----
    .. math::
        P(k) = \frac{V_\mathrm{vox}}{N_\mathrm{vox}}
        \langle |\mathrm{FFT}(T - \bar T)|^2 \rangle, \qquad
        \sigma_P = P / \sqrt{N_\mathrm{modes}}

    over all modes of the full cube but the mean. Voxels and beam are not divided out. White noise
    of width :math:`\sigma` has :math:`P = \sigma^2 V_\mathrm{vox}`.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> survey = Survey.comap(n_chan=64)
    >>> noise = survey.cube(np.random.default_rng(1).normal(0, 11, survey.shape))
    >>> pk = power_spectrum(noise, survey)
    >>> pk.dims, pk.attrs["units"]
    (('k',), 'uK2 Mpc3')
    """
    box = comoving_box(cube, cosmology)
    bins = _shells(box, _checked_edges(k_edges, "power_spectrum"))
    coords = {"k": ("k", bins.k[0], _k_attrs("wavenumber, mean of the modes in the bin"))}
    pk = _labelled(_mean_power(cube, box, bins), cube, bins, coords)
    return pk.assign_attrs(k_edges=np.asarray(k_edges, dtype=float).tolist())


def power_spectrum_2d(cube, cosmology=None, *, k_perp_edges=K_PERP_EDGES, k_par_edges=K_PAR_EDGES):
    """Return the power spectrum across and along the line of sight.

    Parameters
    ----------
    cube, cosmology
        As `power_spectrum` takes.
    k_perp_edges, k_par_edges : array_like, shape (n_bins + 1,)
        Edges of the bins across and along the sight [Mpc^-1], ascending. Modes with k_perp or k_par
        of 0 count where the first edge is 0.

    Returns
    -------
    xarray.DataArray, dims ("k_perp", "k_par") or with "sample" in front, units uK2 Mpc3
        Named ``pk``, with coordinates ``n_modes`` and ``sigma`` as `power_spectrum` has.

    Raises
    ------
    ValueError
        If `cube` breaks the map conventions or has NaN, or edges do not ascend.
    """
    box = comoving_box(cube, cosmology)
    edges = [_checked_edges(e, "power_spectrum_2d") for e in (k_perp_edges, k_par_edges)]
    bins = _cells(box, *edges)
    coords = {
        "k_perp": ("k_perp", bins.k[0], _k_attrs("wavenumber across the line of sight")),
        "k_par": ("k_par", bins.k[1], _k_attrs("wavenumber along the line of sight")),
    }
    pk = _labelled(_mean_power(cube, box, bins), cube, bins, coords)
    return pk.assign_attrs(k_perp_edges=list(edges[0]), k_par_edges=list(edges[1]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bins:
    """Where each mode of an rfft over (freq, dec, ra) belongs."""

    index: np.ndarray  # flat, one per mode of the rfft; one past the last bin for none
    weight: np.ndarray  # of the planes along ra: how many modes of the full cube each stands for
    n_modes: np.ndarray  # half the modes of the full cube in each bin, in the shape of the result
    k: tuple  # of arrays, one for each dim of the result [Mpc^-1]


@lru_cache(maxsize=8)
def _shells(box, edges):
    """Sort the modes of a box into shells of k."""
    k_par, k_perp, weight = _wavenumbers(box)
    k = np.sqrt(k_par**2 + k_perp**2)
    return _sorted_modes(_bin_of(k, edges), weight, k.shape, (len(edges) - 1,), (k,), (edges,))


@lru_cache(maxsize=8)
def _cells(box, perp_edges, par_edges):
    """Sort the modes of a box into cells of k_perp and k_par."""
    k_par, k_perp, weight = _wavenumbers(box)
    shape = len(perp_edges) - 1, len(par_edges) - 1
    perp, par = _bin_of(k_perp, perp_edges), _bin_of(k_par, par_edges)
    inside = (perp < shape[0]) & (par < shape[1])
    index = np.where(inside, perp * shape[1] + par, shape[0] * shape[1])
    return _sorted_modes(
        index, weight, index.shape, shape, (k_perp, k_par), (perp_edges, par_edges)
    )


def _sorted_modes(index, weight, grid, shape, wavenumbers, edges):
    """Return `_Bins`; its `k` is the mean of each wavenumber over the modes of its own bins."""
    index = np.ascontiguousarray(np.broadcast_to(index, grid)).copy()
    index.reshape(-1)[0] = np.prod(shape)  # the mean of the map is no mode
    full = np.broadcast_to(weight, grid).ravel()
    n_bins = int(np.prod(shape))
    count = np.bincount(index.ravel(), full, n_bins + 1)[:n_bins].reshape(shape)
    means = []
    for k, edge in zip(wavenumbers, edges, strict=True):
        own, n = _bin_of(k, edge), len(edge) - 1
        own = np.broadcast_to(own, grid).copy()
        own.reshape(-1)[0] = n
        n_own = np.bincount(own.ravel(), full, n + 1)[:n]
        total = np.bincount(own.ravel(), full * np.broadcast_to(k, grid).ravel(), n + 1)[:n]
        centre = (np.array(edge[1:]) + np.array(edge[:-1])) / 2
        means.append(np.where(n_own > 0, total / np.maximum(n_own, 1), centre))
    return _Bins(index=index.ravel(), weight=weight, n_modes=count / 2, k=tuple(means))


def _wavenumbers(box):
    """Return |k_par|, k_perp and the weight of the modes of an rfft, of shapes that broadcast."""
    n_cells, steps = box.n_cells, np.divide(box.lengths, box.n_cells)
    k_par, k_dec = (2 * np.pi * scipy.fft.fftfreq(n_cells[i], steps[i]) for i in (0, 1))
    k_ra = 2 * np.pi * scipy.fft.rfftfreq(n_cells[2], steps[2])
    weight = np.full(k_ra.size, 2.0)  # a plane stands for its mirror image too,
    weight[0] = 1.0  # but not the first,
    if n_cells[2] % 2 == 0:
        weight[-1] = 1.0  # nor the last of an even number
    return np.abs(k_par)[:, None, None], np.hypot(k_dec[:, None], k_ra)[None], weight


def _bin_of(k, edges):
    """Return the bin of each wavenumber, the number of bins where it lies in none."""
    index = np.searchsorted(edges, k, side="right") - 1
    return np.where(index < 0, len(edges) - 1, index)


def _mean_power(cube, box, bins):
    """Return the mean power [uK2 Mpc3] in each bin of each map, (n_maps, *shape of the bins)."""
    maps = cube.data.reshape(-1, *box.n_cells)
    shape, n_bins = bins.n_modes.shape, bins.n_modes.size
    totals = np.empty((len(maps), n_bins))
    for i, values in enumerate(maps):
        modes = scipy.fft.rfftn(values.astype(float) - values.mean(dtype=float))
        power = (modes.real**2 + modes.imag**2) * bins.weight
        totals[i] = np.bincount(bins.index, power.ravel(), n_bins + 1)[:n_bins]
    if not np.isfinite(totals).all():
        msg = "power_spectrum: the map has NaN or infinity; fill masked voxels first"
        raise ValueError(msg)
    with np.errstate(invalid="ignore"):  # 0 / 0 in a bin without modes
        mean = totals / (2 * bins.n_modes.ravel())
    return mean.reshape(-1, *shape) * (box.voxel_volume / np.prod(box.n_cells))


def _labelled(values, cube, bins, coords):
    """Return power spectra with their coordinates, those of the samples kept."""
    own = dims = tuple(coords)
    if "sample" in cube.dims:
        coords |= {name: c for name, c in cube.coords.items() if c.dims == ("sample",)}
        dims = ("sample", *own)
    else:
        values = values[0]
    with np.errstate(divide="ignore", invalid="ignore"):
        sigma = values / np.sqrt(bins.n_modes)
    labels = {"units": "uK2 Mpc3", "long_name": "error of the power of Gaussian modes"}
    n_labels = {"units": "1", "long_name": "independent modes in the bin"}
    coords["n_modes"] = (own, bins.n_modes, n_labels)
    coords["sigma"] = (dims, sigma, labels)
    attrs = {"units": "uK2 Mpc3", "long_name": "power spectrum"}
    return xr.DataArray(values, dims=dims, coords=coords, attrs=attrs, name="pk")


def _k_attrs(long_name):
    return {"units": "Mpc-1", "long_name": long_name}


def _checked_edges(edges, caller):
    """Return edges as a tuple, which may be the key of a cache."""
    edges = np.asarray(edges, dtype=float)
    ascending = edges.ndim == 1 and edges.size > 1 and bool(np.all(np.diff(edges) > 0))
    if not (ascending and edges[0] >= 0 and edges[-1] < np.inf):
        msg = f"{caller}: edges are {edges} Mpc^-1, expected at least two, ascending, not below 0"
        raise ValueError(msg)
    return tuple(edges.tolist())
