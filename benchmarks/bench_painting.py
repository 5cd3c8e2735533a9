"""Time painting against `np.histogramdd`, and luminosity with painting, on one core.

Run: python benchmarks/bench_painting.py [number of haloes]
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np
import xarray as xr

from imtools.luminosity import LUMINOSITY_MODELS
from imtools.painting import paint_halos
from imtools.survey import Survey

REPEATS = 11


def make_halos(n_halo, survey, rng):
    """Return haloes in random order, uniform in the field and band, with masses above 2.5e10."""
    half = survey.field_size / 2
    z = rng.uniform(survey.z_min, survey.z_max, n_halo)
    values = {
        "m_halo": 2.5e10 * rng.pareto(1.0, n_halo).clip(0, 1e3) + 2.5e10,
        "ra": rng.uniform(-half, half, n_halo),
        "dec": rng.uniform(-half, half, n_halo),
        "z": z,
        "chi": survey.cosmology.comoving_distance(z),
        "l_co": rng.lognormal(9, 1.5, n_halo),
    }
    return xr.Dataset({name: ("halo", value) for name, value in values.items()})


def sort_along_grid(haloes, survey):
    """Return the haloes in the order of the voxels they fall into."""
    freq = survey.nu_rest / (1 + haloes["z"].values)
    channel = np.searchsorted(survey.freq_edges, freq, side="right")
    row = np.searchsorted(survey.angle_edges, haloes["dec"].values, side="right")
    return haloes.isel(halo=np.lexsort((haloes["ra"].values, row, channel)))


def time_both(first, second):
    """Return the median times [s] of two functions, called in turn after one call each."""
    times = [[], []]
    for repeat in range(REPEATS + 1):
        for function, taken in zip((first, second), times, strict=True):
            start = perf_counter()
            function()
            if repeat:  # the first call compiles
                taken.append(perf_counter() - start)
    return [median(taken) for taken in times]


def compare_with_histogram(haloes, survey, dtype):
    """Return the times [s] of `paint_halos` and of `np.histogramdd` of ready coordinates."""
    freq = survey.nu_rest / (1 + haloes["z"].values)
    ready = np.column_stack([haloes["ra"].values, haloes["dec"].values, freq])
    edges = (survey.angle_edges, survey.angle_edges, survey.freq_edges)
    weights = haloes["l_co"].values
    return time_both(
        lambda: paint_halos(haloes, survey, dtype=dtype),
        lambda: np.histogramdd(ready, bins=edges, weights=weights),
    )


def time_luminosity_and_painting(haloes, survey):
    """Return the times [s] of the Li+2016 luminosity alone, and with painting."""
    model, rng = LUMINOSITY_MODELS["li2016"](), np.random.default_rng(1)
    mass, z = haloes["m_halo"].values, haloes["z"].values

    def both():
        paint_halos(haloes.assign(l_co=("halo", model.luminosity(mass, z, rng=rng))), survey)

    return time_both(lambda: model.luminosity(mass, z, rng=rng), both)


def main(n_halo):
    """Print the table."""
    survey = Survey.notes()
    haloes = make_halos(n_halo, survey, np.random.default_rng(0))
    orders = {"random": haloes, "along the grid": sort_along_grid(haloes, survey)}
    shape = " x ".join(str(n) for n in survey.shape)
    print(f"{n_halo} haloes onto {shape} voxels, one core, median of {REPEATS} calls")
    print(f"{'order':16}{'cube':10}{'paint_halos':>14}{'histogramdd':>14}{'ratio':>8}")
    for order, catalogue in orders.items():
        for dtype in (np.float32, np.float64):
            ours, theirs = compare_with_histogram(catalogue, survey, dtype)
            times = f"{1e3 * ours:11.1f} ms{1e3 * theirs:11.1f} ms{theirs / ours:8.1f}"
            print(f"{order:16}{np.dtype(dtype).name:10}{times}")
    alone, both = time_luminosity_and_painting(haloes, survey)
    print(f"li2016 luminosity {1e3 * alone:.1f} ms; luminosity and painting {1e3 * both:.1f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
