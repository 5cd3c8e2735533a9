import inspect

import keras
import numpy as np
import numpy.testing as npt
import pytest

from imtools import networks
from imtools.experiment import Experiment
from imtools.experiment.stages import NetworkStage
from imtools.networks import (
    ARCHITECTURES,
    LEVELS,
    FreqChannel,
    LogCounts,
    SoftHistogram,
    Standardise,
)
from imtools.statistics.summaries import N_LUMINOSITIES

SHAPE = (16, 16, 4)
OFF_DEFAULT = {  # every argument of every builder, none at its default
    "additive": {
        "n_blocks": 1, "filters": 7, "patch": 2, "n_dims": 2, "freq_channel": False,
        "dropout": 0.1,
    },
    "histogram": {
        "n_histogram_bins": 21, "width": 9, "n_hidden": 2, "dropout": 0.2, "output": "gaussian",
    },
    "dense": {"width": 9, "n_hidden": 3, "dropout": 0.2, "output": "quantiles"},
    "counting": {
        "log_l_edges": [4.0, 4.1, 4.5, 5.0, 5.5, 6.0], "width": 9, "dropout": 0.2,
        "output": "point",  # there is no other
    },
    "notes_cnn": {
        "n_blocks": 2, "filters": 3, "kernel": 2, "n_dims": 2, "pooling": "average",
        "batch_norm": False, "dropout": 0.1, "dropout_place": "dense", "first_bias": False,
        "freq_channel": True, "head": "global", "width": 11, "output": "quantiles",
    },
    "resnet50": {
        "filters": 2, "n_dims": 2, "stages": "2-1", "batch_norm": False, "dropout": 0.1,
        "first_bias": False, "freq_channel": True, "leak": 0.1, "output": "gaussian",
    },
    "resnet_small": {
        "n_blocks": 2, "filters": 3, "kernel": 5, "n_dims": 2, "pooling": "max",
        "batch_norm": False, "dropout": 0.1, "first_bias": False, "freq_channel": True,
        "output": "quantiles",
    },
}  # fmt: skip
VARIANTS = [  # of the notes, each saved and loaded besides
    ("notes_cnn", {"kernel": 5, "pooling": "max", "batch_norm": False}),
    ("notes_cnn", {"freq_channel": True, "dropout_place": "pooled", "output": "gaussian"}),
    ("notes_cnn", {"pooling": "average", "head": "global", "first_bias": False}),
    ("resnet50", {"filters": 2, "stages": "1-1", "freq_channel": True}),
    ("resnet_small", {"filters": 2, "n_blocks": 2, "freq_channel": True}),
    ("additive", {"filters": 4, "patch": 2}),
]
SHAPES = {"counting": (1, 1, 2 * N_LUMINOSITIES)}  # it reads a summary
ANSWER = {"point": (5,), "quantiles": (len(LEVELS), 5), "gaussian": (5, 6)}


@pytest.fixture
def maps():
    return np.random.default_rng(0).gamma(1.0, 1.0, (6, *SHAPE)).astype("float32")


def test_soft_histogram_shares_a_value_between_the_two_nearest_centres():
    layer = SoftHistogram(4, low=0.0, high=3.0)
    seen = np.array(layer(np.array([[0.0, 1.0, 1.25, 3.0, -5.0, 9.0]], "float32")))
    npt.assert_allclose(seen, [[2.0, 1.75, 0.25, 2.0]], rtol=1e-6)  # float32; ends take outliers


def test_soft_histogram_counts_every_voxel_once(maps):
    seen = np.array(SoftHistogram(13, low=0.5, high=2.0)(maps))
    npt.assert_allclose(seen.sum(axis=1), np.prod(SHAPE), rtol=1e-5)  # float32 sums
    assert seen.shape == (6, 13)


def test_soft_histogram_of_values_at_centres_is_the_plain_histogram(maps):
    values = np.round(maps.clip(0, 7))
    seen = np.array(SoftHistogram(8, low=0.0, high=7.0)(values))
    plain = [np.bincount(v.astype(int).ravel(), minlength=8) for v in values]
    npt.assert_allclose(seen, plain, rtol=1e-5, atol=1e-3)  # 7/7 in float32 is off by an ulp


def test_soft_histogram_takes_its_range_from_training_maps(maps):
    layer = SoftHistogram(5)
    layer.build(maps.shape)
    layer.adapt(maps)
    seen = np.array(layer(np.array([[maps.min(), maps.max()]])))
    npt.assert_allclose(seen, [[1, 0, 0, 0, 1]], atol=1e-5)  # float32


def test_soft_histogram_refuses_maps_without_a_range():
    layer = SoftHistogram(5)
    layer.build((None, *SHAPE))
    with pytest.raises(ValueError, match=r"every value is 2\.0, expected maps that are not"):
        layer.adapt(np.full((3, *SHAPE), 2.0))


@pytest.mark.parametrize("wrong", [{"n_bins": 1}, {"n_bins": 5, "low": 1.0, "high": 1.0}])
def test_soft_histogram_refuses_no_bins_and_no_range(wrong):
    with pytest.raises(ValueError, match="expected at least 2 bins and low below high"):
        SoftHistogram(**wrong)


def test_log_counts_hold_the_counts_of_a_bin_and_above_it():
    seen = np.array(LogCounts()(np.array([[3.0, 0.0, 1.0]], "float32")))
    npt.assert_allclose(np.expm1(seen), [[3, 0, 1, 4, 1, 1]], rtol=1e-5, atol=1e-6)  # float32


def test_standardise_brings_features_to_mean_zero_and_unit_width():
    features = np.random.default_rng(1).normal(5.0, 2.0, (400, 3)).astype("float32")
    layer = Standardise(floor=1e-6)
    layer.build(features.shape)
    layer.adapt(features)
    seen = np.array(layer(features))
    npt.assert_allclose(seen.mean(axis=0), 0, atol=1e-5)  # float32
    npt.assert_allclose(seen.std(axis=0), 1, rtol=1e-5)  # float32


def test_a_bin_empty_in_all_training_maps_does_not_blow_up():
    layer = Standardise()
    layer.build((None, 1))
    layer.adapt(np.zeros((8, 1), "float32"))
    one_voxel = np.log1p(np.ones((1, 1), "float32"))
    assert float(layer(one_voxel)[0, 0]) < 10


@pytest.mark.parametrize(
    "layer", [SoftHistogram(7, low=-1.0, high=4.0, name="a"), Standardise(floor=0.3, name="b")]
)
def test_a_layer_is_rebuilt_from_its_config(layer):
    again = type(layer).from_config(layer.get_config())
    arguments = set(inspect.signature(type(layer).__init__).parameters) - {"self", "kwargs"}
    assert all(getattr(again, name) == getattr(layer, name) for name in arguments | {"name"})


def test_histogram_network_is_unchanged_by_translation_and_turns(maps):
    model = networks.build("histogram", SHAPE, 5)
    networks.adapt(model, maps)
    _disturb(model)
    straight = model.predict_on_batch(maps)
    moved = np.rot90(np.roll(maps, (3, 5, 1), axis=(1, 2, 3)), axes=(1, 2))
    assert np.ptp(straight, axis=0).min() > 0  # different maps do differ
    npt.assert_allclose(model.predict_on_batch(moved), straight, rtol=1e-4, atol=1e-5)  # float32


@pytest.mark.parametrize(("name", "settings"), [*sorted(OFF_DEFAULT.items()), *VARIANTS])
def test_a_saved_network_predicts_the_same(name, settings, tmp_path):
    small = {"n_blocks": 2, "filters": 3, "width": 7}
    shape = SHAPES.get(name, SHAPE)
    maps = np.random.default_rng(0).gamma(1.0, 1.0, (6, *shape)).astype("float32")
    model = networks.build(name, shape, 5, **small | settings)
    assert not any(isinstance(layer, keras.layers.Lambda) for layer in model.layers)
    assert not model.compiled
    assert model.output_shape == (None, *ANSWER[settings.get("output", "point")])
    networks.adapt(model, maps, target=(np.arange(5.0), np.full(5, 0.5)))
    _disturb(model)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    expected = model.predict_on_batch(maps)
    npt.assert_allclose(again.predict_on_batch(maps), expected, rtol=1e-5, atol=1e-6)  # float32
    assert np.ptp(expected, axis=0).max() > 0  # the answer depends on the map


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_architecture_has_a_save_and_load_test_off_its_defaults(name):
    arguments = inspect.signature(ARCHITECTURES[name]).parameters
    defaults = {
        k: v.default for k, v in arguments.items() if v.default is not inspect.Parameter.empty
    }
    if name == "additive":
        del defaults["output"]  # has no other
    assert OFF_DEFAULT[name].keys() == defaults.keys()
    same = [k for k, v in OFF_DEFAULT[name].items() if v == defaults[k]]
    assert same == (["output"] if name == "counting" else [])


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_settings_carry_the_names_of_the_experiment(name):
    own = {"leak"}  # of the published network, no parameter of a run
    derived = {"log_l_edges"}  # from the bins of the experiment
    assert OFF_DEFAULT[name].keys() - own - derived <= NetworkStage.model_fields.keys()


@pytest.mark.parametrize(("n_dims", "last"), [(2, (1, 1, 24)), (3, (1, 1, 1, 24))])
def test_each_block_halves_the_map_and_doubles_the_filters(n_dims, last):
    model = networks.build("notes_cnn", SHAPE, 5, n_blocks=4, filters=3, width=7, n_dims=n_dims)
    assert model.get_layer("block_1_halving").output.shape[1:3] == (8, 8)
    assert model.get_layer("block_4_halving").output.shape[1:] == last


def test_a_map_that_runs_out_of_voxels_is_refused():
    with pytest.raises(ValueError, match=r"\(16, 16, 4\), expected at least 32 .* at most 4"):
        networks.build("notes_cnn", SHAPE, 5, n_blocks=5)


def test_a_seventh_layer_is_refused_with_the_reason():
    with pytest.raises(ValueError, match=r"at least 128 voxels in dec and ra for 7 halvings; use "):
        networks.build("notes_cnn", (64, 64, 10), 49, n_blocks=7)
    with pytest.raises(ValueError, match=r"at least 128 .* n_blocks of at most 6, or pool less"):
        networks.build("resnet_small", (64, 64, 10), 49, n_blocks=7)
    with pytest.raises(ValueError, match=r"\(16, 16, 4\), expected at least 32 .* fewer stages"):
        networks.build("resnet50", SHAPE, 49)


@pytest.mark.parametrize(
    ("name", "wrong", "match"),
    [
        ("notes_cnn", {"n_dims": 4}, "n_dims is 4, expected 2 or 3"),
        ("resnet_small", {"n_dims": 1}, "n_dims is 1, expected 2 or 3"),
        ("resnet50", {"n_dims": "3"}, "n_dims is '3', expected 2 or 3"),
        ("additive", {"n_dims": 0}, "n_dims is 0, expected 2 or 3"),
        ("notes_cnn", {"pooling": "mean"}, "'mean', expected strided, max or average"),
        ("resnet_small", {"pooling": "mean"}, "'mean', expected strided, max or average"),
        ("notes_cnn", {"dropout_place": "all"}, "'all', expected block, pooled or dense"),
        ("notes_cnn", {"head": "flat"}, "head is 'flat', expected dense or global"),
        ("histogram", {"output": "mean"}, "'mean', expected one of point, quantiles, gaussian"),
        ("resnet50", {"stages": "3-4-"}, "stages is '3-4-', expected numbers between hyphens"),
    ],
)
def test_a_setting_that_is_none_of_its_choices_is_refused(name, wrong, match):
    with pytest.raises(ValueError, match=match):
        networks.build(name, SHAPE, 5, **{"n_blocks": 2} | wrong)


@pytest.mark.parametrize("pooling", ["strided", "max", "average"])
def test_every_way_of_pooling_halves(pooling):
    model = networks.build("notes_cnn", SHAPE, 5, n_blocks=3, filters=2, width=3, pooling=pooling)
    assert model.get_layer("block_3_halving").output.shape == (None, 2, 2, 1, 8)


def test_batch_norm_and_dropout_are_where_they_are_asked_for():
    def kinds(**settings):
        model = networks.build("notes_cnn", SHAPE, 5, n_blocks=1, filters=2, width=3, **settings)
        names = [layer.name.removeprefix("block_1_") for layer in model.layers]
        return names[names.index("convolution") :]

    assert kinds() == ["convolution", "norm", "dropout", "halving", "flatten", "dense", "log_dn"]
    seen = kinds(batch_norm=False, dropout_place="pooled", head="global")
    assert seen == ["convolution", "halving", "dropout", "global_pool", "log_dn"]
    seen = kinds(batch_norm=False, dropout_place="dense")
    assert seen == ["convolution", "halving", "flatten", "dense", "dropout", "log_dn"]


@pytest.mark.parametrize(
    ("name", "first"),
    [("notes_cnn", "block_1_convolution"), ("resnet_small", "stem"), ("resnet50", "stem")],
)
def test_without_a_first_bias_blank_sky_stays_zero(name, first):
    settings = {"n_blocks": 1, "filters": 2, "stages": "1-1", "width": 3}
    for first_bias in (False, True):
        model = networks.build(name, SHAPE, 5, first_bias=first_bias, **settings)
        _disturb(model)
        layer = model.get_layer(first)
        seen = np.array(layer(np.zeros((1, *layer.input.shape[1:]), "float32")))
        assert seen.any() == first_bias


def test_freq_channel_runs_from_minus_one_to_one_along_frequency():
    seen = np.array(FreqChannel()(np.full((2, 3, 3, 5, 1), 7.0, "float32")))
    npt.assert_array_equal(seen[..., 0], 7)
    npt.assert_allclose(seen[..., 1] + np.zeros((2, 3, 3, 5)), seen[..., 1], rtol=0)
    npt.assert_allclose(seen[1, 2, 0, :, 1], [-1, -0.5, 0, 0.5, 1], atol=1e-7)  # float32


def test_a_residual_block_whose_last_layer_is_silent_passes_its_input_on(maps):
    settings = {"n_blocks": 1, "filters": 3, "batch_norm": False}
    model = networks.build("resnet_small", SHAPE, 5, **settings)
    last = model.get_layer("block_1_2")
    last.set_weights([0 * w for w in last.get_weights()])
    layers = [model.get_layer(name).output for name in ("stem_relu", "block_1_relu")]
    before, after = keras.Model(model.input, layers).predict_on_batch(maps)
    assert before.max() > 0
    npt.assert_array_equal(after, before)


def test_the_published_layout_has_its_layers():
    with keras.StatelessScope(initialize_variables=False):
        model = networks.build("resnet50", (64, 64, 10), 49)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv3D)]
    main = [x for x in convolutions if not x.name.endswith("_past")]
    assert len(main) + 1 == 50  # with the last layer; hence its name
    assert main[0].kernel_size == (7, 7, 7)
    leaky = [x for x in model.layers if isinstance(x, keras.layers.LeakyReLU)]
    npt.assert_allclose([x.negative_slope for x in leaky], 0.3)
    assert model.get_layer("global_pool").output.shape == (None, 4 * 8 * 64)


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_a_map_without_a_frequency_axis_is_refused(name):
    with pytest.raises(ValueError, match=r"input_shape is \(64, 64\), expected \(n_dec, n_ra"):
        networks.build(name, (64, 64), 5)


@pytest.mark.parametrize("preset", ["tiny", "quick"])
def test_new_parameters_leave_the_network_of_a_preset_as_it_was(preset):
    experiment = Experiment.from_preset(preset)
    settings = experiment.network.model_dump(exclude={"architecture"})
    model = networks.build(experiment.network.architecture, SHAPE, 5, **settings)
    old = {"n_histogram_bins": 160, "width": experiment.network.width, "dropout": 0.0}
    assert model.get_config() == networks.build("histogram", SHAPE, 5, **old).get_config()


def test_no_network_parameter_changes_the_data_set():
    experiment = Experiment.from_preset("tiny")
    changed = {
        "pooling": "max", "batch_norm": False, "dropout_place": "dense", "first_bias": False,
        "freq_channel": True, "head": "global", "stages": "3-5-7-4", "patch": 2,
        "output": "gaussian",
    }  # fmt: skip
    assert experiment.replace(**changed).network != experiment.network
    assert experiment.replace(**changed).data_key() == experiment.data_key()
    with pytest.raises(ValueError, match="stages is '3-0'"):
        experiment.replace(stages="3-0")


def test_an_unknown_architecture_names_the_known_ones():
    with pytest.raises(
        ValueError,
        match="'resnot', expected one of additive, counting, histogram, dense",
    ):
        networks.build("resnot", SHAPE, 5)


def test_an_architecture_is_not_registered_twice():
    with pytest.raises(ValueError, match="'histogram' is build_histogram"):
        networks.register("histogram")(lambda input_shape, n_outputs: None)


def test_build_leaves_out_settings_of_other_architectures():
    model = networks.build("histogram", SHAPE, 5, width=9, n_blocks=99, kernel=7)
    assert model.get_layer("hidden").units == 9


def test_an_ensemble_predicts_the_mean_of_its_members(maps, tmp_path):
    members = [networks.build("histogram", SHAPE, 5, width=4) for _ in range(3)]
    for member in members:
        networks.adapt(member, maps)
        _disturb(member)
    ensemble = networks.average(members)
    mean = np.mean([m.predict_on_batch(maps) for m in members], axis=0)
    npt.assert_allclose(ensemble.predict_on_batch(maps), mean, rtol=1e-4, atol=1e-5)  # float32
    ensemble.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    npt.assert_allclose(again.predict_on_batch(maps), mean, rtol=1e-4, atol=1e-5)  # float32
    assert networks.average(members[:1]) is members[0]


def _disturb(model):
    """Give every trainable weight a value, since the last layers start at zero."""
    rng = np.random.default_rng(4)
    for weight in model.trainable_weights:
        weight.assign(rng.normal(0, 0.2, weight.shape))
