"""The stages of an experiment: each parameter with its type, unit, range and help."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


def _field(default, unit, description, **limits):
    return Field(default, description=description, json_schema_extra={"unit": unit}, **limits)


class Stage(BaseModel):
    """Settings of one stage: frozen, no unknown names, no silent conversion of types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class SurveyStage(Stage):
    """The field and the channels."""

    field_size: float = _field(1.4, "deg", "side of the square field", gt=0, le=60)
    n_pix: int = _field(256, "1", "pixels along each side", ge=1, le=4096)
    n_chan: int = _field(100, "1", "channels over the band", ge=1, le=8192)
    nu_min: float = _field(26.0, "GHz", "lower edge of the band", gt=0)
    nu_max: float = _field(34.0, "GHz", "upper edge of the band", gt=0)


class HalosStage(Stage):
    """The haloes of a catalogue."""

    m_min: float = _field(2.5e10, "Msun", "least massive halo", ge=1e8, le=1e14)
    cell_size: float = _field(2.0, "Mpc", "cell of the density field", ge=0.5, le=20)


class LuminosityStage(Stage):
    """From halo mass to CO luminosity, and how its parameters are drawn."""

    luminosity_model: str = _field(
        "li2016", "1", "name in luminosity.LUMINOSITY_MODELS; several with + between take turns"
    )
    prior: str = _field("ten_percent", "1", "widths of the parameter draw, named by the model")
    correlation: Literal["independent", "pivot"] = _field(
        "independent", "1", "how alpha and beta are drawn: independent (the notes) or at a pivot"
    )
    sfr: str = _field("b13", "1", "star formation rate: b13, um, or the path of a table")
    rescale: float = _field(
        0.0, "dex", "brighten or dim all of a map by up to so much, at random", ge=0, le=3
    )


class SkyStage(Stage):
    """What reaches the telescope, and its beam; drawn once and stored with the maps."""

    line_width: bool = _field(False, "1", "spread each halo's line by its virial velocity")
    beam_fwhm: float = _field(0.0, "arcmin", "full width of the beam; 0 is none", ge=0, le=600)
    beam_margin: float = _field(
        0.0, "arcmin", "sky around the field whose sources shine in through the beam", ge=0, le=600
    )
    fine_factor: int = _field(1, "1", "painted pixels along the side of one pixel", ge=1, le=64)
    point_sources: bool = _field(False, "1", "add radio point sources")
    diffuse: bool = _field(False, "1", "add synchrotron, free-free and CMB")
    interlopers: bool = _field(False, "1", "add CO(2-1) and HCN(1-0) from other redshifts")


class ObservingStage(Stage):
    """What the instrument adds and a filter takes; applied to each batch, never stored."""

    sigma_noise: float = _field(0.0, "uK", "white noise per voxel", ge=0, le=1e6)
    noise_convention: Literal["fine_voxel", "reference_voxel"] = _field(
        "fine_voxel", "1", "the voxel of sigma_noise: this survey's, or 4 arcmin x 15.625 MHz"
    )
    hits: Literal["uniform", "edge"] = _field(
        "uniform", "1", "how often pixels are observed: all alike, or less along the edge"
    )
    filter: Literal["none", "mean", "channel_mean", "polynomial", "pca"] = _field(
        "none", "1", "what is subtracted after the noise"
    )
    filter_order: int = _field(
        1, "1", "order of the polynomial, or number of principal spectra", ge=0, le=100
    )


class PreprocessingStage(Stage):
    """What the network sees of a map."""

    pool_freq: int = _field(10, "1", "channels pooled into one", ge=1)
    pool_dec: int = _field(4, "1", "pixels along dec pooled into one", ge=1)
    pool_ra: int = _field(4, "1", "pixels along ra pooled into one", ge=1)
    pool_how: Literal["mean", "sum"] = _field("sum", "1", "pool by mean, or by sum as in the notes")
    transform: str = _field("asinh", "1", "name in preprocessing.TRANSFORMS")


class DataStage(Stage):
    """How many catalogues and maps, and the seed of it all."""

    n_train: int = _field(32, "1", "training catalogues", ge=1)
    n_validation: int = _field(4, "1", "validation catalogues", ge=1)
    n_test: int = _field(8, "1", "test catalogues", ge=1)
    n_draws: int = _field(16, "1", "luminosity draws (maps) a catalogue", ge=1)
    augment: bool = _field(True, "1", "turn each map by multiples of 90 deg and flip it at random")
    seed: int = _field(0, "1", "seeds every random draw", ge=0, lt=2**32)
    n_workers: int = _field(2, "1", "processes that make catalogues", ge=1, le=1024)
    lazy: bool = _field(False, "1", "leave maps on disk until they are used: too many for memory")


class CountsStage(Stage):
    """The bins of the luminosity function."""

    log_l_min: float = _field(3.5, "log10 Lsun", "lower edge of the first bin", ge=-2, le=12)
    log_l_max: float = _field(7.0, "log10 Lsun", "upper edge of the last bin", ge=-2, le=12)
    n_bins: int = _field(49, "1", "bins, even in log10 L", ge=2, le=1000)
    floor: float = _field(0.5, "sources", "what an empty bin counts under a logarithm", gt=0, le=1)


class NetworkStage(Stage):
    """The network; an architecture takes what it has a use for, and its builder says what."""

    architecture: str = _field("histogram", "1", "name in networks.ARCHITECTURES")
    reads: str = _field(
        "map", "1", "the map, or for dense and counting networks a name in statistics.SUMMARIES"
    )
    temp_scale: float = _field(
        0.0, "uK", "sets the bins of a summary; 0 takes the spread of training voxels", ge=0
    )
    n_blocks: int = _field(6, "1", "convolution blocks", ge=1, le=12)
    filters: int = _field(64, "1", "filters of the first block, doubled in each next", ge=1)
    kernel: int = _field(3, "voxels", "side of the convolution", ge=1, le=15)
    n_dims: Literal[2, 3] = _field(3, "1", "convolve over the sky (2), or over frequency too (3)")
    pooling: Literal["strided", "max", "average"] = _field(
        "strided", "1", "how a block halves the map: strided convolution, maximum or mean"
    )
    batch_norm: bool = _field(True, "1", "normalise each filter over the batch")
    dropout: float = _field(0.5, "1", "share of units dropped in training", ge=0, lt=1)
    dropout_place: Literal["block", "pooled", "dense"] = _field(
        "block", "1", "drop before a block halves the map, after it, or before the output alone"
    )
    first_bias: bool = _field(True, "1", "a bias in the first convolution, which sees blank sky")
    freq_channel: bool = _field(
        False, "1", "tell each voxel its frequency; where n_dims is 2, each channel knows it anyway"
    )
    head: Literal["dense", "global"] = _field(
        "dense", "1", "flatten into a dense layer, or average each filter over the map"
    )
    stages: str = _field(
        "3-4-6-3", "1", "bottlenecks in each stage of resnet50", pattern=r"^[1-9]\d?(-[1-9]\d?)*$"
    )
    patch: int = _field(4, "pixels", "side of the patches that additive sums over", ge=1)
    n_histogram_bins: int = _field(160, "1", "bins of the soft histogram", ge=2, le=4096)
    width: int = _field(1000, "1", "units of the dense layer", ge=1)
    n_hidden: int = _field(
        1, "1", "dense layers between what dense and histogram read and their answer", ge=1, le=8
    )
    output: Literal["point", "quantiles", "gaussian"] = _field(
        "point", "1", "log counts alone, quantiles of them, or their mean and covariance"
    )
    n_ensemble: int = _field(1, "1", "networks trained and averaged", ge=1, le=64)


class TrainingStage(Stage):
    """How the network is fitted, and to what."""

    target: Literal["dn", "n_cumulative", "phi", "l_phi"] = _field(
        "dn", "1", "what is learnt: counts a bin, N(>L), phi or L phi"
    )
    target_log: bool = _field(True, "1", "learn its log10; if not, the numbers as they are")
    standardise: bool = _field(
        True, "1", "learn each bin in units of its spread over the training maps"
    )
    loss: Literal["auto", "mse", "msle", "poisson", "pinball", "nll"] = _field(
        "auto", "1", "auto: mse for a point, pinball for quantiles, nll for a gaussian"
    )
    optimizer: Literal["adam", "adamw", "sgd"] = _field("adam", "1", "optimiser")
    momentum: float = _field(0.0, "1", "share of the last step that sgd keeps", ge=0, lt=1)
    learning_rate: float = _field(1e-3, "1", "step of the optimiser", gt=0, le=10)
    schedule: Literal["cosine", "constant", "exponential"] = _field(
        "cosine", "1", "how the step falls: to 0 as half a cosine, not at all, or to 1 % evenly"
    )
    weight_decay: float = _field(0.0, "1", "decay of the weights a step", ge=0, lt=1)
    batch_size: int = _field(40, "maps", "maps a step", ge=1)
    steps_per_epoch: int = _field(0, "1", "batches an epoch; 0 takes every full batch once", ge=0)
    validation_steps: int = _field(
        0, "1", "batches that choose the best epoch; 0 takes every validation map", ge=0
    )
    blank_share: float = _field(
        0.0,
        "1",
        "share of the training maps that are replaced by blank sky; harms in noise",
        ge=0,
        lt=1,
    )
    epochs: int = _field(100, "1", "passes at most", ge=1)
    patience: int = _field(50, "epochs", "stop after so long without a better validation", ge=1)
    checkpoint_every: int = _field(
        0, "epochs", "how often to note where training stands; 0 takes 1/20 of the time", ge=0
    )


class EvaluationStage(Stage):
    """The scoreboard."""

    n_bootstrap: int = _field(500, "1", "resamplings of the test catalogues", ge=2, le=100_000)
    summaries: str = _field(
        "", "1", "further ridge regressions, names in estimators.SUMMARIES between commas"
    )
