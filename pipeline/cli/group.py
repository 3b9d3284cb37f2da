"""Parts that all commands share: their group, which turns errors into one line and an exit code, and common options.

Every command prints its result on standard output and its progress on standard error, ends with 0 only when all is
well, names what is wrong in one line, and shows the traceback with ``--debug``.
"""

from __future__ import annotations

import atexit
import functools
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import Any

import click

from pipeline import terminal
from pipeline.cli.values import Count, wrong_request
from pipeline.engine.process import prepare_process
from pipeline.errors import UserError, one_line
from pipeline.store.storage import Store, is_path
from stages.seal import DamagedFile

ROOT = click.option(
    "--root",
    envvar="GRISTMILL_ROOT",
    required=True,
    help="Folder or s3://, gs:// URI that holds everything of the run [env: GRISTMILL_ROOT].",
)
MIXTURE = click.argument("mixture", type=click.Path(dir_okay=False))
ENGINE = click.option(
    "--engine",
    type=click.Choice(["ray", "inline"]),
    default="ray",
    show_default=True,
    help="On Ray, a local one if there is no cluster, or in one process.",
)
WORKERS = click.option("--workers", type=Count(1), help="Processes at most; by default every CPU there is.")
QUIET = click.option("--quiet", is_flag=True, help="Say nothing but errors and the result.")
NAME = click.option("--mixture", "name", help="Name of the mixture; by default the one run last under this root.")


PATIENCE = 15.0
"""Seconds after which another signal ends a command that is stopping without waiting for anything more."""

STORES: list[Any] = []
"""Roots opened by the command under way."""


class Group(click.Group):
    """Turns every error into one line and an exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        debug = "--debug" in sys.argv
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        atexit.register(_ignore_signals)  # first in, last out: after Ray's own
        try:
            return super().main(*args, standalone_mode=False, **kwargs)  # type: ignore[call-overload]
        except click.exceptions.NoArgsIsHelpError as error:
            error.show(file=terminal.errors())
            sys.exit(error.exit_code)
        except click.ClickException as error:
            sys.exit(_say(wrong_request(error), error.exit_code))
        except SystemExit:  # of a signal; Ray, while it waits, puts one of its own in its place
            if _Stopping.since is None:
                raise
            sys.exit(_say(f"{_Stopping.word}; the same command continues where it stopped", _Stopping.code))
        except (click.Abort, KeyboardInterrupt):
            sys.exit(_say("interrupted; the same command continues where it stopped", 130))
        except UserError as error:
            if debug:
                traceback.print_exc(file=terminal.errors())
                for trace in getattr(error, "traces", []):
                    terminal.tell(trace)
            sys.exit(_say(str(error), error.exit_code))
        except Exception as error:  # noqa: BLE001 - the last place where an error can become one line
            if isinstance(error, OSError) and _of_click(error):
                sys.exit(_say(terminal.unprinted(error), 1))
            if debug:
                traceback.print_exc(file=terminal.errors())
            kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
            hint = "" if debug else " (--debug shows where)"
            sys.exit(_say(f"{kind}{one_line(error)}{hint}", 1))


def _of_click(error: OSError) -> bool:
    """Whether click itself could not print: ``--help``, ``--version``."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return frames[-1].f_globals.get("__name__") == "click.utils"


def _say(message: str, code: int) -> int:
    terminal.tell(f"gristmill: {message}")
    return code


class Stopped(SystemExit):
    """SIGINT or SIGTERM, as an exception that nothing on the way takes for an error."""


class _Stopping:
    """Time of the first signal, the word shown for it and its exit code; further signals change none of them."""

    since: float | None = None
    word = ""
    code = 0


def _stop(number: int, frame: FrameType | None) -> None:
    if _Stopping.since is None:
        _Stopping.since, _Stopping.code = time.monotonic(), 128 + number
        _Stopping.word = "interrupted" if number == signal.SIGINT else "terminated"
        raise Stopped(_Stopping.code)
    if time.monotonic() - _Stopping.since > PATIENCE:
        os._exit(_Stopping.code)


def _ignore_signals() -> None:
    """Python gives its signals back to the system while it ends: one that came then would end it with another code."""
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="gristmill")
def main(debug: bool) -> None:
    """From web crawls to token-counted Arrow shards: filter, deduplicate, tokenize and mix pretraining data on Ray."""
    prepare_process()


def command(*args: Any, **kwargs: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A command of `main` that takes ``--debug`` after its name too."""

    def decorate(function: Callable[..., None]) -> click.Command:
        about = " ".join((function.__doc__ or "").split())
        kwargs.setdefault("short_help", about.partition(". ")[0].rstrip("."))  # whole: click's own is cut at 45 letters
        made: click.Command = main.command(*args, **kwargs)(
            click.option("--debug", is_flag=True, hidden=True, expose_value=False)(function)
        )
        return made

    return decorate


def reading(function: Callable[..., None]) -> Callable[..., None]:
    """For commands that only read a root: a file that cannot be read is named in one line, with exit code 2."""

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        del STORES[:]
        try:
            function(*args, **kwargs)
        except (UserError, click.ClickException, BrokenPipeError):
            raise
        except Exception as error:
            known = isinstance(error, (OSError, ValueError, EOFError, DamagedFile))
            known = known or type(error).__module__.startswith("zstandard")
            store = next((store for store in STORES if store.opened), None)
            if not known or store is None or _elsewhere(error, store):
                raise
            place, why = store.unreadable(error)
            hint = "the next run of its mixture makes it again; `gristmill verify` checks all"
            raise UserError(f"{place} cannot be read ({why}); {hint}") from error

    return wrapped


def _elsewhere(error: Exception, store: Any) -> bool:
    """Whether the error names a file that is not of the root: one to write to, say."""
    remote = re.match(r"[a-z0-9]+://[^\s:]+", str(error))
    if remote:
        return not remote[0].startswith(f"{store.root.partition('?')[0].rstrip('/')}/")
    name = getattr(error, "filename", None)
    return isinstance(name, str) and not os.path.abspath(name).startswith(os.path.join(store.base, ""))


def write_page(path: str, text: str) -> None:
    """Write a page to the path or URI that a command was given.

    Raises:
        UserError: when that cannot be done.
    """
    folder, _, name = path.rpartition("/")
    try:
        Store(folder or ("." if is_path(path) else path)).write_bytes(name, text.encode("utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {one_line(error)}") from error


def open_root(root: str) -> Any:
    """The store of a root; a relative path is refused where it would mean another folder on every node."""
    relative = is_path(root) and not os.path.isabs(os.path.expanduser(root))
    if relative and (os.environ.get("RAY_ADDRESS") or os.environ.get("RAY_JOB_ID")):
        raise UserError(
            f"root {root!r} is relative: on a cluster every node has another working folder; give an absolute path on a"
            " shared disk, or s3://, gs://"
        )
    if is_path(root) and os.path.isfile(os.path.expanduser(root)):
        raise UserError(f"root {root} is a file; expected a folder, which is made if it is not there, or s3://, gs://")
    STORES.append(Store(root))
    return STORES[-1]
