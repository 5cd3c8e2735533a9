"""Mock halo catalogues on the past light cone."""

import numpy as np
from numba import njit

from imtools.constants import C_LIGHT, DEG
from imtools.halos.abundance import LARGEST_MASS, abundance_tables
from imtools.halos.box import displacement, draw_modes, geometry_of, smooth_density
from imtools.halos.catalogue import make_catalogue

# Haloes know the density of modes longer than these [Mpc^-1]. Heavy haloes form from larger
# patches; tied to the finer field, so rare a population would cluster ten times too strongly.
K_SMOOTH_LIGHT, K_SMOOTH_HEAVY = 0.5, 0.35
M_HEAVY = 5e11  # Msun
WIDEST = 15.0  # deg; the box is a slab across the line of sight
MARGIN = 40.0  # Mpc at each end of the band, from where velocities may bring haloes in
CELLS_AT_ONCE = 20_000_000  # of the box, so that a wide field stays within memory


def simulate(survey, *, seed, m_min=2.5e10, cell_size=2.0):
    r"""Simulate the dark-matter haloes that a survey sees.

    Parameters
    ----------
    survey : Survey
        Field, band and cosmology. Field and line set the redshifts.
    seed : int or numpy.random.SeedSequence
        Root of every random number drawn here.
    m_min : float
        Least halo mass [Msun].
    cell_size : float
        Side of a cell of the density grid [Mpc].

    Returns
    -------
    xarray.Dataset, dims ("halo",)
        ``m_halo`` [Msun], ``z`` (observed, with peculiar velocity), ``z_cosmo``, ``chi`` [Mpc] (at
        ``z_cosmo``), ``ra``, ``dec`` [deg], ``vx``, ``vy``, ``vz`` [km/s]; all haloes whose
        observed position lies in field and band, near to far, those above 5e11 Msun last.

    Raises
    ------
    ValueError
        If `m_min`, `cell_size` or the size of the field is out of range, or the band begins within
        40 Mpc of us.

    Notes
    -----
    A Gaussian field with the linear power spectrum grows along the light cone. Haloes are Poisson
    draws from the Tinker mass function, modulated by the density of modes below
    k = 0.5 Mpc^-1 (0.35 above 5e11 Msun; see `imtools.halos.abundance`), at uniform places in the
    cell: halo clustering on scales below about 6 Mpc is smoothed away. Velocities are linear.

    References
    ----------
    .. [1] Tinker et al. 2008, ApJ 688, 709, arXiv:0803.2706 (mass function)
    .. [2] Tinker et al. 2010, ApJ 724, 878, arXiv:1001.3162 (bias)

    Examples
    --------
    >>> from imtools.survey import Survey
    >>> haloes = simulate(Survey(field_size=0.1, nu_min=30.0, nu_max=31.0), seed=1, m_min=1e11)
    >>> sorted(haloes.data_vars)
    ['chi', 'dec', 'm_halo', 'ra', 'vx', 'vy', 'vz', 'z', 'z_cosmo']
    """
    if not 1e8 <= m_min <= 1e14:
        msg = f"simulate: m_min is {m_min:g} Msun, expected 1e8 to 1e14; check the unit"
        raise ValueError(msg)
    if not 0.5 <= cell_size <= 20:
        msg = f"simulate: cell_size is {cell_size:g} Mpc, expected 0.5 to 20"
        raise ValueError(msg)
    if survey.field_size > WIDEST:
        msg = f"simulate: field_size is {survey.field_size} deg, expected at most {WIDEST:g}"
        raise ValueError(msg)
    nearest = float(survey.cosmology.comoving_distance(survey.z_min))
    if nearest < MARGIN:
        msg = (
            f"simulate: the band begins at z = {survey.z_min:.4f}, {nearest:.3g} Mpc away, "
            f"expected at least {MARGIN:g} Mpc; lower Survey.nu_max"
        )
        raise ValueError(msg)
    rng = np.random.default_rng(seed)
    geometry = geometry_of(survey, cell_size=cell_size)
    modes = draw_modes(geometry, survey.cosmology, rng=rng)
    columns = _draw_haloes(modes, geometry, survey, m_min, rng)
    parameters = {"m_min": m_min, "cell_size": cell_size, "survey": survey.to_dict()}
    return make_catalogue(
        columns, cosmology=survey.cosmology, seed=_seed_text(seed), parameters=parameters
    )


def _seed_text(seed):
    """Return a seed as it is stored: an integer, or entropy and spawn key as text."""
    if isinstance(seed, np.random.SeedSequence):
        return f"{seed.entropy}/{'/'.join(str(k) for k in seed.spawn_key)}"
    return seed


def _draw_haloes(modes, geometry, survey, m_min, rng):
    """Return the columns of all haloes in field and band."""
    cosmology = survey.cosmology
    psi = displacement(modes, geometry)
    coarse = geometry.coarser()
    psi_grid = (coarse.cell_size, coarse.z_near, coarse.side)
    chi_near, chi_far = cosmology.comoving_distance([survey.z_min, survey.z_max])
    z_near, z_far = cosmology.redshift(np.array([chi_near - MARGIN, chi_far + MARGIN]))
    cone = _light_cone(cosmology, z_near, z_far)
    cut = (np.tan(survey.field_size / 2 * DEG), survey.field_size / 2, survey.z_min, survey.z_max)
    parts = []
    for k_smooth, is_heavy in ((K_SMOOTH_LIGHT, False), (K_SMOOTH_HEAVY, True)):
        m_range = (max(m_min, M_HEAVY), LARGEST_MASS) if is_heavy else (m_min, M_HEAVY)
        if m_range[0] >= m_range[1]:
            continue
        density = smooth_density(modes, geometry, cosmology, k_smooth=k_smooth, coarse=is_heavy)
        tables = abundance_tables(
            cosmology, (float(z_near), float(z_far)), tuple(map(float, m_range)), density.sigma
        )
        parts += _draw_population(density, tables, psi, psi_grid, cone, cut, rng)
    places, others = (np.concatenate([p[i] for p in parts], axis=1) for i in range(2))
    names = ("z", "z_cosmo", "chi", "ra", "dec", "m_halo", "vx", "vy", "vz")
    return dict(zip(names, (*places, *others), strict=True))


def _draw_population(density, tables, psi, psi_grid, cone, cut, rng):
    """Return arrays of haloes of one range of masses, a pair for each slab of the box."""
    geometry = density.geometry
    table = (
        tables.z, tables.nu, tables.depth, tables.log_density, tables.log_mass, density.sigma,
    )  # fmt: skip
    rows = max(1, CELLS_AT_ONCE // (geometry.n_cells[1] * geometry.n_cells[2]))
    parts = []
    for first in range(0, geometry.n_cells[0], rows):
        delta = density.delta[first : first + rows]
        near = geometry.z_near + first * geometry.cell_size
        grid = (geometry.cell_size, near, geometry.side)
        counts = np.zeros(delta.shape, dtype=np.uint32)
        total = _count(delta, counts, grid, cone, cut, table, rng)
        places = np.empty((5, total), dtype=np.float64)  # z, z_cosmo, chi, ra, dec
        others = np.empty((4, total), dtype=np.float32)  # m_halo, vx, vy, vz
        kept = _place(
            delta, counts, psi, grid, psi_grid, cone, cut, table, rng, places, others
        )  # fmt: skip
        parts.append((places[:, :kept].copy(), others[:, :kept].copy()))
    return parts


def _light_cone(cosmology, z_near, z_far):
    """Return even nodes in chi [Mpc], and z and velocity per displacement [km/s/Mpc] there."""
    z = np.linspace(max(0.0, z_near - 0.05), z_far + 0.05, 2000)
    chi = np.linspace(*cosmology.comoving_distance(z[[0, -1]]), 4000)
    z = cosmology.redshift(chi)
    # v = a H f psi, psi growing as D (linear theory)
    velocity = cosmology.hubble(z) / (1 + z) * cosmology.growth_rate(z)
    return chi, z, velocity * cosmology.growth_factor(z)


@njit(cache=True)
def _interpolate(x, nodes, values):
    """Return `values` at `x` by linear interpolation over even `nodes`, held at the ends."""
    place = (x - nodes[0]) / (nodes[1] - nodes[0])
    place = min(max(place, 0.0), nodes.size - 1.0)
    node = min(int(place), nodes.size - 2)
    weight = place - node
    return (1 - weight) * values[node] + weight * values[node + 1]


@njit(cache=True)
def _position(x, nodes):
    """Return node and weight of `x` on even `nodes`, held at the ends."""
    place = (x - nodes[0]) / (nodes[1] - nodes[0])
    place = min(max(place, 0.0), nodes.size - 1.0)
    node = min(int(place), nodes.size - 2)
    return node, place - node


@njit(cache=True)
def _span(reach, side, cell, n):
    """Return the first and last cell that reach to `reach` Mpc on both sides of the axis."""
    first = int(np.floor((-side - reach) / cell)) - 1
    last = int(np.ceil((-side + reach) / cell)) + 1
    return max(first, 0), min(last, n)


@njit(cache=True)
def _count(delta, counts, grid, cone, cut, table, rng):
    """Draw the number of haloes of every cell that touches the cone; return their sum."""
    cell, near, side = grid
    chi_nodes, z_nodes, _ = cone
    tables_z, nu_nodes, _, log_density, _, sigma = table
    volume = cell**3
    total = 0
    for i in range(delta.shape[0]):
        z_cell = near + (i + 0.5) * cell
        low, high = _span(cut[0] * (z_cell + cell) * 1.02, side, cell, delta.shape[1])
        for j in range(low, high):
            y = (j + 0.5) * cell + side
            for m in range(low, high):
                x = (m + 0.5) * cell + side
                chi = np.sqrt(x * x + y * y + z_cell * z_cell)
                z = _interpolate(chi, chi_nodes, z_nodes)
                if z < tables_z[0] or z > tables_z[-1]:
                    continue
                a, wa = _position(z, tables_z)
                b, wb = _position(delta[i, j, m] / sigma, nu_nodes)
                log_n = (1 - wa) * ((1 - wb) * log_density[a, b] + wb * log_density[a, b + 1])
                log_n += wa * ((1 - wb) * log_density[a + 1, b] + wb * log_density[a + 1, b + 1])
                n = rng.poisson(np.exp(log_n) * volume)
                counts[i, j, m] = n
                total += n
    return total


@njit(cache=True)
def _place(
    delta, counts, psi, grid, psi_grid, cone, cut, table, rng, places, others
):  # fmt: skip
    """Give each halo mass, place and velocity; keep those observed in field and band."""
    cell, near, side = grid
    chi_nodes, z_nodes, velocity_nodes = cone
    _, half_angle, z_min, z_max = cut
    kept = 0
    shift = np.empty(3)
    for i in range(delta.shape[0]):
        for j in range(delta.shape[1]):
            for m in range(delta.shape[2]):
                for _ in range(counts[i, j, m]):
                    x = (m + rng.random()) * cell + side
                    y = (j + rng.random()) * cell + side
                    z = (i + rng.random()) * cell + near
                    rank = rng.standard_exponential()
                    chi = np.sqrt(x * x + y * y + z * z)
                    ra = np.arctan2(-x, z) / DEG
                    dec = np.arcsin(y / chi) / DEG
                    if abs(ra) >= half_angle or abs(dec) >= half_angle:
                        continue
                    z_cosmo = _interpolate(chi, chi_nodes, z_nodes)
                    _interpolate_vector(psi, x, y, z, psi_grid, shift)
                    scale = _interpolate(chi, chi_nodes, velocity_nodes)
                    v_los = scale * (shift[0] * x + shift[1] * y + shift[2] * z) / chi
                    z_obs = (1 + z_cosmo) * (1 + v_los / C_LIGHT) - 1
                    if z_obs <= z_min or z_obs >= z_max:
                        continue
                    log_m = _log_mass(z_cosmo, delta[i, j, m], rank, table)
                    places[0, kept], places[1, kept], places[2, kept] = z_obs, z_cosmo, chi
                    places[3, kept], places[4, kept] = ra, dec
                    others[0, kept] = np.exp(log_m)
                    for axis in range(3):
                        others[1 + axis, kept] = scale * shift[axis]
                    kept += 1
    return kept


@njit(cache=True)
def _log_mass(z, delta, rank, table):
    """Return ln M of the halo at depth `rank` into the mass function of its place."""
    tables_z, nu_nodes, depth_nodes, _, log_mass, sigma = table
    a, wa = _position(z, tables_z)
    b, wb = _position(delta / sigma, nu_nodes)
    c, wc = _position(rank, depth_nodes)
    log_m = 0.0
    for i, f in ((a, 1 - wa), (a + 1, wa)):
        for j, g in ((b, 1 - wb), (b + 1, wb)):
            log_m += f * g * ((1 - wc) * log_mass[i, j, c] + wc * log_mass[i, j, c + 1])
    return log_m


@njit(cache=True)
def _interpolate_vector(field, x, y, z, grid, out):
    """Write the trilinear, periodic value of a vector field, dims (3, z, y, x), into `out`."""
    cell, near, side = grid
    # values stand at the centres of cells
    pz, py, px = (z - near) / cell - 0.5, (y - side) / cell - 0.5, (x - side) / cell - 0.5
    iz, iy, ix = int(np.floor(pz)), int(np.floor(py)), int(np.floor(px))
    wz, wy, wx = pz - iz, py - iy, px - ix
    out[:] = 0.0
    for dz in range(2):
        kz = (iz + dz) % field.shape[1]
        fz = wz if dz else 1 - wz
        for dy in range(2):
            ky = (iy + dy) % field.shape[2]
            fy = fz * (wy if dy else 1 - wy)
            for dx in range(2):
                kx = (ix + dx) % field.shape[3]
                f = fy * (wx if dx else 1 - wx)
                for axis in range(3):
                    out[axis] += f * field[axis, kz, ky, kx]
