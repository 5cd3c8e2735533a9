"""Time power spectra and voxel counts of a stack of COMAP maps, and the information reference.

Run: python benchmarks/bench_statistics.py
"""

from time import perf_counter

import numpy as np
import xarray as xr

from imtools.luminosity import Li2016
from imtools.statistics import power_spectrum, power_spectrum_2d, reference_error, vid
from imtools.survey import Survey

N_MAPS = 30
REPEATS = 5


def median_time(function, *arguments, **settings):
    """Return the median seconds of a call, after one that fills the caches."""
    function(*arguments, **settings)
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        function(*arguments, **settings)
        times.append(perf_counter() - start)
    return np.median(times)


def main():
    """Print the table."""
    survey, rng = Survey.comap(), np.random.default_rng(0)
    noise = rng.normal(0, 11, (N_MAPS, *survey.shape)).astype("float32")
    maps = xr.concat([survey.cube(values) for values in noise], "sample")
    print(f"{N_MAPS} maps of {' x '.join(str(n) for n in survey.shape)} voxels, one process")
    for function in (power_spectrum, power_spectrum_2d, vid):
        per_map = median_time(function, maps) / N_MAPS
        print(f"{function.__name__:20s} {1e3 * per_map:6.1f} ms a map")
    start = perf_counter()
    power_spectrum(maps[:1], survey, k_edges=np.linspace(0.01, 0.5, 51))
    print(f"{'new bins, one map':20s} {1e3 * (perf_counter() - start):6.1f} ms")
    settings = {"prior": "ten_percent", "sigma_noise": 11.0}
    models = [Li2016.draw(rng=rng) for _ in range(11)]
    one, many = (
        median_time(reference_error, m, survey, rng=np.random.default_rng(0), **settings)
        for m in (models[:1], models)
    )
    print(f"{'reference_error':20s} {1e3 * (many - one) / 10:6.1f} ms a model")


if __name__ == "__main__":
    main()
