"""What every luminosity model is: a frozen set of parameters, a prior, and L_CO(M, z)."""

from dataclasses import dataclass, field, fields, replace
from typing import ClassVar

import numpy as np

from imtools.cosmology import check_numbers

LN10 = np.log(10)
MAX_REDRAWS = 10000


class _Models(dict):
    """Model classes by the name that they have in files and on the command line."""

    def __missing__(self, name):
        msg = f"luminosity_model is {name!r}, expected one of {', '.join(self)}"
        raise ValueError(msg)


LUMINOSITY_MODELS = _Models()


def register(name):
    """Return a decorator that enters a model class in `LUMINOSITY_MODELS` under `name`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> from imtools.luminosity import LUMINOSITY_MODELS, LuminosityModel, register
    >>> @register("linear")
    ... @dataclass(frozen=True, kw_only=True)
    ... class Linear(LuminosityModel):
    ...     slope: float = 1e-6  # Lsun / Msun
    ...     sigma: float = 0.3  # dex, lognormal scatter
    ...     PRIORS = {"loose": {"slope": 2e-7, "sigma": 0.1}}
    ...
    ...     def mean_luminosity(self, m_halo, z):
    ...         return self.slope * m_halo
    >>> LUMINOSITY_MODELS.pop("linear")().mean_luminosity(1e12, 2.8)
    1000000.0
    """

    def enter(model):
        if not (isinstance(model, type) and issubclass(model, LuminosityModel)):
            msg = f"register: {name!r} is {model!r}, expected a subclass of LuminosityModel"
            raise TypeError(msg)
        known = LUMINOSITY_MODELS.get(name, model)
        if (known.__module__, known.__qualname__) != (model.__module__, model.__qualname__):
            msg = f"register: {name!r} is taken by {known.__module__}; choose another name"
            raise ValueError(msg)
        if "__dataclass_params__" not in vars(model):  # a plain subclass inherits the parent's
            msg = f"register: {name!r} is no dataclass; put @dataclass(frozen=True, kw_only=True)"
            raise TypeError(msg)
        model.name = name
        LUMINOSITY_MODELS[name] = model
        return model

    return enter


@dataclass(frozen=True, kw_only=True)
class LuminosityModel:
    """CO luminosity of a halo; a subclass adds float fields and `mean_luminosity`.

    A float field is a parameter: it is drawn by a prior and listed by `parameters`. A field
    ``sigma`` is lognormal scatter [dex] that keeps the mean. `PRIORS` gives standard deviations
    about the fiducial, a parameter that a prior leaves out stays there. `WIDE` names the prior that
    a mixture draws from where the model does not know the one asked for, the first of `PRIORS` if
    empty. `LIMITS` are the bounds of what the formula allows; `DRAW_LIMITS` narrow them for draws.
    """

    n_redrawn: int = field(default=0, compare=False, repr=False)  # draws thrown away before this

    name: ClassVar[str] = ""
    PRIORS: ClassVar[dict[str, dict[str, float]]] = {}
    WIDE: ClassVar[str] = ""
    LIMITS: ClassVar[dict[str, tuple[float, float]]] = {"sigma": (0.0, np.inf)}
    DRAW_LIMITS: ClassVar[dict[str, tuple[float, float]]] = {}

    def __post_init__(self):
        fault = self.out_of_range(self.parameters(), self.LIMITS)
        if fault:
            msg = f"{type(self).__name__}: {fault}"
            raise ValueError(msg)

    @classmethod
    def parameter_names(cls):
        """Return the names of the parameters, in the order they are declared."""
        return tuple(f.name for f in fields(cls) if f.type in (float, "float"))

    def parameters(self):
        """Return the parameters by name, as floats."""
        values = {name: getattr(self, name) for name in self.parameter_names()}
        check_numbers(values, caller=type(self).__name__)
        return {name: float(value) for name, value in values.items()}

    @classmethod
    def out_of_range(cls, parameters, limits):
        """Return what is wrong with `parameters`, given (low, high) by name; "" if nothing is."""
        for name, value in parameters.items():
            low, high = limits.get(name, (-np.inf, np.inf))
            if not (low <= value <= high and np.isfinite(value)):
                return f"{name} is {value:.6g}, expected {low:g} to {high:g}"
        return ""

    @classmethod
    def draw(cls, *, rng, prior="ten_percent", **fixed):
        """Return a model with parameters drawn from a prior, independently of each other.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of every random number drawn here.
        prior : str
            "fiducial" for no draw at all, or a name in `PRIORS`.
        **fixed
            Fields that keep the given value.

        Returns
        -------
        LuminosityModel
            ``n_redrawn`` counts the draws out of range that were drawn again.

        Raises
        ------
        ValueError
            If the prior is unknown, or none of 10000 draws is in range.
        """
        free, names = cls.free_names(prior), cls.parameter_names()

        def propose():
            normals = dict(zip(names, rng.standard_normal(len(names)), strict=True))
            return cls.placed(np.array([normals[n] for n in free]), prior=prior)

        return cls.first_in_range(propose, cls(**fixed), fixed) if free else cls(**fixed)

    @classmethod
    def free_names(cls, prior):
        """Return the parameters that `prior` draws, in the order of the normals of `placed`."""
        widths = cls.widths(prior)
        return tuple(name for name in cls.parameter_names() if widths.get(name, 0.0) != 0)

    @classmethod
    def placed(cls, normals, *, prior):
        """Return parameters by name, shape (...), from standard normals, shape (..., n_free).

        `draw` and `inference.Space` share it: a model with a `draw` of its own gives this and its
        inverse `normals_of` too. Values out of range are among them.
        """
        centre, widths = cls().parameters(), cls.widths(prior)
        free = enumerate(cls.free_names(prior))
        return {name: centre[name] + widths[name] * normals[..., i] for i, name in free}

    @classmethod
    def normals_of(cls, parameters, *, prior):
        """Return the standard normals that `placed` makes these parameters of."""
        centre, widths = cls().parameters(), cls.widths(prior)
        free = cls.free_names(prior)
        return np.stack([(parameters[n] - centre[n]) / widths[n] for n in free], axis=-1)

    @classmethod
    def wide_prior(cls):
        """Return the name of the prior for a mixture whose own the model does not know."""
        return cls.WIDE or next(iter(cls.PRIORS), "fiducial")

    @classmethod
    def widths(cls, prior):
        """Return the standard deviation of each parameter that `prior` draws."""
        known = {"fiducial": {}} | cls.PRIORS
        if prior not in known:
            msg = f"{cls.__name__}.draw: prior is {prior!r}, expected one of {', '.join(known)}"
            raise ValueError(msg)
        return known[prior]

    @classmethod
    def first_in_range(cls, propose, centre, fixed):
        """Return the first proposal in range: `centre` with the parameters that `propose` gives.

        Parameters named in `fixed` keep their value in `centre`.
        """
        limits = cls.LIMITS | cls.DRAW_LIMITS
        for n_redrawn in range(MAX_REDRAWS):
            drawn = {n: v for n, v in propose().items() if n not in fixed}
            fault = cls.out_of_range(centre.parameters() | drawn, limits)
            if not fault:
                return replace(centre, **drawn, n_redrawn=n_redrawn)
        msg = f"{cls.__name__}.draw: {MAX_REDRAWS} draws are out of range, the last since {fault}"
        raise ValueError(msg)

    @property
    def scatter(self):
        """Lognormal scatter at fixed mass and redshift [dex]."""
        return getattr(self, "sigma", 0.0)

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter, of `m_halo` [Msun] at `z`."""
        msg = f"{type(self).__name__}: write mean_luminosity(self, m_halo, z)"
        raise NotImplementedError(msg)

    @classmethod
    def light_of_many(cls, parameters, m_halo, z, **fixed):
        """Return mean luminosities [Lsun], (n, n_halos), and scatter [dex], (n,), of n models.

        `parameters` are arrays by name; `fixed` are fields that all of them share.
        """
        rows = zip(*parameters.values(), strict=True)
        models = [cls(**dict(zip(parameters, row, strict=True)), **fixed) for row in rows]
        mean = [model.mean_luminosity(m_halo, z) for model in models]
        return np.reshape(mean, (-1, np.size(m_halo))), np.array([m.scatter for m in models])

    def mean_square_luminosity(self, m_halo, z):
        """Return the squared luminosity [Lsun^2] averaged over scatter, which sets shot noise."""
        return self.mean_luminosity(m_halo, z) ** 2 * np.exp((self.scatter * LN10) ** 2)

    def luminosity(self, m_halo, z, *, rng=None):
        """Return the luminosity of each halo, scatter included.

        Parameters
        ----------
        m_halo : array_like, any shape
            Halo mass [Msun].
        z : array_like
            Redshift, of the shape of `m_halo` or one value.
        rng : numpy.random.Generator, optional
            Source of the scatter; may be left out if the model has none.

        Returns
        -------
        numpy.ndarray, shape of `m_halo`
            CO luminosity [Lsun].

        Raises
        ------
        ValueError
            If a mass is not above 0 or not finite, or scatter finds no `rng`.
        """
        m_halo, z = checked_halos(m_halo, z, caller=f"{type(self).__name__}.luminosity")
        mean = np.asarray(self.mean_luminosity(m_halo, z), dtype=float)
        if self.scatter == 0:
            return mean
        return mean * lognormal(m_halo.shape, self.scatter, rng=rng)


def lognormal(shape, sigma, *, rng):
    """Return factors of mean 1 whose log10 scatters by `sigma` [dex]."""
    width = sigma * LN10
    return np.exp(width * checked_rng(rng).standard_normal(shape) - width**2 / 2)


def checked_rng(rng):
    """Return the generator, or say that scatter needs one."""
    if rng is None:
        msg = "luminosity: rng is None, but the model is random; pass a numpy Generator"
        raise ValueError(msg)
    return rng


def checked_halos(m_halo, z, *, caller):
    """Return mass and redshift as float64 arrays of one shape, or raise where one is invalid."""
    m_halo = np.asarray(m_halo, dtype=float)
    z = np.broadcast_to(np.asarray(z, dtype=float), m_halo.shape)
    for name, values, low in (("masses", m_halo, np.finfo(float).tiny), ("redshifts", z, 0.0)):
        # two passes without a temporary array; the negation catches NaN
        if values.size and not (values.min() >= low and values.max() < np.inf):
            bad = np.flatnonzero(~((values >= low) & (values < np.inf)))
            msg = (
                f"{caller}: {bad.size} of {values.size} {name} are negative, zero mass or not "
                f"finite, first at {bad[:5].tolist()}; drop those haloes"
            )
            raise ValueError(msg)
    return m_halo, z
