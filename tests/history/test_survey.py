"""A survey of logs: counts per path agree with `rows`, near misses are named, files are sampled."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import boto3
import pytest

from golden_cases import golden_cases
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import parse_line
from personalize_segment.errors import LogsError
from personalize_segment.history.survey import EVENTS_PER_FILE, Survey, sample

DEFAULT = parse(default_text())
VIEW: dict[str, Any] = {
    "type": "track", "event": "Product Viewed", "messageId": "m", "userId": "u", "timestamp": "2026-11-01T10:00:00Z",
    "properties": {"product_id": "p", "price": "5"},
}  # fmt: skip


def surveyed(*events: dict[str, Any] | None, mapping: str | None = None) -> dict[str, Any]:
    survey = Survey(DEFAULT if mapping is None else parse(mapping))
    for event in events:
        survey.add(event)
    return survey.as_dict()


def paths(counts: dict[str, Any], place: str) -> dict[tuple[str, str], tuple[int, int]]:
    (rule,) = (one for one in counts["rules"] if one["place"] == place)
    return {(one["column"], one["path"]): (one["found"], one["usable"]) for one in rule["paths"]}


RULES = """{"version": 1, "interactions": {
    "fields": {"USER_ID": {"from": ["userId"]}, "TIMESTAMP": {"from": ["timestamp"]},
               "ITEM_ID": {"from": ["properties.product_id", "properties.sku"]}},
    "track": {"Order": [
        {"when": {"properties.products": {"present": true}}, "each": "properties.products", "event_type": "Buy",
         "fields": {"ITEM_ID": {"from": [".sku"]}, "EVENT_VALUE": {"from": [".price"], "optional": true}}},
        {"event_type": "Buy"}]}}}"""


def order(**properties: Any) -> dict[str, Any]:
    return VIEW | {"event": "Order", "properties": properties}


def test_each_path_of_each_rule_is_counted_for_events_and_elements() -> None:
    products = [{"sku": "a", "price": "1,5"}, {"sku": "undefined", "price": 2}, 3]
    counts = surveyed(order(products=products), order(products=[]), order(sku=4, product_id=[]), None, mapping=RULES)
    assert [(one["place"], one["tried"], one["matched"], one["rows"]) for one in counts["rules"]] == [
        ("$.interactions.track.Order[0]", 3, 2, 1),
        ("$.interactions.track.Order[1]", 3, 1, 1),
    ]
    assert (counts["events"], counts["malformed"]) == (3, 1)
    assert paths(counts, "$.interactions.track.Order[0]") == {
        ("when", "properties.products"): (2, 2),
        ("each", "properties.products"): (2, 1),
        ("USER_ID", "userId"): (3, 3),
        ("ITEM_ID", ".sku"): (1, 1),
        ("TIMESTAMP", "timestamp"): (3, 3),
        ("EVENT_VALUE", ".price"): (2, 1),
    }
    assert paths(counts, "$.interactions.track.Order[1]") == {
        ("USER_ID", "userId"): (1, 1),
        ("ITEM_ID", "properties.product_id"): (1, 0),
        ("ITEM_ID", "properties.sku"): (1, 1),
        ("TIMESTAMP", "timestamp"): (1, 1),
    }


def test_counts_agree_with_the_rows_of_every_golden_case() -> None:
    mappings = {text: parse(text) for text in {case.mapping_text for case in golden_cases()}}
    for case in golden_cases():
        survey = Survey(mappings[case.mapping_text])
        survey.add(parse_line(case.line))
        assert survey.malformed == case.malformed, case.name
        assert Counter(row.dataset for row in case.rows) == sum(
            (Counter({rule.dataset: rule.rows}) for rule in survey.rules), Counter()
        ), case.name
        # A row's value was usable at one path. A column that is null despite a value was usable at none.
        usable: Counter[tuple[str, str]] = Counter()
        found: Counter[tuple[str, str]] = Counter()
        for rule in survey.rules:
            for path in rule.paths.values():
                usable[rule.dataset, path.column] += path.usable
                found[rule.dataset, path.column] += path.found
        for row in case.rows:
            names = [name for name, value in row.values.items() if value is not None and name != "EVENT_TYPE"]
            constants = {name for name in names if (row.dataset, name) not in usable}
            assert all(usable[row.dataset, name] for name in set(names) - constants), case.name
        for null in case.nulls:
            assert found[null.dataset or "", null.field or ""], case.name


@pytest.mark.parametrize(
    ("event", "hint"),
    [
        ("Product Viewed ", 'differs from "Product Viewed" in a trailing space'),
        ("product viewed", 'differs from "Product Viewed" in case'),
        ("ProductViewed", 'differs from "Product Viewed" in spaces'),
        ("product_viewed", 'differs from "Product Viewed" in case, spaces or punctuation'),
        ("Prodct Viewed", 'differs from "Product Viewed" in a letter'),
        ("Saleor Order Completed", None),
    ],
)
def test_an_unmapped_event_is_listed_with_the_name_that_it_nearly_has(event: str, hint: str | None) -> None:
    (unmapped,) = surveyed(VIEW | {"event": event}, VIEW | {"event": event})["unmapped"]
    assert unmapped == {"call": "track", "name": event, "count": 2, "hint": hint}


def test_unmapped_events_come_by_how_often_they_occur_whatever_they_are() -> None:
    events = [VIEW | {"event": name} for name in ("B", "A", "A")] + [{"type": "alias"}, {"type": "page"}] * 3
    assert [(one["call"], one["name"]) for one in surveyed(*events)["unmapped"]] == [
        ("alias", None), ("page", None), ("track", "A"), ("track", "B"),
    ]  # fmt: skip


def without(event: dict[str, Any], key: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name != key} | more


@pytest.mark.parametrize(
    ("event", "hint"),
    [
        (
            without(VIEW, "messageId", messageid="m"),
            ("messageId", "messageId", "found messageid, which differs in case"),
        ),
        (without(VIEW, "userId", userid="u"), ("USER_ID", "userId", "found userid, which differs in case")),
        (
            VIEW | {"properties": {"productId": 1}},
            (
                "ITEM_ID",
                "properties.product_id",
                "found properties.productId, which differs in case, spaces or punctuation",
            ),
        ),
        (VIEW | {"properties": {"product_id": 1, "SKU": 1}}, None),
        (VIEW | {"properties": {"PRODUCT": 1}}, None),
        (VIEW | {"properties": [{"sku": 1}]}, ("ITEM_ID", "properties.sku", "properties is an array")),
    ],
)
def test_a_key_that_is_there_in_another_spelling_is_named(
    event: dict[str, Any], hint: tuple[str, str, str] | None
) -> None:
    found = [one for one in surveyed(event)["hints"] if one["place"] == '$.interactions.track["Product Viewed"]']
    shown = [(one["column"], one["path"], one["hint"]) for one in found]
    assert (hint in shown) if hint else not shown
    assert all(one["count"] == 1 for one in found)


def test_a_path_through_an_array_that_is_written_without_brackets_is_named() -> None:
    mapping = RULES.replace(".price", "properties.products.price")
    hints = surveyed(order(products=[{"sku": 1}]), mapping=mapping)["hints"]
    assert [(one["path"], one["hint"]) for one in hints] == [
        ("properties.products.price", "properties.products is an array")
    ]


def write(folder: Path, name: str, events: range, *, zipped: bool = False) -> None:
    lines = b"".join(json.dumps(VIEW | {"messageId": number}).encode() + b"\n" for number in events)
    (folder / name).write_bytes(gzip.compress(lines) if zipped else lines)


def test_a_sample_is_spread_over_the_files_and_small_ones_leave_room(tmp_path: Path) -> None:
    write(tmp_path, "a.json", range(0, 3))
    write(tmp_path, "b.gz", range(100, 1100), zipped=True)
    write(tmp_path, "c.json", range(2000, 3000))
    seen: list[tuple[int, int]] = []
    ids = [
        event["messageId"] if event else None
        for event in sample(str(tmp_path), 300, progress=lambda done, total: seen.append((done, total)))
    ]
    assert ids == [0, 1, 2, *range(100, 249), *range(2000, 2148)]
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_of_many_files_a_sample_opens_few_evenly_apart(tmp_path: Path) -> None:
    for number in range(10):
        write(tmp_path, f"{number}.json", range(number, number + 1))
    ids = [event["messageId"] for event in sample(str(tmp_path), 4 * EVENTS_PER_FILE) if event]
    assert ids == [0, 2, 5, 7]
    assert [event["messageId"] for event in sample(str(tmp_path), 1) if event] == [0]


def test_a_sample_has_malformed_lines_and_skips_what_is_binary(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"type": "track"}\nhello\n\n')
    (tmp_path / "b.json").write_bytes(b"\0\1")
    (tmp_path / "c.gz").write_bytes(gzip.compress(b'{"type": "page"}\n' * 2000)[:-9])
    events = list(sample(str(tmp_path), 10**6))
    assert events[:2] == [{"type": "track"}, None]
    assert {"type": "page"} in events[2:]


def test_a_sample_of_a_bucket_is_that_of_a_folder(tmp_path: Path, s3_env: str) -> None:
    write(tmp_path, "a.gz", range(500), zipped=True)
    write(tmp_path, "b.json", range(500, 900))
    for file in tmp_path.iterdir():
        boto3.client("s3").upload_file(str(file), s3_env, f"logs/{file.name}")
    assert list(sample(f"s3://{s3_env}/logs/", 250)) == list(sample(str(tmp_path), 250))


def test_logs_that_cannot_be_read_are_an_error_with_a_remedy(tmp_path: Path, s3_env: str) -> None:
    for tree in (str(tmp_path / "none"), str(tmp_path), f"s3://{s3_env}/none", "s3://no-such-bucket-anywhere/a"):
        with pytest.raises(LogsError):
            list(sample(tree))
