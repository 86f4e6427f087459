"""The rows that DuckDB keeps on disk between reading logs and writing CSV.

They stand in Parquet files, so that memory follows from the size of a batch and not of the
history; what must be known of all of them (rule 9) is settled at the end.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import duckdb

from ...contract.columns import USER_ID
from ...contract.mapping import Dataset
from ...contract.quoting import literal, no_pattern
from ...contract.report import Report
from ...contract.suppression import SUPPRESSED
from ...contract.visitors import NEVER_LOGGED_IN
from .compiler import VISIT, Compiler, Refusal

#: The refusals of a candidate whose user is suppressed, and of a visit without one. Those of the compiler count from 1.
_SUPPRESSED_USER, _NOBODY = -1, -3

#: So many logins on one session, and no more, are looked through for each of its visits.
FEW_LOGINS = 16
#: Where `add` keeps the users of sessions.
LOGINS = "logins"


@dataclass(frozen=True, slots=True)
class KeptRows:
    """Rows in the files of a `folder`, and what the compiler's numbers in them mean.

    `salt` is that of a suppression list, whose hashes stand in a table `suppressed`.
    """

    compiler: Compiler
    folder: Path
    salt: str | None

    def add(self, connection: duckdb.DuckDBPyConnection, name: str, rows: str) -> None:
        """Keep what the SELECT `rows` gives, for a dataset or LOGINS."""
        path = self.folder / f"{uuid4()}.part"
        # Read once and thrown away: to compress ids costs more than it saves. Event types still become numbers.
        options = "FORMAT parquet, COMPRESSION uncompressed, DICTIONARY_SIZE_LIMIT 1000"
        connection.execute(f"COPY ({rows}) TO {literal(str(path))} ({options})")
        path.rename(self.folder / f"{name}-{path.stem}.parquet")  # whole, for who reads all of that name meanwhile

    def of(self, name: str) -> str:
        """Return what stands after FROM to read what is kept for a dataset or LOGINS."""
        return f"read_parquet({literal(no_pattern(str(self.folder / name)) + '-*.parquet')})"

    def candidates(self, dataset: Dataset) -> tuple[str, list[Refusal]]:
        """Return the compiler's candidates from a table `events`, those of suppressed users refused."""
        candidates, refusals = self.compiler.candidates(dataset, "events")
        if self.salt is None or dataset.user_column is None:
            return candidates, refusals
        test = f"refusal = 0 AND {self._suppressed(f'c{dataset.user_column}')}"
        refusal = f"CAST(CASE WHEN {test} THEN {_SUPPRESSED_USER} ELSE refusal END AS SMALLINT) AS refusal"
        return f"SELECT * REPLACE ({refusal}) FROM ({candidates})", refusals

    def add_logins(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Rule 12: keep when each user was first seen with a session, from a table `events`."""
        seen = " UNION ALL ".join(
            f"SELECT {session} AS session, login, instant FROM events WHERE {session} <> login"
            for session in ("session", "previous")
        )
        first = f"SELECT session, login, min(instant) AS second FROM ({seen}) WHERE instant IS NOT NULL GROUP BY ALL"
        self.add(connection, LOGINS, first)

    def collect_logins(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Make two tables: `logins` (session, second, login), and `visitors` (session, few, last).

        `few` is a list of a session's logins by second, or NULL if they are many; `last` is the user of the last one.
        """
        allowed = "" if self.salt is None else f" WHERE NOT {self._suppressed('login')}"
        first = f"SELECT session, login, min(second) AS second FROM {self.of(LOGINS)}{allowed} GROUP BY ALL"
        once = f"SELECT session, second, min(login) AS login FROM ({first}) GROUP BY ALL"
        connection.execute(f"CREATE TABLE logins AS {once}")
        few = f"CASE WHEN count(*) <= {FEW_LOGINS} THEN list(struct_pack(second, login) ORDER BY second) END"
        connection.execute(
            f"CREATE TABLE visitors AS SELECT session, {few} AS few, arg_max(login, second) AS last"
            " FROM logins GROUP BY session"
        )

    def stitch(self, connection: duckdb.DuckDBPyConnection, dataset: Dataset, slice_: int, slices: int) -> None:
        """Rule 12: add the visits of a slice of sessions to the interactions, each with its user or refused.

        Few logins are looked through for each visit. Only sessions with many need sorting.
        """
        time = f"c{[column.name for column in dataset.columns].index('TIMESTAMP')}"
        visits = (
            f"SELECT kept.*, few, last FROM {self.of(dataset.name)} kept LEFT JOIN visitors USING (session)"
            f" WHERE refusal = {VISIT} AND hash(session) % {slices} = {slice_}"
        )
        after = f"list_filter(few, lambda login: login.second >= {time})[1].login"
        found = (
            f"SELECT * EXCLUDE (few), CASE WHEN len(few) > 1 THEN {after} END AS after"
            " FROM visits WHERE few IS NOT NULL OR last IS NULL UNION ALL"
            " SELECT many.* EXCLUDE (few), login AS after"
            " FROM (FROM visits WHERE few IS NULL AND last IS NOT NULL) many"
            f" ASOF LEFT JOIN logins ON many.session = logins.session AND many.{time} <= logins.second"
        )
        user, without = "after, last", str(_NOBODY)
        if self.compiler.mapping.visitors == "as_users":
            user += ", session"
            suppressed = f"CASE WHEN {self._suppressed('session')} THEN {_SUPPRESSED_USER} ELSE 0 END"
            without = "0" if self.salt is None else suppressed
        refusal = f"CAST(CASE WHEN last IS NULL THEN {without} ELSE 0 END AS SMALLINT) AS refusal"
        flags = f"flags + CASE WHEN last IS NULL THEN 0 ELSE {_stitched(dataset)} END AS flags"
        self.add(
            connection,
            dataset.name,
            f"WITH visits AS NOT MATERIALIZED ({visits}) SELECT * EXCLUDE (last, after)"
            f" REPLACE (COALESCE({user}) AS c0, {refusal}, {flags}) FROM ({found})",
        )

    def _suppressed(self, user: str) -> str:
        """Return whether a user, as SQL, is on the suppression list."""
        return f"sha256(concat({literal(self.salt or '')}, {user})) IN (SELECT hash FROM suppressed)"

    def count(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        refusals: list[Refusal],
        candidates: str,
        report: Report,
    ) -> None:
        """Count accepted and refused candidates, these by their reason."""
        count, variants = report.datasets[dataset.name], self.compiler.variants
        named = "CASE WHEN refusal <> 0 OR flags > 1 THEN name END" if variants.unnamed else "NULL"
        filled = "".join(f", count(c{position})" for position in dataset.optional)
        for event, name, refusal, flags, number, example, *values in connection.execute(
            f"SELECT event, {named} AS name, refusal, flags, count(*),"
            f" min(message) FILTER (refusal NOT IN (0, {_SUPPRESSED_USER}) OR flags > 1){filled}"
            f" FROM {candidates} GROUP BY ALL"
        ).fetchall():
            key = variants.all[event].call, json.loads(name) if name else variants.all[event].name, dataset.name
            if refusal == _SUPPRESSED_USER:
                count.refused += number
                # Without an example: a messageId leads to the user in the logs.
                report.reasons.add((*key, USER_ID, SUPPRESSED), number, None)
            elif refusal == _NOBODY:
                count.refused += number
                report.reasons.add((*key, USER_ID, NEVER_LOGGED_IN), number, example)
            elif refusal:
                count.refused += number
                report.reasons.add(
                    (*key, *self.compiler.refusal(dataset, event, refusals[refusal - 1])), number, example
                )
            else:
                count.accepted += number
                count.ahead += number * (flags & 1)
                count.stitched += number * (flags & _stitched(dataset) != 0)
                for place, position in enumerate(dataset.optional):
                    column = count.columns[dataset.columns[position].name]
                    column.filled += values[place]
                    if flags & 2 << place:
                        column.unusable += number
                        report.unusable.add((*key, *self.compiler.unusable(dataset, event, position)), number, example)


def _stitched(dataset: Dataset) -> int:
    """Return the bit in the flags of an interaction whose user logged in on its session."""
    return 2 << len(dataset.optional)
