"""The Glue job: export Segment logs to CSV for Amazon Personalize, on Spark.

Runs unchanged on AWS Glue 5 and on plain PySpark 3.5 and 4.1, with the package `personalize_segment` and DuckDB on the
Python path. Tasks read logs with DuckDB, as `personalize-segment export` does, and write the rows of each day to a
stage (`history/stage.py`). A task returns the names of its files with its counts, so a task that Spark runs twice
counts once. Rules 9 and 12 depend on all rows. The driver applies them, as `personalize-segment export` does, because
Spark takes longer to plan its statements. Spark SQL applies them to more rows than a driver has room for.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, cast
from uuid import uuid4

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession

from personalize_segment.contract.columns import DATASETS, TEXTS
from personalize_segment.contract.layout import FOLDERS, PROFILES, REPORT_NAME, only_parts
from personalize_segment.contract.mapping import Dataset, EventMapping, default_text, fetched, parse
from personalize_segment.contract.quoting import literal
from personalize_segment.contract.report import COMPARE, Report
from personalize_segment.contract.suppression import SuppressionList
from personalize_segment.contract.suppression import parse as parse_suppression
from personalize_segment.errors import (
    EmptyError,
    ForgetError,
    LogsError,
    MappingError,
    OutputError,
    PersonalizeSegmentError,
    ProfilesError,
)
from personalize_segment.history import logs
from personalize_segment.history.duckdb.compiler import VISIT, Compiler
from personalize_segment.history.duckdb.counts import NOBODY, SUPPRESSED_USER, add_counts, counts, stitched_bit
from personalize_segment.history.duckdb.engine import stage_key
from personalize_segment.history.duckdb.selects import header, latest, sort_text, time_of
from personalize_segment.history.duckdb.task import TaskDay, shared, take
from personalize_segment.history.duckdb.worker import LOGINS, VISITS
from personalize_segment.history.export import Request, fold
from personalize_segment.history.last_fold import LastFold
from personalize_segment.history.stage import Day, Named, Stage, Staged, days_of
from personalize_segment.places import Place, errors_at, place, temporary

#: Bytes of compressed logs per task. They and the largest file determine a task's memory.
TASK_BYTES = 32 << 20
#: Maximum hashes or logins that are broadcast to all tasks, so that rows needn't be shuffled.
FEW = 1_000_000
#: Minimum rows of a CSV part.
PART_ROWS = 250_000
#: Tasks per core in one Spark job that reads logs.
JOB_TASKS = 8
#: The driver folds fewer events. Each takes up to 200 bytes of its disk, and Glue's smallest worker has 44 GB:
#: https://docs.aws.amazon.com/glue/latest/dg/worker-types.html. One day's logins may touch all days.
DRIVER_EVENTS = 200_000_000

#: Concurrent tasks that write to the profile table, and their writes per second in total.
LOADING, WRITES_PER_SECOND = 4, 1000

#: Configuration without Glue. DuckDB does most of the work, so the JVM's second compiler takes more time than it saves,
#: and the UI is rarely used.
PLAIN: dict[str, Any] = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",
    "spark.ui.enabled": "false",
}


class ProfilePlaces(NamedTuple):
    """The place where live events are merged: the ARNs of the profile table and of the profile queue."""

    table: str
    queue: str


def main(argv: list[str]) -> None:
    """Run the job with the arguments of Glue, `--name value`."""
    options = _options(argv)
    window = logs.Window(options.since, options.until, options.overlap)
    builder = SparkSession.builder
    if find_spec("awsglue") is None:
        # Otherwise PySpark would start the first python3 on the path, whichever it is.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config(map=PLAIN)
    spark = (
        builder.appName("segment-to-personalize")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.files.maxPartitionBytes", TASK_BYTES)
        .config("spark.sql.files.openCostInBytes", 1 << 18)
        # Cached data is read twice, soon after. Compressing it would take longer.
        .config("spark.sql.inMemoryColumnarStorage.compressed", "false")
        # Personalize reads every file in a folder: no _SUCCESS, and no checksums next to the parts.
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        .config("spark.hadoop.fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
        .getOrCreate()
    )
    _greet_glue(spark)
    mapping = parse(fetched(options.event_mapping, _mapping))
    suppressed = options.suppression_list and _suppression(options.suppression_list)
    tree, allow_empty = options.S3_JSON_INPUT_PATH, options.allow_empty == "true"
    live = ProfilePlaces(options.profile_table, options.profile_queue) if options.profile_table else None
    out, kept = options.S3_CSV_OUTPUT_PATH, options.stage
    report = run(spark, tree, out, mapping, window, suppressed, live, stage=kept, allow_empty=allow_empty,
                 driver_events=options.driver_events)  # fmt: skip
    print(report.as_json())
    if not report.datasets["interactions"].rows and not allow_empty:
        raise EmptyError(tree, f"produced no interactions: {report.why_none('interactions')}", COMPARE, report)


def run(
    spark: SparkSession,
    tree: str,
    out: str,
    mapping: EventMapping,
    window: logs.Window,
    suppressed: SuppressionList | None = None,
    live: ProfilePlaces | None = None,
    *,
    stage: str | None = None,
    allow_empty: bool = False,
    driver_events: int = DRIVER_EVENTS,
) -> Report:
    """Write the rows of the logs in `tree`, except those of suppressed users, to `out`. Replace an earlier export.

    Days in `stage` aren't read again, and all other days are added to it. The driver folds fewer than `driver_events`
    events, Spark folds more. At the end, load users and items into the table of `live`. This precedes the import, so
    that Personalize has no imported row whose columns the next partial event would erase. Returns the report. Raises
    EmptyError as `history.export` does, and ProfilesError if the table can't be written. In this case the export is
    complete nevertheless.
    """
    logs_at = _place(tree, LogsError, "Copy the logs to S3")
    files = logs.sort_out(logs.list_files(logs_at, tree), window, root=tree)
    root = None if stage is None else _place(stage, OutputError, "Choose a stage in S3")
    output = Output(spark, out)
    kept = output.rows if stage is None else stage
    try:
        with temporary() as work:
            store = Stage.open(str(root or place(shared(kept))), stage_key(Compiler(mapping)), mapping.sha256, work)
            days = days_of(files)
            staged = store.find(days)
            if stage is not None:
                print(f"{len(days) - len(staged):,} of {len(days):,} days are new to the stage")
            staged |= _staged(spark, store, [day for day in days if day not in staged], mapping)
            report = Report.of(mapping)
            report.files_skipped += files.skipped
            number = sum(of_day.report.events_read for of_day in staged.values())
            print(f"{'the driver' if number < driver_events else 'Spark SQL'} folds {number:,} events")
            if number < driver_events:
                request = Request(tree, shared(out), mapping, window, suppressed, allow_empty)
                last = None if stage is None else LastFold.of(store, request.out, days, window, suppressed, print)
                fold(request, store, days, staged, last, report)
            else:
                for day, of_day in staged.items():
                    report.merge(of_day.report, old=day.old)
                rows = SparkFold(spark, mapping, suppressed, output, f"{kept.rstrip('/')}/{store.mapping}", staged)
                rows.count(report)
                if suppressed is not None and suppressed.hashes:
                    report.withhold()
                if not allow_empty:
                    report.refuse_empty(tree, out, output.standing, window=window.bounded)
                rows.write(report)
                output.publish(report)
                if stage is not None:
                    store.sweep(staged)
        if live is not None:
            _load(live, output.profiles(), suppressed)
    finally:
        output.clear()
    return report


class Output:
    """The folder of an export: the rows of an earlier export, and `work`, whose content replaces them.

    Raises OutputError if the folder has files that no export wrote, or if tasks can't write there.
    """

    def __init__(self, spark: SparkSession, out: str) -> None:
        self._spark, jvm = spark, cast("Any", spark._jvm)
        self._path = jvm.org.apache.hadoop.fs.Path
        self._files = self._path(out).getFileSystem(spark._jsc.hadoopConfiguration())
        self._root = self._files.makeQualified(self._path(out)).toString().rstrip("/")
        self.work = f"{self._root}/.export-{uuid4()}"
        _place(self.work, OutputError, "Choose an output in S3")
        #: The stage of an export without one.
        self.rows = f"{self.work}/rows"
        self.standing = []
        for name in FOLDERS:
            names = self._names(f"{self._root}/{name}")
            only_parts(f"{out}/{name}", name, names)
            self.standing += [name] if names and name != PROFILES else []
        self._files.mkdirs(self._path(self.rows))

    def _names(self, folder: str) -> list[str]:
        if not self._files.exists(self._path(folder)):
            return []
        statuses, names = self._files.listFiles(self._path(folder), True), []
        while statuses.hasNext():
            names.append(statuses.next().getPath().toString().removeprefix(f"{folder}/"))
        return names

    def profiles(self) -> dict[str, DataFrame]:
        """Return the lines of `profiles/` in the output."""
        folders = {name: f"{self._root}/{PROFILES}/{name}" for name in DATASETS if name != "interactions"}
        return {name: self._spark.read.text(folder) for name, folder in folders.items() if self._names(folder)}

    def make(self, name: str) -> None:
        """Create a folder in `work`."""
        self._files.mkdirs(self._path(f"{self.work}/{name}"))

    def publish(self, report: Report) -> None:
        """Replace the earlier export with `work` and the report."""
        stream = self._files.create(self._path(f"{self.work}/{REPORT_NAME}"), True)
        stream.write(report.as_json().encode())
        stream.close()
        self._files.delete(self._path(f"{self._root}/{REPORT_NAME}"), False)
        for name in [*FOLDERS, REPORT_NAME]:
            place, written = self._path(f"{self._root}/{name}"), self._path(f"{self.work}/{name}")
            self._files.delete(place, True)
            # Hadoop reports a failed move by its return value, not by an exception.
            if self._files.exists(written) and not self._files.rename(written, place):
                raise OutputError(place.toString(), "can't be written", "Check the permissions, then run the job again")

    def clear(self) -> None:
        """Delete `work`."""
        self._files.delete(self._path(self.work), True)


def _staged(spark: SparkSession, store: Stage, days: Sequence[Day], mapping: EventMapping) -> dict[Day, Staged]:
    """Read the days that the stage doesn't have, in tasks, and return them."""
    staged, missing = {}, {day.number: day for day in days}
    files = [file for day in days for file in day.files]
    workers = spark.sparkContext.defaultParallelism
    size = min(TASK_BYTES, sum(file.bytes for file in files) // (2 * workers) + 1)
    batches = list(logs.batches(files, size))
    left = Counter(number for batch in batches for number in {file.number for file in batch})
    starts = {number: day.start for number, day in missing.items()}
    root, key, canonical = str(store.root), store.mapping, mapping.text

    def task(batch: list[logs.LogFile]) -> list[TaskDay]:
        of_batch = {file.number: starts[file.number] for file in batch}
        return take(batch, parse(canonical), Stage(place(root), key, Path()), of_batch)

    def job(some: list[list[logs.LogFile]]) -> list[list[TaskDay]]:
        found: list[list[TaskDay]] = spark.sparkContext.parallelize(some, len(some)).map(task).collect()
        return found

    parts: dict[int, list[TaskDay]] = defaultdict(list)
    at_a_time = JOB_TASKS * workers
    jobs = [batches[at : at + at_a_time] for at in range(0, len(batches), at_a_time)]
    # Days are named as soon as they are complete, so a run that reaches its time limit leaves the days it has read. Two
    # jobs run at a time, because the last tasks of one don't need all cores.
    with ThreadPoolExecutor(2) as pool:
        for part in (part for found in pool.map(job, jobs) for batch in found for part in batch):
            parts[part.number].append(part)
            left[part.number] -= 1
            if not left[part.number]:
                day, report = missing[part.number], Report.of(mapping)
                named: dict[str, list[Named]] = defaultdict(list)
                for one in parts.pop(part.number):
                    report.merge(Report.from_dict(one.report))
                    for kind, of_kind in one.files.items():
                        named[kind] += of_kind
                staged[day] = store.keep(day, named, report)
    spark.conf.set("spark.sql.shuffle.partitions", max(len(batches), workers))
    return staged


class SparkFold:
    """Turns the rows of all days, from Parquet files below `root`, into those of the export.

    Views have the names of the datasets. Results that are read several times are cached on disk.
    """

    def __init__(
        self,
        spark: SparkSession,
        mapping: EventMapping,
        suppressed: SuppressionList | None,
        output: Output,
        root: str,
        staged: Mapping[Day, Staged],
    ) -> None:
        self._spark, self._output = spark, output
        self._interactions, *profiles = mapping.datasets
        self.profiles = {dataset.name: dataset for dataset in profiles}
        self._compiler = Compiler(mapping)
        self._stitches, self._salt = self._compiler.stitches, suppressed.salt if suppressed else None
        self._old = sorted(day.number for day in staged if day.old)
        names = [name for day in staged.values() for named in day.files.values() for name in named]
        for kind in [*(dataset.name for dataset in mapping.datasets), *([LOGINS] if self._stitches else [])]:
            of_kind = tuple(f".{one}.parquet" for one in ([kind, VISITS] if kind == "interactions" else [kind]))
            paths = [_exact(f"{root}/{name}") for name in names if name.endswith(of_kind)]
            spark.read.parquet(*paths).createOrReplaceTempView(f"{kind}" if kind == LOGINS else f"staged_{kind}")
        if suppressed is not None:
            hashes = spark.createDataFrame([(one,) for one in suppressed.hashes], "hash string")
            hashes.createOrReplaceTempView("suppressed")
            users = " UNION ALL ".join(
                f"SELECT c{dataset.user_column} AS user FROM staged_{dataset.name}"
                for dataset in mapping.datasets
                if dataset.user_column is not None
            )
            banned = f"SELECT DISTINCT user FROM ({users}) WHERE {self._hash('user')} IN (SELECT hash FROM suppressed)"
            self._few_banned = self._keep("banned", banned) < FEW
        for dataset in mapping.datasets:
            self._view(dataset.name, self._candidates(dataset))
        columns = [column for column in spark.table("interactions").columns if column not in ("session", "refusal")]
        known = f"SELECT {', '.join(columns)} FROM interactions WHERE refusal = 0"
        if self._stitches:
            few = self._keep("spans", self._spans()) < FEW
            self._view("visits", self._visits([*columns, "refusal"], few=few))
            known += f" UNION ALL SELECT {', '.join(columns)} FROM visits WHERE refusal = 0"
        self._view("known", known)

    def _view(self, name: str, select: str) -> None:
        self._spark.sql(select).createOrReplaceTempView(name)

    def _candidates(self, dataset: Dataset) -> str:
        """Return a SELECT of staged candidates, refused if their user is suppressed, with the flag `old`."""
        columns = [f"staged.{column}" for column in self._spark.table(f"staged_{dataset.name}").columns]
        rows = f"staged_{dataset.name} staged"
        hint = ""
        if self._salt is not None and dataset.user_column is not None:
            hint = _hint("banned", self._few_banned)
            rows += f" LEFT JOIN banned ON c{dataset.user_column} = user AND refusal <> {VISIT}"
            refusal = f"CASE WHEN user IS NULL THEN refusal ELSE {SUPPRESSED_USER} END AS refusal"
            columns = [refusal if column == "staged.refusal" else column for column in columns]
        old = f"day IN ({', '.join(map(str, self._old)) or 'NULL'})"
        if dataset.name != "interactions":
            return f"SELECT{hint} {', '.join(columns)} FROM {rows} WHERE COALESCE(NOT {old}, true)"
        return f"SELECT{hint} {', '.join(columns)}, COALESCE({old}, false) AS old FROM {rows}"

    def _keep(self, name: str, select: str, where: str = "true") -> int:
        """Create a view that is computed once. Return the number of its rows that fulfill `where`."""
        table = self._spark.sql(select).persist(StorageLevel.DISK_ONLY)
        table.createOrReplaceTempView(name)
        return table.where(where).count()

    def _spans(self) -> str:
        """Return a SELECT of the time spans, `after` to `until`, in which a session's visits are a user's (rule 12)."""
        allowed = f" LEFT ANTI JOIN suppressed ON {self._hash('login')} = hash" if self._salt is not None else ""
        logins = f"SELECT * FROM logins{allowed} DISTRIBUTE BY session"
        first = f"SELECT session, login, min(second) AS second FROM ({logins}) GROUP BY session, login"
        once = f"SELECT session, second, min(login) AS login FROM ({first}) GROUP BY session, second"
        return (
            f"SELECT session AS its_session, login, lag(second, 1, {-1 << 63}) OVER seconds AS after,"
            f" CASE WHEN lead(second) OVER seconds IS NULL THEN {(1 << 63) - 1} ELSE second END AS until"
            f" FROM ({once}) WINDOW seconds AS (PARTITION BY session ORDER BY second)"
        )

    def _visits(self, columns: list[str], *, few: bool) -> str:
        """Return a SELECT of visits, each with its user or refused (rule 12)."""
        time = time_of(self._interactions)
        user, without, join = "login", str(NOBODY), ""
        if self._compiler.mapping.visitors == "as_users":
            user, without = "COALESCE(login, session)", "0"
            if self._salt is not None:
                without = f"CASE WHEN hash IS NULL THEN 0 ELSE {SUPPRESSED_USER} END"
                join = f" LEFT JOIN suppressed ON {self._hash('session')} = hash"
        values = {
            "c0": user,
            "refusal": f"CASE WHEN login IS NULL THEN {without} ELSE 0 END",
            "flags": f"flags + CASE WHEN login IS NULL THEN 0 ELSE {stitched_bit(self._interactions)} END",
        }
        return (
            f"SELECT{_hint('spans', few)} {', '.join(f'{values.get(name, name)} AS {name}' for name in columns)}"
            f" FROM (SELECT * FROM interactions WHERE refusal = {VISIT}) LEFT JOIN spans"
            f" ON session = its_session AND {time} > after AND {time} <= until{join}"
        )

    def _hash(self, user: str) -> str:
        return f"sha2(concat({literal(self._salt or '')}, {user}), 256)"

    def count(self, report: Report) -> None:
        """Add the counts that days alone don't have: those that depend on users, and the rows of each dataset."""

        def merge(dataset: Dataset) -> None:
            rows = dataset.name
            if dataset.user_column is not None:
                rows = f"({latest(dataset, f'{rows} WHERE refusal = 0', _STRUCT)})"
            merged = f"SELECT c0{_latest(dataset, 'max(latest{at}) AS latest{at}')} FROM {rows} GROUP BY c0"
            report.datasets[dataset.name].rows = self._keep(f"merged_{dataset.name}", merged)

        def left_out() -> int:
            hashes = f"SELECT copy_hash FROM interactions WHERE refusal IN (0, {VISIT})"
            few = self._keep("copied", f"{hashes} GROUP BY copy_hash HAVING count(*) > 1") < FEW
            self._few_copied = _hint("copied", few)
            by = f"PARTITION BY message, element ORDER BY {', '.join(['day', *sort_text(self._interactions)])}"
            return self._keep(
                "copies",
                f"SELECT{self._few_copied} *, row_number() OVER ({by}) AS place"
                " FROM known LEFT SEMI JOIN copied USING (copy_hash)",
                where="NOT old AND place > 1",
            )

        def counted(dataset: Dataset) -> list[Any]:
            rows = f"{dataset.name} WHERE refusal <> {VISIT}"
            if dataset.name == "interactions":
                rows += " AND NOT old"
                if self._stitches:
                    columns = ", ".join(self._spark.table("visits").columns)
                    visits = f"SELECT {columns} FROM visits WHERE NOT old"
                    rows = f"(SELECT {columns} FROM {rows} UNION ALL {visits})"
            return self._spark.sql(counts(self._compiler, dataset, rows)).collect()

        with ThreadPoolExecutor() as threads:
            merging = [threads.submit(merge, dataset) for dataset in self.profiles.values()]
            of_users = [dataset for dataset in self._compiler.datasets if dataset.user_column is not None]
            counting = [threads.submit(counted, dataset) for dataset in of_users]
            comparing = threads.submit(left_out)
            for merged in merging:
                merged.result()
            for dataset, found in zip(of_users, (one.result() for one in counting), strict=True):
                _, refusals = self._compiler.candidates(dataset, "events")
                add_counts(found, self._compiler, dataset, refusals, {row[0]: report for row in found})
            count = report.datasets[self._interactions.name]
            count.rows = count.accepted - comparing.result()

    def lines(self, name: str) -> DataFrame:
        """Return the lines of `profiles/`. A profile without a known column has no line."""
        members = []
        for at, column in enumerate(self.profiles[name].columns[1:], start=1):
            # The CSV text of a number or a boolean is its JSON text.
            value = f"latest{at}.value" if column.type not in TEXTS else _json(f"latest{at}.value")
            cell = f"""'"{column.name}":[', {value}, ',', latest{at}.seconds, ',"', latest{at}.fraction, '"]'"""
            members.append(f"CASE WHEN latest{at} IS NOT NULL THEN concat({cell}) END")
        known = f"SELECT c0, concat_ws(',', {', '.join(['NULL', *members])}) AS known FROM merged_{name}"
        return self._spark.sql(
            f"SELECT concat('[', {_json('c0')}, ',{{', known, '}}]') AS line FROM ({known}) WHERE known <> ''"
        )

    def write(self, report: Report) -> None:
        """Write the CSV of all datasets, and the profiles."""

        def write(dataset: Dataset) -> None:
            rows = report.datasets[dataset.name].rows
            self._output.make(dataset.name)
            if not rows:
                return  # Spark would write a file with only a header
            parts = rows // PART_ROWS + 1
            if dataset.name in self.profiles:
                lines = self.lines(dataset.name).coalesce(parts)
                lines.write.text(f"{self._output.work}/{PROFILES}/{dataset.name}", compression="gzip")
                select = f"SELECT c0{_latest(dataset, 'latest{at}.value AS c{at}')} FROM merged_{dataset.name}"
            else:
                columns = ", ".join(f"c{at}" for at in range(len(dataset.columns)))
                select = (
                    f"SELECT{self._few_copied} {columns} FROM known LEFT ANTI JOIN copied USING (copy_hash)"
                    " WHERE NOT old"
                    f" UNION ALL SELECT {columns} FROM copies WHERE NOT old AND place = 1"
                )
            table = self._spark.sql(f"SELECT {header(dataset, 'c{}')} FROM ({select})".replace('"', "`"))
            table.coalesce(parts).write.mode("overwrite").csv(
                f"{self._output.work}/{dataset.name}", header=True, escape='"', emptyValue="", nullValue="",
                ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False,
            )  # fmt: skip

        # In parallel, because users and items are too few to keep all cores busy.
        with ThreadPoolExecutor() as threads:
            list(threads.map(write, [self._interactions, *self.profiles.values()]))


#: An observation for `selects.latest` in Spark SQL.
_STRUCT = "named_struct('seconds', {}, 'fraction', {}, 'value', {})"


def _latest(dataset: Dataset, column: str) -> str:
    """Return columns for a SELECT, one for each column of a profile but its id. {at} is the column's number."""
    return "".join(f", {column.format(at=at)}" for at in range(1, len(dataset.columns)))


def _hint(table: str, few: bool) -> str:
    """Return the hint to broadcast a table of few rows. Spark assumes that cached tables are large, and would sort."""
    return f" /*+ BROADCAST({table}) */" if few else ""


def _json(text: str) -> str:
    """Return the JSON of a text, as SQL."""
    return f"trim(BOTH '[]' FROM to_json(array({text})))"


def _exact(path: str) -> str:
    """Return a pattern that matches only this path, because Spark reads paths as patterns."""
    return re.sub(r"([\\{}\[\]*?])", r"\\\1", path)


def _load(live: ProfilePlaces, tables: dict[str, DataFrame], suppressed: SuppressionList | None) -> None:
    """Load the lines of users and items into the profile table, and print the number of each outcome."""
    for name, lines in tables.items():
        loading = partial(_load_some, dataset=name, live=live, suppressed=suppressed)
        tasks = lines.coalesce(LOADING).rdd.mapPartitions(loading).collect()
        print(f"profiles of {name}:", json.dumps(sum((Counter(counts) for counts, _ in tasks), Counter())))
        for _, error in tasks:
            if error is not None:
                raise ProfilesError(*error)


def _load_some(
    lines: Iterable[Any], dataset: str, live: ProfilePlaces, suppressed: SuppressionList | None
) -> Iterator[tuple[dict[str, int], tuple[str, str, str] | None]]:
    """Load some profiles. Yield the number of each outcome, and the error if one stopped the load."""
    # Imported here, because only a job with a profile table needs them.
    from personalize_segment.live.profile_batch import RateLimiter
    from personalize_segment.live.profile_load import Loader, clients, load_all
    from personalize_segment.live.profile_table import MAX_KEYS, ProfileTable

    dynamodb, sqs = clients(live.table.split(":")[3])
    table = ProfileTable(dynamodb, live.table.rpartition("/")[2])
    queue = sqs.get_queue_url(QueueName=live.queue.rpartition(":")[2])["QueueUrl"]
    loader = Loader(table, sqs, queue, RateLimiter(WRITES_PER_SECOND // LOADING), lambda: suppressed)
    profiles = (
        (key, {name: tuple(cell) for name, cell in known.items()})
        for key, known in (json.loads(line) for (line,) in lines)
    )
    batches = iter(lambda: dict(islice(profiles, MAX_KEYS)), {})
    try:
        yield load_all(loader, (((dataset, batch), 0) for batch in batches)), None
    except ProfilesError as error:
        yield {}, (error.place, error.problem, error.remedy)


def _place(uri: str, error: type[PersonalizeSegmentError], remedy: str) -> Place:
    """Return the place that a Hadoop URI names. Raises `error` if tasks can't reach it."""
    try:
        return place(shared(uri))
    except ValueError:
        raise error(uri, "is neither in S3 nor in a folder, so tasks can't reach it", remedy) from None


def _suppression(uri: str) -> SuppressionList:
    """Return the list in a file. Raises ForgetError if it is missing, because deleted users would come back."""
    return parse_suppression(_read(uri, ForgetError, "no such suppression list", "Check the location"), uri)


def _mapping(uri: str) -> bytes:
    return _read(uri, MappingError, "no such event mapping", "Run `terraform apply`, which writes it")


def _read(uri: str, error: type[PersonalizeSegmentError], missing: str, remedy: str) -> bytes:
    with errors_at(uri, error):
        found = _place(uri, error, remedy).read()
    if found is None:
        raise error(uri, missing, remedy)
    return found[0]


def _greet_glue(spark: SparkSession) -> None:
    """Create Glue's context, if Glue is present. Without it, Glue publishes no observability metrics.

    A Job isn't created. Its init and commit are for bookmarks, which plain Spark doesn't use.
    """
    with suppress(ImportError):
        from awsglue.context import GlueContext

        GlueContext(spark.sparkContext)


def _options(argv: list[str]) -> argparse.Namespace:
    """Parse our arguments, and ignore those that Glue adds."""
    parser = argparse.ArgumentParser(prog="segment_to_personalize.py", allow_abbrev=False)
    parser.add_argument("--S3_JSON_INPUT_PATH", required=True, help="s3://bucket/segment-logs/")
    parser.add_argument("--S3_CSV_OUTPUT_PATH", required=True, help="s3://bucket/transformed/")
    parser.add_argument(
        "--event_mapping", default=default_text(), help="JSON of the event mapping, or s3://bucket/key#sha256"
    )
    parser.add_argument("--since", type=date.fromisoformat, help="first received day, YYYY-MM-DD")
    parser.add_argument("--until", type=date.fromisoformat, help="day after the last received day, YYYY-MM-DD")
    parser.add_argument("--overlap", type=int, default=1, help="days before --since to read for repeats (default 1)")
    parser.add_argument("--allow_empty", choices=("true", "false"), default="false", help="as export's --allow-empty")
    parser.add_argument("--suppression_list", help="s3://bucket/suppressed.csv, written by `forget`")
    parser.add_argument("--stage", help="s3://bucket/stage/, where the rows of each day are kept for the next run")
    parser.add_argument(
        "--driver_events", type=int, default=DRIVER_EVENTS, help="number of events from which on Spark folds"
    )
    parser.add_argument("--profile_table", help="ARN of a DynamoDB table to load users and items into")
    parser.add_argument("--profile_queue", help="ARN of the profile queue, required with --profile_table")
    return parser.parse_known_args(argv)[0]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PersonalizeSegmentError as error:
        sys.exit(f"segment_to_personalize.py: {error}")
