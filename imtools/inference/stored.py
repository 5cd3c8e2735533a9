"""Arrays that take long to make, kept beside a page of facts and a checksum."""

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from imtools.run_folder import atomic_path, first_bytes, locked, read_json, write_json


def write_arrays(folder, name, arrays, facts):
    """Write arrays (a dict) to ``name.npz`` and facts to ``name.json``, each whole or not at all.

    The facts come last and hold the checksum: without them the arrays do not count as written.
    """
    folder = Path(folder)
    with atomic_path(folder / f"{name}.npz", overwrite=True) as temporary:
        np.savez(temporary, **arrays)
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    write_json(facts | {"sha256": digest}, folder / f"{name}.json", overwrite=True)


def read_arrays(folder, name, facts):
    """Return the arrays and facts that `write_arrays` wrote, or None if there are none.

    Parameters
    ----------
    folder, name
        As `write_arrays` takes.
    facts : dict
        What the file must say of itself.

    Raises
    ------
    ValueError
        If the file is damaged, or was made of something else.
    """
    folder = Path(folder)
    if not (folder / f"{name}.json").exists():
        return None
    there = read_json(folder / f"{name}.json")
    path = folder / f"{name}.npz"
    if hashlib.sha256(first_bytes(path, "read_arrays")).hexdigest() != there.get("sha256"):
        msg = f"read_arrays: {path} does not have its checksum; remove {folder} to make it again"
        raise ValueError(msg)
    differing = [key for key, value in facts.items() if there.get(key) != value]
    if differing:
        told = ", ".join(f"{key} {there.get(key)!r} not {facts[key]!r}" for key in differing)
        msg = f"read_arrays: {path} was made of something else ({told}); choose another folder"
        raise ValueError(msg)
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}, there


@contextmanager
def claimed(folder):
    """Hold the lock of a folder; a run of a sweep waits for another that makes the same."""
    with locked(folder, wait=float(os.environ.get("IMTOOLS_WAIT", 0))):
        yield


def digest_of(*values):
    """Return a short hash of texts and arrays."""
    digest = hashlib.sha256()
    for value in values:
        is_text = isinstance(value, str)
        digest.update(value.encode() if is_text else np.ascontiguousarray(value).tobytes())
        digest.update(b"\0")
    return digest.hexdigest()[:16]
