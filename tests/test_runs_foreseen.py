"""What a run will take: more of it takes more, and what cannot be built is refused."""

import numpy as np
import pytest

from imtools.datasets import catalogue_path, set_folder
from imtools.experiment import Experiment
from imtools.networks import predict_costs
from imtools.runs.foreseen import OVERHEAD, foresee


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))


def small(**changes):
    network = {"architecture": "notes_cnn", "n_blocks": 2, "filters": 4, "width": 8}
    return Experiment.from_preset("tiny", **network | changes)


def test_time_is_that_of_all_steps_of_all_networks():
    speed = (1e-9, 1e-8)
    one = foresee(small(epochs=1, steps_per_epoch=10, validation_steps=1), speed=speed)
    costs = predict_costs("notes_cnn", (16, 16, 10), 49, n_blocks=2, filters=4, width=8, dropout=0)
    assert (one.costs.n_params, one.n_steps) == (costs.n_params, 10)
    step = 4 * (1e-9 * costs.multiply_adds + 1e-8 * costs.n_values)  # 4 maps
    np.testing.assert_allclose(one.seconds, 10 * (step + OVERHEAD) + step / 3, rtol=1e-9)
    five = foresee(small(epochs=5, steps_per_epoch=10, validation_steps=1, n_ensemble=2),
                   speed=speed)  # fmt: skip
    np.testing.assert_allclose(five.seconds, 10 * one.seconds, rtol=1e-9)


def test_memory_grows_with_the_batch():
    wide = small(n_train=20)
    low, high = (foresee(wide.replace(batch_size=n)).memory for n in (4, 40))
    costs = foresee(wide).costs
    np.testing.assert_allclose(high - low, 4 * 36 * (costs.n_values + 2 * costs.n_largest))


def test_the_data_set_is_counted_as_it_lies_on_disk():
    experiment = small()
    told = foresee(experiment)
    assert (told.n_maps, told.n_catalogues, told.n_missing) == (16, 4, 4)
    assert told.set_bytes == 16 * 16 * 16 * 10 * 4
    path = catalogue_path(set_folder(experiment), 1)
    path.parent.mkdir(parents=True)
    path.touch()
    assert foresee(experiment).n_missing == 3


def test_a_network_that_reads_a_summary_is_not_costed():
    assert foresee(small(architecture="dense", reads="vid")).costs is None


def test_what_runs_out_of_voxels_is_refused():
    with pytest.raises(ValueError, match="use n_blocks of at most 4"):
        foresee(small(n_blocks=6))
