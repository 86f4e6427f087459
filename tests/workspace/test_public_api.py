"""Requests to Segment's Public API: pages, rate limits, retries, and errors in one sentence."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from personalize_segment.errors import WorkspaceError
from personalize_segment.workspace.public_api import URLS, PublicApi, RefusedRequestError
from segment_workspace import TOKEN, Refusal, Workspace


class Waiting:
    """An API that records its waits and messages instead of waiting."""

    def __init__(self, url: str, token: str = TOKEN) -> None:
        self.seconds: list[float] = []
        self.said: list[str] = []
        self.api = PublicApi(token, url, self.said.append, self.seconds.append)


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


@pytest.fixture
def waiting(workspace: Workspace) -> Waiting:
    return Waiting(workspace.url)


def test_all_pages_are_read(workspace: Workspace, waiting: Waiting) -> None:
    slugs = [f"source-{number}" for number in range(9)]
    for slug in slugs:
        workspace.add_source(slug)
    assert [one["slug"] for one in waiting.api.pages("/sources", "sources")] == slugs
    assert workspace.asked("list") == ["listSources"] * 3
    assert workspace.problems == []


@pytest.mark.parametrize(
    ("refusal", "seconds"),
    [
        pytest.param(Refusal(429, headers={"Retry-After": "7"}), 7, id="the header"),
        pytest.param(Refusal(429, data={"msBeforeNext": 5764, "remainingPoints": 0}), 5.764, id="the body"),
        pytest.param(Refusal(429, headers={"X-RateLimit-Reset": "{}"}), 9, id="the end of the window"),
        pytest.param(Refusal(429, headers={"Retry-After": "{}"}), 9, id="the header as a date"),
        pytest.param(Refusal(429, headers={"X-RateLimit-Reset": "soon"}), 1, id="none of them"),
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_segment_says(
    workspace: Workspace, waiting: Waiting, refusal: Refusal, seconds: float
) -> None:
    end = format_datetime(datetime.now(UTC) + timedelta(seconds=9))
    headers = {name: text.format(end) for name, text in refusal.headers.items()}
    workspace.answer("listSources", Refusal(429, refusal.message, refusal.data, headers))
    assert waiting.api.pages("/sources", "sources") == []
    assert waiting.seconds == [pytest.approx(seconds, abs=2 if seconds == 9 else 0)]
    assert waiting.said == [f"Segment's rate limit: waiting {waiting.seconds[0]:.0f} seconds"]


def test_a_post_that_was_limited_is_sent_again_and_one_that_may_be_done_is_not(
    workspace: Workspace, waiting: Waiting
) -> None:
    body = {"slug": "a", "enabled": True, "metadataId": "id-of-http-api"}
    workspace.answer("createSource", Refusal(429), Refusal(503, "busy"))
    with pytest.raises(WorkspaceError, match="POST /sources: Segment answers 503: busy"):
        waiting.api.send("POST", "/sources", "source", body)
    assert workspace.asked("create") == ["createSource"] * 2
    assert workspace.sources == []


def test_a_get_is_tried_again_a_few_times(workspace: Workspace, waiting: Waiting) -> None:
    workspace.answer("listSources", *[Refusal(502)] * 4)
    assert waiting.api.pages("/sources", "sources") == []
    assert waiting.seconds == [1, 2, 4, 8]
    workspace.answer("listSources", *[Refusal(502)] * 5)
    with pytest.raises(WorkspaceError, match="Segment answers 502"):
        waiting.api.pages("/sources", "sources")


def test_a_long_limit_is_not_waited_for(workspace: Workspace, waiting: Waiting) -> None:
    workspace.answer("listSources", Refusal(429, headers={"Retry-After": "3600"}))
    with pytest.raises(WorkspaceError, match="rate limit ends in 3,600 seconds"):
        waiting.api.pages("/sources", "sources")
    assert waiting.seconds == []


@pytest.mark.parametrize(
    ("status", "remedy"),
    [(401, "--region eu"), (403, "docs/security.md"), (404, "Rerun the command"), (422, "docs/segment.md")],
)
def test_a_refusal_says_what_to_do(workspace: Workspace, waiting: Waiting, status: int, remedy: str) -> None:
    workspace.answer("listSources", Refusal(status, f"not with {TOKEN}"))
    with pytest.raises(RefusedRequestError) as refused:
        waiting.api.pages("/sources", "sources")
    assert refused.value.status == status
    assert str(refused.value).startswith(f"GET /sources: Segment answers {status}: not with ….")
    assert remedy in str(refused.value)


def test_a_wrong_token_is_refused(workspace: Workspace) -> None:
    with pytest.raises(RefusedRequestError, match="Check the token in PUBLIC_API_TOKEN"):
        Waiting(workspace.url, "other").api.pages("/sources", "sources")


def test_no_connection_is_tried_again_except_for_a_post(workspace: Workspace) -> None:
    with Workspace() as gone:
        waiting = Waiting(gone.url)
    with pytest.raises(WorkspaceError, match="Check the network"):
        waiting.api.pages("/sources", "sources")
    assert waiting.seconds == [1, 2, 4, 8]
    with pytest.raises(WorkspaceError, match="Check the network"):
        waiting.api.send("POST", "/sources", "source", {})
    assert len(waiting.seconds) == 4


def test_an_answer_of_something_else_is_refused(moto_server: str) -> None:
    with pytest.raises(WorkspaceError, match="PUBLIC_API_URL"):
        Waiting(moto_server).api.send("GET", "/moto-api/data.json", "sources")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"slug": "a", "enabled": True}, "$: lacks metadataId"),
        ({"slug": 1, "enabled": True, "metadataId": "m"}, "$.slug: 1 isn't a string"),
        ({"slug": "a", "enabled": "yes", "metadataId": "m"}, "$.enabled: 'yes' isn't a boolean"),
        ({"slug": "a", "enabled": True, "metadataId": "m", "name": "A"}, "$: has name, which is unknown"),
    ],
)
def test_the_stub_refuses_what_the_description_does(
    workspace: Workspace, waiting: Waiting, body: dict[str, object], problem: str
) -> None:
    with pytest.raises(RefusedRequestError) as refused:
        waiting.api.send("POST", "/sources", "source", body)
    assert refused.value.status == 422
    assert workspace.problems == [f"createSource: {problem}"]
    with pytest.raises(RefusedRequestError, match="no PATCH /sources"):
        waiting.api.send("PATCH", "/sources", "source", body)


def test_the_token_is_sent_encrypted_only() -> None:
    with pytest.raises(WorkspaceError, match="Use https://"):
        PublicApi(TOKEN, "http://api.segmentapis.com")
    for url in URLS.values():
        PublicApi(TOKEN, url)
