"""Request recommendations for an event's user: GetRecommendations, with values from the event."""

import json
import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from ..contract.mapping import Path
from ..contract.rows import any_id, walk
from .settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_personalize_runtime import PersonalizeRuntimeClient

#: Maximum characters of one value of a filter parameter or of the context.
MAX_VALUE = 1000


_MARKUP = re.compile("[<>&\"'`]")


class Recommendation(NamedTuple):
    """Item ids, best first, the id of Personalize's list, its time (UTC), and the number of ids left out as markup."""

    items: list[str]
    id: str | None
    at: datetime
    markup: int = 0


class NotAskedError(ValueError):
    """The event can't lead to a request. The text is a short reason."""


class TooManyError(Exception):
    """All instances together have reached their limit of requests."""


class UnreadableError(Exception):
    """The answer doesn't come from Personalize."""


def request(settings: Settings, arn: str, filter_arn: str | None, event: dict[str, Any], user: str) -> dict[str, Any]:
    """Return the request for `user`, which is the session's id for an anonymous visitor.

    A filter parameter without a value in the event is left out. Personalize then ignores that part of an EXCLUDE
    filter, and refuses the call for an INCLUDE filter.
    """
    kind = "recommenderArn" if arn.split(":", 5)[-1].startswith("recommender/") else "campaignArn"
    request: dict[str, Any] = {kind: arn, "userId": user, "numResults": settings.results}
    context = {name: text for name, path in settings.context if (text := _context(event, path)) is not None}
    if context:
        request["context"] = context
    if filter_arn is not None:
        request["filterArn"] = filter_arn
        found = {name: _filter_value(event, path) for name, path in settings.filter_values}
        values = {name: value for name, value in found.items() if value is not None}
        if values:
            request["filterValues"] = values
    return request


def recommend(client: "PersonalizeRuntimeClient", request: dict[str, Any]) -> Recommendation:
    """Send a request and return the recommendations. Raises botocore's errors and UnreadableError.

    Ids that could be markup are left out: anyone with the write key can add them to the catalog, and a page may render
    the written-back ids unescaped.
    """
    answer = client.get_recommendations(**request)
    if "itemList" not in answer:
        # botocore parses a proxy's page as an answer without members.
        raise UnreadableError
    ids = [item["itemId"] for item in answer["itemList"] if "itemId" in item]
    items = [one for one in ids if not _MARKUP.search(one)]
    return Recommendation(items, answer.get("recommendationId"), datetime.now(UTC), len(ids) - len(items))


def _context(event: dict[str, Any], path: Path) -> str | None:
    value = walk(event, path)
    plain = isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value))
    text = json.dumps(value) if plain else any_id(value)
    return text if text is not None and len(text) <= MAX_VALUE else None


def _filter_value(event: dict[str, Any], path: Path) -> str | None:
    """Return a value in the syntax of filters: quoted texts, bare numbers, commas between several."""
    value = walk(event, path)
    parts = []
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, int | float) and not isinstance(part, bool) and math.isfinite(part):
            parts.append(json.dumps(part))
        elif (text := any_id(part)) is not None and '"' not in text:
            parts.append(f'"{text}"')
        else:
            return None
    text = ",".join(parts)
    return text if 0 < len(text) <= MAX_VALUE else None
