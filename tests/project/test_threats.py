"""The table of threats in docs/security.md names existing tests."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "security.md"


def test_each_threat_has_tests_that_there_are() -> None:
    section = DOCUMENT.read_text("utf-8").partition("## Threats")[2].partition("### ")[0]
    rows = [line.split("|")[1:-1] for line in section.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 20
    there = set(re.findall(r"def (test_\w+)", "".join(path.read_text("utf-8") for path in TESTS.rglob("test_*.py"))))
    for _, could, closes, tests, _ in rows:
        named = set(re.findall(r"`(test_\w+)`", tests))
        assert closes.strip(), could
        assert named or tests.strip() == "the same", could
        assert named <= there, named - there
