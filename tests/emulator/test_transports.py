"""boto3 in process, boto3 over WSGI and a bare HTTP client get the same answers."""

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from offline import INTERACTIONS, schema, session
from personalize_emulator import Clock, Emulator, handle, install, wsgi

GROUP = "arn:aws:personalize:us-east-1:123456789012:dataset-group/shop"
SCOPE = "AWS4-HMAC-SHA256 Credential=testing/20240101/{}/{}/aws4_request, SignedHeaders=host, Signature=0"


class Quiet(WSGIRequestHandler):
    """A handler that writes no log."""

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.fixture
def emulator() -> Emulator:
    return Emulator(Clock(speed=0, start=1_700_000_000))


def other(environment: dict[str, Any], start: Any) -> Iterable[bytes]:
    start("418 other", [("content-length", "5")])
    return [b"other"]


@pytest.fixture
def port(emulator: Emulator) -> Iterator[int]:
    with make_server("127.0.0.1", 0, wsgi(emulator, other), handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def post(port: int, path: str, headers: dict[str, str], body: Any) -> tuple[int, dict[str, str], bytes]:
    """Return the answer to a plain HTTP client."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(
            "POST", path, json.dumps(body), {"authorization": SCOPE.format("us-east-1", "personalize")} | headers
        )
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def over_http(port: int, service: str) -> Any:
    return session().client(service, endpoint_url=f"http://127.0.0.1:{port}")


def plain(answer: Any) -> Any:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def test_all_clients_get_the_same_answers(emulator: Emulator, port: int) -> None:
    hooked = session().client("personalize")
    install(emulator, hooked)
    served = over_http(port, "personalize")
    assert served.create_dataset_group(name="shop")["datasetGroupArn"] == GROUP
    assert plain(hooked.list_dataset_groups()) == plain(served.list_dataset_groups())
    described = plain(hooked.describe_dataset_group(datasetGroupArn=GROUP))
    assert described == plain(served.describe_dataset_group(datasetGroupArn=GROUP))
    status, headers, body = post(
        port, "/", {"x-amz-target": "AmazonPersonalize.DescribeDatasetGroup"}, {"datasetGroupArn": GROUP}
    )
    assert (status, headers["content-type"]) == (200, "application/x-amz-json-1.1")
    assert json.loads(body) == {
        "datasetGroup": {
            "name": "shop",
            "datasetGroupArn": GROUP,
            "status": "CREATE PENDING",
            "creationDateTime": 1_700_000_000,
            "lastUpdatedDateTime": 1_700_000_000,
        }
    }


def test_all_clients_get_the_same_errors(emulator: Emulator, port: int) -> None:
    hooked = session().client("personalize-runtime")
    install(emulator, hooked)
    request: Any = {"campaignArn": GROUP, "userId": "u"}
    errors = []
    for client in (hooked, over_http(port, "personalize-runtime")):
        with pytest.raises(client.exceptions.ResourceNotFoundException) as refused:
            client.get_recommendations(**request)
        errors.append((refused.value.response["Error"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]))
    status, headers, body = post(port, "/recommendations", {}, request)
    answer = json.loads(body)
    assert errors == [({"Code": answer["__type"], "Message": answer["message"]}, status)] * 2
    assert (status, headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")


def test_what_has_no_answer_in_the_model_has_an_empty_body(emulator: Emulator) -> None:
    emulator.call("CreateSchema", {"name": "s", "schema": schema("Interactions", INTERACTIONS)})
    body = json.dumps({"schemaArn": GROUP.replace("dataset-group/shop", "schema/s")})
    assert handle(emulator, "POST", "/", {"X-Amz-Target": b"AmazonPersonalize.DeleteSchema"}, body)[::2] == (200, b"")


@pytest.mark.parametrize(
    ("headers", "path", "body", "status", "code"),
    [
        pytest.param(
            {"x-amz-target": "AmazonPersonalize.Nothing"}, "/", b"{}", 404, "UnknownOperationException", id="target"
        ),
        pytest.param({}, "/nothing", b"{}", 404, "UnknownOperationException", id="path"),
        pytest.param({}, "/events", b"{", 400, "SerializationException", id="not JSON"),
        pytest.param({}, "/events", b"[]", 400, "SerializationException", id="an array"),
        pytest.param({}, "/events", b"\xff", 400, "SerializationException", id="not UTF-8"),
        pytest.param({}, "/events", None, 400, "InvalidInputException", id="no body"),
    ],
)
def test_what_is_no_request_has_an_answer(
    emulator: Emulator, headers: dict[str, str], path: str, body: bytes | None, status: int, code: str
) -> None:
    found, _, text = handle(emulator, "POST", path, headers, body)
    assert (found, json.loads(text)["__type"]) == (status, code)


def test_the_region_is_that_of_the_signature(emulator: Emulator, port: int) -> None:
    target = {"x-amz-target": "AmazonPersonalize.CreateDatasetGroup"}
    scope = {"authorization": SCOPE.format("ap-south-1", "personalize")}
    _, _, body = post(port, "/", target | scope, {"name": "shop"})
    assert json.loads(body)["datasetGroupArn"] == GROUP.replace("us-east-1", "ap-south-1")


@pytest.mark.parametrize("authorization", [SCOPE.format("us-east-1", "s3"), "Basic eA==", ""])
def test_what_is_signed_for_another_service_goes_to_the_fallback(port: int, authorization: str) -> None:
    assert post(port, "/events", {"authorization": authorization}, {})[::2] == (418, b"other")


def _of_boto3() -> Any:
    return boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name="us-east-1")


def _of_botocore() -> Any:
    made: Any = botocore.session.Session()
    made.set_credentials("a", "b")
    made.set_config_variable("region", "us-east-1")
    return made


@pytest.mark.parametrize(("make", "method"), [(_of_boto3, "client"), (_of_botocore, "create_client")])
def test_a_session_that_is_installed_gives_clients_of_all_three_services(
    emulator: Emulator, make: Callable[[], Any], method: str
) -> None:
    made = make()
    install(emulator, made)
    client = getattr(made, method)
    assert client("personalize").list_dataset_groups()["datasetGroups"] == []
    with pytest.raises(ClientError, match="does not exist"):
        client("personalize-events").put_items(datasetArn=GROUP, items=[{"itemId": "i"}])
    with pytest.raises(ClientError, match="does not exist"):
        client("personalize-runtime").get_recommendations(campaignArn=GROUP, userId="u")


def test_botocore_retries_what_it_always_retries(emulator: Emulator) -> None:
    client = session().client("personalize", config=Config(retries={"mode": "standard"}))
    install(emulator, client)
    emulator.faults.fail_calls("ListDatasetGroups", 1)
    assert client.list_dataset_groups()["ResponseMetadata"]["RetryAttempts"] == 1


class Slow(Clock):
    """A clock that lets other threads run before it tells the time."""

    def now(self) -> float:
        """Return the time."""
        time.sleep(0.002)
        return super().now()


def test_what_many_threads_make_at_once_is_all_there() -> None:
    emulator = Emulator(Slow(speed=0))

    def create(number: int) -> int:
        body = json.dumps({"name": f"group-{number // 2}"})
        return handle(emulator, "POST", "/", {"x-amz-target": "AmazonPersonalize.CreateDatasetGroup"}, body)[0]

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(create, range(32))) == [200] * 16 + [400] * 16
    assert len(emulator.call("ListDatasetGroups", {})["datasetGroups"]) == 16
