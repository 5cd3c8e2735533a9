import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_posteriors import EDGES, toy_draws, toy_truth

from imtools.evaluation.calibration import (
    allowed_departure,
    calibrate_all,
    format_calibration,
    format_coverage,
    label_of,
    meets_target,
    verdict_of_calibration,
)
from imtools.experiment import Experiment
from imtools.run_folder import open_netcdf, write_netcdf

KINDS = {"network": "right", "ridge_vid": "narrow", "mcmc_pk_recalibrated": "unrelated"}


class Toy:
    """An estimator that knows its posterior, or has it wrong in one way."""

    def __init__(self, name, truth):
        self.name, self.truth, self.asked = name, truth, []

    def draws(self, maps, experiment, rng, n_draws):
        self.asked.append(rng.random())
        return toy_draws(maps.values, self.truth, KINDS[self.name], n_draws=n_draws)


@pytest.fixture(scope="module")
def data():
    seen, truth, catalogue = toy_truth(100, 8, 5)
    maps = xr.DataArray(seen, dims=("sample", "log_l"))
    return xr.Dataset({"map": maps, "counts": truth}).assign_coords(catalogue=("sample", catalogue))


@pytest.fixture(scope="module")
def methods(data):
    return [Toy(name, data["counts"]) for name in KINDS]


@pytest.fixture(scope="module")
def calibration(data, methods):
    experiment = Experiment.from_preset("tiny", n_bins=6)
    return calibrate_all(methods, data, experiment, seed=3, n_draws=80, n_bootstrap=200)


def test_methods_are_judged_alike_and_see_the_same_noise(calibration, methods):
    assert calibration["method"].values.tolist() == list(KINDS)
    assert len({method.asked[0] for method in methods}) == 1
    assert calibration["coverage"].dims == ("method", "probability", "log_l")
    assert calibration["tarp_deviation"].dims == ("method",)
    assert calibration.attrs["n_draws"] == 80
    good = meets_target(calibration).all(["probability", "log_l"]).values
    assert good.tolist() == [True, False, True]


def test_a_calibration_goes_to_disk_and_back(calibration, tmp_path):
    write_netcdf(calibration, tmp_path / "calibration.nc")
    with open_netcdf(tmp_path / "calibration.nc") as file:
        again = file.load()
    assert verdict_of_calibration(again) == verdict_of_calibration(calibration)
    assert format_coverage(again) == format_coverage(calibration)


def test_coverage_within_three_points_and_two_errors_is_let_pass():
    shares = np.array([0.65, 0.7099, 0.72, 0.72])
    errors = np.array([0.0, 0.0, 0.0, 0.006])
    log_l = {"log_l": np.arange(4.0), "probability": [0.68, 0.95]}
    one = xr.Dataset(
        {
            "coverage": (("probability", "log_l"), np.stack([shares, shares + 0.27])),
            "coverage_error": (("probability", "log_l"), np.stack([errors, errors])),
        },
        coords=log_l,
    )
    assert meets_target(one).values.tolist() == [[True, True, False, True]] * 2
    npt.assert_allclose(allowed_departure(one)[0], [0.03, 0.03, 0.03, 0.042], rtol=1e-12)


def test_tables_hold_the_numbers_of_each_method(calibration):
    text = format_coverage(calibration)
    rows = [line for line in text.splitlines() if line.startswith("network ")]
    assert len(rows) == 2
    share = calibration["coverage"].sel({"method": "network", "probability": 0.68})
    pair = [1, 2]  # the two bins that meet at 10^4.5
    assert f"{100 * float(share[pair].mean()):.1f}" in rows[0]
    assert "| 6/6 |" in " ".join(rows[0].split())
    narrow = [line for line in text.splitlines() if line.startswith("ridge on VID")]
    assert "| 0/6 |" in " ".join(narrow[0].split())
    assert "800 maps of 100 catalogues" in text
    other = format_calibration(calibration)
    row = next(line for line in other.splitlines() if line.startswith("ridge on VID"))
    values = [cell.strip() for cell in row.split("|")]
    assert values[1] == "0/6"
    assert values[4] == f"{float(calibration['z_rms'][1].median()):.3f}"
    assert values[6] == f"{float(calibration['crps'][1].median()):.3f}"
    assert len({len(line.split("|")) for line in other.splitlines() if "|" in line}) == 1


def test_a_verdict_says_who_holds_what_it_says(calibration):
    lines = verdict_of_calibration(calibration).splitlines()
    assert lines[0].startswith("- **network**: its intervals hold ")
    assert "in every bin. Ranks are even in every bin. All bins together are right" in lines[0]
    low = 100 * float(calibration["coverage"].sel(probability=0.68)[1].min())
    assert f"hold {low:.1f} to " in lines[1]
    assert "in 0 of 6 bins. Ranks are even in 0 of 6 bins. All bins together are not" in lines[1]
    assert lines[2].startswith("- **MCMC on P(k), recalibrated**")
    assert "in every bin. All bins together are not right" in lines[2]
    assert lines[-1] == "800 maps of 100 catalogues, 80 draws each."


def test_one_catalogue_makes_no_claim(data):
    one = data.isel(sample=slice(0, 8))
    experiment = Experiment.from_preset("tiny", n_bins=6)
    seen = calibrate_all([Toy("network", one["counts"])], one, experiment, seed=0, n_bootstrap=5)
    assert "One catalogue cannot say whether ranks are even" in verdict_of_calibration(seen)


def test_labels_say_what_was_recalibrated():
    assert label_of("mcmc_pk_vid") == "MCMC on P(k) and VID"
    assert label_of("mine_recalibrated") == "mine, recalibrated"
    assert EDGES[0] == 1e4
