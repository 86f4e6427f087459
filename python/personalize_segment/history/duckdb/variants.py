"""The choice of the rules that apply to an event (rule 1), as a number that SQL can compute."""

import json
from dataclasses import dataclass
from itertools import product
from math import prod

from ...contract.mapping import ANY_NAME, Condition, Dataset, EventMapping, Rule
from ...contract.quoting import literal
from .reader import Reader, any_of


@dataclass(frozen=True, slots=True)
class Variant:
    """An event and the rule that applies to it in each dataset. Without a name, the event has any name."""

    call: str
    name: str | None
    rules: dict[str, Rule]


class Variants:
    """The variants of a mapping, in the order of their numbers. Without conditions, each event is one variant."""

    def __init__(self, mapping: EventMapping) -> None:
        self.all: list[Variant] = []
        #: By event: the number of its first variant, and each dataset's possible rules, None first if none may apply.
        self._events: dict[tuple[str, str | None], tuple[int, list[list[Rule | None]]]] = {}
        # Events of any name last, because rules for a name include theirs. The order in the file is irrelevant.
        for call, name in sorted(mapping.by_event, key=lambda event: (_is_any(*event), event[0], event[1] or "")):
            tried: dict[str, list[Rule]] = {}
            for dataset, rule in mapping.by_event[call, name]:
                tried.setdefault(dataset.name, []).append(rule)
            choices: list[list[Rule | None]] = [
                [None, *rules] if rules[-1].when else [*rules] for rules in tried.values()
            ]
            self._events[call, name] = len(self.all), choices
            for chosen in product(*choices):
                rules_of = {dataset: rule for dataset, rule in zip(tried, chosen, strict=True) if rule}
                if rules_of:
                    self.all.append(Variant(call, name, rules_of))
        #: The variants whose events have names that no rule mentions.
        self.unnamed = {number for number, variant in enumerate(self.all) if _is_any(variant.call, variant.name)}
        #: The paths that conditions read.
        self.paths = {
            condition.path for variant in self.all for rule in variant.rules.values() for condition in rule.when
        }
        self._rules = {
            dataset.name: {
                number: variant.rules[dataset.name]
                for number, variant in enumerate(self.all)
                if dataset.name in variant.rules
            }
            for dataset in mapping.datasets
        }

    def rules(self, dataset: Dataset) -> dict[int, Rule]:
        """Return the rules of a dataset by variant number."""
        return self._rules[dataset.name]

    def number(self, reader: Reader) -> str:
        """Return the column `event`. With conditions, also `number`, which is -1 if none hold."""
        kind = "SMALLINT" if len(self.all) < 1 << 15 else "INTEGER"
        cases = " ".join(f"WHEN {_matches(*event)} THEN {self._choice(event, reader)}" for event in self._events)
        if not self.paths:
            return f"CAST(CASE {cases} END AS {kind}) AS event"
        return f"CAST(CASE {cases} END AS {kind}) AS number, CASE WHEN number >= 0 THEN number END AS event"

    def _choice(self, event: tuple[str, str | None], reader: Reader) -> str:
        first, choices = self._events[event]
        terms = []
        for place, rules in enumerate(choices):
            stride = prod(len(others) for others in choices[place + 1 :])
            if len(rules) > 1:
                whens = " ".join(
                    f"WHEN {_holds(rule, reader)} THEN {stride * number}" for number, rule in enumerate(rules) if rule
                )
                terms.append(f"CASE {whens} ELSE 0 END")
        if not terms:
            return str(first)
        # The first combination has no rule at all.
        if all(rules[0] is None for rules in choices):
            return f"COALESCE(nullif({' + '.join(terms)}, 0) + {first - 1}, -1)"
        return f"{' + '.join(terms)} + {first}"


def _is_any(call: str, name: str | None) -> bool:
    return name is None and call in ANY_NAME


def _matches(call: str, name: str | None) -> str:
    """Return the test of an event's call and exact name, as JSON text (rule 1)."""
    test = f"call = {literal(json.dumps(call))}"
    if _is_any(call, name):
        return test
    wanted = "IS NULL" if name is None else f"= {literal(json.dumps(name, ensure_ascii=False))}"
    return f"{test} AND name {wanted}"


def _holds(rule: Rule, reader: Reader) -> str:
    """Return the test of all conditions (rule 1). NULL, which CASE treats as false, if a compared value is absent."""
    return " AND ".join(_test(condition, reader.at[condition.path]) for condition in rule.when) or "true"


def _test(condition: Condition, place: str) -> str:
    if condition.present is not None:
        return f"{place} IS {'NOT ' if condition.present else ''}NULL"
    if condition.texts is not None:
        return any_of(f"as_string({place})", condition.texts)
    return " AND ".join(
        f"as_double({place}) {sign} CAST('{bound!r}' AS DOUBLE)" for sign, bound in condition.bounds or ()
    )
