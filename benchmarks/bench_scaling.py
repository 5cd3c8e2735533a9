"""Throughput of a data set with two dask workers against one, and what large data sets cost.

Run: python benchmarks/bench_scaling.py [--quick] [--costs-only]
"""

import argparse
import math
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from imtools import datasets
from imtools.cluster import connect
from imtools.experiment import Experiment
from imtools.run_folder import environment, write_netcdf

REPEATS = 5
N_CATALOGUES = 6  # in each build that is timed
TARGET = 1.6
FEW, MANY = 2, 6  # maps of the catalogues that tell the cost of one more
SETS = {  # name: preset
    "notes, pooled": "quick", "notes, full": "full", "comap": "comap",
}  # fmt: skip
SIZES = (5796, 100_000)  # maps: those of the notes, and many


def time_build(experiment, client):
    """Return the seconds that the workers of a client take for a data set."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        datasets.build(experiment, Path(folder) / "set", client=client, progress=False)
        return perf_counter() - start


def bench_workers(experiment, repeats):
    """Print catalogues a minute with one and with two workers, in turns; return the ratio."""
    n = datasets.n_catalogues(experiment)
    times = {1: [], 2: []}
    with connect("local", n_workers=1) as one, connect("local", n_workers=2) as two:
        clients = {1: one, 2: two}
        for client in clients.values():
            time_build(experiment, client)  # imports, compiled code and tables
        for _ in range(repeats):
            for n_workers, client in clients.items():
                times[n_workers].append(time_build(experiment, client))
    ratios = [a / b for a, b in zip(times[1], times[2], strict=True)]
    print(f"{n} catalogues of {experiment.data.n_draws} maps, median of {repeats}")
    for n_workers, taken in times.items():
        print(f"{n_workers} worker{'s' * (n_workers > 1)}: {60 * n / median(taken):6.1f} a minute")
    print(f"2 workers against 1: {median(ratios):.2f}", end=" ")
    print(f"({min(ratios):.2f} to {max(ratios):.2f}; target {TARGET})", flush=True)
    return median(ratios)


def cost_of(experiment):
    """Return seconds of one core a catalogue and a map, and the bytes of a map on disk."""

    def make(n_draws):
        changed = experiment.replace(n_draws=n_draws, batch_size=1)
        with tempfile.TemporaryDirectory() as folder:
            start = perf_counter()
            path = datasets.catalogue_path(folder, 0)
            write_netcdf(datasets.make_maps(changed, 0), path)
            return perf_counter() - start, path.stat().st_size

    make(1)  # compiles, makes tables
    (few, small), (many, large) = make(FEW), make(MANY)
    a_map, size = (many - few) / (MANY - FEW), (large - small) / (MANY - FEW)
    return max(0.0, few - FEW * a_map), a_map, size


def bench_costs(efficiency, changes):
    """Print core hours and disk of large data sets, from what a catalogue and a map take here."""
    print("\nwhat a data set takes, extrapolated from one catalogue of each kind, one core")
    print(f"core hours are divided by {efficiency:.2f}, what two workers lose to each other")
    head = f"{'':14s} {'s a catalogue':>14s} {'s a map':>8s} {'MB a map':>9s} {'maps each':>10s}"
    print(head + "".join(f" {f'{n} maps':>26s}" for n in SIZES))
    for name, preset in SETS.items():
        experiment = Experiment.from_preset(preset, **changes)
        catalogue, each, size = cost_of(experiment)
        n_draws = experiment.data.n_draws
        row = f"{name:14s} {catalogue:14.2f} {each:8.3f} {size / 1e6:9.2f} {n_draws:10d}"
        for n_maps in SIZES:
            seconds = math.ceil(n_maps / n_draws) * catalogue + n_maps * each
            hours = seconds / 3600 / efficiency
            row += f" {f'{hours:.3g} core h, {n_maps * size / 1e9:.3g} GB':>26s}"
        print(row, flush=True)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="small fields, seconds: numbers mean nothing"
    )
    parser.add_argument(
        "--costs-only", action="store_true", help="take workers to lose nothing, and cost them"
    )
    options = parser.parse_args()
    print(f"{environment()['device']}, {environment()['n_cpu']} cores")
    small = {"m_min": 1e11, "cell_size": 8.0} if options.quick else {}
    ratio = 2.0
    if not options.costs_only:
        n = 1 if options.quick else N_CATALOGUES - 2
        size = {"n_train": n, "n_validation": 1, "n_test": 1, "batch_size": 1}
        experiment = Experiment.from_preset("quick", **size, **small)
        ratio = bench_workers(experiment, 1 if options.quick else REPEATS)
    bench_costs(min(ratio / 2, 1.0), small)


if __name__ == "__main__":  # workers import this file
    main()
