"""What a network really costs on this machine, beside what `predict_costs` says."""

import gc
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
from scipy.optimize import nnls

from imtools.networks.costs import predict_costs
from imtools.networks.registry import build

STATUS = Path("/proc/self/status")  # where Linux tells the peak of a process's memory
SIZES = (1e8, 3e8)  # bytes of the two batches whose peaks are compared
# one thread, since which outputs live at once depends on which thread is first
ONE_THREAD = {
    "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "MALLOC_ARENA_MAX": "1",
}  # fmt: skip
# s a multiply-add and a layer output: TensorFlow on two CPU cores, fitted to four networks whose
# steps it gives to 0.5 to 1.3 of what was measured
TYPICAL_SPEED = (1.6e-10, 7.2e-9)
SMALL = (  # networks that differ in multiply-adds an output
    ("notes_cnn", {"n_blocks": 2, "filters": 64, "width": 16}),
    ("notes_cnn", {"n_blocks": 3, "filters": 8, "n_dims": 2, "width": 64}),
    ("resnet_small", {"n_blocks": 2, "filters": 8}),
)
PROGRAM = "from imtools.networks.measured import tell_peaks; tell_peaks()"


def measure_memory(architecture, input_shape, n_outputs, **settings):
    """Return the memory that one more map of a batch takes in training [bytes].

    Parameters
    ----------
    architecture, input_shape, n_outputs, **settings
        As for `build`.

    Returns
    -------
    float
        Difference of the peaks of two batches, over the difference of their sizes; NaN where the
        system does not tell the peak. A process of its own is started for it.

    Raises
    ------
    RuntimeError
        If that process fails, for lack of memory for instance.
    """
    if not STATUS.exists():
        return np.nan
    costs = predict_costs(architecture, input_shape, n_outputs, **settings)
    per_map = costs.training_memory(1) - costs.training_memory(0)
    sizes = [max(4, round(size / per_map)) for size in SIZES]
    sizes[1] = max(sizes[1], 2 * sizes[0])
    facts = [architecture, list(input_shape), n_outputs, settings, sizes]
    command = [sys.executable, "-c", PROGRAM, json.dumps(facts)]
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=False
    )
    if done.returncode:
        msg = (
            f"measure_memory: {architecture} with {settings} ended with {done.returncode}: "
            f"{done.stderr.strip().splitlines()[-1:]}; take a smaller network"
        )
        raise RuntimeError(msg)
    low, high = json.loads(done.stdout.splitlines()[-1])
    return (high - low) / (sizes[1] - sizes[0])


def tell_peaks():
    """Write the peak of memory [bytes] after each batch size that the command line names."""
    architecture, shape, n_outputs, settings, sizes = json.loads(sys.argv[1])
    model = _compiled(architecture, shape, n_outputs, settings)
    peaks = []
    for n in (2, 3, *sizes):  # the first batches trace the graph, which takes memory once
        for _ in range(2):
            model.train_on_batch(*_blank_batch(model, n))
        peaks.append(1024 * int(re.search(r"VmHWM:\s+(\d+)", STATUS.read_text())[1]))
    sys.stdout.write(f"{json.dumps(peaks[2:])}\n")


def measure_seconds(architecture, input_shape, n_outputs, *, batch_size, n_steps=5, **settings):
    """Return how long a training step takes on this machine [s].

    Parameters
    ----------
    architecture, input_shape, n_outputs, **settings
        As for `build`.
    batch_size : int
        Maps a step.
    n_steps : int
        Steps that are timed, after two that trace the graph; the median counts.
    """
    model = _compiled(architecture, input_shape, n_outputs, settings)
    batch, seconds = _blank_batch(model, batch_size), []
    for _ in range(2 + n_steps):
        start = time.perf_counter()
        model.train_on_batch(*batch)
        seconds.append(time.perf_counter() - start)
    del model
    gc.collect()  # a network refers to itself and would wait for its turn
    return float(np.median(seconds[2:]))


def fit_speed(costs, seconds, batch_size):
    """Return how long this machine takes for a multiply-add and for a layer output [s].

    Parameters
    ----------
    costs : list of Costs
        Networks that were measured.
    seconds : list of float
        What a step of each took [s].
    batch_size : int
        Maps a step.

    Returns
    -------
    numpy.ndarray, shape (2,)
        For `rough_seconds`; neither is negative. Each network counts alike, however slow.

    Examples
    --------
    >>> from imtools.networks.costs import Costs
    >>> one = Costs(n_params=0, n_trainable=0, multiply_adds=10**9, n_values=10**6, n_largest=0)
    >>> two = Costs(n_params=0, n_trainable=0, multiply_adds=10**8, n_values=10**7, n_largest=0)
    >>> per_madd, per_value = fit_speed([one, two], [1.01, 0.2], batch_size=10)
    >>> print(f"{1 / per_madd:.2g} multiply-adds and {1 / per_value:.2g} values a second")
    1e+10 multiply-adds and 1e+09 values a second
    """
    work = np.array([[c.multiply_adds, c.n_values] for c in costs], dtype=float) * batch_size
    relative = work / np.asarray(seconds)[:, None]
    size = relative.max(axis=0)  # so that the two columns are of one order
    return nnls(relative / size, np.ones(len(seconds)))[0] / size


def measure_speed(*, shape=(32, 32, 8), batch_size=16):
    """Return how long this machine takes for a multiply-add and a layer output [s].

    Three small networks on maps of `shape` (n_dec, n_ra, n_freq) are built and take a few steps,
    which takes about ten seconds on two cores.

    Returns
    -------
    numpy.ndarray, shape (2,)
        As from `fit_speed`.
    """
    settings = [{"architecture": kind, **more} for kind, more in SMALL]
    costs = [predict_costs(input_shape=shape, n_outputs=49, **s) for s in settings]
    seconds = [
        measure_seconds(input_shape=shape, n_outputs=49, batch_size=batch_size, **s)
        for s in settings
    ]
    return fit_speed(costs, seconds, batch_size)


def rough_seconds(costs, speed, batch_size):
    """Return a guess at the time of a training step [s], from what `fit_speed` found."""
    return batch_size * float(np.dot(speed, (costs.multiply_adds, costs.n_values)))


def format_costs(costs, batch_size, *, optimizer="adam", speed=None):
    """Return the costs of a network as lines of text.

    Parameters
    ----------
    costs : Costs
        From `predict_costs` or `count_costs`.
    batch_size : int
        Maps a step.
    optimizer : str
        As for `Costs.training_memory`.
    speed : array_like, shape (2,), optional
        From `fit_speed`; without it no time is guessed.

    Examples
    --------
    >>> costs = predict_costs("notes_cnn", (64, 64, 10), 49)
    >>> print(format_costs(costs, 40))
    122,276,033 weights
    3,226,992,488 multiply-adds a map
    4.58 GB to train at 40 maps a step, beside the backend's own
    """
    memory = costs.training_memory(batch_size, optimizer=optimizer)
    lines = [
        f"{costs.n_params:,} weights",
        f"{costs.multiply_adds:,} multiply-adds a map",
        f"{memory / 1e9:.3g} GB to train at {batch_size} maps a step, beside the backend's own",
    ]
    if speed is not None:
        seconds = rough_seconds(costs, speed, batch_size)
        lines.append(f"roughly {seconds:.2g} s a step, {batch_size / seconds:.3g} maps/s here")
    return "\n".join(lines)


def _compiled(architecture, input_shape, n_outputs, settings):
    model = build(architecture, tuple(input_shape), n_outputs, **settings)
    jit = keras.backend.backend() == "jax"  # as in training.loop
    # blank maps and zeros as targets: the squares take no less time than any other loss
    model.compile(optimizer="adam", loss="mse", jit_compile=jit)
    return model


def _blank_batch(model, n):
    return tuple(np.zeros((n, *t.shape[1:]), "float32") for t in (model.input, model.output))
