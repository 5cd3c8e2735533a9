import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import psutil
import pytest
from nbclient.exceptions import DeadKernelError

from imtools.experiment import PRESETS, Experiment
from imtools.run_folder import locked, read_json, read_status, write_status
from imtools.runs import execute, feasible, list_runs, process, run_notebook
from imtools.runs.feasible import check_networks
from imtools.runs.jobs import prepare
from imtools.runs.parameters import from_text, parameters_cell, plan, read_notebook
from imtools.runs.running import run_job

CELL = """\
preset = "tiny"  # tiny, quick or paper
seed = 0  # integer, seeds every random draw
threshold = 2.5  # a number of this notebook alone
run_dir = "."  # folder for everything this notebook writes
changes = "{}"  # other experiment fields, JSON
"""


@pytest.fixture
def notebook(tmp_path):
    """Return a function that writes a small notebook with the given code cells."""

    def write(*sources, cell=CELL):
        cells = [nbformat.v4.new_markdown_cell("# A small run")]
        cells.append(nbformat.v4.new_code_cell(cell, metadata={"tags": ["parameters"]}))
        cells += [nbformat.v4.new_code_cell(source) for source in sources]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        node = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        path = tmp_path / "small.ipynb"
        nbformat.write(node, path)
        return path

    return write


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("IMTOOLS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def is_running(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until(condition, seconds=60):
    """Wait until `condition` holds, or fail."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


# --- what is checked before a kernel starts


def test_the_plan_is_what_the_notebook_will_make(notebook):
    content = read_notebook(notebook())
    given = {"seed": 3, "threshold": 4, "epochs": 2, "sigma_noise": 11.0}
    experiment, injected = plan(content, preset="tiny", parameters=given)
    assert experiment == Experiment.from_preset("tiny", seed=3, epochs=2, sigma_noise=11.0)
    assert injected["preset"] == "tiny"
    assert (injected["seed"], injected["threshold"]) == (3, 4)
    assert json.loads(injected["changes"]) == {"epochs": 2, "sigma_noise": 11.0}
    assert given == {"seed": 3, "threshold": 4, "epochs": 2, "sigma_noise": 11.0}


def test_the_plan_keeps_the_defaults_of_the_notebook(notebook):
    cell = 'preset = "tiny"\nsigma_noise = 5.0\nrun_dir = "."\nchanges = \'{"epochs": 3}\'\n'
    content = read_notebook(notebook(cell=cell))
    experiment, injected = plan(content)
    assert (experiment.observing.sigma_noise, experiment.training.epochs) == (5.0, 3)
    assert injected == {}
    experiment, injected = plan(content, parameters={"patience": 2, "changes": '{"width": 8}'})
    assert json.loads(injected["changes"]) == {"epochs": 3, "patience": 2, "width": 8}
    assert (experiment.training.epochs, experiment.network.width) == (3, 8)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"sed": 1}, "no parameter 'sed'; did you mean 'seed'"),
        ({"learning_rat": 1e-3}, "did you mean 'learning_rate'"),
        ({"treshold": 1.0}, "did you mean 'threshold'"),
        ({"qqqq": 1}, "expected among seed, threshold"),
        ({"seed": 1.5}, "seed is 1.5, expected int"),
        ({"threshold": "high"}, "threshold is 'high', expected float"),
        ({"epochs": 0}, "epochs is 0, expected greater"),
        ({"n_pix": 63}, "expected a divisor of n_pix = 63"),
        ({"changes": '{"epoch": 1}'}, "did you mean 'epochs'"),
        ({"changes": "epochs=1"}, "no JSON object"),
        ({"run_dir": "x"}, "use the option --run-dir"),
        ({"preset": "tiny"}, "use the option --preset"),
        ({"luminosity_model": "li2061"}, "li2016"),
        ({"architecture": "histogramm"}, "expected one of"),
    ],
)
def test_a_wrong_parameter_starts_no_kernel(notebook, data, parameters, match):  # B18, B19
    path = notebook("raise RuntimeError")
    with pytest.raises(ValueError, match=match) as caught:
        run_notebook(path, preset="tiny", parameters=parameters)
    assert "\n" not in str(caught.value)
    assert not data.exists()


def test_a_notebook_without_changes_refuses_what_it_cannot_take(notebook):
    content = read_notebook(notebook(cell='run_dir = "."\n'))
    with pytest.raises(ValueError, match="no parameter 'changes'"):
        plan(content, parameters={"epochs": 3})
    with pytest.raises(ValueError, match="no parameter 'preset'"):
        plan(content, preset="tiny")


@pytest.mark.parametrize(
    "cell", ["a = 1 + b\n", "a, b = 1, 2\n", "import os\n", "a = b = 1\n", "a = = 1\n"]
)
def test_a_parameters_cell_holds_literals_only(notebook, cell):
    with pytest.raises(ValueError, match="a line other than 'name = literal'"):
        parameters_cell(read_notebook(notebook(cell=cell)))


def test_what_is_no_notebook_is_one_line(notebook, tmp_path):  # B14
    path = notebook()
    content = read_notebook(path)
    content["cells"].pop(1)
    with pytest.raises(ValueError, match="0 cells tagged 'parameters'"):
        parameters_cell(content)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"small\.ipynb is no JSON"):
        run_notebook(path)
    path.write_text("[1, 2]")
    with pytest.raises(ValueError, match="is no notebook"):
        run_notebook(path)
    with pytest.raises(FileNotFoundError, match=r"missing\.ipynb does not exist"):
        run_notebook(tmp_path / "missing.ipynb")
    with pytest.raises(ValueError, match=r"expected a path that ends in \.ipynb"):
        run_notebook(tmp_path / "small.py")


def test_text_of_the_command_line_becomes_values():
    texts = ["3", "3.0", "1e-3", "true", "False", "adam", "null", "data/a.txt"]
    assert [from_text(t) for t in texts] == [3, 3.0, 1e-3, True, False, "adam", None, "data/a.txt"]
    assert type(from_text("3")) is int


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_the_presets_name_known_architectures(preset):
    from imtools.networks import ARCHITECTURES

    assert Experiment.from_preset(preset).network.architecture in ARCHITECTURES


# --- whether a network can be trained, asked before a kernel starts


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"architecture": "notes_cn"}, "run: architecture is 'notes_cn', .* did you mean 'notes_"),
        ({"changes": {"architecture": "no"}}, "run: architecture is 'no', expected one of"),
        ({"summaries": "vid, pkk"}, "run: summaries is 'pkk', .* did you mean 'pk'"),
        ({"architecture": "notes_cnn", "n_blocks": 7}, "run: .*runs out of voxels|run: .*voxel"),
        ({"width": 10**9}, "run: training 'histogram' takes about .* GB .* lower batch_size"),
        (
            {"changes": {"architecture": "dense", "reads": "luminosity", "width": 10**7}},
            "run: training 'dense' takes about .* GB .* lower batch_size",  # 610 inputs
        ),
    ],
)
def test_a_network_that_cannot_be_trained_starts_no_kernel(notebook, data, given, match):  # B18
    path = notebook("estimators.fit_network(experiment, train, validation, folder)")
    with pytest.raises(ValueError, match=match) as caught:
        run_notebook(path, preset="tiny", parameters=given)
    assert "\n" not in str(caught.value)
    assert not data.exists()


def test_keras_is_imported_only_where_a_network_is_in_question(notebook, monkeypatch):
    asked = []
    monkeypatch.setattr(feasible, "_ask", lambda questions: asked.append(questions) or [{}])
    training = notebook("train(experiment)")
    check_networks([prepare(training, preset="tiny")])
    check_networks([prepare(training, preset="tiny", parameters={"sigma_noise": 3.0, "seed": 2})])
    assert asked == []
    check_networks([prepare(training, preset="tiny", parameters={"filters": 8})])
    check_networks([prepare(training, preset="tiny", parameters={"n_pix": 32})])
    check_networks([prepare(training, preset="tiny", parameters={"changes": '{"filters": 8}'})])
    assert [question["trains"] for (question,) in asked] == [True, True, True]
    check_networks([prepare(notebook("1"), preset="tiny", parameters={"n_pix": 32})])
    assert len(asked) == 3
    check_networks([prepare(notebook("1"), preset="tiny", parameters={"summaries": "vid"})])
    assert len(asked) == 4


def test_networks_that_are_trained_at_once_share_the_memory(notebook, monkeypatch):
    path, sizes = notebook("train(experiment)"), [3e9, 1e9, 2e9]
    jobs = [prepare(path, preset="tiny", parameters={"filters": n}) for n in (4, 8, 16)]
    monkeypatch.setattr(feasible, "_ask", lambda questions: [{"bytes": n} for n in sizes])
    monkeypatch.setattr(feasible, "memory", lambda: 5.5e9)
    check_networks(jobs, n_parallel=2)
    with pytest.raises(ValueError, match=r"point 0: .* 2 more at once takes about 6\.0 GB .*n_p"):
        check_networks(jobs, n_parallel=3, labels=["point 0", "point 1", "point 2"])


def test_memory_is_that_of_the_container(tmp_path, monkeypatch):
    whole = psutil.virtual_memory().total
    monkeypatch.setattr(feasible, "CGROUP", tmp_path / "memory.max")
    assert feasible.memory() == whole
    for text, expected in {"max\n": whole, "1000000\n": 1_000_000, f"{10 * whole}": whole}.items():
        feasible.CGROUP.write_text(text)
        assert feasible.memory() == expected


# --- what a run leaves behind


WORK = """
import json, os
from pathlib import Path
print("step one of", seed)
Path(run_dir, "result.json").write_text(json.dumps([preset, seed, threshold, changes, os.getcwd()]))
"""


def test_a_run_leaves_a_folder_that_tells_it_all(notebook, data, tmp_path, capfd):
    path = notebook(WORK)
    before = path.read_bytes()
    run = run_notebook(
        path, preset="tiny", parameters={"seed": 7, "epochs": 2}, progress=True, timeout=60
    )
    assert run.state == "done"
    assert run.folder.parent == data / "runs"
    result = json.loads((run.folder / "result.json").read_text())
    assert result == ["tiny", 7, 2.5, '{"epochs": 2}', str(tmp_path)]
    experiment = Experiment.from_json((run.folder / "experiment.json").read_text())
    assert experiment == Experiment.from_preset("tiny", seed=7, epochs=2)
    status = read_json(run.folder / "status.json")
    assert (status["state"], status["notebook"]) == ("done", "small.ipynb")
    assert status["parameters"] == {"seed": 7, "epochs": 2}
    assert read_json(run.folder / "environment.json")["packages"]["numpy"]
    nbformat.validate(nbformat.read(run.folder / "notebook.ipynb", as_version=4))
    report = (run.folder / "report.html").read_text()
    assert "A small run" in report
    assert "step one of 7" in report
    assert "write_text" not in report  # no code
    seen = capfd.readouterr()
    assert "step one of 7" in seen.out  # in the terminal
    assert "rror" not in seen.err
    assert path.read_bytes() == before
    assert not [p for p in run.folder.iterdir() if p.name.startswith(".")]  # no lock, no remains
    table = list_runs()
    assert table.loc[run.folder.name, "state"] == "done"
    assert table.loc[run.folder.name, "parameters"] == "seed=7 epochs=2"


BAR = """
import sys
from IPython.display import publish_display_data
for step in range(3):
    print(f"\\rstep {step} of 3", end="", file=sys.stderr, flush=True)
publish_display_data({})
"""


def test_the_report_leaves_out_what_tensorflow_says_of_itself(notebook):
    remark = "I0000 00:00:1795527571.471555 port.cc:153] oneDNN custom operations are on"
    source = f"import sys\nprint({remark!r}, 'a warning of ours', sep='\\n', file=sys.stderr)"
    run = run_notebook(notebook(source))
    report = (run.folder / "report.html").read_text()
    assert "a warning of ours" in report
    assert "oneDNN custom operations" not in report


def test_the_report_keeps_the_end_of_a_progress_bar(notebook, capfd):
    run = run_notebook(notebook(BAR), timeout=60, progress=True)
    assert "\rstep 0 of 3" in capfd.readouterr().err  # as it went, in the terminal
    report = (run.folder / "report.html").read_text()
    assert "step 2 of 3" in report
    assert "step 0 of 3" not in report
    assert 'src="https://cdnjs.cloudflare.com/ajax/libs/require' not in report


@pytest.mark.slow
def test_the_same_run_is_not_done_again(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr("imtools.runs.jobs.PACKAGE", tmp_path / "package")
    (tmp_path / "package").mkdir()
    path = notebook("import os; print(os.getpid())")
    first = run_notebook(path, preset="tiny", timeout=60)
    again = run_notebook(path, preset="tiny", reuse=True)
    assert again.reused
    assert again.folder == first.folder
    assert len(list_runs()) == 1  # no kernel, no folder
    (tmp_path / "package" / "painting.py").write_text("brighter = 1")
    assert not run_notebook(path, preset="tiny", reuse=True, timeout=60).reused
    path = notebook("print('another notebook')")
    other = run_notebook(path, preset="tiny", reuse=True, timeout=60)
    assert not other.reused
    assert other.folder != first.folder


def test_a_run_folder_with_files_is_refused(notebook, tmp_path):  # B22
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="mine holds files"):
        run_notebook(notebook(), run_dir=folder)
    assert [p.name for p in folder.iterdir()] == ["precious.txt"]


def test_a_run_folder_in_use_is_refused(notebook, tmp_path):  # F10
    folder = tmp_path / "mine"
    with locked(folder):
        (folder / "experiment.json").write_text("{}")
        with pytest.raises(BlockingIOError, match=f"locked by host .*, process {os.getpid()}"):
            run_notebook(notebook(), run_dir=folder)
    assert [p.name for p in folder.iterdir()] == ["experiment.json"]


def test_a_cell_that_raises_is_a_failure_that_keeps_what_came_before(notebook):  # F13
    path = notebook(WORK, "def halo(): raise ArithmeticError('no <light>')\nhalo()", "never = 1")
    run = run_notebook(path, timeout=60)
    assert run.state == "failed"
    assert run.reason == "ArithmeticError: no <light>"
    assert "in halo()" in run.traceback
    assert "\x1b" not in run.traceback
    assert (run.folder / "result.json").exists()
    status = read_json(run.folder / "status.json")
    assert (status["state"], status["traceback"]) == ("failed", run.traceback)
    executed = nbformat.read(run.folder / "notebook.ipynb", as_version=4)
    assert "step one of 0" in str([c.get("outputs") for c in executed.cells])
    report = (run.folder / "report.html").read_text()
    assert "failed: ArithmeticError: no &lt;light&gt;" in report


def test_a_notebook_may_say_why_it_failed(notebook):
    say = (
        "from imtools.run_folder import write_status\nwrite_status(run_dir, 'failed', reason='nan')"
    )
    run = run_notebook(notebook(say, "1 / 0"), timeout=60)
    assert (run.state, run.reason) == ("failed", "nan")
    assert "ZeroDivisionError" in run.traceback
    assert list_runs().loc[run.folder.name, "reason"] == "nan"


HANG = """
import os, time
from pathlib import Path
Path(run_dir, "pid").write_text(str(os.getpid()))
while True:
    try:
        time.sleep(100)
    except KeyboardInterrupt:
        pass
"""


def test_a_cell_that_hangs_times_out_and_its_kernel_is_gone(notebook, data, monkeypatch):  # F14
    def clock():  # time is over once the cell hangs, however long its kernel takes to start
        hangs = any(pid.read_text() for pid in data.glob("runs/*/pid"))
        return time.monotonic() + (600 if hangs else 0)

    monkeypatch.setattr(process, "time", SimpleNamespace(monotonic=clock))
    run = run_notebook(notebook(HANG), timeout=600)
    assert run.state == "failed"
    assert run.reason == "timeout: stopped after 600 s"
    assert not is_running(int((run.folder / "pid").read_text()))
    nbformat.validate(nbformat.read(run.folder / "notebook.ipynb", as_version=4))
    assert read_json(run.folder / "status.json")["state"] == "failed"


def test_a_timeout_before_the_kernel_has_started_leaves_none(notebook):  # F14
    before = psutil.Process().children(recursive=True)  # other tests' helpers
    run = run_notebook(notebook(HANG), timeout=0.5)
    assert run.reason == "timeout: stopped after 0.5 s"
    assert set(psutil.Process().children(recursive=True)) <= set(before)


@pytest.mark.parametrize(
    ("sent", "state", "reason"),
    [(signal.SIGINT, "failed", "interrupted"), (signal.SIGKILL, "lost", "without a word")],
)
def test_no_kernel_outlives_the_runner(notebook, tmp_path, sent, state, reason):
    path, folder = notebook(HANG), tmp_path / "mine"
    code = (
        "import signal, sys; from imtools.runs import run_notebook; "
        # a shell's background job starts with SIGINT ignored, and would never end
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        # it waits for the end of a batch, which never comes here
        "from imtools.runs import process; process.GRACE = 1; "
        "run_notebook(sys.argv[1], run_dir=sys.argv[2])"
    )
    runner = subprocess.Popen([sys.executable, "-c", code, path, folder], stderr=subprocess.DEVNULL)
    wait_until((folder / "pid").exists)
    time.sleep(0.5)  # the kernel is in its endless loop now
    kernel = int((folder / "pid").read_text())
    assert is_running(kernel)
    runner.send_signal(sent)
    runner.wait(60)
    try:
        wait_until(lambda: not is_running(kernel), seconds=20)
    finally:
        if is_running(kernel):
            os.kill(kernel, signal.SIGKILL)
    status = read_status(folder)
    assert status["state"] == state
    assert reason in status["reason"]


def test_a_run_whose_kernel_is_killed_is_lost(notebook):
    kill = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"
    run = run_notebook(notebook(WORK, kill, "print('never')"), timeout=60)
    assert run.state == "lost"
    assert "kernel was killed" in run.reason
    assert (run.folder / "result.json").exists()
    nbformat.validate(nbformat.read(run.folder / "notebook.ipynb", as_version=4))


def test_a_process_that_cannot_begin_tells_its_last_words(notebook, monkeypatch, tmp_path, capfd):
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('no papermill here')")
    monkeypatch.setattr(process, "EXECUTE", broken)
    run = run_notebook(notebook("1"))
    assert run.state == "lost"
    assert run.reason == "the process of the notebook ended with status 1: no papermill here"
    assert "no papermill" not in capfd.readouterr().err


def test_a_run_whose_papermill_is_killed_is_lost(notebook):
    kill = "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\nimport time; time.sleep(3)"
    run = run_notebook(notebook(kill), timeout=60)
    assert run.state == "lost"
    assert "ended with status -9" in run.reason


FILL = """
import os, resource
resource.prlimit(os.getppid(), resource.RLIMIT_FSIZE, (20_000, 20_000))
print("x" * 30_000)
"""


def test_a_full_disk_is_a_failure_that_leaves_a_whole_notebook(notebook):  # F6
    run = run_notebook(notebook(WORK, FILL), timeout=60)
    assert run.state == "failed"
    assert "File too large" in run.reason
    executed = nbformat.read(run.folder / "notebook.ipynb", as_version=4)
    assert "step one of 0" in str([c.get("outputs") for c in executed.cells])
    assert not list(run.folder.glob(".tmp-*"))


@pytest.mark.parametrize("home", [None, "/dev/null/home"])
def test_a_home_that_is_missing_or_read_only_does_no_harm(notebook, monkeypatch, home):  # F21
    if home is None:
        monkeypatch.delenv("HOME")
    else:
        monkeypatch.setenv("HOME", home)  # not even the superuser can write there
    run = run_notebook(notebook("import matplotlib.pyplot\nprint('ran')"), timeout=120)
    assert run.state == "done", run.reason
    assert "ran" in (run.folder / "report.html").read_text()


def test_runs_of_one_notebook_at_once_do_not_meet(notebook, tmp_path):
    meet = """
import time
from pathlib import Path
Path(run_dir, "met").touch()
begun = time.monotonic()
while len(list(Path(run_dir).parent.glob("*/met"))) < 2 and time.monotonic() - begun < 60:
    time.sleep(0.1)
print(seed, *sorted(p.name for p in Path.cwd().iterdir()))
"""
    path = notebook(meet)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(run_notebook, path, parameters={"seed": 40 + k}) for k in range(2)]
    for k, job in enumerate(jobs):
        run = job.result()
        assert run.state == "done", run.reason
        report = (run.folder / "report.html").read_text()
        assert f"{40 + k} data small.ipynb" in report  # its own answer; no sockets lie about


def test_a_long_temporary_path_does_no_harm(notebook, tmp_path, monkeypatch):
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    assert run_notebook(notebook("1"), timeout=60).state == "done"
    assert list(long.iterdir()) == []


def test_the_kernel_does_not_read_the_start_up_files_of_the_home(notebook, monkeypatch, tmp_path):
    startup = tmp_path / "home" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("surprise = 1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run = run_notebook(notebook("assert 'surprise' not in globals()"), timeout=60)
    assert run.state == "done", run.reason


def starts(tmp_path, monkeypatch, errors):
    """Return how a run ends whose starts raise `errors` in turn, and how many are left over."""
    left = list(errors)

    def start(*_, **__):
        if left:
            raise left.pop(0)

    monkeypatch.setattr(execute.papermill, "execute_notebook", start)
    names = ("notebook", "output", "parameters", "cwd", "progress", "kernel")
    return execute.execute(dict.fromkeys(names, "") | {"kernel": {}}), len(left)


def test_a_kernel_that_died_before_any_cell_is_started_again(tmp_path, monkeypatch):  # F15
    taken = RuntimeError("Kernel died before replying to kernel_info")
    done = {"state": "done", "reason": ""}
    assert starts(tmp_path, monkeypatch, [taken, taken]) == (done, 0)
    ended, n_left = starts(tmp_path, monkeypatch, [taken] * 5)
    assert (ended["state"], n_left) == ("failed", 2)
    assert starts(tmp_path, monkeypatch, [RuntimeError("disk full")] * 2)[1] == 1
    assert starts(tmp_path, monkeypatch, [DeadKernelError("Kernel died")] * 2)[1] == 1


@pytest.mark.slow
def test_twenty_kernels_started_at_once_all_answer(notebook):  # F15
    path = notebook("print(seed)")
    with ThreadPoolExecutor(20) as pool:
        jobs = [pool.submit(run_notebook, path, parameters={"seed": k}) for k in range(20)]
    assert [(job.result().state, job.result().reason) for job in jobs] == [("done", "")] * 20


def test_a_run_can_be_asked_to_stop(notebook, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "imtools.runs.process.GRACE", 1
    )  # for the end of a batch, which never comes
    stop, folder = threading.Event(), tmp_path / "mine"
    with ThreadPoolExecutor(1) as pool:
        job = pool.submit(run_job, prepare(notebook(HANG)), folder, stop=stop)
        wait_until((folder / "pid").exists)
        stop.set()
        run = job.result(60)
    assert (run.state, run.reason) == ("failed", "interrupted")
    assert not is_running(int((folder / "pid").read_text()))


def test_a_run_waits_for_a_data_set_that_another_makes(notebook, tmp_path):
    run = run_notebook(notebook("import os; print('waits', os.environ['IMTOOLS_WAIT'], 's')"))
    assert "waits 86400 s" in (run.folder / "report.html").read_text()


# --- the table


def test_list_runs_shows_damaged_and_lost_runs(data):
    assert list_runs().empty
    for name, text in {"a": "{", "b": None}.items():
        folder = data / "runs" / name
        folder.mkdir(parents=True)
        if text:
            (folder / "status.json").write_text(text)
        else:
            write_status(folder, "running", preset="tiny")
    status = read_json(data / "runs" / "b" / "status.json")
    status["process"] = {"host": os.uname().nodename, "pid": 2**22 + 1, "started": 0.0}
    (data / "runs" / "b" / "status.json").write_text(json.dumps(status))
    table = list_runs()
    assert list(table["state"]) == ["unknown", "lost"]
    assert "is no JSON" in table.loc["a", "reason"]
