"""A check and its verdict, and the limits of training with their sources.

Quotas drift. Limits of training are here, those of columns in `contract/columns.py`, and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from unicodedata import category

Verdict = Literal["green", "yellow", "red"]
VERDICTS: Final[tuple[Verdict, ...]] = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Citation:
    """Where a limit is written down: a page of Amazon Personalize's developer guide, or without an address our own."""

    name: str
    url: str | None


def _guide(title: str, page: str) -> Citation:
    return Citation(title, f"https://docs.aws.amazon.com/personalize/latest/dg/{page}")


QUOTAS: Final = _guide("Endpoints and quotas", "limits.html")
ANALYSIS: Final = _guide("Analyzing quality and quantity of data", "analyzing-data.html")
INTERACTIONS: Final = _guide("Preparing item interaction data for training", "interactions-datasets.html")
FORMAT: Final = _guide("Preparing training data", "preparing-training-data.html")
IMPORT: Final = _guide("Importing training data", "import-data.html")
CONTRACT: Final = Citation("docs/contract.md of this project", None)
RULE_OF_THUMB: Final = Citation("rule of thumb", None)

#: QUOTAS: what a solution version or recommender, and an import of interactions, need at least.
MIN_INTERACTIONS: Final = 1000
MIN_RETURNING_USERS: Final = 25
MIN_RETURNING_SHARE: Final = 0.01
#: INTERACTIONS and ANALYSIS: what good recommendations need.
GOOD_INTERACTIONS: Final = 50_000
GOOD_RETURNING_USERS: Final = 1000
#: QUOTAS: what training considers, with v2 recipes and with all others, and what one import
#: takes, FULL and INCREMENTAL.
MAX_INTERACTIONS: Final = (3_000_000_000, 500_000_000)
MAX_ITEMS: Final = (5_000_000, 750_000)
MAX_IMPORT_GB: Final = (100, 1)
MAX_CATEGORY: Final = 1000
#: INTERACTIONS: the share of a column's rows that should have a value.
COMPLETE_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True)
class Limit:
    """What a value is held against, for people, and who says so."""

    text: str
    source: Citation


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    `value` is for machines, in `unit`; `said` is one sentence for people, and `remedy`, empty when the
    verdict is green, says what to do. Both are our own words: what comes from the data stands
    in `details`, as label and text, and whoever shows it makes it harmless first.
    """

    id: str
    group: str
    title: str
    verdict: Verdict
    value: int | float | str | None
    unit: str
    said: str
    limit: Limit
    remedy: str = ""
    details: tuple[tuple[str, str], ...] = ()


def judged(
    group: str,
    id_: str,
    title: str,
    value: int | float | str | None,
    unit: str,
    said: str,
    limit: Limit,
    *rules: tuple[Verdict, bool, str],
    details: Iterable[tuple[str, str]] = (),
) -> Check:
    """Return a check with the verdict and the remedy of the first rule that holds; green if none does."""
    verdict, remedy = next(((verdict, remedy) for verdict, holds, remedy in rules if holds), (VERDICTS[0], ""))
    return Check(id_, group, title, verdict, value, unit, said, limit, remedy, tuple(details))


def thumb(text: str) -> Limit:
    """Return a limit that is our own."""
    return Limit(text, RULE_OF_THUMB)


def share(part: int, whole: int) -> float:
    """Return a share; of nothing it is 0."""
    return part / whole if whole else 0.0


def percent(share: float) -> str:
    """Return a share for people: `0.25` is "25 %"; what is not nothing is never "0 %", nor is 100 % what is less."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    if 0.9995 < share < 1:
        return "over 99.9 %"
    digits = f"{share * 100:.1f}".removesuffix(".0")
    return f"{digits} %"


def number(value: int, what: str = "", plural: str | None = None) -> str:
    """Return a count for people: `1,234 users`, `1 user`."""
    if not what:
        return f"{value:,}"
    return f"{value:,} {what if value == 1 else plural or what + 's'}"


def size(count: int) -> str:
    """Return bytes for people."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:,.1f} {unit}"


_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str, most: int = 80) -> str:
    """Return a text from the data as it can be shown: on one line, without anything that hides or steers.

    Control characters, marks of direction and the like are written as `\\u{…}`; what is longer than
    `most` characters is cut.
    """
    shown = "".join(f"\\u{{{ord(char):x}}}" if category(char) in _INVISIBLE else char for char in text[: most + 1])
    return shown if len(text) <= most and len(shown) <= most else shown[: most - 1] + "…"
