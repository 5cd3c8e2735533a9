"""Time halo catalogues: one `notes` field after warm-up, or the 9.52 deg field cut into 36.

Run: python benchmarks/bench_halos.py [wide]
"""

import resource
import sys
from statistics import median
from time import perf_counter

from imtools import halos
from imtools.survey import Survey

REPEATS = 5
WIDE = 9.52  # deg, of which the notes cut 36 fields


def peak_memory():
    """Return the most memory this process has held [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def time_simulate(survey, seed):
    """Return the seconds that one catalogue took, and the catalogue."""
    start = perf_counter()
    haloes = halos.simulate(survey, seed=seed)
    return perf_counter() - start, haloes


def bench_notes():
    """Print seconds and memory of a `notes` field; the first call compiles and makes tables."""
    survey = Survey.notes()
    first, haloes = time_simulate(survey, 0)
    times = [time_simulate(survey, seed)[0] for seed in range(1, REPEATS + 1)]
    print(f"notes field, {haloes.sizes['halo']} haloes, {haloes.nbytes / 1e6:.0f} MB, one core")
    print(f"first call {first:.1f} s; then {median(times):.1f} s, median of {REPEATS}")
    print(f"slowest {max(times):.1f} s; peak memory {peak_memory():.2f} GB")


def bench_wide():
    """Print seconds and memory of the wide field and of cutting it."""
    taken, haloes = time_simulate(Survey.notes(field_size=WIDE), 0)
    print(f"{WIDE} deg field, {haloes.sizes['halo']} haloes, {haloes.nbytes / 1e9:.2f} GB")
    print(f"simulate {taken:.0f} s; peak memory {peak_memory():.2f} GB", flush=True)
    start = perf_counter()
    sizes = [field.sizes["halo"] for field in halos.cut_fields(haloes, Survey.notes())]
    print(f"{len(sizes)} fields of {min(sizes)} to {max(sizes)} haloes in", end=" ")
    print(f"{perf_counter() - start:.0f} s; peak memory {peak_memory():.2f} GB")


if __name__ == "__main__":
    if sys.argv[1:] == ["wide"]:
        bench_wide()
    else:
        bench_notes()
