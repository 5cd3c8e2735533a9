"""The next batch is drawn while the network learns from this one."""

from concurrent.futures import ThreadPoolExecutor


def drawn_ahead(draw, steps):
    """Yield ``draw(step)`` for each step, the next one drawn in a thread meanwhile.

    Parameters
    ----------
    draw : callable
        A pure function of the step, such as one that makes a batch and its noise.
    steps : iterable
        What it is called with, one after the other; never more than one ahead.

    Yields
    ------
    object
        What `draw` returned, in the order of `steps`; what it raises is raised in its turn.

    Examples
    --------
    >>> list(drawn_ahead(lambda step: step**2, range(4)))
    [0, 1, 4, 9]
    """
    with ThreadPoolExecutor(1, thread_name_prefix="batches") as drawer:
        ahead = None
        for step in steps:
            drawn, ahead = ahead, drawer.submit(draw, step)
            if drawn is not None:
                yield drawn.result()
        if ahead is not None:
            yield ahead.result()
