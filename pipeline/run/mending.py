"""Damaged files in a run: named, removed, and made again by the same run.

Whatever reads a file checks it (`stages.seal`); what fails on a damaged one names it, wherever it happens: in a task,
in the exchange that made the file, or in this process. The file is removed and the run begins anew, which makes what
is missing and nothing else: every product is a function of its inputs, so the same bytes come back.

A file that no run makes (the list of pages to take down, a file of another root) is never removed: the run ends and
names it. So does one that is damaged again as soon as it is made.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

from pipeline.engine.scheduler import TasksFailed
from pipeline.errors import RunError, UserError
from pipeline.store.storage import Store

T = TypeVar("T")
MAX_REBUILDS = 3
"""Times that one run makes the same file again: a disk that damages it more often than that is no disk."""
KEPT = ("takedown/", "sample/", "tokenizers/")
"""Folders of a root whose files no run of a mixture makes."""


class Mender:
    """Removes the damaged files that errors come from, and remembers them."""

    def __init__(self, store: Store, say: Callable[[str], None]) -> None:
        self.store, self.say = store, say
        self._times: Counter[str] = Counter()

    def whole(self, work: Callable[[], T], again: Callable[[], None], foreign: Callable[[str], bool]) -> T:
        """The result of ``work``, begun anew (after ``again``) for as long as it fails on files that can be made again.

        ``foreign`` is true of files that other mixtures make.
        """
        while True:
            try:
                return work()
            except Exception as error:
                if not self.remove(error, foreign):
                    raise
                again()

    def remove(self, error: Exception, foreign: Callable[[str], bool]) -> bool:
        """Remove the damaged files behind an error; False where it has another cause.

        Raises:
            RunError: one of them cannot be made again, or was made again too often.
        """
        damaged = self.damaged(error)
        for address, what in damaged.items():
            if "://" in address or address.startswith(("/", *KEPT)) or foreign(address):
                raise RunError(
                    f"{address} is damaged ({what}), and no run of this mixture makes it: put back a sound copy"
                ) from error
            if self._times[address] == MAX_REBUILDS:
                raise RunError(
                    f"{self.store.uri(address)} was damaged again after it was made again {MAX_REBUILDS} times"
                    f" ({what}): is the disk of the root sound?"
                ) from error
        for address, what in damaged.items():
            self._times[address] += 1
            self.say(f"{address} is damaged ({what}): it is removed and made again")
            self.store.remove(address)
        return bool(damaged)

    def damaged(self, error: Exception) -> dict[str, str]:
        """Damaged files that an error comes from, each with what is wrong with it; none where other things failed."""
        if isinstance(error, TasksFailed):
            return dict(error.damaged) if error.only_damage else {}
        if isinstance(error, UserError):
            return {}
        damage = self.store.damage_behind(error)
        return {} if damage is None else {damage.address: damage.what}


def lacking(listed: Mapping[str, int], expected: Mapping[str, int | None]) -> tuple[set[str], set[str]]:
    """Files that should be there and are not, and those of another size (None: any will do)."""
    missing = {address for address in expected if address not in listed}
    wrong = {
        address for address, size in expected.items() if address not in missing and size not in (None, listed[address])
    }
    return missing, wrong
