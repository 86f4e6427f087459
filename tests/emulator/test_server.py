"""One process serves Personalize and all other services on 127.0.0.1, and ends on request."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from personalize_emulator.server import Server, ServerError
from served import client

SERVE = "from personalize_emulator.server import serve; serve({port}, lambda s: print(s.endpoint, flush=True))"


def test_personalize_and_other_services_have_one_endpoint() -> None:
    with Server() as server:
        client(server, "s3").create_bucket(Bucket="one-endpoint")
        made = client(server, "personalize").create_dataset_group(name="one-endpoint")
        assert made["datasetGroupArn"] == "arn:aws:personalize:us-east-1:123456789012:dataset-group/one-endpoint"
        groups = client(server, "personalize").list_dataset_groups()["datasetGroups"]
        assert [group["name"] for group in groups] == ["one-endpoint"]
        assert "one-endpoint" in [bucket["Name"] for bucket in client(server, "s3").list_buckets()["Buckets"]]


def test_its_environment_is_all_that_boto3_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with Server(region="eu-west-1") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        session = boto3.session.Session()
        assert session.client("sts").get_caller_identity()["Account"] == "123456789012"
        assert session.client("sqs").create_queue(QueueName="env")["QueueUrl"].startswith(server.endpoint)
        assert session.region_name == "eu-west-1"


def test_it_is_bound_to_and_named_127_0_0_1() -> None:
    with Server() as server:
        host, port = server.endpoint.removeprefix("http://").split(":")
        assert host == "127.0.0.1"
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", int(port)))


@pytest.mark.parametrize(
    ("service", "operation", "arguments"),
    [
        pytest.param("logs", "put_query_definition", {"name": "n", "queryString": "fields @message"}, id="JSON"),
        pytest.param("iam", "get_service_last_accessed_details", {"JobId": "0" * 36}, id="query"),
    ],
)
def test_what_moto_has_not_is_refused_so_that_nobody_tries_again(
    service: str, operation: str, arguments: dict[str, str]
) -> None:
    with Server() as server, pytest.raises(ClientError) as caught:
        getattr(client(server, service), operation)(**arguments)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert caught.value.response["Error"]["Code"] == "NotImplemented"
    assert "has not been implemented" in caught.value.response["Error"]["Message"]


def test_a_service_for_which_moto_lacks_a_package_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("moto.cognitoidp")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "joserfc", None)
    with Server() as server, pytest.raises(ClientError) as caught:
        client(server, "cognito-idp").list_user_pools(MaxResults=1)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    message = "For this service moto needs joserfc: pip install 'moto[server]'"
    assert caught.value.response["Error"] == {"Code": "NotImplemented", "Message": message}


def test_requests_come_through_the_middleware_it_is_given() -> None:
    def middleware(moto: Any) -> Any:
        def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if environ["PATH_INFO"] == "/mine":
                start_response("200 OK", [("Content-Type", "text/plain")])
                return [b"mine"]
            found: Iterable[bytes] = moto(environ, start_response)
            return found

        return application

    with Server(personalize=middleware) as server:
        assert urllib.request.urlopen(f"{server.endpoint}/mine").read() == b"mine"
        assert client(server, "sts").get_caller_identity()["Account"] == "123456789012"


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError) as caught, Server(port):
            pass
    assert str(caught.value) == f"127.0.0.1:{port}: is in use. Name another port, or 0 for a free one."


def test_a_port_that_cannot_be_is_named_with_what_to_do() -> None:
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:70000: .*0-65535"), Server(70000):
        pass


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Host": "attacker.example"}, id="a name that leads here"),
        pytest.param({"Host": "127.0.0.1.attacker.example:80"}, id="a name that begins alike"),
        pytest.param({"Origin": "http://attacker.example"}, id="a page"),
        pytest.param({"Origin": "null"}, id="a page from a file"),
    ],
)
@pytest.mark.parametrize("path", ["/moto-api/reset", "/"])
def test_a_page_in_a_browser_gets_nothing(headers: dict[str, str], path: str) -> None:
    with Server() as server:
        client(server, "sqs").create_queue(QueueName="kept")
        request = urllib.request.Request(server.endpoint + path, data=b"", headers=headers, method="POST")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
        assert len(client(server, "sqs").list_queues()["QueueUrls"]) == 1


def test_a_second_server_in_a_process_is_refused_and_one_after_the_other_is_not() -> None:
    with Server(), pytest.raises(ServerError, match="already runs in this process"), Server():
        pass
    with Server() as server:
        assert client(server, "sts").get_caller_identity()["Account"] == "123456789012"


def test_a_server_knows_nothing_of_the_one_before() -> None:
    with Server() as server:
        s3 = client(server, "s3")
        s3.create_bucket(Bucket="once")
        s3.put_bucket_tagging(Bucket="once", Tagging={"TagSet": [{"Key": "team", "Value": "shop"}]})
        client(server, "sqs").create_queue(QueueName="once")
        s3.delete_bucket(Bucket="once")
    with Server() as server:
        assert "QueueUrls" not in client(server, "sqs").list_queues()
        client(server, "s3").create_bucket(Bucket="once")
        with pytest.raises(ClientError, match="NoSuchTagSet"):
            client(server, "s3").get_bucket_tagging(Bucket="once")


def test_a_server_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("MOTO_PORT", "12345")
    with Server() as server:
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    assert os.environ["MOTO_PORT"] == "12345"
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(server.endpoint)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_serve_answers_once_it_says_so_and_ends_in_order(number: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", SERVE.format(port=0)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().strip()
        scope = "Credential=testing/20260101/us-east-1/personalize/aws4_request"
        headers = {
            "X-Amz-Target": "AmazonPersonalize.ListSchemas",
            "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
            "Content-Type": "application/x-amz-json-1.1",
        }
        request = urllib.request.Request(endpoint, b"{}", headers)
        assert json.load(urllib.request.urlopen(request))["schemas"] == []
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (0, "")
    assert not list(tmp_path.iterdir())
