import numpy as np
import numpy.testing as npt

from imtools.networks.probes import mean_of_filters, probe_blocks


def test_a_block_that_holds_the_answer_has_skill_one_and_noise_has_none():
    rng = np.random.default_rng(6)
    means = rng.normal(size=(300, 3))
    voxels = means[:, None, None] + rng.normal(size=(300, 4, 4, 3))
    voxels -= (voxels - means[:, None, None]).mean(axis=(1, 2), keepdims=True)
    targets = means @ rng.normal(size=(3, 2)) + 7.0
    noise = rng.normal(size=(300, 5))
    targets = np.column_stack([targets, np.ones(300)])  # a bin that is the same everywhere
    outputs = {"holds": voxels, "noise": noise}
    fit = {name: values[:200] for name, values in outputs.items()}
    test = {name: values[200:] for name, values in outputs.items()}
    skill = probe_blocks(fit, targets[:200], test, targets[200:])
    assert skill.dims == ("block", "output")
    npt.assert_allclose(skill.sel(block="holds")[:2], 1.0, atol=1e-4)  # the penalty's bias
    assert (np.abs(skill.sel(block="noise")[:2]) < 0.1).all()  # 5 useless numbers, 200 maps
    assert np.isnan(skill[:, 2]).all()


def test_a_filter_is_averaged_over_the_map():
    values = np.arange(24.0).reshape(2, 2, 3, 2)
    npt.assert_allclose(mean_of_filters(values)[0], [5.0, 6.0], rtol=1e-12)
    npt.assert_array_equal(mean_of_filters(values[:, 0, 0]), values[:, 0, 0])
