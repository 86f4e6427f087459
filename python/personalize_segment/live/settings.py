"""The settings of the Lambda functions, in one table: names, defaults, units and meanings.

They come from environment variables. Names in lower case are those of Segment's documentation, or follow its style.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..contract.mapping import EventMapping, Path, decode, path
from ..errors import MappingError, SettingsError


@dataclass(frozen=True, slots=True)
class Reference:
    """The place of a value outside the environment: an SSM parameter or a secret, and optionally a JSON key in it."""

    service: str
    name: str
    key: str | None


#: A value, a reference to it, or None if it isn't set.
SettingValue = str | Reference | None

_REFERENCE = re.compile(r"(ssm|secretsmanager):([^#\s]+)(?:#(\S+))?")
_ARN = re.compile(r"arn:[a-z\d-]+:personalize:([a-z\d-]*):\d*:(\S+)")
_NAME = re.compile(r"[A-Za-z0-9_]+")


def _text(text: str) -> SettingValue:
    found = _REFERENCE.fullmatch(text)
    if found:
        return Reference(found[1], found[2], found[3])
    if text.startswith(("ssm:", "secretsmanager:")) or re.search(r"\s", text):
        raise ValueError("is neither a value nor a reference", "Write a plain value, ssm:/name or secretsmanager:name")
    return text


def arn(text: str, *kinds: str) -> str:
    """Return `text` if it is the ARN of one of these `kinds` of Personalize resources. Raises ValueError otherwise."""
    found = _ARN.fullmatch(text)
    kind, _, name = found[2].partition("/") if found else ("", "", "")
    if kind not in kinds or not name:
        raise ValueError(f"isn't the ARN of a {' or a '.join(kinds)}", "Copy it from `personalize-segment status`")
    return text


def _arn(*kinds: str) -> Callable[[str], SettingValue]:
    def read(text: str) -> SettingValue:
        value = _text(text)
        return arn(value, *kinds) if isinstance(value, str) else value

    return read


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"isn't a whole number from {low} to {high}", "Write digits only")
        return int(text)

    return read


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is neither true nor false", "Write true or false")
    return text == "true"


def _one_of(*texts: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in texts:
            raise ValueError("is unknown", f"Write one of {', '.join(texts)}")
        return text

    return read


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = (
            parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and not re.search(r"[\s?#]", text)
        )
    except ValueError:
        good = False
    if not good:
        raise ValueError("isn't a URL", "Write it with https:// in front")
    return text.rstrip("/")


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", text):
        raise ValueError("isn't an AWS region", "Write a region such as eu-west-1")
    return text


def _table(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", text):
        raise ValueError("isn't a valid table name", "Write the name of a DynamoDB table in the function's region")
    return text


def _object(text: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+", text):
        raise ValueError("isn't an S3 object", "Write it as s3://bucket/key")
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


#: The value of `triggers` that makes every event a trigger.
EVERY = ("*",)


def _events(text: str) -> tuple[str, ...]:
    """Return names of events, or EVERY."""
    if text == "*":
        return EVERY
    names = _json(text)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("isn't a list of names", 'Write a JSON array such as ["Order Completed"], or *')
    return tuple(names)


def _paths(text: str) -> tuple[tuple[str, Path], ...]:
    document = _json(text)
    if not isinstance(document, dict) or not all(_NAME.fullmatch(name) for name in document):
        raise ValueError("isn't an object of names and paths", 'Write JSON such as {"CATEGORY": "properties.category"}')
    try:
        return tuple((name, path(value, name)) for name, value in document.items())
    except MappingError as error:
        raise ValueError(f"at {error.place}: {error.problem}", error.remedy) from None


def _mapping(text: str) -> EventMapping:
    try:
        return decode(text)
    except MappingError as error:
        raise ValueError(f"at {error.place}: {error.problem}", error.remedy) from None


class Line(NamedTuple):
    """A setting's line in the table."""

    name: str
    default: str
    unit: str
    meaning: str


def _setting(name: str, read: Callable[[str], Any], default: str, unit: str, meaning: str) -> Any:
    return field(metadata={"line": Line(name, default, unit, meaning), "read": read})


def _optional(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: read(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """The configuration of the functions. Each field's metadata is its line in the table.

    It has no repr, because one field may hold a write key.
    """

    tracking_id: SettingValue = _setting(
        "personalize_tracking_id", _optional(_text), "", "id or reference",
        "Event tracker for interactions. Empty: no interactions are recorded.",
    )  # fmt: skip
    campaign: SettingValue = _setting(
        "personalize_campaign_arn", _optional(_arn("campaign", "recommender")), "", "ARN or reference",
        "Campaign or recommender. Empty: no recommendations.",
    )  # fmt: skip
    write_key: SettingValue = _setting(
        "connections_source_api_key", _optional(_text), "", "write key or reference",
        "Write key of the Segment source for recommendations. Empty: none are written back.",
    )  # fmt: skip
    mapping: EventMapping = _setting(
        "event_mapping", _mapping, "", "JSON",
        "Event mapping as JSON, gzip:BASE64 or s3://bucket/key#sha256. Empty: the default mapping.",
    )  # fmt: skip
    region: str | None = _setting(
        "personalize_region", _optional(_region), "", "region",
        "Region of Personalize. Empty: the function's own region.",
    )  # fmt: skip
    users: SettingValue = _setting(
        "personalize_users_dataset_arn", _optional(_arn("dataset")), "", "ARN or reference",
        "Users dataset. Empty: no users are recorded.",
    )  # fmt: skip
    items: SettingValue = _setting(
        "personalize_items_dataset_arn", _optional(_arn("dataset")), "", "ARN or reference",
        "Items dataset. Empty: no items are recorded.",
    )  # fmt: skip
    profile_queue: str | None = _setting(
        "profile_queue_url", _optional(_url), "", "URL",
        "SQS queue for users and items, read by profile_batch. Empty: each event calls PutUsers and PutItems.",
    )  # fmt: skip
    profile_table: str | None = _setting(
        "profile_table", _optional(_table), "", "name",
        "DynamoDB table where profile_batch merges users and items, and where all instances of segment_event share a "
        "limit. Empty: an event replaces earlier values, and recommendations_per_minute applies to each instance.",
    )  # fmt: skip
    suppression_list: str | None = _setting(
        "suppression_list", _optional(_object), "", "s3:// object",
        "Suppression list. No rows of its users are recorded, and nothing is written back. Empty: no list.",
    )  # fmt: skip
    rejected_queue: str | None = _setting(
        "rejected_queue_url", _optional(_url), "", "URL",
        "SQS queue for refused events, with the reasons. Empty: they are only counted.",
    )  # fmt: skip
    keep_unmapped: bool = _setting(
        "keep_unmapped", _boolean, "false", "true or false",
        "Whether events without a rule go to the rejected queue too.",
    )  # fmt: skip
    results: int = _setting(
        "recommendation_count", _integer(1, 500), "25", "items",
        "Items per recommendation.",
    )  # fmt: skip
    visitors: bool = _setting(
        "recommend_to_visitors", _boolean, "false", "true or false",
        "Whether visitors without a userId get recommendations too. Personalize can't tell an anonymousId from a "
        "userId: a sender who uses another user's id as anonymousId gets that user's recommendations.",
    )  # fmt: skip
    filter: SettingValue = _setting(
        "recommendation_filter_arn", _optional(_arn("filter")), "", "ARN or reference",
        "Filter for recommendations. Empty: no filter.",
    )  # fmt: skip
    filter_values: tuple[tuple[str, Path], ...] = _setting(
        "recommendation_filter_values", _paths, "{}", "JSON",
        "Filter parameters, each with the path of its value in the event. "
        "A parameter without a value is left out, which only EXCLUDE filters allow.",
    )  # fmt: skip
    context: tuple[tuple[str, Path], ...] = _setting(
        "recommendation_context", _paths, "{}", "JSON",
        "Context of the recommendation, each field with the path of its value in the event.",
    )  # fmt: skip
    triggers: tuple[str, ...] | None = _setting(
        "write_back_events", _optional(_events), "", "JSON array or *",
        "Names of the events that trigger a write-back. *: every recorded event. []: none. "
        "Empty: events whose EVENT_TYPE is Purchase, AddToCart, AddToWishlist or Watch.",
    )  # fmt: skip
    per_minute: int = _setting(
        "recommendations_per_minute", _integer(1, 1_000_000), "60", "recommendations per minute",
        "Maximum for all running instances of the function together. Without profile_table: for each instance.",
    )  # fmt: skip
    interval: int = _setting(
        "write_back_interval_seconds", _integer(0, 604_800), "60", "seconds",
        "Minimum time between two write-backs for one user.",
    )  # fmt: skip
    trait: str = _setting(
        "write_back_trait", str, "recommendations", "name",
        "Name of the trait with the recommendations.",
    )  # fmt: skip
    shape: str = _setting(
        "write_back_shape", _one_of("ids", "object"), "ids", "ids or object",
        "ids: an array of item ids. object: an object with items, recommendation_id and generated_at.",
    )  # fmt: skip
    host: str = _setting(
        "segment_host", _url, "https://api.segment.io", "URL",
        "Segment's HTTP API. For a workspace in the EU: https://events.eu1.segmentapis.com.",
    )  # fmt: skip
    budget: int = _setting(
        "time_budget_milliseconds", _integer(100, 900_000), "4500", "milliseconds",
        "Maximum processing time of an event. Segment waits five seconds.",
    )  # fmt: skip
    profile_rate: int = _setting(
        "profile_calls_per_second", _integer(1, 1000), "10", "calls per second",
        "Maximum rate of PutUsers, and of PutItems, for one instance of profile_batch.",
    )  # fmt: skip
    refresh: int = _setting(
        "reference_refresh_seconds", _integer(1, 86_400), "300", "seconds",
        "Time for which values of SSM and Secrets Manager are cached.",
    )  # fmt: skip


def table() -> list[Line]:
    """Return the table's lines in the order of the documentation."""
    return [setting.metadata["line"] for setting in fields(Settings)]


def load(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`. Raises SettingsError, which names the first malformed one."""
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        line: Line = setting.metadata["line"]
        try:
            values[setting.name] = setting.metadata["read"](environment.get(line.name, "").strip() or line.default)
        except ValueError as error:
            raise SettingsError(line.name, *error.args) from error
    settings = Settings(**values)
    if settings.filter_values and settings.filter is None:
        problem, remedy = "is missing, but recommendation_filter_values is set", "Write the filter's ARN"
        raise SettingsError("recommendation_filter_arn", problem, remedy)
    return settings
