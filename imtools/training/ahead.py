"""The next batches are drawn while the network learns from this one."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor


def drawn_ahead(draw, steps, *, at_once=1):
    """Yield ``draw(step)`` for each step, the next ones drawn in threads meanwhile.

    Parameters
    ----------
    draw : callable
        A pure function of the step, such as one that makes a batch and its noise.
    steps : iterable
        What it is called with, one after the other.
    at_once : int
        Threads, and how many batches are drawn ahead at most: as many are in memory, and one more.

    Yields
    ------
    object
        What `draw` returned, in the order of `steps`; what it raises is raised in its turn.

    Examples
    --------
    >>> list(drawn_ahead(lambda step: step**2, range(4)))
    [0, 1, 4, 9]
    """
    with ThreadPoolExecutor(at_once, thread_name_prefix="batches") as drawer:
        ahead = deque()
        for step in steps:
            ahead.append(drawer.submit(draw, step))
            if len(ahead) > at_once:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
