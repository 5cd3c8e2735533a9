"""The training loop of one network: every batch a pure function of seed, epoch and index."""

import time
from dataclasses import dataclass, replace

import keras
import numpy as np
from tqdm import tqdm

from imtools.training.ahead import drawn_ahead
from imtools.training.checkpoints import network_state, restore_network
from imtools.training.failures import NonFiniteLossError
from imtools.training.losses import loss_of

PAUSE = 19  # between two checkpoints, in units of what the first of them took
LAST_STEP = 0.01  # of an exponential schedule, in units of its first


@dataclass(frozen=True, kw_only=True, eq=False)
class Progress:
    """How far the training of a network has come."""

    epoch: int = -1  # the last that is finished
    best_epoch: int = -1
    best_loss: float = np.inf  # of the validation
    best_weights: list | None = None
    state: list | None = None  # of network and optimizer, see `checkpoints.network_state`

    def goes_on(self, training):
        """Return whether another epoch follows, by the settings of a TrainingStage."""
        patient = self.epoch - self.best_epoch < training.patience
        return patient and self.epoch + 1 < training.epochs


def make_deterministic():
    """Have a processor give the same bits every time; it costs no time there."""
    if device_name() == "tensorflow cpu:0":
        import tensorflow

        tensorflow.config.experimental.enable_op_determinism()


def device_name():
    """Return the backend and the device that Keras trains on, such as ``"tensorflow cpu:0"``."""
    backend = keras.backend.backend()
    if backend == "torch":  # Keras lists no devices there
        return f"torch {keras.ops.zeros(1).device}"
    devices = keras.distribution.list_devices()
    accelerators = [d for d in devices if not str(d).startswith("cpu")]
    return f"{backend} {(accelerators or devices)[0]}"


def compile_network(model, training, n_steps, loss):
    """Compile `model` for `loss` with the optimizer of `training`, a TrainingStage."""
    n_all = training.epochs * n_steps
    schedules = keras.optimizers.schedules
    rate = {
        "cosine": lambda first: schedules.CosineDecay(first, decay_steps=n_all),
        "exponential": lambda first: schedules.ExponentialDecay(first, n_all, LAST_STEP),
        "constant": lambda first: first,
    }[training.schedule](training.learning_rate)
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": lambda **settings: keras.optimizers.SGD(momentum=training.momentum, **settings),
    }
    optimizer = optimizers[training.optimizer](
        learning_rate=rate, weight_decay=training.weight_decay
    )
    # for a CPU, XLA has no fast convolution in 3-D (see benchmarks); without XLA, JAX crawls
    compiled = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss, jit_compile=compiled)
    optimizer.build(model.trainable_variables)  # in the first step it would be traced twice


def fit(
    model, batches, validation, training, *, target, keep, log, start=None, save=None, label="train"
):
    """Train a network until it no longer gets better, and leave it at its best weights.

    Parameters
    ----------
    model : keras.Model
        Network; compiled here.
    batches : object
        ``n_batches()`` full batches an epoch, ``batch(epoch, index)`` returns (inputs, dN),
        ``at_once`` says how many may be drawn at a time.
    validation : tuple of numpy.ndarray
        Inputs and dN that choose the best epoch.
    training : TrainingStage
        Settings; ``steps_per_epoch`` 0 takes every full batch once an epoch.
    target : Target
        What is learnt, and with which loss.
    keep : callable
        ``keep(epoch, loss)``, called whenever the validation loss has fallen to a new low.
    log : callable
        ``log(row)``, called with a dict at the end of each epoch.
    start : Progress, optional
        Goes on from there, and its first row is marked by ``seam``.
    save : callable, optional
        ``save(progress)``, called at the end of every ``checkpoint_every`` epochs (0: as often as
        takes a twentieth of the time) and of the last.
    label : str
        In front of the progress bar.

    Raises
    ------
    NonFiniteLossError
        If a loss is NaN or infinite.
    """
    n_full = batches.n_batches()
    n_steps = training.steps_per_epoch or n_full
    if n_full < 1:
        msg = f"fit: fewer maps than batch_size {training.batch_size}; lower batch_size"
        raise ValueError(msg)
    loss_function = loss_of(target)
    compile_network(model, training, n_steps, loss_function)
    known = validation[0], target.encode(validation[1])
    progress = _restored(model, start, keep) if start else Progress()
    seam, offer = start is not None, _when_due(save, training)
    done = {"total": training.epochs, "initial": progress.epoch + 1}
    with tqdm(**done, desc=label, unit="epoch", mininterval=1) as bar:
        while progress.goes_on(training):
            begun, epoch = time.perf_counter(), progress.epoch + 1
            steps = range(epoch * n_steps, (epoch + 1) * n_steps)
            loss = _train_steps(model, batches, steps, n_full, epoch, target)
            loss_now = validation_loss(model, *known, loss_function, training.batch_size)
            progress = _after(progress, model, _finite(loss_now, epoch))
            seconds = round(time.perf_counter() - begun, 3)
            row = {"epoch": epoch, "loss": loss, "validation_loss": loss_now, "seconds": seconds}
            log(row | {"seam": int(seam)})
            seam = False
            if progress.best_epoch == epoch:
                keep(epoch, loss_now)
            if save:
                offer(model, progress)
            bar.update()
            bar.set_postfix(loss=f"{loss:.4g}", validation=f"{loss_now:.4g}", refresh=False)
    model.set_weights(progress.best_weights)


def _when_due(save, training):
    """Return the function that saves where a network stands, if it is time."""
    ended, took = time.perf_counter(), 0.0

    def offer(model, progress):
        nonlocal ended, took
        begun, every = time.perf_counter(), training.checkpoint_every
        due = (progress.epoch + 1) % every == 0 if every else begun - ended >= PAUSE * took
        if due or not progress.goes_on(training):
            save(replace(progress, state=network_state(model)))
            ended = time.perf_counter()
            took = ended - begun

    return offer


def _restored(model, start, keep):
    """Set the model to where `start` was, and keep its best until then once more."""
    restore_network(model, start.state)  # or raise
    # what is kept may be of an epoch after the checkpoint, which this training may never reach
    model.set_weights(start.best_weights)
    keep(start.best_epoch, start.best_loss)
    restore_network(model, start.state)
    return start


def _after(progress, model, loss):
    """Return the progress one epoch on, with this validation loss."""
    epoch = progress.epoch + 1
    if not loss < progress.best_loss:
        return replace(progress, epoch=epoch, state=None)
    return Progress(epoch=epoch, best_epoch=epoch, best_loss=loss, best_weights=model.get_weights())


def _train_steps(model, batches, steps, n_full, epoch, target):
    """Take `steps` of the training, counted from its start, and return their mean loss."""

    def draw(step):
        inputs, counts = batches.batch(*divmod(step, n_full))
        return inputs, target.encode(counts)

    drawn = drawn_ahead(draw, steps, at_once=batches.at_once)
    return float(np.mean([_finite(model.train_on_batch(*pair), epoch) for pair in drawn]))


def _finite(loss, epoch):
    loss = float(loss)
    if not np.isfinite(loss):
        msg = f"fit: nan: the loss is {loss} in epoch {epoch}; lower learning_rate, or check inputs"
        raise NonFiniteLossError(msg)
    return loss


def validation_loss(model, inputs, true, loss_function, batch_size):
    """Return the mean loss on `inputs` as the network stands, without dropout."""
    answers = predict(model, inputs, batch_size)
    starts = range(0, len(inputs), batch_size)
    losses = [
        keras.ops.convert_to_numpy(
            loss_function(true[i : i + batch_size], answers[i : i + batch_size])
        )
        for i in starts
    ]
    return float(np.mean(np.concatenate(losses)))


def predict(model, inputs, batch_size):
    """Return the outputs for any number of inputs, `batch_size` at a time."""
    starts = range(0, len(inputs), batch_size)
    outputs = [model.predict_on_batch(inputs[i : i + batch_size]) for i in starts]
    return np.concatenate([keras.ops.convert_to_numpy(out) for out in outputs])
