"""Time training and inference of every architecture with each backend that is installed.

Run: python benchmarks/bench_training.py [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from time import perf_counter

import numpy as np

SHAPE, N_OUTPUTS = (64, 64, 10), 49  # dec, ra, freq of a pooled `notes` map; bins
NETWORKS = {  # name: (architecture, settings that are not the builder's own, maps a step)
    "notes, 3-D, 64 filters": ("notes_cnn", {}, 16),
    "notes, 3-D, 16 filters": ("notes_cnn", {"filters": 16}, 32),
    "notes, 2-D, 32 filters": ("notes_cnn", {"filters": 32, "n_dims": 2}, 32),
    "notes, 2-D, 8 filters, 4 blocks": (
        "notes_cnn", {"filters": 8, "n_dims": 2, "n_blocks": 4, "head": "global"}, 32
    ),
    "resnet_small, 3-D, 16 filters": ("resnet_small", {}, 32),
    "resnet50, 2-D, 16 filters": ("resnet50", {"filters": 16, "n_dims": 2, "stages": "3-4-6"}, 32),
    "additive": ("additive", {}, 32),
    "histogram": ("histogram", {}, 32),
}  # fmt: skip
LARGE = "notes, 3-D, 64 filters"  # minutes where XLA compiles it, and no news
MODES = {  # name: (backend, compiled by XLA or torch.compile)
    "TensorFlow": ("tensorflow", False),
    "TensorFlow, XLA": ("tensorflow", True),
    "PyTorch": ("torch", False),
    "JAX": ("jax", True),
}
CONVOLUTIONS = {  # name: (shape of the map, channels in, out, side, stride), 16 maps
    "2-D, 10 to 32, side 3": ((64, 64), 10, 32, 3, 1),
    "2-D, 32 to 32, side 2, stride 2": ((64, 64), 32, 32, 2, 2),
    "2-D, 32 to 64, side 3": ((32, 32), 32, 64, 3, 1),
    "3-D, 1 to 16, side 3": ((64, 64, 10), 1, 16, 3, 1),
    "3-D, 16 to 16, side 2, stride 2": ((64, 64, 10), 16, 16, 2, 2),
    "3-D, 16 to 32, side 3": ((32, 32, 5), 16, 32, 3, 1),
}


def seconds_a_call(function, *, at_least, most=50):
    """Return the seconds of the first call, and the median of those until `at_least` is over."""
    start = perf_counter()
    function()
    first, times = perf_counter() - start, []
    while not times or (sum(times) < at_least and len(times) < most):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return first, float(np.median(times))


def bench_network(name, compiled, at_least):
    """Return the row of one network: weights, maps a second, seconds before the first step."""
    import keras

    from imtools import networks

    architecture, settings, size = NETWORKS[name]
    keras.utils.set_random_seed(0)
    model = networks.build(architecture, SHAPE, N_OUTPUTS, **settings)
    rng = np.random.default_rng(0)
    inputs = rng.exponential(1.0, (size, *SHAPE)).astype("float32")
    targets = rng.normal(size=(size, N_OUTPUTS)).astype("float32")
    networks.adapt(model, inputs, target=(np.full(N_OUTPUTS, 2.0), np.ones(N_OUTPUTS)))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse", jit_compile=compiled)
    first, step = seconds_a_call(lambda: model.train_on_batch(inputs, targets), at_least=at_least)
    _, answer = seconds_a_call(lambda: model.predict_on_batch(inputs), at_least=at_least / 2)
    row = {"network": name, "weights": model.count_params(), "first": first}
    return row | {"train": size / step, "infer": size / answer}


def bench_backend(mode, quick):
    """Print the rows of one backend as JSON; runs in a process of its own."""
    for name in NETWORKS:
        if name == LARGE and (quick or MODES[mode][1]):
            continue
        print(json.dumps(bench_network(name, MODES[mode][1], 1 if quick else 5)), flush=True)


def bench_waiting(quick):
    """Print what share of its time the loop of each network waits for batches."""
    import keras
    import xarray as xr

    from imtools import datasets, networks
    from imtools.counts import DEFAULT_EDGES, luminosity_function
    from imtools.experiment import Experiment
    from imtools.survey import Survey
    from imtools.training.ahead import drawn_ahead

    n_maps, size, rng = 128, 32, np.random.default_rng(0)
    survey = Survey.notes().replace(n_pix=SHAPE[0], n_chan=SHAPE[2])
    maps = rng.exponential(1.0, (n_maps, *survey.shape)).astype("float32")
    maps = xr.concat([survey.cube(values) for values in maps], "sample")
    counts = luminosity_function(rng.poisson(9.0, (n_maps, N_OUTPUTS)), DEFAULT_EDGES)
    data = xr.Dataset({"map": maps, "counts": counts})
    data = data.assign_coords(catalogue=("sample", np.arange(n_maps)))
    for name in NETWORKS:
        if name == LARGE:
            continue
        architecture, settings, _ = NETWORKS[name]
        model = networks.build(architecture, SHAPE, N_OUTPUTS, **settings)
        model.compile(optimizer=keras.optimizers.Adam(1e-5), loss="mse", jit_compile=False)
        row = {"network": name}
        for sigma in (0.0, 11.0):
            experiment = Experiment.from_preset("quick", sigma_noise=sigma, batch_size=size)
            batches = datasets.Batches(data, experiment, seed=0)
            row[f"{sigma:g} uK"] = waiting_share(model, batches, drawn_ahead, 1 if quick else 4)
        print(json.dumps(row), flush=True)


def waiting_share(model, batches, drawn_ahead, at_least):
    """Return the share of the loop's time before a batch is there, after a first one."""
    drawn = drawn_ahead(
        lambda step: batches.batch(*divmod(step, batches.n_batches())), range(10_000),
        at_once=batches.at_once,
    )  # fmt: skip
    model.train_on_batch(*next(drawn))
    waited, start, now = 0.0, perf_counter(), 0.0
    while now < at_least:
        begun = perf_counter()
        batch = next(drawn)
        waited += perf_counter() - begun
        model.train_on_batch(*batch)
        now = perf_counter() - start
    drawn.close()
    return waited / now


def bench_convolutions(quick):
    """Print multiply-adds a second of single convolutions and their gradients, plain and XLA."""
    import tensorflow as tf

    for name, (side, n_in, n_out, kernel, stride) in CONVOLUTIONS.items():
        maps = tf.random.normal((16, *side, n_in))
        filters = tf.random.normal((*[kernel] * len(side), n_in, n_out))

        def forward(maps, filters, stride=stride):
            return tf.nn.convolution(maps, filters, stride, "SAME")

        weights = tf.random.normal(forward(maps, filters).shape)

        def to_maps(maps, filters, forward=forward, weights=weights):
            return tf.gradients(forward(maps, filters), maps, weights)

        def to_filters(maps, filters, forward=forward, weights=weights):
            return tf.gradients(forward(maps, filters), filters, weights)

        multiply_adds = float(np.prod(weights.shape) * np.prod(filters.shape)) / n_out
        row = {"convolution": name}
        for step, function in (("forward", forward), ("maps", to_maps), ("filters", to_filters)):
            for compiled in (False, True):
                graph = tf.function(function, jit_compile=compiled, autograph=False)
                _, taken = seconds_a_call(
                    lambda graph=graph, maps=maps, filters=filters: tf.nest.map_structure(
                        lambda result: result.numpy(), graph(maps, filters)
                    ),
                    at_least=0.1 if quick else 0.5,
                )
                row[f"{step}{', XLA' if compiled else ''}"] = multiply_adds / taken / 1e9
        print(json.dumps(row), flush=True)


def rows_of(part, quick, *, backend="tensorflow"):
    """Return what a part of this file printed, run in a process with another backend."""
    command = [sys.executable, __file__, "--part", part, *(["--quick"] if quick else [])]
    settings = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3", "JAX_PLATFORMS": "cpu"}
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(
            command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=errors, text=True
        )
        if done.returncode:
            errors.seek(0)
            print(f"{part}: failed, {errors.read().strip().splitlines()[-1]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def print_speeds(quick):
    """Print maps a second, backend by backend."""
    for mode, (backend, _) in MODES.items():
        if find_spec(backend) is None:
            print(f"\n{mode}: {backend} is not installed")
            continue
        print(f"\n{mode:34s}{'weights':>12s}{'train':>10s}{'infer':>10s}{'first step':>12s}")
        for row in rows_of(mode, quick, backend=backend):
            print(
                f"  {row['network']:32s}{row['weights']:12,d}{row['train']:10.1f}"
                f"{row['infer']:10.1f}{row['first']:10.1f} s", flush=True,
            )  # fmt: skip


def print_waiting(quick):
    """Print the share of a training's time in which a network waits for its batch."""
    print("\nshare of the time spent waiting for data, batches of 32, TensorFlow")
    for row in rows_of("waiting", quick):
        shares = f"{row['0 uK']:8.1%} without noise{row['11 uK']:8.1%} with noise"
        print(f"  {row['network']:32s}{shares}", flush=True)


def print_convolutions(quick):
    """Print which convolutions XLA slows."""
    print("\nbillion multiply-adds a second of one convolution, TensorFlow, plain / XLA")
    print(f"  {'':34s}{'forward':>16s}{'to the maps':>16s}{'to the filters':>16s}")
    for row in rows_of("convolutions", quick):
        speeds = [
            f"{row[step]:7.1f} /{row[f'{step}, XLA']:7.1f}"
            for step in ("forward", "maps", "filters")
        ]
        print(f"  {row['convolution']:34s}" + "".join(f"{speed:>16s}" for speed in speeds))


def main():
    """Print all tables, or one part as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps, small networks alone")
    parser.add_argument("--part", choices=(*MODES, "waiting", "convolutions"), help="one as JSON")
    given = parser.parse_args()
    if given.part is None:
        print(f"maps of {' x '.join(map(str, SHAPE))} voxels, maps a second")
        print_speeds(given.quick)
        print_waiting(given.quick)
        print_convolutions(given.quick)
    elif given.part == "waiting":
        bench_waiting(given.quick)
    elif given.part == "convolutions":
        bench_convolutions(given.quick)
    else:
        bench_backend(given.part, given.quick)


if __name__ == "__main__":
    main()
