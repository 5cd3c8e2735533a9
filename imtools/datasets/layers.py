"""One map, layer by layer: the signal, all that shines, the noise, and what is observed."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools import halos
from imtools.counts import count_sources
from imtools.datasets.reading import observe
from imtools.datasets.sky import inside_field, painted_survey
from imtools.experiment import Experiment
from imtools.luminosity import LuminosityModel
from imtools.observing import (
    DIFFUSE,
    INTERLOPERS,
    add_emission,
    diffuse,
    hit_map,
    interloper_cube,
    line_width,
    noise_map,
    point_sources,
    smooth_beam,
    to_survey,
)
from imtools.painting import paint_halos

# what a stream of random numbers is for: default_rng([seed, stream])
LUMINOSITIES, FOREGROUNDS, NOISE, INTERLOPER_LIGHT, INTERLOPER_HALOES = range(1, 6)
LAYERS = ("signal", "sky", "noise", "observed", "signal_to_noise")


@dataclass(frozen=True, kw_only=True)
class MapSettings:
    """What one map is made with, at the full resolution of its survey."""

    experiment: Experiment  # its stages survey, halos, sky, observing and counts
    model: LuminosityModel
    seed: int = 0  # seeds every random draw


class Kept:
    """The last result of each slow step, for as long as nothing changes that it depends on.

    Examples
    --------
    >>> kept = Kept()
    >>> [kept("square", x, lambda x=x: x**2) for x in (2, 3)]
    [4, 9]
    >>> kept("square", 3, lambda: "not made again")
    9
    """

    def __init__(self):
        self._results = {}

    def __call__(self, step, key, make):
        """Return the result of `step` for `key`; `make` makes it if it is not there."""
        if step not in self._results or self._results[step][0] != key:
            self._results.pop(step, None)  # first, so that two never take up memory at once
            self._results[step] = (key, make())
        return self._results[step][1]

    def put(self, step, key, result):
        """Keep a result that was made elsewhere."""
        self._results[step] = (key, result)

    def clear(self):
        """Forget everything."""
        self._results.clear()


def make_layers(settings, kept=None):
    """Make one map, and with it what it is the sum of.

    Parameters
    ----------
    settings : MapSettings
        What to make.
    kept : Kept, optional
        Slow steps of the call before, such as the haloes, which are then made again only where
        `settings` ask for others.

    Returns
    -------
    dict of str to xarray.DataArray
        Cubes with dims ("freq", "dec", "ra"), units uK: ``signal``, the line through the beam;
        ``sky``, with foregrounds and interlopers where there are any; ``noise``, where there is
        any; ``observed``, all of them, filtered. With noise ``signal_to_noise``, units 1: the
        signal over the standard deviation of the noise. And ``counts``, dims ("log_l",): the
        sources in the field.

    Notes
    -----
    `sky` is what `paint_sky` returns, and `observed` what `observe` makes of it.
    `map_script` writes the Python that makes `observed`.
    """
    kept = Kept() if kept is None else kept
    experiment, survey = settings.experiment, settings.experiment.survey_object()
    painted, counts = _painted_signal(settings, kept)
    key = (_signal_key(settings), experiment.sky.beam_fwhm, survey)
    signal = kept("signal", key, lambda: _through_beam(painted, experiment))
    layers, sky = {"signal": signal}, signal
    others = kept("others", _others_key(settings), lambda: _other_emission(settings))
    if others:
        sky = kept(
            "sky", key + _others_key(settings),
            lambda: _through_beam(add_emission(painted, *others), experiment),
        )  # fmt: skip
        layers["sky"] = sky
    rng = np.random.default_rng([settings.seed, NOISE])
    noisy = observe(sky, experiment.replace(filter="none"), rng)
    if experiment.observing.sigma_noise > 0:
        layers |= _noise_layers(signal, sky, noisy, experiment)
    layers["observed"] = observe(noisy, experiment.replace(sigma_noise=0.0))
    return {name: layers[name] for name in LAYERS if name in layers} | {"counts": counts}


def halo_key(settings):
    """Return what the haloes of a map depend on: the key of the step "haloes" in `Kept`."""
    survey, stage = painted_survey(settings.experiment), settings.experiment.halos
    box = (survey.field_size, survey.nu_min, survey.nu_max, survey.nu_rest, survey.cosmology)
    return (settings.seed, stage.m_min, stage.cell_size, *box)


def _signal_key(settings):
    """Return what the painted signal depends on."""
    experiment = settings.experiment
    survey, width = experiment.survey_object(), experiment.sky.line_width
    bins = experiment.counts
    return (halo_key(settings), settings.model, painted_survey(experiment), survey, width, bins)


def _painted_signal(settings, kept):
    """Return the signal before the beam, and the counts of the sources in the field."""
    experiment, stage = settings.experiment, settings.experiment.halos
    haloes = kept(
        "haloes", halo_key(settings),
        lambda: halos.simulate(
            painted_survey(experiment), seed=settings.seed, m_min=stage.m_min,
            cell_size=stage.cell_size,
        ),
    )  # fmt: skip
    return kept("painted", _signal_key(settings), lambda: _paint(haloes, settings))


def _paint(haloes, settings):
    experiment, survey = settings.experiment, settings.experiment.survey_object()
    mass, z = haloes["m_halo"].values, haloes["z_cosmo"].values
    l_co = settings.model.luminosity(mass, z, rng=np.random.default_rng([settings.seed, 1]))
    shining = haloes[["ra", "dec", "z", "chi"]].assign(l_co=("halo", l_co))
    if experiment.sky.line_width:
        shining = shining.assign(line_fwhm=("halo", line_width(mass, z, survey.cosmology)))
    fine = painted_survey(experiment)
    inside = l_co if fine.field_size == survey.field_size else l_co[inside_field(haloes, survey)]
    return paint_halos(shining, fine), count_sources(inside, experiment.l_edges)


def _others_key(settings):
    """Return what foregrounds and interlopers depend on."""
    experiment = settings.experiment
    sky, stage = experiment.sky, experiment.halos
    which = (sky.point_sources, sky.diffuse, sky.interlopers)
    broad = (stage.m_min, sky.line_width) if sky.interlopers else ()
    grid = painted_survey(experiment) if any(which) else None
    return (which, broad, grid, settings.seed if any(which) else None)


def _other_emission(settings):
    """Return the cubes of interlopers and foregrounds on the painted survey."""
    experiment, survey = settings.experiment, painted_survey(settings.experiment)
    sky, seed, others = experiment.sky, settings.seed, []
    if sky.interlopers:
        rng = np.random.default_rng([seed, INTERLOPER_LIGHT])
        for number, line in enumerate(INTERLOPERS):
            others.append(interloper_cube(
                survey, line=line, seed=np.random.SeedSequence([seed, INTERLOPER_HALOES, number]),
                rng=rng, m_min=experiment.halos.m_min, broaden=sky.line_width,
            ))  # fmt: skip
    rng = np.random.default_rng([seed, FOREGROUNDS])
    if sky.point_sources:
        others.append(point_sources(survey, rng=rng))
    if sky.diffuse:
        others += [diffuse(survey, component, rng=rng) for component in DIFFUSE]
    return others


def _through_beam(cube, experiment):
    """Return a painted cube through the beam, on the pixels of the survey."""
    if experiment.sky.beam_fwhm > 0:
        cube = smooth_beam(cube, beam_fwhm=experiment.sky.beam_fwhm)
    if painted_survey(experiment) == experiment.survey_object():
        return cube
    return to_survey(cube, experiment.survey_object())


def _noise_layers(signal, sky, noisy, experiment):
    """Return the noise that was drawn, and the signal in units of its standard deviation."""
    observing = experiment.observing
    noise = noisy.copy(data=noisy.values - sky.values)
    noise.attrs = {"units": "uK", "long_name": "noise", "nu_rest": signal.attrs["nu_rest"]}
    sigma = noise_map(
        sky, hit_map(sky, kind=observing.hits), sigma_noise=observing.sigma_noise,
        convention=observing.noise_convention,
    )  # fmt: skip
    ratio = xr.DataArray(
        (signal.values / sigma.values).astype(signal.dtype), dims=signal.dims, coords=signal.coords,
        name="signal_to_noise", attrs={"units": "1", "long_name": "signal over noise"},
    )  # fmt: skip
    return {"noise": noise, "signal_to_noise": ratio}
