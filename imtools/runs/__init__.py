"""Run notebooks in processes of their own, with checked parameters, and keep what they leave."""

from imtools.runs.listing import list_runs
from imtools.runs.parameters import from_text
from imtools.runs.resume import resume_run
from imtools.runs.running import Run, run_notebook

__all__ = ["Run", "from_text", "list_runs", "resume_run", "run_notebook"]
