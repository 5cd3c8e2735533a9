"""Synthetic map files as the COMAP pipeline writes them, of three generations.

The truth is a small asymmetric map in our own order; `write_comap` stores it with the names,
shapes, units (K) and quirks of each generation.
"""

import h5py
import numpy as np

N_SIDEBANDS, N_CHANNELS, N_DEC, N_RA = 4, 3, 5, 7
CENTRE = (226.0, 55.0)  # deg, right ascension and declination
PIXEL = 2 / 60  # deg on the sky
WIDTH = 0.5  # GHz


def truth(seed=0, *, dtype="float64"):
    """Return the map that the files hold: uK, axes ascending, no voxel like another."""
    rng = np.random.default_rng(seed)
    shape = (N_SIDEBANDS * N_CHANNELS, N_DEC, N_RA)
    return {
        "brightness_temperature": rng.normal(0, 50, shape).astype(dtype),
        "sigma_noise": rng.uniform(10, 40, shape).astype(dtype),
        "hits": rng.integers(1000, 9000, shape),
        "freq": 26 + WIDTH * (np.arange(shape[0]) + 0.5),
        "dec": PIXEL * (np.arange(N_DEC) - (N_DEC - 1) / 2),
        "ra": PIXEL * (np.arange(N_RA) - (N_RA - 1) / 2),
    }


def as_stored(values, *, ra_falls=False, flipped=()):
    """Return an array of a map as (sideband, channel, dec, ra)."""
    stored = values.reshape(N_SIDEBANDS, N_CHANNELS, N_DEC, N_RA).copy()
    stored[list(flipped)] = stored[list(flipped)][:, ::-1]
    return stored[..., ::-1] if ra_falls else stored


def write_comap(
    path, generation, *, seed=0, ra_falls=False, flipped=(), n_feeds=0, centre=CENTRE,
    edges_only=False, dtype="float64", **changes,
):  # fmt: skip
    """Write the truth as a COMAP file, with some datasets changed, or left out where None.

    Parameters
    ----------
    generation : {"A", "A_beam", "A_prime", "B"}
        Whose names to use.
    ra_falls : bool
        Right ascension runs from high to low.
    flipped : tuple of int
        Sidebands whose channels run from high to low.
    n_feeds : int
        Write maps of this many feeds, and no average over them, from seeds seed, seed + 1, ...
    edges_only : bool
        Generation B without the centres of its axes.
    """
    maps = [truth(seed + i, dtype=dtype) for i in range(max(n_feeds, 1))]
    keys = ("brightness_temperature", "sigma_noise", "hits")
    arrays = [
        np.array([as_stored(m[key], ra_falls=ra_falls, flipped=flipped) for m in maps])
        for key in keys
    ]
    temp, sigma, hits = arrays if n_feeds else [a[0] for a in arrays]
    ends = {"A": "_coadd", "A_beam": "_beam", "A_prime": "", "B": "_coadd"}[generation]
    end = "" if n_feeds else ends
    noise = "sigma_wn" if generation == "B" else "rms"
    data = {f"map{end}": temp * 1e-6, f"{noise}{end}": sigma * 1e-6, f"nhit{end}": hits}
    data |= _axes(maps[0], generation, ra_falls, flipped, centre, edges_only)
    data["feeds"] = np.arange(1, max(n_feeds, 1) + 1)
    with h5py.File(path, "w") as file:
        for name, values in (data | changes).items():
            if values is not None:
                file[name] = values
    return path


def _axes(sky, generation, ra_falls, flipped, centre, edges_only):
    step = PIXEL / np.cos(np.radians(centre[1]))
    ra = centre[0] + sky["ra"] / PIXEL * step
    ra, step = (ra[::-1], -step) if ra_falls else (ra, step)
    dec = centre[1] + sky["dec"]
    freq = sky["freq"].reshape(N_SIDEBANDS, N_CHANNELS).copy()
    freq[list(flipped)] = freq[list(flipped)][:, ::-1]
    centre = np.array(centre)
    if generation in ("A", "A_beam"):
        return {
            "x": ra, "y": dec, "freq": freq, "n_x": N_RA, "n_y": N_DEC, "patch_center": centre,
        }  # fmt: skip
    centres = {"ra_centers": ra % 360, "dec_centers": dec, "freq_centers": freq}
    data = {} if edges_only else centres | {"patch_center": centre}
    if generation == "B":
        way = np.sign(freq[:, 1:2] - freq[:, :1])
        data |= {
            "ra_edges": np.r_[ra - step / 2, ra[-1] + step / 2],
            "dec_edges": np.r_[dec - PIXEL / 2, dec[-1] + PIXEL / 2],
            "freq_edges": np.hstack([freq - way * WIDTH / 2, freq[:, -1:] + way * WIDTH / 2]),
            "wcs/CDELT1": step, "wcs/CDELT2": PIXEL, "wcs/CRVAL1": centre[0], "wcs/CRVAL2": 0.0,
            "is_pca_subtr": False, "is_sim": False, "n_ra": N_RA, "n_dec": N_DEC,
        }  # fmt: skip
    return data
