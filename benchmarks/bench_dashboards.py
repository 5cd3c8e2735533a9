"""Time what the map explorer does when a knob is turned, in the geometry of the notes.

Run: python benchmarks/bench_dashboards.py [--quick]

Each change is timed from the knob to the last message that leaves for the page: with the new slices
and spectra, and with P(k), voxels and luminosity function, which follow. The time that the browser
takes to draw is not in it: a slice is 64 KB of 256 x 256 colours.
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
    """Return the median times [s] to the map and to its statistics, after one call of each kind."""
    drawn, show = [0.0], explorer.viewer._show_spectra

    def show_and_note():
        show()
        drawn[0] = perf_counter()

    explorer.viewer._show_spectra, times = show_and_note, []
    for repeat in range(REPEATS + 2):
        start = drawn[0] = perf_counter()
        change(repeat)
        end = perf_counter()
        if repeat > 1:  # the first ones compile and fill caches
            times.append(((drawn[0] if drawn[0] > start else end) - start, end - start))
        if explorer.message.kind == "error":
            raise RuntimeError(explorer.message.text)
    explorer.viewer._show_spectra = show
    return [median(column) for column in zip(*times, strict=True)]


def alternate(explorer, first, second):
    """Return a change to `first` in even repeats and to `second` in odd ones."""
    return lambda n: explorer.set(**(second if n % 2 else first))


def main(experiment):
    """Print the table."""
    start = perf_counter()
    explorer = MapExplorer(experiment)
    shape = " x ".join(str(n) for n in experiment.survey_object().shape)
    print(f"{shape} voxels; opened, haloes simulated, in {perf_counter() - start:.1f} s")
    print(f"{'change, median of ' + str(REPEATS) + ' [s]':42}{'map':>10}{'statistics':>14}")
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
    for name, (seen, whole) in taken.items():
        late = "   over a second" if whole > TARGET else ""
        print(f"{name:42}{seen:10.3f}{whole:14.3f}{late}")
    explorer.close()


if __name__ == "__main__":
    quick = "--quick" in sys.argv[1:]
    main(Experiment.from_preset("tiny" if quick else "quick", sigma_noise=11.0))
