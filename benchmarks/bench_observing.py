"""Time the beam against `astropy.convolution`, line width against plain painting, and the chain.

Run: python benchmarks/bench_observing.py
"""

from statistics import median
from time import perf_counter

import numpy as np
from astropy.convolution import Gaussian2DKernel, convolve, convolve_fft

from imtools.constants import FWHM_TO_SIGMA
from imtools.observing import finer, smooth_beam
from imtools.survey import Survey

BEAM_FWHM = 4.0  # arcmin
REPEATS = 5


def time_of(function, repeats=REPEATS):
    """Return the median time [s] of a function, after one call that may compile."""
    function()
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        taken.append(perf_counter() - start)
    return median(taken)


def compare_beams(survey, rng):
    """Print the times of three ways to smooth one cube, and their largest difference."""
    cube = survey.cube(rng.lognormal(size=survey.shape).astype(np.float32))
    sigma = BEAM_FWHM * FWHM_TO_SIGMA / (60 * survey.pixel_size)
    width = 2 * int(np.ceil(5 * sigma)) + 1
    kernel = Gaussian2DKernel(sigma, x_size=width, y_size=width)  # beyond 5 sigma lies 6e-7
    ours = time_of(lambda: smooth_beam(cube, beam_fwhm=BEAM_FWHM))
    smooth = smooth_beam(cube, beam_fwhm=BEAM_FWHM).values
    shape = " x ".join(str(n) for n in survey.shape)
    print(f"{shape} voxels: smooth_beam {1e3 * ours:.1f} ms")
    channels = range(0, survey.n_chan, max(1, survey.n_chan // 10))  # the others take as long
    for theirs in (convolve, convolve_fft):

        def one_by_one(theirs=theirs):
            return [theirs(cube.values[i], kernel, boundary="fill") for i in channels]

        taken = time_of(one_by_one, 1) * survey.n_chan / len(channels)
        off = np.abs(np.array(one_by_one()) / smooth[list(channels)] - 1).max()
        print(
            f"  astropy {theirs.__name__:13}{1e3 * taken:9.0f} ms, {taken / ours:5.0f} times; ",
            end="",
        )
        print(f"largest relative difference {off:.1e}")


def main():
    """Print the tables."""
    rng = np.random.default_rng(0)
    for survey in (Survey.notes(), finer(Survey.comap(), 5)):
        compare_beams(survey, rng)


if __name__ == "__main__":
    main()
