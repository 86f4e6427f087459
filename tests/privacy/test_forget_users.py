"""Users to delete are read exactly, or nothing is done. No message names a user."""

import hashlib
import hmac
import json
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize_segment.errors import ForgetError
from personalize_segment.privacy.users import forwarded, listed

SECRET = "s3cret ü"
#: From the documentation of the Webhooks destination.
SENT = "2012-12-02T00:30:08.276Z"
BODY = f'{{"type":"delete","userId":"019mr8mf4r","timestamp":"{SENT}"}}'.encode()
NOW = datetime.fromisoformat("2012-12-02T00:30:08+00:00")


def signed(body: bytes, secret: str = SECRET) -> str:
    """Return the X-Signature of a body."""
    return hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()


@pytest.mark.parametrize(
    ("text", "users"),
    [
        pytest.param("a\nb\n", {"a", "b"}, id="one per line"),
        pytest.param("a\r\nb", {"a", "b"}, id="lines of Windows, no end"),
        pytest.param("\n a \n\n  \na\n", {" a ", "a"}, id="spaces count, blank lines don't"),
        pytest.param("\ufeffa\n", {"a"}, id="a byte order mark"),
        pytest.param('say "hi"\n', {'say "hi"'}, id="quotes are part of a plain id"),
        pytest.param("a\na\n", {"a"}, id="twice is once"),
        pytest.param("a\u2028b\u00a0\n", {"a\u2028b\u00a0"}, id="only a line feed ends a line"),
        pytest.param("id\nuser_id_1\n", {"id", "user_id_1"}, id="ids that begin like a header"),
        pytest.param("USER_ID\na\n\nb\n", {"a", "b"}, id="a CSV"),
        pytest.param('\ufeffPLAN,USER_ID,X\nfree,"a,""1""",\n,b,2\n', {'a,"1"', "b"}, id="a CSV with other columns"),
    ],
)  # fmt: skip
def test_ids_are_taken_from_lines_or_from_a_column(text: str, users: set[str]) -> None:
    assert listed(text.encode(), "file") == users


@pytest.mark.parametrize(
    ("data", "place", "problem"),
    [
        pytest.param(b"", "file", "contains no user id", id="nothing"),
        pytest.param(b"\n \n", "file", "contains no user id", id="blank lines"),
        pytest.param(b"USER_ID\n", "file", "contains no user id", id="a header alone"),
        pytest.param(b"a\n\xff\n", "file", "isn't UTF-8", id="bytes"),
        pytest.param(b"a\nsecret\tb\n", "file:2", "isn't a valid user id", id="a control character"),
        pytest.param(b"a\n" + b"secret" * 50, "file:2", "isn't a valid user id", id="too long"),
        pytest.param(b"a\nid,secret\n", "file:2", "looks like a line of CSV", id="a comma"),
        pytest.param(b"NAME;USER_ID\nx;secret\n", "file:1", "looks like a line of CSV", id="semicolons"),
        pytest.param(b"user_id\nsecret\n", "file:1", "looks like a line of CSV", id="a header in lower case"),
        pytest.param(b"userId \nsecret\n", "file:1", "looks like a line of CSV", id="a header in camel case"),
        pytest.param(b'a\n{"userId": "secret"}\n', "file:2", "looks like a line of CSV or JSON", id="JSON"),
        pytest.param(b"a\n# secret\n", "file:2", "looks like a line of CSV or JSON", id="a comment"),
        pytest.param(b"X,USER_ID\n1,a\nsecret\n", "file:3", "isn't a valid user id", id="a short line of a CSV"),
        pytest.param(b"X,USER_ID\n1,a\nsecret,b,c\n", "file:3", "isn't a valid user id", id="a long line of a CSV"),
        pytest.param(b"X,USER_ID\n1,\n", "file:2", "isn't a valid user id", id="an empty value"),
        pytest.param(b'USER_ID\n"secret\nb\n', "file:2", "isn't a valid user id", id="a quote left open"),
        pytest.param(b'USER_ID\n"secret" b\n', "file:2", "isn't a valid user id", id="something after a quote"),
    ],
)
def test_what_is_no_id_is_named_by_its_line_only(data: bytes, place: str, problem: str) -> None:
    with pytest.raises(ForgetError, match=problem) as raised:
        listed(data, "file")
    assert raised.value.place == place
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("user", "found"),
    [
        pytest.param("019mr8mf4r", "019mr8mf4r", id="a string"),
        pytest.param(42, "42", id="an integer is its decimal text, as in an export"),
        pytest.param("bö 😀", "bö 😀", id="beyond ASCII"),
    ],
)
def test_a_signed_deletion_names_its_user(user: object, found: str) -> None:
    for ascii_ in (True, False):
        body = json.dumps({"type": "delete", "userId": user, "timestamp": SENT}, ensure_ascii=ascii_).encode()
        assert forwarded(body, signed(body), SECRET, "body", NOW) == {found}
        assert forwarded(body, f" {signed(body).upper()}\n", SECRET, "body", NOW) == {found}


@pytest.mark.parametrize(
    ("minutes", "taken"), [(-61, False), (-60, True), (0, True), (60, True), (61, False), (5_000_000, False)]
)
def test_a_deletion_is_taken_for_an_hour(minutes: int, *, taken: bool) -> None:
    if taken:
        assert forwarded(BODY, signed(BODY), SECRET, "body", NOW + timedelta(minutes=minutes)) == {"019mr8mf4r"}
        return
    with pytest.raises(ForgetError, match=f"isn't from the last hour: '{SENT}'.*--users"):
        forwarded(BODY, signed(BODY), SECRET, "body", NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize("timestamp", [None, "yesterday", 1354408208, "2012-12-02 00:30:08Z"])
def test_a_deletion_whose_age_is_not_known_is_refused(timestamp: object) -> None:
    body = json.dumps({"type": "delete", "userId": "a", "timestamp": timestamp}).encode()
    with pytest.raises(ForgetError, match="isn't from the last hour"):
        forwarded(body, signed(body), SECRET, "body", NOW)


def test_the_signature_is_segment_s() -> None:
    # Computed with OpenSSL: openssl dgst -sha1 -hmac key
    body = b"The quick brown fox jumps over the lazy dog"
    with pytest.raises(ForgetError, match="isn't a deletion"):
        forwarded(body, "de7c9b85b8b78aa6bc8a7a36f70a90701c9db4d9", "key", "body")


@pytest.mark.parametrize(
    ("signature", "secret"),
    [
        pytest.param("", SECRET, id="none"),
        pytest.param(signed(BODY)[:-1], SECRET, id="cut"),
        pytest.param(signed(BODY) + "0", SECRET, id="longer"),
        pytest.param(signed(BODY), "other", id="another secret"),
        pytest.param(signed(BODY + b"\n"), SECRET, id="another body"),
        pytest.param(hashlib.sha1(BODY).hexdigest(), SECRET, id="no HMAC"),
        pytest.param(hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest(), SECRET, id="SHA-256"),
        pytest.param("é" * 40, SECRET, id="no hex"),
        pytest.param("\ud800", SECRET, id="no character"),
    ],
)
def test_a_wrong_signature_is_refused(signature: str, secret: str) -> None:
    with pytest.raises(ForgetError, match="doesn't match X-Signature") as raised:
        forwarded(BODY, signature, secret, "body")
    assert signed(BODY, secret) not in str(raised.value)


@given(st.binary(max_size=50), st.binary(min_size=1, max_size=50), st.text(min_size=1, max_size=9))
def test_no_other_body_has_the_signature(body: bytes, other: bytes, secret: str) -> None:
    if body == other:
        other += b"x"
    with pytest.raises(ForgetError, match="doesn't match X-Signature"):
        forwarded(other, signed(body, secret), secret, "body")


def test_an_empty_secret_proves_nothing() -> None:
    with pytest.raises(ForgetError, match="empty secret"):
        forwarded(BODY, signed(BODY, ""), "", "body")


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        pytest.param(b"{", "isn't a deletion", id="no JSON"),
        pytest.param(b"\xff", "isn't a deletion", id="bytes"),
        pytest.param(b"[" * 10_000, "isn't a deletion", id="nested"),
        pytest.param(b"[" + BODY + b"]", "isn't a deletion", id="an array"),
        pytest.param(BODY.replace(b"delete", b"identify"), "isn't a deletion", id="another call"),
        pytest.param(b'{"userId":"a"}', "isn't a deletion", id="no type"),
        pytest.param(b'{"type":"delete"}', "has no userId", id="no user"),
        pytest.param(b'{"type":"delete","userId":null,"anonymousId":"a"}', "has no userId", id="a visitor"),
        pytest.param(b'{"type":"delete","userId":["a"]}', "has no userId", id="several"),
        pytest.param(b'{"type":"delete","userId":""}', "has no userId", id="an empty id"),
    ],
)
def test_what_is_signed_but_no_deletion_of_a_user_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(ForgetError, match=problem):
        forwarded(body, signed(body), SECRET, "body")
