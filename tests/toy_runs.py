"""A run folder as notebook 07 leaves it, of posteriors that are known in closed form."""

import numpy as np
import xarray as xr
from toy_posteriors import toy_draws, toy_truth

from imtools.estimators import QUANTILES
from imtools.evaluation.calibration import calibrate
from imtools.run_folder import write_netcdf, write_status

METHODS = {"prior_mean": "prior", "mcmc_pk_vid": "right", "mcmc_pk": "wide", "network": "narrow"}
WIDTHS = {"mcmc_pk_vid": 0.1, "mcmc_pk": 0.3}  # of the posteriors of alpha
LABEL = {"units": "1", "long_name": "parameters"}


def write_posterior_run(folder, *, seed=0, parameters=True):
    """Write predictions, truth, calibration and draws of parameters of twelve maps."""
    seen, truth, catalogue = toy_truth(4, 3, seed)
    truth = truth.assign_coords(catalogue=("sample", catalogue))
    quantiles, checked = [], []
    for kind in METHODS.values():
        draws = toy_draws(seen, truth, kind, seed=seed)
        one = draws.quantile(list(QUANTILES), "draw").transpose("sample", "quantile", "log_l")
        quantiles.append(one.astype(float))
        rng = np.random.default_rng(seed)
        checked.append(calibrate(draws, truth, catalogue, rng=rng, n_bootstrap=20))
    names = xr.Variable("method", list(METHODS), {"long_name": "estimator"})
    log_dn = xr.concat(quantiles, names).rename("log_dn")
    log_dn = log_dn.assign_coords(catalogue=("sample", catalogue))
    log_dn.attrs = {"units": "log10(1)", "long_name": "log10 of number of sources"}
    log_dn.attrs["log_l_edges"] = truth.attrs["log_l_edges"]
    write_status(folder, "done", notebook="07.ipynb", preset="tiny", begun=seed, seconds=60.0)
    write_netcdf(log_dn.to_dataset().assign(counts=truth), folder / "predictions.nc")
    both = {"coords": "minimal", "compat": "override", "combine_attrs": "override"}
    write_netcdf(xr.concat(checked, names, **both), folder / "calibration.nc")
    if parameters:
        write_netcdf(_parameters(len(seen), seed), folder / "parameters.nc")
    return folder


def _parameters(n, seed):
    """Return draws about true parameters: alpha known to 0.1 or 0.3, beta to 0.2."""
    rng = np.random.default_rng([seed, 1])
    truth = np.array([1.37, -1.74]) + 0.2 * rng.standard_normal((n, 2))
    widths = np.array([[width, 0.2] for width in WIDTHS.values()])
    draws = truth[:, None] + widths[:, None, None] * rng.standard_normal((2, n, 400, 2))
    dims = ("method", "sample", "draw", "parameter")
    of_maps = ("sample", np.arange(n))  # which draw of its catalogue a map is
    return xr.Dataset(
        {"draws": (dims, draws, LABEL), "truth": (dims[1::2], truth, LABEL)},
        coords={"method": list(WIDTHS), "parameter": ["alpha", "beta"], "draw": of_maps},
    )
