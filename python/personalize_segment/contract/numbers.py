"""Advice on how to send texts that look like numbers. It goes next to reasons, which don't have the value."""

import re
from typing import Any

from .mapping import EventMapping, Source
from .rows import DOMAINS, Reason, choose, describe, walk

#: Currency signs and common codes.
_CURRENCY = "[$£¥¢฿\u20a0-\u20bf]|EUR|USD|GBP|CHF|JPY|CNY|CAD|AUD|SEK|NOK|DKK|PLN|CZK|INR|BRL|Kč|kr|zł"
_GROUPS = r"[1-9][0-9]{0,2}(?:(?P<group>[,.'’ \u00a0\u202f])[0-9]{3}(?:(?P=group)[0-9]{3})*)"
_LIKE_A_NUMBER = re.compile(
    rf"\s*(?P<before>{_CURRENCY})?\s*(?P<sign>-?)\s*(?P<first>{_CURRENCY})?\s*"
    rf"(?P<whole>{_GROUPS}|0|[1-9][0-9]*)(?:(?P<point>[.,])(?P<rest>[0-9]+))?"
    rf"\s*(?P<after>{_CURRENCY})?\s*"
)
_FAULTS = {",": "a comma", "'": "an apostrophe", "’": "an apostrophe"}
#: The domains of numbers.
NUMBERS = ("float", "double", "int", "long")


def advice(value: Any) -> str | None:
    """Return how to send a text that looks like a number, such as "12,50 has a comma: send 12.50".

    None for numbers that rule 5 accepts, and for other texts.
    """
    found = _LIKE_A_NUMBER.fullmatch(value) if type(value) is str and len(value) <= 40 else None
    if found is None or DOMAINS["double"](value) is not None:
        return None
    group, point, rest = found["group"], found["point"], found["rest"]
    currency = found["before"] or found["first"] or found["after"]
    if group is not None and (group == point or (group == "." and not point and not currency)):
        return None  # 1,299,00 is ambiguous, and 10.100.200 may be a version.
    whole = found["sign"] + re.sub("[^0-9]", "", found["whole"])
    sent = whole + (f".{rest}" if rest else "")
    if group in (",", ".") and point is None and len(whole.lstrip("-")) <= 6:
        sent += f" or {whole[:-3]}.{whole[-3:]}"  # 1,299 may mean either.
    faults = [_FAULTS.get(sign, "") for sign in (group, point) if sign]
    faults += ["spaces"] if re.search(r"\s", value) else []
    faults += ["a currency"] if currency else []
    faults += ["dots between thousands"] if group == "." and point else []
    return f"{value} has {' and '.join(dict.fromkeys(filter(None, faults)))}: send {sent}"


def advice_on(mapping: EventMapping, event: dict[str, Any], reason: Reason) -> str | None:
    """Return how to send the event's number for the column that `reason` is about; None without advice."""
    for dataset, rule in choose(mapping.rules(*describe(event)) or (), event):
        for column, source in zip(dataset.columns, rule.sources, strict=True):
            if (dataset.name, column.name) != (reason.dataset, reason.field) or not isinstance(source, Source):
                continue
            elements = walk(event, rule.each) if rule.each is not None else None
            element = elements[reason.element] if type(elements) is list and reason.element is not None else None
            values = (walk(element if path.relative else event, path) for path in source.paths)
            return next(filter(None, map(advice, values)), None) if source.domain in NUMBERS else None
    return None
