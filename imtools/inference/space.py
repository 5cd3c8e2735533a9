"""The prior of a luminosity model as standard normals: where an emulator and a chain live."""

from dataclasses import dataclass, field, fields
from inspect import signature

import numpy as np
import xarray as xr

from imtools.luminosity import LUMINOSITY_MODELS, split_families

MAX_SHARE_LOST = 0.999  # of draws out of range, before `draw` gives up


@dataclass(frozen=True, kw_only=True, eq=False)
class Space:
    """Parameters of a luminosity model as functions of standard normals, as a prior draws them.

    A prior of any widths, limits and correlations is a ball here, so that one emulator, one
    proposal and one step size serve all of them.
    """

    model: type  # luminosity model
    prior: str  # a name in its ``PRIORS``
    settings: dict = field(default_factory=dict)  # what else its ``placed`` takes
    fixed: dict = field(default_factory=dict)  # fields that all its models share, such as sfr

    @classmethod
    def of(cls, experiment):
        """Return the space that an experiment draws its luminosity models from.

        Raises
        ------
        ValueError
            If the experiment mixes models, rescales maps, or its prior draws no parameter; or if
            the model draws by a rule that it gives no normals for.
        """
        luminosity = experiment.luminosity
        names = split_families(luminosity.luminosity_model)
        if len(set(names)) > 1:
            msg = (
                f"Space.of: luminosity_model is {luminosity.luminosity_model!r}, expected one "
                "model; the parameters of several span no common space"
            )
            raise ValueError(msg)
        if luminosity.rescale > 0:
            msg = f"Space.of: rescale is {luminosity.rescale} dex, no parameter; set it to 0"
            raise ValueError(msg)
        model = LUMINOSITY_MODELS[names[0]]
        _check_placed(model)
        takes = signature(model.placed).parameters
        has = {entry.name for entry in fields(model)}
        space = cls(
            model=model, prior=luminosity.prior,
            settings={"correlation": luminosity.correlation} if "correlation" in takes else {},
            fixed={"sfr": luminosity.sfr} if "sfr" in has else {},
        )  # fmt: skip
        if not space.names:
            msg = (
                f"Space.of: prior {luminosity.prior!r} of {model.__name__} draws no parameter; "
                f"choose one of {', '.join(model.PRIORS)}"
            )
            raise ValueError(msg)
        return space

    @property
    def names(self):
        """Names of the parameters that the prior draws: the axes of the space."""
        return self.model.free_names(self.prior)

    @property
    def n_dim(self):
        """How many parameters the prior draws."""
        return len(self.names)

    def parameters(self, u):
        """Return parameters, shape (..., n_dim), from standard normals of that shape."""
        placed = self.model.placed(np.asarray(u, dtype=float), prior=self.prior, **self.settings)
        return np.stack([placed[name] for name in self.names], axis=-1)

    def normal(self, parameters):
        """Return the standard normals that stand for parameters, shape (..., n_dim).

        Parameters
        ----------
        parameters : array_like, shape (..., n_dim), or xarray.DataArray with dim "parameter"
            In the order of `names`; a DataArray, as data sets hold it, may have more of them.
        """
        if isinstance(parameters, xr.DataArray):
            parameters = parameters.sel(parameter=list(self.names)).transpose(..., "parameter")
        by_name = self._by_name(np.asarray(parameters, dtype=float))
        return self.model.normals_of(by_name, prior=self.prior, **self.settings)

    def log_prior(self, u):
        """Return ln of the prior density over standard normals, shape (n,).

        It is -inf where parameters are out of range. The share of the normal distribution that
        lies there is not divided out.
        """
        u = np.asarray(u, dtype=float)
        log_p = -0.5 * np.einsum("...i,...i", u, u) - self.n_dim / 2 * np.log(2 * np.pi)
        return np.where(self.in_range(u), log_p, -np.inf)

    def in_range(self, u):
        """Return which standard normals, shape (n, n_dim), stand for a model that may be drawn."""
        values, limits = self.parameters(u), self.model.LIMITS | self.model.DRAW_LIMITS
        bounds = np.array([limits.get(name, (-np.inf, np.inf)) for name in self.names])
        inside = ((values >= bounds[:, 0]) & (values <= bounds[:, 1])).all(axis=-1)
        inside &= np.isfinite(values).all(axis=-1)
        if not _has_own_rule(self.model):
            return inside
        fiducial = self.model().parameters()
        for i in np.argwhere(inside):
            here = fiducial | self._by_name(values[tuple(i)])
            inside[tuple(i)] = not self.model.out_of_range(here, limits)
        return inside

    def draw(self, n, *, rng):
        """Return `n` draws from the prior as standard normals, shape (n, n_dim)."""
        kept, n_kept, n_tried = [], 0, 0
        while n_kept < n:
            u = rng.standard_normal((max(n - n_kept, 100), self.n_dim))
            kept.append(u[self.in_range(u)])
            n_kept, n_tried = n_kept + len(kept[-1]), n_tried + len(u)
            if n_tried > 1e5 and n_kept < (1 - MAX_SHARE_LOST) * n_tried:
                msg = (
                    f"Space.draw: {n_tried - n_kept} of {n_tried} draws of {self.model.__name__} "
                    f"are out of range; choose another prior than {self.prior!r}"
                )
                raise ValueError(msg)
        return np.concatenate(kept)[:n]

    def models(self, u):
        """Return the luminosity models at standard normals, shape (n, n_dim), as a list."""
        rows = self.parameters(np.atleast_2d(u))
        return [self.model(**self._by_name(row.tolist()), **self.fixed) for row in rows]

    def light(self, u, m_halo, z):
        """Return mean luminosities [Lsun], (n, n_halos), and scatter [dex], (n,), at normals."""
        by_name = self._by_name(self.parameters(u))
        return self.model.light_of_many(by_name, m_halo, z, **self.fixed)

    def _by_name(self, values):
        """Return values, shape (..., n_dim), as a dict by name."""
        if not isinstance(values, np.ndarray):
            return dict(zip(self.names, values, strict=True))
        return dict(zip(self.names, np.moveaxis(values, -1, 0), strict=True))


def _check_placed(model):
    """Raise if a class draws in a way of its own that its ``placed`` does not know of."""
    for parent in model.__mro__:
        if "placed" in vars(parent):
            return
        if "draw" in vars(parent):
            msg = (
                f"Space.of: {model.__name__} has a draw of its own; give it placed and normals_of "
                "too, which say what standard normals stand for"
            )
            raise ValueError(msg)


def _has_own_rule(model):
    """Return whether a class refuses more than values outside limits."""
    first = next(parent for parent in model.__mro__ if "out_of_range" in vars(parent))
    return first.__name__ != "LuminosityModel"
