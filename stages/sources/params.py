"""Parameters of one entry under ``sources:``."""

from __future__ import annotations

import re
from typing import Any, Literal, get_args

from pydantic import Field, field_validator, model_validator

from stages.contract import StageParams
from stages.formats import CONTAINERS
from stages.formats.ranges import MAX_REQUEST, WASTE
from stages.rules import own_functions
from stages.schemas import carried_column
from stages.untrusted import whole_line

Ours = Literal["text", "id", "url", "language", "licence", "title", "time"]
"""Columns of pages that rows may give."""
_CODES = """\
aa aar ab abk af afr ak aka am amh ar ara as asm ay aym az aze ba bak be bel bg bul bh bih bi bis bn ben bo bod br bre
bs bos ca cat co cos cs ces cy cym da dan de deu dv div dz dzo ee ewe el ell en eng eo epo es spa et est eu eus fa fas
ff ful fi fin fj fij fo fao fr fra fy fry ga gle gd gla gl glg gn grn gu guj gv glv ha hau he heb hi hin hr hrv ht hat
hu hun hy hye ia ina id ind ie ile ig ibo ik ipk is isl it ita iu iku ja jpn jv jav ka kat kk kaz kl kal km khm kn kan
ko kor ks kas ku kur ky kir la lat lb ltz lg lug ln lin lo lao lt lit lv lav mg mlg mi mri mk mkd ml mal mn mon mr mar
ms msa mt mlt my mya na nau ne nep nl nld no nor nn nno nb nob nr nbl ny nya oc oci om orm or ori pa pan pl pol ps pus
pt por qu que rm roh rn run ro ron ru rus rw kin sa san sc srd sd snd sg sag si sin sk slk sl slv sm smo sn sna so som
sq sqi sr srp ss ssw st sot su sun sv swe sw swa ta tam te tel tg tgk th tha ti tir tk tuk tl tgl tn tsn to ton tr tur
ts tso tt tat tw twi ug uig uk ukr ur urd uz uzb ve ven vi vie vo vol wa wln wo wol xh xho yi yid yo yor za zha zh zho
zu zul"""
THREE_LETTERS = dict(zip(_CODES.split()[::2], _CODES.split()[1::2], strict=True))
"""Codes of ISO 639-1 and 639-3: Common Crawl writes the latter."""


class SourceError(ValueError):
    """A source that cannot be listed; the message is one sentence that says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(whole_line(message))  # names of files hold line ends


class Where(StageParams):
    """Rows of an index that are wanted: those that meet every condition given."""

    languages: tuple[str, ...] = ()
    """Pages in which one of these was found (`content_languages`): `deu` or `de`."""
    main_language: bool = False
    """Only the first language of a page counts, which is the one most of it is in."""
    mime: tuple[str, ...] = ()
    """Media types: `content_mime_detected`, or where that is empty `content_mime_type`."""
    status: tuple[int, ...] = ()
    """HTTP status (`fetch_status`)."""
    hosts: tuple[str, ...] = ()
    """Hosts, with all below them: `example.org` is `www.example.org` too, `de` all of Germany's."""
    urls: str | None = None
    """A file that lists addresses, one a line; they must be spelt as in the index."""
    min_length: int | None = Field(None, ge=0)
    """Least compressed bytes of a record (`warc_record_length`)."""
    max_length: int | None = Field(None, ge=0)
    truncated: bool | None = None
    """Whether the crawler cut the page (`content_truncated`); `false` leaves cut ones out."""

    @field_validator("languages", "mime", "status", "hosts", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, (str, int)) else value

    @field_validator("languages")
    @classmethod
    def _three_letters(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(sorted({THREE_LETTERS.get(code.lower(), code.lower()) for code in value}))
        for code in found:
            if not re.fullmatch("[a-z]{3}", code):
                raise ValueError(f"expected codes of ISO 639 such as deu or de, found {code!r}")
        return found

    @field_validator("mime", "hosts")
    @classmethod
    def _lower(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({one.strip().lower().strip(".") for one in value}))


class SourceParams(StageParams):
    """One entry under ``sources:``. Paths are absolute or URIs by the time they come here."""

    paths: tuple[str, ...] = ()
    """Files, folders (every file of a known format in them) and globs: ``*``, ``?``, ``[ab]``, ``{a,b}``, ``**``;
    what begins with ``.`` or ``_`` is left out unless the path says so, and so is the root of the run; on disks,
    ``s3://``, ``gs://``, ``https://`` and ``hf://datasets/ORG/NAME[@REVISION]/PATH`` (buckets and models of the Hugging
    Face Hub too; an extra: `pip install gristmill[hf]`). Either these or ``index`` is needed."""
    index: tuple[str, ...] = ()
    """Index files of WARC or ARC files, of which only the records that ``where`` wants are read, by ranges: Common
    Crawl's columnar index (Parquet; its ``cc-index-table.paths.gz`` too), CDXJ, CDX; written as ``paths``."""
    where: Where = Field(default_factory=lambda: Where.model_validate({}))
    """Records of ``index`` that are read; by default all."""
    format: str | None = None
    """Container of all its files; by default by each file's suffix. Or a function of your own that reads them, as
    `module:function`, the module beside this file ([extending.md](extending.md))."""
    columns: dict[Ours, str] = Field(default_factory=dict)
    """Ours: theirs, for JSONL and tables; a dot goes into nested fields. Default: the same name, or its spellings."""
    carry: dict[str, str] = Field(default_factory=dict)
    """More columns of JSONL and tables to take along as text, ours: theirs, for labels that came with the input."""
    split_bytes: int = Field(256 << 20, ge=1 << 16)
    """Files above this size are read in equal parts of about this size, where their format allows."""
    group_bytes: int = Field(16 << 20, ge=0)
    """Files below a sixteenth of this size are read in groups of about this size; 0: each alone."""
    newlines_in_values: bool = True
    """Whether quoted CSV values may hold line ends; false lets large CSV files be split."""
    prefix: str | None = None
    """Prefix of each line of a ``.paths`` or ``.paths.gz`` list; by default the folder of the list, or Common
    Crawl's own address for its lists."""
    first: int | None = Field(None, ge=1)
    """Only so many lines of each list."""
    missing: Literal["fail", "skip"] = "fail"
    """Treatment of a listed file that is gone."""
    base: str | None = None
    """Folder the files' names are relative to; by default what stands before the first wildcard of each path. With
    ``index``: where the files it names lie; by default Common Crawl's own address for its files, else the folder of
    the index."""
    range_waste: float = Field(WASTE, ge=0, le=100)
    """Near records come in one request, together with what lies between them, up to this share of the wanted bytes."""
    range_bytes: int = Field(MAX_REQUEST, ge=1 << 12, le=1 << 30)
    """Bytes of one such request, unless a single record has more."""

    @field_validator("format")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None or value in CONTAINERS:
            return value
        if own_functions.is_own(value):
            return own_functions.checked(value)
        raise ValueError(f"expected one of {', '.join(sorted(CONTAINERS))}, or module:function, found {value!r}")

    @field_validator("paths", "index", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _ours_first(cls, names: Any) -> Any:
        ours = get_args(Ours)
        for name, theirs in names.items() if isinstance(names, dict) else ():
            if name not in ours and theirs in ours:
                raise ValueError(f"expected ours: theirs, found {{{name}: {theirs}}}; write {{{theirs}: {name}}}")
        return names

    @field_validator("carry")
    @classmethod
    def _carried(cls, names: dict[str, str]) -> dict[str, str]:
        for name in names:
            if not (name.isidentifier() and name.isascii()):
                raise ValueError(f"expected letters, digits and _ in a name, found {name!r}")
        return dict(sorted(names.items()))

    @model_validator(mode="after")
    def _paths_or_index(self) -> SourceParams:
        if bool(self.paths) == bool(self.index):
            raise ValueError(f"expected either `paths` or `index`, found {'both' if self.paths else 'neither'}")
        if self.index and self.format is not None and own_functions.is_own(self.format):
            raise ValueError("an `index` names records of WARC and ARC files: a format of your own reads whole files")
        if self.where.model_fields_set and not self.index:
            raise ValueError("`where` selects rows of an `index`, which is not given")
        return self

    def reading(self) -> dict[str, Any]:
        """Facts about this source for `stages.documents.Params`."""
        columns: dict[str, str] = dict(self.columns.items())
        columns |= {carried_column(ours): theirs for ours, theirs in self.carry.items()}
        return {"format": self.format, "columns": columns, "missing": self.missing}
