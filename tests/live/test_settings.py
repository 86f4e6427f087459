"""Every setting has its default, accepts the table's values, and refuses others with its name."""

import base64
import gzip
import traceback
from dataclasses import fields
from typing import Any

import pytest

from personalize_segment.contract.mapping import Path, default_text, parse
from personalize_segment.errors import SettingsError
from personalize_segment.live.settings import Reference, Settings, load, table

ARN = "arn:aws:personalize:eu-west-1:123456789012"
GOV = "arn:aws-us-gov:personalize:us-gov-west-1:1:campaign/a"
SSM = Reference("ssm", "/shop/x", None)
SMALLEST = (
    '{"version":1,"interactions":{"fields":{"USER_ID":{"from":["userId"]},"ITEM_ID":{"from":["properties.sku"]},'
    '"TIMESTAMP":{"from":["timestamp"]}},"track":{"Viewed":{}}}}'
)

#: setting -> its field, its default, and texts with their values.
GOOD: dict[str, tuple[str, Any, list[tuple[str, Any]]]] = {
    "personalize_tracking_id": ("tracking_id", None, [("t-1", "t-1"), (" t-1 ", "t-1"), ("ssm:/shop/x", SSM)]),
    "personalize_campaign_arn": (
        "campaign",
        None,
        [
            (f"{ARN}:campaign/shop", f"{ARN}:campaign/shop"),
            (f"{ARN}:recommender/shop", f"{ARN}:recommender/shop"),
            (GOV, GOV),
            ("ssm:/shop/x", SSM),
        ],
    ),
    "connections_source_api_key": (
        "write_key",
        None,
        [("key", "key"), ("secretsmanager:a/b#c", Reference("secretsmanager", "a/b", "c"))],
    ),
    "event_mapping": (
        "mapping",
        parse(default_text()),
        [
            (SMALLEST, parse(SMALLEST)),
            (f"gzip:{base64.b64encode(gzip.compress(SMALLEST.encode(), mtime=0)).decode()}", parse(SMALLEST)),
        ],
    ),
    "personalize_region": ("region", None, [("eu-west-1", "eu-west-1"), ("us-gov-west-1", "us-gov-west-1")]),
    "personalize_users_dataset_arn": (
        "users", None, [(f"{ARN}:dataset/shop/USERS", f"{ARN}:dataset/shop/USERS"), ("ssm:/shop/x", SSM)],
    ),
    "personalize_items_dataset_arn": (
        "items", None, [(f"{ARN}:dataset/shop/ITEMS", f"{ARN}:dataset/shop/ITEMS"), ("ssm:/shop/x", SSM)],
    ),
    "profile_queue_url": ("profile_queue", None, [("https://sqs.eu-west-1.amazonaws.com/1/q", "https://sqs.eu-west-1.amazonaws.com/1/q")]),
    "profile_table": ("profile_table", None, [("shop-profiles", "shop-profiles")]),
    "suppression_list": ("suppression_list", None, [("s3://shop/privacy/a.csv", "s3://shop/privacy/a.csv")]),
    "rejected_queue_url": ("rejected_queue", None, [("http://127.0.0.1:9/q/", "http://127.0.0.1:9/q")]),
    "keep_unmapped": ("keep_unmapped", False, [("true", True), ("false", False)]),
    "recommendation_count": ("results", 25, [("1", 1), ("500", 500), ("010", 10)]),
    "recommend_to_visitors": ("visitors", False, [("true", True), ("false", False)]),
    "recommendation_filter_arn": ("filter", None, [(f"{ARN}:filter/f", f"{ARN}:filter/f"), ("ssm:/shop/x", SSM)]),
    "recommendation_filter_values": ("filter_values", (), [("{}", ())]),
    "recommendation_context": (
        "context", (), [('{"DEVICE": "context.device.type"}', (("DEVICE", Path(("context", "device", "type"))),))],
    ),
    "write_back_events": (
        "triggers", None,
        [("*", ("*",)), ('["*"]', ("*",)), ("[]", ()), ('["Order Completed", "Née"]', ("Order Completed", "Née"))],
    ),
    "recommendations_per_minute": ("per_minute", 60, [("1", 1), ("1000000", 1_000_000)]),
    "write_back_interval_seconds": ("interval", 60, [("0", 0), ("604800", 604_800)]),
    "write_back_trait": ("trait", "recommendations", [("for_you", "for_you")]),
    "write_back_shape": ("shape", "ids", [("ids", "ids"), ("object", "object")]),
    "segment_host": (
        "host", "https://api.segment.io", [("https://events.eu1.segmentapis.com/", "https://events.eu1.segmentapis.com")],
    ),
    "time_budget_milliseconds": ("budget", 4500, [("100", 100), ("900000", 900_000)]),
    "profile_calls_per_second": ("profile_rate", 10, [("1", 1), ("1000", 1000)]),
    "reference_refresh_seconds": ("refresh", 300, [("1", 1), ("86400", 86_400)]),
}  # fmt: skip

#: setting -> invalid texts.
BAD: dict[str, list[str]] = {
    "personalize_tracking_id": ["two words", "ssm:", "ssm:/a b", "ssm:/a#", "secretsmanager:#key"],
    "personalize_campaign_arn": [
        "shop", f"{ARN}:filter/f", f"{ARN}:solution/s", "arn:aws:s3:::campaign", f"{ARN}:campaign/", f"{ARN}:campaign",
    ],
    "connections_source_api_key": ["two words", "secretsmanager:", "secretsmanager:a b", "ssm:/x#", "a\tb"],
    "event_mapping": ["{", "[]", '{"version": 2}', "[" * 4000],
    "personalize_region": ["Ireland", "eu-west", "eu_west_1", "eu-west-1a"],
    "personalize_users_dataset_arn": ["USERS", f"{ARN}:dataset-group/shop", f"{ARN}:schema/USERS"],
    "personalize_items_dataset_arn": ["ITEMS", f"{ARN}:dataset-group/shop", f"{ARN}:schema/ITEMS"],
    "profile_queue_url": ["q", "arn:aws:sqs:eu-west-1:1:q", "https://", "ftp://h/q", "https://[::1/q"],
    "profile_table": ["t", "two words", "arn:aws:dynamodb:eu-west-1:1:table/t"],
    "suppression_list": ["suppressed.csv", "s3://shop", "s3://shop/", "s3://shop/a b", "s3://S/a"],
    "rejected_queue_url": ["q", "arn:aws:sqs:eu-west-1:1:q", "//h/q", "https://[::1/q"],
    "keep_unmapped": ["True", "1", "yes"],
    "recommendation_count": ["0", "501", "-1", "1.0", "ten", "٣", "9" * 5000],
    "recommend_to_visitors": ["yes"],
    "recommendation_filter_arn": ["f", f"{ARN}:campaign/shop"],
    "recommendation_filter_values": ["x", "[]", '{"A": 1}', '{"A": ""}', '{"A b": "a"}', '{"A": ".sku"}', "[" * 4000],
    "recommendation_context": ["x", "[]", '{"A": 1}', '{"A": "a..b"}', '{"": "userId"}', "[" * 4000],
    "write_back_events": ["Order Completed", "{}", "[1]", '[""]', "null", "[" * 4000],
    "recommendations_per_minute": ["0", "1000001", "1.5"],
    "write_back_interval_seconds": ["-1", "604801", "1m"],
    "write_back_trait": [],
    "write_back_shape": ["list", "IDS"],
    "segment_host": ["api.segment.io", "https://", "https://[::1", "https://\u2100.example"],
    "time_budget_milliseconds": ["99", "900001", "4.5"],
    "profile_calls_per_second": ["0", "1001", "ten"],
    "reference_refresh_seconds": ["0", "86401", "5m"],
}  # fmt: skip


def test_every_setting_is_tried_here_and_the_other_way_round() -> None:
    names = [line.name for line in table()]
    assert list(GOOD) == names
    assert list(BAD) == names
    assert [GOOD[name][0] for name in names] == [one.name for one in fields(Settings)]
    assert all(line.meaning.endswith(".") and line.unit for line in table())


def test_without_any_setting_all_have_their_defaults() -> None:
    settings = load({})
    assert {name: getattr(settings, name) for name, _, _ in GOOD.values()} == {
        name: default for name, default, _ in GOOD.values()
    }


@pytest.mark.parametrize("setting", list(GOOD))
def test_an_empty_setting_is_its_default(setting: str) -> None:
    name, default, _ = GOOD[setting]
    for text in ("", " \n"):
        assert getattr(load({setting: text}), name) == default


@pytest.mark.parametrize(
    ("setting", "text", "expected"),
    [pytest.param(name, *one, id=f"{name}={one[0][:40]}") for name, (_, _, several) in GOOD.items() for one in several],
)
def test_a_good_value_is_taken(setting: str, text: str, expected: Any) -> None:
    assert getattr(load({setting: text}), GOOD[setting][0]) == expected


@pytest.mark.parametrize(
    ("setting", "text"),
    [pytest.param(name, text, id=f"{name}={text[:40]}") for name, several in BAD.items() for text in several],
)
def test_a_bad_value_is_refused_with_the_settings_name(setting: str, text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load({"recommendation_filter_arn": f"{ARN}:filter/f", setting: text})
    assert caught.value.place == setting
    assert caught.value.problem
    assert caught.value.remedy


def test_the_three_documented_names_are_enough() -> None:
    settings = load(
        {
            "personalize_tracking_id": "tracker",
            "personalize_campaign_arn": f"{ARN}:campaign/shop",
            "connections_source_api_key": "key",
        }
    )
    assert (settings.tracking_id, settings.campaign, settings.write_key) == ("tracker", f"{ARN}:campaign/shop", "key")


def test_values_for_a_filter_need_the_filter() -> None:
    values = {"recommendation_filter_values": '{"CATEGORY": "properties.category"}'}
    with pytest.raises(SettingsError) as caught:
        load(values)
    assert caught.value.place == "recommendation_filter_arn"
    settings = load(values | {"recommendation_filter_arn": f"{ARN}:filter/f"})
    assert settings.filter_values == (("CATEGORY", Path(("properties", "category"))),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("ssm:/a/b", Reference("ssm", "/a/b", None), id="a parameter"),
        pytest.param("ssm:/a/b:3", Reference("ssm", "/a/b:3", None), id="a version of it"),
        pytest.param("ssm:/a#k", Reference("ssm", "/a", "k"), id="a key in it"),
        pytest.param("secretsmanager:a/b", Reference("secretsmanager", "a/b", None), id="a secret"),
        pytest.param(
            "secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf#k#l",
            Reference("secretsmanager", "arn:aws:secretsmanager:eu-west-1:1:secret:a-AbCdEf", "k#l"),
            id="its ARN and a key with #",
        ),
    ],
)
def test_a_reference_says_where_the_value_stands(text: str, expected: Reference) -> None:
    assert load({"connections_source_api_key": text}).write_key == expected


SECRET = "s3cr3t-WriteKey"


@pytest.mark.parametrize(
    "text", [f"{SECRET} ", f" {SECRET} {SECRET}", f"ssm:{SECRET} x", f"secretsmanager:x#{SECRET} x"]
)
def test_no_error_shows_the_write_key(text: str) -> None:
    try:
        shown = repr(load({"connections_source_api_key": text}))
    except SettingsError as error:
        shown = repr(error) + "".join(traceback.format_exception(error))
        assert "connections_source_api_key" in shown
    assert SECRET not in shown


def test_neither_settings_nor_an_error_about_another_one_show_the_write_key() -> None:
    settings = load({"connections_source_api_key": SECRET})
    assert settings.write_key == SECRET
    assert SECRET not in f"{settings} {settings!r} {[settings]}"
    with pytest.raises(SettingsError) as caught:
        load({"connections_source_api_key": SECRET, "recommendation_count": SECRET, "segment_host": SECRET})
    assert SECRET not in "".join(traceback.format_exception(caught.value))
