"""What no stage can check alone: names in registries, and values that do not go together."""

from difflib import get_close_matches
from pathlib import Path

from imtools.counts import QUOTED_LOG_L
from imtools.luminosity import LUMINOSITY_MODELS, SFR_SOURCES
from imtools.luminosity.mixtures import SEPARATOR
from imtools.preprocessing import TRANSFORMS
from imtools.statistics import SUMMARIES

LOSSES = {  # losses that an output can be fitted with, its own first
    "point": ("mse", "msle", "poisson"), "quantiles": ("pinball",), "gaussian": ("nll",),
}  # fmt: skip


def check_names(experiment):
    """Raise unless every name stands in its registry; the nearest is named."""
    luminosity = experiment.luminosity
    families = luminosity.luminosity_model.split(SEPARATOR)
    priors = {"fiducial": {}}
    for family in families:
        priors |= getattr(LUMINOSITY_MODELS.get(family), "PRIORS", {})
    if len(families) > 1:  # none need know it, each then draws from its wide prior
        priors["wide"] = {}
    known = [
        *(("luminosity_model", family, LUMINOSITY_MODELS) for family in families),
        ("prior", luminosity.prior, priors),
        ("transform", experiment.preprocessing.transform, TRANSFORMS),
    ]
    if not Path(luminosity.sfr).suffix:  # else it is the path of a user's table
        known.append(("sfr", luminosity.sfr, SFR_SOURCES))
    for name, value, names in known:
        if value not in names:
            near = get_close_matches(value, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            msg = f"{name} is {value!r}, expected one of {', '.join(names)}{hint}"
            raise ValueError(msg)


def check_sizes(experiment):
    """Raise unless pooling divides the map into squares, and the training maps fill a batch."""
    experiment.survey_object()  # the band, against the rest frequency of the line
    survey, pooling = experiment.survey, experiment.preprocessing
    for pool, size in (("pool_freq", "n_chan"), ("pool_dec", "n_pix"), ("pool_ra", "n_pix")):
        by, of = getattr(pooling, pool), getattr(survey, size)
        if of % by:
            msg = f"{pool} is {by}, expected a divisor of {size} = {of}"
            raise ValueError(msg)
    if pooling.pool_dec != pooling.pool_ra:
        msg = (
            f"pool_dec is {pooling.pool_dec} and pool_ra {pooling.pool_ra}, expected the same, "
            "since the pixels of a map are squares"
        )
        raise ValueError(msg)
    n_maps = experiment.data.n_train * experiment.data.n_draws
    if experiment.training.batch_size > n_maps:
        msg = (
            f"batch_size is {experiment.training.batch_size}, expected at most the {n_maps} "
            "training maps (n_train x n_draws), since a short batch is never drawn"
        )
        raise ValueError(msg)


def check_values(experiment):
    """Raise unless the bins ascend and every voxel can be scaled."""
    counts, observing = experiment.counts, experiment.observing
    if not counts.log_l_min < counts.log_l_max:
        msg = (
            f"log_l_min is {counts.log_l_min} and log_l_max {counts.log_l_max}, expected "
            "log_l_min below log_l_max"
        )
        raise ValueError(msg)
    if not any(counts.log_l_min <= x <= counts.log_l_max for x in QUOTED_LOG_L):
        msg = (
            f"log_l_min is {counts.log_l_min} and log_l_max {counts.log_l_max}, expected one of "
            f"{', '.join(map(str, QUOTED_LOG_L))} between them, where scores are quoted"
        )
        raise ValueError(msg)
    negative = observing.sigma_noise > 0 or observing.filter != "none"
    if negative and experiment.preprocessing.transform == "log10":
        msg = (
            f"transform is 'log10', sigma_noise {observing.sigma_noise} uK and filter "
            f"{observing.filter!r}, but noise and filters make voxels negative; use transform "
            "'asinh' or 'log_modulus'"
        )
        raise ValueError(msg)


def check_reads(experiment):
    """Raise unless the network can read what it shall."""
    reads, architecture = experiment.network.reads, experiment.network.architecture
    known = ("map", *SUMMARIES)
    if reads not in known:
        msg = f"reads is {reads!r}, expected one of {', '.join(known)}"
        raise ValueError(msg)
    if reads != "map" and architecture not in ("dense", "counting"):
        msg = (
            f"architecture is {architecture!r}, expected 'dense', or 'counting' for luminosity, "
            f"for a network that reads {reads}"
        )
        raise ValueError(msg)
    counted = ("luminosity", "luminosity_scales")
    if architecture == "counting" and reads not in counted:
        msg = f"reads is {reads!r}, expected {' or '.join(counted)} for the architecture counting"
        raise ValueError(msg)
    if architecture == "counting" and reads == counted[1] and not experiment.training.standardise:
        msg = (
            "standardise is false, expected true for the architecture counting that reads "
            f"{reads}: bins that noise fills start from the mean of the training fields"
        )
        raise ValueError(msg)


def check_beam(experiment):
    """Raise unless the painted pixels resolve the beam."""
    survey, sky = experiment.survey, experiment.sky
    painted = 60 * survey.field_size / survey.n_pix / sky.fine_factor
    if 0 < sky.beam_fwhm < 2 * painted:
        msg = (
            f"beam_fwhm is {sky.beam_fwhm} arcmin and a painted pixel {painted:.3g}, expected at "
            "most half the beam; raise fine_factor"
        )
        raise ValueError(msg)


def check_loss(experiment):
    """Raise unless output, target, loss and optimizer go together."""
    training, output = experiment.training, experiment.network.output
    if training.loss not in ("auto", *LOSSES[output]):
        msg = (
            f"loss is {training.loss!r}, output {output!r}, expected {' or '.join(LOSSES[output])}"
        )
        raise ValueError(msg)
    if training.loss == "msle" and training.target_log:
        msg = (
            "loss is 'msle' and target_log true, but the logarithm of few sources is negative, and "
            "msle takes a logarithm itself; set target_log to false, or loss to 'mse'"
        )
        raise ValueError(msg)
    if training.loss == "poisson" and not (training.target_log and training.target == "dn"):
        msg = (
            f"loss is 'poisson', target {training.target!r} and target_log {training.target_log}, "
            "expected 'dn' and true: counts of independent bins, with a rate that is a power of 10 "
            "and so above 0"
        )
        raise ValueError(msg)
    if output != "point" and not (training.target_log and training.target != "n_cumulative"):
        msg = (
            f"output is {output!r}, target {training.target!r} and target_log "
            f"{training.target_log}, expected log10 of 'dn', 'phi' or 'l_phi', since differences "
            "of quantiles are no quantiles; set output to 'point'"
        )
        raise ValueError(msg)
    if output == "gaussian" and experiment.network.n_ensemble > 1:
        msg = (
            f"n_ensemble is {experiment.network.n_ensemble} and output 'gaussian', expected 1: the "
            "mean of covariances leaves out by how much the members differ"
        )
        raise ValueError(msg)
    if training.momentum > 0 and training.optimizer != "sgd":
        msg = (
            f"momentum is {training.momentum} and optimizer {training.optimizer!r}, which keeps "
            "its own; set optimizer to 'sgd', or momentum to 0"
        )
        raise ValueError(msg)


CHECKS = (check_names, check_sizes, check_values, check_reads, check_beam, check_loss)
