"""One export per engine in a comparable form: sorted CSV texts and the report."""

import csv
import gzip
import importlib.util
import json
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from personalize_segment.contract.mapping import EventMapping
from personalize_segment.contract.report import Malformed, Report
from personalize_segment.contract.rows import Reason, Row, Value, rows, text
from personalize_segment.contract.suppression import SUPPRESSED, SuppressionList
from personalize_segment.contract.visitors import NEVER_LOGGED_IN, Login, logins
from personalize_segment.errors import EmptyError
from personalize_segment.history.export import export
from personalize_segment.history.lines import LogLine, read
from personalize_segment.history.logs import (
    BINARY,
    HEAD_BYTES,
    Window,
    compression,
    list_folder,
    sort_out,
    unzip,
)

Texts = tuple[str, ...]
SCRIPT = Path(__file__).parents[2] / "glue" / "segment_to_personalize.py"


@dataclass(frozen=True)
class Outcome:
    """The rows of each dataset, without header, and the report, which is None without rows.

    `profiles` has the lines that seed the profile table, as Python's JSON.
    """

    rows: dict[str, list[Texts]]
    report: dict[str, Any] | None
    profiles: dict[str, list[str]]


def python_rows(
    folder: Path,
    mapping: EventMapping,
    window: Window | None = None,
    suppressed: SuppressionList | None = None,
    *,
    by_day: bool = True,
) -> Outcome:
    """Return the reference outcome: `rows()` line by line, and a naive implementation of rules 9 and 12.

    Without `by_day`, copies of all days are compared by their texts alone, as in a warehouse.
    """
    tree = sort_out(list_folder(folder), window or Window(), root=str(folder))
    report = Report.of(mapping)
    report.files_skipped += tree.skipped
    copies: dict[tuple[str | None, int | None], list[tuple[str, bool, Texts]]] = defaultdict(list)
    versions: dict[tuple[str, str], list[list[tuple[int, str, str, Value]]]] = {}
    files = [(True, one) for one in tree.overlap] + [(False, one) for one in tree.inside]
    log = [(old, file, line) for old, file in files for line in _lines_of(file.name, report)]
    known: dict[str, list[Login]] = defaultdict(list)
    for _, file, line in log:
        for login in () if line.event is None else logins(mapping, line.event, file.present):
            if suppressed is None or not suppressed.holds(login.user):
                known[login.session].append(login)
    for old, file, line in log:
        event = line.event
        given: tuple[list[Row], list[Reason]] = [], []
        if event is not None:
            given = rows(mapping, event, present=file.present, suppressed=suppressed)
        found, reasons = given
        stitched = [_allowed(_stitched(mapping, row, known), suppressed) for row in found]
        reasons += [one for one in stitched if isinstance(one, Reason)]
        if old:
            report.events_overlap += event is not None
        else:
            report.events_read += event is not None
            report.malformed([Malformed(file.name, line.number, line.cause)] if event is None else [])
            for why in reasons:
                report.refuse(event or {}, why)
        for row in stitched:
            if isinstance(row, Row):
                day = str(file.day or "") if by_day else str(int(not old))
                _sort_in(row, copies, versions, day, old=old)
                if not old:
                    report.accept(event or {}, row)
    kept: dict[str, list[Texts]] = {one.name: [] for one in mapping.datasets}
    for group in copies.values():
        _, old, texts = min(group)
        kept["interactions"] += [] if old else [texts]
    profiles: dict[str, list[str]] = {"users": [], "items": []}
    names = {one.name: [column.name for column in one.columns] for one in mapping.datasets}
    for (dataset, key), columns in versions.items():
        latest = [max(seen, default=(0, "", "", None)) for seen in columns]
        kept[dataset].append(tuple(text_ for _, _, text_, _ in latest))
        cells = {
            name: [value, seconds, fraction]
            for name, (seconds, fraction, _, value) in zip(names[dataset][1:], latest[1:], strict=True)
            if value is not None
        }
        profiles[dataset] += [json.dumps([key, cells])] if cells else []
    for name, one in kept.items():
        one.sort()
        report.datasets[name].rows = len(one)
    if suppressed is not None and suppressed.hashes:
        report.withhold()
    found_any = any(kept.values())
    lines_of = {name: sorted(one) for name, one in profiles.items()}
    return Outcome(kept, _comparable(report.as_dict(), folder) if found_any else None, lines_of)


def _stitched(mapping: EventMapping, row: Row, known: dict[str, list[Login]]) -> Row | Reason:
    """Return a row with its user, or the reason for none. A row attributed by login keeps `visitor`."""
    if row.visitor is None:
        return row
    time = row.values[[column.name for column in row.dataset.columns].index("TIMESTAMP")]
    seen = known[row.visitor]
    first = {user: min(one.second for one in seen if one.user == user) for user in {one.user for one in seen}}
    after = [(second, user) for user, second in first.items() if second >= time]  # type: ignore[operator]
    before = [(-second, user) for user, second in first.items()]
    if after or before:
        return row._replace(values=(min(after or before)[1], *row.values[1:]))
    if mapping.visitors == "as_users":
        return row._replace(values=(row.visitor, *row.values[1:]), visitor=None)
    return Reason(row.dataset.name, "USER_ID", NEVER_LOGGED_IN)


def _allowed(row: Row | Reason, suppressed: SuppressionList | None) -> Row | Reason:
    """Return a row, or the reason if its user is suppressed."""
    gone = isinstance(row, Row) and suppressed is not None and suppressed.holds(row.user)
    return Reason(row.dataset.name, "USER_ID", SUPPRESSED) if gone and isinstance(row, Row) else row


def _sort_in(
    row: Row,
    copies: dict[tuple[str | None, int | None], list[tuple[str, bool, Texts]]],
    versions: dict[tuple[str, str], list[list[tuple[int, str, str, Value]]]],
    day: str,
    *,
    old: bool,
) -> None:
    texts = tuple(map(text, row.values))
    if row.dataset.name == "interactions":
        copies[row.message_id, row.element].append((day, old, texts))
    elif not old:
        instant = row.instant or (-(10**12), "")  # sorts before every instant
        columns = versions.setdefault((row.dataset.name, texts[0]), [[] for _ in texts])
        for seen, text_, value in zip(columns, texts, row.values, strict=True):
            seen += [(*instant, text_, text_ if isinstance(value, list) else value)] if text_ else []


def _lines_of(name: str, report: Report) -> list[LogLine]:
    data = Path(name).read_bytes()
    kind = compression(data[:HEAD_BYTES])
    if kind is None:
        report.files_damaged.append((name, BINARY))
        return []
    report.files_read += 1
    damage: list[str] = []
    found = list(read(unzip([data], damage) if kind == "gzip" else [data]))
    report.files_damaged += [(name, one) for one in damage]
    return found


def duckdb_rows(folder: Path, mapping: EventMapping, window: Window | None = None) -> Outcome:
    """Return the local engine's outcome."""
    return _written(lambda out: export(str(folder), out, mapping, window=window or Window()), folder, mapping)


def glue_script() -> Any:
    """Return the Glue job's script as a module."""
    spec = importlib.util.spec_from_file_location("segment_to_personalize", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    # Not in sys.modules, so that Spark sends its functions to the workers instead of their names.
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def spark_rows(spark: SparkSession, folder: Path, mapping: EventMapping, window: Window | None = None) -> Outcome:
    """Return the outcome of the Glue job with a fold by Spark."""
    run = partial(glue_script().run, driver_events=0)
    return _written(lambda out: run(spark, str(folder), out, mapping, window or Window()), folder, mapping)


def _written(run: Callable[[str], Report], folder: Path, mapping: EventMapping) -> Outcome:
    with tempfile.TemporaryDirectory() as out:
        try:
            report = run(out)
        except EmptyError:
            return Outcome({one.name: [] for one in mapping.datasets}, None, {"users": [], "items": []})
        found = {one.name: read_csv(Path(out, one.name)) for one in mapping.datasets}
        for dataset in mapping.datasets:
            header = [one.name for one in dataset.columns]
            assert all(names == header for names, _ in found[dataset.name])
        on_disk = json.loads(Path(out, "report.json").read_bytes())
        assert on_disk == report.as_dict()
        rows_of = {name: sorted(row for _, part in parts for row in part) for name, parts in found.items()}
        return Outcome(rows_of, _comparable(on_disk, folder), read_profiles(Path(out, "profiles")))


def read_csv(folder: Path) -> list[tuple[list[str], list[Texts]]]:
    """Return header and rows of each part of a dataset."""
    found = []
    for path in sorted(folder.glob("part-*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            header, *body = csv.reader(file)
            found.append((header, [tuple(row) for row in body]))
    return found


def read_profiles(folder: Path) -> dict[str, list[str]]:
    """Return the lines that seed the profile table, as Python's JSON."""
    found: dict[str, list[str]] = {"users": [], "items": []}
    for name, one in found.items():
        for path in (folder / name).glob("part-*.gz"):
            one += [json.dumps(json.loads(line)) for line in gzip.decompress(path.read_bytes()).splitlines()]
        one.sort()
    return found


def _comparable(report: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Name files as seen from `folder`, in the order of their names."""
    for one in [*report["files"]["skipped"], *report["files"]["damaged"], *report["lines"]["first"]]:
        one["file"] = one["file"].removeprefix("file:").replace(f"{folder}/", "")
    for kind in ("skipped", "damaged"):
        report["files"][kind].sort(key=lambda one: (one["file"], one["reason"]))
    return report


def write_log(path: Path, log: Iterable[bytes]) -> Path:
    """Write lines like Segment, gzipped if the name ends in .gz, and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = b"".join(line + b"\n" for line in log)
    path.write_bytes(gzip.compress(data, 1, mtime=0) if path.suffix == ".gz" else data)
    return path
