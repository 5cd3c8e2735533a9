"""What a dashboard says in one line, callbacks that cannot fail in silence, and jobs one by one."""

import html
import logging
import time
from contextlib import contextmanager
from functools import wraps
from threading import Lock, Thread

import ipywidgets as widgets

LONGEST = 400  # characters of a message that are shown
PAUSE = 0.3  # s after a job in which a click still belongs to it
KINDS = {  # what stands before the words, and the colours of both
    "info": ("", "#1b4965", "#eef4f8"),
    "warning": ("Warning: ", "#7a4b00", "#fdf3dc"),
    "error": ("Error: ", "#8b1a1a", "#fbe9e7"),
}

log = logging.getLogger(__name__)


class Message:
    """One line of a dashboard: what was done, or what went wrong and what to do about it.

    Examples
    --------
    >>> message = Message()
    >>> message.show("n_pix is -1, expected at least 1", kind="error")
    >>> message.text, message.kind
    ('n_pix is -1, expected at least 1', 'error')
    >>> message.close()
    """

    def __init__(self):
        self.text, self.kind = "", "info"
        self.view = widgets.HTML(layout={"margin": "2px 0"})

    def show(self, text, kind="info"):
        """Show a text as it is: characters of HTML in it stay characters.

        Parameters
        ----------
        text : str
            What to say; line breaks become spaces, and what is very long is cut.
        kind : {"info", "warning", "error"}
            Colour, and the word that stands before the text.
        """
        if kind not in KINDS:
            msg = f"Message.show: kind is {kind!r}, expected one of {', '.join(KINDS)}"
            raise ValueError(msg)
        self.text, self.kind = " ".join(str(text).split()), kind
        self.view.value = _as_html(self.text, kind)

    def clear(self):
        """Show nothing."""
        self.text, self.kind, self.view.value = "", "info", ""

    def close(self):
        """Take the line off the page."""
        self.view.layout.close()
        self.view.close()


@contextmanager
def guarded(message):
    """Show whatever the block raises as one line of `message`, and go on.

    It is a decorator of callbacks too, which then return None where they fail. An error of an
    earlier call is taken away when the next one begins.

    Parameters
    ----------
    message : Message
        Where to.

    Examples
    --------
    >>> message = Message()
    >>> @guarded(message)
    ... def divide(x):
    ...     return 1 / x
    >>> divide(0)
    >>> message.text
    'ZeroDivisionError: division by zero'
    >>> divide(2), message.text
    (0.5, '')
    """
    if message.kind == "error":
        message.clear()
    try:
        yield
    except KeyboardInterrupt:
        message.show("stopped, since the kernel was interrupted", kind="warning")
    except Exception as error:  # a callback has no caller that could catch it
        log.debug("a callback failed", exc_info=True)
        message.show(in_words(error), kind="error")


def in_words(error):
    """Return an exception as one line; a plain ValueError or OSError speaks for itself."""
    text = " ".join(str(error.args[0] if len(error.args) == 1 else error).split())
    name = type(error).__name__
    if not text:
        return name
    return text if type(error) is ValueError or isinstance(error, OSError) else f"{name}: {text}"


def one_at_a_time(message, *, button=None, background=False, clock=time.monotonic):
    """Return a decorator that lets a job run once at a time, however often it is called.

    Parameters
    ----------
    message : Message
        Says that the job is still running, and shows what it raises.
    button : ipywidgets.Button, optional
        It is disabled while the job runs.
    background : bool
        Run the job in a thread of its own; the decorated function returns that thread.
    clock : callable
        Returns the time [s].

    Returns
    -------
    callable
        Decorator of a function. A call while the job runs is refused with a message. So is, without
        one, a call at once after its end: it is the second half of a double click, which waited
        in the kernel's queue while the first half worked.

    Examples
    --------
    >>> message, done = Message(), []
    >>> start = one_at_a_time(message)(lambda: done.append("once"))
    >>> start(), start(), done
    (None, None, ['once'])
    """

    def decorate(job):
        free, ended = Lock(), [-PAUSE]

        def work(*args, **kwargs):
            try:
                with guarded(message):
                    return job(*args, **kwargs)
            finally:
                if button is not None:
                    button.disabled = False
                ended[0] = clock()
                free.release()

        @wraps(job)
        def start(*args, **kwargs):
            if not free.acquire(blocking=False):
                message.show("this is still running; wait until it ends", kind="warning")
                return None
            if clock() - ended[0] < PAUSE:
                free.release()
                return None
            if button is not None:
                button.disabled = True
            if not background:
                return work(*args, **kwargs)
            thread = Thread(target=work, args=args, kwargs=kwargs, daemon=True)
            thread.start()
            return thread

        return start

    return decorate


def _as_html(text, kind):
    """Return a message as a coloured line; the whole text shows where the mouse rests."""
    before, colour, ground = KINDS[kind]
    shown = text if len(text) <= LONGEST else text[: LONGEST - 1] + "\u2026"
    role = "alert" if kind == "error" else "status"
    style = f"color:{colour};background:{ground};border-left:3px solid {colour};"
    style += "padding:3px 8px;line-height:1.4;overflow-wrap:anywhere"
    return (
        f'<div class="imtools-message imtools-{kind}" role="{role}" style="{style}" '
        f'title="{html.escape(text)}">{before}{html.escape(shown)}</div>'
    )
