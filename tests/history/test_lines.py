"""Log lines: single events, several events, and reasons for none."""

import json
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.report import MAX_MALFORMED
from personalize_segment.history.export import export
from personalize_segment.history.lines import MAX_LINE_BYTES, NO_TYPE, TOO_LONG, read, read_pretty

CUT_OFF = "cut off: a JSON object that doesn't end on its line"
ARRAY = "a JSON array: write one object per line"


def event(number: int, **more: Any) -> dict[str, Any]:
    view = {"type": "track", "event": "Product Viewed", "messageId": f"m{number}", "userId": "u"}
    return view | {"timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": "p"}} | more


def text(number: int, **more: Any) -> bytes:
    return json.dumps(event(number, **more)).encode()


def ids(found: Iterator[Any]) -> list[tuple[int, Any]]:
    """Return the number of each line with its messageId, or why it is malformed."""
    return [(line.number, line.event["messageId"] if line.event else line.cause) for line in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(b"a\nb\n", [b"a", b"b"], id="lines"),
        pytest.param(b"a\nb", [b"a", b"b"], id="the last line without a line feed"),
        pytest.param(b"a\r\nb\r\n", [b"a\r", b"b\r"], id="carriage returns stay: JSON allows them"),
        pytest.param(b"\n\r\n \t\n\n", [], id="blank lines"),
        pytest.param(b"\na\n\n\nb\n ", [b"a", b"b"], id="blank lines in between"),
        pytest.param(b" a \n", [b" a "], id="blanks around"),
        pytest.param(b"\x0b\n\x0c\n\xc2\xa0\n\0\n", [b"\x0b", b"\x0c", b"\xc2\xa0", b"\0"], id="other spaces count"),
        pytest.param("a\u2028b\x85c\n".encode(), ["a\u2028b\x85c".encode()], id="Unicode's line ends are none"),
        pytest.param(b"a\rb", [b"a\rb"], id="a carriage return alone doesn't end a line"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_a_line_ends_with_a_line_feed_and_blank_ones_are_left_out(text: bytes, expected: list[bytes]) -> None:
    assert [line.text for line in read([text])] == expected


@settings(max_examples=200)
@example(b"a\nb", [1, 2])
@given(st.text("ab{\n\r \tü", max_size=30).map(str.encode), st.lists(st.integers(0, 40), max_size=8))
def test_lines_do_not_depend_on_how_a_file_is_split_into_blocks(text: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    blocks = [text[start:end] for start, end in pairwise(edges)]
    assert [line.text for line in read(blocks)] == [line for line in text.split(b"\n") if line.strip(b" \t\r")]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(text(1) + text(2), ["m1", "m2"], id="objects without a line feed"),
        pytest.param(text(1) + b" \t" + text(2) + b"\r" + text(3) + b" ", ["m1", "m2", "m3"], id="white space"),
        pytest.param(text(1, note="}{") + text(2, note='\\"}{'), ["m1", "m2"], id="braces in texts"),
        pytest.param(text(1) + b'{"a": 1}' + text(2), ["m1", NO_TYPE, "m2"], id="one of them is not an event"),
        pytest.param(text(1) + b"," + text(2), [f"something after the JSON object, at character {len(text(1)) + 1}"],
                     id="a comma between"),
        pytest.param(text(1) + text(2)[:-1], [f"something after the JSON object, at character {len(text(1)) + 1}"],
                     id="the second is cut off"),
        pytest.param(text(1)[:-1], [CUT_OFF], id="cut off before its brace"),
        pytest.param(text(1)[:30], [CUT_OFF], id="cut off in a text"),
        pytest.param(b"[" + text(1) + b"]", [ARRAY], id="an array"),
        pytest.param(b"\xef\xbb\xbf" + text(1), ["begins with a byte order mark"], id="a byte order mark"),
        pytest.param(text(1).replace(b"u", b"\xff"), ["not UTF-8"], id="not UTF-8"),
        pytest.param(b"5", ["not a JSON object"], id="a number"),
        pytest.param(b"{}", [NO_TYPE], id="no type"),
        pytest.param(b'{"type": 5}', [NO_TYPE], id="a type that isn't a text"),
        pytest.param(b'{"type": "track", "a": "\\ud800"}', ["half of a surrogate pair"], id="half of a surrogate pair"),
        pytest.param(b'{"a":' * 100_000, ["nested too deeply"], id="nested too deeply"),
        pytest.param(b"hello", ["not JSON at character 1"], id="words"),
        pytest.param(b'{"type": track}', ["not JSON at character 10"], id="a word"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("size", [7, 1 << 20])
def test_a_line_is_its_events_or_a_cause(line: bytes, expected: list[str], size: int) -> None:
    data = b"\n" + line + b"\n \n" + text(9)
    blocks = (data[start : start + size] for start in range(0, len(data), size))
    assert ids(read(blocks)) == [*((2, one) for one in expected), (4, "m9")]


MANY = MAX_LINE_BYTES * 3 // len(text(1))
LONG: dict[str, tuple[Callable[[], bytes], list[str]]] = {
    "objects": (lambda: b"".join(map(text, range(MANY))), [f"m{number}" for number in range(MANY)]),
    "zeros": (lambda: b"0" * (3 * MAX_LINE_BYTES), [TOO_LONG]),
    "a text without end": (lambda: b'{"type": "' + b"x" * (3 * MAX_LINE_BYTES), [TOO_LONG]),
    "one large object": (lambda: text(1, note="x" * (2 * MAX_LINE_BYTES)), [TOO_LONG]),
    "objects, then bytes that are not UTF-8": (
        lambda: text(1) + text(2) + b"\xff" * (2 * MAX_LINE_BYTES),
        ["not UTF-8"],
    ),
    "objects, the last cut off": (
        lambda: text(1, a="x" * (MAX_LINE_BYTES - 1000)) * 2 + text(3)[:-1],
        ["m1", "m1", CUT_OFF],
    ),
    "brackets": (lambda: b"[" * (2 * MAX_LINE_BYTES), [TOO_LONG]),
    "objects without end": (lambda: b'{"a":' * MAX_LINE_BYTES, [TOO_LONG]),
}


@pytest.mark.parametrize("kind", LONG)
def test_a_line_longer_than_the_limit_is_cut_into_its_events(kind: str) -> None:
    made, expected = LONG[kind]
    data = made() + b"\n" + text(9)
    blocks = (data[start : start + (1 << 14)] for start in range(0, len(data), 1 << 14))
    assert ids(read(blocks)) == [*((1, one) for one in expected), (2, "m9")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(json.dumps(event(1), indent=2).encode(), ["m1"], id="pretty-printed"),
        pytest.param(
            b"\n\n" + json.dumps(event(1), indent=2).encode().replace(b"\n", b"\r\n"), ["m1"], id="from Windows"
        ),
        pytest.param(json.dumps([event(1), event(2)], indent=2).encode(), ["m1", "m2"], id="an array"),
        pytest.param(b"[" + text(1) + b"]", ["m1"], id="an array on a line"),
        pytest.param(b"\n".join(json.dumps(event(n), indent=1).encode() for n in (1, 2)), ["m1", "m2"], id="several"),
        pytest.param(text(1) + b"\nhello\n" + text(2), ["m1", "not JSON at character 1", "m2"], id="lines"),
        pytest.param(b"hello\n" + text(2), ["not JSON at character 1", "m2"], id="the first line is not an event"),
        pytest.param(
            b'ct","x":1}\n' + text(1) + b"\n" + text(2) + b'\n{"type":"tr',
            ["not JSON at character 1", "m1", "m2", "cut off: a JSON object that doesn't end on its line"],
            id="cut at both ends",
        ),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_what_a_person_pastes_may_go_over_several_lines(data: bytes, expected: list[str]) -> None:
    assert [one for _, one in ids(read_pretty([data]))] == expected


def test_an_export_takes_the_good_lines_and_names_the_places_of_the_others(tmp_path: Path) -> None:
    chance = random.Random(1)
    good = [text(number) for number in range(40)]
    bad = [b"hello", text(1)[:-2], b"[1]", b"\xff", b"0" * (2 * MAX_LINE_BYTES)]
    places = []
    for name in ("a.json", "b.json", "c.json"):
        lines = [*good[:10], *bad, good[10] + good[11]]
        chance.shuffle(lines)
        good = good[12:]
        places += [(str(tmp_path / "logs" / name), at) for at, line in enumerate(lines, 1) if line in bad]
        (tmp_path / "logs").mkdir(exist_ok=True)
        (tmp_path / "logs" / name).write_bytes(b"\n".join(lines))
    report = export(str(tmp_path / "logs"), str(tmp_path / "out"), parse(default_text()))
    assert (report.events_read, report.lines_malformed) == (36, 15)
    assert [(line.file, line.line) for line in report.lines_named] == places[:MAX_MALFORMED]
    assert report.datasets["interactions"].rows == 36
