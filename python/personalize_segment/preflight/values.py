"""Checks of the values: are ids, timestamps and columns plausible?"""

from collections.abc import Iterator
from functools import partial

from ..contract.columns import MAX_ID, REQUIRED, RESERVED
from ..contract.mapping import Dataset, EventMapping
from ..contract.numbers import NUMBERS
from ..contract.report import Reasons, Report
from ..contract.rows import NOT_IN_DOMAIN
from ..errors import number
from .figures import ColumnFacts, DatasetFacts, Figures
from .verdict import COMPLETE_SHARE, FORMAT, IMPORT, INTERACTIONS, Check, Limit, judged, percent, share, thumb

_judged = partial(judged, "Plausible values")
#: A column with more values than this isn't categorical. Fewer rows than _FEW_ROWS aren't enough to tell.
_MANY = 1000
_FEW_ROWS = 100
_DUPLICATE_SHARE = 0.01
_SAME_SECOND_SHARE = 0.05
_UNUSABLE_SHARE = 0.05
#: Reasons of values that aren't numbers.
_NO_NUMBERS = {NOT_IN_DOMAIN[domain] for domain in NUMBERS}


def values(figures: Figures, mapping: EventMapping, report: Report | None) -> Iterator[Check]:
    """Yield the checks of this group. Only a report tells which values can't be used."""
    yield _times(figures)
    yield _ids(figures)
    yield _duplicates(figures)
    yield _same_second(figures)
    yield _repeated(figures)
    yield _nulls(figures, mapping, _unusable(report) if report else {})
    if report:
        yield _usable(report)
    yield _categories(figures, mapping)


def _times(figures: Figures) -> Check:
    times = figures.times
    kinds = [
        ("in milliseconds", times.milliseconds),
        ("before 1970", times.negative),
        ("before the year 2000", times.early),
        ("later than tomorrow", times.future),
    ]
    wrong = sum(count for _, count in kinds)
    return _judged(
        "timestamps",
        "Timestamps",
        wrong,
        "interactions",
        f"{number(wrong, 'interaction has', 'interactions have')} an implausible timestamp."
        if wrong
        else "All timestamps are plausible.",
        Limit("epoch seconds of the interaction", INTERACTIONS),
        ("red", times.milliseconds > 0, "TIMESTAMP is in seconds. Divide these by 1000."),
        ("red", times.negative > 0, "TIMESTAMP is in seconds since 1970. Check the source of these."),
        (
            "yellow",
            wrong > 0,
            "Some clocks are wrong. Map `timestamp`, which Segment corrects, or leave these out.",
        ),
        details=((kind, number(count)) for kind, count in kinds if count),
    )


_KINDS = {
    "long": f"longer than {MAX_ID} characters",
    "control": "with control characters",
    "special": "with a quote or a backslash",
    "spaced": "with spaces at the ends",
    "placeholder": "that is a placeholder",
    "email": "that is an email address",
}


def _ids(figures: Figures) -> Check:
    odd = [ids for ids in figures.odd if ids.ids]
    kinds = {ids.kind for ids in odd}
    count = sum(ids.ids for ids in odd)
    return _judged(
        "ids",
        "Ids",
        count,
        "ids",
        f"{number(count, 'suspicious id')} among {number(figures.users, 'user')} and {number(figures.items, 'item')}.",
        Limit(f"at most {MAX_ID} characters, none of them special", FORMAT),
        ("red", "long" in kinds, "The import job would fail. Map another id."),
        ("yellow", "placeholder" in kinds, "Many people share a placeholder and look like one. Send no id instead."),
        (
            "yellow",
            "email" in kinds,
            "Ids appear in requests, logs and reports. Use ids that don't identify a person.",
        ),
        ("yellow", bool(odd), "Live events must send exactly the same characters. Clean the ids at their source."),
        details=(
            (
                f"{ids.column} {_KINDS[ids.kind]}, such as {ids.example}",
                f"{number(ids.ids, 'id')}, {number(ids.interactions, 'interaction')}",
            )
            for ids in odd
        ),
    )


def _duplicates(figures: Figures) -> Check:
    count = figures.rows - figures.unique
    part = share(count, figures.rows)
    return _judged(
        "duplicates",
        "Identical rows",
        count,
        "rows",
        f"{number(count, 'row repeats', 'rows repeat')} another in every column ({percent(part)}).",
        Limit("Personalize keeps one of them", IMPORT),
        (
            "yellow",
            part > _DUPLICATE_SHARE,
            "The same events are tracked or exported twice. Find the cause, and stop one of the two.",
        ),
    )


def _same_second(figures: Figures) -> Check:
    count = figures.same_second
    part = share(count, figures.unique)
    return _judged(
        "same-second",
        "Same second",
        count,
        "interactions",
        f"{number(count, 'interaction shares', 'interactions share')} user, item and second with another"
        f" ({percent(part)}).",
        thumb(f"under {percent(_SAME_SECOND_SHARE)}"),
        (
            "yellow",
            part > _SAME_SECOND_SHARE,
            "Two events mean the same action, such as a click and the view that follows. Map one of them.",
        ),
    )


def _repeated(figures: Figures) -> Check:
    repeated = [(facts.name, facts.repeated_ids) for facts in figures.datasets.values() if facts.repeated_ids]
    total = sum(count for _, count in repeated)
    return _judged(
        "repeated-ids",
        "Unique users and items",
        total,
        "rows",
        f"{number(total, 'row')} of users or items repeat an id." if total else "Every user and item has one row.",
        Limit("one row per user, one row per item", IMPORT),
        ("yellow", bool(repeated), "The order of the rows decides which one counts. Keep the latest."),
        details=((name, number(count)) for name, count in repeated),
    )


def _optional(figures: Figures, mapping: EventMapping) -> Iterator[tuple[DatasetFacts, ColumnFacts]]:
    mapped: dict[str, Dataset] = {dataset.name: dataset for dataset in mapping.datasets}
    for facts in figures.datasets.values():
        columns = mapped[facts.name].columns if facts.name in mapped else ()
        nullable = {column.name: column.nullable for column in columns}
        for column in facts.columns:
            if facts.rows and nullable.get(column.name, column.name not in REQUIRED[facts.name]):
                yield facts, column


def _unusable(report: Report) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the number of unusable values and of all values, for each column with unusable values."""
    return {
        (dataset, column): (count.unusable, count.unusable + count.filled)
        for dataset, counts in report.datasets.items()
        for column, count in counts.columns.items()
        if count.unusable
    }


def _nulls(figures: Figures, mapping: EventMapping, unusable: dict[tuple[str, str], tuple[int, int]]) -> Check:
    details, blocked, empty, sparse = [], 0, 0, 0
    for facts, column in _optional(figures, mapping):
        filled = 1 - column.nulls / facts.rows
        is_empty = column.nulls == facts.rows
        # A reserved column of interactions, such as EVENT_VALUE, belongs to some events only.
        is_sparse = filled < COMPLETE_SHARE and column.name not in RESERVED[facts.name]
        empty += is_empty
        sparse += is_sparse
        lost, _ = unusable.get((facts.name, column.name), (0, 0))
        blocked += bool(lost) and (is_empty or is_sparse)
        said = f"{percent(filled)} filled" + (f", {number(lost, 'value')} can't be used" if lost else "")
        details.append((filled, f"{facts.name}.{column.name}", said))
    return _judged(
        "nulls",
        "Filled columns",
        sparse,
        "columns",
        f"{number(sparse, 'optional column has', 'optional columns have')} fewer values than recommended,"
        f" {number(empty)} none at all."
        if sparse + empty
        else "All optional columns have as many values as recommended.",
        Limit(f"a column should be {percent(COMPLETE_SHARE)} filled", INTERACTIONS),
        ("yellow", blocked > 0, 'Events have values for these columns that can\'t be used. See "Usable values".'),
        ("yellow", empty > 0, "Remove empty columns from the mapping, or map paths that the events have."),
        ("yellow", sparse > 0, "Check whether the mapping's paths fit the events, or remove the column."),
        details=((name, said) for _, name, said in sorted(details)),
    )


def _usable(report: Report) -> Check:
    unusable, kinds = _unusable(report), Reasons()
    for (*_, dataset, column, reason), (count, example) in report.unusable.counts.items():
        kinds.add(("*", None, dataset, column, reason), count, example)
    total = sum(lost for lost, _ in unusable.values())
    many = [column for column, (lost, there) in unusable.items() if share(lost, there) > _UNUSABLE_SHARE]
    remedy = "Send values of the column's type, or map other paths."
    if any(reason in _NO_NUMBERS for *_, reason in kinds.counts):
        remedy = f"{remedy} A number has no comma, currency or spaces: 12.50, not 12,50 €."
    return _judged(
        "unusable",
        "Usable values",
        total,
        "values",
        f"{number(total, 'value')} in {number(len(unusable), 'column')} can't be used."
        if total
        else "All values can be used.",
        thumb(f"under {percent(_UNUSABLE_SHARE)} of a column's values"),
        (
            "yellow",
            ("interactions", "EVENT_VALUE") in many,
            f"{remedy} Solutions with an EVENT_VALUE threshold don't train on these interactions.",
        ),
        ("yellow", bool(many), remedy),
        details=(
            (
                f"{dataset}.{column}",
                f"{number(count, 'value')}: {reason}" + (f", such as in message {example}" if example else ""),
            )
            for (*_, dataset, column, reason), count, example in kinds.sorted()
            if (dataset, column) in unusable
        ),
    )


def _categories(figures: Figures, mapping: EventMapping) -> Check:
    categorical = {
        (dataset.name, column.name) for dataset in mapping.datasets for column in dataset.columns if column.categorical
    }
    details, odd, judged_any = [], [], False
    for facts in figures.datasets.values():
        for column in facts.columns:
            if (facts.name, column.name) not in categorical or not column.distinct:
                continue
            values = facts.rows - column.nulls
            details.append((f"{facts.name}.{column.name}", number(column.distinct, "value")))
            judged_any |= values >= _FEW_ROWS
            if values >= _FEW_ROWS and (column.distinct in (1, values) or column.distinct > _MANY):
                odd.append(column.name)
    return _judged(
        "categories",
        "Categories",
        len(odd),
        "columns",
        f"{number(len(odd), 'categorical column has', 'categorical columns have')} one value, only different values,"
        f" or more than {_MANY:,}."
        if odd
        else "Categorical columns have several values that rows share."
        if judged_any
        else f"Not enough rows to tell: no categorical column has {_FEW_ROWS} values.",
        thumb("several values that rows share"),
        ("yellow", bool(odd), "Training learns nothing from such a column. Map a coarser value, or remove it."),
        details=details,
    )
