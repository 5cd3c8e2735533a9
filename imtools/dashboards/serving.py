"""The dashboards as an app: Voila on this machine, behind a token."""

import ipaddress
import os
import secrets
import signal
import socket
from pathlib import Path
from urllib.parse import quote

from traitlets.config import Config
from voila.app import Voila

from imtools.run_folder import data_root

HOST = "127.0.0.1"
PORT = 8866  # the first that is tried
N_PORTS = 50  # that are tried
LEAST = 16  # characters of a token that other machines may try to guess
IDLE = 1800  # s after which a kernel ends that has lost its page
GRACE = 3  # s that a kernel may take to end by itself
NOTEBOOK = "dashboard.ipynb"


def serve(notebook=None, *, host=HOST, port=None, token=None, tell):
    """Serve a notebook as an app until it is interrupted; every page has a kernel of its own.

    Parameters
    ----------
    notebook : path-like, optional
        By default ``notebooks/dashboard.ipynb`` beside the folder of data.
    host : str
        Address to listen on.
    port : int, optional
        By default the first free one from 8866.
    token : str, optional
        What a page asks for; by default a new one, for this machine alone.
    tell : callable
        Called with the address, which holds the token.

    Raises
    ------
    FileNotFoundError
        If there is no such notebook.
    ValueError
        If other machines could come in without a token of 16 characters, or with an empty one.
    OSError
        If the port is taken.
    """
    notebook = _checked_notebook(notebook)
    token, port = checked_token(host, token), free_port(host, port)
    # kernels work in the folder of the notebook, and shall see the runs that are seen from here
    os.environ.setdefault("IMTOOLS_DATA", str(data_root()))
    server = AppServer()
    server.initialize([str(notebook), "--no-browser", "--Voila.log_level=WARN"])
    protect(server, host=host, port=port, token=token)
    tell(address_of(host, port, token))
    server.start()


def checked_token(host, token=None):
    """Return the token of a server: the given one, or a new one where only this machine comes in.

    Parameters
    ----------
    host : str
        Address that the server listens on.
    token : str, optional
        Given by a person.

    Raises
    ------
    ValueError
        If it is empty, or `host` is not this machine alone and it is missing or short.

    Examples
    --------
    >>> checked_token("127.0.0.1", "mine")
    'mine'
    >>> checked_token("0.0.0.0")
    Traceback (most recent call last):
        ...
    ValueError: dashboard: host is '0.0.0.0' and there is no token, expected 127.0.0.1, or a \
token of 16 characters or more; pass --token
    """
    if token is not None and not token.strip():
        msg = "dashboard: the token is empty, expected some characters; leave --token out"
        raise ValueError(msg)
    if is_loopback(host):
        return token or secrets.token_urlsafe(24)
    if token is None or len(token) < LEAST:
        found = "there is no token" if token is None else f"the token has {len(token)} characters"
        msg = (
            f"dashboard: host is {host!r} and {found}, expected {HOST}, or a token of {LEAST} "
            "characters or more; pass --token"
        )
        raise ValueError(msg)
    return token


def is_loopback(host):
    """Return whether only this machine can reach a server on `host`.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, and only one of them is sure
        return host == "localhost"


def free_port(host, port=None):
    """Return `port`, or the first free one from 8866.

    Raises
    ------
    OSError
        If `port` is taken, none is free, or `host` is no address of this machine.
    """
    for candidate in range(PORT, PORT + N_PORTS) if port is None else [port]:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((host, candidate))
            except OSError as error:
                reason = error.strerror or error
            else:
                return candidate
    last = f"port {port}" if port is not None else f"a port from {PORT} to {PORT + N_PORTS - 1}"
    msg = f"dashboard: {last} of {host} cannot be had ({reason}), expected a free one; pass --port"
    raise OSError(msg)


def address_of(host, port, token):
    """Return what a browser opens.

    Examples
    --------
    >>> address_of("127.0.0.1", 8866, "a/b")
    'http://127.0.0.1:8866/?token=a%2Fb'
    """
    shown = socket.gethostname() if host in ("", "0.0.0.0", "::") else host
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}/?token={quote(token, safe='')}"


def protect(server, *, host, port, token):
    """Set what no file of settings may change: address, token, and what is served without it."""
    server.ip, server.port, server.port_retries = host, port, 0
    server.token, server.auto_token = token, False
    configuration = server.voila_configuration
    configuration.file_allowlist = []  # files beside the notebook are asked for without a token
    configuration.show_tracebacks = False
    configuration.allow_template_override = configuration.allow_theme_override = "NO"
    server.update_config(
        Config(
            MappingKernelManager={
                "cull_idle_timeout": IDLE, "cull_interval": 60, "cull_connected": False
            },
            KernelManager={"shutdown_wait_time": GRACE},
        )
    )  # fmt: skip
    if is_loopback(host):  # a page from elsewhere cannot come in by a name that it made point here
        server.tornado_settings = {
            "allow_remote_access": False, "local_hostnames": ["localhost", host]
        }  # fmt: skip


class AppServer(Voila):
    """Voila, which ends all its kernels, also when it is interrupted twice."""

    def stop(self):
        """End the kernels, and take away how they were reached."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        super().stop()


def _checked_notebook(notebook):
    path = data_root().parent / "notebooks" / NOTEBOOK if notebook is None else Path(notebook)
    if not path.is_file():
        msg = (
            f"dashboard: {path} is not there, expected a notebook; go to the folder that holds "
            "notebooks/, or name one"
        )
        raise FileNotFoundError(msg)
    return path.absolute()
