"""Mixtures: names with + between, and the prior of each family."""

import pytest

from imtools.luminosity import LUMINOSITY_MODELS, family_prior, split_families

THREE = "li2016+padmanabhan2018+breysse2014"


def test_one_name_is_a_mixture_of_one():
    assert split_families("comap2022") == ("comap2022",)
    assert split_families(THREE) == tuple(THREE.split("+"))
    assert split_families("li2016+comap2022+li2016") == ("li2016", "comap2022", "li2016")


@pytest.mark.parametrize("wrong", ["li2016+", "li2016 + comap2022", "li16", ""])
def test_a_name_that_is_none_is_refused_with_the_list(wrong):
    with pytest.raises(
        ValueError, match=r"split_families: luminosity_model is .*expected one of l"
    ):
        split_families(wrong)


@pytest.mark.parametrize("name", LUMINOSITY_MODELS)
def test_a_family_draws_from_the_prior_it_knows_or_its_wide_one(name):
    model = LUMINOSITY_MODELS[name]
    for prior in ("fiducial", *model.PRIORS):
        assert family_prior(name, prior) == prior
    assert family_prior(name, "no such prior") == model.wide_prior()
    assert model.wide_prior() in model.PRIORS


def test_the_wide_priors_are_those_that_a_survey_allows():
    wide = {name: model.wide_prior() for name, model in LUMINOSITY_MODELS.items()}
    assert wide["li2016"] == "strong"  # Li+2016; "loose" drawn apart spreads over 2 dex
    assert wide["comap2022"] == "joint"
    assert wide["breysse2014"] == "amplitude"  # "loose" makes maps of hundreds of uK
    assert {wide[n] for n in ("padmanabhan2018", "keating2016", "schechter")} == {"loose"}
