"""DuckDB's measurements equal a simple count in Python, for awkward rows."""

import csv
import math
import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from unicodedata import category

from hypothesis import given, settings
from hypothesis import strategies as st
from test_preflight import COLUMNS, DAY, MAPPING, NOW

from personalize_segment.preflight import preflight
from personalize_segment.preflight.figures import Activity, ColumnFacts, Coverage, DatasetFacts, Figures, OddIds, Times
from personalize_segment.preflight.measure import CROWD, EARLIEST, MILLISECONDS, PLACEHOLDERS, TOP

Rows = list[tuple[str, ...]]
_TYPES = {(one.name, column.name): column.type for one in MAPPING.datasets for column in one.columns}
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+", re.ASCII)

ids = st.one_of(
    st.sampled_from(["u1", "u2", "i1", "i2", "i3"]),
    st.sampled_from(["", "null", "None", " u1", 'say "a"', "a,b", "a\\b", "\x85", "é" * 256, "😀" * 257, "a@b.ch"]),
    st.text(st.characters(blacklist_categories=["Cs", "Zl", "Zp"], blacklist_characters="\0\r\n"), max_size=4),
)
times = st.one_of(
    st.integers(NOW - 40 * DAY, NOW).map(str),
    st.sampled_from([NOW, NOW - DAY]).map(str),
    st.sampled_from(["", "-1", "0", str(EARLIEST), str(EARLIEST - 1), str(NOW + DAY), str(NOW + DAY + 1)]),
    st.sampled_from([str(MILLISECONDS), str(MILLISECONDS - 1), str(2**63), "+5", "1.0", "1e3", " 5", "soon", "\u0661"]),
)
kinds = st.sampled_from(["View", "View", "Purchase", "view", "", "\x01"])
prices = st.sampled_from(["", "1", "1.5", "-2e-3", "1e999", ".5", "5.", "nan", "inf", "1_0", "0x1", " 1", "x", "+1"])
# The first few rows are there twice.
interactions = st.lists(st.tuples(ids, ids, times, kinds, kinds), max_size=40).map(lambda rows: rows + rows[:3])
users, items = (st.lists(st.tuples(ids, other), max_size=12) for other in (kinds, prices))


def whole(text: str) -> int | None:
    """Return the 64-bit integer that a text contains, and nothing else."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) and -(2**63) <= int(text) < 2**63 else None


def fits(text: str, kind: str) -> bool:
    """Return whether a text that is not null is of a type."""
    if kind == "timestamp":
        return whole(text) is not None
    if kind == "float":
        number = re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text)
        return number is not None and math.isfinite(float(text))
    return not _CONTROL.search(text)


def facts(name: str, rows: Rows) -> DatasetFacts:
    """Count a dataset's columns."""
    found = []
    for place, column in enumerate(COLUMNS[name]):
        values = [row[place] for row in rows if row[place]]
        kind = _TYPES[name, column]
        text = kind == "string" and column not in ("USER_ID", "ITEM_ID")
        found.append(
            ColumnFacts(
                column,
                kind,
                len(rows) - len(values),
                sum(not fits(one, kind) for one in values),
                len(set(values)) if text else None,
                max(map(len, values), default=None) if text else None,
            )
        )
    keys = [row[0] for row in rows if row[0]]
    return DatasetFacts(name, len(rows), 0 if name == "interactions" else len(keys) - len(set(keys)), tuple(found))


def odd(column: str, counts: Counter[str]) -> list[OddIds]:
    """Group ids by their oddity."""
    kinds_: dict[str, Callable[[str], bool]] = {
        "long": lambda one: len(one) > 256,
        "control": lambda one: bool(_CONTROL.search(one)),
        "special": lambda one: '"' in one or "\\" in one,
        "spaced": lambda one: any(category(end) == "Zs" for end in (one[0], one[-1])),
        "placeholder": lambda one: one.lower() in PLACEHOLDERS,
        "email": lambda one: bool(_EMAIL.fullmatch(one)),
    }
    found = []
    for kind, is_one in kinds_.items():
        some = [one for one in counts if is_one(one)]
        example = min(some, default=None, key=lambda one: one.encode())
        found.append(OddIds(column, kind, len(some), sum(counts[one] for one in some), example))
    return found


def coverage(counts: Counter[str], rows: Rows) -> Coverage:
    """Compare ids with those of a dataset."""
    listed = {row[0] for row in rows if row[0]}
    known = listed & set(counts)
    return Coverage(len(counts), len(known), sum(counts[one] for one in known), len(listed), len(listed - set(counts)))


def plain(rows: dict[str, Rows]) -> Figures:
    """Count everything again, row by row."""
    once = {(user, item, whole(time), kind, other) for user, item, time, kind, other in rows["interactions"]}
    # Texts that aren't times differ, too.
    unique = set(rows["interactions"])
    triples = {(user, item, whole(time)) for user, item, time, _, _ in unique}
    assert len(once) <= len(unique)
    by_user = Counter(row[0] for row in unique if row[0])
    by_item = Counter(row[1] for row in unique if row[1])
    days: Counter[int] = Counter()
    by_day: defaultdict[tuple[str, int], int] = defaultdict(int)
    for row in unique:
        time = whole(row[2])
        if time is not None and EARLIEST <= time <= NOW + DAY:
            days[time // DAY] += 1
            if row[0]:
                by_day[row[0], time // DAY] += 1
    meant = [time for row in rows["interactions"] if (time := whole(row[2])) is not None]
    popular = sorted(by_item.values(), reverse=True)
    tops = [sum(popular[: math.ceil(len(popular) * share / 100)]) for share in TOP]
    most = [(n, user.encode(), user) for user, n in by_user.items()]
    busy = [(n, user.encode(), user) for (user, _), n in by_day.items()]
    types = Counter(row[3] for row in unique if row[3])
    bought = {row[1] for row in unique if row[1] and row[3].lower() == "purchase"}
    viewed = {row[1] for row in unique if row[1] and row[3].lower() in ("view", "click", "watch")}
    return Figures(
        now=NOW,
        datasets={name: facts(name, one) for name, one in rows.items()},
        rows=len(rows["interactions"]),
        unique=len(unique),
        same_second=len(unique) - len(triples),
        users=len(by_user),
        returning=sum(n > 1 for n in by_user.values()),
        items=len(by_item),
        items_once=popular.count(1),
        histories=tuple(sorted(Counter(by_user.values()).items())),
        shares=tuple(zip(TOP, (one / sum(popular) for one in tops), strict=True)) if popular else (),
        heaviest=max(most)[::-2] if most else None,
        busiest=max(busy)[::-2] if busy else None,
        crowded=len({user for (user, _), n in by_day.items() if n >= CROWD}),
        types=tuple(sorted(types.items(), key=lambda one: (-one[1], one[0].encode()))),
        times=Times(
            negative=sum(one < 0 for one in meant),
            early=sum(0 <= one < EARLIEST for one in meant),
            future=sum(NOW + DAY < one < MILLISECONDS for one in meant),
            milliseconds=sum(one >= MILLISECONDS for one in meant),
        ),
        activity=Activity(tuple(sorted(days.items()))),
        odd=(*odd("USER_ID", by_user), *odd("ITEM_ID", by_item)),
        coverage={"users": coverage(by_user, rows["users"]), "items": coverage(by_item, rows["items"])},
        bought=(len(bought), len(bought & viewed)) if bought and viewed else None,
        trainings=(),
    )


def measured(rows: dict[str, Rows]) -> Figures:
    """Write the rows in parts of two, and measure them."""
    with tempfile.TemporaryDirectory() as folder:
        for name, one in rows.items():
            Path(folder, name).mkdir()
            for number, part in enumerate((one[::2], one[1::2])):
                with Path(folder, name, f"part-{number}.csv").open("w", encoding="utf-8", newline="") as file:
                    csv.writer(file, lineterminator="\n").writerows([COLUMNS[name], *part])
        return preflight(folder, MAPPING, now=NOW).figures


@settings(max_examples=40)
@given(interactions, users, items)
def test_figures_are_those_of_a_plain_count(interactions: Rows, users: Rows, items: Rows) -> None:
    rows = {"interactions": interactions, "users": users, "items": items}
    assert measured(rows) == plain(rows)


def test_figures_of_a_crowd_are_those_of_a_plain_count() -> None:
    crowd: Rows = [("robot", f"i{n % 7}", str(NOW - n), "View", "") for n in range(CROWD)]
    for some, crowded in ((crowd, 1), (crowd[1:], 0), ([*crowd[1:], ("robot", "i1", str(NOW - DAY), "View", "")], 0)):
        rows: dict[str, Rows] = {"interactions": [*some, ("u1", "i1", str(NOW), "View", "")], "users": [], "items": []}
        assert measured(rows) == plain(rows)
        assert plain(rows).crowded == crowded
