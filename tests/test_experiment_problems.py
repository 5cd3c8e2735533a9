"""What is wrong with an experiment, by the field that it is about."""

import pytest

from imtools.experiment import PRESETS
from imtools.experiment.problems import find_problems


@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_have_no_problem(preset):
    assert find_problems(PRESETS[preset]) == {}


def test_each_field_has_its_own_message():
    found = find_problems({"n_pix": -1, "epochs": 2.5, "kernel": 99})
    assert set(found) == {"n_pix", "epochs", "kernel"}
    assert found["kernel"] == "is 99, expected less than or equal to 15"


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"transform": "log10", "sigma_noise": 1.0}, "transform", "noise and filters make"),
        ({"loss": "poisson", "target": "phi"}, "loss", "is 'poisson', target 'phi'"),
        ({"batch_size": 5000}, "batch_size", "expected at most the 512"),
        ({"architecture": "dense", "reads": "vi"}, "reads", "expected one of map"),
        ({"architecture": "counting", "reads": "pk"}, "reads", "luminosity or luminosity_scales"),
        (
            {"architecture": "counting", "reads": "luminosity_scales", "standardise": False},
            "standardise",
            "expected true for the architecture counting",
        ),
    ],
)
def test_what_does_not_go_together_stands_at_the_first_field_it_names(values, field, words):
    found = find_problems(values)
    assert list(found) == [field]
    assert words in found[field]
