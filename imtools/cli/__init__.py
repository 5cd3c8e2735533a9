"""The command line, a file for each thing that a person does; `imtools --help` lists them."""

from imtools.cli.predicting import predict
from imtools.cli.program import PairsCommand, app
from imtools.cli.running import run, runs
from imtools.cli.serving import dashboard
from imtools.cli.simulating import simulate
from imtools.cli.sweeping import compare, sweep

__all__ = ["app", "compare", "dashboard", "predict", "run", "runs", "simulate", "sweep"]

for command in (simulate, run):  # in the order in which the help lists them
    app.command(cls=PairsCommand)(command)
for command in (sweep, runs, compare, predict, dashboard):
    app.command()(command)
