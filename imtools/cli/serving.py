"""`imtools dashboard`: maps, runs and posteriors in a browser."""

from pathlib import Path
from typing import Annotated

import typer

from imtools.cli.program import in_one_line


@in_one_line
def dashboard(
    notebook: Annotated[
        Path | None, typer.Argument(help="Another notebook than notebooks/dashboard.ipynb.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Else the first free one from 8866.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but this machine's own needs --token.")
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="IMTOOLS_TOKEN", show_default=False, help="What a page asks for; else a new one."
        ),
    ] = None,
):
    """Serve the dashboards on this machine, a kernel for each page, until Ctrl-C."""
    from imtools.dashboards.serving import serve

    serve(notebook, host=host, port=port, token=token, tell=_tell)


def _tell(address):
    typer.echo(f"The dashboard is at\n\n    {address}\n\nCtrl-C ends it and its kernels.")
