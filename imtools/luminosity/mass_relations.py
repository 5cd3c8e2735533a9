"""Models that give CO luminosity as a formula in halo mass and redshift."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from imtools.constants import lsun_per_l_prime
from imtools.luminosity.models import LuminosityModel, checked_rng, register

L_PRIME = lsun_per_l_prime()  # Lsun of L' = 1 K km/s pc2, CO(1-0)
_POSITIVE = (np.finfo(float).tiny, np.inf)


def _tenth(widths):
    return {name: width / 10 for name, width in widths.items()}


@register("padmanabhan2018")
@dataclass(frozen=True, kw_only=True)
class Padmanabhan2018(LuminosityModel):
    r"""Double power law in mass that moves with redshift, matched to observed CO counts.

    Notes
    -----
    :math:`L' = 2 N M / [(M/M_1)^{-b} + (M/M_1)^{y}]` with :math:`x = z / (1 + z)`,
    :math:`\log M_1 = \log m_{10} + m_{11} x`, and N, b, y linear in x.

    References
    ----------
    .. [1] Padmanabhan 2018, MNRAS 475, 1477, arXiv:1706.01471
    """

    m_10: float = 4.17e12  # Msun, turn-over mass today
    m_11: float = -1.17  # dex, its change with x
    n_10: float = 0.0033  # K km/s pc2 Msun-1, L'/M at the turn-over today
    n_11: float = 0.04  # K km/s pc2 Msun-1
    b_10: float = 0.95  # slope below the turn-over is 1 + b
    b_11: float = 0.48
    y_10: float = 0.66  # slope above the turn-over is 1 - y
    y_11: float = -0.33
    sigma: float = 0.0  # dex, lognormal scatter; the paper has none

    PUBLISHED: ClassVar = {
        "m_10": 2.03e12, "m_11": 0.85, "n_10": 0.0016, "n_11": 0.03,
        "b_10": 0.46, "b_11": 0.35, "y_10": 0.32, "y_11": 0.24,
    }  # fmt: skip
    PRIORS: ClassVar = {"loose": PUBLISHED, "ten_percent": _tenth(PUBLISHED)}
    LIMITS: ClassVar = {"m_10": _POSITIVE, "sigma": (0, np.inf)}

    @classmethod
    def out_of_range(cls, parameters, limits):
        """Return what is wrong; the light of a halo is positive and peaks at every redshift."""
        fault = super().out_of_range(parameters, limits)
        p = parameters
        for x in (0.0, 1.0):  # N and b + y are linear in x = z / (1 + z)
            if not fault and not p["n_10"] + p["n_11"] * x > 0:
                fault = f"N is {p['n_10'] + p['n_11'] * x:.3g} at z/(1+z) = {x:g}, expected > 0"
            bend = p["b_10"] + p["y_10"] + (p["b_11"] + p["y_11"]) * x
            if not fault and not bend > 0:
                fault = f"b + y is {bend:.3g} at z/(1+z) = {x:g}, expected > 0"
        return fault

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter, of `m_halo` [Msun] at `z`."""
        m_halo, z = np.asarray(m_halo, dtype=float), np.asarray(z, dtype=float)
        x = z / (1 + z)
        ratio = m_halo / (self.m_10 * 10 ** (self.m_11 * x))
        b, y = self.b_10 + self.b_11 * x, self.y_10 + self.y_11 * x
        l_co_prime = 2 * (self.n_10 + self.n_11 * x) * m_halo / (ratio**-b + ratio**y)
        return L_PRIME * l_co_prime


@register("breysse2014")
@dataclass(frozen=True, kw_only=True)
class Breysse2014(LuminosityModel):
    """Power law in mass, shone by a share of the haloes at a time.

    With the haloes above 2.5e10 Msun and the fiducial there is no source below 5e4 Lsun.

    References
    ----------
    .. [1] Breysse, Kovetz & Kamionkowski 2014, MNRAS 443, 3506, arXiv:1405.0489
    .. [2] Breysse, Kovetz & Kamionkowski 2015, MNRAS 452, 3408, arXiv:1503.05202
    """

    a: float = 2e-6  # Lsun, luminosity of a shining halo of 1 Msun
    b: float = 1.0  # power of halo mass
    duty_cycle: float = 1.0  # share of haloes that shine
    sigma: float = 0.0  # dex, lognormal scatter of those that shine

    PRIORS: ClassVar = {
        "loose": {"a": 5e-7, "b": 0.125},
        "ten_percent": {"a": 5e-8, "b": 0.0125},
        "amplitude": {"a": 1.5e-6, "b": 0.0125},  # ours, over the published range of a
    }
    WIDE: ClassVar = "amplitude"  # "loose" leaves the light of massive haloes open by 30 times
    LIMITS: ClassVar = {"a": _POSITIVE, "duty_cycle": (1e-6, 1), "sigma": (0, np.inf)}
    DRAW_LIMITS: ClassVar = {"a": (6.2e-7, 9.6e-6), "b": (0.8, 1.2)}

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter and duty cycle."""
        return self.duty_cycle * self.a * np.asarray(m_halo, dtype=float) ** self.b

    def mean_square_luminosity(self, m_halo, z):
        """Return the squared luminosity [Lsun^2] averaged over scatter and duty cycle."""
        return super().mean_square_luminosity(m_halo, z) / self.duty_cycle

    def luminosity(self, m_halo, z, *, rng=None):
        """Return the luminosity [Lsun] of each halo, zero where it does not shine."""
        shining = super().luminosity(m_halo, z, rng=rng)
        if self.duty_cycle == 1:
            return shining
        is_on = checked_rng(rng).random(shining.shape) < self.duty_cycle
        return np.where(is_on, shining / self.duty_cycle, 0.0)


@register("comap2022")
@dataclass(frozen=True, kw_only=True)
class Comap2022(LuminosityModel):
    r"""Double power law in mass with scatter, and the joint prior of COMAP's early science.

    Notes
    -----
    :math:`L' = C / [(M/M_1)^A + (M/M_1)^B]` with :math:`A < B`, since exchanging the two is no
    other model.

    References
    ----------
    .. [1] Chung et al. 2022, ApJ 933, 186, arXiv:2111.05931
    """

    a: float = -2.85  # minus the slope at low mass
    b: float = -0.42  # minus the slope at high mass
    log_c: float = 10.63  # log10 of C [K km/s pc2], twice L' at the turn-over
    log_m_1: float = 12.3  # log10 of the turn-over mass [Msun]
    sigma: float = 0.42  # dex, lognormal scatter

    PRIORS: ClassVar = {"joint": {}, "ten_percent": {}}
    JOINT_MEAN: ClassVar = (-3.614, 0.457, 10.687, 12.476, 0.355)
    JOINT_COVARIANCE: ClassVar = (
        (1.486**2, 0.0873, 0.1623, 0.1912, -0.0293),
        (0.0873, 0.998**2, 0.1975, 0.0810, 0.0214),
        (0.1623, 0.1975, 0.478**2, 0.1654, -0.0211),
        (0.1912, 0.0810, 0.1654, 0.396**2, -0.0226),
        (-0.0293, 0.0214, -0.0211, -0.0226, 0.146**2),
    )

    @classmethod
    def pessimistic(cls, **changes):
        """Return the faint model of Chung+2022."""
        faint = {"a": -3.7, "b": 7.0, "log_c": 11.1, "log_m_1": 12.5, "sigma": 0.36}
        return cls(**faint | changes)

    @classmethod
    def optimistic(cls, **changes):
        """Return the bright model of Chung+2022."""
        bright = {"a": -2.4, "b": -0.5, "log_c": 10.45, "log_m_1": 12.21, "sigma": 0.36}
        return cls(**bright | changes)

    @classmethod
    def out_of_range(cls, parameters, limits):
        """Return what is wrong; A lies below B."""
        fault = super().out_of_range(parameters, limits)
        if not fault and not parameters["a"] < parameters["b"]:
            fault = f"a is {parameters['a']:.6g} and b {parameters['b']:.6g}, expected a < b"
        return fault

    @classmethod
    def draw(cls, *, rng, prior="ten_percent", **fixed):
        """Return a model drawn from the joint prior.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of every random number drawn here.
        prior : {"fiducial", "joint", "ten_percent"}
            "joint" is the published mean and covariance; "ten_percent" a tenth of its standard
            deviations, correlated alike, about the fiducial.
        **fixed
            Fields that keep the given value.

        Returns
        -------
        Comap2022
            ``n_redrawn`` counts draws with negative scatter or a above b, drawn again.
        """
        n_free = len(cls.free_names(prior))

        def propose():
            return cls.placed(rng.standard_normal(n_free), prior=prior)

        return cls.first_in_range(propose, cls(**fixed), fixed) if n_free else cls(**fixed)

    @classmethod
    def free_names(cls, prior):
        """Return the parameters that `prior` draws: all of them, if it draws any."""
        cls.widths(prior)  # refuses an unknown name
        return () if prior == "fiducial" else cls.parameter_names()

    @classmethod
    def placed(cls, normals, *, prior):
        """Return parameters from standard normals, see `LuminosityModel.placed`."""
        mean, root = cls._joint(prior)
        values = mean + np.matvec(root, normals)
        return dict(zip(cls.parameter_names(), np.moveaxis(values, -1, 0), strict=True))

    @classmethod
    def normals_of(cls, parameters, *, prior):
        """Return the standard normals that `placed` makes these parameters of."""
        mean, root = cls._joint(prior)
        values = np.stack([np.asarray(parameters[n]) for n in cls.parameter_names()], axis=-1)
        return np.linalg.solve(root, (values - mean)[..., None])[..., 0]

    @classmethod
    def _joint(cls, prior):
        """Return the mean of a prior, and the root of its covariance."""
        here = tuple(cls().parameters().values())
        mean, share = (cls.JOINT_MEAN, 1.0) if prior == "joint" else (here, 0.1)
        return mean, share * np.linalg.cholesky(np.array(cls.JOINT_COVARIANCE))

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter, of `m_halo` [Msun]."""
        ratio = np.asarray(m_halo, dtype=float) / 10**self.log_m_1
        return L_PRIME * 10**self.log_c / (ratio**self.a + ratio**self.b)


@register("keating2016")
@dataclass(frozen=True, kw_only=True)
class Keating2016(LuminosityModel):
    """Luminosity proportional to mass above a lowest mass, as COPSS II fitted its shot noise.

    The widths of the priors are ours: 25 % in the amplitude, about the published error, and the
    width that Li+2016 give to scatter.

    References
    ----------
    .. [1] Keating et al. 2016, ApJ 830, 34, arXiv:1605.03971
    """

    a: float = 6.3e-7  # Lsun / Msun
    sigma: float = 0.3  # dex, lognormal scatter
    m_min: float = 1e10  # Msun, lighter haloes are dark

    PRIORS: ClassVar = {
        "loose": {"a": 1.6e-7, "sigma": 0.1},
        "ten_percent": {"a": 1.6e-8, "sigma": 0.01},
    }
    LIMITS: ClassVar = {"a": _POSITIVE, "sigma": (0, np.inf), "m_min": (0, np.inf)}

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter, of `m_halo` [Msun]."""
        m_halo = np.asarray(m_halo, dtype=float)
        return np.where(m_halo >= self.m_min, self.a * m_halo, 0.0)
