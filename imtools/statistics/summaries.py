"""What a map is compressed to before a regression reads it: a few hundred numbers or fewer.

Each summary is a function of observed maps and of one temperature, the typical spread of a voxel
in training, which sets its bins. It knows nothing of luminosity.
"""

import numpy as np
from numba import njit

from imtools.painting import temperature_per_luminosity
from imtools.statistics.power import comoving_box, power_spectrum
from imtools.statistics.vid import vid

SUMMARIES = {}
SMOOTHINGS = (0.0, 4.0, 8.0, 16.0)  # Mpc, standard deviations of Gaussians
N_LEVELS = 104  # bins of a voxel histogram
LOWEST, HIGHEST = -3.0, 10.0  # of x / sqrt(1 + |x|): -9.9 to 101 times the spread of a voxel
FAINT, BRIGHT = 1e3, 1e8  # Lsun, between which voxels are told apart by their luminosity
N_LUMINOSITIES = 305  # bins of arcsinh(luminosity / FAINT), 0.035 dex wide where bright
LEAST_POWER = 1e-30  # uK2 Mpc3, stands for none under a logarithm


def summary(name):
    """Return a decorator that enters a function into ``SUMMARIES`` under `name`.

    The function takes maps as from `datasets.observe` and ``temp_scale`` [uK], and returns an array
    of shape (sample, n_features).
    """

    def enter(function):
        if name in SUMMARIES:
            msg = f"summary: {name!r} is {SUMMARIES[name].__name__}; choose another name"
            raise ValueError(msg)
        SUMMARIES[name] = function
        return function

    return enter


def summarise(parts, name, *, temp_scale):
    """Return a summary of many maps, of which a few are in memory at a time.

    Parameters
    ----------
    parts : iterable of xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Observed maps, as from `datasets.observe`.
    name : str
        Name in ``SUMMARIES``.
    temp_scale : float
        Typical spread of a voxel in training [uK].

    Returns
    -------
    numpy.ndarray, shape (sample, n_features)

    Raises
    ------
    ValueError
        If there is no such summary.
    """
    if name not in SUMMARIES:
        msg = f"summarise: summary is {name!r}, expected one of {', '.join(SUMMARIES)}"
        raise ValueError(msg)
    return np.concatenate([SUMMARIES[name](maps, temp_scale=temp_scale) for maps in parts])


@summary("histogram")
def histogram(maps, *, temp_scale):
    """Return ln(1 + voxels) in 104 bins of temperature, linear about 0 and wider beyond."""
    return voxel_histograms(maps, temp_scale=temp_scale, smoothings=(0.0,))


@summary("vid")
def voxel_intensity(maps, *, temp_scale):
    """Return ln(1 + voxels) in the 25 bins of Ihle et al. 2019, 10 to 100 uK above the mean."""
    return np.log1p(vid(maps).values)


@summary("pk")
def power(maps, *, temp_scale):
    """Return ln P(k) in those of the 20 bins of Ihle et al. 2019 that hold modes."""
    pk = power_spectrum(maps)
    return np.log(np.maximum(pk.values[:, pk["n_modes"].values > 0], LEAST_POWER))


@summary("vid_pk")
def voxel_intensity_and_power(maps, *, temp_scale):
    """Return "vid" and "pk" side by side."""
    both = (f(maps, temp_scale=temp_scale) for f in (voxel_intensity, power))
    return np.concatenate(list(both), axis=1)


@summary("multiscale")
def multiscale(maps, *, temp_scale):
    """Return voxel histograms of the map smoothed over 0, 4, 8 and 16 Mpc, and ln P(k).

    A source is brighter than the noise in few voxels, but sources cluster: what they add up to
    stands out where the map is smoothed over the size of their clusters.
    """
    histograms = voxel_histograms(maps, temp_scale=temp_scale, smoothings=SMOOTHINGS)
    return np.concatenate([histograms, power(maps, temp_scale=temp_scale)], axis=1)


@summary("luminosity")
def voxel_luminosities(maps, *, temp_scale):
    """Return the histogram of the luminosity that each voxel would hold as a single source.

    A temperature stands for a luminosity that changes by 40 % along the band; where a voxel holds
    one source at most, its luminosity can be counted. For each bin: ln(1 + voxels in it), and
    ln(1 + voxels in all brighter ones), which is smooth where most bins are empty. The bins are
    linear below 1e3 Lsun and 0.035 dex wide beyond, on both sides of zero.
    """
    return _luminosity_histogram(maps)


@summary("luminosity_scales")
def luminosities_on_scales(maps, *, temp_scale):
    """Return "luminosity" of the map, and of the map summed over 2 x 2 and 4 x 4 pixels.

    How much brighter sums are than voxels tells how sources lie together, and so what faint ones
    add to a bright one's voxel.
    """
    fits = [f for f in (1, 2, 4) if all(maps.sizes[name] % f == 0 for name in ("dec", "ra"))]
    return np.concatenate([_luminosity_histogram(maps, factor) for factor in fits], axis=1)


def voxel_histograms(maps, *, temp_scale, smoothings):
    r"""Return ln(1 + voxels) in bins of temperature, for each of several smoothings.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        Observed maps.
    temp_scale : float
        Temperature that counts as 1 [uK].
    smoothings : sequence of float
        Standard deviations of the Gaussians [Mpc], in all three directions; 0 for none.

    Returns
    -------
    numpy.ndarray, shape (sample, n_smoothings x 104)
        The bins are even in :math:`x / \sqrt{1 + |x|}`, x the temperature over `temp_scale`: linear
        within the noise, a square root beyond. The first and the last hold what lies further out.

    Notes
    -----
    The sky beyond the map is 0, and the weights that make a voxel add to 1 in squares: white noise
    keeps its width in every voxel, at the edges too, however wide the smoothing.
    """
    box = comoving_box(maps)
    steps = np.divide(box.lengths, box.n_cells)
    counts = np.empty((maps.sizes["sample"], len(smoothings), N_LEVELS))
    values = maps.transpose("sample", "freq", "dec", "ra").values
    for i, smoothing in enumerate(smoothings):
        along, down, across = (
            _gaussian(n, smoothing / step).astype(values.dtype)
            for n, step in zip(box.n_cells, steps, strict=True)
        )
        for j, one in enumerate(values):
            flat = (down @ one @ across.T).reshape(len(one), -1)
            smooth = along @ flat if smoothing > 0 else one
            counts[j, i] = _count(np.ravel(smooth), 1 / temp_scale)
    return np.log1p(counts.reshape(len(counts), -1))


def _gaussian(n, sigma):
    """Return the weights, shape (n, n), that smooth n cells; their squares add to 1 in a row."""
    if sigma == 0:
        return np.eye(n)
    cell = np.arange(n)
    weight = np.exp(-0.5 * ((cell[:, None] - cell) / sigma) ** 2)
    weight[weight < 1e-6] = 0  # no subnormal numbers, which are slow
    return weight / np.sqrt((weight**2).sum(axis=1, keepdims=True))


@njit(cache=True, fastmath=True)
def _count(temp, per_scale):
    """Return how many voxels lie in each bin of x / sqrt(1 + |x|)."""
    counts = np.zeros(N_LEVELS)
    per_bin = N_LEVELS / (HIGHEST - LOWEST)
    for t in temp:
        x = t * per_scale
        level = (x / np.sqrt(1 + abs(x)) - LOWEST) * per_bin
        counts[int(min(max(level, 0.0), N_LEVELS - 1.0))] += 1
    return counts


def _luminosity_histogram(maps, factor=1):
    """Return ln(1 + n) of voxels in bins of luminosity, and of voxels above each bin.

    Voxels are sums of `factor` pixels along dec and ra.
    """
    per_lsun = temperature_per_luminosity(maps).values
    sums = maps.transpose("sample", "freq", "dec", "ra")
    if factor > 1:
        sums = sums.coarsen(dec=factor, ra=factor).sum()
    counts = np.stack([_count_luminosities(one, 1 / (per_lsun * FAINT)) for one in sums.values])
    above = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return np.log1p(np.concatenate([counts, above], axis=1))


@njit(cache=True, fastmath=True)
def _count_luminosities(cube, per_faint):
    """Return how many voxels lie in each bin of arcsinh(luminosity / FAINT)."""
    counts = np.zeros(N_LUMINOSITIES)
    end = np.arcsinh(BRIGHT / FAINT)
    per_bin = N_LUMINOSITIES / (2 * end)
    for i in range(cube.shape[0]):
        for t in cube[i].ravel():
            if t == 0.0:  # nearly all voxels of a fine map without noise
                counts[N_LUMINOSITIES // 2] += 1
                continue
            level = (np.arcsinh(t * per_faint[i]) + end) * per_bin
            counts[int(min(max(level, 0.0), N_LUMINOSITIES - 1.0))] += 1
    return counts
