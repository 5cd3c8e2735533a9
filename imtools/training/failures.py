"""How a training fails: a loss that is no number, a batch that memory does not hold."""

from contextlib import contextmanager

from imtools.run_folder import write_status

# as TensorFlow and JAX, PyTorch, and the systems' own libraries say it
NO_MEMORY = ("resource_exhausted", "resourceexhausted", "out of memory", "outofmemory")


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite; the best network until then is kept."""


class OutOfMemoryError(MemoryError):
    """A batch, or the network, does not fit into the memory of the device."""


@contextmanager
def told_in_status(run_dir, experiment):
    """Write how a training within the block fails to the status of its run.

    Raises
    ------
    OutOfMemoryError
        In place of each backend's own error, with what to do.
    """
    try:
        yield
    except NonFiniteLossError as error:
        write_status(run_dir, "failed", reason=f"nan: {error}")
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        msg = _hint(experiment, error)
        write_status(run_dir, "failed", reason=f"memory: {msg}")
        raise OutOfMemoryError(msg) from error


def is_out_of_memory(error):
    """Return whether an error of NumPy or any backend says that memory is short."""
    text = f"{type(error).__name__} {error}".lower()
    return isinstance(error, MemoryError) or any(word in text for word in NO_MEMORY)


def _hint(experiment, error):
    size = experiment.training.batch_size
    lower = f"lower batch_size, to {size // 2} for instance" if size > 1 else "lower filters"
    return (
        f"train: out of memory with batch_size {size} and architecture "
        f"{experiment.network.architecture!r} on maps of {experiment.pooled_shape} voxels "
        f"({' '.join(str(error).split())[:80]}); {lower}, or pool the maps more"
    )
