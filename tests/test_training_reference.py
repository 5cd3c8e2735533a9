import numpy as np
import numpy.testing as npt
import pytest
from toy_maps import toy_data, toy_experiment

from imtools.datasets import log_counts_array, network_inputs
from imtools.run_folder import open_netcdf, write_netcdf
from imtools.training import (
    experiment_of,
    histogram_distance,
    load_model,
    read_reference,
    train,
    voxel_histogram,
    write_reference,
)
from imtools.training.loop import predict
from imtools.training.saved import checksum

NOISY = {"sigma_noise": 2.0, "filter": "mean", "seed": 5}


@pytest.fixture(scope="module")
def data():
    return toy_data(range(6)), toy_data(range(6, 8))


@pytest.fixture(scope="module")
def noisy(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("noisy")
    train(toy_experiment(**NOISY), *data, folder)
    return folder


def test_histograms_count_every_voxel_once_also_those_out_of_range():
    inputs = np.array([[[-1.0, 0.0], [0.5, 1.0]], [[1.0, 1.01], [9.0, -9.0]]])
    counts = voxel_histogram(inputs, np.linspace(0, 1, 3))
    npt.assert_array_equal(counts, [[1, 1, 2, 0], [1, 0, 1, 2]])


def test_histograms_agree_with_numpy_within_the_range():
    inputs = np.random.default_rng(0).uniform(size=(3, 500)).astype("float32")
    edges = np.linspace(0, 1, 11)
    expected = [np.histogram(one, edges)[0] for one in inputs]
    npt.assert_array_equal(voxel_histogram(inputs, edges)[:, 1:-1], expected)


@pytest.mark.parametrize("mean", [20.0, 2000.0])
def test_two_draws_of_one_histogram_are_one_apart_however_many_voxels(mean):
    one, two = np.random.default_rng(1).poisson(mean, size=(2, 1, 20_000))
    # the root's variance is 1/4 (1 + 3/(8 mean)); 5 sampling errors of a root mean square
    npt.assert_allclose(histogram_distance(one, two), 1, rtol=0.01 + 5 / np.sqrt(2 * 20_000))


def test_the_distance_is_that_to_the_nearest():
    others = np.array([[0, 100], [100, 0], [90, 10]])
    npt.assert_allclose(histogram_distance([[100, 0], [0, 400]], others), [0, 10], atol=1e-12)


def test_training_leaves_a_reference_of_all_its_maps(noisy, data):
    reference = read_reference(noisy)
    assert dict(reference.sizes) == {
        "sample": 32, "bin": 82, "edge": 81, "validation": 8, "log_l": 14,
    }  # fmt: skip
    assert (reference["histogram"].sum("bin") == data[0]["map"][0].size).all()
    assert reference["side"].values.tolist() == ["train"] * 24 + ["validation"] * 8
    catalogues = np.concatenate([d["catalogue"].values for d in data])
    npt.assert_array_equal(reference["catalogue"], catalogues)
    assert experiment_of(load_model(noisy)[1]) == toy_experiment(**NOISY)


def test_the_reference_says_what_the_network_saw(noisy):
    reference = read_reference(noisy)
    assert reference.attrs["sigma_noise"] == pytest.approx(2.0, rel=1e-12)
    assert '"subtract_mean"' in reference.attrs["filter"]
    assert reference.attrs["beam_fwhm"] == 0
    # the mean is 2 uK or more without the filter, and the bins would end far above
    zero = np.searchsorted(reference["edges"], 0.0)
    below = reference["histogram"][:, :zero].sum("bin") / reference["histogram"].sum("bin")
    assert 0.4 < below.mean() < 0.75  # noise about zero, with a tail of sources


def test_residuals_are_truth_less_prediction(data, tmp_path):
    experiment = toy_experiment()
    train(experiment, *data, tmp_path)
    reference = read_reference(tmp_path)
    model, manifest = load_model(tmp_path)
    scaled = predict(model, network_inputs(data[1]["map"], experiment), 8)
    log_dn = scaled * np.array(manifest["target"]["width"]) + np.array(manifest["target"]["mean"])
    expected = log_counts_array(data[1], experiment) - log_dn
    npt.assert_allclose(reference["residual"], expected, atol=1e-5)  # float32 network


def test_a_map_is_compared_with_other_catalogues_only(noisy):
    reference = read_reference(noisy)
    histograms, catalogue = reference["histogram"].values, reference["catalogue"].values
    others = histograms[:24][catalogue[:24] != catalogue[3]]
    npt.assert_allclose(
        reference["distance"][3], histogram_distance(histograms[3:4], others)[0], rtol=1e-12
    )
    assert (reference["distance"] > 0).all()


def test_maps_of_a_lone_catalogue_have_no_distance(tmp_path):
    data = toy_data([0]), toy_data([1])
    train(toy_experiment(n_train=1), *data, tmp_path)
    known = np.isfinite(read_reference(tmp_path)["distance"].values)
    assert known.tolist() == [False] * 4 + [True] * 4


def test_a_reference_can_be_written_again_and_is_the_same(noisy, data):
    before = read_reference(noisy)
    write_reference(noisy, *data)
    assert read_reference(noisy).identical(before)


def test_a_reference_of_another_network_is_refused(noisy, tmp_path):
    for name in ("manifest.json", "model.keras"):
        (tmp_path / name).write_bytes((noisy / name).read_bytes())
    with pytest.raises(FileNotFoundError, match=r"reference\.nc does not exist, .* let the train"):
        read_reference(tmp_path)
    with open_netcdf(noisy / "reference.nc") as file:
        other = file.load().assign_attrs(model_sha256=checksum(noisy / "manifest.json"))
    write_netcdf(other, tmp_path / "reference.nc")
    with pytest.raises(ValueError, match=r"belongs to another network than model\.keras"):
        read_reference(tmp_path)
