"""Counts of sources in bins of luminosity, and the rules by which they are read."""

import numpy as np
import xarray as xr

DEFAULT_EDGES = np.logspace(3.5, 7, 50)  # Lsun, the 49 bins of the notes
DEFAULT_EDGES.flags.writeable = False
FLOOR = 0.5  # sources that an empty bin stands for under a logarithm
QUOTED_LOG_L = (4.0, 4.5, 5.0, 5.5, 6.0, 6.5)  # where scores are quoted

CONVENTIONS = {
    "dn": ("1", "sources per luminosity bin"),
    "n_cumulative": ("1", "sources above the lower edge of the bin"),
    "phi": ("Mpc-3 dex-1", "luminosity function dn/dlog10 L"),
    "l_phi": ("Lsun Mpc-3 dex-1", "luminosity density L dn/dlog10 L"),
    "dn_dl": ("Lsun-1 (Mpc/h)-3", "luminosity function dn/dL"),
}


def count_sources(l_co, edges=DEFAULT_EDGES):
    """Count sources in bins of luminosity.

    Parameters
    ----------
    l_co : array_like, any shape, units Lsun
        Luminosity of each source in the field and band; zero is a source that does not shine.
    edges : array_like, shape (n_bins + 1,), units Lsun
        Bin edges, ascending and positive. A bin holds its lower edge; the last holds both.

    Returns
    -------
    xarray.DataArray, dims ("log_l",), units 1
        Convention "dn". ``attrs["n_below"]`` and ``attrs["n_above"]`` count the sources outside.

    Raises
    ------
    ValueError
        If the edges do not ascend from above 0, or a luminosity is negative or not finite.

    Examples
    --------
    >>> dn = count_sources([2e4, 3e4, 5e5, 1e9], edges=[1e4, 1e5, 1e6])
    >>> dn.values
    array([2., 1.])
    >>> dn.attrs["n_above"]
    1
    """
    l_co = np.ravel(np.asarray(l_co, dtype=float))
    edges = _checked_edges(edges, "count_sources")
    if l_co.size and not (l_co.min() >= 0 and l_co.max() < np.inf):  # the negation catches NaN
        bad = np.flatnonzero(~((l_co >= 0) & (l_co < np.inf)))
        msg = (
            f"count_sources: {bad.size} of {l_co.size} luminosities are negative or not finite, "
            f"first at {bad[:5].tolist()}; drop them or correct the model"
        )
        raise ValueError(msg)
    outside = {"n_below": int((l_co < edges[0]).sum()), "n_above": int((l_co > edges[-1]).sum())}
    dn = luminosity_function(np.histogram(l_co, edges)[0].astype(float), edges)
    return dn.assign_attrs(outside)


def luminosity_function(values, edges=DEFAULT_EDGES, *, convention="dn"):
    """Return `values` as a labelled luminosity function.

    Parameters
    ----------
    values : array_like, shape (n_bins,) or (n_samples, n_bins)
        In the unit of `convention`.
    edges : array_like, shape (n_bins + 1,), units Lsun
        Bin edges, ascending and positive.
    convention : {"dn", "n_cumulative", "phi", "l_phi", "dn_dl"}
        What the values are.

    Returns
    -------
    xarray.DataArray, dims ("log_l",) or ("sample", "log_l")
        Named "counts", or after its convention.
    """
    values = np.asarray(values, dtype=float)
    log_l_edges = np.log10(_checked_edges(edges, "luminosity_function"))
    if values.ndim not in (1, 2) or values.shape[-1] != log_l_edges.size - 1:
        msg = (
            f"luminosity_function: values have shape {values.shape}, expected one or two axes, the "
            f"last of {log_l_edges.size - 1} bins; pass one more edge than bins"
        )
        raise ValueError(msg)
    centres = (log_l_edges[1:] + log_l_edges[:-1]) / 2
    log_l_attrs = {"units": "log10(Lsun)", "long_name": "log10 of luminosity, bin centre"}
    lf = xr.DataArray(
        values, dims=("sample", "log_l")[-values.ndim :],
        coords={"log_l": ("log_l", centres, log_l_attrs)},
        attrs={"log_l_edges": log_l_edges.tolist()},
    )  # fmt: skip
    return labelled(lf, convention)


def log_counts(dn, floor=FLOOR):
    """Return log10 of dN, where fewer than `floor` sources, an empty bin first, count as `floor`.

    Returns
    -------
    xarray.DataArray, dims and coordinates of the input, units log10(1)
        Convention "log_dn"; ``attrs["floor"]`` is the floor.

    Raises
    ------
    ValueError
        If `floor` is not above 0, or the input is not in convention "dn".
    """
    check_convention(dn, "dn", caller="log_counts")
    if not floor > 0:
        msg = f"log_counts: floor is {floor} sources, expected > 0; {FLOOR} is the package's"
        raise ValueError(msg)
    log_dn = dn.copy(data=np.log10(np.maximum(dn.data, floor)))
    labels = {"convention": "log_dn", "units": "log10(1)", "floor": float(floor)}
    return log_dn.assign_attrs(labels, long_name="log10 of sources per luminosity bin")


def quoted_bins(log_l_edges, x):
    """Return the indices of the two bins that meet at, or lie nearest, log10 L = `x`.

    Parameters
    ----------
    log_l_edges : array_like, shape (n_bins + 1,)
        Bin edges, log10 of L in Lsun, ascending; at least two bins.
    x : float
        Where a score is quoted, log10 of L in Lsun; inside the edges.

    Raises
    ------
    ValueError
        If `x` lies outside the edges, or there are fewer than two bins.

    Examples
    --------
    >>> quoted_bins(np.log10(DEFAULT_EDGES), 4.0)
    (6, 7)
    """
    edges = np.asarray(log_l_edges, dtype=float)
    outside = not edges[0] - 1e-9 <= x <= edges[-1] + 1e-9  # an edge may be off in the last digit
    if edges.size < 3 or outside:
        msg = (
            f"quoted_bins: x is {x} and {edges.size - 1} bins span {edges[0]:.6g} to "
            f"{edges[-1]:.6g} in log10 L; expected x inside at least two bins"
        )
        raise ValueError(msg)
    distance = np.abs(edges[1:-1] - x).round(9)  # so that a tie goes to the fainter pair
    nearest = int(np.argmin(distance))
    return nearest, nearest + 1


def log_l_edges(lf):
    """Return the bin edges of a luminosity function, log10 of L in Lsun, shape (n_bins + 1,)."""
    edges = np.asarray(lf.attrs.get("log_l_edges", ()), dtype=float)
    if edges.size != lf.sizes.get("log_l", 0) + 1:
        msg = (
            f"log_l_edges: attrs hold {edges.size} edges for {lf.sizes.get('log_l', 0)} bins, "
            "expected one more than bins; a selection of bins must set attrs['log_l_edges']"
        )
        raise ValueError(msg)
    return edges


def with_bounds(lf):
    """Return a Dataset of `lf` and the CF bounds of its bins, as it is written to disk.

    The edges stay in the attributes too, so that an array read from the file converts at once.

    Returns
    -------
    xarray.Dataset
        ``lf.name`` and the coordinate ``log_l_bounds``, dims ("log_l", "bounds"), log10(Lsun).
    """
    edges = log_l_edges(lf)
    attrs = {"units": "log10(Lsun)", "long_name": "lower and upper edge of log_l"}
    bounds = np.stack([edges[:-1], edges[1:]], axis=1)
    dataset = lf.to_dataset(name=lf.name or "counts")
    dataset = dataset.assign_coords(log_l_bounds=(("log_l", "bounds"), bounds, attrs))
    dataset["log_l"].attrs["bounds"] = "log_l_bounds"
    return dataset


def labelled(lf, convention):
    """Return `lf` with the convention, unit and long name of `convention` in its attributes."""
    if convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        msg = f"luminosity_function: convention is {convention!r}, expected one of {known}"
        raise ValueError(msg)
    units, long_name = CONVENTIONS[convention]
    lf = lf.assign_attrs(convention=convention, units=units, long_name=long_name)
    return lf.rename("counts" if convention == "dn" else convention)


def check_convention(lf, convention, *, caller):
    """Raise unless `lf` is a DataArray over ``log_l`` that says it holds `convention`."""
    if not isinstance(lf, xr.DataArray) or "log_l" not in lf.dims:
        msg = (
            f"{caller}: got {type(lf).__name__}, expected a DataArray over log_l; see count_sources"
        )
        raise TypeError(msg)
    if lf.attrs.get("convention") != convention:
        held = lf.attrs.get("convention")
        msg = f"{caller}: convention is {held!r}, expected {convention!r}; use counts.convert"
        raise ValueError(msg)


def check_same_bins(predicted, truth, *, caller):
    """Raise unless the bins of predictions are those of the truth, both DataArrays over log_l."""
    theirs, ours = predicted["log_l"].values, truth["log_l"].values
    if theirs.shape != ours.shape or not np.allclose(theirs, ours):
        bins = (f"{x.size} from {x[0]:.4g} to {x[-1]:.4g}" for x in (theirs, ours))
        msg = (
            f"{caller}: log_l of predictions and truth differ, {' and '.join(bins)}, expected the "
            "same bins"
        )
        raise ValueError(msg)


def _checked_edges(edges, caller):
    edges = np.asarray(edges, dtype=float)
    increasing = edges.ndim == 1 and edges.size > 1 and bool(np.all(np.diff(edges) > 0))
    if not (increasing and edges[0] > 0 and edges[-1] < np.inf):
        msg = f"{caller}: edges are {edges}, expected at least two, ascending, above 0 Lsun"
        raise ValueError(msg)
    return edges
