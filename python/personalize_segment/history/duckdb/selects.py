"""The SQL of rules 9 and 12: latest values, copies, and visitors who log in."""

from collections.abc import Iterable
from pathlib import Path

from ...contract.mapping import Dataset, EventMapping
from ...contract.quoting import identifier, literal, no_pattern
from ...contract.rows import NEVER
from .compiler import VISIT
from .counts import NOBODY, SUPPRESSED_USER, stitched_bit

#: Maximum logins of one session that are searched for each of its visits. With more, they are joined.
FEW_LOGINS = 16


def parquet(files: Iterable[Path]) -> str:
    """Return the FROM expression that reads some files."""
    return f"read_parquet([{', '.join(literal(no_pattern(str(file))) for file in files)}])"


def time_of(dataset: Dataset) -> str:
    """Return the column with an interaction's instant."""
    return f"c{[column.name for column in dataset.columns].index('TIMESTAMP')}"


def sort_text(dataset: Dataset) -> list[str]:
    """Return each column's text in the CSV, null lowest, which breaks ties (rule 9)."""
    return [f"COALESCE(CAST(c{position} AS STRING), '')" for position in range(len(dataset.columns))]


def header(dataset: Dataset, value: str) -> str:
    """Return the SELECT list that names the columns as in the CSV. `value` has {} for a column's number."""
    return ", ".join(
        f"{value.format(position)} AS {identifier(column.name)}" for position, column in enumerate(dataset.columns)
    )


def float_texts(dataset: Dataset, *more: str) -> str:
    """Return the REPLACE clause that turns floats into their texts in the CSV, and has `more` replacements."""
    floats = [at for at, column in enumerate(dataset.columns) if column.type in ("float", "double")]
    texts = ", ".join([*(f"CAST(c{at} AS VARCHAR) AS c{at}" for at in floats), *more])
    return f" REPLACE ({texts})" if texts else ""


def latest(dataset: Dataset, rows: str, struct: str = "struct_pack(seconds := {}, fraction := {}, value := {})") -> str:
    """Return a SELECT of each user or item in a day's `rows`, with each column's latest observation (rule 9)."""
    seconds, fraction = f"COALESCE(seconds, {NEVER})", "CASE WHEN seconds IS NULL THEN '' ELSE fraction END"
    observed = "".join(
        f", max({struct.format(seconds, fraction, text)}) FILTER (WHERE c{position} IS NOT NULL) AS latest{position}"
        for position, text in enumerate(sort_text(dataset))
        if position
    )
    return f"SELECT day, c0{observed} FROM {rows} GROUP BY day, c0"


def merged(dataset: Dataset, rows: str) -> str:
    """Return a SELECT that merges the rows of several `latest`."""
    observed = "".join(f", max(latest{at}) AS latest{at}" for at in range(1, len(dataset.columns)))
    return f"SELECT c0{observed} FROM {rows} GROUP BY c0"


def logins(events: str) -> str:
    """Return a SELECT of the first second of each user with each session on a day of `events` (rule 12)."""
    seen = " UNION ALL ".join(
        f"SELECT day, {session} AS session, login, instant FROM {events} WHERE {session} <> login"
        for session in ("session", "previous")
    )
    return f"SELECT day, session, login, min(instant) AS second FROM ({seen}) WHERE instant IS NOT NULL GROUP BY ALL"


def visitors(logins: str) -> str:
    """Return a SELECT of `session`, `few`, `many` and `last` from a table of logins.

    `few` lists a session's logins by second if there are several, but not `many`. `last` is the last login's user.
    """
    return (
        "WITH counted AS (SELECT session, count(*) AS number, arg_max(login, second) AS last"
        f" FROM {logins} GROUP BY session), several AS ("
        f"SELECT session, list(struct_pack(second, login) ORDER BY second) AS few FROM {logins}"
        f" SEMI JOIN (FROM counted WHERE number BETWEEN 2 AND {FEW_LOGINS}) USING (session) GROUP BY session)"
        f" SELECT session, few, number > {FEW_LOGINS} AS many, last FROM counted LEFT JOIN several USING (session)"
    )


def stitched(mapping: EventMapping, dataset: Dataset, rows: str, where: str = "true") -> str:
    """Return a SELECT of the visits in `rows`, each with its user or refused (rule 12).

    It reads the tables `logins`, `visitors` and `banned`. Few logins are searched for each visit, which takes no
    sorting. Many logins are joined.
    """
    time = time_of(dataset)
    visits = f"SELECT * FROM {rows} LEFT JOIN visitors USING (session) WHERE refusal = {VISIT} AND {where}"
    after = f"list_filter(few, lambda login: login.second >= {time})[1].login"
    found = (
        f"SELECT * EXCLUDE (few, many), CASE WHEN few IS NOT NULL THEN {after} END AS after"
        " FROM visits WHERE many IS DISTINCT FROM true UNION ALL"
        " SELECT joined.* EXCLUDE (few, many), login AS after FROM (FROM visits WHERE many) joined"
        f" ASOF LEFT JOIN logins ON joined.session = logins.session AND joined.{time} <= logins.second"
    )
    user, without = "after, last", str(NOBODY)
    if mapping.visitors == "as_users":
        user += ", session"
        without = f"CASE WHEN session IN (FROM banned) THEN {SUPPRESSED_USER} ELSE 0 END"
    refusal = f"CAST(CASE WHEN last IS NULL THEN {without} ELSE 0 END AS SMALLINT) AS refusal"
    flags = f"flags + CASE WHEN last IS NULL THEN 0 ELSE {stitched_bit(dataset)} END AS flags"
    return (
        f"WITH visits AS NOT MATERIALIZED ({visits}) SELECT * EXCLUDE (last, after)"
        f" REPLACE (COALESCE({user}) AS c0, {refusal}, {flags}) FROM ({found})"
    )


def known(dataset: Dataset, rows: str) -> str:
    """Return a SELECT of the candidates in `rows` without visits. Those whose user is `banned` are refused."""
    if dataset.user_column is None:
        return f"SELECT * FROM {rows}"
    banned = f"c{dataset.user_column} IN (FROM banned)"  # before all other reasons
    refusal = f"CAST(CASE WHEN {banned} THEN {SUPPRESSED_USER} ELSE refusal END AS SMALLINT) AS refusal"
    return f"SELECT * REPLACE ({refusal}) FROM {rows} WHERE refusal <> {VISIT}"


def once(dataset: Dataset, rows: str) -> str:
    """Return a SELECT of one row per interaction: of the earliest day, then with the least text (rule 9)."""
    texts = ", ".join(sort_text(dataset))
    order = f"row_number() OVER (PARTITION BY message, element ORDER BY day, {texts}) = 1"
    return f"SELECT * FROM {rows} WHERE refusal = 0 QUALIFY {order}"
