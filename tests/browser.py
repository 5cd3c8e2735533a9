"""A real browser on JupyterLab and Voila, for the tests of what people see and touch.

Where there is no Chromium those tests are skipped, loudly; with ``IMTOOLS_NEED_BROWSER=1``, as
``.ci/run`` sets it, they fail instead.
"""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCREENSHOTS = ROOT / "data" / "screenshots"  # git ignores it
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
N_STARTS = 2  # of a server: another process may take its port before it does
SAME = 1.5  # s that a figure must not change for its picture to be taken
LONG = 90_000  # ms, for a server or a page that starts on a busy machine
SETTINGS = {  # no question in the way, and all cells in the page, also those out of sight
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false"},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
APP_READY = "() => Boolean(window.jupyterapp?.shell.currentWidget?.sessionContext)"
KERNEL_READY = """async () => {
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
}"""
CANVASES = """element => {
    const found = [];
    const onWhite = canvas => {  // what lies under full transparency is no part of a picture
        const flat = document.createElement('canvas');
        [flat.width, flat.height] = [canvas.width, canvas.height];
        const context = flat.getContext('2d');
        context.fillStyle = 'white';
        context.fillRect(0, 0, flat.width, flat.height);
        context.drawImage(canvas, 0, 0);
        return flat.toDataURL();
    };
    const look = node => {
        if (node.tagName === 'CANVAS' && node.width && node.height) found.push(onWhite(node));
        for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) look(child);
    };
    look(element);
    return found;
}"""
CELL_STATES = """() => [...document.querySelectorAll('.jp-CodeCell')].map(cell => ({
    prompt: cell.querySelector('.jp-InputPrompt')?.textContent.trim() ?? '',
    errors: [...cell.querySelectorAll('[data-mime-type*=error]')].map(e => e.textContent),
}))"""


def chromium_path():
    """Return the path of Chromium, or None."""
    chosen = os.environ.get("CHROMIUM")
    found = [chosen] if chosen else [shutil.which(name) for name in CHROMIUM_NAMES]
    return next((path for path in found if path), None)


def need_chromium():
    """Return the path of Chromium; without it skip, or fail where a browser has to be there."""
    path = chromium_path()
    if path:
        return path
    reason = "no Chromium: the browser tests DID NOT RUN; apt-get install chromium, or set CHROMIUM"
    if os.environ.get("IMTOOLS_NEED_BROWSER") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def open_page(*, width=1500, height=1150):
    """Yield a page of a fresh Chromium; ``page.faults`` lists what its scripts raised."""
    from playwright.sync_api import sync_playwright

    path = need_chromium()
    # a process of the browser may write there until it has noticed the end
    temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
    with temporary as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=path, args=list(FLAGS), headless=True,
            viewport={"width": width, "height": height},
            permissions=["clipboard-read", "clipboard-write"],
        )  # fmt: skip
        page = context.pages[0]
        page.set_default_timeout(LONG)
        page.faults = []
        page.on("pageerror", lambda error: page.faults.append(str(error)))
        try:
            yield page
        finally:
            context.close()


@contextmanager
def open_pages(n, *, width=1500, height=1150):
    """Yield pages of `n` people, who share a fresh Chromium and nothing else; as `open_page`."""
    from playwright.sync_api import sync_playwright

    path = need_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS), headless=True)
        size, pages = {"width": width, "height": height}, []
        for _ in range(n):
            page = browser.new_context(viewport=size).new_page()
            page.set_default_timeout(LONG)
            page.faults = faults = []
            page.on("pageerror", lambda error, faults=faults: faults.append(str(error)))
            pages.append(page)
        try:
            yield pages
        finally:
            browser.close()


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server that runs on this machine alone."""

    address: str  # without a slash at the end
    token: str
    folder: Path  # what it serves

    def url(self, path=""):
        """Return the address of a page, with the token that it asks for."""
        return f"{self.address}/{path.lstrip('/')}?token={self.token}"


@contextmanager
def serve(command, folder, *, ready="api/status", token=None, environment=None):
    """Start a server, wait until it answers, yield it, and end it and its kernels.

    Parameters
    ----------
    command : list of str
        Arguments of this Python; ``{port}``, ``{token}`` and ``{folder}`` are put in.
    folder : pathlib.Path
        What it serves; its settings and its log lie beside it.
    ready : str
        Page that answers when the server is ready.
    token : str, optional
        By default a new one.
    environment : dict, optional
        More variables.
    """
    token = token or secrets.token_hex(8)
    own = folder.parent / f"{folder.name}-server"
    own.mkdir(exist_ok=True)
    kept = {n: str(own / n.lower()) for n in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    kept |= {"IMTOOLS_DATA": str(own / "data"), "JUPYTERLAB_SETTINGS_DIR": str(own / "settings")}
    kept |= {"JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces")}
    with (own / "log.txt").open("w") as log:
        settings = {
            "cwd": folder, "env": os.environ | kept | (environment or {}), "stdout": log,
            "stderr": subprocess.STDOUT, "start_new_session": True,
        }  # fmt: skip
        for _ in range(N_STARTS):
            port = _free_port()
            words = [word.format(port=port, token=token, folder=folder) for word in command]
            process = subprocess.Popen([sys.executable, *words], **settings)
            server = Server(address=f"http://127.0.0.1:{port}", token=token, folder=folder)
            try:
                if _answers(server.url(ready), process):
                    yield server
                    return
            finally:
                _end(process)
    pytest.fail(f"the server did not start:\n{(own / 'log.txt').read_text()[-2000:]}")


@contextmanager
def jupyter_lab(folder, **settings):
    """Yield JupyterLab on `folder`; see `serve`."""
    command = [
        "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.root_dir={folder}", "--IdentityProvider.token={token}",
        "--LabApp.expose_app_in_browser=True", "--KernelManager.shutdown_wait_time=1",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]  # fmt: skip
    for name, values in SETTINGS.items():
        path = folder.parent / f"{folder.name}-server" / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    with serve(command, folder, **settings) as server:
        yield server


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _answers(url, process):
    """Wait until a server answers, and return whether it does."""
    end = time.monotonic() + LONG / 1000
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=30):
                return True
        except OSError:
            time.sleep(0.2)
    return False


def _end(process):
    """End a server as Ctrl-C does, so that it ends its kernels, and whatever is left of it."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def copy_notebook(name, folder, **parameters):
    """Copy a notebook of the repository into `folder`, some parameters changed, and return it."""
    notebook = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))
    lines = "".join(notebook["cells"][1]["source"]).splitlines()
    for parameter, value in parameters.items():
        hits = [i for i, line in enumerate(lines) if line.startswith(f"{parameter} = ")]
        assert hits, f"{name} has no parameter {parameter}"
        lines[hits[0]] = f"{parameter} = {value!r}"
    notebook["cells"][1]["source"] = "\n".join(lines)
    path = Path(folder) / name
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


def open_notebook(page, server, name):
    """Open a notebook in JupyterLab, in a workspace of its own, and wait for its kernel."""
    page.goto(server.url(f"lab/workspaces/{secrets.token_hex(4)}/tree/{name}"))
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_function(APP_READY)
    page.evaluate(KERNEL_READY)


def run_all(page, *, timeout_s=180):
    """Run all cells of the open notebook; fail on the first that raises, or after `timeout_s`."""
    # the command of the menu's entry; a click on a menu that is still being built is lost
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        page.wait_for_timeout(300)
        cells = page.evaluate(CELL_STATES)
        errors = [error for cell in cells for error in cell["errors"]]
        assert not errors, errors[0][-2000:]
        is_idle = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").count()
        if is_idle and cells and all(c["prompt"] not in ("[*]:", "[ ]:") for c in cells):
            return
    pytest.fail(f"the notebook did not end within {timeout_s} s: {page.evaluate(CELL_STATES)}")


def screenshot(page, name):
    """Store what the page shows as ``data/screenshots/NAME.png``."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def picture(locator):
    """Return the picture of a figure, once it is there and has been the same for `SAME`.

    It is the bytes of its canvases, which do not depend on where on the page they stand. On a busy
    machine a figure is drawn in steps that lie apart, axes first: two alike are not yet the end.
    """
    before, since, end = [], 0.0, time.monotonic() + LONG / 1000
    while time.monotonic() < end:
        now = locator.evaluate(CANVASES)
        if now != before:
            before, since = now, time.monotonic()
        elif now and time.monotonic() - since >= SAME:
            return now
        locator.page.wait_for_timeout(200)
    pytest.fail("the figure is not there, or never the same for long")


def shared_picture(locators, *, timeout_s=60):
    """Return the picture of figures as soon as all have the same, or fail."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        first, *others = (picture(locator) for locator in locators)
        if all(other == first for other in others):
            return first
    pytest.fail(f"the pictures did not become the same within {timeout_s} s")


def changed_picture(locator, before, *, timeout_s=60):
    """Return the picture of an element as soon as it differs from `before`, or fail."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        now = picture(locator)
        if now != before:
            return now
    pytest.fail(f"the picture did not change within {timeout_s} s")


def wait_for_picture(locator, expected, *, timeout_s=60):
    """Wait until the picture of an element is the one that was there before, or fail."""
    end = time.monotonic() + timeout_s
    while locator.evaluate(CANVASES) != expected:
        if time.monotonic() > end:
            pytest.fail(f"the picture did not come back within {timeout_s} s")
        locator.page.wait_for_timeout(150)
