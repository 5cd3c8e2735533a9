"""Time to accuracy: seconds until a network's validation error is within 1.3 of the ridge's.

Run: python benchmarks/bench_accuracy.py [--minutes 20] [--quick]
"""

import argparse
import json
from contextlib import suppress
from time import perf_counter

import keras
import numpy as np

from imtools import datasets, estimators, networks
from imtools.experiment import Experiment
from imtools.training import Target
from imtools.training.loop import fit, predict

WITHIN = 1.3  # of the ridge's mean squared error
OURS = {"epochs": 60, "patience": 60}
NOTES = {
    "architecture": "notes_cnn", "transform": "log10", "dropout": 0.5, "width": 1000,
    "batch_size": 40, "schedule": "constant", "epochs": 10_000, "patience": 10_000,
}  # fmt: skip
BEYOND = 100.0  # times the run, the most that is extrapolated
FILTERS = 16  # of the notes' network that a CPU can train; theirs has 64


class OverError(Exception):
    """The target is reached, or the time is over."""


def mean_squared_error(log_dn, counts, experiment):
    """Return the mean squared error of log10 dN over maps and bins [dex^2], one floor for all."""
    return float(np.mean((log_dn - np.log10(np.maximum(counts, experiment.counts.floor))) ** 2))


def time_network(experiment, train, validation, goal, limit):
    """Return rows of (seconds, maps seen, error, loss), one an epoch, until `goal` or `limit`.

    The clock runs from raw maps on: scaling, building and compiling count. It stands still while
    the error is taken, which the loop does too, in its own units.
    """
    start, paused, rows = perf_counter(), 0.0, []
    keras.utils.set_random_seed(experiment.data.seed)
    target = Target.of(experiment, train["counts"].values)
    inputs = datasets.network_inputs(train["map"], experiment)
    judged = datasets.network_inputs(validation["map"], experiment)
    counts, shape = validation["counts"].values, inputs.shape[1:]
    settings = experiment.network.model_dump(exclude={"architecture"})
    architecture = experiment.network.architecture
    model = networks.build(architecture, shape, counts.shape[1], **settings)
    networks.adapt(model, inputs, target=(target.mean, target.width))
    batches = datasets.Batches(train, experiment, seed=experiment.data.seed)
    n_maps = (experiment.training.steps_per_epoch or batches.n_batches()) * (
        experiment.training.batch_size
    )

    def log(row):
        nonlocal paused
        now = perf_counter()
        error = mean_squared_error(target.median(predict(model, judged, 32)), counts, experiment)
        paused += perf_counter() - now
        seconds = perf_counter() - start - paused
        rows.append((seconds, n_maps * (row["epoch"] + 1), error, row["loss"]))
        if error <= goal or seconds > limit:
            raise OverError

    settings = {"target": target, "keep": lambda *best: None, "log": log}
    with suppress(OverError):
        fit(model, batches, (judged, counts), experiment.training, **settings)
    return rows


def extrapolated(rows, goal):
    """Return the seconds to `goal` if error falls on as a power of time, as in the later half.

    No more than `BEYOND` times what was run is trusted; from one epoch alone nothing is.
    """
    seconds, _, error, _ = np.array(rows[len(rows) // 2 :]).T
    if seconds.size < 2:
        return seconds[-1]
    best = np.minimum.accumulate(error)
    slope, start = np.polyfit(np.log(seconds), np.log(best), 1)
    if slope >= 0:
        return BEYOND * seconds[-1]
    log_taken = (np.log(goal) - start) / slope
    return float(np.exp(np.clip(log_taken, *np.log(seconds[-1] * np.array([1, BEYOND])))))


def report(name, rows, goal):
    """Print loss against time, and the seconds to the goal, and return them."""
    print(f"\n{name}\n{'seconds':>10s}{'maps seen':>12s}{'error [dex2]':>14s}{'loss':>12s}")
    chosen = np.unique(np.geomspace(1, len(rows), min(len(rows), 12)).round().astype(int)) - 1
    for i in chosen:
        seconds, n_maps, error, loss = rows[i]
        print(f"{seconds:10.1f}{n_maps:12d}{error:14.5f}{loss:12.5f}")
    if rows[-1][2] <= goal:
        print(f"reached after {rows[-1][0]:.1f} s")
        return rows[-1][0], True
    least = min(error for _, _, error, _ in rows)
    taken = extrapolated(rows, goal)
    print(
        f"not reached in {rows[-1][0]:.0f} s, least error {least:.5f}; extrapolated: {taken:.0f} s"
    )
    return taken, False


def main():
    """Print the error of the ridge, and what each network takes to come near it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="for the notes' network")
    parser.add_argument(
        "--quick", action="store_true", help="tiny maps, seconds: numbers mean nothing"
    )
    parser.add_argument("--changes", default="{}", help="other parameters of ours, as JSON")
    given = parser.parse_args()
    experiment = Experiment.from_preset("tiny" if given.quick else "quick")
    sets = datasets.set_folder(experiment)
    datasets.build(experiment, sets)
    train, validation = (datasets.load(sets, side) for side in ("train", "validation"))
    ridge = estimators.fit_histogram_regression(experiment, train, validation)
    answers = ridge.median(validation["map"], experiment)
    error = mean_squared_error(answers, validation["counts"].values, experiment)
    goal = WITHIN * error
    n_train, n_judged = train.sizes["sample"], validation.sizes["sample"]
    print(f"{n_train} training maps, {n_judged} validation maps, {experiment.counts.n_bins} bins")
    print(f"ridge on the voxel histogram: {error:.5f} dex2; goal {goal:.5f} dex2")
    limit = 10 if given.quick else 60 * given.minutes
    ours = experiment.replace(**OURS | json.loads(given.changes))
    fast, reached = report(
        "ours: histogram", time_network(ours, train, validation, goal, limit), goal
    )
    small = {"n_blocks": 4, "batch_size": 4} if given.quick else {}
    notes = experiment.replace(**NOTES | {"filters": FILTERS} | small)
    name = f"the notes' network with {FILTERS} filters"
    slow, finished = report(name, time_network(notes, train, validation, goal, limit), goal)
    if not reached:
        print("\nours never reached the goal")
        return
    words = "" if finished else ", theirs extrapolated"
    print(f"\nours is {slow / fast:.0f} times faster{words}")


if __name__ == "__main__":
    main()
