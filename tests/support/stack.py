"""Shared by tests of provisioning: an account without AWS, a spec for it, and inspection of both."""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.utils import parse_timestamp
from moto import mock_aws

from documents import changed
from personalize_emulator import Clock, Emulator
from personalize_emulator.http import handle
from personalize_segment.provision import apply as applying
from personalize_segment.provision import prices, spec, teardown
from personalize_segment.provision.retries import Polling
from personalize_segment.provision.state import ProvisionClients
from personalize_segment.provision.steps import Step

ROLE = "arn:aws:iam::123456789012:role/personalize"
DAY = 86_400
#: Maximum time in one command, in seconds. A command that takes longer would never end.
FOREVER = DAY / 2
READS = ("List", "Describe", "Get", "Head")
#: kind -> the parent whose ARN its list needs.
KINDS: dict[str, str | None] = {
    "DatasetGroup": None, "Schema": None, "Dataset": None, "DatasetImportJob": None, "EventTracker": None,
    "Solution": None, "SolutionVersion": None, "Campaign": None, "Recommender": None, "Filter": None,
    "MetricAttribution": None,
}  # fmt: skip

SHOP: dict[str, Any] = {
    "version": 1,
    "name": "shop",
    "role_arn": ROLE,
    "datasets": {one: {"import": {"location": f"s3://data/t/{one}/"}} for one in ("interactions", "users", "items")},
    "solutions": {"for-you": {"recipe": "aws-user-personalization-v2"}},
    "campaigns": {"home": {"solution": "for-you"}},
    "filters": {"bought": 'EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("Purchase")'},
    "ssm_prefix": "/shop/personalize",
    "tags": {"team": "shop"},
}
#: The smallest mapping with all three datasets that a domain group of ECOMMERCE takes.
MAPPING: dict[str, Any] = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product_id"]},
            "TIMESTAMP": {"from": ["timestamp"]},
        },
        "track": {"Product Viewed": {"event_type": "View"}, "Order Completed": {"event_type": "Purchase"}},
    },
    "users": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "PLAN": {"from": ["traits.plan"], "type": "string", "categorical": True, "optional": True},
        }
    },
    "items": {
        "fields": {
            "ITEM_ID": {"from": ["properties.product_id"]},
            "PRICE": {"from": ["properties.price"], "type": "float", "optional": True},
            "CATEGORY_L1": {"from": ["properties.category"], "type": "string", "categorical": True},
        },
        "track": {"Product Viewed": {}},
    },
}


#: A stack of a domain, with all that only it has.
DOMAIN: dict[str, Any] = changed(
    SHOP,
    {
        "name": "mall",
        "domain": "ECOMMERCE",
        "solutions": {"ranking": {"recipe": "aws-personalized-ranking-v2", "automatic_training": False}},
        "campaigns": {"rank": {"solution": "ranking", "follow_latest": False}},
        "recommenders": {"top": {"recipe": "aws-ecomm-recommended-for-you", "minimum_tps": 2}},
        "metric_attribution": {
            "location": "s3://data/metrics/",
            "metrics": {"views": {"event_type": "View", "expression": "SAMPLECOUNT()"}},
        },
        "ssm_prefix": "/mall",
    },
)
#: A new field of items.
COLOR = {"from": ["properties.color"], "type": "string", "optional": True}


class KilledError(BaseException):
    """Nothing catches it: the process is gone, and its requests have been processed."""


def read(document: dict[str, Any]) -> spec.Spec:
    """Return a document as a spec, the mapping of these tests in it if it names none."""
    return spec.read(json.dumps({"event_mapping": MAPPING} | document))


@cache
def session() -> Any:
    """Return the session of all clients, which caches the models."""
    made = boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")
    # botocore builds its name for every call and looks up time zones, an eighth of the cost of calls here.
    made._session.set_default_client_config(Config(user_agent="tests"))
    made._session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_instant)
    return made


def _instant(value: Any) -> datetime:
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    parsed: datetime = parse_timestamp(value)
    return parsed


@cache
def csv(kind: str, rows: int = 1100) -> bytes:
    """Return a CSV file with as many interactions, or the users or items in them."""
    chance = random.Random(1)
    if kind == "users":
        return ("USER_ID,PLAN\n" + "".join(f"u{one},free\n" for one in range(60))).encode()
    if kind == "items":
        return ("ITEM_ID,CATEGORY_L1,PRICE\n" + "".join(f"i{one},toys,1.5\n" for one in range(20))).encode()
    lines = (
        f"u{one % 60},i{chance.randrange(20)},{1_700_000_000 + one},{('View', 'Purchase')[one % 3 == 0]}\n"
        for one in range(rows)
    )
    return ("USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE\n" + "".join(lines)).encode()


def policy(bucket: str) -> str:
    """Return the bucket policy that the developer guide asks for."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "personalize.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Cloud:
    """An account without AWS whose clock moves when a command waits, with its call log.

    `calls` are the successful operations with their requests. Clients don't retry, because these tests check the
    retries of the commands.
    """

    def __init__(self, poll_seconds: float = 600.0) -> None:
        self.clock = Clock(speed=0, start=1_700_000_000 + 100 * DAY)
        self.s3: Any = remembering(session().client("s3"), ("ListObjectsV2",), {})
        self._parameters: dict[Any, Any] = {}
        self.ssm: Any = self._ssm()
        self.emulator = Emulator(self.clock, s3=lambda: self.s3)
        self.faults = self.emulator.faults
        self.poll_seconds = poll_seconds
        self.prices = prices.read(None)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.api = self.client()
        self.s3.create_bucket(Bucket="data")
        self.s3.put_bucket_policy(Bucket="data", Policy=policy("data"))
        for kind in ("interactions", "users", "items"):
            self.put(kind)

    def put(self, kind: str, body: bytes | None = None) -> None:
        """Put the CSV of a dataset where the spec has it."""
        self.s3.put_object(Bucket="data", Key=f"t/{kind}/part-0.csv", Body=csv(kind) if body is None else body)

    def client(self) -> Any:
        """Return a new client of Personalize."""
        made = session().client("personalize", config=Config(retries={"total_max_attempts": 1}))
        parser = made._response_parser
        made._ruleset_resolver = None  # `answer` needs no endpoint

        def answer(model: Any, params: Any, **_: Any) -> Any:
            # Answers like `install`, but skips the most expensive part of a call, which these tests don't cover.
            status, headers, body = handle(self.emulator, "POST", "/", params["headers"], params["body"])
            found = HTTPHeaders.from_dict(headers)
            parsed = parser.parse({"status_code": status, "headers": found, "body": body}, model.output_shape)
            return AWSResponse("", status, found, None), parsed

        made.meta.events.register_last("before-call", answer)
        return made

    def _ssm(self) -> Any:
        made = session().client("ssm", config=Config(signature_version=UNSIGNED))
        return remembering(made, READS, self._parameters)

    def clients(self, before: Callable[[int, str], None] | None = None, after: Any = None) -> ProvisionClients:
        """Return clients as a new process has them.

        `before` and `after` are called around every writing call with its number, from 1, and its operation.
        """
        api, ssm = self.client(), self._ssm()
        count = Counter[str]()
        requests: list[Any] = []

        def sent(params: Any, model: Any, **_: Any) -> None:
            requests.append(params)

        def begin(model: Any, params: Any, **_: Any) -> None:
            if not model.name.startswith(READS):
                count["begun"] += 1
                if before is not None:
                    before(count["begun"], model.name)

        def end(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
            if http_response.status_code < 300:
                self.calls.append((model.name, json.loads(requests[-1]["body"] or b"{}")))
            if not model.name.startswith(READS):
                count["ended"] += 1
                if after is not None:
                    after(count["ended"], model.name)

        for client in (api, ssm):
            events = client.meta.events
            events.register("before-call", begin)
            events.register("before-call", sent)
            events.register_last("after-call", end)
        return ProvisionClients(api, ssm, self.s3)

    def polling(self) -> Polling:
        """Return the polling of one command, which moves the clock. Raise AssertionError if it would never end."""
        spent = [0.0]

        def sleep(seconds: float) -> None:
            spent[0] += seconds
            assert spent[0] < FOREVER, "it waits in vain"
            self.clock.advance(seconds)

        return Polling(self.poll_seconds, sleep, random.Random(1))

    def plan(self, document: dict[str, Any]) -> list[Step]:
        """Return the plan without unchanged resources."""
        steps = applying.plan(self.clients(), read(document), self.prices, self.polling())
        return [one for one in steps if one.action != "nothing"]

    def apply(self, document: dict[str, Any], clients: ProvisionClients | None = None) -> list[Step]:
        """Apply a spec like a new process."""
        return applying.apply(clients or self.clients(), read(document), self.prices, self.polling())

    def destroy(self, document: dict[str, Any], clients: ProvisionClients | None = None) -> None:
        """Destroy a stack like a new process."""
        teardown.destroy(clients or self.clients(), read(document), self.polling())

    def made(self) -> Counter[str]:
        """Return how often each operation that creates, changes or deletes succeeded."""
        return Counter(name for name, _ in self.calls if not name.startswith((*READS, "PutParameter")))

    def each(self, kind: str) -> Iterator[dict[str, Any]]:
        """Yield Describe's answer for every resource of a kind in the account."""
        noun = kind[0].lower() + kind[1:]
        for one in self._call(f"List{kind}s", {})["Filters" if kind == "Filter" else f"{noun}s"]:
            yield self._call(f"Describe{kind}", {f"{noun}Arn": one[f"{noun}Arn"]})[noun]

    def one(self, kind: str, begins: str = "") -> dict[str, Any]:
        """Return the only resource of a kind whose name begins so."""
        (found,) = [one for one in self.each(kind) if name_of(one).startswith(begins)]
        return found

    def everything(self) -> list[tuple[str, str, str]]:
        """Return kind, name and status of all resources, and the names of the parameters."""
        found = [(kind, name_of(one), str(one.get("status", "ACTIVE"))) for kind in KINDS for one in self.each(kind)]
        pages = self.ssm.get_paginator("describe_parameters").paginate()
        found += [("Parameter", one["Name"], "") for page in pages for one in page["Parameters"]]
        return sorted(found)

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        # Directly to the emulator, bypassing the faults that a test has set for the commands.
        faults, self.emulator.faults = self.emulator.faults, type(self.emulator.faults)()
        try:
            return dict(self.emulator.call(operation, request))
        finally:
            self.emulator.faults = faults


def remembering(client: Any, reads: tuple[str, ...], known: dict[Any, Any]) -> Any:
    """Cache answers to `reads` in `known` until a client that shares it writes, because commands read at every poll."""

    def recall(model: Any, params: Any, context: Any, **_: Any) -> Any:
        if not model.name.startswith(reads):
            if not model.name.startswith(READS):
                known.clear()
            return None
        context["asked"] = model.name, params["url"], str(params["query_string"]), params["body"]
        return known.get(context["asked"])

    def keep(http_response: Any, parsed: Any, context: Any, **_: Any) -> None:
        if "asked" in context and http_response.status_code == 200:
            known[context["asked"]] = (http_response, parsed)

    # After the handlers that count calls.
    client.meta.events.register_last("before-call", recall)
    client.meta.events.register("after-call", keep)
    return client


def name_of(detail: dict[str, Any]) -> str:
    """Return the name of a resource; of a version that has none, its solution's."""
    return str(detail.get("name") or detail.get("jobName") or detail["solutionArn"].rpartition("/")[2])


@contextmanager
def cloud(poll_seconds: float = 600.0) -> Iterator[Cloud]:
    """Yield an empty account."""
    with mock_aws(config={"core": {"passthrough": {"services": ["personalize"]}}}):
        yield Cloud(poll_seconds)


def lines(steps: list[Step]) -> list[tuple[str, str, str]]:
    """Return action, kind and name of steps, names without their digests."""
    return [(one.action, one.kind, without_digest(one.name)) for one in steps]


def without_digest(name: str) -> str:
    """Return a name without the eight digits at its end."""
    head, _, tail = name.rpartition("-")
    return head if len(tail) == 8 and set(tail) <= set("0123456789abcdef") else name
