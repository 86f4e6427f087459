"""Delete users from staged days: their rows stay without any values, so that reports count them as suppressed."""

from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import duckdb

from ...contract.quoting import literal
from ...places import temporary
from ..stage import stages
from .counts import SUPPRESSED_USER
from .selects import parquet
from .worker import LOGINS, VISITS

#: The columns that keep their values.
_KEPT = ("day", "event", "name", "element", "flags", "copy_hash")
_KINDS = ("interactions", VISITS, "users", LOGINS)


def forget(text: str, users: Iterable[str]) -> int:
    """Delete users from all days of a stage. Return the number of their rows.

    The results of the last folds are deleted, so the next exports fold all days again. Safe to interrupt and rerun.
    Raises OutputError if the stage can't be read or written.
    """
    rows = 0
    with temporary() as folder, duckdb.connect() as connection:
        connection.execute("CREATE TABLE gone (name VARCHAR)")
        # One statement, because executemany runs one per user.
        connection.execute("INSERT INTO gone SELECT unnest(CAST(? AS VARCHAR[]))", [list(users)])
        for stage in stages(text, folder):
            stage.forget_folds()
            for day in stage.days():
                made: dict[str, Path] = {}
                for kind in _KINDS:
                    names = day.files.get(kind, [])
                    for name, file in zip(names, stage.fetch(names), strict=True):
                        copy = folder / f"{uuid4()}.parquet"
                        if found := _rewrite(connection, kind, file, copy):
                            rows += found
                            made[name] = copy
                stage.replace(day, made)
    return rows


def _rewrite(connection: duckdb.DuckDBPyConnection, kind: str, file: Path, copy: Path) -> int:
    """Copy a file without the users to `copy`, if it has rows of theirs. Return the number of those rows."""
    source = parquet([file])
    columns = [str(name) for name, *_ in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
    owners = [name for name in ("session", "login" if kind == LOGINS else "c0") if name in columns]
    theirs = " OR ".join(f"COALESCE({name} IN (FROM gone), false)" for name in owners)
    ((found,),) = connection.execute(f"SELECT count(*) FROM {source} WHERE {theirs}").fetchall()
    if not found:
        return 0
    select = f"SELECT * FROM {source} WHERE NOT ({theirs})"
    if kind != LOGINS:
        lost = [name for name in columns if name not in (*_KEPT, "refusal")]
        values = [f"CASE WHEN NOT theirs THEN {name} END AS {name}" for name in lost]
        values.append(f"CAST(CASE WHEN theirs THEN {SUPPRESSED_USER} ELSE refusal END AS SMALLINT) AS refusal")
        rows = f"SELECT *, {theirs} AS theirs FROM {source}"
        select = f"SELECT * EXCLUDE (theirs) REPLACE ({', '.join(values)}) FROM ({rows})"
    connection.execute(f"COPY ({select}) TO {literal(str(copy))} (FORMAT parquet, COMPRESSION uncompressed)")
    return int(found)
