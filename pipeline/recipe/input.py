"""The input of a mixture, looked at before any work: every source is listed, one page of it read, every scorer tried.

For `run` and `plan`: a path that is missing, a column that is not there, a library that is not installed or a function
that gives no number a text is reported with the key that names it, beside all other mistakes of the file, and not after
minutes of work. Of a source the first file is opened; a scorer is called on ten short texts, unless it reserves a
GPU, which this machine need not have. What was looked at under a root is noted there and not looked at again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pyarrow as pa

from pipeline.errors import RunError, one_line
from pipeline.recipe.papers import unwanted
from pipeline.recipe.paths import SHIPPED, root_of
from pipeline.recipe.products import Recipe, Source
from pipeline.recipe.sections import dump
from pipeline.recipe.yaml_file import ConfigError, Key, YamlFile
from pipeline.store.address import digest, split_id
from pipeline.store.storage import Store
from pipeline.terminal import safe_line
from stages import documents, labels, quality, scores, sources
from stages.contract import Split
from stages.documents import extraction
from stages.documents.tables import ColumnError
from stages.rules import own_functions, own_rules

TEN_TEXTS = (
    "", " ", "a", "The mill by the river turns when it rains.", "Die Mühle am Fluss dreht sich, wenn es regnet.",
    "磨坊坐落在河边。", "1 2 3\n\n4 5 6", "def mill(): return 'flour'", "x" * 2000, "\ufeff - odd\u00a0text -",
)  # fmt: skip
LOOK_FOR_COLUMNS = 1000
LOOK_FOR_BYTES = 1 << 25
"""Rows, and bytes of pages, after which a column that none of them has is taken for one that does not exist."""
PAGE = "<!DOCTYPE html><title>Mills</title><p>The mill by the river turns when it rains.</p>"


def check_input(
    yaml_file: YamlFile, found: dict[str, Source | None], store: Store
) -> dict[str, tuple[list[Split], list[str]]]:
    """Splits by source, and remarks about files left out; every mistake is added to the file's.

    Raises:
        RunError: a disk or store gives no answer, which is no mistake of the file.
    """
    listed: dict[str, tuple[list[Split], list[str]]] = {}
    unread: list[sources.SourceError] = []
    for name, source in sorted(found.items()):
        if (
            source is None or source.transform is not None or source.params.index
        ):  # an index is read by the run, which keeps what it finds
            continue
        key: Key = ("sources", name, "paths")
        remarks: list[str] = []
        try:
            splits = sources.list_splits(name, source.params, remarks.append, without=root_of(store))
        except sources.SourceError as error:
            yaml_file.add(key, _shipped(str(error).removeprefix(f"source {name}: ")))
            unread += [error] if error.__cause__ is not None else []
            continue
        params = source.sections.get("documents")
        listed[name] = (splits, remarks)
        remark, alone = unwanted(splits, params) if params is not None else ("", False)
        if alone and name not in _may_be_empty(yaml_file):
            yaml_file.add(key, remark)
        elif remark:
            remarks.append(f"source {name}: {remark}")
        if params is not None and splits and not store.exists(looked_at(splits[0], params)):
            if own_functions.is_own(params.extractor):  # which is tried for itself
                params = params.model_copy(update={"extractor": "full_text"})
            problem = first_page(splits[0], params) or nothing_readable(splits, params)
            columns: Key = ("sources", name, "columns")
            if problem is not None and one_line(problem) not in {one.message for one in yaml_file.problems}:
                of_columns = isinstance(problem, ColumnError) and columns in yaml_file.lines
                yaml_file.add(columns if of_columns else key, one_line(problem))
    if unread:
        raise RunError(str(ConfigError(yaml_file.path, yaml_file.problems)))
    return listed


def _may_be_empty(yaml_file: YamlFile) -> list[str]:
    limits = yaml_file.data.get("run")
    named = limits.get("allow_empty") if isinstance(limits, dict) else None
    return named if isinstance(named, list) else []


def first_page(split: Split, params: Any) -> Exception | None:
    """The first fault of a split's first page as it would be read; None where it can be read, or the split is empty.

    Damage is no such fault: bad input is counted by the run, and up to a share of it borne.
    """
    reader = documents.read(split, params, window=(0, 1), max_rows=1)
    try:
        for _ in reader:
            return unseen_column(split, params) if reader.account.unseen else None
    except (ValueError, OSError, ImportError) as error:
        return error
    return ValueError(f"{safe_line(split.file)}: {reader.account.last_error}") if reader.account.last_error else None


def nothing_readable(splits: list[Split], params: Any) -> Exception | None:
    """An error where most of the first file, and of the last, is in another format than the one it is read as."""
    message = reason = ""
    for split in dict.fromkeys((splits[-1], splits[0])):
        reader = documents.read(split, params, window=(0, LOOK_FOR_COLUMNS), max_rows=1)
        try:
            for _ in reader:
                if not reader.account.num_quarantined:  # begins as it should
                    return None
        except (ValueError, OSError, ImportError) as error:
            return error
        account = reader.account
        troubles = [*account.quarantined, *account.bad]
        if account.dropped or not troubles or account.rows > account.num_quarantined:
            return None
        reason = troubles[0]["reason"]
        message = f"{safe_line(split.file)}: most of it cannot be read: {reason} at {troubles[0]['offset']}"
    hint = "JSON Lines have an object a line; `jq -c '.[]'` makes them of lists" if reason == "not_json_object" else ""
    return ValueError(f"{message}; {hint or 'is it another format? `format` names one'}")


def unseen_column(split: Split, params: Any) -> ColumnError | None:
    """A column that a source maps and that none of the first rows has, where every row may have columns of its own."""
    reader = documents.read(split, params, window=(0, LOOK_FOR_COLUMNS))
    read = 0
    for batch in reader:
        read += batch.nbytes
        if read > LOOK_FOR_BYTES:
            break
    account = reader.account
    missing = " and ".join(f"{theirs!r} for {ours}" for ours, theirs in account.unseen.items())
    return ColumnError(f"{split.file}: no row has {missing}; rows have {', '.join(account.names)}") if missing else None


def check_functions(yaml_file: YamlFile, sections: Mapping[str, Any], found: Mapping[str, Source | None]) -> None:
    """Call rules, labellers and extractors of the user's own on a few texts and a page."""
    measures = sections["quality"]
    if measures is not None and measures.rules:
        texts = pa.array([text for text in TEN_TEXTS if text], pa.large_string())
        taken = set(quality.schema(measures.model_copy(update={"rules": ()})).names)
        for column in taken.intersection(own_rules.columns_of(own_rules.load(measures.rules))):
            yaml_file.add(("quality", "rules"), f"column {column} is measured already: give yours another name")
        _tried(yaml_file, ("quality", "rules"), lambda: own_rules.measure(own_rules.load(measures.rules), texts))
    for name, labeller in sections["labels"].labellers.items() if sections["labels"] is not None else ():
        if labeller.function is not None:
            _tried(yaml_file, ("labels", "labellers", name, "function"), partial(_try_labeller, name, labeller))
    tried: set[str] = set()
    for name, source in found.items():
        params = source.sections.get("documents") if source is not None else None
        if params is not None and own_functions.is_own(params.extractor) and params.extractor not in tried:
            tried.add(params.extractor)
            own: Key = ("sources", name, "documents", "extractor")
            key: Key = own if own in yaml_file.lines else ("documents", "extractor")
            _tried(yaml_file, key, partial(_try_extractor, params.extractor))


def _tried(yaml_file: YamlFile, key: Key, call: Callable[[], Any]) -> None:
    try:
        call()
    except (ValueError, OSError, ImportError) as error:
        yaml_file.add(key, one_line(error))


def _try_labeller(name: str, labeller: labels.Labeller) -> None:
    if labeller.function is None or not _is_there(labeller.function):
        return
    text = pa.record_batch([pa.array(TEN_TEXTS, pa.large_string())], names=["text"])
    try:
        labels.prepare(labels.Params(labellers={name: labeller}))(text)
    except ValueError as error:
        if str(error).startswith(f"labeller {name}: "):  # its message holds what the labeller gave
            raise
        raise ValueError(f"called on ten texts, {own_functions.failure(labeller.function, error)}") from error
    except Exception as error:  # a function of the user's own may raise anything
        raise ValueError(f"called on ten texts, {own_functions.failure(labeller.function, error)}") from error


def _is_there(function: str) -> bool:
    """Whether a function can be loaded; faults are reported where files and functions are looked for."""
    try:
        own_functions.load(function)
    except own_functions.OwnFunctionError:
        return False
    return True


def _try_extractor(name: str) -> None:
    page = pa.array([PAGE.encode()], pa.large_binary())
    if not _is_there(name):
        return
    try:
        extraction.as_texts(name, own_functions.load(name)(page), 1)
    except extraction.WrongTextsError:
        raise
    except Exception as error:  # a function of the user's own may raise anything
        raise ValueError(f"called on a page, {own_functions.failure(name, error)}") from error


def check_scorers(yaml_file: YamlFile, section: Any, store: Store) -> None:
    """Call every scorer that needs no GPU on ten texts, unless a run under this root has."""
    if section is None:
        return
    reported = {problem.key for problem in yaml_file.problems}
    for name, scorer in section.scorers.items():
        if scorer.gpus or f"scores.scorers.{name}" in reported:
            continue
        try:
            mark = tried(name, section)
            if not store.exists(mark):
                scores.numbers(name, scorer.model_copy(update={"batch": len(TEN_TEXTS)}), pa.array(TEN_TEXTS))
        except Exception as error:  # noqa: BLE001 - a function of the user's own may raise anything
            kind = "" if isinstance(error, (ValueError, OSError)) else f"{type(error).__name__}: "
            yaml_file.add(
                ("scores", "scorers", name), f"called on ten texts, {scorer.function} fails: {kind}{one_line(error)}"
            )


def tried(name: str, section: scores.Params) -> str:
    """Address of the note that a scorer was tried: of its module's source and its arguments."""
    return f"runs/tried/{name}-{digest([scores.identity(section)[name], dump(section)['scorers'][name]])}.json"


def looked_at(split: Split, params: documents.Params) -> str:
    """Address of the note that a page of a split was read: of what the split holds and how it is read."""
    return f"runs/tried/page-{digest([split_id(split), dump(params), documents.VERSION])}.json"


def note_tried(recipe: Recipe, store: Store) -> None:
    """Leave a note of every scorer that was tried and every page read, so that the next start loads no model or kernel
    for that."""
    section = recipe.section("scores")
    for name, scorer in section.scorers.items():
        mark = tried(name, section)
        if not scorer.gpus and not store.exists(mark):
            store.write_json(mark, {"function": scorer.function})
    for name, (splits, _) in recipe.listed.items():
        if splits and not store.exists(mark := looked_at(splits[0], recipe.sources[name].sections["documents"])):
            store.write_json(mark, {"source": name, "file": splits[0].file})


def _shipped(message: str) -> str:
    if os.environ.get("RAY_JOB_ID") and SHIPPED in message:
        return f"{message} (the job was shipped without these files: give absolute paths that every node has, or URIs)"
    return message
