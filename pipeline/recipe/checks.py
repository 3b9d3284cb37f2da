"""Files that a mixture names, looked at before any work is done: a wrong one is reported with the key that names it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.errors import one_line
from pipeline.recipe import robots_files
from pipeline.recipe.products import Source
from pipeline.recipe.yaml_file import Key, YamlFile
from pipeline.store.storage import Store
from stages import kept, labels, language, quality, token_counts, tokens
from stages.documents.extraction import extractor
from stages.rules import classifiers, contamination, own_functions, text_models, url_lists, word_lists

Check = tuple[Key, Callable[[], Any]]


def check_files(
    yaml_file: YamlFile, sections: dict[str, Any], found: dict[str, Source | None], store: Store, tokenizer: bool
) -> None:
    """Load what is named by name or path in the common sections, and where a source has its own.

    Args:
        tokenizer: False where the tokenizer may not be there yet.
    """
    checks = list(_checks((), sections, store))
    for name, scorer in sections["scores"].scorers.items() if sections["scores"] is not None else ():
        checks.append((("scores", "scorers", name), lambda name=scorer.function: own_functions.load(name)))  # type: ignore[misc]
    if tokenizer and sections["tokens"] is not None:
        checks.append((("tokens", "tokenizer"), lambda: tokens.check(sections["tokens"])))
    elif sections["tokens"] is not None and sections["quality"] is not None:
        for name, ensemble in sections["quality"].ensembles.items():
            if ensemble.weigh == "tokens":
                checks.append((("quality", "ensembles", name), lambda: _check_counting(sections["token_counts"])))
    if sections["documents"] is not None:
        checks.append((("documents", "extractor"), lambda: extractor(sections["documents"].extractor)))
    for name, source in found.items():
        if source is not None:
            own = _checks(("sources", name), source.sections, store)
            checks += [check for check in own if check[0] in yaml_file.lines]  # others are reported where they stand
    for key, check in checks:
        try:
            check()
        except (ValueError, OSError, ImportError) as error:
            yaml_file.add(key, one_line(error))


def _checks(prefix: Key, sections: dict[str, Any], store: Store) -> Iterator[Check]:
    if prefix and sections.get("documents") is not None:
        yield (*prefix, "documents", "extractor"), lambda: extractor(sections["documents"].extractor)
    if sections.get("language") is not None:
        yield (*prefix, "language", "model"), lambda: _check_language(sections["language"])
    if sections.get("quality") is not None:
        yield from _quality((*prefix, "quality"), sections["quality"])
    if sections.get("labels") is not None:
        for name, labeller in sections["labels"].labellers.items():
            kind = next(kind for kind in ("model", "function", "column") if getattr(labeller, kind) is not None)
            yield (*prefix, "labels", "labellers", name, kind), lambda labeller=labeller: labels.check(labeller)  # type: ignore[misc]
    if sections.get("kept") is not None:
        yield from _lists((*prefix, "kept", "urls"), sections["kept"], store)
        robots = sections["kept"].robots
        if robots and robots.files:
            yield (*prefix, "kept", "robots", "files"), lambda robots=robots: robots_files.check(robots)  # type: ignore[misc]


def _check_counting(params: token_counts.Params) -> None:
    try:
        token_counts.identity(params)
    except ValueError as error:
        raise ValueError(
            f"tokens are counted by a tokenizer that is not there yet: set `weigh: bytes` ({error})"
        ) from error


def _check_language(params: language.Params) -> None:
    language.identity(params)
    text_models.check_model(str(language.model_path(params)))


def _quality(key: Key, params: quality.Params) -> Iterator[Check]:
    for name, classifier in params.classifiers.items():
        yield (*key, "classifiers", name), lambda classifier=classifier: classifiers.check(classifier)  # type: ignore[misc]
    for kind, lists in (("stop_words", params.stop_words), ("bad_words", params.bad_words)):
        for name, words in lists.items():
            yield (*key, kind, name), lambda words=words: word_lists.read(words)  # type: ignore[misc]
    for position, benchmark in enumerate(params.benchmarks.files):
        yield (
            (*key, "benchmarks", "files", position, "path"),
            lambda benchmark=benchmark: contamination.check(benchmark),  # type: ignore[misc]
        )


def _lists(key: Key, params: kept.Params, store: Store) -> Iterator[Check]:
    for name, one in params.urls.items():
        yield (*key, name), lambda name=name, one=one: _check_list(name, one, params, store)  # type: ignore[misc]


def _check_list(name: str, one: url_lists.UrlList, params: kept.Params, store: Store) -> None:
    url_lists.deciding({name: one})
    try:
        compiled = store.exists(url_lists.address(params.urls))
    except (ValueError, OSError):
        compiled = False  # another list is wrong, which is reported at its own key
    if not compiled:
        one.entries()
