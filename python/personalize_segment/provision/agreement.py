"""Check whether filters, solutions and metrics of a spec name existing event types, datasets and columns.

Personalize accepts a filter or a solution with an unknown event type, and then filters nothing, or trains on nothing.
"""

import json
import re
from collections.abc import Collection
from typing import Any

from ..contract.mapping import Constant, EventMapping
from ..contract.strict_json import refuse

#: Columns of items that a domain requires in addition to ITEM_ID. Source: "Domain dataset and schema requirements".
DOMAIN_ITEMS = {"ECOMMERCE": ("PRICE", "CATEGORY_L1"), "VIDEO_ON_DEMAND": ("CREATION_TIMESTAMP", "GENRES")}
#: Name in a filter or a metric -> dataset.
_DATASETS = {
    "interactions": "interactions", "users": "users", "items": "items", "currentuser": "users", "currentitem": "items",
}  # fmt: skip
_COLUMN = re.compile(r"\b(" + "|".join(_DATASETS) + r")\.(\w+)", re.IGNORECASE)
_EVENT_TYPES = re.compile(r"\bInteractions\.EVENT_TYPE\s+(?:NOT\s+)?IN\s*\(([^)]*)\)", re.IGNORECASE)
_QUOTED = re.compile(r'"([^"]*)"')

#: Columns of each dataset of the spec.
Columns = dict[str, set[str]]


def event_types(mapping: EventMapping) -> set[str]:
    """Return the event types of a mapping's rules."""
    interactions = mapping.datasets[0]
    place = [column.name for column in interactions.columns].index("EVENT_TYPE")
    sources = (rule.sources[place] for rule in interactions.rules)
    return {str(source.value) for source in sources if isinstance(source, Constant)}


def check_event_type(name: str, at: str, known: Collection[str]) -> None:
    """Refuse an event type that no rule of the mapping has."""
    if name not in known:
        problem = f"{json.dumps(name, ensure_ascii=False)} isn't an event type of the event mapping{_near(name, known)}"
        refuse(at, problem, f"Write one of {', '.join(sorted(known))}, or give a rule this event_type")


def check_expression(text: str, at: str, columns: Columns, types: Collection[str]) -> None:
    """Refuse a filter, or the expression of a metric, that names a dataset or column that the spec lacks."""
    for listed in _EVENT_TYPES.findall(text):
        for name in _QUOTED.findall(listed):
            if name != "*":
                check_event_type(name, at, types)
    for written, column in _COLUMN.findall(_QUOTED.sub('""', text)):
        dataset = _DATASETS[written.lower()]
        if dataset not in columns:
            refuse(
                at,
                f"names {written}.{column}, but the spec has no {dataset} dataset",
                f"Add {dataset} to the datasets",
            )
        if column not in columns[dataset]:
            problem = f"names {written}.{column}, which isn't a column of {dataset}{_near(column, columns[dataset])}"
            refuse(at, problem, f"Write one of {', '.join(sorted(columns[dataset]))}, or add it to the event mapping")


def check_domain(domain: str, columns: Columns, types: Collection[str], wanted: set[str]) -> None:
    """Refuse a domain whose event types or columns the mapping doesn't have."""
    if missing := sorted(wanted - set(types)):
        problem = f"{domain} needs the event types {', '.join(missing)}"
        refuse("$.domain", problem, "Give a rule of the mapping this event_type")
    if lacking := [name for name in DOMAIN_ITEMS[domain] if "items" in columns and name not in columns["items"]]:
        remedy = f"Add it to items.fields of the event mapping, such as {json.dumps(_example(lacking[0]))}"
        refuse("$.domain", f"{domain} needs the items column {lacking[0]}", remedy)


def _example(column: str) -> dict[str, Any]:
    source: dict[str, Any] = {"from": [f"properties.{column.partition('_')[0].lower()}"]}
    if column in ("CATEGORY_L1", "GENRES"):
        source |= {"type": "string", "categorical": True}
    return {column: source}


def _near(name: str, known: Collection[str]) -> str:
    near = next(
        (one for one in sorted(known) if one.casefold().replace("_", "") == name.casefold().replace("_", "")), None
    )
    return f" ({near} is)" if near else ""
