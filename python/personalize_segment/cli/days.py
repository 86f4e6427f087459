"""Parse days such as `2024-03-01` or `1 Mar 2024`, and refuse ambiguous ones."""

import re
import warnings
from datetime import date, datetime

import typer

#: Defaults for missing parts in two readings: a part that differs between them is missing from the text.
_DEFAULTS = (datetime(2000, 1, 1), datetime(2003, 2, 2, 1, 1, 1, 1))
_YEAR_FIRST = re.compile(r"\s*(\d{4}[-/. ]|\d{8}\s*$)", re.ASCII)
_REMEDY = "Write it as 2024-03-01 or 1 Mar 2024"


def day(text: str) -> date:
    """Return the day that a text names. Raises typer.BadParameter if it isn't a day, or could be two."""
    readings = set()
    # dateutil would also read year-day-month, which no one writes.
    for day_first in (False,) if _YEAR_FIRST.match(text) else (False, True):
        found, other = (_read(text, default, day_first=day_first) for default in _DEFAULTS)
        if (found.time(), other.time(), found.tzinfo) != (_DEFAULTS[0].time(), _DEFAULTS[1].time(), None):
            raise typer.BadParameter(f"{text!r} has a time, but windows are whole days in UTC. {_REMEDY}.")
        if found.date() != other.date() or not re.search(r"\d{4}", text):
            raise typer.BadParameter(f"{text!r} isn't a complete date. {_REMEDY}.")
        readings.add(found.date())
    if len(readings) > 1:
        raise typer.BadParameter(f"{text!r} could be {' or '.join(map(str, sorted(readings)))}. {_REMEDY}.")
    return readings.pop()


def _read(text: str, default: datetime, *, day_first: bool) -> datetime:
    # dateutil takes as long to load as typer, and most commands have no day.
    from dateutil import parser

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", parser.UnknownTimezoneWarning)
            found: datetime = parser.parse(text, default=default, dayfirst=day_first)
    except (parser.UnknownTimezoneWarning, ValueError, OverflowError) as error:
        raise typer.BadParameter(f"{text!r} isn't a date. {_REMEDY}.") from error
    return found
