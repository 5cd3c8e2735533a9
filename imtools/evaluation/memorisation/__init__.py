"""Whether a method reads maps, or knows them or their mean by heart.

Each test asks a method a question whose answer only a reader of maps gets right, and returns a
Dataset whose ``attrs`` hold the name of the ``test``, a ``state`` (passed, failed, or told) and a
``verdict`` in one sentence. `memorisation_tests` puts a method to all of them, and
`evaluation.outcomes` keeps what came of it.
"""

from imtools.evaluation.memorisation.blank import blank_sky, kind_of_answer
from imtools.evaluation.memorisation.families import family_errors, family_matrix
from imtools.evaluation.memorisation.fresh import (
    FAMILIES,
    family_maps,
    fresh_experiment,
    fresh_maps,
)
from imtools.evaluation.memorisation.leakage import (
    Memoriser,
    fit_memoriser,
    leakage,
    wrong_splits,
)
from imtools.evaluation.memorisation.levels import foreground_levels, noise_levels
from imtools.evaluation.memorisation.shuffles import (
    SHUFFLES,
    permute_voxels,
    quarter_turn,
    reverse_frequencies,
    shuffle_labels,
    shuffled,
    swapped,
)
from imtools.evaluation.memorisation.spread import fixed_parameters, seen_and_unseen, spread
from imtools.evaluation.memorisation.suite import memorisation_tests

__all__ = [
    "FAMILIES",
    "SHUFFLES",
    "Memoriser",
    "blank_sky",
    "family_errors",
    "family_maps",
    "family_matrix",
    "fit_memoriser",
    "fixed_parameters",
    "foreground_levels",
    "fresh_experiment",
    "fresh_maps",
    "kind_of_answer",
    "leakage",
    "memorisation_tests",
    "noise_levels",
    "permute_voxels",
    "quarter_turn",
    "reverse_frequencies",
    "seen_and_unseen",
    "shuffle_labels",
    "shuffled",
    "spread",
    "swapped",
    "wrong_splits",
]
