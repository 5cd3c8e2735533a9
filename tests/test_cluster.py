"""Work given to the workers of a dask client: the same bytes, whatever happens to them."""

import json
import logging
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import closing, contextmanager, suppress

import psutil
import pytest
from distributed.diagnostics.plugin import SchedulerPlugin

from imtools.cluster import (
    ClusterSettings,
    connect,
    do_all,
    doing,
    job_script,
    read_settings,
    stopping,
    worker,
)
from imtools.datasets import build, catalogue_path, n_catalogues
from imtools.experiment import Experiment
from imtools.run_folder import locked

SMALL = Experiment.from_preset(
    "tiny", field_size=0.4, n_pix=16, n_chan=8, nu_min=29.0, nu_max=31.0, m_min=1e11,
    cell_size=8.0, pool_freq=2, pool_dec=4, pool_ra=4, n_train=3, n_validation=1, n_test=1,
    n_draws=10, batch_size=4, seed=5, n_workers=1,
)  # fmt: skip
SLOW = SMALL.replace(n_draws=100)  # 1 s a catalogue, so that a kill comes before the last
N = n_catalogues(SMALL)
NAMES = {f"catalogue_{k:05d}.nc" for k in range(N)} | {"experiment.json"}


@pytest.fixture(scope="module", autouse=True)
def root(tmp_path_factory):
    """One data root for all: workers take it from the process that starts them."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("data")
        patch.setenv("IMTOOLS_DATA", str(path))
        yield path


@pytest.fixture(scope="module")
def client():
    with connect("local", n_workers=2) as connected:
        yield connected


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """A data set that this process has made, never changed."""
    path = tmp_path_factory.mktemp("sets") / "serial"
    build(SMALL, path, progress=False)
    return path


@pytest.fixture(scope="module")
def slow_serial(tmp_path_factory):
    """As `serial`, of a set whose making can be stopped in the middle."""
    path = tmp_path_factory.mktemp("sets") / "slow"
    build(SLOW, path, progress=False)
    return path


def assert_same_files(path, folder):
    assert {p.name for p in path.iterdir()} == NAMES
    for file in folder.glob("*.nc"):
        assert (path / file.name).read_bytes() == file.read_bytes()


def wait_for(condition, seconds=90.0):
    """Return what `condition` gives once it is true; fail after a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    pytest.fail("waited too long")


# --- a data set


@pytest.mark.slow
def test_workers_write_the_same_bytes_as_one_process(tmp_path, client, serial):
    assert build(SMALL, tmp_path / "set", client=client, progress=False) == list(range(N))
    assert_same_files(tmp_path / "set", serial)
    assert build(SMALL, tmp_path / "set", client=client, progress=False) == []
    catalogue_path(tmp_path / "set", 3).unlink()
    address = client.scheduler.address
    with connect(address) as other:  # the same workers, by their scheduler's address
        assert build(SMALL, tmp_path / "set", client=other, progress=False) == [3]
    assert_same_files(tmp_path / "set", serial)
    assert len(client.nthreads()) == 2  # which stay when that client leaves


@pytest.mark.slow
def test_a_killed_worker_costs_nothing_but_time(tmp_path, client, slow_serial, caplog):  # F8
    path, left = tmp_path / "set", []
    pids = list(client.run(os.getpid).values())

    def kill_one():
        wait_for(lambda: list(path.glob("catalogue_*.nc")))
        os.kill(pids[0], signal.SIGKILL)
        left.append(N - len(list(path.glob("catalogue_*.nc"))))

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    with caplog.at_level(logging.WARNING):
        made = build(SLOW, path, client=client, progress=False)
    killer.join()
    assert left[0] > 0  # it died in the middle
    assert made == list(range(N))
    assert "was lost; what it was at is done again" in caplog.text
    assert_same_files(path, slow_serial)
    wait_for(lambda: len(client.nthreads()) == 2)  # another has taken its place
    assert pids[0] not in client.run(os.getpid).values()


@pytest.mark.slow
def test_two_builds_of_one_folder_are_refused_on_a_cluster_too(tmp_path, client):  # F10
    with locked(tmp_path), pytest.raises(BlockingIOError, match="locked by host"):
        build(SMALL, tmp_path, client=client, progress=False)


SIMULATE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job starts without
from imtools.cli import app
if __name__ == "__main__":
    app(["simulate", "--scheduler", "local", *sys.argv[1:]])
"""


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_driver_takes_its_workers_along_and_loses_nothing_done(
    tmp_path, slow_serial, end
):  # F9
    path = tmp_path / "set"
    (tmp_path / "driver.py").write_text(SIMULATE)
    words = ["--preset", "tiny", "--folder", path]
    for name, value in SLOW.replace(n_workers=2).flat().items():
        words += ["-p", f"{name}={json.dumps(value)}"]
    driver = subprocess.Popen(
        [sys.executable, tmp_path / "driver.py", *words],
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    children = []
    try:
        wait_for(lambda: list(path.glob("catalogue_*.nc")))
        children = psutil.Process(driver.pid).children(recursive=True)
        assert len(children) >= 2
        # Ctrl-C in a terminal reaches the workers, too
        (os.killpg if end == signal.SIGINT else os.kill)(driver.pid, end)
        err = driver.communicate(timeout=60)[1]
        assert not psutil.wait_procs(children, timeout=20)[1]
    finally:
        for process in [driver, *children]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        driver.wait()
    assert driver.returncode == (130 if end == signal.SIGINT else -end)
    assert "Traceback" not in err
    there = [k for k in range(N) if catalogue_path(path, k).exists()]
    assert 1 <= len(there) < N
    if end == signal.SIGINT:
        assert {p.name for p in path.iterdir()} < NAMES  # no lock, nothing half written
    assert build(SLOW, path, progress=False) == [k for k in range(N) if k not in there]
    assert_same_files(path, slow_serial)


# --- anything


def record_and_double(folder, item):
    """Note who does an item, and return twice it; at the item 0, the first one dies."""
    once = folder / "once"
    if item == 0 and not once.exists():
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * item


def die(_item):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_until_stopped(folder, item):
    """Do nothing until it is told to stop, but for the item 0."""
    stop, end = stopping(), time.monotonic() + 60
    (folder / f"began {item}").touch()
    while item and not stop.is_set():
        if time.monotonic() > end:
            return
        time.sleep(0.05)
    (folder / f"ended {item}").touch()


def fail_at_three(folder, item):
    """Raise at the item 3, which may be with a worker that starts late: the next ones wait."""
    if item == 3:
        msg = "three is dark"
        raise ArithmeticError(msg)
    if item > 3:
        wait_until_stopped(folder, item)


class Bound:
    """A function of a folder and an item, with the folder given; a worker can import it."""

    def __init__(self, function, folder):
        self.function, self.folder = function, folder

    def __call__(self, item):
        return self.function(self.folder, item)


@pytest.mark.slow
def test_what_a_lost_worker_was_at_is_done_again_and_nothing_twice(tmp_path, client):
    told = []
    function = Bound(record_and_double, tmp_path)
    done = do_all(client, function, range(5), folder=tmp_path, tell=told.append)
    assert sorted(done) == [(i, 2 * i) for i in range(5)]
    assert told[0] == 2
    assert 1 in told  # while the lost one was missing
    assert [p.name for p in tmp_path.iterdir()] == ["once"]  # the probe is gone


@pytest.mark.slow
def test_an_item_that_kills_every_worker_is_an_error_or_what_one_asks_for(
    tmp_path, client, monkeypatch
):
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)  # once is enough
    with pytest.raises(RuntimeError, match="workers kept dying at 7; what is done stays"):
        list(do_all(client, die, [7], folder=tmp_path))
    lost = list(do_all(client, die, [7], folder=tmp_path, on_lost=lambda i: f"{i} lost"))
    assert lost == [(7, "7 lost")]


@pytest.mark.slow
def test_an_error_on_a_worker_is_raised_here_and_ends_the_rest(tmp_path, client):
    function = Bound(fail_at_three, tmp_path)
    with pytest.raises(ArithmeticError, match="three is dark"):
        list(do_all(client, function, range(500), folder=tmp_path, at_once=2))
    assert {p.name for p in tmp_path.iterdir()} <= {"began 4", "ended 4"}


@pytest.mark.slow
def test_what_is_given_up_stops_before_the_block_ends(tmp_path, client):
    with closing(do_all(client, Bound(wait_until_stopped, tmp_path), [0, 1, 2], folder=tmp_path,
                        at_once=2)) as done:  # fmt: skip
        assert next(done)[0] == 0
        wait_for((tmp_path / "began 1").exists)
    assert (tmp_path / "ended 1").exists()
    assert (tmp_path / "ended 2").exists() or not (tmp_path / "began 2").exists()


# --- errors


@pytest.mark.slow
def test_workers_that_are_not_like_this_process_are_refused(tmp_path, client, monkeypatch):
    address = client.scheduler.address

    def refused(match):
        with pytest.raises(RuntimeError, match=match), connect(address):
            pass
        with pytest.raises(RuntimeError, match=match):  # one that has come since
            build(SMALL, tmp_path / "set", client=client, progress=False)
        assert not list((tmp_path / "set").glob("*.nc"))

    with monkeypatch.context() as patch:
        patch.setattr(worker, "__version__", "9.9")
        refused(r"on worker tcp://127\.0\.0\.1:\d+ imtools is [0-9.]+, expected 9\.9")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "_versions", lambda: {"numpy": "3.0"})
        refused(r"numpy is 2\.\S+, expected 3\.0")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "package_digest", lambda: "another")
        refused(r"its code is \w+, expected another; restart the older")
    with monkeypatch.context() as patch:
        patch.setenv("IMTOOLS_DATA", str(tmp_path / "other"))
        refused(r"data root is \S+, expected \S+other; set IMTOOLS_DATA there")


@pytest.mark.slow
def test_a_folder_that_workers_do_not_see_is_refused(tmp_path, client, monkeypatch):
    @contextmanager
    def elsewhere(folder):
        yield str(folder / "on another machine")

    monkeypatch.setattr(doing, "_probe", elsewhere)
    with pytest.raises(FileNotFoundError, match=r"worker tcp\S+ does not see .*set; put the fold"):
        build(SMALL, tmp_path / "set", client=client, progress=False)
    assert {p.name for p in (tmp_path / "set").iterdir()} == {"experiment.json"}


def test_an_address_without_a_scheduler_is_one_line():
    with socket.socket() as taken:  # so that the port is nobody else's
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(ConnectionError, match=f"no scheduler answers at {address} within 0.5 s"),
            connect(address, settings=ClusterSettings(patience=0.5)),
        ):
            pass


class GivesUpMeanwhile(SchedulerPlugin):
    """Another's work is given up in the moment in which clients come, for the first few."""

    def __init__(self, times):
        self.left = times

    def add_client(self, scheduler, client):
        if self.left:
            self.left -= 1
            told = {"op": "cancelled-keys", "keys": [], "reason": None, "msg": None}
            scheduler.loop.add_callback(scheduler.report, told)


@pytest.mark.slow
def test_a_busy_scheduler_is_asked_again(client):
    scheduler = client.cluster.scheduler
    plugin = GivesUpMeanwhile(2)
    scheduler.add_plugin(plugin, name="gives up")
    try:
        with connect(scheduler.address) as connected:
            assert connected.submit(int, "7").result() == 7
        assert plugin.left == 0
        plugin.left = -1  # without end
        with (
            pytest.raises(ConnectionError, match=r"no scheduler answers at \S+ within 0\.2 s"),
            connect(scheduler.address, settings=ClusterSettings(patience=0.2)),
        ):
            pass
    finally:
        scheduler.remove_plugin(name="gives up")
    wait_for(lambda: len(scheduler.client_comms) == 1)  # those that failed are gone


AFTER = """
import logging, dask
from imtools.cluster import ClusterSettings, connect
try:
    with connect("tcp://127.0.0.1:1", settings=ClusterSettings(patience=0.1)):
        pass
except ConnectionError:
    print(dask.config.get("distributed.worker.http.routes") != [])
    print(dask.config.get("distributed.comm.timeouts.connect"))
    print(logging.getLogger("distributed").level == logging.INFO)
"""


def test_dask_is_left_as_it_was():
    done = subprocess.run([sys.executable, "-c", AFTER], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "30s", "True"]


@pytest.mark.slow
def test_a_scheduler_without_workers_says_how_to_start_some():
    from distributed import LocalCluster

    settings = ClusterSettings(patience=0.5)
    cluster = LocalCluster(n_workers=0, dashboard_address="127.0.0.1:0", host="127.0.0.1")
    with (
        cluster,
        pytest.raises(RuntimeError, match=r"had no worker for 0\.5 s; start some with `dask work"),
        connect(cluster.scheduler_address, settings=settings),
    ):
        pass


@pytest.mark.parametrize(
    ("scheduler", "match"),
    [
        ("lokal", "scheduler is 'lokal', expected local, slurm, or an address"),
        ("tls://127.0.0.1:1", "talks TLS, expected tls_ca_file, tls_cert and tls_key"),
    ],
)
def test_a_scheduler_must_be_one_of_three_things(scheduler, match):
    with pytest.raises(ValueError, match=match), connect(scheduler):
        pass


@pytest.mark.slow
def test_nothing_listens_but_on_this_machine_and_no_page_is_served(client):
    pids = [os.getpid(), *client.run(os.getpid).values()]
    ports = [
        c.laddr
        for pid in pids
        for c in psutil.Process(pid).net_connections("inet")
        if c.status == psutil.CONN_LISTEN
    ]
    assert len(ports) > 4
    assert {address.ip for address in ports} == {"127.0.0.1"}
    assert 8787 not in {address.port for address in ports}
    info = client.scheduler_info()
    servers = [info, *info["workers"].values()]
    for port in [server["services"]["dashboard"] for server in servers]:
        for page in ("status", "info/main/workers.html", "sysmon", "metrics"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=30)


# --- settings and SLURM


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("memry: 4GB", "unknown setting 'memry'; did you mean 'memory'"),
        ("memory: much", "memory is 'much', String should match"),
        ("cores: 0", "cores is 0, expected greater than or equal to 1"),
        ("cores: two", "cores is 'two', expected a valid integer"),
        ("queue: 'a; rm'", "queue is 'a; rm', String should match"),
        ('directives: ["--a\\n--b"]', "expected one line each"),
        ("- 1", "has no 'key: value' lines"),
    ],
)
def test_wrong_settings_are_one_line_that_names_the_file(tmp_path, text, match):
    (tmp_path / "hpc.yaml").write_text(text)
    with pytest.raises(ValueError, match=f"cluster: hpc.yaml.*: .*{match}") as caught:
        read_settings(tmp_path / "hpc.yaml")
    assert "\n" not in str(caught.value)


def test_credentials_come_all_three_or_not_at_all(tmp_path):
    (tmp_path / "ca.pem").touch()
    with pytest.raises(ValueError, match="tls_cert is missing"):
        ClusterSettings(tls_ca_file=str(tmp_path / "ca.pem")).tls_files()
    files = {"tls_ca_file": str(tmp_path / "ca.pem"), "tls_cert": "no.pem", "tls_key": "no.key"}
    with pytest.raises(FileNotFoundError, match=r"tls_cert is no\.pem, which is no file"):
        ClusterSettings(**files).tls_files()
    assert ClusterSettings().tls_files() is None


def test_the_job_script_says_what_was_asked_for(tmp_path, root, monkeypatch):
    monkeypatch.setenv("IMTOOLS_EXTENSIONS", "/my models/own.py")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    settings = {
        "workers_per_job": 4, "cores": 8, "memory": "16GB", "walltime": "12:30:00", "queue": "long",
        "account": "lim", "interface": "lo", "directives": ["--constraint=cpu"],
        "prologue": ["module load git"], "log_directory": str(tmp_path / "logs"),
    }  # fmt: skip
    path = tmp_path / "hpc.yaml"
    path.write_text("\n".join(f"{name}: {json.dumps(v)}" for name, v in settings.items()))
    lines = job_script(read_settings(path)).splitlines()
    for line in (
        "#!/usr/bin/env bash", "#SBATCH -J imtools", "#SBATCH -p long", "#SBATCH -A lim",
        "#SBATCH -n 1", "#SBATCH --cpus-per-task=8", "#SBATCH --mem=15G", "#SBATCH -t 12:30:00",
        "#SBATCH --constraint=cpu", f"#SBATCH -e {tmp_path}/logs/imtools-%J.err",
        f"export IMTOOLS_DATA={root}", "export IMTOOLS_EXTENSIONS='/my models/own.py'",
        "export OMP_NUM_THREADS=3", "export MKL_NUM_THREADS=2", "module load git",
        "export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'",
    ):  # fmt: skip
        assert line in lines, line
    command = lines[-1]
    assert command.startswith(f"{sys.executable} -m distributed.cli.dask_worker tls://SCHEDULER")
    assert command.index("--nthreads 2") < command.index("--nthreads 1 ")  # the last one counts
    for words in (
        "--nworkers 4", "--memory-limit 3.73GiB", "--no-dashboard", "--interface lo",
        "--preload imtools.cluster.worker", "--death-timeout 120",
    ):  # fmt: skip
        assert words in command
    assert lines.index("module load git") == len(lines) - 2  # after what it may depend on


def test_slurm_where_there_is_none_is_one_line(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    match = "no sbatch here; run it on a machine that submits"
    with pytest.raises(RuntimeError, match=match), connect("slurm"):
        pass


SBATCH = """#!/bin/sh
cp "$1" "{folder}/$$.sh"  # SLURM keeps the script too, which is gone in a moment
setsid sh "{folder}/$$.sh" > /dev/null 2>&1 &
echo $! >> "{folder}/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- "-$1"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Return the list of jobs of a SLURM that runs each script at once, on this machine."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "scancel": SCANCEL}.items():
        program = folder / name
        program.write_text(text.format(folder=folder))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (folder / "jobs").touch()
    yield lambda: [int(line) for line in (folder / "jobs").read_text().split()]
    for pid in (folder / "jobs").read_text().split():
        for process in psutil.process_iter(["pid"]):
            try:
                if os.getpgid(process.pid) == int(pid):
                    process.kill()
            except (ProcessLookupError, psutil.NoSuchProcess):
                continue


@pytest.fixture
def credentials(tmp_path):
    """Return settings with a certificate that is its own authority."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here to make a certificate")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
    words = ["-subj", "/CN=imtools", "-keyout", key, "-out", cert]
    subprocess.run([*command.split(), *words], check=True, capture_output=True)
    return {"tls_ca_file": str(cert), "tls_cert": str(cert), "tls_key": str(key)}


@pytest.mark.slow
def test_slurm_jobs_make_the_same_bytes_and_one_that_is_lost_is_asked_for_again(
    tmp_path, slow_serial, slurm, credentials
):
    import dask

    def kill_one():
        wait_for(lambda: len(list(path.glob("catalogue_*.nc"))) > 1)
        killed.extend(slurm())
        os.killpg(killed[-1], signal.SIGKILL)
        left.append(N - len(list(path.glob("catalogue_*.nc"))))

    path, killed, left = tmp_path / "set", [], []
    settings = ClusterSettings(**credentials, interface="lo", n_workers=1)
    killer = threading.Thread(target=kill_one, daemon=True)
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        connect("slurm", settings=settings) as client,
    ):
        assert client.scheduler.address.startswith("tls://127.0.0.1:")
        killer.start()
        assert build(SLOW, path, client=client, progress=False) == list(range(N))
        killer.join()
        assert left[0] > 0  # it died in the middle
        assert len(slurm()) > len(killed)
    assert_same_files(path, slow_serial)

    def running(job):
        return [p for p in psutil.process_iter() if _group_of(p) == job]

    wait_for(lambda: not any(running(job) for job in slurm()))  # the jobs were cancelled


def _group_of(process):
    try:
        zombie = process.status() == psutil.STATUS_ZOMBIE
        return None if zombie else os.getpgid(process.pid)
    except (ProcessLookupError, psutil.NoSuchProcess):
        return None


def test_slurm_without_credentials_is_refused(slurm, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(RuntimeError, match="TLS needs the package cryptography"), connect("slurm"):
        pass
