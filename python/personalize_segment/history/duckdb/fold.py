"""Fold staged days to an export: deduplicated interactions with their users, merged profiles, CSV parts and a report.

`Before` is the result of the last fold of the same days. With it, a fold reads in full only new days, and days whose
rows may have changed. Of all other days, it reads keys and reports.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import duckdb

from ...contract.mapping import Dataset
from ...contract.quoting import literal
from ...contract.report import Report
from ...contract.suppression import SuppressionList
from . import selects
from .compiler import VISIT, Compiler
from .counts import count
from .days import Before, DayKind, FoldedDay, StagedDay
from .profile_fold import ProfileFold
from .selects import parquet
from .tables import FoldTables
from .worker import KEYS, LOGINS, VISITS

#: Keys that are compared at a time, which bounds the memory.
SLICE_ROWS = 1_000_000
#: Approximate interactions per CSV part.
PART_ROWS = 500_000

#: The files rolled up from settled days, in addition to profiles by dataset: possible copies, and evidence of logins.
COPIES, EVIDENCE = "copies", "evidence"


class _DayGroup(NamedTuple):
    """Days whose interactions of a kind are about a part, or a single day in several `slices`."""

    kind: str
    days: list[StagedDay]
    slices: int

    def rows(self, kind: str) -> str:
        """Return the FROM expression that reads the staged rows of a kind."""
        return parquet([file for day in self.days for file in day.files(kind)])


class Fold:
    """Folds staged days with a connection that has no other tables. Files are written below `folder`.

    Rows of `suppressed` users are left out and counted as refused. `settled` numbers the days to roll up for the next
    fold, None if there is none.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        compiler: Compiler,
        folder: Path,
        days: Sequence[StagedDay],
        suppressed: SuppressionList | None,
        before: Before | None,
        settled: frozenset[int] | None,
        workers: int,
    ) -> None:
        self._tables = FoldTables(connection, folder, suppressed)
        self._compiler, self._mapping, self._days, self._workers = compiler, compiler.mapping, days, workers
        self._before, self._settling = before or Before(), settled
        self._fresh = [day for day in days if day.number not in self._before.settled]
        self._settled = [day for day in days if day.number in self._before.settled]
        self._interactions, *profiles = compiler.datasets
        inside = [day for day in self._fresh if not day.old]
        self._profiles = [
            ProfileFold(self._tables, dataset, inside, self._before.rolled.get(dataset.name)) for dataset in profiles
        ]
        self._kinds = [self._interactions.name, *([VISITS] if compiler.stitches else [])]
        #: The parts of each day are those of this fold or, if the rows are the same, of the last one.
        self.days: dict[DayKind, FoldedDay] = {}
        #: Parquet files of the settled days and of all logins, by kind.
        self.rolled: dict[str, Path] = {}

    def run(self, report: Report) -> None:
        """Write the changed parts of interactions, all users, items and profiles, and count all rows."""
        for dataset in self._compiler.datasets:
            (self._tables.folder / dataset.name).mkdir()
        self._tables.create()
        with ThreadPoolExecutor(self._workers) as pool:
            try:
                writing = {one.dataset.name: pool.submit(one.write) for one in self._profiles}
                if self._compiler.stitches:
                    self._collect_logins()
                touching = pool.submit(self._find_touched)
                copied = self._find_copies(pool)
                touched = touching.result()
                changed = {
                    kind: [day for day in self._days if not day.old and self._is_changed(day, kind, copied, touched)]
                    for kind in self._kinds
                }
                # All at once, because S3 serves requests in parallel.
                needed = [(day, kind) for kind in self._kinds for day in changed[kind]]
                list(pool.map(lambda one: one[0].files(one[1]), needed))
                self._tables.ban(
                    self._users(parquet(files)) for kind in self._kinds for files in self._of(changed[kind], kind)
                )
                users = self._of(changed[self._interactions.name], "users")
                self._tables.ban(f"SELECT c0 FROM {parquet(files)}" for files in users)
                groups = [group for kind in self._kinds for group in self._groups(changed[kind], kind)]
                folding = [
                    pool.submit(self._fold_days, group, slice_, copied)
                    for group in groups for slice_ in range(group.slices)
                ]  # fmt: skip
                for name, rows in writing.items():
                    report.datasets[name].rows += rows.result()
                # After the profiles, whose files it reads.
                rolling = {kind: pool.submit(self._tables.copy, *one) for kind, one in self._roll_up().items()}
                for slice_of_days in folding:
                    for key, folded_day in slice_of_days.result().items():
                        if key in self.days:
                            self.days[key].add(folded_day)
                        else:
                            self.days[key] = folded_day
                self.rolled = {kind: file.result() for kind, file in rolling.items()}
            finally:
                # After an error or Ctrl-C, the pending parts aren't needed.
                pool.shutdown(cancel_futures=True)
        for day in self._days:
            report.merge(day.report, old=day.old)
            if not day.old:
                for kind in self._kinds:
                    report.merge(self.days[day.number, kind].report)

    def _roll_up(self) -> dict[str, tuple[str, Path]]:
        """Return a SELECT and a file for each kind of rows that the next fold reads instead of the settled days'."""
        if self._settling is None:
            return {}
        days = [day for day in self._fresh if day.number in self._settling and not day.old]
        listed = ", ".join(map(str, sorted(self._settling))) or "NULL"
        selected = {COPIES: f"SELECT * FROM copies WHERE day IN ({listed})"}
        for profiles in self._profiles:
            if select := profiles.roll_up(self._settling):
                selected[profiles.dataset.name] = select
        if self._compiler.stitches:
            selected[LOGINS] = "SELECT * FROM logins"
            if files := [*self._rolled(EVIDENCE), *(file for day in days for file in day.files(LOGINS))]:
                evidence = f"SELECT session, login, min(second) AS second FROM {parquet(files)} GROUP BY ALL"
                selected[EVIDENCE] = evidence
        folder = self._tables.folder / "rolled"
        folder.mkdir()
        return {kind: (select, folder / kind) for kind, select in selected.items()}

    def _rolled(self, kind: str) -> list[Path]:
        return [self._before.rolled[kind]] if kind in self._before.rolled else []

    def _of(self, days: Iterable[StagedDay], kind: str) -> list[list[Path]]:
        return [files for day in days if (files := day.files(kind))]

    def _collect_logins(self) -> None:
        """Create the tables `logins` and `visitors` (rule 12)."""
        files = [*self._rolled(EVIDENCE), *(file for day in self._fresh for file in day.files(LOGINS))]
        self._tables.execute(
            f"CREATE TABLE evidence AS SELECT session, login, min(second) AS second FROM {parquet(files)} GROUP BY ALL"
        )
        self._tables.ban(["SELECT login FROM evidence"])
        allowed = " WHERE login NOT IN (FROM banned)" if self._tables.suppressed else ""
        self._tables.execute(
            "CREATE TABLE logins AS"
            f" SELECT session, second, min(login) AS login FROM evidence{allowed} GROUP BY session, second"
        )
        self._tables.execute("DROP TABLE evidence")
        self._tables.execute(f"CREATE TABLE visitors AS {selects.visitors('logins')}")

    def _find_copies(self, pool: ThreadPoolExecutor) -> dict[DayKind, int]:
        """Create the tables `copied` (hashes that several rows share), `copies` (those rows) and `once` (rule 9).

        Return digests of the rows that have copies, and of those that remain. Only rows that share a hash are compared.
        """
        fresh = [file for files in self._of(self._fresh, KEYS) for file in files]
        settled = [file for files in self._of(self._settled, KEYS) for file in files]
        rows = [file for files in self._of(self._fresh, "interactions") for file in files]
        self._tables.execute(f"CREATE TABLE copies AS SELECT * FROM {parquet(self._rolled(COPIES) or rows)} LIMIT 0")
        if self._rolled(COPIES):
            self._tables.execute(f"INSERT INTO copies SELECT * FROM {parquet(self._rolled(COPIES))}")
        self._tables.execute("CREATE TABLE copied AS SELECT DISTINCT copy_hash, true AS held FROM copies")
        ((number,),) = self._tables.all(f"SELECT count(*) FROM {parquet(fresh)}")
        slices = number // SLICE_ROWS + 1
        for slice_ in range(slices):
            some = f"SELECT copy_hash FROM {parquet(fresh)} WHERE copy_hash % {slices} = {slice_}"
            repeats = f"SELECT copy_hash FROM ({some}) GROUP BY copy_hash HAVING count(*) > 1"
            if settled:
                repeats += f" UNION SELECT copy_hash FROM {parquet(settled)} SEMI JOIN ({some}) USING (copy_hash)"
            new = f"SELECT DISTINCT copy_hash, false FROM ({repeats}) ANTI JOIN copied USING (copy_hash)"
            self._tables.execute(f"INSERT INTO copied {new}")

        def collect(day: StagedDay, which: str) -> None:
            if files := [file for kind in self._kinds for file in day.files(kind)]:
                rows = f"{parquet(files)} SEMI JOIN (SELECT copy_hash FROM copied WHERE {which}) USING (copy_hash)"
                self._tables.execute(f"INSERT INTO copies BY NAME SELECT * FROM {rows} WHERE refusal IN (0, {VISIT})")

        wanted = [(day, "true") for day in self._fresh]
        if settled:
            hit = self._tables.all(
                f"SELECT DISTINCT day FROM {parquet(settled)}"
                " SEMI JOIN (SELECT copy_hash FROM copied WHERE NOT held) USING (copy_hash)"
            )
            wanted += [(day, "NOT held") for day in self._settled if (day.number,) in hit]
        list(pool.map(collect, *zip(*wanted, strict=True)))
        self._tables.ban([self._users("copies")])
        rows_of = f"SELECT *, false AS visit FROM ({selects.known(self._interactions, 'copies')})"
        if self._compiler.stitches:
            stitched = selects.stitched(self._mapping, self._interactions, "copies")
            rows_of += f" UNION ALL BY NAME SELECT *, true AS visit FROM ({stitched})"
        self._tables.execute(f"CREATE TABLE once AS {selects.once(self._interactions, f'({rows_of})')}")
        columns = ", ".join(f"c{position}" for position in range(len(self._interactions.columns)))
        # Which rows of a day have copies matters too, because the remaining one may be another day's.
        hashes = f"SELECT day, visit, hash({columns}, message, element) AS hash FROM once"
        hashes += f" UNION ALL SELECT DISTINCT day, refusal = {VISIT}, copy_hash FROM copies"
        # Hashed once more: a hash of several values is their XOR in part, so those of two events with two elements each
        # would cancel each other out.
        digests = self._tables.all(f"SELECT day, visit, bit_xor(hash(hash)) FROM ({hashes}) GROUP BY day, visit")
        return {(day, self._kinds[visit]): digest for day, visit, digest in digests}

    def _is_changed(self, day: StagedDay, kind: str, copied: Mapping[DayKind, int], touched: frozenset[int]) -> bool:
        """Return whether a day's rows of a kind may differ from the last fold. If not, reuse its output."""
        key = day.number, kind
        known = self._before.days.get(key)
        if known is None or known.copies != copied.get(key, 0) or (kind == VISITS and day.number in touched):
            return True
        self.days[key] = known
        return False

    def _find_touched(self) -> frozenset[int]:
        """Return the days with visits on sessions whose logins have changed since the last fold."""
        known = {number for number, _ in self._before.days}
        keys = [file for day in self._days if day.number in known for file in day.files(KEYS)]
        if self._before.logins is None or not keys or not self._compiler.stitches:
            return frozenset()
        both = f"SELECT session, second, login FROM logins UNION ALL FROM {parquet([self._before.logins])}"
        changed = f"SELECT session FROM ({both}) GROUP BY session, second, login HAVING count(*) = 1"
        sessions = f"SELECT DISTINCT hash(session) AS visitor FROM ({changed})"
        touched = f"SELECT DISTINCT day FROM {parquet(keys)} SEMI JOIN ({sessions}) USING (visitor)"
        return frozenset(day for (day,) in self._tables.all(touched))

    def _groups(self, days: Sequence[StagedDay], kind: str) -> list[_DayGroup]:
        """Return the groups of some days. Each statement reads all logins, so it takes the days of about a part."""
        files = [file for day in days for file in day.files(KEYS)]
        of_kind = f"SELECT day, count(*) FROM {parquet(files)} WHERE (visitor IS NULL) = {kind != VISITS} GROUP BY day"
        rows = dict(self._tables.all(of_kind)) if files else {}
        share = even_share(sum(rows.values()), self._workers, PART_ROWS)
        groups: list[_DayGroup] = []
        before, last = 0, -1
        for day in days:
            size = rows.get(day.number, 0)
            # The share with the middle of the day.
            place = (before + size // 2) // share
            if size >= PART_ROWS or place != last:
                groups.append(_DayGroup(kind, [], size // PART_ROWS + 1))
            groups[-1].days.append(day)
            before, last = before + size, -1 if size >= PART_ROWS else place
        return groups

    def _fold_days(self, group: _DayGroup, slice_: int, copied: Mapping[DayKind, int]) -> dict[DayKind, FoldedDay]:
        """Count and write a slice of the interactions of a group, and count its users."""
        numbers = [day.number for day in group.days]
        folded = {
            (day, group.kind): FoldedDay(Report.of(self._mapping), copied.get((day, group.kind), 0)) for day in numbers
        }
        reports = {day: folded_day.report for (day, _), folded_day in folded.items()}
        with closing(self._tables.connection.cursor()) as cursor:

            def count_in(dataset: Dataset, rows: str) -> None:
                _, refusals = self._compiler.candidates(dataset, "events")
                count(cursor, self._compiler, dataset, refusals, f"({rows})", reports)

            if group.kind == VISITS:
                of_slice = f"hash(session) % {group.slices} = {slice_}"
                stitched = selects.stitched(self._mapping, self._interactions, group.rows(VISITS), of_slice)
                # Read three times.
                cursor.execute(f"CREATE TEMP TABLE stitched AS {stitched}")
                rows = "FROM stitched"
                count_in(self._interactions, rows)
                if not slice_:
                    # `forget` refuses visits in the stage.
                    count_in(self._interactions, selects.known(self._interactions, group.rows(VISITS)))
            else:
                rows = selects.known(self._interactions, group.rows(group.kind))
                of_slice = f"copy_hash % {group.slices} = {slice_}"
                for dataset in self._compiler.datasets:
                    if dataset.user_column is not None and not slice_:
                        count_in(dataset, selects.known(dataset, group.rows(dataset.name)))
            alone = f"SELECT * FROM ({rows}) ANTI JOIN copied USING (copy_hash) WHERE refusal = 0 AND {of_slice}"
            left = f"FROM once WHERE day IN ({', '.join(map(str, numbers))}) AND visit = {group.kind == VISITS}"
            both = f"({alone} UNION ALL BY NAME {left} AND {of_slice})"
            self._write(cursor, group, slice_, both, folded)
        return folded

    def _write(
        self,
        cursor: duckdb.DuckDBPyConnection,
        group: _DayGroup,
        slice_: int,
        rows: str,
        folded: Mapping[DayKind, FoldedDay],
    ) -> None:
        """Write a part for each day of a group that has some of the `rows`."""
        dataset = self._interactions
        # One for all days, because a statement for each would take twice as long. No value has a line break.
        made = self._tables.folder / f"{group.kind}-{group.days[0].number}-{slice_}.csv"
        order = f"day, {selects.time_of(dataset)}, copy_hash"
        select = f"SELECT {selects.header(dataset, 'c{}')} FROM {rows} ORDER BY {order}"
        cursor.execute(f"COPY ({select}) TO {literal(str(made))} (FORMAT csv, HEADER)")
        numbers = dict(cursor.execute(f"SELECT day, count(*) FROM {rows} GROUP BY day").fetchall())
        with made.open("rb") as lines:
            header = lines.readline()
            for day in group.days:
                if not (number := numbers.get(day.number)):
                    continue
                kind = "" if group.kind == dataset.name else f"{group.kind}-"
                part = self._tables.folder / dataset.name / f"part-{day.name}{kind}{slice_:05}.csv"
                if len(group.days) == 1:
                    made.rename(part)
                else:
                    with part.open("wb") as file:
                        file.write(header)
                        file.writelines(islice(lines, number))
                folded_day = folded[day.number, group.kind]
                folded_day.report.datasets[dataset.name].rows += number
                with part.open("rb") as file:
                    folded_day.parts[part.name] = hashlib.file_digest(file, "sha256").hexdigest()
        made.unlink(missing_ok=True)

    def _users(self, interactions: str) -> str:
        """Return a SELECT of the possible users of some interactions, except those found by logins."""
        name = "COALESCE(c0, session)" if self._mapping.visitors == "as_users" else "c0"
        return f"SELECT {name} FROM {interactions}"


def even_share(total: int, workers: int, most: int) -> int:
    """Return the size, up to `most`, of the fewest equal shares that each worker gets the same number of."""
    rounds = max(1, -(-total // (workers * most)))
    return max(1, -(-total // (workers * rounds)))
