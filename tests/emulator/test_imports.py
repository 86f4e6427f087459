"""Import jobs read CSV from S3, and fail with the documented reasons."""

import json
from typing import Any

import pytest

from offline import INTERACTIONS, ROLE, Offline, interactions, policy
from personalize_emulator import Clock, Faults
from personalize_emulator.imports import rows
from personalize_emulator.s3 import NO_LOCATION, NO_RIGHTS, allowed
from personalize_emulator.schemas import Field
from personalize_emulator.store import JobError, Store

HEADER = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE"
GOOD = "u,i,1700000000,View,"
MANY = interactions()


@pytest.fixture
def offline(s3_env: str) -> Offline:
    offline = Offline(s3_env)
    offline.group()
    offline.dataset("INTERACTIONS")
    return offline


def exported(offline: Offline, mode: str = "ALL", kind: str = "INTERACTIONS") -> list[str]:
    """Return the lines that an export job writes."""
    made = offline.api.create_dataset_export_job(
        jobName=f"export-{offline.clock.now()}".replace(".", "-"),
        datasetArn=offline.arns[kind],
        ingestionMode=mode,
        roleArn=ROLE,
        jobOutput={"s3DataDestination": {"path": f"s3://{offline.bucket}/out"}},
    )["datasetExportJobArn"]
    offline.clock.advance(1200)
    found = offline.api.describe_dataset_export_job(datasetExportJobArn=made)["datasetExportJob"]
    assert found["status"] == "ACTIVE", found
    key = f"out/{found['jobName']}.csv"
    body = offline.s3.get_object(Bucket=offline.bucket, Key=key)["Body"].read()
    return list(body.decode().splitlines())


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        pytest.param([*MANY[:1], *MANY[1:1000]], "Input CSV has 999 interactions, fewer than 1000.", id="too few"),
        pytest.param(["USER_ID,EVENT_TYPE", "u,v"],
                     "Input CSV is missing the following columns: [ITEM_ID, TIMESTAMP, EVENT_VALUE].", id="columns"),
        pytest.param([HEADER.lower(), GOOD], "Input CSV is missing the following columns", id="lower case"),
        pytest.param([HEADER + ",X", GOOD + ",x"], "columns that are not in the schema: [X]", id="more"),
        pytest.param([HEADER + ",USER_ID", GOOD + ",u"], "Input CSV has a column twice", id="a column twice"),
        pytest.param([HEADER, "u,i,1700000000,View,1e39"], "'1e39' is not a number", id="more than 32 bits"),
        pytest.param([HEADER, "u,i,,View,"], "Column TIMESTAMP has no value in line 2", id="no time"),
        pytest.param([HEADER, "u,i,1700000000,,"], "Column EVENT_TYPE has no value in line 2", id="an empty text"),
        pytest.param(['"USER_ID",ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE'], "enclosed in quotation", id="quoted"),
        pytest.param([HEADER, ",i,1700000000,View,"], "Column USER_ID has no value in line 2", id="null"),
        pytest.param([HEADER, "u,i,soon,View,"], "Column TIMESTAMP in line 2: 'soon' is not an integer", id="type"),
        pytest.param([HEADER, "u,i,1700000000000,View,"], "not a time in Unix epoch seconds", id="milliseconds"),
        pytest.param([HEADER, "u,i,1700000000,View,much"], "EVENT_VALUE in line 2: 'much' is not a number", id="float"),
        pytest.param([HEADER, "u" * 257 + ",i,1700000000,View,"],
                     "Length cannot be more than 256 characters for USER_ID. If no values", id="long id"),
        pytest.param([HEADER, "u,i"], "Line 2 has 2 values for 5 columns.", id="short line"),
        pytest.param([HEADER, '"u,i,1700000000,View,'], "Line 2 ends inside quotation marks", id="two lines"),
        pytest.param([HEADER, *(f"u,i,1,t{one % 10}," for one in range(1000))],
                     "10 event types and 1 optional columns are more than 10", id="event types"),
    ],
)  # fmt: skip
def test_an_import_fails_with_its_reason(offline: Offline, lines: list[str], reason: str) -> None:
    found = offline.load("INTERACTIONS", lines)
    assert found["status"] == "CREATE FAILED"
    assert reason in found["failureReason"]
    assert exported(offline) == [HEADER]


def test_a_file_in_another_encoding_fails(offline: Offline) -> None:
    offline.s3.put_object(Bucket=offline.bucket, Key="latin.csv", Body=f"{HEADER}\nä,i,1,v,\n".encode("latin-1"))
    found = offline.load("INTERACTIONS", f"s3://{offline.bucket}/latin.csv")
    assert found["failureReason"] == "File latin.csv is not in UTF-8 encoding."


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        pytest.param("s3://no-such-bucket-anywhere/x.csv", NO_LOCATION, id="no bucket"),
        pytest.param("s3://{bucket}/nothing/", NO_LOCATION, id="empty folder"),
        pytest.param("s3://{bucket}/INTERACTIONS/imp", NO_LOCATION, id="the beginning of a folder's name"),
    ],
)
def test_a_location_without_files_fails(offline: Offline, location: str, reason: str) -> None:
    offline.put("INTERACTIONS/import/part-0.csv", MANY)
    found = offline.load("INTERACTIONS", location.format(bucket=offline.bucket))
    assert (found["status"], found["failureReason"]) == ("CREATE FAILED", reason)


def _changed(**changes: Any) -> dict[str, Any]:
    statement: dict[str, Any] = json.loads(policy("BUCKET"))["Statement"][0]
    return statement | changes


SOURCE = {"StringEquals": {"aws:SourceAccount": "123456789012"},
          "ArnLike": {"aws:SourceArn": "arn:aws:personalize:eu-west-1:123456789012:*"}}  # fmt: skip
TLS = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::BUCKET/*",
       "Condition": {"Bool": {"aws:SecureTransport": "false"}}}  # fmt: skip


@pytest.mark.parametrize(
    ("statements", "works"),
    [
        pytest.param([_changed()], True, id="as documented"),
        pytest.param([_changed(Condition=SOURCE), TLS], True, id="for this account, TLS only"),
        pytest.param([_changed(Action="s3:*", Resource="*", Principal="*")], True, id="for everybody"),
        pytest.param([_changed(Action=["s3:GetObject"])], False, id="no ListBucket"),
        pytest.param([_changed(Resource=["arn:aws:s3:::BUCKET"])], False, id="no objects"),
        pytest.param([_changed(Resource=["arn:aws:s3:::BUCKET", "arn:aws:s3:::BUCKET/other/*"])], False, id="other"),
        pytest.param([_changed(Principal={"Service": "forecast.amazonaws.com"})], False, id="another service"),
        pytest.param([_changed(Condition={"StringEquals": {"aws:SourceAccount": "2"}})], False, id="another account"),
        pytest.param([_changed(), _changed(Effect="Deny", Principal="*")], False, id="denied"),
    ],
)  # fmt: skip
def test_the_bucket_policy_decides(statements: list[Any], works: bool) -> None:
    class Bucket:
        def get_bucket_policy(self, **_: str) -> dict[str, str]:
            return {"Policy": json.dumps({"Statement": statements})}

    store = Store("eu-west-1", "123456789012", Clock(), Faults(), Bucket)
    if works:
        allowed(store, "BUCKET", "data/", ("s3:ListBucket", "s3:GetObject"))
    else:
        with pytest.raises(JobError, match=NO_RIGHTS):
            allowed(store, "BUCKET", "data/", ("s3:ListBucket", "s3:GetObject"))


def test_a_bucket_without_policy_is_closed_to_the_service(offline: Offline) -> None:
    offline.s3.delete_bucket_policy(Bucket=offline.bucket)
    assert offline.load("INTERACTIONS", MANY)["failureReason"] == NO_RIGHTS


def test_a_folder_of_files_is_one_import_and_a_full_one_replaces_it(offline: Offline) -> None:
    for number, part in enumerate((MANY[1:900], MANY[900:])):
        offline.put(f"data/part-{number}.csv", [HEADER, *part])
    offline.put("data/deeper/part-2.csv", [HEADER, GOOD])
    offline.put("data/_SUCCESS", [])
    for location in ("data", "data/"):
        offline.clock.advance(1)
        found = offline.load("INTERACTIONS", f"s3://{offline.bucket}/{location}", name=location.replace("/", "-"))
        assert found["status"] == "ACTIVE", found
        assert len(exported(offline)) == len(MANY) + 1


def test_an_incremental_import_adds_and_needs_a_full_one_before(offline: Offline) -> None:
    with pytest.raises(offline.api.exceptions.InvalidInputException, match="needs an earlier FULL import"):
        offline.load("INTERACTIONS", MANY, importMode="INCREMENTAL")
    offline.load("INTERACTIONS", MANY)
    offline.load("INTERACTIONS", interactions(seed=2), name="more", importMode="INCREMENTAL")
    assert len(exported(offline)) == 2 * (len(MANY) - 1) + 1
    assert offline.load("INTERACTIONS", MANY, name="again")["importMode"] == "FULL"
    assert len(exported(offline)) == len(MANY)


def test_streamed_rows_outlive_a_full_import(offline: Offline) -> None:
    tracker = offline.tracker()
    event: Any = {"eventType": "View", "sentAt": 1_700_000_000, "itemId": "live", "eventValue": 2.5}
    offline.events.put_events(trackingId=tracker, sessionId="s", userId="u1", eventList=[event])
    offline.load("INTERACTIONS", MANY)
    assert exported(offline, "PUT") == [HEADER, "u1,live,1700000000,View,2.5"]
    assert len(exported(offline, "BULK")) == len(MANY)
    assert exported(offline, "ALL")[-1] == "u1,live,1700000000,View,2.5"


def test_users_are_deleted_from_all_datasets(offline: Offline) -> None:
    offline.load("INTERACTIONS", MANY)
    offline.dataset("USERS")
    offline.load("USERS", ["USER_ID,AGE,PLAN", "u1,5,a", "u2,,b"])
    made = offline.api.create_data_deletion_job(
        jobName="gone",
        datasetGroupArn=offline.arns["group"],
        roleArn=ROLE,
        dataSource={"dataLocation": offline.put("gone.csv", ["USER_ID", "u1", "stranger"])},
    )["dataDeletionJobArn"]
    found = offline.api.describe_data_deletion_job(dataDeletionJobArn=made)["dataDeletionJob"]
    assert found["status"] == "PENDING"
    offline.clock.advance(86_400)
    found = offline.api.describe_data_deletion_job(dataDeletionJobArn=made)["dataDeletionJob"]
    assert (found["status"], found["numDeleted"]) == ("COMPLETED", 9)
    assert exported(offline, kind="USERS") == ["USER_ID,AGE,PLAN", "u2,,b"]
    assert not [line for line in exported(offline) if line.startswith("u1,")]


FIELDS = (
    Field("ITEM_ID", "string", nullable=False, categorical=False, textual=False),
    Field("NAME", "string", nullable=True, categorical=False, textual=False),
)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        pytest.param("a,b", "b", id="plain"),
        pytest.param("a,", None, id="null"),
        pytest.param('a,"b,c"', "b,c", id="comma"),
        pytest.param(r'a,"say \"b\""', 'say "b"', id="escaped quotes"),
        pytest.param('a,"say ""b"""', 'say "b"', id="doubled quotes"),
        pytest.param(r"a,b\\c", r"b\c", id="escaped backslash"),
        pytest.param("a, b ", " b ", id="blanks"),
    ],
)
def test_a_value_is_read_as_it_was_written(line: str, name: str | None) -> None:
    assert list(rows(["ITEM_ID,NAME", line], FIELDS)) == [{"ITEM_ID": "a", "NAME": name}]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        pytest.param("int", "2147483647", 2**31 - 1, id="greatest int"),
        pytest.param("int", "2147483648", None, id="no int"),
        pytest.param("long", "-9223372036854775808", -(2**63), id="least long"),
        pytest.param("long", "1.0", None, id="no long"),
        pytest.param("double", "1e3", 1000.0, id="double"),
        pytest.param("double", "nan", None, id="no number"),
        pytest.param("double", "1_0", None, id="Python's number"),
        pytest.param("boolean", "True", True, id="true"),
        pytest.param("boolean", "1", None, id="no boolean"),
    ],
)
def test_a_value_has_its_type(kind: str, text: str, value: Any) -> None:
    fields = (Field("X", kind, nullable=False, categorical=False, textual=False),)
    if value is None:
        with pytest.raises(JobError, match="Column X in line 2"):
            list(rows(["X", text], fields))
    else:
        assert list(rows(["X", text], fields)) == [{"X": value}]


def test_the_tests_schema_has_the_header_that_its_data_have() -> None:
    assert [field[0] for field in INTERACTIONS] == HEADER.split(",")


def test_columns_are_found_by_their_names_and_an_empty_number_is_null() -> None:
    fields = (
        Field("ITEM_ID", "string", nullable=False, categorical=False, textual=False),
        Field("PRICE", "float", nullable=False, categorical=False, textual=False),
        Field("STOCK", "int", nullable=False, categorical=False, textual=False),
    )
    assert list(rows(["STOCK,ITEM_ID,PRICE\n", "7,i,1.5\n", ",j,\n"], fields)) == [
        {"ITEM_ID": "i", "PRICE": 1.5, "STOCK": 7},
        {"ITEM_ID": "j", "PRICE": None, "STOCK": None},
    ]
