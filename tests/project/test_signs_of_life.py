"""Off a terminal, waiting commands print changes, and once a minute the reason and duration of the wait."""

from types import SimpleNamespace

import pytest

from personalize_segment.cli import plans, terminal
from personalize_segment.provision.steps import Step

SOLUTION = Step("wait", "Solution", "shop-main", "CREATE IN_PROGRESS")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Return a clock to set."""
    made = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(terminal, "time", SimpleNamespace(monotonic=lambda: made.now))
    return made


def test_a_plan_that_waits_says_so_once_a_minute(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with plans.plan_progress() as show:
        for clock.now in (1000, 1020, 1059, 1061, 1080, 1130):
            show([SOLUTION])
        show([Step("create", "Campaign", "shop-home", "after its solution")])
        show([Step("create", "Campaign", "shop-home", call=("CreateCampaign", {}))])
    assert capsys.readouterr().err.splitlines() == [
        "wait Solution shop-main CREATE IN_PROGRESS",
        "wait Solution shop-main CREATE IN_PROGRESS, for 1 min",
        "wait Solution shop-main CREATE IN_PROGRESS, for 2 min",
        "later: Campaign shop-home (after its solution)",
        "create Campaign shop-home",
    ]


def test_a_wait_says_so_once_a_minute(clock: SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    with plans.waiting() as show:
        for clock.now in (1000, 1030, 1070, 1100):
            show("train shop-main", "CREATE IN_PROGRESS")
        show("train shop-main", "ACTIVE")
    assert capsys.readouterr().err.splitlines() == [
        "train shop-main: CREATE IN_PROGRESS",
        "train shop-main: CREATE IN_PROGRESS, for 1 min",
        "train shop-main: ACTIVE",
    ]
