"""Days that people type: `2024-03-01` or `1 Mar 2024`, and nothing that can be read in two ways."""

import re
import warnings
from datetime import date, datetime

import typer

#: What a part that is missing becomes in one reading and in the other: if it shows, it was missing.
_DEFAULTS = (datetime(2000, 1, 1), datetime(2003, 2, 2, 1, 1, 1, 1))
_YEAR_FIRST = re.compile(r"\s*(\d{4}[-/. ]|\d{8}\s*$)", re.ASCII)
_REMEDY = "Write it as 2024-03-01 or 1 Mar 2024"


def day(text: str) -> date:
    """Return the day that a text names; raise typer.BadParameter where it isn't one, or may be another."""
    readings = set()
    # Nobody writes the year first and then the day, though dateutil would read it.
    for day_first in (False,) if _YEAR_FIRST.match(text) else (False, True):
        found, other = (_read(text, default, day_first=day_first) for default in _DEFAULTS)
        if (found.time(), other.time(), found.tzinfo) != (_DEFAULTS[0].time(), _DEFAULTS[1].time(), None):
            raise typer.BadParameter(f"{text!r} has a time, but windows are whole days in UTC. {_REMEDY}.")
        if found.date() != other.date() or not re.search(r"\d{4}", text):
            raise typer.BadParameter(f"{text!r} lacks a part of the date. {_REMEDY}.")
        readings.add(found.date())
    if len(readings) > 1:
        raise typer.BadParameter(f"{text!r} is {' or '.join(map(str, sorted(readings)))}. {_REMEDY}.")
    return readings.pop()


def _read(text: str, default: datetime, *, day_first: bool) -> datetime:
    # Loading it takes as long as loading typer, and most commands have no day.
    from dateutil import parser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", parser.UnknownTimezoneWarning)
            found: datetime = parser.parse(text, default=default, dayfirst=day_first)
    except (parser.UnknownTimezoneWarning, ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} isn't a date. {_REMEDY}.") from error
    return found
