"""A place works the same in a file system and in S3: listing, reading, replacing and errors."""

import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from personalize_segment.errors import ForgetError, PersonalizeSegmentError, PlaceError, PreflightError
from personalize_segment.places import READ, LocalPlace, OvertakenError, Place, S3Place, errors_at, is_inside, place


@pytest.fixture(params=["folder", "prefix", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path, s3_env: str) -> Place:
    """Return a place with two files, next to a place with a similar name."""
    text = {"folder": str(tmp_path / "a"), "prefix": f"s3://{s3_env}/a", "bucket": f"s3://{s3_env}"}[request.param]
    for name in ("users/b.csv", "users/a.csv", "users2/c.csv"):
        (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "a" / name).write_text(name)
        key = name if request.param == "bucket" else f"a/{name}"
        boto3.client("s3").put_object(Bucket=s3_env, Key=key, Body=name.encode())
    return place(text)


@pytest.mark.parametrize(
    ("text", "bucket", "key", "below"),
    [
        ("s3://b", "b", "", "s3://b/x/y.csv"),
        ("s3://b/", "b", "", "s3://b/x/y.csv"),
        ("s3://b/out", "b", "out", "s3://b/out/x/y.csv"),
        ("s3://b/out/", "b", "out", "s3://b/out/x/y.csv"),
        ("s3://b/out/deep//", "b", "out/deep", "s3://b/out/deep/x/y.csv"),
        ("s3://b/ä?#/%20", "b", "ä?#/%20", "s3://b/ä?#/%20/x/y.csv"),
    ],
)
def test_an_s3_uri_is_a_bucket_and_a_key_without_trailing_slashes(text: str, bucket: str, key: str, below: str) -> None:
    client = boto3.client("s3", region_name="us-east-1")
    found = place(text, client)
    assert found == S3Place(bucket, key, client)
    assert str(found / "x/y.csv") == str(found / "x" / "y.csv") == below


@pytest.mark.parametrize("text", ["S3://b", "s3a://b/c", "gs://b", "https://b.s3.amazonaws.com/c"])
def test_another_uri_is_no_folder(text: str) -> None:
    with pytest.raises(PlaceError, match="isn't a path or an S3 URI"):
        place(text)


@pytest.mark.parametrize(
    ("inner", "outer", "inside"),
    [
        ("s3://b/logs/stage", "s3://b/logs/", True),
        ("s3://b/logs", "s3://b", True),
        ("s3://b/logs-stage", "s3://b/logs", False),
        ("s3://c/logs/stage", "s3://b/logs", False),
        ("logs", "s3://logs", False),
        ("logs/../stage", "logs", False),
        ("logs/stage", "./logs/", True),
    ],
)
def test_a_place_may_be_inside_another(inner: str, outer: str, inside: bool) -> None:
    assert is_inside(place(inner), place(outer)) is inside


@pytest.mark.parametrize("text", ["out", "out/", "/out", "s3:/b", "b/s3://c"])
def test_everything_else_is_a_path(text: str) -> None:
    assert place(text) == LocalPlace(Path(text))
    assert str(place(text) / "x/y.csv") == str(Path(text, "x", "y.csv"))


def test_files_are_listed_by_name(root: Place) -> None:
    files = (root / "users").files()
    assert [(file.name, file.inner, file.bytes) for file in files] == [
        (f"{root}/users/{name}", name, 11) for name in ("a.csv", "b.csv")
    ]
    assert (root / "none").files() == []


def test_markers_of_folders_are_no_files(s3_env: str) -> None:
    folder = S3Place(s3_env, "out")
    for key in ("out/", "out/deep/", "out/deep/a.csv"):
        boto3.client("s3").put_object(Bucket=s3_env, Key=key)
    assert [file.inner for file in folder.objects()] == ["", "deep/", "deep/a.csv"]
    assert [file.inner for file in folder.files()] == ["deep/a.csv"]


def test_more_than_one_answer_is_listed(s3_env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client = boto3.client("s3")
    names = [f"{number}.csv" for number in range(5)]
    for name in names:
        client.put_object(Bucket=s3_env, Key=name)
    plain = client.list_objects_v2
    monkeypatch.setattr(client, "list_objects_v2", lambda **request: plain(**request, MaxKeys=2))
    assert [file.inner for file in place(f"s3://{s3_env}", client).files()] == names


def test_a_file_is_read_and_fetched_and_deleted(root: Place, tmp_path: Path) -> None:
    file = root / "users/a.csv"
    data, version = file.read() or (b"", "none")
    assert data == file.fetch(tmp_path / "copy").read_bytes() == b"users/a.csv"
    assert version == (root / "users").files()[0].version
    file.delete()
    assert file.read() is None


def test_a_file_is_made_and_replaced(root: Place, tmp_path: Path) -> None:
    file = root / "users/new"
    (tmp_path / "made").write_bytes(b"third")
    with file.locked():
        file.swap(b"first", None)
        data, version = file.read() or (b"", "")
        assert data == b"first"
        file.swap(b"second", version)
    data, version = file.read() or (b"", "")
    assert data == b"second"
    file.replace(tmp_path / "made", "text/csv", version)
    assert (file.read() or (b"", ""))[0] == b"third"


@pytest.mark.parametrize("exists", [True, False])
def test_an_object_that_changed_since_it_was_read_is_not_replaced(exists: bool, s3_env: str, tmp_path: Path) -> None:
    file = S3Place(s3_env, "list")
    (tmp_path / "made").write_bytes(b"late")
    if exists:
        file.swap(b"old", None)
    version = file.read()[1] if exists else None  # type: ignore[index]
    boto3.client("s3").put_object(Bucket=s3_env, Key="list", Body=b"faster")
    with pytest.raises(OvertakenError):
        file.swap(b"late", version)
    with pytest.raises(OvertakenError):
        file.replace(tmp_path / "made", "text/csv", '"of another"')
    file.delete()
    with pytest.raises(OvertakenError):
        file.swap(b"late", '"of one that is gone"')
    assert file.read() is None


def test_a_local_place_needs_no_boto3(tmp_path: Path) -> None:
    code = "import sys\nfrom personalize_segment.places import place\nplace('.').files()\nprint('boto3' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


ENOENT = "No such file or directory"
REFUSED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not today"}}, "GetObject")


@pytest.mark.parametrize(
    ("text", "raised", "named", "problem"),
    [
        ("out", FileNotFoundError(2, ENOENT, "out"), "out", ENOENT),
        ("out/", FileNotFoundError(2, ENOENT, "out/users/a.csv"), "out/users/a.csv", ENOENT),
        ("out", FileNotFoundError(2, ENOENT, "/tmp/copy"), "out", ENOENT),
        ("out", FileNotFoundError(2, ENOENT, "outside"), "out", ENOENT),
        ("out", OSError("strange"), "out", "strange"),
        ("s3://b/out/", OSError(28, "No space left on device"), "s3://b/out/", "No space left on device"),
        ("s3://b/out/", REFUSED, "s3://b/out/", str(REFUSED)),
        ("s3://b/out", NoCredentialsError(), "s3://b/out", "Unable to locate credentials"),
    ],
)
@pytest.mark.parametrize(("error", "remedy"), [(PreflightError, READ), (ForgetError, "Do this")])
def test_an_error_names_the_place_the_problem_and_the_callers_remedy(
    text: str, raised: Exception, named: str, problem: str, error: type[PersonalizeSegmentError], remedy: str
) -> None:
    with pytest.raises(error) as translated, errors_at(text, error, remedy):
        raise raised
    assert translated.value.args == (named, problem, remedy)
    assert translated.value.__cause__ is raised
