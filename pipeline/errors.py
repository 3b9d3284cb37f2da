"""The errors a user can act on: one line each, exit code 2 for a wrong request, 1 for a run that failed."""

from __future__ import annotations


def told(error: Exception) -> str:
    """One line; a file stands before what is wrong with it: ``/a/b: Permission denied``; of two, where one would go."""
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        return f"{error.filename2 or error.filename}: {error.strerror}"
    return str(error).partition("\n")[0]


class UserError(Exception):
    """Something the user can mend. The message says what was expected, what was found, where, and what to do."""

    exit_code = 2


class RunError(UserError):
    """A run that cannot be right: it started, and failed."""

    exit_code = 1
