import json
import sys
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from small_notebooks import write_notebook
from toy_maps import toy_data, toy_experiment
from typer.testing import CliRunner

from imtools import cli, datasets
from imtools.experiment import Experiment
from imtools.run_folder import open_netcdf, write_status
from imtools.runs import Run


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Return the settings that `imtools run` hands to the runner, which here runs nothing."""
    settings = {"ends": {"state": "done"}}

    def stand_in(notebook, **given):
        settings.update(given, notebook=notebook)
        return Run(folder=tmp_path, **settings["ends"])

    monkeypatch.setattr("imtools.cli.running.run_notebook", stand_in)
    return settings


def imtools(*arguments):
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def test_parameters_come_as_pairs_or_with_an_equals_sign(asked):
    done = imtools("run", "a.ipynb", "--preset", "tiny", "-p", "seed", "3", "-p", "sfr=um",
                   "-p", "sigma_noise", "1e-1", "--timeout", "9", "--reuse")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert asked["parameters"] == {"seed": 3, "sfr": "um", "sigma_noise": 0.1}
    assert (asked["preset"], asked["timeout"], asked["reuse"]) == ("tiny", 9.0, True)
    assert str(asked["notebook"]) == "a.ipynb"


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["run", "missing.ipynb"], "missing.ipynb does not exist"),
        (["run", "a.ipynb", "-p", "seed"], "expected -p NAME VALUE"),
        (["run", "a.ipynb", "-p", "seed=1", "-p", "seed=2"], "given twice"),
        (["sweep", "missing.yaml"], "missing.yaml does not exist"),
        (["compare", "missing"], "missing is no run"),
        (["simulate", "--preset", "huge"], "expected one of tiny, quick, paper"),
        (["simulate", "-p", "n_pixs", "3"], "did you mean 'n_pix'"),
        (["simulate", "-p", "n_pix", "0"], "n_pix is 0"),
        (["simulate", "--scheduler", "lokal"], "expected local, slurm, or an address"),
        (["simulate", "--job-script"], "--job-script is given without --scheduler"),
        (["simulate", "--cluster", "a.yaml"], "--cluster is given without --scheduler"),
        (["simulate", "--scheduler", "slurm", "--cluster", "a.yaml"], "a.yaml does not exist"),
    ],
)
def test_an_error_is_one_line_and_status_2(arguments, match):  # B18, B19
    done = imtools(*arguments)
    assert done.exit_code == 2
    assert match in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.output


def test_a_run_that_failed_ends_with_status_1_and_its_traceback(asked, tmp_path):
    asked["ends"] = {"state": "failed", "reason": "ValueError: dark", "traceback": "in line 3"}
    done = imtools("run", "a.ipynb")
    assert done.exit_code == 1
    assert "failed: ValueError: dark" in done.stdout
    assert str(tmp_path) in done.stdout
    assert "in line 3" in done.stderr


def test_a_run_with_scores_prints_their_table(asked, tmp_path, monkeypatch):
    (tmp_path / "scores.json").write_text(json.dumps({"rms": 0.01}))
    (tmp_path / "report.html").touch()
    stand_in = SimpleNamespace(format_table=lambda scores: f"rms {scores['rms']}")
    monkeypatch.setitem(sys.modules, "imtools.evaluation", stand_in)
    lines = imtools("run", "a.ipynb").stdout.splitlines()
    assert lines == ["rms 0.01", "done", str(tmp_path / "report.html")]
    asked["ends"] = {"state": "done", "reused": True}
    assert "nothing was started" in imtools("run", "a.ipynb").stdout


def test_simulate_builds_the_data_set_of_its_parameters(data, monkeypatch):
    built = []
    monkeypatch.setattr(datasets, "build", lambda *given: built.append(given))
    done = imtools("simulate", "--preset", "tiny", "-p", "seed", "4")
    experiment = Experiment.from_preset("tiny", seed=4)
    assert built == [(experiment, data / "sets" / experiment.data_key())]
    assert str(built[0][1]) in done.stdout


@pytest.fixture
def connected(monkeypatch):
    """Return how workers are asked for; here there are none, and the client is a word."""
    asked = []

    @contextmanager
    def stand_in(scheduler, *, n_workers, settings):
        asked.append((scheduler, n_workers, settings.memory))
        yield "client"
        asked.append("let go")

    monkeypatch.setattr("imtools.cluster.connect", stand_in)
    return asked


def test_simulate_gives_the_work_to_the_workers_that_are_asked_for(
    connected, tmp_path, monkeypatch
):
    (tmp_path / "hpc.yaml").write_text("memory: 9GB")
    built = []
    monkeypatch.setattr(datasets, "build", lambda *_, **given: built.append(given))
    words = ["-p", "n_workers", "7", "--cluster", tmp_path / "hpc.yaml"]
    assert imtools("simulate", "--scheduler", "slurm", *words).exit_code == 0
    assert built == [{"client": "client"}]
    assert connected == [("slurm", 7, "9GB"), "let go"]


def test_the_job_script_is_shown_and_nothing_made(data, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "build", lambda *_, **__: pytest.fail("it was made"))
    (tmp_path / "hpc.yaml").write_text("queue: long\nwalltime: '1:00:00'")
    words = ["--scheduler", "slurm", "--cluster", tmp_path / "hpc.yaml", "--job-script"]
    shown = imtools("simulate", *words)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("#!/usr/bin/env bash\n")
    assert "#SBATCH -p long\n" in shown.stdout
    assert f"export IMTOOLS_DATA={data}\n" in shown.stdout
    assert imtools("sweep", "none.yaml", *words).stdout == shown.stdout


def test_runs_are_listed(data):
    assert "no runs in" in imtools("runs").stdout
    (data / "runs" / "one").mkdir(parents=True)
    write_status(data / "runs" / "one", "failed", reason="nan", preset="tiny", seconds=90)
    shown = imtools("runs").stdout
    assert "one" in shown
    assert "failed" in shown
    assert "1.5" in shown  # minutes


@pytest.fixture
def swept(monkeypatch, data):
    """Return what `imtools sweep` hands on, and how its two runs end, which nothing starts here."""
    settings, folder = {"states": ["done", "done"], "reused": False, "old": []}, data / "runs" / "n"

    def stand_in(file, *, tell, **given):
        settings.update(given, file=file)
        ended = {}
        for name, state in zip(("aa", "bb"), settings["states"], strict=True):
            (folder / name).mkdir(parents=True, exist_ok=True)
            facts = {"parameters": {"seed": len(ended)}, "preset": "tiny"}
            write_status(folder / name, state, reason="nan" if state == "failed" else "", **facts)
            ended[name] = Run(folder=folder / name, state=state, reused=settings["reused"])
            tell(name, ended[name])
        return ended

    monkeypatch.setattr("imtools.cli.sweeping.run_sweep", stand_in)
    monkeypatch.setattr("imtools.cli.sweeping.out_of_date", lambda *_: settings["old"])
    return settings


def test_sweep_prints_the_outcomes_and_ends_by_the_worst(swept, data):
    done = imtools("sweep", "n.yaml", "--n-parallel", "3", "--again")
    assert done.exit_code == 0, done.output
    assert (swept["n_parallel"], swept["again"]) == (3, True)
    assert str(swept["file"]) == "n.yaml"
    assert swept["folder"] == data / "runs" / "n"
    assert f"2 done; tables and runs in {data / 'runs' / 'n'}" in done.stdout
    swept["states"] = ["done", "failed"]
    done = imtools("sweep", "n.yaml")
    assert done.exit_code == 1
    assert "bb failed" in done.stdout
    assert "1 done, 1 failed;" in done.stdout
    assert "nan" in done.stdout


def test_sweep_says_what_it_did_not_do(swept):
    swept |= {"reused": True, "old": ["aa"]}
    shown = imtools("sweep", "n.yaml").stdout
    assert "every run was done before; nothing was started" in shown
    assert "1 were done with other code or another notebook; see --again" in shown


def test_a_sweep_asks_for_as_many_workers_as_it_runs_at_once(swept, connected, tmp_path):
    write_notebook(tmp_path / "small.ipynb")
    path = tmp_path / "n.yaml"
    path.write_text("notebook: small.ipynb\ngrid: {seed: [1, 2]}\nn_parallel: 5")
    address = "tcp://10.0.0.1:8786"
    assert imtools("sweep", path, "--scheduler", address).exit_code == 0
    assert swept["client"] == "client"
    assert imtools("sweep", path, "--scheduler", "local", "--n-parallel", "3").exit_code == 0
    assert [seen[:2] for seen in connected[::2]] == [(address, 5), ("local", 3)]


def test_compare_prints_tables_and_writes_a_page(data):
    for n in (1, 2):
        folder = data / "runs" / f"r{n}"
        folder.mkdir(parents=True)
        write_status(folder, "done", preset="tiny", parameters={"filters": n})
        rows = {"network": {"rms": [n / 10]}}
        scores = {"quoted_log_l": [4.0], "subsets": {"all": rows}}
        (folder / "scores.json").write_text(json.dumps(scores))
    done = imtools("compare", "r1", "r2", "--folder", data / "both")
    assert done.exit_code == 0, done.output
    for word in ("filters", "rms 4", "0.200", "network"):
        assert word in done.stdout
    assert done.stdout.splitlines()[-1] == str(data / "both" / "comparison.html")
    assert (data / "both" / "comparison.nc").exists()
    assert imtools("compare", "r1", "--folder", data / "both").exit_code == 2
    assert imtools("compare", "r1", "--folder", data / "both", "--overwrite").exit_code == 0


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the folder of a run with a trained network, and a map on its voxels."""
    from imtools.formats import write_map
    from imtools.training import train

    folder = tmp_path_factory.mktemp("run")
    train(toy_experiment(field_size=1.4), toy_data(range(6)), toy_data([6, 7]), folder)
    path = tmp_path_factory.mktemp("maps") / "sky.nc"
    write_map(toy_data([9], n_draws=1)["map"].isel(sample=0, drop=True), path)
    return folder, path


def test_predict_writes_a_luminosity_function_and_a_figure(trained):
    run, sky = trained
    done = imtools("predict", run, sky, "--sigma-noise", "0")
    assert done.exit_code == 0, done.output
    folder = run / "predictions" / "sky.nc"
    assert sorted(p.name for p in folder.iterdir()) == [
        "luminosity_function.nc", "luminosity_function.pdf", "luminosity_function.png",
    ]  # fmt: skip
    with open_netcdf(folder / "luminosity_function.nc") as told:
        assert np.isfinite(told["log_dn"]).all()
        assert told.attrs["map"] == "sky.nc"
    lines = done.stdout.splitlines()
    assert lines[0].startswith("log10 L")
    assert lines[-1] == str(folder / "luminosity_function.nc")
    before = (folder / "luminosity_function.nc").stat().st_ino
    again = imtools("predict", run, sky, "--sigma-noise", "0")
    assert again.exit_code == 2
    assert (folder / "luminosity_function.nc").stat().st_ino == before  # not written anew
    assert "exists; pass" in again.stderr
    assert imtools("predict", run, sky, "--sigma-noise", "0", "--overwrite").exit_code == 0


def test_predict_refuses_in_one_line_and_warns_where_it_is_allowed(trained, tmp_path):
    refused = imtools("predict", *trained, "--folder", tmp_path / "a")
    assert refused.exit_code == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "states no noise" in refused.stderr
    assert not (tmp_path / "a").exists()
    done = imtools("predict", *trained, "--folder", tmp_path / "a", "--allow", "noise")
    assert done.exit_code == 0, done.output
    assert "warning: predict_map: the map states no noise" in done.stderr
    assert "Traceback" not in imtools("predict", tmp_path, tmp_path / "none.nc").output


def test_predict_finds_a_run_by_its_name(trained, data):
    (data / "runs").mkdir(parents=True)
    (data / "runs" / "one").symlink_to(trained[0])
    done = imtools("predict", "one", trained[1], "--sigma-noise", "0", "--folder", data / "out")
    assert done.exit_code == 0, done.output
    assert (data / "out" / "luminosity_function.nc").exists()
