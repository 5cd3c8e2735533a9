"""The line of a dashboard: escaped, never silent; and jobs that run one by one."""

from threading import Event

import ipywidgets as widgets
import pytest

from imtools.dashboards.messages import LONGEST, PAUSE, Message, guarded, in_words, one_at_a_time


@pytest.fixture
def message():
    message = Message()
    yield message
    message.close()


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def test_html_in_a_message_is_text(message):
    message.show("<script>alert('x')</script> & \"more\"", kind="error")
    assert "<script>" not in message.view.value
    assert "&lt;script&gt;" in message.view.value
    assert '"more"' not in message.view.value  # it would end the attribute that repeats the text
    assert message.text == "<script>alert('x')</script> & \"more\""


def test_a_message_is_one_line_of_bounded_length(message):
    message.show("first\n  second " + "x" * 2 * LONGEST)
    assert message.text.startswith("first second x")
    shown = message.view.value.split(">")[1].split("<")[0]
    assert len(shown) == LONGEST


def test_a_kind_that_is_unknown_is_refused(message):
    with pytest.raises(ValueError, match="kind is 'loud', expected one of info, warning, error"):
        message.show("x", kind="loud")


def test_a_callback_that_raises_shows_its_error_and_returns(message):
    @guarded(message)
    def callback(n_pix):
        if n_pix < 1:
            msg = f"n_pix is {n_pix}, expected at least 1"
            raise ValueError(msg)
        return n_pix

    assert callback(-1) is None
    assert (message.text, message.kind) == ("n_pix is -1, expected at least 1", "error")
    assert "Error: n_pix is -1" in message.view.value
    assert callback(3) == 3
    assert message.view.value == ""


def test_words_that_are_no_error_stay_when_a_callback_works(message):
    message.show("saved")
    with guarded(message):
        pass
    assert message.text == "saved"


def test_an_interrupted_callback_says_so(message):
    with guarded(message):
        raise KeyboardInterrupt
    assert message.text == "stopped, since the kernel was interrupted"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("beam"), "KeyError: beam"),
        (RuntimeError(), "RuntimeError"),
        (FileNotFoundError(2, "No such file", "a.nc"), "[Errno 2] No such file: 'a.nc'"),
    ],
)
def test_errors_are_named_where_their_text_does_not_speak_for_itself(error, words):
    assert in_words(error) == words


def test_a_double_click_does_the_job_once(message):
    done, clock, button = [], Clock(), widgets.Button()
    start = one_at_a_time(message, button=button, clock=clock)(lambda: done.append(button.disabled))
    start()
    start()  # the second click waited in the queue
    assert done == [True]  # disabled while it ran
    assert not button.disabled
    clock.now += 2 * PAUSE
    start()
    assert len(done) == 2
    button.layout.close()
    button.style.close()
    button.close()


def test_a_job_in_the_background_is_refused_while_it_runs(message):
    begun, may_end, clock, done = Event(), Event(), Clock(), []

    @one_at_a_time(message, background=True, clock=clock)
    def job(name):
        begun.set()
        may_end.wait(10)
        done.append(name)

    thread = job("first")
    assert begun.wait(10)
    assert job("second") is None
    assert message.text == "this is still running; wait until it ends"
    may_end.set()
    thread.join(10)
    clock.now += 2 * PAUSE
    job("third").join(10)
    assert done == ["first", "third"]


def test_a_job_that_raises_can_be_started_again(message):
    clock, button = Clock(), widgets.Button()

    @one_at_a_time(message, button=button, clock=clock)
    def job(x):
        return 1 / x

    assert job(0) is None
    assert message.text == "ZeroDivisionError: division by zero"
    assert not button.disabled
    clock.now += 2 * PAUSE
    assert job(2) == 0.5
    button.layout.close()
    button.style.close()
    button.close()
