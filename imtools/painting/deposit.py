"""The compiled loops that put haloes into voxels."""

import numpy as np
from numba import njit
from scipy.special import ndtr

from imtools.constants import C_LIGHT, FWHM_TO_SIGMA

BLOCK = 512  # haloes; their indices and temperatures stay in the nearest cache
WIDEST = 1e4  # km/s, ten times the widest line of a galaxy: beyond it the unit is wrong
REACH = 4.0  # standard deviations, where the profile of a line ends
HALF_WIDTH = REACH * FWHM_TO_SIGMA / C_LIGHT  # of its frequency, for a FWHM of 1 km/s
N_STEPS = 1024  # of the profile; linear between them it is good to 2e-6 of the line

# share of a line below even steps from its one end to the other, to which rounding adds one
LINE_PROFILE = np.append(ndtr(np.linspace(-REACH, REACH, N_STEPS + 1)), 1.0)


@njit(cache=True, error_model="numpy")
def deposit(voxels, haloes, shape, grid, scale):
    """Add every halo to its voxel of the flat cube; return how many lie inside, how many are bad.

    Index and temperature come in blocks that stay in the cache, in a loop without branches, which
    the compiler vectorises; the additions follow. In one loop a random order is 4 times slower.
    """
    ra, dec, z, chi, l_co = haloes
    index, temp = np.empty(BLOCK, np.int64), np.empty(BLOCK)
    n_inside = n_invalid = 0
    for start in range(0, ra.size, BLOCK):
        b = slice(start, min(start + BLOCK, ra.size))
        n_invalid += place(index, temp, ra[b], dec[b], z[b], chi[b], l_co[b], shape, grid, scale)
        for j in range(b.stop - b.start):
            if index[j] >= 0:
                voxels[index[j]] += temp[j]
                n_inside += 1
    return n_inside, n_invalid


@njit(cache=True, error_model="numpy")
def place(index, temp, ra, dec, z, chi, l_co, shape, grid, scale):
    """Write each halo's flat voxel number, -1 outside, and temperature; return how many are bad."""
    n_chan, n_dec, n_ra = shape  # floats, as is all that follows
    nu_rest, nu_min, per_channel, edge, per_pixel = grid
    n_invalid = 0
    for j in range(ra.size):
        channel = np.floor((nu_rest / (1.0 + z[j]) - nu_min) * per_channel)
        row = np.floor((dec[j] - edge) * per_pixel)
        column = np.floor((ra[j] - edge) * per_pixel)
        finite = abs(ra[j] + dec[j] + z[j] + chi[j] + l_co[j]) < np.inf
        valid = finite & (chi[j] > 0.0) & (z[j] >= 0.0) & (l_co[j] >= 0.0)
        inside = (channel >= 0.0) & (channel < n_chan) & (row >= 0.0) & (row < n_dec)
        inside &= valid & (column >= 0.0) & (column < n_ra)
        voxel = (channel * n_dec + row) * n_ra + column
        index[j] = np.int64(voxel if inside else -1.0)
        temp[j] = scale * l_co[j] / (chi[j] * chi[j])
        n_invalid += not valid
    return n_invalid


@njit(cache=True, error_model="numpy")
def deposit_lines(voxels, haloes, shape, grid, scale, half_width, profile):
    """Add every halo to the channels that its line crosses; see `deposit`."""
    ra, dec, z, chi, l_co, fwhm = haloes
    n_chan, n_pixel = int(shape[0]), int(shape[1] * shape[2])
    last_step = profile.size - 2.0
    index, temp = np.empty(BLOCK, np.int64), np.empty(BLOCK)
    low, high = np.empty(BLOCK), np.empty(BLOCK)
    n_inside = n_invalid = 0
    for start in range(0, ra.size, BLOCK):
        b = slice(start, min(start + BLOCK, ra.size))
        some = (ra[b], dec[b], z[b], chi[b], l_co[b], fwhm[b])
        counts = place_lines(index, temp, low, high, some, shape, grid, scale, half_width)
        n_inside += counts[0]
        n_invalid += counts[1]
        for j in range(b.stop - b.start):
            if index[j] < 0:
                continue
            first, last = int(np.floor(low[j])), int(np.floor(high[j]))
            if first == last:
                voxels[first * n_pixel + index[j]] += temp[j]
                continue
            per_channel, below = last_step / (high[j] - low[j]), 0.0
            if first < 0:
                below, first = _share(profile, -low[j] * per_channel), 0
            for channel in range(first, min(last + 1, n_chan)):
                share = 1.0
                if channel < last:
                    share = _share(profile, (channel + 1 - low[j]) * per_channel)
                voxels[channel * n_pixel + index[j]] += temp[j] * (share - below)
                below = share
    return n_inside, n_invalid


@njit(cache=True, inline="always")
def _share(profile, place):
    """Return the profile between two steps."""
    step = int(place)
    return profile[step] + (place - step) * (profile[step + 1] - profile[step])


@njit(cache=True, error_model="numpy")
def place_lines(index, temp, low, high, haloes, shape, grid, scale, half_width):
    """Write each halo's flat pixel number, -1 outside, temperature and the ends of its line.

    The ends count in channels from the band's lower edge. Return how many haloes have the middle
    of their line inside, and how many are bad.
    """
    ra, dec, z, chi, l_co, fwhm = haloes
    n_chan, n_dec, n_ra = shape
    nu_rest, nu_min, per_channel, edge, per_pixel = grid
    n_inside = n_invalid = 0
    for j in range(ra.size):
        freq = nu_rest / (1.0 + z[j])
        middle = (freq - nu_min) * per_channel
        reach = half_width * fwhm[j] * freq * per_channel
        row = np.floor((dec[j] - edge) * per_pixel)
        column = np.floor((ra[j] - edge) * per_pixel)
        finite = abs(ra[j] + dec[j] + z[j] + chi[j] + l_co[j]) < np.inf
        valid = finite & (chi[j] > 0.0) & (z[j] >= 0.0) & (l_co[j] >= 0.0)
        valid &= (fwhm[j] >= 0.0) & (fwhm[j] <= WIDEST)
        in_field = valid & (row >= 0.0) & (row < n_dec) & (column >= 0.0) & (column < n_ra)
        low[j], high[j] = middle - reach, middle + reach
        seen = in_field & (high[j] >= 0.0) & (low[j] < n_chan)
        index[j] = np.int64(row * n_ra + column if seen else -1.0)
        temp[j] = scale * l_co[j] / (chi[j] * chi[j])
        n_inside += in_field & (middle >= 0.0) & (middle < n_chan)
        n_invalid += not valid
    return n_inside, n_invalid
