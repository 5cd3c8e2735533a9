"""Where a training stands, on disk: folders that are whole or absent, the two newest kept.

Keras' own resume leaves out the random numbers of dropout, writes weights and their epoch one after
the other, and forgets the history; so this is our own. A checkpoint is a folder

========== =======================================================================
state.npz   every variable of the network and its optimizer, seeds of dropout too
best.npz    the weights of the best epoch
history.csv the rows until now
facts.json  member, epoch, best loss, configuration, and the SHA-256 of the others
========== =======================================================================

that is written under a temporary name, flushed and renamed; then ``latest.json`` is moved to it.
"""

import hashlib
import json
import shutil
import warnings
from pathlib import Path

import keras
import numpy as np

from imtools.run_folder import read_json, write_json
from imtools.run_folder.files import flush
from imtools.training.interrupts import interrupts_held
from imtools.training.saved import checksum

FOLDER, POINTER, FACTS, HISTORY = "checkpoints", "latest.json", "facts.json", "history.csv"
UNFINISHED = "unfinished-"  # how the name of a checkpoint begins until it is whole
KEPT = 2


@interrupts_held()
def write_checkpoint(folder, facts, *, arrays, history="", n_kept=KEPT):
    """Write the next checkpoint and drop all but the newest; Ctrl-C waits until that is done.

    Parameters
    ----------
    folder : path-like
        Folder of the checkpoints; only one process may write there.
    facts : dict
        What can be said in JSON.
    arrays : dict
        Name to list of numpy.ndarray, a file each.
    history : str
        Text of the history until now.
    n_kept : int
        How many stay.

    Raises
    ------
    OSError
        If it cannot be written, on a full disk for instance; the checkpoints before it stay, and
        nothing unfinished is left.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept = _pointed(folder)
    name = f"{int(kept[0]) + 1 if kept else 1:06d}"
    unfinished = folder / f"{UNFINISHED}{name}"
    try:
        _remove(unfinished, folder / name)  # what a killed writer left there
        unfinished.mkdir()
        _fill(unfinished, facts, arrays, history)
        unfinished.rename(folder / name)
        flush(folder)
        _point(folder, [name, *kept][:n_kept])
    except OSError as error:
        _remove(folder / name)  # nothing points there
        msg = f"write_checkpoint: {folder} cannot be written ({error}); is the disk full?"
        raise OSError(msg) from None
    finally:
        _remove(unfinished)
    _remove(*(path for path in _whole(folder) if path.name not in _pointed(folder)))


def read_checkpoint(folder):
    """Return the newest sound checkpoint, or None where there is none.

    Parameters
    ----------
    folder : path-like
        Folder of the checkpoints. What a killed writer left unfinished is removed, with a warning.

    Returns
    -------
    dict or None
        What `write_checkpoint` was given: ``facts``, ``arrays``, ``history``.

    Raises
    ------
    ValueError
        If there are checkpoints and none is sound.
    """
    folder = Path(folder)
    if not folder.is_dir():
        return None
    broken = _clear_unfinished(folder)
    kept = _pointed(folder)
    for i, name in enumerate(kept):
        try:
            found = _read(folder / name)
        except (OSError, ValueError, KeyError) as error:
            broken.append(f"{name}: {error}")
            continue
        if broken:
            what = f"in {folder} {'; '.join(broken)}"
            warnings.warn(f"read_checkpoint: {what}; going on from {name}", stacklevel=2)
            _point(folder, kept[i:])  # so that the next is not counted on top of a damaged one
        return found
    if not kept:
        if broken:
            what = f"in {folder} {'; '.join(broken)}"
            warnings.warn(f"read_checkpoint: {what}; training from the start", stacklevel=2)
        return None
    msg = (
        f"read_checkpoint: in {folder} {'; '.join(broken)}, and there is none before; train from "
        "the start with resume=False"
    )
    raise ValueError(msg)


def clear_checkpoints(folder):
    """Remove all checkpoints of a folder."""
    _remove(*_whole(folder), *folder.glob(f"{UNFINISHED}*"))
    (folder / POINTER).unlink(missing_ok=True)


def network_state(model):
    """Return every number that a compiled network's next step depends on, as a list of arrays.

    These are its weights, the moving means of batch normalisation, the seeds of dropout and the
    optimizer's step and slots.
    """
    return [keras.ops.convert_to_numpy(variable) for variable in _variables(model)]


def restore_network(model, state):
    """Set a compiled network to what `network_state` returned.

    Raises
    ------
    ValueError
        If the network or its optimizer is another one.
    """
    model.optimizer.build(model.trainable_variables)
    variables = _variables(model)
    own, given = ([tuple(a.shape) for a in arrays] for arrays in (variables, state))
    if own != given:
        msg = (
            f"restore_network: the checkpoint holds {len(given)} arrays of shapes {given[:4]}..., "
            f"expected {len(own)} of {own[:4]}...; it is of another network or optimizer, so train "
            "from the start with resume=False"
        )
        raise ValueError(msg)
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)


def differences(then, now):
    """Return in words what differs between two configurations, nested dicts of plain values.

    Examples
    --------
    >>> differences({"training": {"epochs": 5, "patience": 2}}, {"training": {"epochs": 7}})
    ['epochs is 7, was 5', 'patience is not set, was 2']
    """
    then, now = _flat(then), _flat(now)
    names = sorted(name for name in then | now if then.get(name) != now.get(name))
    return [f"{n} is {now.get(n, 'not set')}, was {then.get(n, 'not set')}" for n in names]


def _fill(folder, facts, arrays, history):
    """Write the files of a checkpoint, the one with the checksums last."""
    for name, values in arrays.items():
        numbered = {f"{i:05d}": value for i, value in enumerate(values)}
        np.savez(folder / f"{name}.npz", **numbered)
    (folder / HISTORY).write_text(history, encoding="utf-8")
    sha256 = {path.name: checksum(path) for path in sorted(folder.iterdir())}
    text = json.dumps({"facts": facts, "sha256": sha256}, indent=2)
    seal = hashlib.sha256(text.encode()).hexdigest()
    (folder / FACTS).write_text(f"{text}\n{seal}\n", encoding="utf-8")
    for path in (*folder.iterdir(), folder):
        flush(path)


def _read(folder):
    """Return a checkpoint once every byte of it was found sound."""
    text, _, seal = (folder / FACTS).read_text(encoding="utf-8").rstrip("\n").rpartition("\n")
    if hashlib.sha256(text.encode()).hexdigest() != seal:
        msg = f"SHA-256 of {FACTS} differs"
        raise ValueError(msg)
    known = json.loads(text)
    for name, digest in known["sha256"].items():
        if checksum(folder / name) != digest:
            msg = f"SHA-256 of {name} differs"
            raise ValueError(msg)
    arrays = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            arrays[path.stem] = [file[key] for key in sorted(file.files)]
    history = (folder / HISTORY).read_text(encoding="utf-8")
    return {"facts": known["facts"], "arrays": arrays, "history": history}


def _pointed(folder):
    """Return the names of the checkpoints, newest first; by their numbers if none points there."""
    try:
        return [name for name in read_json(folder / POINTER)["kept"] if int(name) >= 0]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return [path.name for path in reversed(_whole(folder))]


def _point(folder, names):
    write_json({"kept": names}, folder / POINTER, overwrite=True)


def _whole(folder):
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name.isdigit())


def _clear_unfinished(folder):
    """Remove what a killed writer left, and say so."""
    kept = _pointed(folder)
    left = [p for p in folder.iterdir() if p.name.startswith(UNFINISHED)]
    left += [p for p in _whole(folder) if not kept or int(p.name) > int(kept[0])]
    _remove(*left)
    return [f"{path.name.removeprefix(UNFINISHED)}: was never finished" for path in left]


def _remove(*paths):
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)


def _variables(model):
    # by their order, since Keras numbers the names of seeds anew in each process
    return [*model.variables, *model.optimizer.variables]


def _flat(values, stem=""):
    """Return a nested dict as one of its leaves, by their own names."""
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, name) if isinstance(value, dict) else {name: value}
    return flat
