"""Paths, rules and conditions of a valid mapping that can never match (docs/mapping.md).

This module reads the mapping alone. `history/survey.py` compares it with logs.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NamedTuple

from .columns import DATASETS, USER_ID
from .mapping import ANY_NAME, NAMED_CALLS, EventMapping, Path, path
from .strict_json import member

#: The top-level fields of Segment's messages: the first segment of a path.
COMMON_FIELDS = (
    "anonymousId", "category", "channel", "context", "event", "groupId", "integrations", "messageId", "name",
    "originalTimestamp", "previousId", "projectId", "properties", "receivedAt", "sentAt", "timestamp", "traits",
    "type", "userId", "version",
)  # fmt: skip
_BY_LOWER = {name.lower(): name for name in COMMON_FIELDS}

_INDEX = re.compile(r"\[-?\d+\]$")
_QUOTED = re.compile(r"""\[(["'])(.*?)\1\]""")


class LintWarning(NamedTuple):
    """A warning. `place` is a JSON path; `problem` and `remedy` are sentences without their full stop."""

    place: str
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}. {self.remedy}."


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule as in the document. `index` counts the rules for one name. `fields` includes inherited columns."""

    dataset: str
    call: str
    name: str | None
    index: int
    at: str
    body: dict[str, Any]
    fields: dict[str, dict[str, Any]]

    @property
    def key(self) -> tuple[str, str, str | None, int]:
        """Return dataset, call, name and index."""
        return self.dataset, self.call, self.name, self.index


def written_rules(mapping: EventMapping) -> list[WrittenRule]:
    """Return the rules of a mapping with their JSON paths. Those for one name keep their order."""
    document = json.loads(mapping.text)
    return [rule for dataset in DATASETS if dataset in document for rule in _rules(dataset, document[dataset])]


def _rules(dataset: str, body: dict[str, Any]) -> Iterator[WrittenRule]:
    shared = body["fields"]
    if dataset == "users":
        yield WrittenRule(dataset, "identify", None, 0, "$.users", {"when": body.get("when", {})}, shared)
    named: list[tuple[str, str | None, Any, str]] = [
        (call, name, rules, f".{call}{member(name)}")
        for call in NAMED_CALLS
        for name, rules in body.get(call, {}).items()
    ]
    named += [(call, None, body[f"any_{call}"], f".any_{call}") for call in ANY_NAME if f"any_{call}" in body]
    for call, name, rules, at in named:
        listed = isinstance(rules, list)
        for index, rule in enumerate(rules if listed else [rules]):
            fields = dict(shared)
            for column, field in rule.get("fields", {}).items():
                # A rule inherits `optional`.
                fields[column] = {"optional": shared.get(column, {}).get("optional", False)} | field
            place = f"$.{dataset}{at}" + (f"[{index}]" if listed else "")
            yield WrittenRule(dataset, call, name, index, place, rule, fields)


def lint(mapping: EventMapping) -> list[LintWarning]:
    """Return the warnings about a valid mapping in the order of datasets, each place once."""
    document = json.loads(mapping.text)
    rules = written_rules(mapping)
    findings: list[LintWarning] = []
    for dataset in DATASETS:
        if dataset in document:
            own = [rule for rule in rules if rule.dataset == dataset]
            findings += _dataset(dataset, document[dataset]["fields"], own)
    session = document["interactions"].get("session", {}).get("from", [])
    findings += _paths(session, "$.interactions.session.from", None)
    known = {finding.place for finding in findings}
    for place, text in other_users(mapping).items():
        if place not in known:
            problem = f"{text!r} isn't 'userId', so recommendations are only written back where both are equal"
            findings.append(LintWarning(place, problem, "Write 'userId' first, or request recommendations yourself"))
    return list(dict.fromkeys(findings))


def other_users(mapping: EventMapping) -> dict[str, str]:
    """Return the paths from which interactions read USER_ID before `userId`. Keys are the JSON paths of these paths."""
    found = {}
    for rule in written_rules(mapping):
        if rule.dataset == "interactions" and (text := rule.fields[USER_ID]["from"][0]) != "userId":
            at = rule.at if USER_ID in rule.body.get("fields", {}) else "$.interactions"
            found[f"{at}.fields.{USER_ID}.from[0]"] = text
    return found


def _dataset(dataset: str, shared: dict[str, Any], rules: list[WrittenRule]) -> Iterator[LintWarning]:
    for column, field in shared.items():
        at = f"$.{dataset}.fields{member(column)}.from"
        heirs = {rule.call for rule in rules if column not in rule.body.get("fields", {})}
        for index, text in enumerate(field.get("from", [])):
            # A shared path is dead only if it is dead in all rules that inherit it.
            found = [_dead(text, call) for call in sorted(heirs)] or [_dead(text, None)]
            if found[0] and all(found):
                yield LintWarning(f"{at}[{index}]", *found[0])
    open_rules: dict[tuple[str, str | None], WrittenRule] = {}
    for rule in rules:
        if rule.name == "*":
            yield LintWarning(rule.at, "matches only an event named *", _any_name(rule.call))
        earlier = open_rules.get((rule.call, rule.name))
        if earlier is not None:
            remedy = f'Give {earlier.at} a "when", or put it last'
            yield LintWarning(
                rule.at, f'is never reached, because {earlier.at} has no "when" and always matches', remedy
            )
        elif not rule.body.get("when"):
            open_rules[rule.call, rule.name] = rule
        yield from _rule(rule)
    columns = dict.fromkeys(column for rule in rules for column in rule.fields)
    for column in columns:
        having = [rule for rule in rules if column in rule.fields]
        if all(_is_vain(rule.fields[column], rule.call) for rule in having):
            first = next((rule.at for rule in having if column in rule.body.get("fields", {})), f"$.{dataset}")
            at = f"$.{dataset}" if column in shared else first
            place = f"{at}.fields{member(column)}"
            yield LintWarning(place, "no rule can fill this column", "Correct its paths, or remove it")


def _any_name(call: str) -> str:
    return f'Use "any_{call}"' if call in ANY_NAME else "Write one rule for each name"


def _is_vain(field: dict[str, Any], call: str) -> bool:
    return "from" in field and all(_dead(text, call) for text in field["from"])


def _rule(rule: WrittenRule) -> Iterator[LintWarning]:
    each = rule.body.get("each")
    if each is not None:
        yield from _paths([each], f"{rule.at}.each", rule.call, listed=False)
    for column, field in rule.body.get("fields", {}).items():
        at = f"{rule.at}.fields{member(column)}.from"
        yield from _paths(field.get("from", []), at, rule.call, each=each is not None)
    for text, test in rule.body.get("when", {}).items():
        at = f"{rule.at}.when{member(text)}"
        yield from _paths([text], at, rule.call, listed=False)
        if problem := _empty_range(test):
            yield LintWarning(at, problem, "Correct the bounds")
    yield from _contradictions(rule)


def _paths(
    texts: list[str], at: str, call: str | None, *, each: bool = False, listed: bool = True
) -> Iterator[LintWarning]:
    for index, text in enumerate(texts):
        if found := _dead(text, call, each=each):
            yield LintWarning(f"{at}[{index}]" if listed else at, *found)


def _dead(text: str, call: str | None, *, each: bool = False) -> tuple[str, str] | None:
    """Return why a path never finds a value in a call (None: in any call), and a remedy; None if it may find one."""
    if quoted := _QUOTED.search(text):
        plain = _QUOTED.sub(lambda match: f".{match[2]}", text)
        remedy = "Rename the key where it is sent" if "." in quoted[2] else f"Write {plain!r}"
        return f"{text!r} has brackets, which count as part of a key's name", remedy
    place = _path(text)
    if any(segment.endswith("\\") for segment in place.segments[:-1]):
        return f"{text!r} can't reach a key with a dot in its name", "Rename the key where it is sent"
    if index := next((found[0] for segment in place.segments if (found := _INDEX.search(segment))), None):
        remedy = 'Use "each" for a row per element, or "[]" in IMPRESSION or a column of type categories'
        return f"{text!r} looks for a key whose name ends with {index}, not for an element", remedy
    if place.relative or not place.segments:
        return None
    first, rest = place.segments[0], ".".join(place.segments[1:])
    if first not in COMMON_FIELDS:
        near = get_close_matches(first.lower(), _BY_LOWER, n=1, cutoff=0.7)
        remedy = f"Write {f'.{text}'!r} for a key of the element, or begin" if each else "Begin"
        remedy += " with properties, context or another common field of Segment events"
        if near:
            remedy = "Write " + repr(".".join(filter(None, (_BY_LOWER[near[0]], *place.segments[1:]))))
        return f"{text!r} begins with {first!r}, which isn't a common field of Segment events", remedy
    if first == "traits" and rest and call not in (None, "identify"):
        return f"{text!r} exists only in identify calls, not in {call}", f"Write {f'context.{text}'!r}"
    if first == "properties" and call == "identify":
        return f"{text!r} doesn't exist in identify calls", f"Write {f'traits.{rest}'!r}" if rest else "Read traits"
    return None


def _path(text: str) -> Path:
    return path(text, "", each=True, lists=True)


def _empty_range(test: dict[str, Any]) -> str | None:
    for low in ("at_least", "above"):
        for high in ("at_most", "below"):
            if low in test and high in test:
                both = low == "at_least" and high == "at_most"
                if test[low] > test[high] or (test[low] == test[high] and not both):
                    return f"no number is {low} {json.dumps(test[low])} and {high} {json.dumps(test[high])}"
    return None


def _contradictions(rule: WrittenRule) -> Iterator[LintWarning]:
    """Yield a warning for each value that a rule needs, but a condition of the rule requires to be absent."""
    when = rule.body.get("when", {})
    for text in (text for text, test in when.items() if test.get("present") is False):
        at, absent = f"{rule.at}.when{member(text)}", _path(text).segments
        needed = [f"the condition on {other!r}" for other, test in when.items() if _within(other, absent, test)]
        if "each" in rule.body and _within(rule.body["each"], absent):
            needed.append('"each"')
        for column, field in rule.fields.items():
            if "from" in field and not field.get("optional") and all(_within(one, absent) for one in field["from"]):
                needed.append(column)
        for need in needed:
            yield LintWarning(at, f"requires that the value is absent, but {need} needs it", "Remove one of them")


def _within(text: str, absent: tuple[str, ...], test: dict[str, Any] | None = None) -> bool:
    """Return whether a path is at or below an absent one. A condition that also requires absence doesn't count."""
    place = _path(text)
    below = not place.relative and place.segments[: len(absent)] == absent
    return below and (test is None or test.get("present") is not False)
