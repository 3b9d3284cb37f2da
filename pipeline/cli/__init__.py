"""The command line: ``python -m pipeline`` or ``gristmill``. Importing a module of commands adds them to `main`."""

from pipeline.cli import answers, fitting, mixtures, rules, runs
from pipeline.cli.group import main

__all__ = ["answers", "fitting", "main", "mixtures", "rules", "runs"]
