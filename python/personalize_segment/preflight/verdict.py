"""A check and its verdict, and the limits of training with their sources.

Quotas change, so only this module has the limits of training, and only `contract/columns.py` those of columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from unicodedata import category

Verdict = Literal["green", "yellow", "red"]
VERDICTS: Final[tuple[Verdict, ...]] = ("green", "yellow", "red")


@dataclass(frozen=True, slots=True)
class Citation:
    """The source of a limit: a page of Amazon Personalize's developer guide, or this project (no URL)."""

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

#: QUOTAS: minimums for a solution version, a recommender, and an import of interactions.
MIN_INTERACTIONS: Final = 1000
MIN_RETURNING_USERS: Final = 25
MIN_RETURNING_SHARE: Final = 0.01
#: INTERACTIONS and ANALYSIS: recommended for good results.
GOOD_INTERACTIONS: Final = 50_000
GOOD_RETURNING_USERS: Final = 1000
#: QUOTAS: maximums for training with v2 recipes and with others, and for an import, FULL and INCREMENTAL.
MAX_INTERACTIONS: Final = (3_000_000_000, 500_000_000)
MAX_ITEMS: Final = (5_000_000, 750_000)
MAX_IMPORT_GB: Final = (100, 1)
MAX_CATEGORY: Final = 1000
#: INTERACTIONS: the share of a column's rows that should have a value.
COMPLETE_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit for a value, as text, and its source."""

    text: str
    source: Citation


@dataclass(frozen=True, slots=True)
class Check:
    """One check of an export.

    `value` is for machines, in `unit`. `said` is the finding in a sentence. `remedy` is an instruction, empty if the
    verdict is green. Text from the data is only in `details`, as label and text. Escape it before showing it.
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
    """Return a check with the verdict and the remedy of the first rule that holds, or green if none does."""
    verdict, remedy = next(((verdict, remedy) for verdict, holds, remedy in rules if holds), (VERDICTS[0], ""))
    return Check(id_, group, title, verdict, value, unit, said, limit, remedy, tuple(details))


def thumb(text: str) -> Limit:
    """Return a limit that is this project's own."""
    return Limit(text, RULE_OF_THUMB)


def share(part: int, whole: int) -> float:
    """Return a share, or 0 if `whole` is 0."""
    return part / whole if whole else 0.0


def percent(share: float) -> str:
    """Return a share for people: `0.25` is "25%". Only 0 is "0%", and only 1 is "100%"."""
    if 0 < share < 0.0005:
        return "under 0.1%"
    if 0.9995 < share < 1:
        return "over 99.9%"
    digits = f"{share * 100:.1f}".removesuffix(".0")
    return f"{digits}%"


def size(count: int) -> str:
    """Return a size with its unit: `12.3 MB`."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "bytes" or amount >= 100 else f"{amount:,.1f} {unit}"


_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def visible(text: str, most: int = 80) -> str:
    """Return a text from the data on one line, without invisible and control characters.

    Control characters, direction marks and the like are escaped as `\\u{…}`. Text beyond `most` characters is cut.
    """
    shown = "".join(f"\\u{{{ord(char):x}}}" if category(char) in _INVISIBLE else char for char in text[: most + 1])
    return shown if len(text) <= most and len(shown) <= most else shown[: most - 1] + "…"
