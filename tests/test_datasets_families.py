"""Data sets of several luminosity models, and maps at another brightness."""

import json

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools import datasets
from imtools.datasets import (
    SIDES,
    build,
    families,
    leave_out_families,
    load,
    make_maps,
    select_families,
)
from imtools.experiment import Experiment
from imtools.luminosity import LUMINOSITY_MODELS

THREE = ("li2016", "padmanabhan2018", "breysse2014")
SMALL = Experiment.from_preset(
    "tiny", field_size=0.4, n_pix=16, n_chan=8, nu_min=29.0, nu_max=31.0, m_min=1e11,
    cell_size=8.0, pool_freq=2, pool_dec=4, pool_ra=4, n_train=3, n_validation=1, n_test=1,
    n_draws=4, batch_size=4, seed=5,
)  # fmt: skip
MIXED = SMALL.replace(luminosity_model="+".join(THREE))


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets") / "mixed"
    build(MIXED, folder, progress=False)
    return {side: load(folder, side) for side in SIDES}


# --- mixtures


def test_families_take_turns_and_each_catalogue_starts_with_the_next(sides):
    seen = [m for side in SIDES for m in sides[side]["luminosity_model"].values]
    assert seen == [THREE[(k + d) % 3] for k in range(5) for d in range(4)]
    one_each = MIXED.replace(n_draws=1, batch_size=3)  # so even a single draw sees all of them
    first = [str(make_maps(one_each, k)["luminosity_model"].values[0]) for k in range(3)]
    assert first == list(THREE)


def test_parameters_are_those_of_the_maps_own_model(sides):
    data = sides["train"]
    names = [n for f in THREE for n in LUMINOSITY_MODELS[f].parameter_names()]
    assert data["parameter"].values.tolist() == list(dict.fromkeys(names))
    for sample in data["sample"].values:
        one = data.isel(sample=sample)
        has = one["parameter"].values[np.isfinite(one["parameters"].values)]
        model = LUMINOSITY_MODELS[one["luminosity_model"].item()]
        assert has.tolist() == [n for n in one["parameter"].values if n in model.parameter_names()]
        values = one["parameters"].sel(parameter=list(model.parameter_names())).values
        model(**dict(zip(model.parameter_names(), values.tolist(), strict=True)))  # in range


def test_counts_are_those_of_a_recount_with_the_maps_own_model():
    experiment = MIXED.replace(prior="fiducial", n_draws=3)
    data = make_maps(experiment, 1)
    assert data["luminosity_model"].values.tolist() == [*THREE[1:], THREE[0]]
    pure = make_maps(experiment.replace(luminosity_model=THREE[1], n_draws=1, batch_size=1), 1)
    npt.assert_array_equal(data["counts"][0], pure["counts"][0])
    npt.assert_array_equal(data["map"][0], pure["map"][0])
    assert not np.array_equal(data["counts"][1], pure["counts"][0])


def test_a_prior_that_a_family_does_not_know_is_its_wide_one():
    experiment = MIXED.replace(prior="strong", n_draws=3)  # Li's alone
    data, same = make_maps(experiment, 0), make_maps(MIXED.replace(prior="wide", n_draws=3), 0)
    xr.testing.assert_equal(data["parameters"], same["parameters"])  # of Li it is the wide one
    loose = make_maps(MIXED.replace(prior="loose", n_draws=3), 0)
    xr.testing.assert_equal(data["parameters"][1], loose["parameters"][1])  # Padmanabhan's
    assert not loose["parameters"][0].equals(data["parameters"][0])


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"luminosity_model": "li2016+padmanabhan"}, "'padmanabhan'.*mean 'padmanabhan2018'"),
        ({"luminosity_model": "li2016+"}, "luminosity_model is ''"),
        ({"luminosity_model": "li2016", "prior": "wide"}, "prior is 'wide', expected one of fidu"),
        ({"prior": "joint"}, "prior is 'joint', expected one of fiducial, loose, strong.*, wide"),
    ],
)
def test_a_mixture_is_checked_before_anything_is_made(changes, match):
    with pytest.raises(ValueError, match=match):
        MIXED.replace(**changes)


def test_a_prior_that_one_family_knows_will_do():
    mixed = MIXED.replace(luminosity_model="li2016+comap2022", prior="joint")
    assert mixed.luminosity.prior == "joint"


# --- families of a data set


def test_selected_and_left_out_families_make_the_whole(sides):
    data = sides["train"]
    assert families(data) == THREE
    li, others = select_families(data, "li2016"), leave_out_families(data, "li2016")
    assert families(li) == ("li2016",)
    assert set(families(others)) == set(THREE[1:])
    assert li.sizes["sample"] + others.sizes["sample"] == data.sizes["sample"]
    assert li["parameter"].values.tolist() == list(LUMINOSITY_MODELS["li2016"].parameter_names())
    assert np.isfinite(li["parameters"]).all()
    assert "alpha" not in others["parameter"].values
    kept = data["luminosity_model"].values != "li2016"
    npt.assert_array_equal(others["map"], data["map"][kept])
    npt.assert_array_equal(others["counts"], data["counts"][kept])
    xr.testing.assert_identical(select_families(data, THREE), data)


def test_a_family_that_is_not_there_is_refused(sides):
    data = sides["test"]
    for function in (select_families, leave_out_families):
        with pytest.raises(ValueError, match="comap2022, expected among padmanabhan2018, breysse"):
            function(data, "comap2022")
        with pytest.raises(ValueError, match="names are none"):
            function(data, ())
    with pytest.raises(ValueError, match="leaves no sample"):
        leave_out_families(data, THREE)


# --- another brightness


def test_a_rescaled_map_is_the_same_map_at_another_brightness():
    bright = SMALL.replace(rescale=1.0, n_draws=40)
    plain, seen = (make_maps(e, 2) for e in (bright.replace(rescale=0.0), bright))
    factor = seen["rescale"].values
    ratio = seen["map"].sum(("freq", "dec", "ra")) / plain["map"].sum(("freq", "dec", "ra"))
    npt.assert_allclose(ratio, factor, rtol=1e-5)  # float32
    npt.assert_array_equal(seen["parameters"], plain["parameters"])
    npt.assert_array_equal(seen["quarter_turns"], plain["quarter_turns"])
    log_factor = np.log10(factor)
    assert log_factor.min() < -0.8
    assert 0.8 < log_factor.max() <= 1.0
    # 5 sampling errors of the mean of a uniform number
    npt.assert_allclose(log_factor.mean(), 0.0, rtol=0, atol=5 / np.sqrt(3 * 40))


def test_counts_move_along_with_the_brightness():
    # whole bins, so that counts of other bins are the same sources
    one = SMALL.replace(rescale=1.0, n_draws=1, n_bins=7, batch_size=1)
    data = make_maps(one, 0)
    shifted = one.replace(
        rescale=0.0, log_l_min=3.5 - np.log10(data["rescale"].item()),
        log_l_max=7.0 - np.log10(data["rescale"].item()),
    )  # fmt: skip
    npt.assert_array_equal(make_maps(shifted, 0)["counts"], data["counts"])


def test_data_sets_without_them_are_as_they_were():
    data = make_maps(SMALL.replace(n_draws=1, batch_size=1), 0)
    assert "rescale" not in data.coords
    assert "rescale" not in json.loads(data.attrs["experiment"])["luminosity"]
    rescaled = make_maps(SMALL.replace(n_draws=1, batch_size=1, rescale=0.5), 0)
    assert json.loads(rescaled.attrs["experiment"])["luminosity"]["rescale"] == 0.5
    assert SMALL.data_key() == "112b375c7b37"  # made before there were any
    assert len({e.data_key() for e in (SMALL, MIXED, SMALL.replace(rescale=0.5))}) == 3
    assert datasets.set_folder(SMALL).name == SMALL.data_key()
