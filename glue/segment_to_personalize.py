"""The Glue job: Segment logs -> CSV for Amazon Personalize, on Spark.

Runs unchanged on AWS Glue 5 and on plain PySpark 3.5, with the package `personalize_segment`
on the Python path (Glue: --extra-py-files). It is thin on purpose: what an event means is
`rows()`, which files count is `logs`, what is reported is `report`. One pass reads the logs;
rows and counts travel together as (dataset, key, value), so that a task that Spark runs
twice counts once, which accumulators would not promise.
"""

import argparse
import json
import os
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from functools import partial
from importlib.util import find_spec
from itertools import islice
from typing import Any, NamedTuple
from uuid import uuid4

from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from personalize_segment.contract.columns import TEXTS, USER_ID
from personalize_segment.contract.layout import FOLDERS, PROFILE_DATASETS, PROFILES, REPORT_NAME, only_parts
from personalize_segment.contract.mapping import Dataset, EventMapping, default_text, fetched, parse
from personalize_segment.contract.report import COMPARE, Malformed, Report
from personalize_segment.contract.rows import NEVER, Observation, Row, describe, observations, rows, text
from personalize_segment.contract.suppression import SUPPRESSED, SuppressionList
from personalize_segment.contract.suppression import parse as parse_suppression
from personalize_segment.contract.visitors import NEVER_LOGGED_IN, logins
from personalize_segment.errors import (
    EmptyError,
    ForgetError,
    LogsError,
    MappingError,
    OutputError,
    PersonalizeSegmentError,
    ProfilesError,
)
from personalize_segment.history import lines, logs

# They save a fifth of the job where they are installed; without them the rows are the same.
loads: Any = None
with suppress(ImportError):
    from orjson import loads
with suppress(ImportError):
    from zlib_ng import zlib_ng as zlib  # type: ignore[no-redef]

# Lower than any character a value may have (rule 3): texts joined by it sort like their tuple.
SEPARATOR = "\x1f"
PART = "\x1e"
COUNTS = "counts"
#: What also travels as a dataset, by session: interactions without a user, and users who logged in (rule 12).
VISITS, LOGINS = "visits", "logins"
#: Bytes of compressed logs a task reads; its memory follows from it and from the largest file.
TASK_BYTES = 16 << 20
#: Rows of one CSV part, at least.
PART_ROWS = 250_000

#: Tasks that write to the profile table at the same time, and what all of them write per second.
LOADING, WRITES_PER_SECOND = 4, 1000

#: Without Glue. Python does most of the work, so the JVM's second compiler takes more time than it gives, and
#: a UI is seldom looked at.
PLAIN: dict[str, Any] = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseParallelGC",
    "spark.ui.enabled": "false",
}

Item = tuple[str, str, str]


class ProfilePlaces(NamedTuple):
    """Where live events are merged: the ARNs of the profile table and of the profile queue."""

    table: str
    queue: str


def main(argv: list[str]) -> None:
    """Run the job with Glue's arguments, given as `--name value`."""
    options = _options(argv)
    window = logs.Window(options.since, options.until, options.overlap)
    builder = SparkSession.builder
    if find_spec("awsglue") is None:
        # Plain PySpark would start the python3 that comes first on the path, whatever it holds.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        builder = builder.config(map=PLAIN)
    spark = (
        builder.appName("segment-to-personalize")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.files.maxPartitionBytes", TASK_BYTES)
        .config("spark.sql.files.openCostInBytes", 1 << 18)
        # What is kept on disk is read twice, soon after: to compress it would take longer.
        .config("spark.sql.inMemoryColumnarStorage.compressed", "false")
        # Personalize reads every file of a folder: no _SUCCESS, no checksums beside the parts.
        .config("spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs", "false")
        .config("spark.hadoop.fs.file.impl", "org.apache.hadoop.fs.RawLocalFileSystem")
        .getOrCreate()
    )
    _greet_glue(spark)
    mapping = parse(fetched(options.event_mapping, partial(_mapping, spark)))
    suppressed = options.suppression_list and _suppression(spark, options.suppression_list)
    tree, allow_empty = options.S3_JSON_INPUT_PATH, options.allow_empty == "true"
    live = ProfilePlaces(options.profile_table, options.profile_queue) if options.profile_table else None
    report = run(spark, tree, options.S3_CSV_OUTPUT_PATH, mapping, window, suppressed, live, allow_empty=allow_empty)
    print(report.as_json())
    if not report.datasets["interactions"].rows and not allow_empty:
        raise EmptyError(tree, f"gave no interactions: {report.why_none('interactions')}", COMPARE, report)


def run(
    spark: SparkSession,
    tree: str,
    out: str,
    mapping: EventMapping,
    window: logs.Window,
    suppressed: SuppressionList | None = None,
    live: ProfilePlaces | None = None,
    *,
    allow_empty: bool = False,
) -> Report:
    """Write the rows of the logs in `tree`, but those of suppressed users, to `out`, replacing an earlier export.

    Then load users and items into the table of `live`: before they are imported, so that Personalize has no row of an
    import whose columns the next partial event would erase. Raises EmptyError as `history.export` does, and
    ProfilesError if the table doesn't take them; the export is whole all the same.
    """
    files = logs.sort_out(_list(spark, tree), window, root=tree)
    old = frozenset(file.name for file in files.overlap)
    wanted = old | {file.name for file in files.inside}
    # Folders, not files: Spark would start a job to look at every single path again.
    folders = sorted({name.rpartition("/")[0] for name in wanted}) if window.bounded else [tree]
    known = spark.sparkContext.broadcast((wanted, old, suppressed))
    canonical = mapping.text
    tasks = sum(file.bytes for file in files.overlap + files.inside) // TASK_BYTES + 1
    spark.conf.set("spark.sql.shuffle.partitions", max(tasks, spark.sparkContext.defaultParallelism))
    items = (
        _files(spark, folders)
        .select("path", "content")
        .rdd.mapPartitions(lambda blobs: _read(blobs, parse(canonical), *known.value))
    )
    table = spark.createDataFrame(items, "dataset string, key string, value string", verifySchema=False)
    visits = None
    if mapping.visitors != "drop":
        table = table.persist(StorageLevel.DISK_ONLY)
        visits = _stitched(table).persist(StorageLevel.DISK_ONLY)
        found = visits.where(F.col("user").isNotNull()).select("dataset", "key", "value")
        table = table.where(~F.col("dataset").isin(VISITS, LOGINS)).unionByName(found)
    # Interactions keep the least of their copies, users and items the latest value of each column (rule 9).
    is_profile = F.col("dataset").isin(*PROFILE_DATASETS)
    seen = F.when(is_profile, F.split("value", SEPARATOR))
    places = range(1, max((len(dataset.columns) for dataset in mapping.datasets[1:]), default=1))
    latest = [F.coalesce(F.max(seen[place]), F.lit("")) for place in places]
    merged = F.concat_ws(SEPARATOR, F.lit("1"), "key", *latest)
    one_of_each = (
        table.repartition("dataset", "key")
        .groupBy("dataset", "key")
        .agg(F.when(is_profile, merged).otherwise(F.min("value")).alias("value"))
    )
    kept = one_of_each.persist(StorageLevel.DISK_ONLY)
    report = Report.of(mapping)
    report.files_skipped += files.skipped
    # The first character tells a row of the overlap, which only took the place of its repeats.
    repeats = F.col("value").startswith("0")
    counts = F.collect_list(F.when(F.col("dataset") == COUNTS, F.col("value")))
    for name, of_overlap, number, counted in kept.groupBy("dataset", repeats).agg(F.count("*"), counts).collect():
        if name == COUNTS:
            for part in counted:
                report.merge(Report.from_dict(json.loads(part)))
        elif not of_overlap:
            report.datasets[name].rows = number
    if visits is not None:
        _count_visits(report, visits)
    if suppressed is not None and suppressed.hashes:
        report.withhold()
    result = kept.where(~repeats)
    tables = {dataset: result.where(F.col("dataset") == dataset.name) for dataset in mapping.datasets}
    _replace(
        spark, out, report, tables, None if allow_empty else partial(report.refuse_empty, tree, window=window.bounded)
    )
    if live is not None:
        _load(live, {dataset: tables[dataset] for dataset in tables if dataset.name in PROFILE_DATASETS}, suppressed)
    return report


def _load(live: ProfilePlaces, tables: dict[Dataset, DataFrame], suppressed: SuppressionList | None) -> None:
    """Load the rows of users and items into the profile table, and print what became of them."""
    for dataset, table in tables.items():
        loading = partial(_load_some, dataset=dataset, live=live, suppressed=suppressed)
        tasks = table.select("value").coalesce(LOADING).rdd.mapPartitions(loading).collect()
        print(f"profiles of {dataset.name}:", json.dumps(sum((Counter(counts) for counts, _ in tasks), Counter())))
        for _, error in tasks:
            if error is not None:
                raise ProfilesError(*error)


def _load_some(
    values: Iterable[Any], dataset: Dataset, live: ProfilePlaces, suppressed: SuppressionList | None
) -> Iterator[tuple[dict[str, int], tuple[str, str, str] | None]]:
    """Load some profiles; yield the counts of what became of them, and the error that stopped it."""
    # They need boto3, which an export doesn't.
    from personalize_segment.live.profile_batch import RateLimiter
    from personalize_segment.live.profile_load import Loader, clients, load_all
    from personalize_segment.live.profile_table import MAX_KEYS, ProfileTable

    dynamodb, sqs = clients(live.table.split(":")[3])
    table = ProfileTable(dynamodb, live.table.rpartition("/")[2])
    queue = sqs.get_queue_url(QueueName=live.queue.rpartition(":")[2])["QueueUrl"]
    loader = Loader(table, sqs, queue, RateLimiter(WRITES_PER_SECOND // LOADING), lambda: suppressed)
    profiles = (found for (value,) in values if (found := _profile(value, dataset))[1])
    batches = iter(lambda: dict(islice(profiles, MAX_KEYS)), {})
    try:
        yield load_all(loader, (((dataset.name, batch), 0) for batch in batches)), None
    except ProfilesError as error:
        yield {}, (error.place, error.problem, error.remedy)


def _list(spark: SparkSession, tree: str) -> list[logs.LogFile]:
    """Return every file below `tree`; Spark's own listing hides some, and is a job of its own."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(tree)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(path):
        raise LogsError(tree, "no such file or folder", "Check the path")
    root = files.makeQualified(path).toString()
    log_files, statuses = [], files.listFiles(path, True)
    while statuses.hasNext():
        status = statuses.next()
        name = status.getPath().toString()
        inner = name.removeprefix(root).strip("/") or name.rpartition("/")[2]
        log_files.append(logs.LogFile(name, status.getLen(), logs.day_of(name), inner))
    return log_files


def _files(spark: SparkSession, folders: list[str]) -> DataFrame:
    names = "*{" + ",".join(logs.ENDINGS) + "}"
    return (
        spark.read.format("binaryFile")
        .option("recursiveFileLookup", "true")
        .option("pathGlobFilter", names)
        .load(folders)
    )


def _suppression(spark: SparkSession, place: str) -> SuppressionList:
    """Return the list in a file. Raises ForgetError if there is none, since users would come back without it."""
    data = _file(spark, place)
    if data is None:
        raise ForgetError(place, "no such suppression list", "Check where it is")
    return parse_suppression(data, place)


def _mapping(spark: SparkSession, place: str) -> bytes:
    data = _file(spark, place)
    if data is None:
        raise MappingError(place, "no such event mapping", "Run `terraform apply`, which writes it")
    return data


def _file(spark: SparkSession, place: str) -> bytes | None:
    """Return what is in a file; None if there is none."""
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path(place)
    files = path.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(path):
        return None
    stream = files.open(path)
    try:
        return bytes(jvm.org.apache.commons.io.IOUtils.toByteArray(stream))
    finally:
        stream.close()


def _read(
    blobs: Iterable[Any],
    mapping: EventMapping,
    wanted: frozenset[str],
    old: frozenset[str],
    suppressed: SuppressionList | None,
) -> Iterator[Item]:
    """Yield the rows of some files, and at the end what was counted on the way."""
    report = Report.of(mapping)
    latest: dict[tuple[str, str], list[Observation | None]] = {}
    first: dict[tuple[str, str], int] = {}
    task = ""
    for path, data in blobs:
        if path not in wanted:
            continue
        task = task or path
        content = bytes(data)
        kind = logs.compression(content[: logs.HEAD_BYTES])
        if kind is None:
            report.files_damaged.append((path, logs.BINARY))
            continue
        report.files_read += 1
        damage: list[str] = []
        blocks = (content[at : at + logs.CHUNK_BYTES] for at in range(0, len(content), logs.CHUNK_BYTES))
        for line in lines.read(logs.unzip(blocks, damage, zlib) if kind == "gzip" else blocks, loads):
            event = line.event
            for login in logins(mapping, event) if event is not None else ():
                pair = login.session, login.user
                first[pair] = min(login.second, first.get(pair, login.second))
            if path in old:
                report.events_overlap += event is not None
                if event is not None:
                    for row in rows(mapping, event, suppressed=suppressed)[0]:
                        if row.dataset.name == "interactions":
                            yield _interaction(row, "0") if row.visitor is None else _visit(mapping, row, suppressed)
                continue
            if event is None:
                report.malformed([Malformed(path, line.number, line.cause)])
                continue
            report.events_read += 1
            event_rows, reasons = rows(mapping, event, suppressed=suppressed)
            for row in event_rows:
                if row.visitor is not None:
                    yield _visit(mapping, row, suppressed, event)
                    continue
                report.accept(event, row)
                if row.dataset.name == "interactions":
                    yield _interaction(row, "1")
                else:
                    _merge(latest.setdefault((row.dataset.name, text(row.values[0])), []), observations(row))
            for why in reasons:
                report.refuse(event, why)
        report.files_damaged += [(path, reason) for reason in damage]
    for (name, key), seen in latest.items():
        yield name, key, SEPARATOR.join(["1", *map(_observation, seen[1:])])
    for (session, user), second in first.items():
        if suppressed is None or not suppressed.holds(user):
            yield LOGINS, session, f"{second}{PART}{user}"
    if task:
        yield COUNTS, task, json.dumps(report.as_dict(limit=None))


def _interaction(row: Row, flag: str) -> Item:
    dataset, values, message_id, element = row[:4]
    joined = SEPARATOR.join([flag, *[value if type(value) is str else text(value) for value in values]])
    return dataset.name, f"{message_id}{SEPARATOR}{'' if element is None else element}", joined


def _visit(
    mapping: EventMapping, row: Row, suppressed: SuppressionList | None, event: dict[str, Any] | None = None
) -> Item:
    """Return an interaction without a user; one of the overlap has no event, and isn't counted."""
    session, why = row.visitor or "", NEVER_LOGGED_IN
    if mapping.visitors == "as_users":
        why = SUPPRESSED if suppressed is not None and suppressed.holds(session) else ""
    seconds = row.values[[column.name for column in row.dataset.columns].index("TIMESTAMP")]
    _, key, joined = _interaction(row, "0" if event is None else "1")
    flag, _, rest = joined.split(SEPARATOR, 2)
    counted = ""
    if event is not None:
        filled = [row.values[position] is not None for position in row.dataset.optional]
        counted = json.dumps([*describe(event), row.ahead, filled, [one[1:3] for one in row.unusable], why])
    return VISITS, session, PART.join([str(seconds), key, flag, rest, why, counted])


def _stitched(table: DataFrame) -> DataFrame:
    """Rule 12: return the visits of `table` as interactions, with what is counted of each, and its user or NULL."""
    part = F.split("value", PART)
    seen = (
        table.where(F.col("dataset") == LOGINS)
        .groupBy(F.col("key").alias("session"), part[1].alias("login"))
        .agg(F.min(part[0].cast("long")).alias("second"))
        .groupBy("session", "second")
        .agg(F.min("login").alias("login"))
    )
    visits = table.where(F.col("dataset") == VISITS).select(
        F.col("key").alias("session"), part[0].cast("long").alias("second"), "value"
    )
    # In one second, logins come before visits. A frame that ends with its row takes one pass, one to the end many.
    running = Window.partitionBy("session").rowsBetween(Window.unboundedPreceding, Window.currentRow)
    login, no_login = F.last("login", ignorenulls=True), F.col("login").isNull()
    after = login.over(running.orderBy(F.desc("second"), no_login))
    before = login.over(running.orderBy("second", no_login))
    found = (
        visits.unionByName(seen, allowMissingColumns=True)
        .withColumn("login", F.coalesce(after, before))
        .where(F.col("value").isNotNull())
    )
    session = F.when(part[4] == "", F.col("session"))
    return found.withColumn("user", F.coalesce("login", session)).select(
        F.lit("interactions").alias("dataset"),
        part[1].alias("key"),
        F.concat_ws(SEPARATOR, part[2], "user", part[3]).alias("value"),
        "user",
        F.col("login").isNotNull().alias("stitched"),
        part[5].alias("counted"),
    )


def _count_visits(report: Report, visits: DataFrame) -> None:
    """Count what `_visit` says of visits, now that their users are known."""
    count, columns = report.datasets["interactions"], list(report.datasets["interactions"].columns.values())
    message, nobody = F.split("key", SEPARATOR)[0], F.col("user").isNull()
    kinds = visits.where(F.col("counted") != "").groupBy("counted", "stitched", nobody)
    for counted, stitched, refused, number, example in kinds.agg(F.count("*"), F.min(message)).collect():
        call, event, ahead, filled, unusable, why = json.loads(counted)
        if refused:
            count.refused += number
            # As for others, a suppressed user's has no example.
            report.reasons.add(
                (call, event, "interactions", USER_ID, why), number, None if why == SUPPRESSED else example
            )
            continue
        count.accepted += number
        count.stitched += number * stitched
        count.ahead += number * ahead
        for column, has in zip(columns, filled, strict=True):
            column.filled += number * has
        for name, reason in unusable:
            count.columns[name].unusable += number
            report.unusable.add((call, event, "interactions", name, reason), number, example)


def _merge(known: list[Observation | None], seen: list[Observation | None]) -> None:
    """Rule 9: let each column have the latest of what is known of it and what was seen."""
    known[:] = [max(filter(None, pair), default=None) for pair in zip(known or seen, seen, strict=True)]


def _observation(seen: Observation | None) -> str:
    """Return a text that sorts like what it stands for; the empty one stands for nothing."""
    # Zero-padded seconds sort as text.
    return PART.join([f"{seen[0] - NEVER:014}", *seen[1:]]) if seen else ""


def _profile(value: str, dataset: Dataset) -> tuple[str, dict[str, tuple[Any, int, str]]]:
    """Return the id of a user or an item, and of each known column the value, its seconds and the fraction's digits."""
    _, key, *latest = value.split(SEPARATOR)
    known = {}
    for column, seen in zip(dataset.columns[1:], latest, strict=False):
        if seen:
            seconds, fraction, text_ = seen.split(PART)
            # The text of a number or a boolean in the CSV is its JSON.
            value_ = text_ if column.type in TEXTS else json.loads(text_)
            known[column.name] = (value_, int(seconds) + NEVER, fraction)
    return key, known


def _lines(values: Iterable[Any], dataset: Dataset) -> Iterator[tuple[str]]:
    """Yield the lines of `profiles/`; a profile without a known column has none."""
    for (value,) in values:
        key, known = _profile(value, dataset)
        if known:
            yield (json.dumps([key, known], ensure_ascii=False, separators=(",", ":")),)


def _replace(
    spark: SparkSession,
    out: str,
    report: Report,
    tables: dict[Dataset, DataFrame],
    refuse: Callable[[str, list[str]], None] | None,
) -> None:
    """Write next to the earlier export first, then let the new one take its place.

    `refuse` gets `out` and the datasets that an export there has, and raises EmptyError if this one may not replace it.
    """
    out = out.rstrip("/")
    work = f"{out}/.export-{uuid4()}"
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path
    files = path(out).getFileSystem(spark._jsc.hadoopConfiguration())
    standing = []
    for name in FOLDERS:
        if files.exists(path(f"{out}/{name}")):
            root = files.makeQualified(path(f"{out}/{name}")).toString()
            statuses, names = files.listFiles(path(root), True), []
            while statuses.hasNext():
                names.append(statuses.next().getPath().toString().removeprefix(f"{root}/"))
            only_parts(f"{out}/{name}", name, names)
            standing += [name] if names and name != PROFILES else []
    if refuse is not None:
        refuse(out, standing)

    def write(dataset: Dataset) -> None:
        rows = report.datasets[dataset.name].rows
        files.mkdirs(path(f"{work}/{dataset.name}"))
        if not rows:
            return  # Spark would write a header for Personalize to stumble over
        parts = F.split("value", SEPARATOR)
        # The flag comes first.
        columns = [parts[1 + at] for at in range(len(dataset.columns))]
        if dataset.name in PROFILE_DATASETS:
            # Of an observation the CSV has the text.
            columns[1:] = [F.coalesce(F.split(column, PART)[2], F.lit("")) for column in columns[1:]]
            lines = tables[dataset].select("value").coalesce(rows // PART_ROWS + 1)
            spark.createDataFrame(
                lines.rdd.mapPartitions(lambda values: _lines(values, dataset)), "line string", verifySchema=False
            ).write.text(f"{work}/{PROFILES}/{dataset.name}", compression="gzip")
        columns = [one.alias(column.name) for one, column in zip(columns, dataset.columns, strict=True)]
        tables[dataset].select(*columns).coalesce(rows // PART_ROWS + 1).write.mode("overwrite").csv(
            f"{work}/{dataset.name}", header=True, escape='"', emptyValue="", nullValue="",
            ignoreLeadingWhiteSpace=False, ignoreTrailingWhiteSpace=False,
        )  # fmt: skip

    try:
        # Side by side: users and items are too few to keep all cores busy.
        with ThreadPoolExecutor() as threads:
            list(threads.map(write, tables))
        stream = files.create(path(f"{work}/{REPORT_NAME}"), True)
        stream.write(report.as_json().encode())
        stream.close()
        files.delete(path(f"{out}/{REPORT_NAME}"), False)
        for name in [*FOLDERS, REPORT_NAME]:
            files.delete(path(f"{out}/{name}"), True)
            written = path(f"{work}/{name}")
            # Hadoop says by its answer, not by an exception, that nothing was moved.
            if files.exists(written) and not files.rename(written, path(f"{out}/{name}")):
                raise OutputError(f"{out}/{name}", "can't be written", "Check the rights and run the job again")
    finally:
        files.delete(path(work), True)


def _greet_glue(spark: SparkSession) -> None:
    """Make Glue's context, where there is a Glue: without one it publishes no observability metrics.

    Without a Job, whose init and commit are for bookmarks, which plain Spark doesn't use.
    """
    with suppress(ImportError):
        from awsglue.context import GlueContext

        GlueContext(spark.sparkContext)


def _options(argv: list[str]) -> argparse.Namespace:
    """Read our arguments; Glue adds its own, which are left to it."""
    parser = argparse.ArgumentParser(prog="segment_to_personalize.py", allow_abbrev=False)
    parser.add_argument("--S3_JSON_INPUT_PATH", required=True, help="s3://bucket/segment-logs/")
    parser.add_argument("--S3_CSV_OUTPUT_PATH", required=True, help="s3://bucket/transformed/")
    parser.add_argument(
        "--event_mapping", default=default_text(), help="the mapping's JSON text, or s3://bucket/key#sha256"
    )
    parser.add_argument("--since", type=date.fromisoformat, help="first received day, YYYY-MM-DD")
    parser.add_argument("--until", type=date.fromisoformat, help="day after the last")
    parser.add_argument("--overlap", type=int, default=1, help="days before --since that are read for repeats")
    parser.add_argument("--allow_empty", choices=("true", "false"), default="false", help="as export's --allow-empty")
    parser.add_argument("--suppression_list", help="s3://bucket/suppressed.csv, written by `forget`")
    parser.add_argument("--profile_table", help="ARN of the DynamoDB table that users and items are loaded into, too")
    parser.add_argument("--profile_queue", help="ARN of the profile queue; with --profile_table")
    return parser.parse_known_args(argv)[0]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except PersonalizeSegmentError as error:
        sys.exit(f"segment_to_personalize.py: {error}")
