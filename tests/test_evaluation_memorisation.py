"""A method that reads maps passes, one that knows something by heart is found out."""

from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_maps import SURVEY, toy_experiment

from imtools.counts import count_sources, luminosity_function
from imtools.estimators import fit_histogram_regression, fit_network, fit_prior_mean
from imtools.evaluation import (
    format_tests,
    summarise_tests,
    verdict_of_tests,
    write_memorisation,
)
from imtools.evaluation import memorisation as mem
from imtools.evaluation.memorisation import answers
from imtools.evaluation.outcomes import TITLES
from imtools.run_folder import read_json, write_json

N_VOXELS = int(np.prod(SURVEY.shape))


def sky(catalogues, *, n_draws=4, centre=4.6, sigma=0.25, width=0.5, stream=0):
    """Return maps whose catalogues differ in the number of sources, and draws in brightness."""
    maps, counts, parameters = [], [], []
    edges = toy_experiment().l_edges
    for catalogue in catalogues:
        rng = np.random.default_rng([catalogue, stream])
        n_sources = int(3000 * 10 ** rng.normal(0, 0.15))
        for _ in range(n_draws):
            shift = sigma * rng.normal()
            log_l = centre + shift + rng.normal(0, width, n_sources)
            temp = np.bincount(rng.integers(N_VOXELS, size=n_sources), 10 ** (log_l - 5), N_VOXELS)
            maps.append(SURVEY.cube(temp.reshape(SURVEY.shape).astype("float32")))
            counts.append(count_sources(10**log_l, edges).values)
            parameters.append([shift])
    data = xr.Dataset({
        "map": xr.concat(maps, "sample").rename("map"),
        "counts": luminosity_function(np.array(counts), edges),
        "parameters": (("sample", "parameter"), np.array(parameters)),
    })  # fmt: skip
    return data.assign_coords(catalogue=("sample", np.repeat(list(catalogues), n_draws)))


@pytest.fixture(scope="module")
def experiment():
    return toy_experiment(
        epochs=60, patience=60, n_train=40, batch_size=20, learning_rate=3e-3, blank_share=0.1
    )


@pytest.fixture(scope="module")
def train():
    return sky(range(40))


@pytest.fixture(scope="module")
def validation():
    return sky(range(50, 56))


@pytest.fixture(scope="module")
def test():
    return sky(range(60, 70))


@pytest.fixture(scope="module")
def fixed():
    return sky(range(100, 116), n_draws=1, sigma=0.0)


@pytest.fixture(scope="module")
def reader(experiment, train, validation, tmp_path_factory):
    return fit_network(experiment, train, validation, tmp_path_factory.mktemp("reader"))


@pytest.fixture(scope="module")
def crammer(experiment, train, validation, tmp_path_factory):
    """A network that learnt which answer belongs to which map, and the answers are wrong."""
    rng = np.random.default_rng(5)
    wrong = [mem.shuffle_labels(data, rng) for data in (train, validation)]
    plain = experiment.replace(blank_share=0.0)
    return fit_network(plain, *wrong, tmp_path_factory.mktemp("crammer"))


@pytest.fixture(scope="module")
def outcomes(reader, crammer, experiment, train, validation, test, fixed):
    methods = {
        "reader": reader,
        "crammer": crammer,
        "prior_mean": fit_prior_mean(experiment, train),
        "memoriser": mem.fit_memoriser(experiment, train, validation),
    }
    families = {"li2016": test, "faint": sky(range(60, 64), centre=4.3)}
    settings = {"seed": 0, "fixed": fixed, "families": families}
    return {
        name: mem.memorisation_tests(method, train, test, experiment, **settings)
        for name, method in methods.items()
    }


def states(outcomes):
    return {name: one.attrs["state"] for name, one in outcomes.items()}


def test_a_network_that_reads_maps_passes(outcomes):
    seen = states(outcomes["reader"])
    assert set(seen) == set(TITLES)
    assert {k for k, v in seen.items() if v != "passed"} <= {"foregrounds"}


@pytest.mark.parametrize("name", ["crammer", "prior_mean"])
def test_a_method_that_has_not_looked_is_found_out(outcomes, name):
    seen = states(outcomes[name])
    for test_name in ("blank", "spread", "swapped", "fixed_parameters"):
        assert seen[test_name] == "failed", test_name


def test_a_method_that_knows_its_maps_by_heart_fails_on_others(outcomes):
    seen = outcomes["memoriser"]["unseen"]
    assert seen.attrs["state"] == "failed"
    assert "by heart" in seen.attrs["verdict"]
    npt.assert_allclose(seen["error_seen"], 0, atol=1e-6)  # float32 counts


def test_the_blank_map_of_the_prior_mean_is_the_prior(outcomes, train, experiment):
    seen = outcomes["prior_mean"]["blank"]
    npt.assert_allclose(seen["log_dn"].sel(sky="blank"), seen["prior"], rtol=1e-5)  # float32
    assert "with the mean of the training maps" in seen.attrs["verdict"]
    largest = float(10 ** seen["prior"].max())
    npt.assert_allclose(seen["largest_dn_blank"], largest, rtol=1e-5)
    assert f"at most {largest:.0f} in a bin" in seen.attrs["verdict"]


def test_noise_alone_is_not_shown_to_a_transform_that_takes_none(train, experiment):
    plain = experiment.replace(transform="log10")
    prior = fit_prior_mean(plain, train)
    assert mem.blank_sky(prior, train, plain, seed=0)["sky"].values.tolist() == ["blank"]
    assert mem.noise_levels(prior, train, plain, seed=0).attrs["state"] == "told"


def test_noise_alone_decides_where_training_had_noise(train, experiment):
    noisy = experiment.replace(sigma_noise=1.0)

    def answer(maps, _):
        """None where there is none, many where there is anything."""
        any_signal = np.abs(maps.values).max(axis=(1, 2, 3)) > 0
        return np.where(any_signal, 9.0, -0.3)[:, None] * np.ones(14)

    seen = mem.blank_sky(answer, train, noisy, seed=0)
    assert seen.attrs["state"] == "failed"
    assert mem.blank_sky(answer, train, experiment, seed=0).attrs["state"] == "passed"
    assert "noise of 1 uK alone" in seen.attrs["verdict"]


def truth_of(data, experiment):
    return np.log10(np.maximum(data["counts"].values, experiment.counts.floor))


def oracle(data, experiment, share=1.0, offset=0.0):
    """Return a function that answers with the truth of `data`, shrunk to its mean."""
    truth = truth_of(data, experiment)
    mean = truth.mean(axis=0)
    return lambda maps, _: mean + share * (truth - mean) + offset


def test_spread_and_correlation_are_those_of_the_answers(test, experiment):
    seen = mem.spread(oracle(test, experiment, share=0.7), test, experiment, seed=0)
    npt.assert_allclose(seen["share"], 0.7, rtol=1e-9)  # float64
    npt.assert_allclose(seen["typical_correlation"], 1.0, rtol=1e-9)
    npt.assert_allclose(seen["spread_truth"], truth_of(test, experiment).std(0), rtol=1e-9)
    assert seen.attrs["state"] == "passed"
    shrunk = mem.spread(oracle(test, experiment, share=0.4), test, experiment, seed=0)
    assert shrunk.attrs["state"] == "failed"  # a right direction is not enough
    wild = mem.spread(oracle(test, experiment, share=-1.0), test, experiment, seed=0)
    assert wild.attrs["state"] == "failed"
    assert seen["spread_truth"].attrs["units"] == "dex"


def test_answers_are_given_to_the_other_maps_of_their_own_catalogue(test, experiment):
    seen = mem.swapped(oracle(test, experiment, offset=0.1), test, experiment, seed=0)
    npt.assert_allclose(seen["error_own"], 0.1, rtol=1e-9)
    truth = truth_of(test, experiment).reshape(10, 4, 14)
    pairs = [truth[:, i] + 0.1 - truth[:, j] for i in range(4) for j in range(4) if i != j]
    expected = np.sqrt(np.mean(np.square(pairs), axis=(0, 1)))
    npt.assert_allclose(seen["error_other"], expected, rtol=1e-9)


def test_swapping_needs_two_maps_of_a_catalogue(fixed, experiment):
    with pytest.raises(ValueError, match="no two of a catalogue; set n_draws to 2"):
        mem.swapped(oracle(fixed, experiment), fixed, experiment, seed=0)


def test_at_fixed_parameters_what_parameters_tell_does_not_count(experiment):
    """Two sets of parameters: who knows them, and no more, correlates with the truth overall."""
    both = [sky(range(16), n_draws=1, sigma=0.0, centre=c, stream=i) for i, c in enumerate((4, 5))]
    data = xr.concat([d.assign(parameters=d["parameters"] + i) for i, d in enumerate(both)],
                     "sample")  # fmt: skip
    truth = truth_of(data, experiment)
    mean = np.repeat([truth[:16].mean(axis=0), truth[16:].mean(axis=0)], 16, axis=0)

    def knows_parameters(maps, _):
        return mean

    seen = mem.fixed_parameters(knows_parameters, data, experiment, seed=0)
    assert seen.attrs["state"] == "failed"
    assert "is none, since they stay put" in seen.attrs["verdict"]
    assert mem.spread(knows_parameters, data, experiment, seed=0).attrs["state"] == "passed"
    seen = mem.fixed_parameters(oracle(data, experiment), data, experiment, seed=0)
    npt.assert_allclose(seen["typical_correlation"], 1, rtol=1e-9)
    npt.assert_allclose(seen["needed"], 2 / np.sqrt(15), rtol=1e-12)


def test_a_correlation_over_few_catalogues_is_only_told(experiment):
    few = sky(range(5), n_draws=1, sigma=0.0)
    seen = mem.fixed_parameters(oracle(few, experiment), few, experiment, seed=0)
    assert seen.attrs["state"] == "told"


def test_shuffles_keep_every_voxel(test):
    maps = test["map"][:3]
    rng = np.random.default_rng(0)
    for shuffle in mem.SHUFFLES.values():
        other = shuffle(maps, rng)
        assert other.dims == maps.dims
        assert not np.array_equal(other, maps)
        npt.assert_array_equal(
            np.sort(other.values.reshape(3, -1)), np.sort(maps.values.reshape(3, -1))
        )


def test_shuffled_labels_are_those_of_other_maps(test):
    wrong = mem.shuffle_labels(test, np.random.default_rng(0))
    npt.assert_array_equal(wrong["map"], test["map"])
    same = (wrong["counts"].values == test["counts"].values).all(axis=1)
    assert same.mean() < 0.2
    rows = [sorted(map(tuple, data["counts"].values)) for data in (wrong, test)]
    assert rows[0] == rows[1]


def test_a_quarter_turn_keeps_channels_and_comes_back_after_four(test):
    maps = test["map"][:2]
    turned = mem.quarter_turn(maps)
    sums = (m.astype(float).sum(["dec", "ra"]) for m in (turned, maps))
    npt.assert_allclose(*sums, rtol=1e-12)  # the order of a sum
    npt.assert_array_equal(turned, np.rot90(maps.values, axes=(2, 3)))
    for _ in range(3):
        turned = mem.quarter_turn(turned)
    npt.assert_array_equal(turned, maps)
    backwards = mem.reverse_frequencies(maps)
    npt.assert_array_equal(backwards[:, 0], maps[:, -1])
    npt.assert_array_equal(backwards["freq"], maps["freq"])


def test_a_method_that_knows_places_is_moved_by_a_turn(test, experiment):
    truth = truth_of(test, experiment)

    def knows_places(maps, _):
        """Right, until the corner voxel is another one."""
        same = maps.values[:, 0, 0, 0] == test["map"].values[:, 0, 0, 0]
        return np.where(same[:, None], truth + 0.01, truth + 1.0)

    seen = mem.shuffled(knows_places, test, experiment, seed=0)
    assert seen.attrs["state"] == "failed"
    assert float(seen["change_by_turn"]) > 0.9
    blind = mem.shuffled(lambda maps, _: truth + 0.01, test, experiment, seed=0)
    npt.assert_allclose(blind["change"], 0, atol=1e-12)


def test_errors_grow_with_noise_that_training_had_not(outcomes):
    seen = outcomes["reader"]["noise"]
    assert seen["level"].values.tolist() == [0, 0.1, 1, 11]
    assert seen["share_of_spread"].values[-1] > 2 * seen["share_of_spread"].values[0]
    assert seen["level"].attrs["units"] == "uK"


def test_noise_levels_are_multiples_of_the_noise_in_training(test, experiment):
    noisy = experiment.replace(sigma_noise=2.0)
    seen = mem.noise_levels(oracle(test, experiment), test, noisy, seed=0)
    npt.assert_allclose(seen["level"], [0, 1, 2, 4, 8])


def test_foregrounds_are_added_in_the_unit_of_the_maps(test, experiment):
    heard = []

    def listens(maps, _):
        heard.append(maps.values.mean())
        return truth_of(test, experiment)

    mem.foreground_levels(listens, test, experiment, seed=0)
    pooled = test.assign(map=test["map"].assign_attrs(pooling="sum", n_pooled=160))
    mem.foreground_levels(listens, pooled, experiment, seed=0)
    added = np.array(heard).reshape(2, 5) - heard[0]
    npt.assert_allclose(added[0, 1:-1] / added[0, -1], [1e-3, 1e-2, 0.1], rtol=1e-2)  # float32
    npt.assert_allclose(added[1, -1] / added[0, -1], 160, rtol=1e-4)


def test_a_family_without_sources_in_a_bin_is_not_asked_there(test, experiment):
    narrow = sky(range(3), centre=5.0, width=0.1)
    families = {"li2016": test, "keating2016": narrow}
    method = oracle(test.isel(sample=slice(12)), experiment)
    some = {k: v.isel(sample=slice(12)) for k, v in families.items()}
    seen = mem.family_errors(method, some, experiment, seed=0)
    own, other = (seen["error"].sel(family=k).values for k in families)
    assert np.isfinite(other).sum() < np.isfinite(own).sum()
    npt.assert_allclose(own[np.isfinite(own)], 0, atol=1e-12)
    assert seen.attrs["state"] == "failed"
    assert "Of 1 families that it does not know it reads 0" in seen.attrs["verdict"]


def test_who_is_asked_about_its_own_family_alone_is_only_told(test, experiment):
    seen = mem.family_errors(oracle(test, experiment), {"li2016": test}, experiment, seed=0)
    assert seen.attrs["state"] == "told"
    assert "no family among them" in seen.attrs["verdict"]


def test_the_matrix_tells_home_from_abroad(test, experiment):
    here, there = test, sky(range(60, 70), centre=5.0)
    truths = {"li2016": oracle(here, experiment), "keating2016": oracle(there, experiment)}
    experiments = {k: experiment.replace(luminosity_model=k) for k in truths}
    families = {"li2016": here, "keating2016": there}
    seen = mem.family_matrix(truths, families, experiments, seed=0)
    assert seen["typical"].dims == ("trained", "family")
    npt.assert_allclose(np.diag(seen["typical"]), 0, atol=1e-12)
    assert (seen["typical"].values[[0, 1], [1, 0]] > 0.1).all()
    assert "Of 2 pairs of different families" in seen.attrs["verdict"]
    own = mem.family_errors(truths["li2016"], families, experiment, seed=0)
    npt.assert_array_equal(seen["error"][0], own["error"])


def test_wrong_splits_leak_what_they_say_and_are_of_one_size(train, test):
    asked, sides = mem.wrong_splits(train, test)
    assert {side.sizes["sample"] for side in sides.values()} == {train.sizes["sample"]}
    catalogues = set(asked["catalogue"].values)
    shared = {k: len(catalogues & set(v["catalogue"].values)) for k, v in sides.items()}
    assert shared == {"by catalogue": 0, "by map": 10, "turned copies": 10}
    maps = {one.tobytes() for one in asked["map"].values}
    assert not maps & {one.tobytes() for one in sides["by map"]["map"].values}
    turned = mem.quarter_turn(asked["map"]).values
    npt.assert_array_equal(sides["turned copies"]["map"].values[-len(turned) :], turned)
    with pytest.raises(ValueError, match="20 maps leak into 20 training maps"):
        mem.wrong_splits(train.isel(sample=slice(20)), test)


def test_a_memoriser_is_flattered_by_copies_and_a_regression_hardly(
    train, validation, test, experiment
):
    sides = train, validation, test, experiment
    heart = mem.leakage(mem.fit_memoriser, *sides, seed=0)
    npt.assert_allclose(heart["share"].sel(split="turned copies"), 0, atol=1e-6)  # float32 counts
    assert heart.attrs["state"] == "failed"
    regression = mem.leakage(fit_histogram_regression, *sides, seed=0)
    assert float(regression["share"].sel(split="turned copies")) > 0.5
    npt.assert_allclose(regression["share"].sel(split="by catalogue"), 1, rtol=1e-12)


def test_answers_that_are_no_numbers_are_refused(test, experiment):
    with pytest.raises(ValueError, match=r"shape \(40, 3\) with 0 values not finite"):
        mem.spread(lambda maps, _: np.zeros((40, 3)), test, experiment, seed=0)
    with pytest.raises(ValueError, match="560 values not finite"):
        mem.spread(lambda maps, _: np.full((40, 14), np.nan), test, experiment, seed=0)


def test_few_maps_are_taken_where_they_are_large(test, monkeypatch):
    assert answers.some_maps(test, 10).sizes["sample"] == 10
    assert set(answers.some_maps(test, 10)["catalogue"].values) == set(range(60, 70))
    monkeypatch.setattr(answers, "MAX_BYTES", 15 * test["map"].nbytes // 40)
    assert answers.some_maps(test, 128).sizes["sample"] == 15
    monkeypatch.setattr(answers, "MAX_BYTES", 1)
    assert answers.some_maps(test, 128).sizes["sample"] == answers.LEAST_MAPS


def test_every_method_is_asked_about_the_same_noise(test, experiment):
    noisy, heard = experiment.replace(sigma_noise=3.0), []

    def listens(maps, bare):
        heard.append(maps.values)
        assert bare.observing.sigma_noise == 0  # nothing is added twice
        return truth_of(test, experiment)

    for _ in range(2):
        mem.spread(listens, test, noisy, seed=4)
    mem.spread(listens, test, noisy, seed=5)
    npt.assert_array_equal(heard[0], heard[1])
    assert not np.array_equal(heard[0], heard[2])
    npt.assert_allclose((heard[0] - test["map"].values).std(), 3.0, rtol=5 / np.sqrt(2 * 40 * 1024))


def test_fresh_catalogues_are_on_no_side_and_know_their_prior(experiment):
    strong = experiment.replace(prior="strong", rescale=1.0)
    further = mem.fresh_experiment(strong, n_catalogues=5, n_draws=2, luminosity_model="schechter")
    assert further.luminosity.prior == "loose"
    assert further.data.seed != strong.data.seed
    assert further.data.n_train + further.data.n_validation + further.data.n_test == 5
    assert further.survey == strong.survey
    assert further.luminosity.rescale == 0
    same = mem.fresh_experiment(strong, n_catalogues=5, n_draws=2)
    assert same.luminosity.prior == "strong"
    assert same.data.seed == further.data.seed  # families share their haloes
    with pytest.raises(ValueError, match="n_catalogues is 2, expected at least 3"):
        mem.fresh_experiment(strong, n_catalogues=2, n_draws=2)


def test_fresh_maps_are_made_once(monkeypatch, tmp_path):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path))
    experiment = toy_experiment(m_min=1e12)
    one = mem.fresh_maps(experiment, n_catalogues=3, n_draws=2, prior="fiducial")
    files = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")}
    two = mem.fresh_maps(experiment, n_catalogues=3, n_draws=2, prior="fiducial")
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*.nc")} == files
    xr.testing.assert_identical(one, two)
    assert one["catalogue"].values.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.unique(one["parameters"], axis=0).shape[0] == 1


def test_families_are_painted_onto_the_same_fresh_haloes(monkeypatch, tmp_path):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path))
    names = ("li2016", "keating2016")
    experiment = toy_experiment(m_min=1e12, luminosity_model="comap2022", prior="joint")
    seen = mem.family_maps(experiment, n_catalogues=3, n_draws=2, names=names)
    assert {k: set(v["luminosity_model"].values) for k, v in seen.items()} == {
        k: {k} for k in names
    }
    one, two = seen.values()
    npt.assert_array_equal(one["catalogue"], [0, 0, 1, 1, 2, 2])
    npt.assert_array_equal(one["halo_hash"], two["halo_hash"])
    assert not np.array_equal(one["counts"], two["counts"])


def test_outcomes_are_kept_beside_the_scores(outcomes, tmp_path):
    write_json({"n_maps": 40}, tmp_path / "scores.json")
    two = {name: outcomes[name] for name in ("reader", "prior_mean")}
    summary = write_memorisation(two, tmp_path)
    assert summary["n_maps"] == 40
    one = summary["memorisation"]["reader"]["spread"]
    assert one["state"] == "passed"
    npt.assert_allclose(one["numbers"]["share"], two["reader"]["spread"]["share"], rtol=1e-12)
    kept = xr.load_dataset(tmp_path / "memorisation" / "reader_spread.nc")
    assert kept.attrs["verdict"] == one["verdict"]
    assert read_json(tmp_path / "scores.json") == summary
    with pytest.raises(FileExistsError, match="verdicts"):
        write_memorisation(two, tmp_path)
    write_memorisation(two, tmp_path, overwrite=True)


def test_outcomes_without_scores_are_kept_by_themselves(outcomes, tmp_path):
    summary = write_memorisation({"reader": outcomes["reader"]}, tmp_path)
    assert list(summary) == ["memorisation"]
    assert not (tmp_path / "scores.json").exists()  # a run without scores has no scoreboard
    kept = read_json(tmp_path / "memorisation" / "verdicts.json")
    assert kept == summary["memorisation"]


def test_the_table_has_a_row_a_test_and_a_column_a_method(outcomes):
    summary = summarise_tests({k: outcomes[k] for k in ("reader", "prior_mean")})
    lines = format_tests(summary, {"prior_mean": "prior mean"}).splitlines()
    assert lines[0].endswith("| reader prior mean")
    assert len(lines) == 2 + len(TITLES)
    row = next(line for line in lines if line.startswith(TITLES["spread"]))
    assert row.split("|")[1].split() == ["yes", "NO"]
    del summary["reader"]["noise"]
    lines = format_tests(summary).splitlines()
    row = next(line for line in lines if line.startswith(TITLES["noise"]))
    assert row.split("|")[1].split() == ["-", "NO"]


def test_the_verdict_tells_a_reader_from_a_crammer(outcomes):
    summary = summarise_tests(outcomes)
    assert verdict_of_tests(summary["reader"]).startswith("It reads the map")
    for name in ("crammer", "prior_mean", "memoriser"):
        text = verdict_of_tests(summary[name])
        assert text.startswith("It has memorised")
    text = verdict_of_tests(summary["prior_mean"])
    assert summary["prior_mean"]["spread"]["verdict"] in text


def test_tests_that_could_not_tell_are_no_praise():
    told = {"state": "told", "verdict": "Too few maps.", "numbers": {}}
    assert verdict_of_tests({"spread": told}).startswith("No test could tell whether it reads")
    assert "- not asked" in format_tests({"reader": {"spread": told}})
    for nothing in ({}, {"reader": {}}):
        assert format_tests(nothing) == "no test of memorising was made"


def test_a_number_that_is_none_is_kept_as_none(outcomes):
    summary = summarise_tests({"prior_mean": outcomes["prior_mean"]})
    assert summary["prior_mean"]["spread"]["numbers"]["typical_correlation"] is None


def test_estimators_and_functions_are_asked_alike(reader, test, experiment):
    def same(maps, bare):
        return reader.median(maps, bare)

    xr.testing.assert_identical(
        mem.spread(reader, test, experiment, seed=0), mem.spread(same, test, experiment, seed=0)
    )
    assert replace(reader, name="other").name == "other"
