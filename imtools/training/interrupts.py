"""Ctrl-C while files are written that belong together: it comes when they are whole."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def interrupts_held():
    """Hold SIGINT back during the block, or the decorated function; it comes at its end.

    Python interrupts the main thread alone, so in another one there is nothing to hold.
    """
    before = signal.getsignal(signal.SIGINT)
    # None is a handler that was not set from Python, which could not be put back
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came = []
    signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
