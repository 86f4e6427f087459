"""The emulator refuses the same requests as Amazon Personalize, by its models' constraints and documented rules."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from offline import INTERACTIONS, ITEMS, ROLE, USERS, Offline, schema
from personalize_emulator.constraints import check, pattern
from personalize_emulator.service_errors import ServiceError
from personalize_emulator.service_model import OPERATIONS

INVALID = "InvalidInputException"
LIMIT = "LimitExceededException"

NOWHERE = "arn:aws:personalize:eu-west-1:123456789012:nothing/here"
RECIPES = "arn:aws:personalize:::recipe/"
VIEWS = 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")'


@pytest.fixture(scope="module")
def ready(moto_server: str) -> Iterator[Offline]:
    """Yield a shop with everything in it, which no test of this module changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", moto_server)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        boto3.client("s3").create_bucket(Bucket="refusals")
        offline = Offline("refusals")
        offline.everything()
        offline.tracker()
        version, ranking = offline.arns["version"], "aws-personalized-ranking-v2"
        for name, recipe in (("ranking", ranking), ("similar", "aws-similar-items")):
            offline.solution(RECIPES + recipe, name=name)
            offline.version()
            offline.arns[name] = offline.campaign(name)
        offline.arns["version"] = version
        offline.solution(name="untrained")
        offline.filter("INCLUDE ItemID WHERE Items.PRICE < $MOST", "filter")
        offline.arns["campaign"] = offline.arns["ranking"].replace("ranking", "campaign")
        for name, fields in (("nullable", [("USER_ID", ["null", "string"]), USERS[1]]), ("bare", USERS[:1])):
            offline.api.create_schema(name=name, schema=schema("Users", fields))
        offline.api.create_schema(name="changed", schema=schema("Items", [ITEMS[0], ("CATEGORY", "string")]))
        offline.api.create_schema(name="strict", schema=schema("Items", [*ITEMS, ("BRAND", "string")]))
        offline.api.create_schema(name="textual", schema=schema("Users", [*USERS, ("BIO", "string", "textual")]))
        wide = [*INTERACTIONS, *[(f"C{number}", "string") for number in range(6)]]
        offline.api.create_schema(name="wide", schema=schema("Interactions", wide))
        offline.api.create_dataset_group(name="video", domain="VIDEO_ON_DEMAND")
        offline.api.create_dataset_group(name="second")
        videos: Any = {"domain": "VIDEO_ON_DEMAND"}
        offline.api.create_schema(name="videos", schema=schema("Items", [ITEMS[0], ITEMS[1]]), **videos)
        offline.clock.advance(60)
        yield offline


def named(offline: Offline, value: Any) -> Any:
    """Return a request with `<name>` replaced by an ARN."""
    if isinstance(value, dict):
        # A schema is text. The file of cases has it as JSON.
        texts = {key: json.dumps(one) for key, one in value.items() if key == "schema" and isinstance(one, dict)}
        return {key: named(offline, one) for key, one in value.items()} | texts
    if isinstance(value, list):
        return [named(offline, one) for one in value]
    if isinstance(value, str) and value.startswith("<"):
        name, _, rest = value[1:].partition(">")
        base = "arn:aws:personalize:eu-west-1:123456789012:"
        return (offline.arns.get(name) or base + name) + rest
    if value == "tracking id":
        found = offline.emulator.call("DescribeEventTracker", {"eventTrackerArn": offline.arns["tracker"]}, "eu-west-1")
        return found["eventTracker"]["trackingId"]
    return value


GROUP = {"datasetGroupArn": "<group>"}
IMPORT = {"roleArn": ROLE, "datasetArn": "<USERS>", "dataSource": {"dataLocation": "s3://refusals/data/"}}
EVENTS: Any = {"trackingId": "t", "sessionId": "s", "eventList": [{"eventType": "View", "sentAt": 1}]}

#: (name, operation, request, code, a part of the message); `<name>` is an ARN of the shop.
CASES: list[tuple[str, str, Any, str, str]] = [
    *map(tuple, json.loads(Path(__file__).with_name("refusals.json").read_text("utf-8"))),
    ("schema too long", "CreateSchema", {"name": "s", "schema": "x" * 20_001}, INVALID, "less than or equal to 20000"),
    ("long expression", "CreateFilter", {"name": "f", **GROUP, "filterExpression": "x" * 2501}, INVALID, "to 2500"),
    ("long properties", "PutItems", {"datasetArn": NOWHERE, "items": [{"itemId": "i", "properties": "x" * 32_001}]},
     INVALID, "less than or equal to 32000"),
    ("51 tags", "CreateDatasetGroup", {"name": "a", "tags": [{"tagKey": f"k{n}", "tagValue": ""} for n in range(51)]},
     "TooManyTagsException", "at most 50"),
]  # fmt: skip


def test_there_are_enough_of_them_and_each_has_a_name() -> None:
    names = [case[0] for case in CASES]
    assert len(names) >= 60
    assert len({(case[0], case[1]) for case in CASES}) == len(names)


@pytest.mark.parametrize(("operation", "request_", "code", "message"), [pytest.param(*c[1:], id=c[0]) for c in CASES])
def test_it_is_refused(ready: Offline, operation: str, request_: Any, code: str, message: str) -> None:
    with pytest.raises(ServiceError) as refused:
        ready.emulator.call(operation, named(ready, request_), "eu-west-1")
    assert (refused.value.code, message) == (
        code,
        message if message in refused.value.message else refused.value.message,
    )


def test_a_dataset_group_has_at_most_ten_filters(ready: Offline) -> None:
    request = named(ready, {**GROUP, "filterExpression": VIEWS})
    for number in range(9):  # and the one that is there
        ready.emulator.call("CreateFilter", request | {"name": f"f{number}"}, "eu-west-1")
    with pytest.raises(ServiceError, match="More than 10 resources in ACTIVE state") as refused:
        ready.emulator.call("CreateFilter", request | {"name": "f10"}, "eu-west-1")
    assert refused.value.code == LIMIT


def test_at_most_five_import_jobs_are_under_way(ready: Offline) -> None:
    def start(number: int) -> None:
        request = named(ready, IMPORT | {"jobName": f"j{number}"})
        ready.emulator.call("CreateDatasetImportJob", request, "eu-west-1")

    for number in range(5):
        start(number)
    with pytest.raises(ServiceError, match=r"More than 5 resources with PENDING or IN_PROGRESS status\.") as refused:
        start(5)
    assert refused.value.code == LIMIT
    ready.clock.advance(1200)
    start(6)


def test_every_pattern_of_the_models_is_one_of_ours() -> None:
    seen = set()

    def walk(shape: Any, names: tuple[str, ...] = ()) -> None:
        written = shape.metadata.get("pattern")
        if written:
            seen.add(written)
        if shape.name not in names:
            for one in [*getattr(shape, "members", {}).values(), *filter(None, [getattr(shape, "member", None)])]:
                walk(one, (*names, shape.name))

    for model in OPERATIONS.values():
        walk(model.input_shape) if model.input_shape is not None else None
    assert len(seen) > 8
    assert not [one for one in seen if r"\p" in pattern(one).pattern]


def test_letters_of_all_scripts_are_allowed_in_tags_and_lengths_count_characters() -> None:
    shape: Any = OPERATIONS["TagResource"].input_shape
    check(shape, {"resourceArn": NOWHERE, "tags": [{"tagKey": "Größe 大", "tagValue": "½ х"}]})
    name: Any = OPERATIONS["PutEvents"].input_shape
    with pytest.raises(ServiceError, match="less than or equal to 256"):
        check(name, EVENTS | {"sessionId": "😀" * 257})
    check(name, EVENTS | {"sessionId": "😀" * 256})
