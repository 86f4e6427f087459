"""Awkward events, which Hypothesis generates to compare the engines.

It omits cases that docs/contract.md leaves undefined, such as duplicate keys in one object.
"""

import json

from hypothesis import strategies as st

NUMBERS = [
    "0", "-0", "-0.0", "1.0", "1e2", "2.50", "0.1e1", "1e16", "1e-5", "4.35", "5e-324", "1e-400", "1e400", "-1e999",
    "2147483647", "2147483648", "-2147483648", "-2147483649", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1" * 309,
    "7" * 4500, "3.4028234663852886e38", "3.4028234663852889e38", "3.4028235e38", "-3.4028235677973366e38",
]  # fmt: skip
INSTANTS = [
    "2024-03-01T00:00:00Z", "2024-03-01T00:00:00.5Z", "2024-03-01T00:00:00,50+00:00", "2024-02-29T23:59:59.999-23:59",
    "1969-12-31T23:59:59.999Z", "1960-01-01T00:00:00.1+0530", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "2024-03-01T00:00:00." + "9" * 40 + "Z", "1582-10-10T00:00:00Z", "2023-02-29T00:00:00Z", "0000-01-01T00:00:00Z",
    "2024-03-01T24:00:00Z", "2024-03-01T23:59:60Z", "2024-03-01T00:00:00.Z", "2024-03-01T00:00:00", "20240301T000000Z",
    "2024-03-01t00:00:00Z", "2024-03-01 00:00:00Z", "2024-03-01T00:00:00+05", "2024-03-01T00:00:00+24:00",
    "10000-01-01T00:00:00Z", "+2024-03-01T00:00:00Z", "\uff12024-03-01T00:00:00Z", "2024-03-01T00:00:00Z\n",
    "yesterday",
]  # fmt: skip
STRINGS = [
    "", " ", " a ", "a,b", 'say "a"', '"', "'", "\\", "\\n", "|", "a|b", "\0", "a\tb", "\r", "\x1f", "\x7f", "\x85",
    "\xa0", "\u2028", "\ufeff", "\uffff", "\U0010ffff", "😀", "e\u0301", "x" * 256, "x" * 257, "é" * 256, "😀" * 256,
    "😀" * 257, '{"sku": "a"}', "[1]", "null", "true", "123", "-0", "\\u0041", "#", "=1+1", "$", "\u202e",
]  # fmt: skip

texts = st.one_of(st.sampled_from(["s1", "s2", *STRINGS, *INSTANTS]), st.text(max_size=5))
strings = st.builds(lambda text, ascii_: json.dumps(text, ensure_ascii=ascii_), texts, st.booleans())
escapes = st.sampled_from(
    ['"\\u0073\\u0031"', '"\\/"', '"\\ud83d\\ude00"', '"\\u007f"', '"2024\\u002d03-01T00:00:00Z"']
)
floats = st.floats(allow_nan=False, allow_infinity=False).map(repr)
numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(-(2**70), 2**70).map(str), floats)
scalars = st.one_of(strings, numbers, escapes, st.sampled_from(["null", "true", "false", "[]", "{}"]))
# Only names that paths read, so that generated values are read, and each once (see above).
KEYS = ["sku", "nested", "value", "price", "ids", "flag", "products", "when", "user", "country"]


def braces(members: dict[str, str]) -> str:
    """Return the JSON text of an object from that of its members."""
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


def brackets(elements: list[str]) -> str:
    """Return the JSON text of an array from that of its elements."""
    return "[" + ",".join(elements) + "]"


values = st.one_of(
    scalars,
    st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(brackets),
            st.dictionaries(st.sampled_from(KEYS), inner, max_size=4).map(braces),
        ),
        max_leaves=8,
    ),
    st.integers(1, 400).map(lambda depth: "[" * depth + "]" * depth),
    st.lists(st.sampled_from(['"s1"', '"s2"', "3"]), min_size=1, max_size=30).map(brackets),
)


def mostly(*good: str) -> st.SearchStrategy[str]:
    """Return JSON texts that are one of `good` five times out of six."""
    return st.one_of(*([st.sampled_from([json.dumps(one) for one in good])] * 5), values)


skus = mostly("s1", "s2", "s3")
products = st.lists(st.one_of(skus, st.fixed_dictionaries({"sku": skus}).map(braces), values), max_size=5).map(brackets)
objects = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(KEYS, values)
    | {"sku": skus, "products": products, "nested": st.one_of(st.just('{"sku": ["s1", null, {}]}'), values)},
).map(braces)
events = st.fixed_dictionaries(
    {"type": mostly("track", "track", "track", "page", "screen", "identify")},
    optional={
        "event": mostly("Viewed", "Bought", "Viewed ", "unknown"),
        "name": mostly("Viewed", 'Née "Q" \\ it\'s', "unknown"),
        "messageId": mostly("m1", "m2", "m3", "m4", "m5"),
        "userId": mostly("u1", "u2", "u3"),
        "anonymousId": mostly("a1", "a2"),
        "timestamp": mostly(*INSTANTS[:4]),
        "properties": st.one_of(objects, objects, objects, values),
        "traits": st.one_of(objects, objects, values),
        "context": values,
    },
).map(lambda members: braces(members).encode())
cut = st.builds(lambda line, at: line[: at % len(line)], events, st.integers(1, 10**6))
logs = st.lists(st.one_of(*([events] * 9), cut), min_size=20, max_size=40)
