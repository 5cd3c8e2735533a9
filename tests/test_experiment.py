import json

import numpy as np
import pytest

from imtools.experiment import FIELD_STAGE, PRESETS, Experiment


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_come_back_from_json_unchanged(preset):
    experiment = Experiment.from_preset(preset)
    assert Experiment.from_json(experiment.to_json()) == experiment
    assert Experiment.from_flat(experiment.flat()) == experiment


def test_presets_have_the_sizes_of_the_design():
    quick, paper = Experiment.from_preset("quick"), Experiment.from_preset("paper")
    assert quick.survey_object().shape == paper.survey_object().shape == (100, 256, 256)
    assert quick.pooled_shape == (10, 64, 64)
    assert (quick.data.n_train, quick.data.n_validation, quick.data.n_test) == (32, 4, 8)
    assert (paper.data.n_train, paper.data.n_draws) == (117, 36)
    assert (paper.training.batch_size, paper.training.steps_per_epoch) == (40, 100)


def test_names_are_unique_across_the_stages():
    experiment = Experiment.from_preset("tiny")
    n_fields = sum(len(stage) for stage in experiment.model_dump().values())
    assert len(FIELD_STAGE) == len(experiment.flat()) == n_fields


@pytest.mark.parametrize("name", FIELD_STAGE)
def test_every_parameter_has_help_and_a_unit(name):
    stage = Experiment.model_fields[FIELD_STAGE[name]].annotation
    field = stage.model_fields[name]
    assert field.description
    assert field.json_schema_extra["unit"]


def test_an_unknown_parameter_names_the_nearest():  # B18
    with pytest.raises(ValueError, match="'learning_rat'; did you mean 'learning_rate'"):
        Experiment.from_preset("tiny", learning_rat=1e-3)
    text = Experiment.from_preset("tiny").to_json().replace('"n_pix"', '"n_pixs"')
    with pytest.raises(ValueError, match="n_pix"):
        Experiment.from_json(text)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"n_pix": 0}, "n_pix is 0, expected greater than or equal to 1"),
        ({"n_pix": "64"}, "n_pix is '64', expected a valid integer"),
        ({"n_pix": 64.0}, "n_pix is 64.0, expected a valid integer"),
        ({"epochs": True}, "epochs is True"),
        ({"sigma_noise": float("nan")}, "sigma_noise is nan, expected a finite number"),
        ({"dropout": 1.0}, "dropout is 1.0, expected less than 1"),
        ({"n_dims": 4}, "n_dims is 4, expected 2 or 3"),
        ({"pool_how": "max"}, "pool_how is 'max', expected 'mean' or 'sum'"),
        ({"log_l_min": 7.0}, "expected log_l_min below log_l_max"),
        ({"nu_min": 34.0}, "put nu_min below nu_max"),
        ({"nu_max": 116.0}, "rest frequency"),
        ({"pool_ra": 5}, "pool_ra is 5, expected a divisor of n_pix = 64"),
        ({"log_l_min": 8.0, "log_l_max": 9.0}, "expected one of 4.0, 4.5, 5.0, 5.5, 6.0, 6.5"),
        ({"output": "gaussian", "n_ensemble": 2}, "n_ensemble is 2 and output 'gaussian'"),
        ({"pool_ra": 8}, "pool_dec is 4 and pool_ra 8, expected the same"),
        ({"n_bins": 1}, "n_bins is 1, expected greater than or equal to 2"),
        ({"pool_freq": 3}, "pool_freq is 3, expected a divisor of n_chan = 20"),
        ({"sigma_noise": 1.0, "transform": "log10"}, "use transform 'asinh'"),
        ({"batch_size": 9}, "batch_size is 9, expected at most the 8 training maps"),
        ({"seed": -1}, "seed is -1"),
        ({"luminosity_model": "li2061"}, "did you mean 'li2016'"),
        ({"prior": "lose"}, "prior is 'lose', expected one of fiducial, loose, strong"),
        ({"luminosity_model": "comap2022", "prior": "strong"}, "prior is 'strong', expected one"),
        ({"sfr": "b31"}, "sfr is 'b31', expected one of b13, um"),
        ({"transform": "log"}, "transform is 'log', expected one of linear, log10"),
    ],
)
def test_a_wrong_value_is_refused_by_name(changes, match):  # B19
    with pytest.raises(ValueError, match=match) as caught:
        Experiment.from_preset("tiny", **changes)
    assert "\n" not in str(caught.value)


def test_an_unknown_preset_is_refused():
    with pytest.raises(ValueError, match="expected one of tiny, quick, paper"):
        Experiment.from_preset("huge")


def test_a_table_of_star_formation_is_named_by_its_path():
    assert Experiment.from_preset("tiny", sfr="tables/sfr.dat").luminosity.sfr == "tables/sfr.dat"


def test_numpy_scalars_are_taken_as_plain_numbers():
    experiment = Experiment.from_preset("tiny", seed=np.int64(3), sigma_noise=np.float32(2))
    assert type(experiment.data.seed) is int
    assert type(experiment.observing.sigma_noise) is float


def test_an_experiment_does_not_change():
    experiment = Experiment.from_preset("tiny")
    with pytest.raises(ValueError, match="frozen"):
        experiment.data.seed = 1
    assert experiment.replace(seed=1).data.seed == 1
    assert experiment.data.seed == 0


def test_l_edges_are_the_default_bins():
    edges = Experiment.from_preset("quick").l_edges
    np.testing.assert_allclose(edges, np.logspace(3.5, 7, 50), rtol=1e-12)  # float64 arithmetic


def test_data_key_follows_what_is_stored_and_nothing_else():
    experiment = Experiment.from_preset("tiny")
    key = experiment.data_key()
    for name, value in {
        "sigma_noise": 5.0, "architecture": "notes_cnn", "epochs": 9, "n_workers": 2,
        "transform": "log_modulus", "floor": 1.0, "n_bootstrap": 9,
    }.items():  # fmt: skip
        assert experiment.replace(**{name: value}).data_key() == key, name
    for name, value in {
        "seed": 1, "n_chan": 40, "m_min": 1e11, "prior": "strong", "pool_freq": 4, "n_train": 3,
        "n_draws": 5, "augment": False, "n_bins": 10, "pool_how": "mean",
    }.items():  # fmt: skip
        assert experiment.replace(**{name: value}).data_key() != key, name
    assert experiment.replace(pool_dec=8, pool_ra=8).data_key() != key


@pytest.mark.parametrize("missing", ["hits", "patch"])
def test_a_parameter_younger_than_the_json_takes_its_default(missing):
    experiment = Experiment.from_preset("tiny")
    stages = json.loads(experiment.to_json())
    del stages[FIELD_STAGE[missing]][missing]
    assert Experiment.from_json(json.dumps(stages)) == experiment
    del stages["sky"]
    assert Experiment.from_json(json.dumps(stages)) == experiment


def test_json_that_is_no_experiment_is_refused():
    stages = json.loads(Experiment.from_preset("tiny").to_json())
    stages["survey"]["n_pixels"] = 3
    with pytest.raises(ValueError, match="unknown parameter 'n_pixels'; did you mean 'n_pix'"):
        Experiment.from_json(json.dumps(stages))
    with pytest.raises(ValueError, match="one JSON object a stage"):
        Experiment.from_json("[1]")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"loss": "msle"}, "msle takes a logarithm itself; set target_log to false"),
        ({"loss": "poisson", "target": "n_cumulative"}, "counts of independent bins"),
        ({"loss": "poisson", "target_log": False}, "a power of 10 and so above 0"),
        ({"loss": "nll"}, "output 'point', expected mse or msle or poisson"),
        ({"loss": "mse", "output": "gaussian"}, "expected nll"),
        ({"output": "quantiles", "target": "n_cumulative"}, "differences of quantiles"),
        ({"output": "gaussian", "target_log": False}, "differences of quantiles"),
        ({"momentum": 0.9}, "optimizer 'adam', which keeps its own"),
    ],
)
def test_a_loss_that_cannot_fit_its_target_is_refused_with_the_reason(changes, match):
    with pytest.raises(ValueError, match=match):
        Experiment.from_preset("tiny", **changes)


def test_a_younger_parameter_at_its_default_leaves_the_key_of_older_data_sets():
    experiment = Experiment.from_preset("tiny")
    stages = experiment.model_dump()
    assert stages["luminosity"]["rescale"] == 0
    assert experiment.data_key() == "edc725630bdb"  # as first released
    assert experiment.replace(rescale=0.3).data_key() != experiment.data_key()
