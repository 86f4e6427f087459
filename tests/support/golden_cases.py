"""The golden cases of docs/contract.md, which every engine must match (tests/golden)."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personalize_segment.contract.mapping import default_text

TESTS = Path(__file__).parents[1]

#: The examples of Segment's Spec: tests/events.
EXAMPLES: list[dict[str, Any]] = [
    example for file in sorted((TESTS / "events").glob("*.json")) for example in json.loads(file.read_text("utf-8"))
]


@dataclass(frozen=True, slots=True)
class GoldenRow:
    """A row: its dataset, its values by column (all of them), and its position in `each`."""

    dataset: str
    values: dict[str, Any]
    index: int | None


@dataclass(frozen=True, slots=True)
class GoldenReason:
    """The reason why an event or element produces no row."""

    dataset: str | None
    field: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """One log line and its outcome in every engine."""

    name: str
    mapping_text: str
    line: bytes
    rows: tuple[GoldenRow, ...]
    reasons: tuple[GoldenReason, ...]
    malformed: bool
    #: Optional columns that are null despite a value, and datasets whose row has `receivedAt` as its instant.
    nulls: tuple[GoldenReason, ...]
    ahead: tuple[str, ...]


def valid_mappings() -> dict[str, str]:
    """Return the texts of the valid mappings, and the default one, by name."""
    files = sorted((TESTS / "mappings" / "valid").glob("*.json"))
    return {"default": default_text()} | {file.stem: file.read_text("utf-8") for file in files}


def golden_cases() -> list[GoldenCase]:
    """Return all cases in the order of the contract's rules. Most use the default mapping of version 1, shop.json."""
    mappings = valid_mappings()
    cases = []
    for file in sorted((TESTS / "golden").glob("*.json")):
        for case in json.loads(file.read_text("utf-8")):
            cases.append(
                GoldenCase(
                    name=f"{file.stem}: {case['case']}",
                    mapping_text=mappings[case.get("mapping", "shop.json").removesuffix(".json")],
                    line=_line(case),
                    rows=tuple(GoldenRow(**row) for row in case["rows"]),
                    reasons=tuple(GoldenReason(**reason) for reason in case["reasons"]),
                    malformed=case.get("malformed", False),
                    nulls=tuple(GoldenReason(**reason) for reason in case.get("nulls", ())),
                    ahead=tuple(case.get("ahead", ())),
                )
            )
    return cases


def _line(case: dict[str, Any]) -> bytes:
    if "event" in case:
        return json.dumps(case["event"], ensure_ascii=False).encode()
    # U+DC80 to U+DCFF in a "line" represent the bytes 80 to FF, because JSON text is UTF-8.
    line: str = case["line"]
    return line.encode(errors="surrogateescape")
