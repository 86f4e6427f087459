"""The settings of the Lambda functions: one table of names, defaults, units and meaning.

They come from environment variables. The names in lower case are those of Segment's
documentation and their like.
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
    """Where a value is that isn't in the environment: an SSM parameter or a secret, and in it a JSON key."""

    service: str
    name: str
    key: str | None


#: A value, where it is stored, or None: not set.
SettingValue = str | Reference | None

_REFERENCE = re.compile(r"(ssm|secretsmanager):([^#\s]+)(?:#(\S+))?")
_ARN = re.compile(r"arn:[a-z\d-]+:personalize:([a-z\d-]*):\d*:(\S+)")
_NAME = re.compile(r"[A-Za-z0-9_]+")


def _text(text: str) -> SettingValue:
    found = _REFERENCE.fullmatch(text)
    if found:
        return Reference(found[1], found[2], found[3])
    if text.startswith(("ssm:", "secretsmanager:")) or re.search(r"\s", text):
        raise ValueError("is neither a value nor a reference", "Write it plain, as ssm:/name or as secretsmanager:name")
    return text


def arn(text: str, *kinds: str) -> str:
    """Return `text` if it is the ARN of one of these `kinds` of Personalize resources; else raise ValueError."""
    found = _ARN.fullmatch(text)
    kind, _, name = found[2].partition("/") if found else ("", "", "")
    if kind not in kinds or not name:
        raise ValueError(f"is no ARN of a {' or a '.join(kinds)}", "Copy it from `personalize-segment status`")
    return text


def _arn(*kinds: str) -> Callable[[str], SettingValue]:
    def read(text: str) -> SettingValue:
        value = _text(text)
        return arn(value, *kinds) if isinstance(value, str) else value

    return read


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise ValueError(f"is no whole number from {low} to {high}", "Write digits only")
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
        raise ValueError("is no address", "Write it with https:// in front")
    return text.rstrip("/")


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z]+(-[a-z]+)+-\d+", text):
        raise ValueError("is no region", "Write it as eu-west-1")
    return text


def _table(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{3,255}", text):
        raise ValueError("is not the name of a table", "Write the name of a DynamoDB table in the function's region")
    return text


def _object(text: str) -> str:
    if not re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+", text):
        raise ValueError("is not an object in S3", "Write it as s3://bucket/key")
    return text


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


#: The trigger that every event is.
EVERY = ("*",)


def _events(text: str) -> tuple[str, ...]:
    """Return names of events, or EVERY."""
    if text == "*":
        return EVERY
    names = _json(text)
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("is no list of names", 'Write a JSON array such as ["Order Completed"], or *')
    return tuple(names)


def _paths(text: str) -> tuple[tuple[str, Path], ...]:
    document = _json(text)
    if not isinstance(document, dict) or not all(_NAME.fullmatch(name) for name in document):
        raise ValueError("is no object of names and paths", 'Write JSON such as {"CATEGORY": "properties.category"}')
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
    """What the functions were told; a field's metadata is its line in the table.

    There is no repr, because one field may be a key.
    """

    tracking_id: SettingValue = _setting(
        "personalize_tracking_id", _optional(_text), "", "id or reference",
        "Event tracker that interactions are recorded with. Empty: none are.",
    )  # fmt: skip
    campaign: SettingValue = _setting(
        "personalize_campaign_arn", _optional(_arn("campaign", "recommender")), "", "ARN or reference",
        "Campaign or recommender that is asked. Empty: nothing is recommended.",
    )  # fmt: skip
    write_key: SettingValue = _setting(
        "connections_source_api_key", _optional(_text), "", "write key or reference",
        "Segment source that recommendations are written to. Empty: nothing is written back.",
    )  # fmt: skip
    mapping: EventMapping = _setting(
        "event_mapping", _mapping, "", "JSON",
        "The event mapping; or gzip: and its gzip in base64; or s3://bucket/key#sha256. Empty: the default one.",
    )  # fmt: skip
    region: str | None = _setting(
        "personalize_region", _optional(_region), "", "region",
        "Where Personalize is. Empty: the function's own region.",
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
        "SQS queue for users and items, which profile_batch empties. Empty: each event calls PutUsers and PutItems.",
    )  # fmt: skip
    profile_table: str | None = _setting(
        "profile_table", _optional(_table), "", "name",
        "DynamoDB table where profile_batch merges users and items, and where all copies of segment_event count "
        "recommendations. Empty: an event replaces what earlier ones said, and each copy counts its own.",
    )  # fmt: skip
    suppression_list: str | None = _setting(
        "suppression_list", _optional(_object), "", "s3:// object",
        "Suppression list: no rows of its users are recorded, and nothing is written back to them. Empty: of nobody.",
    )  # fmt: skip
    rejected_queue: str | None = _setting(
        "rejected_queue_url", _optional(_url), "", "URL",
        "SQS queue for events that were refused, with the reason. Empty: they are only counted.",
    )  # fmt: skip
    keep_unmapped: bool = _setting(
        "keep_unmapped", _boolean, "false", "true or false",
        "Whether events without a rule go to that queue too.",
    )  # fmt: skip
    results: int = _setting(
        "recommendation_count", _integer(1, 500), "25", "items",
        "How many items are recommended.",
    )  # fmt: skip
    visitors: bool = _setting(
        "recommend_to_visitors", _boolean, "false", "true or false",
        "Whether visitors without a userId get recommendations too. Personalize can't tell an anonymousId from a "
        "userId: whoever sends a user's id as anonymousId makes that user's list the visitor's.",
    )  # fmt: skip
    filter: SettingValue = _setting(
        "recommendation_filter_arn", _optional(_arn("filter")), "", "ARN or reference",
        "Filter for recommendations. Empty: none.",
    )  # fmt: skip
    filter_values: tuple[tuple[str, Path], ...] = _setting(
        "recommendation_filter_values", _paths, "{}", "JSON",
        "The filter's parameters, and the path in the event that each is taken from."
        " One without a value is left out, as EXCLUDE filters allow.",
    )  # fmt: skip
    context: tuple[tuple[str, Path], ...] = _setting(
        "recommendation_context", _paths, "{}", "JSON",
        "Context of the recommendation, and the path in the event that each is taken from.",
    )  # fmt: skip
    triggers: tuple[str, ...] | None = _setting(
        "write_back_events", _optional(_events), "", "JSON array or *",
        "Names of the events after which recommendations are written back. *: every event that was recorded. "
        "Empty: those that the mapping makes a Purchase, AddToCart, AddToWishlist or Watch.",
    )  # fmt: skip
    per_minute: int = _setting(
        "recommendations_per_minute", _integer(1, 1_000_000), "60", "recommendations per minute",
        "The most that all running copies of the function ask for. Without a profile_table: each of them.",
    )  # fmt: skip
    interval: int = _setting(
        "write_back_interval_seconds", _integer(0, 604_800), "60", "seconds",
        "The least time between two write-backs for one user.",
    )  # fmt: skip
    trait: str = _setting(
        "write_back_trait", str, "recommendations", "name",
        "The trait that holds them.",
    )  # fmt: skip
    shape: str = _setting(
        "write_back_shape", _one_of("ids", "object"), "ids", "ids or object",
        "ids: an array of item ids. object: items, recommendation_id and generated_at.",
    )  # fmt: skip
    host: str = _setting(
        "segment_host", _url, "https://api.segment.io", "URL",
        "Segment's HTTP API. A workspace in the EU: https://events.eu1.segmentapis.com.",
    )  # fmt: skip
    budget: int = _setting(
        "time_budget_milliseconds", _integer(100, 900_000), "4500", "milliseconds",
        "The longest an event may take. Segment waits for five seconds.",
    )  # fmt: skip
    profile_rate: int = _setting(
        "profile_calls_per_second", _integer(1, 1000), "10", "calls a second",
        "The most PutUsers calls, and the most PutItems calls, that one profile_batch makes.",
    )  # fmt: skip
    refresh: int = _setting(
        "reference_refresh_seconds", _integer(1, 86_400), "300", "seconds",
        "How long values of SSM and Secrets Manager are kept.",
    )  # fmt: skip


def table() -> list[Line]:
    """Return all settings in the order of the documentation."""
    return [setting.metadata["line"] for setting in fields(Settings)]


def load(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`; raise SettingsError, which names the first that is malformed."""
    values: dict[str, Any] = {}
    for setting in fields(Settings):
        line: Line = setting.metadata["line"]
        try:
            values[setting.name] = setting.metadata["read"](environment.get(line.name, "").strip() or line.default)
        except ValueError as error:
            raise SettingsError(line.name, *error.args) from error
    settings = Settings(**values)
    if settings.filter_values and settings.filter is None:
        problem, remedy = "is missing, but there are values for it", "Write the filter's ARN"
        raise SettingsError("recommendation_filter_arn", problem, remedy)
    return settings
