"""The sky of one map: haloes and all else that shines, through the beam, on survey pixels."""

import numpy as np

from imtools import halos
from imtools.observing import (
    DIFFUSE,
    INTERLOPERS,
    add_emission,
    diffuse,
    finer,
    interloper_cube,
    line_width,
    point_sources,
    smooth_beam,
    to_survey,
)
from imtools.painting import paint_halos


def painted_survey(experiment):
    """Return the survey that is painted on: finer pixels and a margin, as the beam needs them."""
    sky = experiment.sky
    return finer(experiment.survey_object(), sky.fine_factor, margin=sky.beam_margin)


def simulate_haloes(experiment, seed):
    """Return the haloes of field and margin, with the width of their lines if that is asked for."""
    survey = painted_survey(experiment)
    haloes = halos.simulate(
        survey, seed=seed, m_min=experiment.halos.m_min, cell_size=experiment.halos.cell_size
    )
    if not experiment.sky.line_width:
        return haloes
    width = line_width(haloes["m_halo"].values, haloes["z_cosmo"].values, survey.cosmology)
    attrs = {"units": "km/s", "long_name": "full width at half maximum of the line"}
    return haloes.assign(line_fwhm=("halo", width, attrs))


def inside_field(haloes, survey):
    """Return which haloes lie in the field itself: those whose luminosities are counted."""
    half = survey.field_size / 2
    return (np.abs(haloes["ra"].values) < half) & (np.abs(haloes["dec"].values) < half)


def interloper_sky(experiment, seed, rng):
    """Return the cubes of interloping lines on the painted survey; they are one catalogue's."""
    if not experiment.sky.interlopers:
        return []
    settings = {"m_min": experiment.halos.m_min, "broaden": experiment.sky.line_width}
    survey, seeds = painted_survey(experiment), seed.spawn(len(INTERLOPERS))
    return [
        interloper_cube(survey, line=line, seed=s, rng=rng, **settings)
        for line, s in zip(INTERLOPERS, seeds, strict=True)
    ]


def paint_sky(haloes, experiment, interlopers, rng):
    """Return one map on the pixels of the survey, as it reaches the receiver.

    Parameters
    ----------
    haloes : xarray.Dataset, dims ("halo",)
        From `simulate_haloes`, turned, with ``l_co``.
    experiment : Experiment
        Its stages ``survey`` and ``sky``.
    interlopers : list of xarray.DataArray
        From `interloper_sky`.
    rng : numpy.random.Generator
        Source of the foregrounds.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Emission, then foregrounds, then the beam over both.
    """
    sky, survey = experiment.sky, painted_survey(experiment)
    cube = paint_halos(haloes, survey)
    others = list(interlopers)
    if sky.point_sources:
        others.append(point_sources(survey, rng=rng))
    if sky.diffuse:
        others += [diffuse(survey, component, rng=rng) for component in DIFFUSE]
    if others:
        cube = add_emission(cube, *others)
    if sky.beam_fwhm > 0:
        cube = smooth_beam(cube, beam_fwhm=sky.beam_fwhm)
    return to_survey(cube, experiment.survey_object())
