"""Segment's Public API: requests with a token, pages, rate limits, and errors with remedies.

botocore sends the requests, with its certificates and the environment's proxies. So boto3 is the only dependency.
"""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.exceptions import ConnectionError as EndpointError
from botocore.exceptions import HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from ..errors import WorkspaceError

Region = Literal["us", "eu"]
URLS: dict[Region, str] = {"us": "https://api.segmentapis.com", "eu": "https://eu1.api.segmentapis.com"}
#: The API version that this module supports.
MEDIA_TYPE = "application/vnd.segment.v1+json"
PAGE = 200
TRIES = 5
#: The longest wait for the end of a rate limit, whose window is a minute.
LONGEST_WAIT_SECONDS = 120.0
TIMEOUT_SECONDS = 30

_REMEDIES = {
    400: "Segment doesn't understand the request. Report it with this message",
    401: "Check the token in PUBLIC_API_TOKEN, and the region: a workspace in the EU needs --region eu",
    402: "Upgrade the workspace's Segment plan, which doesn't include it",
    403: "Give the token the permissions in docs/security.md, and check whether your Segment plan includes the"
    " Public API (Team and Business)",
    404: "It was deleted in the meantime, or isn't in the token's workspace. Rerun the command",
    422: "Segment refuses a value. Compare it with docs/segment.md",
}


class RefusedRequestError(WorkspaceError):
    """Segment answered with a 4xx `status`."""

    def __init__(self, place: str, status: int, message: str) -> None:
        super().__init__(place, f"Segment answers {status}: {message}", _REMEDIES.get(status, "Rerun this later"))
        self.status = status


class PublicApi:
    """A client for the API at `url`. `said` is called with a text before each wait. Raises WorkspaceError."""

    def __init__(
        self,
        token: str,
        url: str,
        said: Callable[[str], None] = lambda text: None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost"):
            raise WorkspaceError(url, "isn't an https:// URL", "Use https://, because the token must be encrypted")
        self._token, self._url, self._said, self._sleep = token, url.rstrip("/"), said, sleep
        self._session = URLLib3Session(proxies=get_environ_proxies(self._url), timeout=TIMEOUT_SECONDS)

    def pages(self, path: str, key: str) -> list[dict[str, Any]]:
        """Return the objects under `key` from all pages of a list."""
        found: list[dict[str, Any]] = []
        query = {"pagination[count]": str(PAGE)}
        while True:
            data = self.send("GET", f"{path}?{urlencode(query)}", key)
            found += data[key]
            following = (data.get("pagination") or {}).get("next")
            if not following:
                return found
            query["pagination[cursor]"] = following

    def send(self, method: str, path: str, key: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the `data` of an answer, which must have a `key`. A POST that may have succeeded isn't retried."""
        place = f"{method} {path.partition('?')[0]}"
        for number in range(1, TRIES + 1):
            try:
                answer = self._once(method, path, body)
            except (HTTPClientError, EndpointError) as error:
                # A second POST could create a second source.
                if method == "POST" or number == TRIES:
                    problem = self._without_token(str(error))
                    raise WorkspaceError(place, problem, "Check the network, then rerun the command") from None
                self._sleep(2.0 ** (number - 1))
                continue
            again = answer.status_code == 429 or (answer.status_code >= 500 and method != "POST")
            if not again or number == TRIES:
                break
            self._wait(answer, number, place)
        return self._data(answer, place, key)

    def _once(self, method: str, path: str, body: Mapping[str, Any] | None) -> AWSResponse:
        headers = {"Authorization": f"Bearer {self._token}", "Accept": MEDIA_TYPE}
        if body is not None:
            headers["Content-Type"] = MEDIA_TYPE
        data = None if body is None else json.dumps(body)
        return self._session.send(AWSRequest(method, self._url + path, headers, data).prepare())

    def _wait(self, answer: AWSResponse, number: int, place: str) -> None:
        seconds = _seconds_left(answer) if answer.status_code == 429 else None
        if seconds is None:
            seconds = 2.0 ** (number - 1)
        if seconds > LONGEST_WAIT_SECONDS:
            problem = f"Segment's rate limit ends in {seconds:,.0f} seconds"
            raise WorkspaceError(place, problem, "Rerun the command then. Finished changes stay done")
        if answer.status_code == 429:
            self._said(f"Segment's rate limit: waiting {seconds:.0f} seconds")
        self._sleep(seconds)

    def _data(self, answer: AWSResponse, place: str, key: str) -> Any:
        document = _json(answer)
        if 200 <= answer.status_code < 300:
            data = document.get("data")
            if not isinstance(data, dict) or key not in data:
                raise WorkspaceError(place, f"the answer has no data.{key}", "Check --api-url and PUBLIC_API_URL")
            return data
        message = "; ".join(str(one.get("message")) for one in _errors(document)) or "no reason given"
        if answer.status_code < 500:
            raise RefusedRequestError(place, answer.status_code, self._without_token(message))
        problem = f"Segment answers {answer.status_code}: {self._without_token(message)}"
        raise WorkspaceError(place, problem, "Check https://status.segment.com, then rerun the command")

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "…")


def _json(answer: AWSResponse) -> dict[str, Any]:
    try:
        document = json.loads(answer.content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _errors(document: dict[str, Any]) -> list[dict[str, Any]]:
    errors = document.get("errors")
    return [one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []


def _seconds_left(answer: AWSResponse) -> float | None:
    """Return the seconds until a rate limit ends, from a header or the body; None if neither tells."""
    after = answer.headers.get("Retry-After", "")
    if after.isdigit():
        return float(after)
    for error in _errors(_json(answer)):
        data = error.get("data")
        left = data.get("msBeforeNext") if isinstance(data, dict) else None
        if isinstance(left, int | float):
            return max(0.0, left / 1000)
    for instant in (after, answer.headers.get("X-RateLimit-Reset", "")):
        try:
            end = parsedate_to_datetime(instant)
        except ValueError:
            continue
        end = end if end.tzinfo else end.replace(tzinfo=UTC)
        return max(0.0, (end - datetime.now(UTC)).total_seconds())
    return None
