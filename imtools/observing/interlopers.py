"""Other lines from other redshifts that fall into the band of CO(1-0)."""

from dataclasses import dataclass

import numpy as np

from imtools import halos
from imtools.constants import NU_CO10, NU_CO21, NU_HCN10
from imtools.luminosity import Li2016
from imtools.observing.lines import line_width
from imtools.painting import paint_halos


@dataclass(frozen=True, kw_only=True)
class Interloper:
    """A line, and what goes from infrared luminosity to L' of it.

    ``model`` is that of Li et al. with alpha and beta of log L_IR = alpha log L' + beta for this
    line; its star formation rate, and with it the dependence on halo mass, is Behroozi's.
    """

    nu_rest: float  # GHz
    model: Li2016
    source: str  # of alpha and beta

    def luminosity(self, m_halo, z, *, rng):
        """Return the luminosity [Lsun] of haloes of `m_halo` [Msun] at `z`, scatter included."""
        # the model gives L of CO(1-0); at the same L', L goes as the cube of frequency
        return self.model.luminosity(m_halo, z, rng=rng) * (self.nu_rest / NU_CO10) ** 3


INTERLOPERS = {
    # log L_FIR = 1.11 log L' + 0.6, and L_FIR = 0.6 L_IR
    "co21": Interloper(
        nu_rest=NU_CO21,
        model=Li2016(alpha=1.11, beta=float(0.6 - np.log10(0.6))),
        source="Kamenetzky et al. 2016, ApJ 829, 93, arXiv:1508.05102",
    ),
    # L_IR = 900 L', which is a tenth of L' of CO(1-0) at 10^12 Lsun and less below
    "hcn10": Interloper(
        nu_rest=NU_HCN10,
        model=Li2016(alpha=1.0, beta=float(np.log10(900))),
        source="Gao & Solomon 2004, ApJ 606, 271, arXiv:astro-ph/0310339",
    ),
}


def interloper_cube(
    survey, *, line, seed, rng, m_min=2.5e10, cell_size=2.0, broaden=False, dtype=np.float32
):
    """Simulate and paint a line from other redshifts, as the survey sees it.

    Parameters
    ----------
    survey : imtools.survey.Survey
        Field, channels and pixels; its own line does not matter.
    line : {"co21", "hcn10"}
        CO(2-1), from z = 5.8 to 7.9 for the band of COMAP, or HCN(1-0), from z = 1.6 to 2.4.
    seed : int or numpy.random.SeedSequence
        Root of the random numbers of the haloes.
    rng : numpy.random.Generator
        Source of the scatter of luminosities.
    m_min, cell_size : float
        Least halo mass [Msun] and cell [Mpc] of the simulation; see `halos.simulate`.
    broaden : bool
        Give each line the width of its halo; see `line_width`.
    dtype : numpy dtype
        Of the cube.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        On the voxels of `survey`; ``attrs["component"]`` is `line`, ``z_min`` and ``z_max`` where
        it comes from, and ``n_inside`` counts its haloes. A field without haloes is 0.

    Raises
    ------
    ValueError
        If `line` is unknown, or the band does not lie below its rest frequency.

    Warns
    -----
    UserWarning
        If no halo lies inside.

    References
    ----------
    .. [1] Kamenetzky et al. 2016, ApJ 829, 93, arXiv:1508.05102 (CO(2-1))
    .. [2] Gao & Solomon 2004, ApJ 606, 271, arXiv:astro-ph/0310339 (HCN)
    .. [3] Chung et al. 2017, ApJ 846, 60, arXiv:1706.03005 (HCN in a map of CO)
    """
    if line not in INTERLOPERS:
        msg = f"interloper_cube: line is {line!r}, expected one of {', '.join(INTERLOPERS)}"
        raise ValueError(msg)
    interloper = INTERLOPERS[line]
    there = survey.replace(nu_rest=interloper.nu_rest)
    haloes = halos.simulate(there, seed=seed, m_min=m_min, cell_size=cell_size)
    m_halo, z = haloes["m_halo"].values, haloes["z"].values
    haloes = haloes.assign(l_co=("halo", interloper.luminosity(m_halo, z, rng=rng)))
    if broaden:
        haloes = haloes.assign(line_fwhm=("halo", line_width(m_halo, z, survey.cosmology)))
    painted = paint_halos(haloes, there, dtype=dtype, allow_empty=True)
    cube = survey.cube(painted.values)
    cube.attrs |= {
        "component": line, "long_name": f"brightness temperature of {line}",
        "z_min": there.z_min, "z_max": there.z_max, "n_inside": painted.attrs["n_inside"],
        "luminosity_model": interloper.source,
    }  # fmt: skip
    return cube
