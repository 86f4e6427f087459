"""Checks of the values in a spec. Each returns the value, or raises MappingError with its JSON path and a remedy."""

import json
import re
from typing import Any

from ..contract.strict_json import Object, keys, member, refuse

#: Maximum characters of a filter, a metric's parts, a location in S3 and tags. Source: botocore's model.
MAX_FILTER = 2500
MAX_METRIC = 256
MAX_LOCATION = 256
MAX_TAG_KEY, MAX_TAG_VALUE = 128, 256
#: The highest minimum of a campaign or recommender in requests per second, and the longest training interval in days.
MAX_TPS = 500
MAX_DAYS = 30


def match(value: Any, at: str, pattern: re.Pattern[str], remedy: str) -> str:
    """Return a text that matches a pattern."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        refuse(at, f"is {json.dumps(value, ensure_ascii=False)[:80]}", remedy)
    return value


def text(value: Any, at: str, most: int) -> str:
    """Return a text of 1 to `most` characters."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        refuse(at, "isn't a string of a valid length", f"Write 1 to {most} characters")
    return value


def integer(value: Any, at: str, low: int, high: int) -> int:
    """Return a whole number within bounds."""
    if type(value) is not int or not low <= value <= high:
        refuse(at, f"is {json.dumps(value)[:40]}", f"Write a whole number from {low} to {high}")
    return value


def flag(value: Any, at: str) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        refuse(at, "is neither true nor false", "Write true or false")
    return value


def names(value: Any, at: str) -> list[str]:
    """Return the names of columns, sorted."""
    if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
        refuse(at, "isn't a list of columns", 'Write a list such as ["ITEM_ID", "CATEGORY"]')
    return sorted(value)


def tags(value: Any) -> dict[str, str]:
    """Return the tags; none for null."""
    tags = {}
    for key, tag in keys(Object() if value is None else value, "$.tags").items():
        at = f"$.tags{member(key)}"
        if not 0 < len(key) <= MAX_TAG_KEY or key.lower().startswith("aws:"):
            refuse(at, "isn't a valid tag key", f"Write 1 to {MAX_TAG_KEY} characters that don't begin with aws:")
        tags[key] = text(tag, at, MAX_TAG_VALUE)
    return tags


def arn(value: Any, at: str, service: str) -> str | None:
    """Return an ARN of a service; None for null."""
    pattern = re.compile(rf"arn:aws[\w-]*:{service}:.*:\d{{12}}:.+")
    return None if value is None else match(value, at, pattern, f"Write an ARN of {service}")


def s3(value: Any, at: str) -> str:
    """Return a folder in S3 that ends with a slash."""
    pattern = re.compile(r"s3://[a-z0-9.-]{3,63}/.*[^/].*")
    text = match(value, at, pattern, "Write a folder such as s3://bucket/transformed/items/")
    if len(text) > MAX_LOCATION:
        refuse(at, f"is longer than {MAX_LOCATION} characters", "Use a shorter path")
    return text if text.endswith("/") else text + "/"


def recipe(value: Any, at: str) -> str:
    """Return the ARN of a recipe, given by its ARN or name."""
    pattern = re.compile(r"(arn:aws[\w-]*:personalize:::recipe/)?aws-[a-z0-9-]+")
    name = match(value, at, pattern, "Write a recipe such as aws-user-personalization-v2")
    return name if name.startswith("arn:") else f"arn:aws:personalize:::recipe/{name}"


def family(recipe: str) -> str | None:
    """Return the domain of a recipe that is a use case; None for other recipes."""
    name = recipe.rpartition("/")[2]
    return "ECOMMERCE" if name.startswith("aws-ecomm-") else "VIDEO_ON_DEMAND" if name.startswith("aws-vod-") else None
