import threading

import pytest

from imtools.training.ahead import drawn_ahead


def test_batches_come_in_order_and_none_is_lost():
    assert list(drawn_ahead(lambda step: 10 * step, range(5))) == [0, 10, 20, 30, 40]
    assert list(drawn_ahead(lambda step: 10 * step, [])) == []


def test_the_next_batch_is_drawn_while_this_one_is_used_and_no_further():
    drawn = {step: threading.Event() for step in range(4)}
    batches = drawn_ahead(lambda step: drawn[step].set() or step, range(4))
    assert next(batches) == 0
    assert drawn[1].wait(timeout=10)  # though nobody has asked for it
    assert not drawn[2].is_set()
    assert list(batches) == [1, 2, 3]


def test_two_are_drawn_at_a_time_in_order():
    both = threading.Barrier(2, timeout=10)  # one alone would break it
    batches = drawn_ahead(lambda step: (both.wait(), step)[1], range(6), at_once=2)
    assert list(batches) == list(range(6))


def test_what_a_draw_raises_is_raised_in_its_turn():
    batches = drawn_ahead(lambda step: 1 / (2 - step), range(4))
    assert [next(batches), next(batches)] == [0.5, 1.0]
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_no_thread_is_left_when_a_training_stops_early():
    batches = drawn_ahead(lambda step: step, range(100))
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("batches")]
