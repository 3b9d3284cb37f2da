"""The command line: ``python -m pipeline`` or ``gristmill``. Importing a module of commands adds them to `main`."""

import gc

gc.disable()  # there is nothing to collect among modules, and looking takes a tenth of their time

from pipeline.cli import answers, fitting, mixtures, rules, runs  # noqa: E402
from pipeline.cli.group import main  # noqa: E402

gc.enable()
gc.freeze()  # they last as long as the process: walking them at its end, and in between, takes as much again

__all__ = ["answers", "fitting", "main", "mixtures", "rules", "runs"]
