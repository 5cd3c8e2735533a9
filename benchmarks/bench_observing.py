"""Time the beam against `astropy.convolution`, broad lines, filters, and the chain of one cube.

Run: python benchmarks/bench_observing.py
"""

from statistics import median
from time import perf_counter

import numpy as np
import xarray as xr
from astropy.convolution import Gaussian2DKernel, convolve, convolve_fft

from imtools import halos
from imtools.constants import FWHM_TO_SIGMA
from imtools.luminosity import LUMINOSITY_MODELS
from imtools.observing import (
    add_emission,
    add_noise,
    diffuse,
    finer,
    hit_map,
    interloper_cube,
    line_width,
    point_sources,
    smooth_beam,
    subtract_mean,
    subtract_pca,
    subtract_polynomial,
    to_survey,
)
from imtools.painting import paint_halos
from imtools.survey import Survey

BEAM_FWHM = 4.0  # arcmin
REPEATS = 5
N_MAPS = 30  # of a batch that is filtered


def time_of(function, repeats=REPEATS):
    """Return the median time [s] of a function, after one call that may compile."""
    function()
    taken = []
    for _ in range(repeats):
        start = perf_counter()
        function()
        taken.append(perf_counter() - start)
    return median(taken)


def print_beams(survey, rng):
    """Print the times of three ways to smooth one cube, and their largest difference."""
    cube = survey.cube(rng.lognormal(size=survey.shape).astype(np.float32))
    sigma = BEAM_FWHM * FWHM_TO_SIGMA / (60 * survey.pixel_size)
    width = 2 * int(np.ceil(5 * sigma)) + 1
    kernel = Gaussian2DKernel(sigma, x_size=width, y_size=width)  # beyond 5 sigma lies 6e-7
    ours = time_of(lambda: smooth_beam(cube, beam_fwhm=BEAM_FWHM))
    smooth = smooth_beam(cube, beam_fwhm=BEAM_FWHM).values
    shape = " x ".join(str(n) for n in survey.shape)
    print(f"{shape} voxels, {width} pixels of kernel: smooth_beam {1e3 * ours:.1f} ms")
    channels = range(0, survey.n_chan, max(1, survey.n_chan // 10))  # the others take as long
    for theirs in (convolve, convolve_fft):

        def one_by_one(theirs=theirs):
            return [theirs(cube.values[i], kernel, boundary="fill") for i in channels]

        taken = time_of(one_by_one, 3) * survey.n_chan / len(channels)
        off = np.abs(np.array(one_by_one()) / smooth[list(channels)] - 1).max()
        ratio = f"{1e3 * taken:9.0f} ms, {taken / ours:5.0f} times as long"
        print(f"  astropy {theirs.__name__:13}{ratio}; largest relative difference {off:.1e}")


def print_lines(survey, haloes):
    """Print the time of painting with and without the width of each line."""
    plain = haloes.drop_vars("line_fwhm")
    times = [time_of(lambda h=h: paint_halos(h, survey)) for h in (plain, haloes)]
    shape = " x ".join(str(n) for n in survey.shape)
    found = f"points {1e3 * times[0]:.1f} ms, lines {1e3 * times[1]:.1f} ms"
    print(f"{haloes.sizes['halo']} haloes onto {shape} voxels: {found}")


def print_filters(survey, rng):
    """Print the time of each filter on a batch of maps."""
    values = rng.standard_normal((N_MAPS, *survey.shape), dtype=np.float32)
    empty = survey.cube(np.zeros(survey.shape))
    stack = xr.DataArray(values, dims=("sample", *empty.dims), coords=empty.coords)
    stack.attrs = empty.attrs
    filters = {
        "mean of the map": subtract_mean,
        "mean of each channel": lambda cube: subtract_mean(cube, per="channel"),
        "polynomial of order 3": lambda cube: subtract_polynomial(cube, order=3),
        "5 principal components": lambda cube: subtract_pca(cube, n_modes=5),
    }
    for name, function in filters.items():
        taken = time_of(lambda function=function: function(stack), 3)
        print(f"{N_MAPS} comap maps, {name:24}{1e3 * taken:8.0f} ms")


def print_chain(survey, haloes, rng):
    """Print the time of every step from haloes to a filtered map."""
    fine, clock = finer(survey, 5, margin=8.0), [perf_counter()]

    def step(name, result):
        clock.append(perf_counter())
        print(f"  {name:44}{1e3 * (clock[-1] - clock[-2]):8.0f} ms")
        return result

    sky = step("paint lines on pixels of 0.8'", paint_halos(haloes, fine))
    for line in ("co21", "hcn10"):
        cube = interloper_cube(fine, line=line, seed=1, rng=rng, broaden=True)
        sky = step(f"simulate and paint {line}", add_emission(sky, cube))
    for name in ("synchrotron", "free_free", "cmb"):
        sky = step(name, add_emission(sky, diffuse(fine, name, rng=rng)))
    sky = step("point sources", add_emission(sky, point_sources(fine, rng=rng)))
    seen = step("beam, and back to the survey", to_survey(smooth_beam(sky, beam_fwhm=4.0), survey))
    hits = hit_map(survey, kind="edge")
    settings = {"sigma_noise": 11.0, "convention": "reference_voxel", "rng": rng}
    seen = step("noise by hits", add_noise(seen, hits, **settings))
    step("5 principal components", subtract_pca(seen, n_modes=5, weight=hits))
    print(f"  {'all of it':44}{1e3 * (clock[-1] - clock[0]):8.0f} ms")


def simulate_halos(survey, rng):
    """Return haloes with luminosity and line width."""
    haloes = halos.simulate(survey, seed=0)
    m_halo, z = haloes["m_halo"].values, haloes["z"].values
    l_co = LUMINOSITY_MODELS["li2016"]().luminosity(m_halo, z, rng=rng)
    fwhm = line_width(m_halo, z, survey.cosmology)
    return haloes.assign(l_co=("halo", l_co), line_fwhm=("halo", fwhm))


def main():
    """Print the tables."""
    rng, comap = np.random.default_rng(0), Survey.comap()
    for survey in (Survey.notes(), finer(comap, 5)):
        print_beams(survey, rng)
    haloes = simulate_halos(comap, rng)
    for survey in (Survey.notes(), comap):
        print_lines(survey, haloes)
    print_filters(comap, rng)
    haloes = simulate_halos(finer(comap, 5, margin=8.0), rng)
    print("one comap cube, with haloes that have a luminosity:")
    print_chain(comap, haloes, rng)  # compiles
    print("and once more, compiled:")
    print_chain(comap, haloes, rng)


if __name__ == "__main__":
    main()
