import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.evaluation import has_reference, one_point_reference
from imtools.experiment import Experiment
from imtools.luminosity import Li2016
from imtools.preprocessing import pool_cube
from imtools.statistics import reference_error

SIZES = {"n_pix": 8, "n_chan": 20, "pool_freq": 1, "pool_dec": 1, "pool_ra": 1, "batch_size": 1}
NOISY = Experiment.from_preset("tiny", sigma_noise=11.0, filter="mean", **SIZES)


@pytest.fixture(scope="module")
def models():
    return [Li2016.draw(rng=np.random.default_rng(i), prior="ten_percent") for i in range(3)]


@pytest.fixture(scope="module")
def data(models):
    cube = NOISY.survey_object().cube(np.zeros((20, 8, 8)))
    names = list(models[0].parameters())
    values = [list(m.parameters().values()) for m in models]
    parts = {
        "map": xr.concat([cube] * 3, "sample"),
        "parameters": (("sample", "parameter"), values),
    }
    return xr.Dataset(parts, coords={"parameter": names})


def test_the_reference_is_taken_at_the_parameters_of_the_maps(data, models):
    seen = one_point_reference(data, NOISY, rng=np.random.default_rng(0), n_maps=2)
    given = {"prior": "ten_percent", "sigma_noise": 11.0, "rng": np.random.default_rng(0)}
    expected = reference_error([models[0], models[2]], NOISY.survey_object(), **given)
    npt.assert_allclose(seen["sigma"], expected["sigma"], rtol=1e-6)  # edges by another way


def test_noise_of_summed_voxels_is_brought_back_to_that_of_a_temperature(data):
    pooled = data.assign(map=pool_cube(data["map"], dec=2, ra=2, how="sum"))
    mean = data.assign(map=pool_cube(data["map"], dec=2, ra=2, how="mean"))
    experiment = NOISY.replace(pool_dec=2, pool_ra=2)
    given = [
        one_point_reference(d, experiment, rng=np.random.default_rng(0), n_maps=1)["sigma"]
        for d in (pooled, mean)
    ]
    npt.assert_allclose(*given, rtol=1e-6)


def test_without_noise_there_is_no_reference(data):
    with pytest.raises(ValueError, match="noise"):
        one_point_reference(data, NOISY.replace(sigma_noise=0.0), rng=np.random.default_rng(0))


def test_a_mixture_and_rescaled_maps_have_no_reference(data):
    assert has_reference(NOISY)
    assert not has_reference(NOISY.replace(sigma_noise=0.0))
    for changes in ({"luminosity_model": "li2016+comap2022"}, {"rescale": 0.5}):
        with pytest.raises(ValueError, match="expected one model and 0"):
            one_point_reference(data, NOISY.replace(**changes), rng=np.random.default_rng(0))
        assert not has_reference(NOISY.replace(**changes))
