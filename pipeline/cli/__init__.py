"""The command line: ``python -m pipeline`` or ``gristmill``. Importing a module of commands adds them to `main`."""

from pipeline.cli import answers, mixtures, rules, runs
from pipeline.cli.group import main

__all__ = ["answers", "main", "mixtures", "rules", "runs"]
