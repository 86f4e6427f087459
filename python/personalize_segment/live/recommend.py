"""What to recommend to the user of an event: GetRecommendations, with values taken from the event."""

import json
import math
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ..contract.mapping import Path
from ..contract.rows import string, walk
from .settings import Settings

#: Characters of one value of a filter's parameter or of the context.
MAX_VALUE = 1000


class Recommendation(NamedTuple):
    """Item ids, best first, with Personalize's id of the list and when it was made (UTC)."""

    items: list[str]
    id: str | None
    at: datetime


class UnreadableError(Exception):
    """The answer is not Personalize's."""


def request(settings: Settings, arn: str, filter_arn: str | None, event: dict[str, Any], user: str) -> dict[str, Any]:
    """Return the request for `user`, which is a session's id for an anonymous visitor.

    Raises ValueError if the event has no value for a parameter of the filter, without which
    Personalize refuses the call.
    """
    kind = "recommenderArn" if arn.split(":", 5)[-1].startswith("recommender/") else "campaignArn"
    made: dict[str, Any] = {kind: arn, "userId": user, "numResults": settings.results}
    context = {name: text for name, path in settings.context if (text := _context(event, path)) is not None}
    if context:
        made["context"] = context
    if filter_arn is not None:
        made["filterArn"] = filter_arn
        values = {name: _filter_value(event, path) for name, path in settings.filter_values}
        if None in values.values():
            raise ValueError("no filter value")
        if values:
            made["filterValues"] = values
    return made


def recommend(client: Any, made: dict[str, Any]) -> Recommendation:
    """Send a request; raises what botocore raises."""
    answer = client.get_recommendations(**made)
    if "itemList" not in answer:
        # botocore reads a page of a proxy as an answer without members.
        raise UnreadableError
    items = [one["itemId"] for one in answer["itemList"] if "itemId" in one]
    return Recommendation(items, answer.get("recommendationId"), datetime.now(UTC))


def _context(event: dict[str, Any], path: Path) -> str | None:
    value = walk(event, path)
    plain = isinstance(value, bool) or (isinstance(value, float) and math.isfinite(value))
    text = json.dumps(value) if plain else string(value)
    return text if text is not None and len(text) <= MAX_VALUE else None


def _filter_value(event: dict[str, Any], path: Path) -> str | None:
    """Return a value as filters want it: texts in quotes, several with commas between them, numbers bare."""
    value = walk(event, path)
    parts = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, int | float) and not isinstance(one, bool) and math.isfinite(one):
            parts.append(json.dumps(one))
        elif (text := string(one)) is not None and '"' not in text:
            parts.append(f'"{text}"')
        else:
            return None
    text = ",".join(parts)
    return text if 0 < len(text) <= MAX_VALUE else None
