"""The account of one split: what was read, what became a row, and what became of the rest.

Every record is counted once as a row, dropped with a reason, or quarantined with its position. Stretches of a file in
which no record could be read at all are ``bad``: they have a position and a reason and are not records.
"""

from __future__ import annotations

from collections.abc import Callable

from stages.reports import DocumentsReport, Indexed, Place, Unread

MAX_LISTED = 1000
"""Quarantined records and bad stretches listed with their positions; beyond it they are only counted."""


class Account:
    def __init__(self, file: str) -> None:
        self.file = file
        self.records = 0
        self.rows = 0
        self.raw_bytes = 0
        self.text_bytes = 0
        self.num_quarantined = 0
        self.num_bad = 0
        self.dropped: dict[str, list[int]] = {}
        self.quarantined: list[Place] = []
        self.bad: list[Place] = []
        self.unread: Unread | None = None
        self._last_trouble: Place | None = None
        self.content_types: dict[str, int] = {}
        self.notes: dict[str, int] = {}
        self.indexed: Indexed | None = None
        """Records read by ranges: how many were wanted, the requests for them, and the bytes asked and used."""
        self.line: Callable[[], int] | None = None
        """The number of the line being read, from 1, in files of lines."""
        self.unseen: dict[str, str] = {}
        """Columns that a source maps and that no row read so far has (ours: theirs), in files whose rows name their
        own: for who looks at the first pages before a run, in no report."""
        self.names: tuple[str, ...] = ()
        """The columns of the last of these rows."""
        self.last_error = ""
        """The last error of a function of the user's own: for a look at the first page before a run, in no report."""

    def ask(self, wanted: int, requests: int, bytes_asked: int, bytes_used: int) -> None:
        """Records of an index, and what is asked of the place where they lie."""
        old = self.indexed or {"wanted": 0, "requests": 0, "bytes_asked": 0, "bytes_used": 0}
        self.indexed = {
            "wanted": old["wanted"] + wanted,
            "requests": old["requests"] + requests,
            "bytes_asked": old["bytes_asked"] + bytes_asked,
            "bytes_used": old["bytes_used"] + bytes_used,
        }

    def drop(self, reason: str, num_bytes: int, num_records: int = 1) -> None:
        """Records that make no row, and the bytes of all of them."""
        self.records += num_records
        self.raw_bytes += num_bytes
        count = self.dropped.setdefault(reason, [0, 0])
        count[0] += num_records
        count[1] += num_bytes

    def quarantine(self, offset: int, reason: str, num_bytes: int = 0, file: str | None = None) -> None:
        """A record that could not be read as what it claims to be."""
        self.records += 1
        self.raw_bytes += num_bytes
        self.num_quarantined += 1
        entry: Place = {"file": file or self.file, "offset": offset, "reason": reason}
        self._last_trouble = entry
        if len(self.quarantined) < MAX_LISTED:
            self.quarantined.append({**entry, "line": self.line()} if self.line is not None else entry)

    def damage(self, offset: int, reason: str) -> None:
        """A stretch of the file from ``offset`` on in which no record can be read."""
        self.num_bad += 1
        self._last_trouble = {"file": self.file, "offset": offset, "reason": reason}
        if len(self.bad) < MAX_LISTED:
            self.bad.append(self._last_trouble)

    def read_of(self) -> tuple[int, int]:
        """Records read so far that are not quarantined, and troubles: quarantined records and bad stretches."""
        return self.records - self.num_quarantined, self.num_quarantined + self.num_bad

    def end_file(self, before: tuple[int, int], num_bytes: int) -> None:
        """Count a file of which no page came as unread, if nothing else did either but troubles.

        Args:
            before: `read_of` at its begin.
        """
        read, troubles = self.read_of()
        if read == before[0] and troubles > before[1] and self._last_trouble is not None:
            first = self.unread["first"] if self.unread else self._last_trouble
            files, size = (self.unread["files"], self.unread["bytes"]) if self.unread else (0, 0)
            self.unread = {"files": files + 1, "bytes": size + num_bytes, "first": first}

    def add(self, inner: Account, base: int) -> None:
        """Add the account of a member of this file that is a file itself; its positions count from ``base``."""
        self.records += inner.records
        self.raw_bytes += inner.raw_bytes
        self.num_quarantined += inner.num_quarantined
        self.num_bad += inner.num_bad
        for reason, (records, num_bytes) in inner.dropped.items():
            count = self.dropped.setdefault(reason, [0, 0])
            count[0] += records
            count[1] += num_bytes
        for ours, theirs in ((self.quarantined, inner.quarantined), (self.bad, inner.bad)):
            moved: list[Place] = [{**entry, "file": self.file, "offset": entry["offset"] + base} for entry in theirs]
            self._last_trouble = moved[-1] if moved else self._last_trouble
            ours += moved[: MAX_LISTED - len(ours)]
        for mine, counts in ((self.notes, inner.notes), (self.content_types, inner.content_types)):
            for name, number in counts.items():
                mine[name] = mine.get(name, 0) + number

    def report(self) -> DocumentsReport:
        """JSON-able; raises RuntimeError if the records do not add up, which would be our own mistake."""
        num_dropped = sum(count[0] for count in self.dropped.values())
        if self.records != self.rows + num_dropped + self.num_quarantined:
            raise RuntimeError(
                f"{self.file}: {self.records} records read, but {self.rows} rows, {num_dropped} dropped and"
                f" {self.num_quarantined} quarantined"
            )
        report: DocumentsReport = {
            "records": self.records,
            "rows": self.rows,
            "raw_bytes": self.raw_bytes,
            "text_bytes": self.text_bytes,
            "dropped": {r: {"records": c[0], "bytes": c[1]} for r, c in sorted(self.dropped.items())},
            "quarantined": self.quarantined,
            "num_quarantined": self.num_quarantined,
            "bad": self.bad,
            "num_bad": self.num_bad,
            "content_types": dict(sorted(self.content_types.items())),
            "notes": dict(sorted(self.notes.items())),
        }
        if self.unread is not None:
            report["unread"] = self.unread
        if self.indexed is not None:
            report["indexed"] = self.indexed
        return report
