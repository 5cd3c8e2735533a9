"""From where a training goes on: what was trained until then, and whether this is the same."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from imtools.run_folder import environment, read_status, write_text
from imtools.training.checkpoints import (
    FOLDER,
    HISTORY,
    clear_checkpoints,
    differences,
    read_checkpoint,
    write_checkpoint,
)
from imtools.training.loop import Progress, device_name

# parameters that no number of a training depends on
IDLE = {
    "data": {"n_workers", "n_test", "lazy"},
    "training": {"checkpoint_every"},
    "evaluation": {"n_bootstrap", "summaries"},
}
DEPTH = 3  # folders between that of a run and that of one of its trainings
BACKENDS = ("jax", "keras", "numpy", "tensorflow", "tensorflow-cpu", "torch")


@dataclass(frozen=True, kw_only=True, eq=False)
class Start:
    """Where a training begins: at its first step, in the middle, or at its end."""

    member: int = 0  # network of the ensemble that is trained next, or on
    progress: Progress | None = None  # how far that one is
    weights: list = field(default_factory=list)  # of the networks before it, at their best
    best: list = field(default_factory=list)  # epoch and loss of these
    seams: list = field(default_factory=list)  # where a training was resumed earlier
    done: bool = False


def configuration_of(experiment, data_train, data_validation):
    """Return all that the numbers of a training depend on, as a nested dict of plain values."""
    known = environment()
    return {
        "experiment": experiment.model_dump(exclude=IDLE),
        "training_maps": _hash(data_train),
        "validation_maps": _hash(data_validation),
        "device": device_name(),
        "imtools": known["imtools"],
        "packages": {name: v for name, v in known["packages"].items() if name in BACKENDS},
    }


def find_start(run_dir, configuration, *, resume, force):
    """Return where the training of a run folder begins, and cut its history to there.

    Parameters
    ----------
    run_dir : path-like
        Folder of the run.
    configuration : dict
        From `configuration_of`, of the training that is to be.
    resume : bool
        Go on from the checkpoint, if there is one; else what was trained there is given up.
    force : bool
        Go on though the configuration is another.

    Raises
    ------
    ValueError
        If the configuration is another and `force` is not set, or no checkpoint is sound.
    """
    run_dir = Path(run_dir)
    found = read_checkpoint(run_dir / FOLDER) if resume else None
    if found is None:
        clear_checkpoints(run_dir / FOLDER)
        (run_dir / HISTORY).unlink(missing_ok=True)
        return Start()
    facts, arrays = found["facts"], found["arrays"]
    changed = differences(facts["configuration"], configuration)
    if changed and not (force or _forced(run_dir)):
        msg = (
            f"train: {run_dir} holds a training that differs: {'; '.join(changed)}; set it back, "
            "train in another folder, go on with force=True (imtools run --resume --force), or "
            "start anew with resume=False"
        )
        raise ValueError(msg)
    if facts["done"]:
        return Start(done=True)
    write_text(found["history"], run_dir / HISTORY, overwrite=True)
    own = {name: facts[name] for name in ("epoch", "best_epoch", "best_loss")}
    seam = {"member": facts["member"], "epoch": facts["epoch"] + 1, "changed": changed}
    return Start(
        member=facts["member"],
        progress=Progress(**own, best_weights=arrays.pop("best"), state=arrays.pop("state")),
        weights=[arrays[name] for name in sorted(arrays)],
        best=facts["best"],
        seams=[*facts["seams"], seam],
    )


def write_progress(run_dir, progress, *, configuration, members, manifest):
    """Write a checkpoint of the last of `members`, in training; the others are at their best."""
    earlier = members[:-1]
    facts = {
        "configuration": configuration, "done": False, "member": len(earlier),
        "epoch": progress.epoch, "best_epoch": progress.best_epoch,
        "best_loss": progress.best_loss,
        "best": manifest["best"][: len(earlier)], "seams": manifest["seams"],
    }  # fmt: skip
    arrays = {f"member_{i:03d}": member.get_weights() for i, member in enumerate(earlier)}
    arrays |= {"state": progress.state, "best": progress.best_weights}
    history = (Path(run_dir) / HISTORY).read_text(encoding="utf-8")
    write_checkpoint(Path(run_dir) / FOLDER, facts, arrays=arrays, history=history)


def write_end(run_dir, *, configuration):
    """Write that the training is done, in place of its checkpoints; ``model.keras`` has it all."""
    facts = {"configuration": configuration, "done": True}
    write_checkpoint(Path(run_dir) / FOLDER, facts, arrays={}, n_kept=1)


def _hash(data):
    """Return the SHA-256 of all maps and counts."""
    digest = hashlib.sha256()
    for one in data["map"]:  # one map at a time, as they may be large
        digest.update(np.ascontiguousarray(one.values, dtype="<f4").tobytes())
    digest.update(np.ascontiguousarray(data["counts"].values, dtype="<f8").tobytes())
    return digest.hexdigest()


def _forced(run_dir):
    """Return whether the run that this is part of was resumed with --force."""
    for folder in (run_dir, *run_dir.absolute().parents[:DEPTH]):
        if (folder / "status.json").exists():
            return bool(read_status(folder).get("forced"))
    return False
