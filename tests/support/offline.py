"""Shared by emulator tests: clients, schemas, and data with four groups of taste."""

import json
import random
from functools import cache
from typing import Any

import boto3

from personalize_emulator import Clock, Emulator, install
from personalize_emulator.resources import KINDS
from personalize_emulator.service_errors import ServiceError

ROLE = "arn:aws:iam::123456789012:role/personalize"
RECIPE = "arn:aws:personalize:::recipe/aws-user-personalization-v2"
DAY = 86_400
START = 1_700_000_000

Field = tuple[str, Any] | tuple[str, Any, str]

INTERACTIONS: list[Field] = [
    ("USER_ID", "string"),
    ("ITEM_ID", "string"),
    ("TIMESTAMP", "long"),
    ("EVENT_TYPE", "string"),
    ("EVENT_VALUE", ["null", "float"]),
]
ITEMS: list[Field] = [
    ("ITEM_ID", "string"),
    ("CATEGORY", ["null", "string"], "categorical"),
    ("PRICE", ["null", "float"]),
    ("DESCRIPTION", ["null", "string"], "textual"),
    ("SOLD_OUT", ["null", "boolean"]),
]
USERS: list[Field] = [("USER_ID", "string"), ("AGE", ["null", "int"]), ("PLAN", ["null", "string"], "categorical")]
SHOP = {"INTERACTIONS": INTERACTIONS, "ITEMS": ITEMS, "USERS": USERS}


def schema(name: str, fields: list[Field], **changes: Any) -> str:
    """Return the text of a schema."""
    record = {
        "type": "record",
        "name": name,
        "namespace": "com.amazonaws.personalize.schema",
        "fields": [{"name": one[0], "type": one[1], **dict.fromkeys(one[2:], True)} for one in fields],
        "version": "1.0",
    }
    return json.dumps(record | changes)


def policy(bucket: str) -> str:
    """Return the bucket policy that the developer guide asks for."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "personalize.amazonaws.com"},
        "Action": ["s3:GetObject", "s3:ListBucket", "s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def interactions(users: int = 200, each: int = 8, seed: int = 1, event_type: str = "View") -> list[str]:
    """Return CSV lines: user u<n> takes items of the group n % 4, which are called g<group>-<number>."""
    chance = random.Random(seed)
    lines = ["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE"]
    for user in range(users):
        for number, item in enumerate(chance.sample(range(20), each)):
            lines.append(f"u{user},g{user % 4}-{item},{START + number * 60 + user},{event_type},")
    return lines


@cache
def session() -> Any:
    """Return the session of all clients, which caches the models."""
    return boto3.Session(aws_access_key_id="testing", aws_secret_access_key="testing", region_name="us-east-1")


class Offline:
    """An emulator with a stopped clock, its clients, and a bucket that it can read and write."""

    def __init__(self, bucket: str, region: str = "eu-west-1") -> None:
        self.clock = Clock(speed=0, start=START + 100 * DAY)
        self.emulator = Emulator(self.clock)
        self.faults = self.emulator.faults
        self.api = session().client("personalize", region_name=region)
        self.events = session().client("personalize-events", region_name=region)
        self.runtime = session().client("personalize-runtime", region_name=region)
        for client in (self.api, self.events, self.runtime):
            install(self.emulator, client)
        self.bucket = bucket
        self.s3: Any = session().client("s3")
        self.s3.put_bucket_policy(Bucket=bucket, Policy=policy(bucket))
        self.arns: dict[str, str] = {}

    def put(self, key: str, lines: list[str]) -> str:
        """Put a CSV file into the bucket and return its URI."""
        self.s3.put_object(Bucket=self.bucket, Key=key, Body="".join(f"{line}\n" for line in lines).encode())
        return f"s3://{self.bucket}/{key}"

    def s3_lines(self, kind: str, name: str = "import") -> list[str]:
        """Return the lines that were imported into a dataset."""
        body = self.s3.get_object(Bucket=self.bucket, Key=f"{kind}/{name}/part-0.csv")["Body"].read()
        return list(body.decode().splitlines())

    def group(self, domain: str | None = None, name: str = "shop") -> str:
        """Make an ACTIVE dataset group."""
        more: Any = {"domain": domain} if domain else {}
        arn: str = self.api.create_dataset_group(name=name, **more)["datasetGroupArn"]
        self.clock.advance(60)
        self.arns["group"] = arn
        return arn

    def dataset(self, kind: str, fields: list[Field] | None = None, domain: str | None = None) -> str:
        """Make an ACTIVE dataset in the last group."""
        more: Any = {"domain": domain} if domain else {}
        name = f"{self.arns['group'].rsplit('/', 1)[1]}-{kind}"
        text = schema(kind.capitalize(), fields or SHOP[kind])
        made = self.api.create_schema(name=name, schema=text, **more)["schemaArn"]
        self.arns[f"{kind} schema"] = made
        group = self.arns["group"]
        arn: str = self.api.create_dataset(name=name, schemaArn=made, datasetGroupArn=group, datasetType=kind)[
            "datasetArn"
        ]
        self.clock.advance(60)
        self.arns[kind] = arn
        return arn

    def load(self, kind: str, lines: list[str] | str, name: str = "import", **more: Any) -> dict[str, Any]:
        """Import lines or the objects at a URI, and return the finished job."""
        location = lines if isinstance(lines, str) else self.put(f"{kind}/{name}/part-0.csv", lines)
        job = self.api.create_dataset_import_job(
            jobName=f"{kind}-{name}",
            datasetArn=self.arns[kind],
            dataSource={"dataLocation": location},
            roleArn=ROLE,
            **more,
        )["datasetImportJobArn"]
        self.clock.advance(1200)
        found: dict[str, Any] = dict(self.api.describe_dataset_import_job(datasetImportJobArn=job)["datasetImportJob"])
        return found

    def solution(self, recipe: str = RECIPE, name: str = "solution", **more: Any) -> str:
        """Make an ACTIVE solution without automatic training."""
        arn: str = self.api.create_solution(
            name=name, datasetGroupArn=self.arns["group"], recipeArn=recipe, **{"performAutoTraining": False} | more
        )["solutionArn"]
        self.clock.advance(60)
        self.arns["solution"] = arn
        return arn

    def version(self) -> str:
        """Train the last solution; the version may have failed."""
        arn: str = self.api.create_solution_version(solutionArn=self.arns["solution"])["solutionVersionArn"]
        self.clock.advance(3600)
        self.arns["version"] = arn
        return arn

    def campaign(self, name: str = "campaign", **more: Any) -> str:
        """Deploy the last version."""
        arn: str = self.api.create_campaign(name=name, **{"solutionVersionArn": self.arns["version"]} | more)[
            "campaignArn"
        ]
        self.clock.advance(1200)
        self.arns["campaign"] = arn
        return arn

    def tracker(self) -> str:
        """Make an event tracker and return its tracking ID."""
        made = self.api.create_event_tracker(name="tracker", datasetGroupArn=self.arns["group"])
        self.clock.advance(60)
        self.arns["tracker"] = made["eventTrackerArn"]
        return str(made["trackingId"])

    def filter(self, expression: str, name: str = "filter") -> str:
        """Make an ACTIVE filter."""
        arn = self.api.create_filter(name=name, datasetGroupArn=self.arns["group"], filterExpression=expression)
        self.clock.advance(60)
        return str(arn["filterArn"])

    def everything(self, recipe: str = RECIPE) -> None:
        """Make all up to a campaign, with data."""
        self.group()
        for kind in ("INTERACTIONS", "ITEMS", "USERS"):
            self.dataset(kind)
        assert self.load("INTERACTIONS", interactions())["status"] == "ACTIVE"
        items = [f"g{group}-{item},{'ABCD'[group]},{item},," for group in range(4) for item in range(20)]
        self.load("ITEMS", ["ITEM_ID,CATEGORY,PRICE,DESCRIPTION,SOLD_OUT", *items])
        self.load("USERS", ["USER_ID,AGE,PLAN", *(f"u{user},{20 + user},free" for user in range(50))])
        self.solution(recipe)
        self.version()
        self.campaign()

    def items(self, **request: Any) -> list[str]:
        """Return the item ids of GetRecommendations from the last campaign."""
        answer = self.runtime.get_recommendations(**{"campaignArn": self.arns["campaign"]} | request)
        return [one["itemId"] for one in answer["itemList"]]


def walk(offline: Offline, kind: str, arn: str, step: float, times: int = 400) -> list[str]:
    """Return the statuses that a resource goes through in steps of so many seconds, each once."""
    seen = [_status(offline, kind, arn)]
    for _ in range(times):
        offline.clock.advance(step)
        try:
            found = _status(offline, kind, arn)
        except ServiceError as error:
            found = error.code
        if found != seen[-1]:
            seen.append(found)
    return seen


def _status(offline: Offline, kind: str, arn: str) -> str:
    found: Any = offline.emulator.call(f"Describe{kind}", {KINDS[kind].arn_member: arn}, "eu-west-1")
    return str(found[KINDS[kind].member]["status"])


def group_of(items: list[str]) -> list[str]:
    """Return the group of taste that each item is of."""
    return [item.split("-")[0] for item in items]
