"""All tests of one method."""

from imtools.evaluation.memorisation.answers import some_maps
from imtools.evaluation.memorisation.blank import blank_sky
from imtools.evaluation.memorisation.families import family_errors
from imtools.evaluation.memorisation.levels import foreground_levels, noise_levels
from imtools.evaluation.memorisation.shuffles import shuffled, swapped
from imtools.evaluation.memorisation.spread import fixed_parameters, seen_and_unseen, spread


def memorisation_tests(
    method, data_train, data_test, experiment, *, seed, fixed=None, families=None, n_maps=128
):
    """Put a method to every test of memorising.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data_train, data_test : xarray.Dataset
        What it was fitted on, and maps of other catalogues, at least two of each.
    experiment : Experiment
        That of the fit.
    seed : int
        Of noise and order.
    fixed : xarray.Dataset, optional
        Maps of many catalogues that share their parameters, see `fixed_parameters`.
    families : dict of str to xarray.Dataset, optional
        Maps of other luminosity models, see `family_errors`.
    n_maps : int
        How many maps a test takes at most.

    Returns
    -------
    dict of str to xarray.Dataset
        Outcome by test; ``attrs`` hold ``state`` and ``verdict``.
    """
    train, test = (some_maps(data, n_maps) for data in (data_train, data_test))
    asked, settings = (method, test, experiment), {"seed": seed}
    outcomes = [
        blank_sky(method, data_train, experiment, **settings),
        spread(*asked, **settings),
        swapped(*asked, **settings),
        shuffled(*asked, **settings),
        seen_and_unseen(method, train, test, experiment, **settings),
        noise_levels(*asked, **settings),
        foreground_levels(*asked, **settings),
    ]
    if fixed is not None:
        outcomes.append(fixed_parameters(method, fixed, experiment, **settings))
    if families is not None:
        outcomes.append(family_errors(method, families, experiment, **settings))
    return {outcome.attrs["test"]: outcome for outcome in outcomes}
