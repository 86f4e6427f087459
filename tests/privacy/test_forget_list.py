"""The suppression list stores no id, loses no user, and is changed completely or not at all."""

import hashlib
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize_segment.contract.suppression import SuppressionList, empty, parse
from personalize_segment.errors import ForgetError
from personalize_segment.places import Place
from personalize_segment.privacy import list_file

SALT = "0" * 32
HEAD = f"# personalize-segment suppression list 1, salt {SALT}\n"
HASH = "a" * 64

ids = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=256)


@given(st.sets(ids), st.sets(ids))
def test_a_list_holds_whom_it_was_given_and_nobody_else(users: set[str], others: set[str]) -> None:
    made = parse(empty().plus(users).text().encode(), "list")
    assert all(map(made.holds, users))
    assert not any(map(made.holds, others - users))
    assert parse(made.plus(others).text().encode(), "list") == made.plus(users | others)


def test_the_text_is_the_salt_and_the_sorted_hashes_of_salt_and_id() -> None:
    hashes = sorted(hashlib.sha256(f"{SALT}{user}".encode()).hexdigest() for user in ("anna", "bö"))
    assert SuppressionList(SALT).plus(["bö", "anna"]).text() == HEAD + "".join(f"{one}\n" for one in hashes)


def test_two_lists_have_nothing_in_common() -> None:
    one, other = empty().plus(["anna"]), empty().plus(["anna"])
    assert not one.hashes & other.hashes


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"anna\n", "isn't a suppression list", id="ids"),
        pytest.param(b"\n", "isn't a suppression list", id="a blank line"),
        pytest.param(b"\xff\xfe", "isn't a suppression list", id="bytes"),
        pytest.param(HEAD[:-1].encode(), "is cut off", id="cut in the head"),
        pytest.param(f"{HEAD}{HASH}".encode(), "is cut off", id="cut after a hash"),
        pytest.param(f"{HEAD}{HASH[1:]}\n".encode(), "isn't a hash", id="a short hash"),
        pytest.param(f"{HEAD}{HASH}\nanna\n".encode(), "isn't a hash", id="an id"),
        pytest.param(f"{HEAD}\n".encode(), "isn't a hash", id="a blank line after the head"),
        pytest.param(HEAD.replace("list 1", "list 2").encode(), "isn't a suppression list", id="a later version"),
    ],
)
def test_anything_but_a_whole_list_is_refused(data: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(data)
    with pytest.raises(ForgetError, match=problem):
        list_file.read(str(path))
    with pytest.raises(ForgetError, match=problem):
        list_file.add(str(path), ["u"])
    assert path.read_bytes() == data


@pytest.mark.parametrize("data", [b"", HEAD.encode()], ids=["no bytes", "a head"])
def test_an_empty_list_is_nobody(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(data)
    assert not list_file.read(str(tmp_path / "list")).hashes
    assert list_file.add(str(tmp_path / "list"), ["u"]).holds("u")


@pytest.fixture(params=["file", "object"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return where no list is yet."""
    if request.param == "file":
        return str(tmp_path / "suppressed.csv")
    return f"s3://{request.getfixturevalue('s3_env')}/privacy/suppressed.csv"


def test_a_list_that_is_not_there_is_no_list_of_nobody(place: str) -> None:
    with pytest.raises(ForgetError, match=r"No such file|no such suppression list"):
        list_file.read(place)


def test_users_are_added_to_those_before(place: str) -> None:
    first = list_file.add(place, ["a", "b"])
    second = list_file.add(place, ["b", "c"])
    assert (second.salt, second.hashes) == (first.salt, first.plus(["c"]).hashes)
    assert list_file.read(place) == second == list_file.add(place, ["a"])


def test_commands_at_the_same_time_lose_nobody(tmp_path: Path) -> None:
    place = str(tmp_path / "list")
    groups = [[f"{group}-{number}" for number in range(3)] for group in range(8)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda group: list_file.add(place, group), groups))
    found = list_file.read(place)
    assert all(found.holds(user) for group in groups for user in group)
    assert {one.salt for one in made} == {found.salt}


@pytest.mark.parametrize("before", [[], ["first"]], ids=["a new list", "an old list"])
def test_a_command_that_is_overtaken_in_s3_loses_nobody(
    before: list[str], s3_env: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"s3://{s3_env}/list"
    fetch = list_file._fetch
    if before:
        list_file.add(place, before)

    def overtaken(where: Place) -> tuple[SuppressionList, str | None]:
        found = fetch(where)
        monkeypatch.setattr(list_file, "_fetch", fetch)
        list_file.add(place, ["faster"])
        return found

    monkeypatch.setattr(list_file, "_fetch", overtaken)
    made = list_file.add(place, ["slower"])
    assert made == list_file.read(place)
    assert all(map(made.holds, [*before, "faster", "slower"]))


def test_a_list_that_others_change_all_the_time_is_an_error(s3_env: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"s3://{s3_env}/list"
    list_file.add(place, ["a"])
    fetch = list_file._fetch

    def changed_afterwards(where: Place) -> tuple[SuppressionList, str | None]:
        found = fetch(where)
        text = found[0].plus([f"other {len(found[0].hashes)}"]).text()
        boto3.client("s3").put_object(Bucket=s3_env, Key="list", Body=text.encode())
        return found

    monkeypatch.setattr(list_file, "_fetch", changed_afterwards)
    with pytest.raises(ForgetError, match="being modified concurrently"):
        list_file.add(place, ["b"])
    left = list_file.read(place)
    assert left.hashes
    assert not left.holds("b")


@pytest.mark.usefixtures("s3_env")
@pytest.mark.parametrize("action", [list_file.read, lambda place: list_file.add(place, ["u"])], ids=["read", "add"])
def test_a_bucket_that_is_not_there_is_named(action: Callable[[str], SuppressionList]) -> None:
    with pytest.raises(ForgetError, match="no such bucket") as raised:
        action("s3://no-such-bucket-9/l")
    assert raised.value.place == "s3://no-such-bucket-9/l"


def test_a_new_list_is_for_its_owner_and_an_old_one_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "list"
    list_file.add(str(path), ["a"])
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    list_file.add(str(path), ["b"])
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["list"]


#: Kills the process when it calls a given system function.
KILLED_IN = """
import os, pathlib, sys
from personalize_segment.privacy import list_file
module, name = {"os": os, "Path": pathlib.Path}[sys.argv[2]], sys.argv[3]
plain = getattr(module, name)
def killing(*args):
    if sys.argv[4] == "after":
        plain(*args)
    os.kill(os.getpid(), 9)
setattr(module, name, killing)
list_file.add(sys.argv[1], ["new"])
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("where", [("os", "fsync"), ("Path", "chmod"), ("Path", "replace")], ids=lambda one: one[1])
def test_a_command_that_is_killed_leaves_the_old_or_the_new_list(
    where: tuple[str, str], when: str, tmp_path: Path
) -> None:
    path = tmp_path / "list"
    before = list_file.add(str(path), ["old"])
    done = subprocess.run([sys.executable, "-c", KILLED_IN, str(path), *where, when], check=False)
    assert done.returncode == -9
    assert list_file.read(str(path)) == (before.plus(["new"]) if (where[1], when) == ("replace", "after") else before)
    assert list_file.add(str(path), ["new"]) == list_file.read(str(path)) == before.plus(["new"])
