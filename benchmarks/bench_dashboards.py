"""Time what the map explorer does when a knob is turned, in the geometry of the notes.

Run: python benchmarks/bench_dashboards.py [--quick]

Each change is timed from the knob to the last message that leaves for the page, statistics
included; the slices of the new map leave before these. The time that the browser takes to draw is
not in it: a slice is 64 KB of 256 x 256 colours.
"""

import sys
from statistics import median
from time import perf_counter

from imtools.dashboards.explorer import MapExplorer
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS, Li2016

REPEATS = 5
TARGET = 1.0  # s, of a change


def time_change(explorer, change):
    """Return the median time [s] of a change, after one call that may compile and fill caches."""
    times = []
    for repeat in range(REPEATS + 1):
        start = perf_counter()
        change(repeat)
        if repeat:
            times.append(perf_counter() - start)
        if explorer.message.kind == "error":
            raise RuntimeError(explorer.message.text)
    return median(times)


def alternate(explorer, first, second):
    """Return a change to `first` in even repeats and to `second` in odd ones."""
    return lambda n: explorer.set(**(second if n % 2 else first))


def main(experiment):
    """Print the table."""
    start = perf_counter()
    explorer = MapExplorer(experiment)
    shape = " x ".join(str(n) for n in experiment.survey_object().shape)
    print(f"{shape} voxels; opened, haloes simulated, in {perf_counter() - start:.1f} s")
    print(f"{'change':42}{'median of ' + str(REPEATS) + ' [s]':>18}")
    rows = {
        "one channel on": lambda n: explorer.viewer.step(1),
        "mouse on another voxel": lambda n: explorer.viewer.hover((0.01 * n, 0.02)),
        "noise": lambda n: explorer.set(sigma_noise=11.0 + n),
        "filter": alternate(explorer, {"filter": "none"}, {"filter": "polynomial"}),
    }
    for name, kind in LUMINOSITY_MODELS.items():
        models = [{"model": kind()}, {"model": Li2016(alpha=1.4)}]
        rows[f"model {name}"] = alternate(explorer, *models)
    taken = {name: time_change(explorer, change) for name, change in rows.items()}
    sky = {"beam_fwhm": 4.0, "point_sources": True, "diffuse": True}
    explorer.set(**sky)  # foregrounds are drawn once
    models = [{"model": Li2016()}, {"model": Li2016(alpha=1.4)}]
    taken["parameter, with beam and foregrounds"] = time_change(
        explorer, alternate(explorer, *models)
    )
    taken["beam"] = time_change(explorer, alternate(explorer, sky, {"beam_fwhm": 6.0}))
    for name, seconds in taken.items():
        print(f"{name:42}{seconds:18.3f}{'' if seconds < TARGET else '   over a second'}")
    explorer.close()


if __name__ == "__main__":
    quick = "--quick" in sys.argv[1:]
    main(Experiment.from_preset("tiny" if quick else "quick", sigma_noise=11.0))
