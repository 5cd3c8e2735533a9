import json

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.observing import add_emission, diffuse, finer, point_sources
from imtools.survey import Survey

SURVEY = Survey.comap(n_pix=8, n_chan=8)


def signal(survey=SURVEY, seed=0, dtype=np.float32):
    cube = survey.cube(np.random.default_rng(seed).lognormal(size=survey.shape).astype(dtype))
    return cube.assign_attrs(n_inside=7)


def foregrounds(survey=SURVEY):
    rng = np.random.default_rng(1)
    return diffuse(survey, "cmb", rng=rng), point_sources(survey, rng=rng)


def test_emission_adds_up_voxel_by_voxel():
    line, (cmb, sources) = signal(), foregrounds()
    before = line.copy(deep=True)
    sky = add_emission(line, cmb, sources)
    # float32 sums of up to 1e4 uK
    npt.assert_allclose(sky, line.values + cmb.values + sources.values, rtol=1e-5)
    xr.testing.assert_identical(line, before)
    assert sky.dtype == np.float32


def test_the_sum_says_what_is_in_it_and_keeps_the_signals_own_attributes():
    line, (cmb, sources) = signal(), foregrounds()
    sky = add_emission(line, cmb, sources)
    assert {name: sky.attrs[name] for name in line.attrs} == line.attrs
    assert not {"rms", "n_sources", "component"} & set(sky.attrs)
    first, second = json.loads(sky.attrs["components"])
    assert (first["component"], first["rms"]) == ("cmb", 30.0)
    assert second == {"component": "point_sources", "n_sources": sources.attrs["n_sources"]}
    more = json.loads(add_emission(sky, signal()).attrs["components"])
    names = [step["component"] for step in more]
    assert names == ["cmb", "point_sources", "unknown"]


def test_one_foreground_is_added_to_every_map_of_a_stack():
    stack = xr.concat([signal(seed=seed) for seed in range(2)], "sample").transpose("sample", ...)
    cmb, _ = foregrounds()
    sky = add_emission(stack, cmb)
    assert sky.dims == stack.dims
    for one, alone in zip(sky, stack, strict=True):
        npt.assert_allclose(one, alone.values + cmb.values, rtol=1e-5)


def test_a_difference_in_the_last_digit_of_a_coordinate_drops_no_voxel():
    cmb, _ = foregrounds()
    shifted = cmb.assign_coords(ra=cmb["ra"] * (1 + 1e-15))
    assert add_emission(signal(), shifted).shape == SURVEY.shape


@pytest.mark.parametrize(
    "other",
    [finer(SURVEY, 2), SURVEY.replace(nu_min=27.0), SURVEY.replace(field_size=1.5)],
    ids=["pixels", "band", "field"],
)
def test_other_voxels_are_refused(other):
    with pytest.raises(ValueError, match=r"cmb lies on .* voxels, expected those of the signal"):
        add_emission(signal(), foregrounds(other)[0])


def test_a_stack_is_not_added_to_one_map():
    stack = xr.concat([signal()] * 2, "sample").transpose("sample", ...)
    with pytest.raises(ValueError, match="expected those of the signal"):
        add_emission(signal(), stack)
    with pytest.raises(ValueError, match="expected those of the signal"):
        add_emission(xr.concat([stack, signal().expand_dims("sample")], "sample"), stack)
