"""Rules of the user's own: `quality.rules` measures them, and `kept` must know their names, columns and thresholds.

They are the same for all sources, so that every page has the columns; a source switches them off, or sets other
thresholds, in its `kept.rules`.
"""

from __future__ import annotations

from typing import Any

from pipeline.errors import one_line
from pipeline.recipe.yaml_file import Key, YamlFile
from stages.rules import own_rules


def share_rules(yaml_file: YamlFile) -> None:
    """Fill `kept.own` of a mixture file in from its `quality.rules`; what is wrong there is added to its mistakes."""
    data = yaml_file.data
    for name, source in data["sources"].items():
        for section, key in (("quality", "rules"), ("kept", "own")):
            if isinstance(source, dict) and isinstance(source.get(section), dict) and key in source[section]:
                place: Key = ("sources", name, section, key)
                yaml_file.add(place, "rules of your own are the same for all sources: give them in quality.rules")
                source[section] = {other: value for other, value in source[section].items() if other != key}
    decides = data.get("kept")
    if isinstance(decides, dict) and "own" in decides:
        yaml_file.add(("kept", "own"), "filled in from quality.rules: name the rules there, as module:RULES")
        del decides["own"]
    measures = data.get("quality")
    if not isinstance(measures, dict):
        return
    names = [measures["rules"]] if isinstance(measures.get("rules"), str) else measures.get("rules")
    if not names or not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return
    try:
        limits: dict[str, Any] = {rule.name: rule.limit().model_dump() for rule in own_rules.load(names)}
    except (ValueError, OSError, ImportError) as error:
        yaml_file.add(("quality", "rules"), one_line(error))
        del measures["rules"]
        return
    if decides is None or isinstance(decides, dict):
        data["kept"] = {"own": limits, **(decides or {})}
