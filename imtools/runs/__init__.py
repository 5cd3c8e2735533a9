"""Run notebooks in processes of their own, with checked parameters, and keep what they leave."""

from imtools.runs.compare import compare_runs
from imtools.runs.listing import find_runs, list_runs
from imtools.runs.outcomes import collect_runs, differing_parameters, kept_outcomes
from imtools.runs.parameters import from_text
from imtools.runs.resume import resume_run
from imtools.runs.running import Run, run_notebook
from imtools.runs.sweeps import run_sweep

__all__ = [
    "Run", "collect_runs", "compare_runs", "differing_parameters", "find_runs", "from_text",
    "kept_outcomes", "list_runs", "resume_run", "run_notebook", "run_sweep",
]  # fmt: skip
