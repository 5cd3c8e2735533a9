"""The luminosity model of Ihle et al. 2019, for `bench_inference.py`: a file of one's own."""

from dataclasses import dataclass

from imtools.luminosity import register
from imtools.luminosity.li2016 import Li2016

PAIR = Li2016.second_pair()


@register("ihle2019")
@dataclass(frozen=True, kw_only=True)
class Ihle2019(Li2016):
    """Li 2016 about the second published pair: fiducial and centre of the priors."""

    alpha: float = PAIR.alpha
    beta: float = PAIR.beta
