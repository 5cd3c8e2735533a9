"""The command line: `imtools simulate`, `imtools run`, `imtools runs`, `imtools predict`."""

from imtools.cli.predicting import predict
from imtools.cli.program import PairsCommand, app
from imtools.cli.running import run, runs
from imtools.cli.simulating import simulate

__all__ = ["app", "predict", "run", "runs", "simulate"]

for command, kind in ((simulate, PairsCommand), (run, PairsCommand), (runs, None), (predict, None)):
    app.command(cls=kind)(command)  # in the order in which the help lists them
