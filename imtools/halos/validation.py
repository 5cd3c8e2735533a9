"""Simulated haloes against theory: mass function, bias, redshift-space boost, count scatter."""

import itertools

import numpy as np
import xarray as xr

from imtools.constants import DEG
from imtools.halos.box import draw_modes, geometry_of, smooth_density
from imtools.halos.simulation import simulate

EDGE = 25.0  # Mpc left out at each end of the band, where peculiar velocities move haloes across


def mass_function_ratio(haloes, survey, *, m_edges, n_slices=4):
    """Return halo counts against the mass function, by slices of the band.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        Catalogue that fills field and band of `survey`.
    survey : Survey
        Field, band and cosmology.
    m_edges : array_like
        Edges of the mass bins [Msun].
    n_slices : int
        Slices of equal width in frequency.

    Returns
    -------
    xarray.Dataset, dims ("slice", "m_halo")
        ``counts`` found and ``expected`` (Tinker et al. 2008, integrated over mass and volume);
        ``z`` on ``slice``.
    """
    m_edges = np.asarray(m_edges, dtype=float)
    z_edges = survey.nu_rest / np.linspace(survey.nu_max, survey.nu_min, n_slices + 1) - 1
    counts = np.histogram2d(haloes["z"], haloes["m_halo"], bins=(z_edges, m_edges))[0]
    expected = np.empty_like(counts)
    for i, (low, high) in enumerate(itertools.pairwise(z_edges)):
        z = np.linspace(low, high, 9)
        chi = survey.cosmology.comoving_distance(z)
        density = np.stack([_density(survey.cosmology, m_edges, x) for x in z])
        weight = survey.solid_angle * chi**2
        expected[i] = np.trapezoid(density * weight[:, None], chi, axis=0)
    centres = np.sqrt(m_edges[:-1] * m_edges[1:])
    return xr.Dataset(
        {
            "counts": (("slice", "m_halo"), counts, {"units": "1", "long_name": "haloes found"}),
            "expected": (("slice", "m_halo"), expected, {"units": "1", "long_name": "expected"}),
        },
        coords={
            "m_halo": ("m_halo", centres, {"units": "Msun", "long_name": "halo mass"}),
            "z": ("slice", (z_edges[1:] + z_edges[:-1]) / 2, {"units": "1", "long_name": "z"}),
        },
    )


def _density(cosmology, m_edges, z):
    """Return the number density [Mpc^-3] of haloes between `m_edges` [Msun] at `z`."""
    edges = np.log(m_edges)
    fine = edges[:-1, None] + np.diff(edges)[:, None] * np.linspace(0, 1, 33)
    return np.trapezoid(cosmology.mass_function(np.exp(fine), z), fine, axis=-1)


def linear_bias(survey, *, m_range):
    """Return the bias of haloes in `m_range` [Msun] over the band, as the cross power weighs it."""
    cosmology = survey.cosmology
    log_m = np.linspace(*np.log(m_range), 200)
    z = np.linspace(survey.z_min, survey.z_max, 15)
    weight = cosmology.growth_factor(z) ** 2
    bias = np.empty(z.size)
    for i, redshift in enumerate(z):
        n = cosmology.mass_function(np.exp(log_m), redshift)
        b = cosmology.halo_bias(np.exp(log_m), redshift)
        bias[i] = np.trapezoid(n * b, log_m) / np.trapezoid(n, log_m)
    return float(np.average(bias, weights=weight))


def clustering(haloes, survey, *, seed, m_ranges, k_edges, cell_size=2.0):
    """Measure the clustering of simulated haloes against the density they were drawn from.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        What `halos.simulate(survey, seed=seed, cell_size=cell_size)` returned.
    survey : Survey
        The same survey.
    seed : int
        The same seed: the density field is drawn again, without the haloes' smoothing.
    m_ranges : sequence of (float, float)
        Mass ranges [Msun].
    k_edges : array_like
        Edges of the wavenumber bins [Mpc^-1].
    cell_size : float
        Cells of the grid [Mpc].

    Returns
    -------
    xarray.Dataset, dims ("m_range", "k")
        ``cross_bias`` = P_hm / P_m and ``cross_bias_error``, its standard error in this matter
        field, ``auto`` and ``auto_redshift`` = halo power without shot noise in real and redshift
        space [Mpc^3], ``matter`` = P_m [Mpc^3], ``n_modes``; over the largest cuboid of grid cells
        that lies in the cone, 25 Mpc within the band.
    """
    rng = np.random.default_rng(seed)
    geometry = geometry_of(survey, cell_size=cell_size)
    drawn = draw_modes(geometry, survey.cosmology, rng=rng)
    matter = smooth_density(drawn, geometry, survey.cosmology, k_smooth=np.inf).delta
    block, z_planes = _cuboid(survey, geometry)
    matter = matter[block] * survey.cosmology.growth_factor(z_planes)[:, None, None]
    modes = _Modes(matter.shape, cell_size, k_edges)
    matter_k = modes.transform(matter)
    found = []
    for low, high in m_ranges:
        mean = np.array([_density(survey.cosmology, np.array([low, high]), z)[0] for z in z_planes])
        inside = (haloes["m_halo"].values > low) & (haloes["m_halo"].values < high)
        chosen = haloes.isel(halo=inside)
        contrasts = {
            space: _overdensity(chosen, z, survey, geometry, block, mean * cell_size**3)
            for space, z in (("real", "z_cosmo"), ("redshift", "z"))
        }
        found.append(_powers(contrasts, modes, matter_k))
    data = {name: (("m_range", "k"), np.stack([f[name] for f in found])) for name in found[0]}
    data["matter"] = ("k", modes.power(matter_k, matter_k))
    data["n_modes"] = ("k", modes.n_modes)
    result = xr.Dataset(data, coords={"k": ("k", modes.k)})
    result["k"].attrs = {"units": "Mpc-1", "long_name": "wavenumber"}
    for name in ("auto", "auto_redshift", "matter"):
        result[name].attrs = {"units": "Mpc3", "long_name": f"{name} power"}
    return result


def _powers(contrasts, modes, matter_k):
    """Return bias and power of haloes from their density contrast and shot noise, by space."""
    matter = modes.power(matter_k, matter_k)
    auto = {}
    for space, (contrast, shot) in contrasts.items():
        halo_k = modes.transform(contrast)
        auto[space] = modes.power(halo_k, halo_k) - shot
        if space == "real":
            bias = modes.power(halo_k, matter_k) / matter
            # the halo power that the matter does not explain, seen in 2 n_modes numbers
            error = np.sqrt(((auto[space] + shot) / matter - bias**2) / (2 * modes.n_modes))
    return {
        "cross_bias": bias, "cross_bias_error": error,
        "auto": auto["real"], "auto_redshift": auto["redshift"],
    }  # fmt: skip


def _cuboid(survey, geometry):
    """Return the slices of the largest cuboid of cells in the cone, and z of its planes."""
    chi_near, chi_far = survey.cosmology.comoving_distance([survey.z_min, survey.z_max])
    half = (chi_near + EDGE) * np.tan(survey.field_size / 2 * DEG) * 0.98
    # the far corners of the cuboid are further away than its far face
    z_far = np.sqrt((chi_far - EDGE) ** 2 - 2 * half**2)
    cell = geometry.cell_size
    first = int(np.ceil((chi_near + EDGE - geometry.z_near) / cell))
    last = int(np.floor((z_far - geometry.z_near) / cell))
    low = int(np.ceil((-geometry.side - half) / cell))
    high = geometry.n_cells[1] - low
    centres = geometry.z_near + (np.arange(first, last) + 0.5) * cell
    z_planes = survey.cosmology.redshift(np.sqrt(centres**2 + 2 * half**2 / 3))
    return (slice(first, last), slice(low, high), slice(low, high)), z_planes


def _overdensity(haloes, z_name, survey, geometry, block, mean):
    """Return the halo density contrast in the cells of `block` and its shot noise [Mpc^3]."""
    chi = survey.cosmology.comoving_distance(haloes[z_name].values)
    ra, dec = haloes["ra"].values * DEG, haloes["dec"].values * DEG
    x, y = -chi * np.cos(dec) * np.sin(ra), chi * np.sin(dec)
    z = chi * np.cos(dec) * np.cos(ra)
    offsets = (-geometry.z_near, -geometry.side, -geometry.side)
    index = [
        np.floor((p + o) / geometry.cell_size).astype(int) - s.start
        for p, o, s in zip((z, y, x), offsets, block, strict=True)
    ]
    shape = tuple(s.stop - s.start for s in block)
    inside = np.all([(i >= 0) & (i < n) for i, n in zip(index, shape, strict=True)], axis=0)
    flat = np.ravel_multi_index(tuple(i[inside] for i in index), shape)
    counts = np.bincount(flat, minlength=np.prod(shape)).reshape(shape)
    contrast = counts / mean[:, None, None] - 1
    # of weights 1 / mean: sum of squared weights over the volume
    shot = (counts / mean[:, None, None] ** 2).mean() * geometry.cell_size**3
    return contrast.astype(np.float32), shot


class _Modes:
    """Fourier modes of a cuboid, averaged in bins of wavenumber."""

    def __init__(self, shape, cell_size, k_edges):
        axes = [2 * np.pi * np.fft.fftfreq(n, cell_size) for n in shape[:2]]
        axes.append(2 * np.pi * np.fft.rfftfreq(shape[2], cell_size))
        k = np.sqrt(sum(a**2 for a in np.meshgrid(*axes, indexing="ij")))
        # an rfft keeps half of the modes: those off its edge planes stand for two
        weight = np.full(k.shape, 2.0)
        weight[..., 0] = 1.0
        if shape[2] % 2 == 0:
            weight[..., -1] = 1.0
        self.bin = np.digitize(k.ravel(), k_edges)
        self.weight = weight.ravel()
        self.n_bins = len(k_edges) - 1
        self.volume = cell_size**3
        self.n_modes = self._sum(np.ones(k.size)) / 2
        self.k = self._sum(k.ravel()) / (2 * self.n_modes)

    def _sum(self, values):
        total = np.bincount(self.bin, self.weight * values, minlength=self.n_bins + 2)
        return total[1 : self.n_bins + 1]

    def transform(self, field):
        return np.fft.rfftn(field - field.mean()) * np.sqrt(self.volume / field.size)

    def power(self, a, b):
        return self._sum((a * b.conj()).real.ravel()) / (2 * self.n_modes)


def linear_count_scatter(survey, *, m_min):
    """Return the field-to-field scatter of the halo count by linear theory, as a fraction.

    The variance of the bias- and number-weighted density over the field's volume, taken as a
    cuboid of its mean width, plus Poisson.

    Parameters
    ----------
    survey : Survey
        Field, band and cosmology.
    m_min : float
        Least halo mass [Msun].
    """
    cosmology = survey.cosmology
    z = np.linspace(survey.z_min, survey.z_max, 33)
    chi = cosmology.comoving_distance(z)
    log_m = np.linspace(np.log(m_min), np.log(1e16), 300)
    density, response = np.empty(z.size), np.empty(z.size)
    for i, redshift in enumerate(z):
        n = cosmology.mass_function(np.exp(log_m), redshift)
        density[i] = np.trapezoid(n, log_m)
        b = cosmology.halo_bias(np.exp(log_m), redshift)
        response[i] = np.trapezoid(n * b, log_m) * cosmology.growth_factor(redshift)
    area = survey.solid_angle * chi**2
    count = np.trapezoid(density * area, chi)
    # response per unit depth along the line of sight, and its Fourier transform
    profile = response * area / count
    width = np.sqrt(area.mean())
    # steps resolve the oscillations of the windows, 2 pi / width and 2 pi / depth
    k_x = np.concatenate([np.linspace(0, 24 / width, 145), np.geomspace(25 / width, 3.0, 60)])
    k_z = np.linspace(0, 100 / np.ptp(chi), 301)
    along = np.abs(np.trapezoid(profile * np.exp(1j * np.outer(k_z, chi)), chi, axis=1)) ** 2
    across = np.sinc(k_x * width / 2 / np.pi) ** 2
    log_k = np.linspace(np.log(1e-5), np.log(10.0), 3000)
    power = cosmology.matter_power(np.exp(log_k))
    k2_perp = (k_x[:, None] ** 2 + k_x**2).clip(1e-10)
    variance = np.empty(k_z.size)
    for i, k in enumerate(k_z):
        there = np.interp(0.5 * np.log(k2_perp + k**2), log_k, power)
        variance[i] = np.trapezoid(np.trapezoid(there * across, k_x, axis=1) * across, k_x)
    total = 8 * np.trapezoid(variance * along, k_z) / (2 * np.pi) ** 3
    return float(np.sqrt(total + 1 / count))


def coarse_counts(survey, *, seeds, m_min, cell_size=8.0):
    """Return the halo counts of fields simulated on coarse cells, shape (n_seeds,).

    Long modes decide the count of a field, so coarse cells serve: 60 fields take seconds.
    """
    return np.array(
        [simulate(survey, seed=s, m_min=m_min, cell_size=cell_size).sizes["halo"] for s in seeds]
    )
