"""A page's life (`pipeline.answers.why`) as text for a terminal. Strings from outside come in made safe to show."""

from __future__ import annotations

from collections import Counter
from typing import Any

OPPOSITE = {"min": "at least", "max": "at most"}
MARK = {True: "FAILS", False: "ok"}
FOLDED = 8
"""Columns of one measurement (a word list of every language, a probability of every label) that are folded to a line,
where no rule looks at them."""
MOST = 3
"""Columns of a folded line that are shown, those of the largest values."""


def life_text(life: dict[str, Any]) -> str:
    """One page; sections in the order in which things happened to it."""
    where, document = life["where"], life["document"]
    lines = [verdict(life), ""]
    lines += [
        f"read from {where['source']}/{where['file']} at {where['offset']} (split {where['split']}, row {where['row']})"
    ]
    shown = {
        key: value for key, value in document.items() if key not in ("excerpt", "characters") and value is not None
    }
    lines += [*pairs(shown), "", *excerpt(document), ""]
    if "derived_from" in life:
        lines += ["derived from", *made_of(life["derived_from"]), ""]
    if life.get("derived"):
        lines += ["derived pages", *(f"  {child['doc_id']}  {child['transform']}" for child in life["derived"]), ""]
    if "language" in life:
        lines += ["language", *pairs(life["language"]), ""]
    if "measurements" in life:
        lines += ["measured", *measured(life["measurements"]), ""]
    if "cluster" in life:
        lines += ["duplicates", *duplicates(life["cluster"]), ""]
    if "repeats" in life:
        lines += ["repeats", *repeated(life["repeats"]), ""]
    if "decision" in life:
        lines += ["decided", *decided(life["decision"]), ""]
    if "tokens" in life:
        lines += ["tokens", *pairs(life["tokens"]), ""]
        lines += ["training documents", *(trained(place) for place in life["shards"])]
        lines += [] if life["shards"] else ["  none"]
    return "\n".join(lines).rstrip() + "\n"


def verdict(life: dict[str, Any]) -> str:
    """The answer in a line."""
    page = life["document"]["url"] or life["document"]["doc_id"]
    if "decision" not in life:
        return f"{page}: not decided yet"
    decision = life["decision"]
    if not decision["keep"]:
        more = len(decision["failed"]) - 1
        also = f", and {more} more rule{'s' * (more > 1)} failed" if more > 0 else ""
        return f"{page}: dropped, {decision['reason']}{also}"
    if "tokens" not in life:
        return f"{page}: kept in {decision['domain']}, not tokenized"
    corpus = [place for place in life["shards"] if place["of"].startswith("corpus")]
    times = sum(place["times"] for place in corpus)
    held_out = next((place["split"] for place in life["shards"] if place["split"] != "train"), None)
    use = f"held out in {held_out}" if held_out else f"{times} time{'s' * (times != 1)} in the corpus"
    return f"{page}: kept in {decision['domain']}, {life['tokens']['tokens']:,} tokens, {use}"


def made_of(made: dict[str, Any]) -> list[str]:
    """The page a derived page was made of, and what made it."""
    params = ", ".join(f"{key}={value}" for key, value in made["params"].items())
    lines = [f"  text {made['ordinal']} of {made['transform']}: {made['function']}({params})", "  of the page"]
    return [*lines, *(f"  {line}" for line in pairs(made["page"]))]


def pairs(row: dict[str, Any]) -> list[str]:
    width = max((len(key) for key in row), default=0)
    return [f"  {key:<{width}}  {value_text(value)}" for key, value in row.items()]


def value_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return " ".join(map(str, value)) + " ..."
    return "-" if value is None else str(value)


def excerpt(document: dict[str, Any]) -> list[str]:
    text, whole = document["excerpt"], document["characters"]
    lines = [f"  | {line}" for line in text.split("\n")] if text.strip() else ["  | (no text)"]
    return [*lines, f"  | ... {whole:,} characters"] if whole > len(text) else lines


def measured(columns: list[dict[str, Any]]) -> list[str]:
    """A line for each column with the rules that look at it, one for all of a measurement that no rule looks at."""
    named = Counter(measurement(entry) for entry in columns)
    folded = {name for name, count in named.items() if name and count >= FOLDED}
    shown = [f"{measurement(entry)}_*" if measurement(entry) in folded else entry["column"] for entry in columns]
    width = max(map(len, shown), default=0)
    lines: dict[str, str] = {}
    for name, entry in zip(shown, columns, strict=True):
        if measurement(entry) not in folded:
            limits = [
                f"{kept_from(rule)} {value_text(rule['threshold'])}: {MARK[rule['fails']]} ({rule['rule']})"
                for rule in entry["rules"]
                if rule["side"]
            ]
            lines[name] = "  ".join([f"  {name:<{width}}  {value_text(entry['value']):>12}", *limits]).rstrip()
        elif name not in lines:
            same = [other for other in columns if measurement(other) == measurement(entry)]
            lines[name] = f"  {name:<{width}}  {folded_text(same, len(name) - 1)}"
    return [*lines.values()]


def measurement(entry: dict[str, Any]) -> str:
    """What a column is one of many of: its name without the last word, `x_probability` for `x_probability_LABEL`.

    Empty where a rule looks at it, or its value is no number.
    """
    if any(rule["side"] for rule in entry["rules"]) or isinstance(entry["value"], (str, list, dict)):
        return ""
    before, mark, _ = entry["column"].partition("_probability_")
    return f"{before}_probability" if mark else str(entry["column"].rpartition("_")[0])


def folded_text(columns: list[dict[str, Any]], start: int) -> str:
    """The number of columns and the largest values, by what their names have from ``start`` on."""
    most = sorted(columns, key=lambda entry: -(entry["value"] or 0))[:MOST]
    largest = [f"{entry['column'][start:]} {value_text(entry['value'])}" for entry in most if entry["value"]]
    values = f"most: {', '.join(largest)}" if largest else "all 0 or empty"
    return f"{len(columns)} columns, {values} (--json shows all)"


def kept_from(rule: dict[str, Any]) -> str:
    """The side that is kept: near_duplicate drops from its threshold on, the others beyond it."""
    return "below" if rule["rule"] == "near_duplicate" else OPPOSITE[rule["side"]]


def decided(decision: dict[str, Any]) -> list[str]:
    lines = [f"  kept in {decision['domain']}" if decision["keep"] else f"  dropped: {decision['reason']}"]
    for bucket in decision.get("buckets", []):
        limits = [f"from {value_text(bucket['least'])}"] if bucket["least"] is not None else []
        limits += [f"below {value_text(bucket['below'])}"] if bucket["below"] is not None else []
        part = f"{bucket['from']:.15g} to {bucket['to']:.15g}% of {bucket['language']}: {' and '.join(limits) or 'all'}"
        lines.append(f"    {bucket['column']} {value_text(bucket['value'])}, its bucket is {part}")
    lines.append(f"  {len(decision['failed'])} of {decision['rules_asked']} rules failed")
    for rule in decision["failed"]:
        if rule["side"]:
            limit = f"{kept_from(rule)} {value_text(rule['threshold'])} is kept"
            lines.append(f"    {rule['rule']}: {rule['column']} {value_text(rule['value'])}, {limit}")
        else:
            value = f"{rule['column']} {value_text(rule['value'])}; " if rule["column"] else ""
            lines.append(f"    {rule['rule']}: {value}{rule['says']}")
    if decision["listed"]:
        lines.append(f"  its address is in the list {decision['listed']}")
    lines += [f"  {request_text(request)}" for request in decision.get("asked", ())]
    if decision["spans"]:
        lines.append(f"  {decision['spans']} spans cut or replaced, {decision['bytes_cut_or_replaced']:,} bytes")
    return lines


def request_text(request: dict[str, Any]) -> str:
    """A rule about robots.txt and the line that states it."""
    if request["text"] is None:
        return f"{request['rule']}" + (f": {request['url']} ({request['file']})" if request["url"] else "")
    where = "entry" if request["url"].endswith(".json") else "line"
    return f"{request['rule']}: {where} {request['line']} of {request['url']} ({request['file']}): {request['text']}"


def repeated(found: dict[str, Any]) -> list[str]:
    """Stretches of the text that stand elsewhere, and where each stays."""
    lines = [f"  keeps {found['repeats_kept_bytes']:,} bytes for other pages"] if found["repeats_kept_bytes"] else []
    if not found["num_repeats"]:
        return [*lines, "  nothing of its text stays elsewhere"]
    what = "cut by without_repeats" if found["cut"] else "not cut: no view without_repeats"
    share = f"{found['repeats_bytes']:,} bytes, {found['repeats_fraction']:.1%} of its text"
    lines.append(f"  {found['num_repeats']:,} stretches stay elsewhere, {share} ({what})")
    for span in found["repeats"]:
        where = span.get("problem") or span.get("url") or span.get("file")
        lines.append(f"    bytes {span['start']:,} to {span['stop']:,} stay on {where}, from byte {span['at']:,}")
        lines.append(f"      {span['excerpt']}")
    more = found["num_repeats"] - len(found["repeats"])
    return [*lines, f"    ... and {more:,} more"] if more else lines


def duplicates(cluster: dict[str, Any]) -> list[str]:
    if cluster["cluster"] is None:
        return ["  none found" if cluster.get("eligible", True) else "  none found among the pages that stay"]
    lines = [f"  cluster {cluster['cluster']} of {cluster['cluster_size']:,} pages that pass every other rule"]
    lines += [] if cluster.get("eligible", True) else ["  this page fails another rule, so it holds no place in it"]
    if cluster["survivor"] is None:
        copies = ", ".join(f"{entry['pages']} of {entry['source']}" for entry in cluster["copies"] or ())
        return [*lines, "  this page stays" + (f" for {copies}" if copies else "")]
    page = cluster.get("survivor_page", {})
    similarity = cluster["similarity"]
    alike = "same address as" if similarity is None else f"{cluster['match']} copy, similarity {similarity:.4f}, of"
    if cluster.get("via"):
        lines.append(
            f"  {'same address as' if similarity is None else 'exact copy of'} {cluster['via']}, which goes too"
        )
        alike = "in its place stays" if similarity is None else f"similarity {similarity:.4f} to"
    lines.append(f"  {alike} {cluster['survivor']}")
    lines.append(f"    {page.get('problem') or page.get('url') or page.get('file')}")
    difference = cluster.get("difference")
    if difference is not None:
        lines.append("  - only in the page that stays, + only in this one" if difference else "  the texts are equal")
        lines += [f"    {line}" for line in difference]
    return lines


def trained(place: dict[str, Any]) -> str:
    what = f"pass {place['pass']}, " if place["pass"] else ""
    again = f", read {place['times']} times" if place["times"] > 1 else ""
    held = "" if place["split"] == "train" else f" ({place['split']})"
    return f"  {place['of']}{held}: {place['shard']}:{place['row']} ({what}{place['tokens']:,} tokens{again})"
