import numpy as np
import numpy.testing as npt
import pytest

from imtools.networks import measured, predict_costs
from imtools.networks.measured import (
    STATUS,
    fit_speed,
    measure_memory,
    measure_seconds,
    rough_seconds,
)

SHAPE = (16, 16, 10)


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the peak is told by Linux")
def test_the_memory_of_a_map_grows_as_its_values():
    small = measure_memory("notes_cnn", SHAPE, 9, n_blocks=2, filters=4, width=10)
    large = measure_memory("notes_cnn", SHAPE, 9, n_blocks=2, filters=16, width=10)
    npt.assert_allclose(large / small, 4.0, rtol=0.3)  # seen 3.9; the values grow by 4
    costs = predict_costs("notes_cnn", SHAPE, 9, n_blocks=2, filters=4, width=10)
    predicted = costs.training_memory(1) - costs.training_memory(0)
    npt.assert_allclose(small, predicted, rtol=0.4)  # 0.7 to 1.2 of it is claimed


def test_a_process_that_fails_is_told(monkeypatch):
    monkeypatch.setattr(measured, "PROGRAM", "raise MemoryError('all of it')")
    with pytest.raises(RuntimeError, match=r"histogram with .* ended with 1: .*all of it"):
        measure_memory("histogram", SHAPE, 9)


def test_no_memory_is_told_where_the_system_does_not(monkeypatch, tmp_path):
    monkeypatch.setattr(measured, "STATUS", tmp_path / "status")
    assert np.isnan(measure_memory("histogram", SHAPE, 9))


def test_a_step_of_a_larger_network_takes_longer():
    settings = {"n_blocks": 1, "width": 4, "batch_size": 8, "n_steps": 3}
    small = measure_seconds("notes_cnn", SHAPE, 9, filters=1, **settings)
    large = measure_seconds("notes_cnn", SHAPE, 9, filters=256, **settings)
    assert 0 < small < large  # seen 200 times as long, which no pause of a busy machine makes up


def test_the_speed_that_is_fitted_is_the_one_that_was_made_up():
    costs = [
        predict_costs("notes_cnn", SHAPE, 9, n_blocks=2, filters=filters, kernel=kernel)
        for filters, kernel in ((2, 3), (8, 3), (8, 5))
    ]
    speed = np.array([1e-10, 3e-9])
    seconds = [rough_seconds(c, speed, 8) for c in costs]
    npt.assert_allclose(fit_speed(costs, seconds, 8), speed, rtol=1e-8)  # least squares, float64
    per_map = speed[0] * costs[0].multiply_adds + speed[1] * costs[0].n_values
    npt.assert_allclose(seconds[0], 8 * per_map, rtol=1e-12)  # same arithmetic
