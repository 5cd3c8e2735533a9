"""`imtools dashboard`: on this machine, behind a token, and nothing is left when it ends (S1)."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest
from small_notebooks import write_notebook
from typer.testing import CliRunner

from imtools import cli
from imtools.dashboards import serving
from imtools.dashboards.serving import LEAST, address_of, checked_token, free_port

PROGRAM = [sys.executable, "-c", "from imtools.cli import app; app()", "dashboard"]
LONG = "x" * LEAST


@pytest.fixture
def notebook(tmp_path):
    return write_notebook(tmp_path / "small.ipynb", "print('twenty', 'two')")


@pytest.fixture
def started(monkeypatch):
    """Return what would be served, and serve nothing."""
    found = []

    def start(server):
        found.append(server)

    monkeypatch.setattr(serving.AppServer, "start", start)
    # what would be left of it in this process
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr(serving.AppServer, "_configure_logging", lambda _: None)
    monkeypatch.setenv("IMTOOLS_DATA", "data")
    return found


def dashboard(*words):
    return CliRunner().invoke(cli.app, ["dashboard", *map(str, words)])


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "", "192.168.0.1", "example.org", "127.1.example"]
)
def test_another_host_without_a_token_is_refused(host, notebook, started):
    shown = dashboard(notebook, "--host", host)
    assert shown.exit_code == 2
    assert "there is no token, expected 127.0.0.1" in shown.stderr
    assert shown.stderr.count("\n") == 1
    shown = dashboard(notebook, "--host", host, "--token", "short")
    assert "the token has 5 characters, expected 127.0.0.1, or a token of 16" in shown.stderr
    assert started == []


@pytest.mark.parametrize("token", ["", "  "])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_an_empty_token_is_no_token(host, token, notebook, started):
    shown = dashboard(notebook, "--host", host, "--token", token)
    assert shown.exit_code == 2
    assert "the token is empty" in shown.stderr
    assert started == []


def test_this_machine_alone_gets_a_new_token_each_time(notebook, started):
    addresses = [dashboard(notebook).stdout for _ in range(2)]
    tokens = [server.token for server in started]
    assert tokens[0] != tokens[1]
    assert all(len(token) >= 32 for token in tokens)
    for server, text in zip(started, addresses, strict=True):
        assert server.ip == "127.0.0.1"
        assert f"http://127.0.0.1:{server.port}/?token={server.token}" in text


def test_another_host_with_a_long_token_is_served(notebook, started):
    shown = dashboard(notebook, "--host", "0.0.0.0", "--token", LONG)
    assert shown.exit_code == 0
    assert (started[0].ip, started[0].token) == ("0.0.0.0", LONG)
    assert f"{socket.gethostname()}:{started[0].port}/?token={LONG}" in shown.stdout


def test_settings_in_the_folder_open_nothing(notebook, started, monkeypatch):
    monkeypatch.chdir(notebook.parent)
    (notebook.parent / "voila.json").write_text(
        '{"Voila": {"ip": "0.0.0.0", "token": "", "auto_token": false},'
        ' "VoilaConfiguration": {"file_allowlist": [".*"]}}'
    )
    assert dashboard(notebook, "--token", "mine").exit_code == 0
    server = started[0]
    assert (server.ip, server.token) == ("127.0.0.1", "mine")
    assert server.voila_configuration.file_allowlist == []


def test_what_cannot_be_served_is_said_in_one_line(tmp_path, notebook, started):
    shown = dashboard(tmp_path / "none.ipynb")
    assert "none.ipynb is not there, expected a notebook" in shown.stderr
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        shown = dashboard(notebook, "--port", port)
        assert shown.exit_code == 2
        assert f"port {port} of 127.0.0.1 cannot be had" in shown.stderr
        with pytest.raises(OSError, match="cannot be had"):
            free_port("127.0.0.1", port)
    assert started == []


def test_tokens_and_addresses():
    assert checked_token("localhost", "mine") == "mine"
    assert checked_token("10.0.0.1", LONG) == LONG
    assert address_of("::1", 80, "a b") == "http://[::1]:80/?token=a%20b"


def fetch(address, **headers):
    """Return status, last address and text of a page."""
    request = urllib.request.Request(address, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.geturl(), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.geturl(), ""


@pytest.fixture
def server(notebook, tmp_path):
    """Yield a server's process and address, as a person starts it."""
    (tmp_path / "secret.png").write_bytes(b"picture")
    environment = os.environ | {"IMTOOLS_DATA": str(tmp_path / "data")}
    (tmp_path / "scratch").mkdir()
    own = {"JUPYTER_RUNTIME_DIR": "jupyter", "IPYTHONDIR": "ipython", "TMPDIR": "scratch"}
    environment |= {name: str(tmp_path / folder) for name, folder in own.items()}
    process = subprocess.Popen(
        [*PROGRAM, str(notebook)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        address = next(line.strip() for line in process.stdout if "http://" in line)
        port = int(address.partition("?")[0].rpartition(":")[2].strip("/"))
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process, address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


@pytest.mark.slow
def test_pages_need_the_token_have_kernels_of_their_own_and_ctrl_c_ends_all(server, tmp_path):  # S1
    process, address = server
    bare = address.partition("?")[0]
    kernel = "12345678-1234-1234-1234-123456789abc"
    for path in ("", "?token=wrong"):
        status, where, text = fetch(bare + path)
        assert (status, where.startswith(f"{bare}login")) == (200, True)
        assert "twenty" not in text
    for path in (f"api/kernels/{kernel}", "voila/files/secret.png", "voila/files/small.ipynb"):
        assert fetch(bare + path)[0] == 403
    # a name that somebody made point at this machine
    assert fetch(address, Host="elsewhere.example")[0] == 403
    assert psutil.Process(process.pid).children() == []  # no kernel was started for anyone
    for n in (1, 2):
        status, _, text = fetch(address)
        assert (status, "twenty two" in text) == (200, True)
        kernels = psutil.Process(process.pid).children()
        assert len(kernels) == n
    others = [c for c in psutil.Process(process.pid).net_connections("tcp") if c.status == "LISTEN"]
    assert {c.laddr.ip for c in others} == {"127.0.0.1"}
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert not [kernel for kernel in kernels if kernel.is_running()]
    assert list(tmp_path.glob("scratch/voila_*")) == []  # how the kernels were reached


def test_the_notebook_of_the_repository_is_what_is_served(started, monkeypatch):
    root = Path(__file__).parents[1]
    monkeypatch.setenv("IMTOOLS_DATA", str(root / "data"))
    assert dashboard().exit_code == 0
    assert Path(started[0].notebook_path) == root / "notebooks" / "dashboard.ipynb"
