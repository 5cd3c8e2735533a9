"""A network on disk: ``model.keras`` and a manifest that says what it is, and its checksum."""

import hashlib
import json
import zipfile
from pathlib import Path

import h5py
import keras

from imtools import (
    __version__,
    networks,  # noqa: F401  (registers the layers that a model may name)
)
from imtools.run_folder import atomic_path, read_json, write_json

MODEL, MANIFEST = "model.keras", "manifest.json"
MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}  # what Keras puts in the archive
MAX_BYTES = 8 * 2**30  # the unpacked archive; the largest network of ours takes 0.5 GB
MAX_JSON_BYTES = 64 * 2**20  # its two JSON files


def save_model(model, manifest, run_dir):
    """Write ``model.keras`` and ``manifest.json``, so that a kill leaves the old pair or the new.

    Parameters
    ----------
    model : keras.Model
        Network; its optimizer is not kept.
    manifest : dict
        What the network is; the checksum and the versions are added.
    run_dir : path-like
        Folder of the run. A model there is replaced.

    Notes
    -----
    The manifest is renamed first and lists the checksums of the new and of the old model, so that
    it fits whichever is there when the second rename never comes.
    """
    run_dir = Path(run_dir)
    path, versions = run_dir / MODEL, {"imtools": __version__, "keras": keras.__version__}
    before = [checksum(path)] if path.exists() else []
    bare = keras.Model(model.input, model.output, name=model.name)  # no optimizer, no loss
    with atomic_path(path, overwrite=True) as temporary:
        bare.save(temporary, include_optimizer=False)
        facts = {"file": MODEL, "sha256": [checksum(temporary), *before], "versions": versions}
        write_json(manifest | facts, run_dir / MANIFEST, overwrite=True)


def load_model(path):
    """Return the network of a run folder, and its manifest, once both were found sound.

    Parameters
    ----------
    path : path-like
        The folder of a run, or the ``.keras`` file in it; ``manifest.json`` lies beside it.

    Returns
    -------
    model : keras.Model
        Not compiled.
    manifest : dict
        What `save_model` was given, with checksum and versions.

    Raises
    ------
    FileNotFoundError
        If the model or the manifest is missing.
    ValueError
        If the file is not ``.keras`` (an ``.h5`` or a pickle may run code as it is read), differs
        from its checksum, or holds anything but layers of Keras and of this package, a Lambda layer
        included. Nothing in it has run then.
    """
    path = Path(path)
    path = path / MODEL if path.is_dir() else path
    if path.suffix != ".keras":
        msg = (
            f"load_model: {path} ends in {path.suffix!r}, expected '.keras'; other formats may run "
            "code as they are read, so save the network again with save_model"
        )
        raise ValueError(msg)
    if not path.exists():
        msg = f"load_model: {path} does not exist; train a network, or give its run folder"
        raise FileNotFoundError(msg)
    manifest = read_json(path.with_name(MANIFEST))
    found = checksum(path)
    if found not in manifest.get("sha256", ()):
        msg = (
            f"load_model: SHA-256 of {path} is {found[:12]}..., which {MANIFEST} lacks; the "
            "file is damaged or not ours, so restore or train it again"
        )
        raise ValueError(msg)
    _check_archive(path)
    return keras.saving.load_model(path, compile=False, safe_mode=True), manifest


def checksum(path):
    """Return the SHA-256 of a file, in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_archive(path):
    """Raise unless the archive holds plain weights and known layers, of a reasonable size."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename: info.file_size for info in archive.infolist()}
            small = all(n <= MAX_JSON_BYTES for k, n in sizes.items() if k.endswith(".json"))
            if set(sizes) != MEMBERS or sum(sizes.values()) > MAX_BYTES or not small:
                _refuse(path, f"holds {sizes} bytes, expected {sorted(MEMBERS)} under {MAX_BYTES}")
            _check_config(json.loads(archive.read("config.json")), path)
            with archive.open("model.weights.h5") as file, h5py.File(file, "r") as weights:
                _check_weights(weights, path)
    except (zipfile.BadZipFile, json.JSONDecodeError, OSError) as error:
        _refuse(path, f"cannot be read ({error})")


def _check_config(config, path):
    """Raise if a part of the configuration names a class that is neither Keras' nor ours."""
    if isinstance(config, list):
        for part in config:
            _check_config(part, path)
    elif isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module")
        ours = config.get("registered_name") in keras.saving.get_custom_objects()
        known = module is None or str(module).partition(".")[0] == "keras"
        if name in ("Lambda", "TFSMLayer", "TorchModuleWrapper") or not (known or ours):
            _refuse(path, f"has a layer {name!r} of {module!r}, expected Keras' or the package's")
        for part in config.values():
            _check_config(part, path)


def _check_weights(group, path):
    """Raise if weights are links to other files, or packed, which Keras never writes."""
    for name in group:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            _refuse(path, f"has a link at {group.name}/{name}, expected weights")
        item = group[name]
        if isinstance(item, h5py.Group):
            _check_weights(item, path)
        elif item.compression or item.external or item.is_virtual:
            _refuse(path, f"has packed or outside weights at {item.name}, expected plain ones")


def _refuse(path, what):
    msg = f"load_model: {path} {what}; use only models that save_model wrote"
    raise ValueError(msg)
