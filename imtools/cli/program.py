"""What every command shares: the program, its parameters in pairs, and errors of one line."""

from functools import wraps
from typing import Annotated

import typer
from typer.core import TyperCommand

from imtools.runs import from_text

app = typer.Typer(
    help="Mock CO maps, networks that read the luminosity function, and an honest scoreboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # its traces show local values
)


class PairsCommand(TyperCommand):
    """A command that takes ``-p name value`` as well as ``-p name=value``."""

    def parse_args(self, ctx, args):
        """Join each name with its value, which Typer cannot do, and parse."""
        joined, rest = [], list(args)
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word == "-p" and len(rest) > 1 and "=" not in rest[0]:
                joined.append(f"{rest.pop(0)}={rest.pop(0)}")
        return super().parse_args(ctx, joined)


Preset = Annotated[str | None, typer.Option(help="Sizes: tiny, quick, paper, full or comap.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "-p", metavar="NAME VALUE", help="Set one parameter of the notebook or the experiment."
    ),
]


def in_one_line(command):
    """Turn the errors of `command` into one line and exit status 2."""

    @wraps(command)
    def wrapped(**settings):
        try:
            return command(**settings)
        except typer.Exit:  # a RuntimeError, but no error of ours
            raise
        except (ValueError, KeyError, OSError, RuntimeError) as error:
            text = error.args[0] if isinstance(error, KeyError) else error
            typer.echo(f"imtools: {' '.join(str(text).split())}", err=True)
            raise typer.Exit(2) from None

    return wrapped


def values_of(pairs):
    """Return ``name=value`` texts as a dict of values."""
    values = {}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            msg = f"-p {pair}: got no value, expected -p NAME VALUE"
            raise ValueError(msg)
        if name in values:
            msg = f"-p {name}: given twice, expected once; remove one"
            raise ValueError(msg)
        values[name] = from_text(text)
    return values
