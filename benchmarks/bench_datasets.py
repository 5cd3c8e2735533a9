"""Time a data set of 640 pooled maps, the cost of one more map, and reading maps at random.

Run: python benchmarks/bench_datasets.py [number of catalogues]
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np

from imtools import datasets
from imtools.experiment import Experiment
from imtools.run_folder import open_netcdf

N_READ = 2000  # maps


def timed(function, *arguments, **settings):
    """Return the seconds that a call took, and what it returned."""
    start = perf_counter()
    result = function(*arguments, **settings)
    return perf_counter() - start, result


def bench_build(experiment, folder):
    """Print what the whole data set took."""
    taken, made = timed(datasets.build, experiment, folder, progress=False)
    n_maps = len(made) * experiment.data.n_draws
    size = sum(path.stat().st_size for path in folder.glob("*.nc"))
    shape = " x ".join(str(n) for n in experiment.pooled_shape)
    print(f"{n_maps} maps of {shape} voxels from {len(made)} catalogues,", end=" ")
    print(f"{experiment.data.n_workers} workers: {taken:.0f} s, {size / 1e6:.0f} MB")


def bench_further_maps(experiment):
    """Print what a catalogue costs before its first map, and what each map adds."""
    datasets.make_maps(experiment.replace(n_draws=1, batch_size=1), 0)  # compiles, makes tables
    few, many = 4, 16
    short, _ = timed(datasets.make_maps, experiment.replace(n_draws=few), 1)
    long, _ = timed(datasets.make_maps, experiment.replace(n_draws=many), 1)
    each = (long - short) / (many - few)
    print(f"one catalogue: haloes {short - few * each:.2f} s, then {each:.3f} s a map", end="")
    print(f" ({few} maps {short:.2f} s, {many} maps {long:.2f} s, one core)")


def bench_reading(experiment, folder):
    """Print how many maps a second are read in random batches, files in the page cache."""
    rng = np.random.default_rng(0)
    n_files, n_draws = datasets.n_catalogues(experiment), experiment.data.n_draws
    files = [open_netcdf(datasets.catalogue_path(folder, k))["map"] for k in range(n_files)]

    def read():
        places = rng.integers([n_files, n_draws], size=(N_READ, 2))
        return [files[k].variable[i].values for k, i in places]

    read()  # brings the files into memory
    from_files, maps = timed(read)
    loaded, data = timed(datasets.load, folder, "train")
    batches = datasets.Batches(data, experiment, seed=0)
    in_memory, _ = timed(lambda: [batches.batch(0, i) for i in range(batches.n_batches())])
    n_batch = batches.n_batches() * experiment.training.batch_size
    print(f"one map at a time at random: {len(maps) / from_files:.0f} maps/s from the files")
    print(f"load: {data.sizes['sample'] / loaded:.0f} maps/s; batches: {n_batch / in_memory:.0f}")


def main(n_catalogues):
    """Print the table."""
    experiment = Experiment.from_preset(
        "quick", n_train=n_catalogues - 8, n_validation=4, n_test=4, n_draws=16, n_workers=2
    )
    with TemporaryDirectory() as folder:
        bench_build(experiment, Path(folder))
        bench_reading(experiment, Path(folder))
    bench_further_maps(experiment)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
