"""Every parameter of a run: typed, with its unit, range and help, one frozen model a stage.

This is the only list of parameters. The notebooks' parameter cells, the command line and the run
folders hold values of it; a wrong name or value is refused here, before anything is computed.
"""

import hashlib
import json
from difflib import get_close_matches

import numpy as np
from pydantic import ValidationError, model_validator

from imtools.experiment.checks import CHECKS
from imtools.experiment.extensions import load_extensions, own_sources
from imtools.experiment.stages import (
    CountsStage,
    DataStage,
    EvaluationStage,
    HalosStage,
    LuminosityStage,
    NetworkStage,
    ObservingStage,
    PreprocessingStage,
    SkyStage,
    Stage,
    SurveyStage,
    TrainingStage,
)
from imtools.survey import Survey

PRESETS = {
    "tiny": {
        "field_size": 0.35, "n_pix": 64, "n_chan": 20, "pool_freq": 2,
        "n_train": 2, "n_validation": 1, "n_test": 1, "n_draws": 4, "n_workers": 1,
        "dropout": 0.0, "width": 32,
        "batch_size": 4, "epochs": 4, "n_bootstrap": 50,
    },
    "quick": {
        "n_train": 32, "n_validation": 4, "n_test": 8, "n_draws": 16,
        "dropout": 0.0, "width": 64, "blank_share": 0.1,
        "batch_size": 32, "epochs": 200, "patience": 50,
    },
    "paper": {
        "n_train": 117, "n_validation": 12, "n_test": 32, "n_draws": 36, "n_workers": 8,
        "architecture": "notes_cnn", "transform": "log10",
        "batch_size": 40, "steps_per_epoch": 100, "validation_steps": 3, "epochs": 100,
        "patience": 100,
        "n_bootstrap": 1000,
    },
    "full": {
        "pool_freq": 1, "pool_dec": 1, "pool_ra": 1, "lazy": True,
        "n_train": 32, "n_validation": 4, "n_test": 8, "n_draws": 16,
        "architecture": "counting", "reads": "luminosity", "dropout": 0.0, "width": 64,
        "blank_share": 0.1, "batch_size": 32, "epochs": 200, "patience": 50,
    },
    "comap": {
        "n_pix": 21, "n_chan": 512, "pool_freq": 1, "pool_dec": 1, "pool_ra": 1,
        "pool_how": "mean", "beam_fwhm": 4.0, "beam_margin": 8.0, "fine_factor": 5,
        "sigma_noise": 11.0, "noise_convention": "reference_voxel", "filter": "mean",
        "n_train": 32, "n_validation": 8, "n_test": 8, "n_draws": 40,
        "dropout": 0.0, "width": 64, "batch_size": 32, "epochs": 60,
        "summaries": "vid,pk,vid_pk,multiscale",
    },
}  # fmt: skip

# parameters younger than the first data sets: at their default they leave no trace in a data set
LATER = (("luminosity", "rescale"),)


class Experiment(Stage):
    """All parameters of a run, one model a stage; every name is unique across the stages.

    Examples
    --------
    >>> experiment = Experiment.from_preset("tiny", sigma_noise=11.0)
    >>> experiment.observing.sigma_noise
    11.0
    >>> experiment.pooled_shape
    (10, 16, 16)
    >>> Experiment.from_preset("tiny", sigma_nose=11.0)
    Traceback (most recent call last):
    ...
    ValueError: Experiment: unknown parameter 'sigma_nose'; did you mean 'sigma_noise'?
    """

    survey: SurveyStage = SurveyStage()
    halos: HalosStage = HalosStage()
    luminosity: LuminosityStage = LuminosityStage()
    sky: SkyStage = SkyStage()
    observing: ObservingStage = ObservingStage()
    preprocessing: PreprocessingStage = PreprocessingStage()
    data: DataStage = DataStage()
    counts: CountsStage = CountsStage()
    network: NetworkStage = NetworkStage()
    training: TrainingStage = TrainingStage()
    evaluation: EvaluationStage = EvaluationStage()

    @model_validator(mode="after")
    def _check_together(self):
        load_extensions()
        for check in CHECKS:
            check(self)
        return self

    def __setstate__(self, state):
        """Come out of a pickle, in a process that may not know a user's models yet."""
        load_extensions()
        super().__setstate__(state)

    @classmethod
    def from_preset(cls, preset, **changes):
        """Return the experiment of a preset, with some parameters changed by name.

        Parameters
        ----------
        preset : {"tiny", "quick", "paper", "full", "comap"}
            Sizes: seconds for tests, minutes on two cores, or a GPU's work; the maps of "quick" at
            full resolution, 18 GB; or the survey of COMAP, half an hour on two cores.
        **changes
            Parameters by name, of any stage.

        Raises
        ------
        ValueError
            If a name is unknown (the nearest is named), or a value has the wrong type or range.
        """
        if preset not in PRESETS:
            msg = f"Experiment: preset is {preset!r}, expected one of {', '.join(PRESETS)}"
            raise ValueError(msg)
        return cls.from_flat(PRESETS[preset] | changes)

    @classmethod
    def from_flat(cls, values):
        """Return the experiment with the parameters in `values` (a dict), others at default."""
        stages = {name: {} for name in cls.model_fields}
        for name, value in values.items():
            plain = value.item() if isinstance(value, np.generic) else value
            stages[FIELD_STAGE[check_name(name)]][name] = plain
        try:
            return cls.model_validate(stages)
        except ValidationError as error:
            msg = "Experiment: " + "; ".join(_in_words(e) for e in error.errors())
            raise ValueError(msg) from None

    def replace(self, **changes):
        """Return the experiment with some parameters changed, by name."""
        return self.from_flat(self.flat() | changes)

    def flat(self):
        """Return every parameter as one dict, name to value."""
        return {name: v for stage in self.model_dump().values() for name, v in stage.items()}

    def to_json(self):
        """Return all parameters as JSON text, stage by stage."""
        return json.dumps(self.model_dump(), indent=2)

    @classmethod
    def from_json(cls, text):
        """Return the experiment that `to_json` wrote.

        A parameter that the text lacks takes its default: it is younger than the text, and its
        default is what was done before there was a choice.
        """
        stages = json.loads(text)
        if not isinstance(stages, dict) or not all(isinstance(s, dict) for s in stages.values()):
            msg = "Experiment.from_json: expected one JSON object a stage; see Experiment.to_json"
            raise ValueError(msg)
        return cls.from_flat({k: v for stage in stages.values() for k, v in stage.items()})

    def survey_object(self):
        """Return the `Survey` of this experiment, before pooling."""
        return Survey(**self.survey.model_dump())

    @property
    def pooled_shape(self):
        """Shape of a pooled cube, for dims ("freq", "dec", "ra")."""
        survey, pool = self.survey, self.preprocessing
        return (
            survey.n_chan // pool.pool_freq,
            survey.n_pix // pool.pool_dec,
            survey.n_pix // pool.pool_ra,
        )

    @property
    def l_edges(self):
        """Edges of the luminosity function's bins [Lsun], shape (n_bins + 1,)."""
        return np.logspace(self.counts.log_l_min, self.counts.log_l_max, self.counts.n_bins + 1)

    def data_key(self):
        """Return a short hash of what determines the data set: no noise, network or workers."""
        stages = self.model_dump(
            include={"survey", "halos", "luminosity", "sky", "preprocessing", "data", "counts"},
            exclude={
                "preprocessing": {"transform"}, "data": {"n_workers", "lazy"}, "counts": {"floor"},
            },
        )  # fmt: skip
        stages = without_later(stages)
        if own := own_sources(self.luminosity.luminosity_model):
            stages["own_sources"] = own
        text = json.dumps(stages, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


FIELD_STAGE = {
    name: stage
    for stage, info in Experiment.model_fields.items()
    for name in info.annotation.model_fields
}


def without_later(stages):
    """Return `stages`, a dump of an experiment, without what is younger and at its default."""
    default = {s: Experiment.model_fields[s].default.model_dump() for s in stages}
    return {
        stage: {
            name: value
            for name, value in values.items()
            if (stage, name) not in LATER or value != default[stage][name]
        }
        for stage, values in stages.items()
    }


def check_name(name):
    """Return `name` if it is a parameter, else raise, naming the nearest one."""
    if name not in FIELD_STAGE:
        near = get_close_matches(name, FIELD_STAGE, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"expected among {', '.join(FIELD_STAGE)}"
        msg = f"Experiment: unknown parameter {name!r}; {hint}"
        raise ValueError(msg)
    return name


def _in_words(error):
    """Return one pydantic error as words: what it got, what it expected."""
    message = error["msg"].removeprefix("Value error, ")
    if len(error["loc"]) < 2:  # a check across stages says it all
        return message
    expected = message.replace("Input should be", "expected")
    return f"{error['loc'][-1]} is {error['input']!r}, {expected}"
