"""Looking again and again at what a run writes, beside everything else, until it is closed."""

from threading import Event, Thread


class Poller:
    """Call a function every few seconds in a thread of its own.

    Parameters
    ----------
    function : callable
        Without arguments; it returns False when there is no more to see. What it raises ends it.
    every : float
        Seconds between two calls.
    """

    def __init__(self, function, *, every):
        self._function, self._every, self._stop = function, every, Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def alive(self):
        """Whether it still looks."""
        return self._thread.is_alive()

    def close(self):
        """Look no more; what is being looked at now is waited for."""
        self._stop.set()
        self._thread.join(timeout=10)

    def ask_to_end(self):
        """Look no more, without waiting: for a call from within the function."""
        self._stop.set()

    def _run(self):
        while not self._stop.wait(self._every):
            if self._function() is False:
                return
