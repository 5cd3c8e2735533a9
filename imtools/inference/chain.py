"""The posterior by a chain: emcee's ensemble, run until it has converged or is out of patience."""

import warnings
from time import perf_counter

import numpy as np

STEPS_A_LOOK = 500  # between looks at convergence
MAX_STEPS = 20_000
TAUS = 50.0  # autocorrelation times that a chain must be long
BURN_IN = 5.0  # of them that are left out at its start
R_HAT = 1.01  # at most, of every parameter
LEAST_ESS = 1000.0  # effective draws, bulk, at least, of every parameter
N_START = 3000  # draws of the prior, of which walkers start at some of the likeliest
LIKELIEST = 4  # times as many as walkers


def run_chain(posterior, *, rng, n_walkers=32, max_steps=MAX_STEPS):
    """Draw from a posterior by an ensemble of walkers.

    Parameters
    ----------
    posterior : Posterior
        Of one map: ``space`` and a ``log_prob`` that takes many points at once.
    rng : numpy.random.Generator
        Source of every random number drawn here.
    n_walkers : int
        Even, at least twice the parameters.
    max_steps : int
        Where to stop, converged or not.

    Returns
    -------
    arviz.InferenceData
        ``posterior`` has one variable a parameter, dims (chain, draw), each walker a chain, the
        burn-in left out; ``sample_stats`` has ``lp``, ln of prior times likelihood. Attributes of
        ``posterior``: ``converged``, ``r_hat``, ``ess_bulk``, ``autocorrelation_time`` [steps] (the
        worst of the parameters), ``n_steps``, ``burn_in`` [steps], ``thinned_by``, ``seconds``.

    Warns
    -----
    UserWarning
        If the chain has not converged: R-hat above 1.01, fewer than 1000 effective draws, or
        shorter than 50 autocorrelation times.

    Notes
    -----
    Walkers of an ensemble learn from each other, so R-hat between them is milder than between
    chains that know nothing of each other; the autocorrelation time is the harder test.

    References
    ----------
    .. [1] Foreman-Mackey et al. 2013, PASP 125, 306, arXiv:1202.3665
    .. [2] Vehtari et al. 2021, Bayesian Analysis 16, 667, arXiv:1903.08008
    """
    start, sampler = perf_counter(), _sampler(posterior, n_walkers, rng)
    state = _start(posterior, n_walkers, rng)
    facts = {"converged": False}
    while not facts["converged"] and sampler.iteration < max_steps:
        n_steps = min(STEPS_A_LOOK, max_steps - sampler.iteration)
        state = sampler.run_mcmc(state, n_steps, skip_initial_state_check=True)
        facts = _diagnosed(sampler, posterior.space)
    if not facts["converged"]:
        msg = (
            f"run_chain: not converged after {facts['n_steps']} steps (R-hat {facts['r_hat']:.3f}, "
            f"{facts['ess_bulk']:.0f} effective draws, autocorrelation time "
            f"{facts['autocorrelation_time']:.0f} steps); raise max_steps"
        )
        warnings.warn(msg, UserWarning, stacklevel=2)
    return _inference_data(sampler, posterior.space, facts | {"seconds": perf_counter() - start})


def arviz():
    """Return the package arviz, which says at its import that it will change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz as package
    return package


def normals(data, space):
    """Return the draws of a chain as standard normals of a space, shape (n, n_dim)."""
    values = [data.posterior[name].values.ravel() for name in space.names]
    return space.normal(np.stack(values, axis=1))


def _sampler(posterior, n_walkers, rng):
    """Return an emcee sampler whose every random number comes from `rng`."""
    import emcee

    n_dim = posterior.space.n_dim
    if n_walkers % 2 or n_walkers < 2 * n_dim:
        msg = f"run_chain: n_walkers is {n_walkers}, expected even and at least {2 * n_dim}"
        raise ValueError(msg)
    # forgets in a third of the steps of emcee's default; its DESnookerMove makes a Gaussian of
    # five dimensions 16 % too narrow, so it stays out
    moves = emcee.moves.DEMove()
    sampler = emcee.EnsembleSampler(
        n_walkers, n_dim, posterior.log_prob, vectorize=True, moves=moves
    )
    legacy = np.random.RandomState(np.random.MT19937(int(rng.integers(2**32))))
    sampler.random_state = legacy.get_state()
    return sampler


def _start(posterior, n_walkers, rng):
    """Return where walkers start: some of the likeliest of many draws of the prior, far apart."""
    u = posterior.space.draw(N_START, rng=rng)
    log_p = posterior.log_prob(u)
    likeliest = np.argsort(log_p)[::-1][: LIKELIEST * n_walkers]
    return u[rng.choice(likeliest, n_walkers, replace=False)]


def _diagnosed(sampler, space):
    """Return how well a chain has converged, by the worst of its parameters."""
    n_steps = sampler.iteration
    tau = float(np.max(sampler.get_autocorr_time(tol=0, quiet=True)))
    tau = tau if np.isfinite(tau) else float(n_steps)  # a walker never moved
    burn_in = min(int(BURN_IN * tau) + 1, n_steps // 2)
    draws = np.moveaxis(sampler.get_chain(discard=burn_in), 0, 1)  # (chain, draw, dim)
    by_name = {name: draws[:, :, i] for i, name in enumerate(space.names)}
    package = arviz()
    r_hat = max(float(package.rhat(v)) for v in by_name.values())
    ess = min(float(package.ess(v, method="bulk")) for v in by_name.values())
    return {
        "converged": bool(r_hat <= R_HAT and ess >= LEAST_ESS and n_steps >= TAUS * tau),
        "r_hat": r_hat, "ess_bulk": ess, "autocorrelation_time": tau,
        "n_steps": n_steps, "burn_in": burn_in, "thinned_by": max(1, int(tau / 4)),
    }  # fmt: skip


def _inference_data(sampler, space, facts):
    """Return the chain as arviz knows it, in parameters."""
    settings = {"discard": facts["burn_in"], "thin": facts["thinned_by"]}
    draws = np.moveaxis(sampler.get_chain(**settings), 0, 1)
    values = space.parameters(draws)
    data = arviz().from_dict(
        posterior={name: values[:, :, i] for i, name in enumerate(space.names)},
        sample_stats={"lp": sampler.get_log_prob(**settings).T},
    )
    for name in space.names:
        data.posterior[name].attrs |= {"units": "model", "long_name": name}
    facts = facts | {"converged": int(facts["converged"])}  # netCDF has no booleans
    data.posterior.attrs |= facts | {"model": space.model.name, "prior": space.prior}
    return data
