"""DuckDB and Spark produce the reference's rows and report, for any logs.

It generates no cases that docs/contract.md leaves undefined: duplicate keys in one object,
nesting deeper than 500, trailing commas and NaN or Infinity literals, form feeds and vertical tabs
around an event, and lines above 4 MiB.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from awkward import logs
from engines import Outcome, duckdb_rows, python_rows, spark_rows, write_log
from golden_cases import golden_cases, valid_mappings
from mapped import logs_of, mappings
from personalize_segment.contract.columns import VISITORS
from personalize_segment.contract.mapping import EventMapping, default_text, parse
from personalize_segment.contract.rows import TOO_LONG
from personalize_segment.history import export as local
from personalize_segment.history.logs import Window
from personalize_segment.live.event import read
from personalize_segment.live.settings import load
from profiles import SEQUENCES, expected
from visits import SEQUENCES as VISITS
from visits import Happened, happenings, view, visitors
from visits import Sequence as Visits
from visits import expected as expected_visits

Engine = Callable[[Path, EventMapping, Window | None], Outcome]

#: Every type of column, required and optional, from the event and from an element.
TYPES = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId", "context.user", "anonymousId"]},
            "ITEM_ID": {"from": ["properties.sku", "properties.nested.sku"]},
            "TIMESTAMP": {"from": ["timestamp", "properties.when"]},
            "EVENT_VALUE": {"from": ["properties.value", "properties.price"], "optional": True},
            "IMPRESSION": {"from": ["properties.ids"], "optional": True},
            "FLAG": {"from": ["properties.flag"], "type": "boolean", "optional": True},
            "SMALL": {"from": ["properties.value"], "type": "int", "optional": True},
            "LARGE": {"from": ["properties.value"], "type": "long", "optional": True},
        },
        "track": {
            "Viewed": {"event_type": "View"},
            "Bought": {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku", "."]}}},
        },
        "page": {"Viewed": {"event_type": "View"}},
        "screen": {'Née "Q" \\ it\'s': {"fields": {"FLAG": {"from": ["properties.flag"], "optional": False}}}},
    },
    "users": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "SCORE": {"from": ["traits.value"], "type": "double", "optional": True},
            "SEEN": {"from": ["traits.when"], "type": "timestamp", "optional": True},
            "PLAN": {"from": ["traits.sku", "traits.nested.sku"], "type": "string", "optional": True},
        },
        "track": {"Viewed": {"fields": {"PLAN": {"from": ["properties.flag"], "optional": True}}}},
    },
}
# Without users, `each` below a field that is a value elsewhere, and a separate required field.
MUTATED = {
    "version": 1,
    "interactions": {
        "fields": {"USER_ID": {"from": ["userId"]}, "TIMESTAMP": {"from": ["timestamp"]}},
        "track": {
            "Viewed": {"each": "properties.nested.sku", "fields": {"ITEM_ID": {"from": [".", "messageId"]}}},
            "Bought": {"fields": {"ITEM_ID": {"from": ["properties.products.sku", "properties.ids"]}}},
        },
    },
    "items": {
        "fields": {"ITEM_ID": {"from": ["properties.sku"]}, "PRICE": {"from": ["properties.value"], "type": "float"}},
        "track": {"Bought": {"each": "properties.products", "fields": {"ITEM_ID": {"from": [".sku"]}}}},
        "screen": {"Viewed": {}},
    },
}
DEFAULT = parse(default_text())
TYPED = parse(json.dumps(TYPES))
MAPPINGS = [TYPED, parse(json.dumps(MUTATED))]

GOOD: dict[str, object] = {
    "type": "track", "event": "Viewed", "messageId": "good", "userId": "u", "timestamp": "2024-03-01T00:00:00Z",
    "properties": {"sku": "s"},
}  # fmt: skip


def event(**changes: object) -> bytes:
    """Return the line of a good event, changed; None is null."""
    return json.dumps(GOOD | changes).encode()


@pytest.fixture(params=["duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Return an engine to compare with the reference."""
    if request.param == "duckdb":
        return duckdb_rows
    spark: SparkSession = request.getfixturevalue("spark")
    return lambda folder, mapping, window: spark_rows(spark, folder, mapping, window)


def alike(engine: Engine, folder: Path, mapping: EventMapping, window: Window | None = None) -> Outcome:
    """Return the reference's outcome after comparing the engine's with it."""
    expected, found = python_rows(folder, mapping, window), engine(folder, mapping, window)
    assert differences(found, expected) == {}
    assert found == expected
    return expected


def differences(found: Outcome, expected: Outcome) -> dict[str, tuple[object, object]]:
    """Return the differences as (found, expected), short enough to read in a failure."""
    here: dict[str, tuple[object, object]] = {}
    for name, rows in expected.rows.items():
        one, other = Counter(found.rows[name]), Counter(rows)
        here[name] = sorted((one - other).elements())[:5], sorted((other - one).elements())[:5]
    for name in expected.report or found.report or {}:
        one_, other_ = (found.report or {}).get(name), (expected.report or {}).get(name)
        if name == "reasons" and one_ and other_:
            one_, other_ = [x for x in one_ if x not in other_][:5], [x for x in other_ if x not in one_][:5]
        here[name] = one_, other_
    return {name: pair for name, pair in here.items() if pair[0] != pair[1]}


def golden_logs() -> dict[str, list[bytes]]:
    """Return the golden lines of each mapping, with unique ids, so that none replaces another."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for number, case in enumerate(golden_cases()):
        line = case.line
        for name in (b"m1", b"u1", b"p1"):
            line = line.replace(b'"%s"' % name, b'"%s of %d"' % (name, number))
        found[case.mapping_text].append(line)
    return found


@pytest.mark.parametrize("mapping_text", golden_logs(), ids=lambda text: parse(text).sha256[:8])
def test_the_golden_cases_are_alike(mapping_text: str, tmp_path: Path) -> None:
    write_log(tmp_path / "cases.json", golden_logs()[mapping_text])
    alike(duckdb_rows, tmp_path, parse(mapping_text))


def test_most_golden_cases_are_alike_on_spark(spark: SparkSession, tmp_path: Path) -> None:
    """With other mappings, Spark's tasks would only rerun DuckDB."""
    mapping_text, lines = max(golden_logs().items(), key=lambda of: len(of[1]))
    for number in range(3):
        write_log(tmp_path / f"{number}.json", lines[number::3])
    alike(lambda *what: spark_rows(spark, *what), tmp_path, parse(mapping_text))


WINDOWS = [
    None,
    Window(date(2024, 3, 2), None),
    Window(date(2024, 3, 2), date(2024, 3, 3), overlap=0),
    Window(date(2024, 3, 3), None, overlap=2),
]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_shop_s_logs_are_alike_in_every_window(
    window: Window | None, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "SMALL_BATCH_BYTES", 1)  # several batches, although the logs are small
    compare_in_window(duckdb_rows, window, shop)


@pytest.mark.parametrize("window", [WINDOWS[0], WINDOWS[3]], ids=["all", "overlap"])
def test_a_shop_s_logs_are_alike_on_spark(window: Window | None, spark: SparkSession, shop: Path) -> None:
    compare_in_window(lambda *what: spark_rows(spark, *what), window, shop)


def compare_in_window(engine: Engine, window: Window | None, shop: Path) -> None:
    """Check that the logs have duplicates and events of the overlap."""
    found = alike(engine, shop, parse(default_text()), window)
    assert found.report
    assert all(count["deduplicated"] for count in found.report["datasets"].values())
    assert (found.report["events"]["overlap"] > 0) is (window is not None and window.overlap > 0)


#: Lines that aren't plain events. The good events around them must produce rows anyway.
LINES = {
    "a byte order mark": b" \xef\xbb\xbf" + event(messageId="1"),
    "a carriage return": event(messageId="1") + b"\r",
    "blank": b" \t\r",
    "two in a line": event(messageId="1") + event(messageId="2"),
    "something after": event(messageId="1") + b" x",
    "an array": b"[" + event(messageId="1") + b"]",
    "latin-1": event(messageId="1").replace(b'"s"', b'"\xe9"'),
    "overlong UTF-8": event(messageId="1").replace(b'"s"', b'"\xc0\xaf"'),
    "a raw tab": event(messageId="1").replace(b'"s"', b'"\t"'),
    "a raw NUL": event(messageId="1").replace(b'"s"', b'"' + b"x" * 5000 + b'\0"'),
    "half a pair": event(messageId="1").replace(b'"s"', b'"\\ud83d"'),
    "a pair the wrong way round": event(messageId="1").replace(b'"s"', b'"\\ude00\\ud83d"'),
    "half a pair in a key": event(messageId="1").replace(b'"sku"', b'"\\udc00": 1, "sku"'),
    "half a pair, but escaped": event(messageId="1").replace(b'"s"', b'"\\\\ud83d"'),
    "an escaped key": event(messageId="1").replace(b'"userId"', b'"user\\u0049d"'),
    "an escaped type": event(messageId="1").replace(b'"track"', b'"tr\\u0061ck"'),
    "an escaped name": event(messageId="1").replace(b'"Viewed"', b'"\\u0056iewed"'),
    "a key in another case": event(messageId="1").replace(b'"userId"', b'"userid"'),
    "a key twice but for its case": event(messageId="1").replace(b'"userId"', b'"USERID": "v", "userId"'),
    "3 MB": event(messageId="1").replace(b'"s"', b'"s", "pad": "' + b"x" * 3_000_000 + b'"'),
    "many digits": event(messageId="1").replace(b'"s"', b"7" * 5000 + b', "nested": {"sku": "t"}'),
    "many digits, and no JSON": event(messageId="1").replace(b'"s"', b"7" * 5000)[:-1],
    "many digits, and half a pair": event(messageId="1").replace(b'"s"', b"7" * 5000 + b', "x": "\\ud83d"'),
    "no type": b'{"event": "Viewed"}',
    "null type": event(type=None),
    "a list as type": event(type=["track"]),
    "an empty type": event(type=""),
    "no string as name": event(event=5),
    "null name": event(event=None),
    "nothing": b"{}",
    "null": b"null",
    "a number": b"5",
    "a string": b'"type"',
    "an apostrophe": b"'",
    "no end": event(messageId="1")[:-1],
    "no colon": event(messageId="1").replace(b":", b"=", 1),
}


@pytest.mark.parametrize("place", ["first", "last"])
def test_awkward_lines_are_alike(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "BATCH_BYTES", 1)  # each file is a batch, as if it were exported alone
    for kind, line in LINES.items():
        log = [line, event()] if place == "first" else [event(), line]
        data = b"\n".join(log)  # the last line has no line feed
        for name in (b"good", b"1", b"u"):
            data = data.replace(b'"%s"' % name, b'"%s of %s"' % (name, kind.encode()))
        (tmp_path / f"{kind}.json").write_bytes(data)
    found = {row[:3] for row in alike(duckdb_rows, tmp_path, TYPED).rows["interactions"]}
    assert found >= {(f"u of {kind}", "s", "1709251200") for kind in LINES}


@pytest.mark.parametrize(
    "segment", ["userid", "Type", "a b", "it's", '"', "\\", "$", "[0]", "a*", "é😀", "/a", "root0", "path0", "rowid"]
)
def test_a_path_through_any_name_is_alike(segment: str, tmp_path: Path) -> None:
    fields = {"USER_ID": ["userId"], "ITEM_ID": [segment, f"properties.{segment}"], "TIMESTAMP": ["timestamp"]}
    rules = {"Viewed": {}, "Bought": {"each": "properties.products", "fields": {"ITEM_ID": {"from": [f".{segment}"]}}}}
    body = {"fields": {name: {"from": paths} for name, paths in fields.items()}, "track": rules}
    products = [{segment: "in an element"}, {segment.swapcase() + "x": "no"}, None]
    write_log(
        tmp_path / "log.json",
        [
            event(messageId="1", properties={segment: "below"}),
            json.dumps(GOOD | {"properties": {}} | {segment: "top" if segment != "type" else "track"}).encode(),
            event(messageId="3", event="Bought", properties={"products": products}),
        ],
    )
    found = alike(duckdb_rows, tmp_path, parse(json.dumps({"version": 1, "interactions": body})))
    assert [row[1] for row in found.rows["interactions"]] == ["below", "in an element", "top"]


def test_profiles_keep_the_latest_value_of_each_column(engine: Engine, tmp_path: Path) -> None:
    log = [json.dumps(one).encode() for sequence in SEQUENCES for one in sequence.log()]
    write_log(tmp_path / "1.json", log[::2])
    write_log(tmp_path / "2.gz", reversed(log))
    found = alike(engine, tmp_path, DEFAULT)
    assert (found.rows["users"], found.rows["items"]) == (expected("users"), expected("items"))


NAMES = ["a*.json", "a[b].json", "a?.json", "{a,b}.json", "it's 100%20.json", "k=1/x#.json"]


RECEIVED = [
    None, 7, "soon", "2024-03-01T10:00:00Z", "2024-02-20T10:00:00Z",
    # The last second that the folder of the first of March allows, the next one, and their texts elsewhere.
    "2024-03-02T23:59:59.9Z", "2024-03-03T00:59:59+01:00", "2024-03-03T00:00:00Z", "2024-03-03T01:00:00+01:00",
    "2024-03-02TsoonZ", "2024-03-03TsoonZ", "9999-12-31T23:59:59.999Z", "A",
]  # fmt: skip
HAPPENED = [
    None, "2024-03-01T09:59:58.123Z", "2024-03-02T23:59:59Z", "2024-03-03T00:00:00.5Z", "2024-03-03T00:30:00+01:00",
    "2024-03-04T00:00:00Z", "9999-12-31T23:59:59.999Z", "soonZ",
]  # fmt: skip


@pytest.mark.parametrize("mapping", [parse(default_text()), parse(json.dumps(TYPES))], ids=["timestamp", "two paths"])
def test_without_a_true_receivedat_the_day_of_the_folder_counts(mapping: EventMapping, tmp_path: Path) -> None:
    def all_of(number: int) -> list[bytes]:
        return [
            json.dumps(
                {"receivedAt": received, "timestamp": at, "messageId": f"{kind}-{first}-{second}-{number}"}
                | {"anonymousId": f"a-{first}-{second}", "previousId": f"p-{first}", "userId": f"u-{second}"}
                | {"type": kind, "event": "Product Viewed" if number else "Viewed"}
                | {"traits": {"plan": str(first), "age": second}}
                | {"properties": {"product_id": "p", "sku": "s", "when": at}}
            ).encode()
            for first, received in enumerate(RECEIVED)
            for second, at in enumerate(HAPPENED)
            for kind in ("track", "identify", "alias")
        ]  # fmt: skip

    for number, folder in enumerate(["1709251200000", "1709337600000", "elsewhere"]):
        write_log(tmp_path / "logs" / folder / "a.json.gz", all_of(number))
    alike(duckdb_rows, tmp_path, mapping)


def test_the_clock_of_a_login_without_a_rule_is_corrected(tmp_path: Path) -> None:
    fields = {"USER_ID": {"from": ["userId"]}, "ITEM_ID": {"from": ["properties.product_id"]}}
    fields["TIMESTAMP"] = {"from": ["properties.when", "timestamp"]}
    mapping = parse(json.dumps({"version": 1, "interactions": {"fields": fields, "track": {"Product Viewed": {}}}}))
    lines = [
        {"type": "track", "event": "Product Viewed", "timestamp": "2024-03-01T12:00:00Z"},
        {
            "type": "identify",
            "userId": "late",
            "timestamp": "2030-01-01T00:00:00Z",
            "receivedAt": "2024-03-01T12:30:00Z",
        },
        {"type": "identify", "userId": "fine", "timestamp": "2024-03-01T13:00:00Z"},
    ]
    common = {"anonymousId": "a", "properties": {"product_id": "p"}, "receivedAt": "2024-03-01T13:00:00Z"}
    write_log(
        tmp_path / "1709251200000" / "a.gz",
        [json.dumps(common | {"messageId": str(number)} | line).encode() for number, line in enumerate(lines)],
    )
    assert [row[0] for row in alike(duckdb_rows, tmp_path, mapping).rows["interactions"]] == ["late"]


def test_a_forged_receivedat_pins_nothing(engine: Engine, tmp_path: Path) -> None:
    forged = {"timestamp": "9999-12-31T00:00:00Z", "receivedAt": "9999-12-31T00:00:00Z"}
    true = {"timestamp": "2024-03-02T08:00:00Z", "receivedAt": "2024-03-02T08:00:01Z"}
    for folder, plan, times in (("1709251200000", "forged", forged), ("1709337600000", "true", true)):
        traits = {"type": "identify", "userId": "u", "traits": {"plan": plan}}
        view = {"type": "track", "event": "Product Viewed", "userId": "u", "properties": {"product_id": plan}}
        lines = [json.dumps(one | times | {"messageId": f"{plan}{n}"}).encode() for n, one in enumerate((traits, view))]
        write_log(tmp_path / "logs" / folder / "a.json.gz", lines)
    found = alike(engine, tmp_path, parse(default_text()))
    assert [row[-1] for row in found.rows["users"]] == ["true"]
    assert {row[1]: row[2] for row in found.rows["interactions"]} == {"forged": "1709337599", "true": "1709366400"}


def beside_others(folder: Path, name: str) -> None:
    """Write a log of that name, and two that it would match as a pattern."""
    for number, path in enumerate([name, "ab.json", "a.json"]):
        write_log(folder / path, [event(messageId=f"{name} {number}")])


@pytest.mark.parametrize("name", NAMES)
def test_a_file_s_name_means_nothing(name: str, tmp_path: Path) -> None:
    beside_others(tmp_path, name)
    assert len(alike(duckdb_rows, tmp_path, TYPED).rows["interactions"]) == 3


def test_a_file_s_name_means_nothing_on_spark(spark: SparkSession, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        beside_others(tmp_path / str(number), name)
    found = alike(lambda *what: spark_rows(spark, *what), tmp_path, TYPED)
    assert len(found.rows["interactions"]) == 3 * len(NAMES)


def test_files_that_are_no_logs_are_told(engine: Engine, tmp_path: Path) -> None:
    for name in ("log.json", ".hidden.json", "_begun.json", "_folder/log.json", "note.txt", "dummy-object.txt"):
        write_log(tmp_path / name, [event(messageId=name)])
    (tmp_path / "empty.json").touch()
    (tmp_path / "binary.gz").write_bytes(b"PAR1\0\0")
    alike(engine, tmp_path, TYPED)


WHOLE = gzip.compress(b"".join(event(messageId=str(number)) + b"\n" for number in range(999)), 6, mtime=0)
GZIPS = {
    "whole": WHOLE,
    "two members": WHOLE + gzip.compress(event(messageId="another"), mtime=0),
    "a comment in the header": WHOLE[:3] + b"\x10" + WHOLE[4:10] + b"hello\0" + WHOLE[10:],
    "nothing inside": gzip.compress(b"", mtime=0),
    "cut off": WHOLE[: len(WHOLE) // 2],
    "without the last byte": WHOLE[:-1],
    "header only": WHOLE[:10],
    "two bytes": WHOLE[:2],
    "a bit error": WHOLE[:40] + bytes([WHOLE[40] ^ 16]) + WHOLE[41:],
    "a checksum of something else": WHOLE[:-8] + bytes(4) + WHOLE[-4:],
    "a byte order mark inside": gzip.compress(b"\xef\xbb\xbf" + gzip.decompress(WHOLE), mtime=0),
    "a byte order mark": b"\xef\xbb\xbf" + gzip.decompress(WHOLE),
    "garbage after the end": WHOLE + b"garbage",
    "zeros after the end": WHOLE + bytes(512),
    "plain text": gzip.decompress(WHOLE),
}


@pytest.mark.parametrize("kind", GZIPS)
def test_a_gzip_file_is_alike(kind: str, tmp_path: Path) -> None:
    write_log(tmp_path / "1.json", [event()])
    (tmp_path / "2.gz").write_bytes(GZIPS[kind])
    alike(duckdb_rows, tmp_path, TYPED)


def test_damaged_files_are_alike_on_spark(spark: SparkSession, tmp_path: Path) -> None:
    for kind, data in GZIPS.items():
        (tmp_path / f"{kind}.gz").write_bytes(data)
    alike(lambda *what: spark_rows(spark, *what), tmp_path, TYPED)


def test_more_kinds_of_reasons_than_are_listed_are_alike(engine: Engine, tmp_path: Path) -> None:
    for number, (first, last) in enumerate([(0, 1100), (1000, 2200), (500, 700)]):
        names = [f"name {one:05}" for one in range(first, last)]
        write_log(tmp_path / f"{number}.gz", [event(), *(event(event=one, messageId=one) for one in names)])
    alike(engine, tmp_path, TYPED)


def test_of_a_long_array_the_first_500_elements_are_alike(engine: Engine, tmp_path: Path) -> None:
    def bought(number: int) -> bytes:
        products = [{"product_id": f"p{one}"} for one in range(number)]
        named = {"event": "Order Completed", "messageId": f"of {number}"}
        return event(**named, userId="u", timestamp="2024-03-01T00:00:00Z", properties={"products": products})

    write_log(tmp_path / "orders.json", [bought(number) for number in (499, 500, 501, 6000)])
    found = alike(engine, tmp_path, parse(default_text()))
    assert found.report
    assert len(found.rows["interactions"]) == 499 + 3 * 500
    assert [(one["reason"], one["count"], one["example"]) for one in found.report["reasons"]] == [
        (TOO_LONG, 1 + 5500, "of 501")
    ]


def test_items_of_another_source_are_left_out_in_history_and_live(engine: Engine, tmp_path: Path) -> None:
    document = json.loads(default_text())
    for rule in document["items"]["track"].values():
        rule["when"] = {"projectId": {"is": ["server"]}}
    trusted = parse(json.dumps(document))
    named = {"type": "track", "event": "Product Viewed", "userId": "u", "timestamp": "2024-03-01T00:00:00Z"}
    events = [
        named | {"messageId": f"m-{source}", "properties": {"product_id": f"p-{source}", "price": 1}} | project
        for source, project in (("server", {"projectId": "server"}), ("web", {"projectId": "web"}), ("none", {}))
    ]
    write_log(tmp_path / "1.json", [json.dumps(one).encode() for one in events])
    found = alike(engine, tmp_path, trusted)
    assert [row[0] for row in found.rows["items"]] == ["p-server"]
    assert len(found.rows["interactions"]) == 3
    live = [read(replace(load({}), mapping=trusted), one) for one in events]
    assert [[profile.id for profile in one.profiles] for one in live] == [["p-server"], [], []]
    assert [len(one.interactions) for one in live] == [1, 1, 1]


@pytest.mark.parametrize("mapping", MAPPINGS, ids=["every type", "mutated"])
def test_generated_events_are_alike(mapping: EventMapping, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=14)  # of three logs, since a small export takes its time to begin
    @given(st.lists(logs, min_size=3, max_size=3))
    def check(several: list[list[bytes]]) -> None:
        folder = tmp_path_factory.mktemp("generated")
        for number, log in enumerate(several):
            write_log(folder / f"{number}.json", log)
        alike(duckdb_rows, folder, mapping)

    check()


def test_generated_events_of_every_type_are_alike_on_spark(spark: SparkSession, tmp_path: Path) -> None:
    collected: list[list[bytes]] = []
    # Spark takes seconds for what DuckDB does at once: one job for all examples, without shrinking.
    settings(max_examples=15, phases=[Phase.generate])(given(logs)(lambda log: collected.append(log)))()
    for number, log in enumerate(collected):
        write_log(tmp_path / f"{number % 3}" / f"{number}.gz", log)
    alike(lambda *what: spark_rows(spark, *what), tmp_path, TYPED)


#: Mappings that have the whole grammar between them.
GRAMMAR = [parse(valid_mappings()[name]) for name in ("values", "rules")]


@pytest.mark.parametrize("mapping", GRAMMAR, ids=["values", "rules"])
def test_generated_events_of_the_whole_grammar_are_alike(
    mapping: EventMapping, tmp_path_factory: pytest.TempPathFactory
) -> None:
    @settings(max_examples=10)
    @given(st.lists(logs_of(mapping), min_size=3, max_size=3))
    def check(several: list[list[bytes]]) -> None:
        folder = tmp_path_factory.mktemp("generated")
        for number, log in enumerate(several):
            write_log(folder / f"{number}.json", log)
        alike(duckdb_rows, folder, mapping)

    check()


@settings(max_examples=20)
@given(st.data())
def test_generated_mappings_are_alike(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    mapping = data.draw(mappings())
    folder = tmp_path_factory.mktemp("generated")
    write_log(folder / "1.json", data.draw(logs_of(mapping)))
    alike(duckdb_rows, folder, mapping)


def test_generated_events_of_the_whole_grammar_are_alike_on_spark(spark: SparkSession, tmp_path: Path) -> None:
    collected: list[list[bytes]] = []
    settings(max_examples=10, phases=[Phase.generate])(given(logs_of(GRAMMAR[0]))(lambda log: collected.append(log)))()
    for number, log in enumerate(collected):
        write_log(tmp_path / f"{number % 3}" / f"{number}.gz", log)
    alike(lambda *what: spark_rows(spark, *what), tmp_path, GRAMMAR[0])


@pytest.mark.parametrize("value", ["stitch", "as_users"])
def test_visits_are_of_the_user_who_logs_in(engine: Engine, value: str, tmp_path: Path) -> None:
    log = [json.dumps(one).encode() for sequence in VISITS for one in sequence.log()]
    write_log(tmp_path / "1.json", log[::2])
    write_log(tmp_path / "2.gz", reversed(log[1::2]))
    found = alike(engine, tmp_path, visitors(value))
    assert sorted(row[:2] for row in found.rows["interactions"]) == expected_visits(value)


def test_logins_of_the_overlap_count_and_later_ones_do_not(engine: Engine, tmp_path: Path) -> None:
    day = 86_400
    days = [
        # A visit of the overlap is a row of its user: its copy isn't written again.
        [view(0, "a", None, None, messageId=0), view(1, "a", "u", None, messageId=1)],
        [view(0, "a", None, None, messageId=0), view(day, "a", None, "u", messageId=2), view(day, "b", None, None)],
        [view(2 * day, "b", "v", None)],
    ]
    for number, happened in enumerate(days):
        log = [json.dumps(one).encode() for one in Visits("days", happened).log()]
        write_log(tmp_path / "source" / str(1709251200000 + number * 86_400_000) / "1.gz", log)
    found = alike(engine, tmp_path, DEFAULT, Window(date(2024, 3, 2), date(2024, 3, 3), overlap=1))
    assert [row[:2] for row in found.rows["interactions"]] == [("days u", "p2")]


@settings(max_examples=20)
@given(st.lists(happenings, max_size=40), st.sampled_from(VISITORS))
def test_drawn_visits_are_alike(tmp_path_factory: pytest.TempPathFactory, happened: list[Happened], value: str) -> None:
    folder = tmp_path_factory.mktemp("drawn")
    log = [json.dumps(one).encode() for one in Visits("drawn", happened).log()]
    write_log(folder / "1.json", [event(), *log])
    alike(duckdb_rows, folder, visitors(value))
