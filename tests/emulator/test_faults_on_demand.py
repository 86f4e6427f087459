"""Faults occur on demand, the requested number of times. The clock runs at the requested speed."""

from collections import Counter

import pytest

from offline import Offline, interactions
from personalize_emulator import Clock, Emulator, Faults
from personalize_emulator.service_errors import ServiceError


def outcomes(emulator: Emulator, calls: int) -> list[str]:
    found = []
    for _ in range(calls):
        try:
            emulator.call("ListSchemas", {})
            found.append("ok")
        except ServiceError as error:
            found.append(error.code)
    return found


def test_a_fraction_of_the_calls_is_throttled_the_same_ones_for_the_same_seed() -> None:
    runs = []
    for seed in (1, 1, 2):
        emulator = Emulator(faults=Faults(seed=seed))
        emulator.faults.throttle(0.3)
        runs.append(outcomes(emulator, 400))
    assert runs[0] == runs[1] != runs[2]
    assert 80 < Counter(runs[0])["ThrottlingException"] < 160


def test_a_fraction_of_the_calls_breaks_down() -> None:
    emulator = Emulator()
    emulator.faults.break_down(1.0)
    with pytest.raises(ServiceError) as refused:
        emulator.call("ListSchemas", {})
    assert (refused.value.code, refused.value.status) == ("InternalServerException", 500)
    emulator.faults.clear()
    assert outcomes(emulator, 50) == ["ok"] * 50


def test_so_many_calls_of_one_operation_fail() -> None:
    emulator = Emulator()
    emulator.faults.fail_calls("ListSchemas", 2, "LimitExceededException")
    assert emulator.call("ListCampaigns", {}) == {"campaigns": []}
    assert outcomes(emulator, 4) == ["LimitExceededException", "LimitExceededException", "ok", "ok"]


def test_a_job_fails_by_its_name_and_its_successor_does_not(s3_env: str) -> None:
    offline = Offline(s3_env)
    offline.group()
    offline.dataset("INTERACTIONS")
    offline.faults.fail("INTERACTIONS-one", "The data is cursed.")
    found = offline.load("INTERACTIONS", interactions(), name="one")
    assert (found["status"], found["failureReason"]) == ("CREATE FAILED", "The data is cursed.")
    assert offline.load("INTERACTIONS", interactions(), name="two")["status"] == "ACTIVE"
    offline.solution()
    offline.faults.fail("solution", "Out of capacity.")
    found = offline.api.describe_solution_version(solutionVersionArn=offline.version())["solutionVersion"]
    assert found["failureReason"] == "Out of capacity."


def test_a_life_cycle_can_be_slow_or_instant() -> None:
    clock = Clock(speed=0)
    emulator = Emulator(clock)
    emulator.faults.slow("DatasetGroup", 10)

    def status(name: str) -> str:
        arn = f"arn:aws:personalize:us-east-1:123456789012:dataset-group/{name}"
        return str(emulator.call("DescribeDatasetGroup", {"datasetGroupArn": arn})["datasetGroup"]["status"])

    emulator.call("CreateDatasetGroup", {"name": "slow"})
    emulator.faults.slow("DatasetGroup", 0)
    emulator.call("CreateDatasetGroup", {"name": "instant"})
    assert status("instant") == "ACTIVE"
    clock.advance(100)
    assert status("slow") == "CREATE IN_PROGRESS"
    clock.advance(250)
    assert status("slow") == "ACTIVE"


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_a_fraction_is_between_0_and_1(value: float) -> None:
    with pytest.raises(ValueError, match="a fraction between 0 and 1"):
        Faults().throttle(value)
    with pytest.raises(ValueError, match="a fraction between 0 and 1"):
        Faults().break_down(value)


def test_a_clock_stands_still_or_runs_and_is_moved_forward_only() -> None:
    still = Clock(speed=0, start=5)
    still.advance(2.5)
    assert still.now() == still.now() == 7.5
    fast = Clock(speed=1e9, start=0)
    first = fast.now()
    while fast.now() == first:
        pass
    assert fast.now() > 1
    for speed in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="speed"):
            Clock(speed=speed)
    with pytest.raises(ValueError, match="go back"):
        still.advance(-1)
    with pytest.raises(ValueError, match="a valid factor"):
        Faults().slow("Campaign", -1)
