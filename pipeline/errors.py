"""The errors a user can act on: one line each, exit code 2 for a wrong request, 1 for a run that failed."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. The message says what was expected, what was found, where, and what to do."""

    exit_code = 2


class RunError(UserError):
    """A run that cannot be right: it started, and failed."""

    exit_code = 1
