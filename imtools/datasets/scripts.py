"""The Python that makes one map: what was chosen by hand, to go on with in a notebook."""

from dataclasses import fields

from imtools.datasets.layers import (
    FOREGROUNDS,
    INTERLOPER_HALOES,
    INTERLOPER_LIGHT,
    LUMINOSITIES,
    NOISE,
)
from imtools.datasets.sky import painted_survey
from imtools.luminosity import LUMINOSITY_MODELS
from imtools.observing import INTERLOPERS

HALOES = 'haloes["m_halo"].values, haloes["z_cosmo"].values'


def map_script(settings):
    """Return Python that makes the map `observed` of `make_layers`, named ``cube``.

    Parameters
    ----------
    settings : MapSettings
        What the map is made with; steps that it does not take are left out.

    Returns
    -------
    str
        A script of public functions of the package; it leaves ``haloes`` and ``l_co`` too.

    Raises
    ------
    ValueError
        If the model is in no registry, so that a script could not name it.
    """
    names, modules, lines = {}, [], [f"seed = {settings.seed}"]
    for step in (_survey, _haloes, _luminosities, _emission, _beam, _noise, _filter):
        needs, text = step(settings)
        for module, found in needs.items():
            names.setdefault(module, set()).update(found)
        lines += text
    if settings.model.__module__.partition(".")[0] not in ("imtools", "__main__"):
        modules = [f"import {settings.model.__module__}  # registers {settings.model.name}"]
    imports = sorted(_import(module, found) for module, found in names.items() if found)
    head = ["import numpy as np", *modules, "", *imports, ""]
    return "\n".join([*head, *lines]) + "\n"


def _import(module, names):
    """Return the line, or lines, that import names in their order."""
    found = sorted(names, key=_as_sorted)
    line = f"from {module} import {', '.join(found)}"
    if len(line) <= 100:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in found), ")"])


def _as_sorted(name):
    """Return how names are put in order: constants, classes, functions."""
    return (not name.isupper(), not name[0].isupper(), name)


def _values(values):
    """Return keyword arguments, texts in double quotes."""
    texts = {
        n: f'"{v}"' if isinstance(v, str) and '"' not in v else repr(v) for n, v in values.items()
    }
    return ", ".join(f"{name}={text}" for name, text in texts.items())


def _survey(settings):
    """Return imports and lines of the survey, and of the finer one that is painted on."""
    experiment, survey = settings.experiment, settings.experiment.survey_object()
    needs = {"imtools.survey": ["Survey"]}
    lines = [f"survey = Survey({_values(_changed(survey))})"]
    if painted_survey(experiment) == survey:
        return needs, lines
    sky = experiment.sky
    lines.append(f"painted = finer(survey, {sky.fine_factor!r}, margin={sky.beam_margin!r})")
    return needs | {"imtools.observing": ["finer"]}, lines


def _changed(frozen):
    """Return the fields of a dataclass that differ from its defaults."""
    default = type(frozen)()
    values = {f.name: getattr(frozen, f.name) for f in fields(frozen) if f.compare}
    return {name: v for name, v in values.items() if v != getattr(default, name)}


def _grid(settings):
    """Return the name of the survey that is painted on."""
    same = painted_survey(settings.experiment) == settings.experiment.survey_object()
    return "survey" if same else "painted"


def _rng(stream):
    return f"np.random.default_rng([seed, {stream}])"


def _haloes(settings):
    stage = settings.experiment.halos
    values = _values({"m_min": stage.m_min, "cell_size": stage.cell_size})
    lines = [f"haloes = halos.simulate({_grid(settings)}, seed=seed, {values})"]
    return {"imtools": ["halos"]}, lines


def _luminosities(settings):
    """Return imports and lines of the luminosities, and of the widths of lines."""
    model = settings.model
    if LUMINOSITY_MODELS.get(model.name) is not type(model):
        msg = (
            f"map_script: {type(model).__name__} is not in LUMINOSITY_MODELS, expected one of "
            f"{', '.join(LUMINOSITY_MODELS)}; decorate it with luminosity.register"
        )
        raise ValueError(msg)
    changed = _changed(model)
    needs = {"imtools.luminosity": ["LUMINOSITY_MODELS"]}
    if "cosmology" in changed:
        needs["imtools.cosmology"] = ["Cosmology"]
    lines = [
        f'model = LUMINOSITY_MODELS["{model.name}"]({_values(changed)})',
        f"rng = {_rng(LUMINOSITIES)}",
        f"l_co = model.luminosity({HALOES}, rng=rng)",
        'haloes = haloes.assign(l_co=("halo", l_co))',
    ]
    if settings.experiment.sky.line_width:
        needs["imtools.observing"] = ["line_width"]
        lines += [
            f"width = line_width({HALOES}, survey.cosmology)",
            'haloes = haloes.assign(line_fwhm=("halo", width))',
        ]
    return needs, lines


def _emission(settings):
    """Return imports and lines of the painting, and of all else that shines."""
    sky, grid = settings.experiment.sky, _grid(settings)
    lines, needs = [f"cube = paint_halos(haloes, {grid})"], []
    if sky.interlopers:
        needs += ["add_emission", "interloper_cube"]
        broad = f"m_min={settings.experiment.halos.m_min!r}, broaden={sky.line_width!r}"
        lines.append(f"rng = {_rng(INTERLOPER_LIGHT)}")
        for number, line in enumerate(INTERLOPERS):
            own = f"np.random.SeedSequence([seed, {INTERLOPER_HALOES}, {number}])"
            lines.append(f'{line} = interloper_cube(\n    {grid}, line="{line}", seed={own},')
            lines.append(f"    rng=rng, {broad},\n)")
        lines.append(f"cube = add_emission(cube, {', '.join(INTERLOPERS)})")
    if sky.point_sources or sky.diffuse:
        lines.append(f"rng = {_rng(FOREGROUNDS)}")
    if sky.point_sources:
        needs += ["add_emission", "point_sources"]
        lines.append(f"cube = add_emission(cube, point_sources({grid}, rng=rng))")
    if sky.diffuse:
        needs += ["DIFFUSE", "add_emission", "diffuse"]
        lines.append("for component in DIFFUSE:")
        lines.append(f"    cube = add_emission(cube, diffuse({grid}, component, rng=rng))")
    return {"imtools.painting": ["paint_halos"], "imtools.observing": needs}, lines


def _beam(settings):
    """Return imports and lines of the beam, and of the way back to the survey's pixels."""
    beam, lines, needs = settings.experiment.sky.beam_fwhm, [], []
    if beam > 0:
        needs.append("smooth_beam")
        lines.append(f"cube = smooth_beam(cube, beam_fwhm={beam!r})")
    if _grid(settings) == "painted":
        needs.append("to_survey")
        lines.append("cube = to_survey(cube, survey)")
    return {"imtools.observing": needs} if needs else {}, lines


def _noise(settings):
    """Return imports and lines of the noise."""
    observing = settings.experiment.observing
    if observing.sigma_noise == 0:
        return {}, []
    values = _values(
        {"sigma_noise": observing.sigma_noise, "convention": observing.noise_convention}
    )
    lines = [f"rng = {_rng(NOISE)}"]
    if observing.hits == "uniform":
        lines.append(f"cube = add_white_noise(cube, {values}, rng=rng)")
        return {"imtools.observing": ["add_white_noise"]}, lines
    lines.append(f'hits = hit_map(cube, kind="{observing.hits}")')
    lines.append(f"cube = add_noise(cube, hits, {values}, rng=rng)")
    return {"imtools.observing": ["add_noise", "hit_map"]}, lines


def _filter(settings):
    """Return imports and lines of what is subtracted."""
    observing = settings.experiment.observing
    order = observing.filter_order
    calls = {
        "mean": 'subtract_mean(cube, per="map")',
        "channel_mean": 'subtract_mean(cube, per="channel")',
        "polynomial": f"subtract_polynomial(cube, order={order})",
        "pca": f"subtract_pca(cube, n_modes={order})",
    }
    if observing.filter not in calls:
        return {}, []
    call = calls[observing.filter]
    return {"imtools.observing": [call.partition("(")[0]]}, [f"cube = {call}"]
