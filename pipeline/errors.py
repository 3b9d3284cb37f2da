"""The errors a user can act on: one line each, exit code 2 for a wrong request, 1 for a run that failed."""

from __future__ import annotations

import errno

from stages.untrusted import whole_line

FULL = (errno.ENOSPC, errno.EDQUOT)


def one_line(error: Exception) -> str:
    """An error in one line, its file first: ``/a/b: Permission denied``; of two files, the one to be written; of a full
    disk or quota, what to do."""
    if isinstance(error, OSError) and isinstance(error.filename, str) and error.strerror:
        file = str(error.filename2 or error.filename)
        do = "; make room there, then run the same command again" if error.errno in FULL else ""
        return f"{whole_line(file)}: {error.strerror.removeprefix(f'{file}: ')}{do}"
    return str(error).partition("\n")[0]


class UserError(Exception):
    """Something the user can mend. The message says what was expected, what was found, where, and what to do."""

    exit_code = 2


class OutputError(UserError):
    """A result that could not be printed."""

    exit_code = 1


class RunError(UserError):
    """A run that cannot be right: it started, and failed."""

    exit_code = 1
