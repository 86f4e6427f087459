"""AWS refuses, fails or is slow: the command reports a reason and its fix, and a retry finishes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from documents import changed
from personalize_segment.errors import ProvisionError
from stack import SHOP, Cloud, cloud, csv, policy

SMALL: dict[str, Any] = changed(SHOP, {"solutions": {}, "campaigns": {}, "filters": {}, "ssm_prefix": ...})


@pytest.fixture
def account() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


def test_it_converges_though_a_third_of_all_calls_is_throttled(account: Cloud) -> None:
    account.faults.throttle(0.3)
    account.apply(SHOP)
    account.faults.clear()
    assert account.plan(SHOP) == []
    assert account.made()["CreateSolution"] == account.made()["CreateCampaign"] == 1
    account.faults.throttle(0.3)
    account.destroy(SHOP)
    account.faults.clear()
    assert account.everything() == []


def test_it_converges_with_errors_of_the_service_and_slow_statuses(account: Cloud) -> None:
    account.faults.break_down(0.05)
    for kind in ("DatasetGroup", "Dataset", "Filter", "Solution", "EventTracker", "Campaign"):
        account.faults.slow(kind, 6)
    account.apply(SHOP)
    account.faults.break_down(0)
    assert account.plan(SHOP) == []
    account.faults.break_down(0.05)
    account.destroy(SHOP)
    account.faults.clear()
    assert account.everything() == []


def test_a_service_that_stays_in_trouble_ends_the_command(account: Cloud) -> None:
    account.faults.break_down(1)
    with pytest.raises(ProvisionError, match="AWS keeps failing") as caught:
        account.apply(SHOP)
    assert "Rerun the command later" in caught.value.remedy


@pytest.mark.parametrize(
    ("body", "reason", "fix"),
    [
        pytest.param(
            csv("interactions").replace(b"EVENT_TYPE", b"KIND", 1), "missing the following columns: [EVENT_TYPE]",
            "Export again", id="wrong column",
        ),
        pytest.param(csv("interactions", 900), "fewer than 1000", "1,000 interactions", id="too few rows"),
        pytest.param(
            csv("interactions").replace(b"\n", b",X\n").replace(b"EVENT_TYPE,X", b"EVENT_TYPE,EXTRA", 1),
            "not in the schema: [EXTRA]", "Export again", id="column too many",
        ),
        pytest.param(
            csv("interactions").replace(b"u7,", b"u" * 300 + b",", 1), "more than 256 characters", "256", id="too long"
        ),
    ],
)  # fmt: skip
def test_a_failed_import_stops_with_its_reason_and_resumes_when_it_is_mended(
    account: Cloud, body: bytes, reason: str, fix: str
) -> None:
    account.put("interactions", body)
    with pytest.raises(ProvisionError) as caught:
        account.apply(SMALL)
    assert caught.value.place.startswith("DatasetImportJob shop-interactions-")
    assert reason in caught.value.problem
    assert fix in caught.value.remedy
    account.put("interactions")
    (again,) = [one for one in account.plan(SMALL) if one.kind == "DatasetImportJob" and "interactions" in one.name]
    assert again.action == "create"
    assert reason in again.why
    account.apply(SMALL)
    assert account.plan(SMALL) == []
    statuses = [one["status"] for one in account.each("DatasetImportJob")]
    assert sorted(statuses) == ["ACTIVE", "ACTIVE", "ACTIVE", "CREATE FAILED"]


def test_an_import_without_permission_stops_with_the_fix_and_resumes(account: Cloud) -> None:
    statement = json.loads(policy("data"))["Statement"][0] | {"Effect": "Deny"}
    account.s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    for _ in range(2):  # still broken: the second try has a different name and fails like the first
        with pytest.raises(ProvisionError, match="Insufficient privileges") as caught:
            account.apply(SMALL)
        assert "s3:GetObject and s3:ListBucket" in caught.value.remedy
    account.s3.put_bucket_policy(Bucket="data", Policy=policy("data"))
    account.apply(SMALL)
    assert account.plan(SMALL) == []


def test_an_empty_folder_stops_with_the_fix(account: Cloud) -> None:
    with pytest.raises(ProvisionError, match="Invalid Data location") as caught:
        account.apply(changed(SMALL, {"datasets/users/import/location": "s3://data/elsewhere/"}))
    assert "Check the location" in caught.value.remedy


def test_a_bucket_that_is_not_there_is_an_error_with_its_place(account: Cloud) -> None:
    document = changed(SMALL, {"datasets/users/import/location": "s3://no-such-bucket/users/"})
    for command in (account.plan, account.apply):
        with pytest.raises(ProvisionError, match="no-such-bucket"):
            command(document)


@pytest.mark.parametrize("operation", ["ListSchemas", "DescribeDatasetGroup"])
def test_a_right_to_read_that_is_missing_is_an_error_with_a_remedy(account: Cloud, operation: str) -> None:
    account.apply(SMALL)
    account.faults.fail_calls(operation, 100, "AccessDeniedException")
    for command in (account.plan, account.apply, account.destroy):
        with pytest.raises(ProvisionError, match="AccessDenied") as caught:
            command(SMALL)
        assert "permissions" in caught.value.remedy


def test_a_right_to_write_that_is_missing_is_an_error_with_a_remedy(account: Cloud) -> None:
    account.faults.fail_calls("CreateDatasetGroup", 1, "AccessDeniedException")
    with pytest.raises(ProvisionError, match="CreateDatasetGroup was refused") as caught:
        account.apply(SMALL)
    assert caught.value.place == "DatasetGroup shop"
    assert "iam:PassRole" in caught.value.remedy


def test_a_failed_update_behind_active_is_found_and_tried_again(account: Cloud) -> None:
    account.apply(SHOP)
    more = changed(SHOP, {"campaigns/home/minimum_tps": 4})
    account.faults.fail(account.one("Campaign")["name"], "Capacity is not available.")
    with pytest.raises(ProvisionError, match="the last update failed: Capacity is not available") as caught:
        account.apply(more)
    assert caught.value.place.startswith("Campaign shop-home-")
    assert account.one("Campaign")["status"] == "ACTIVE"
    (step,) = account.plan(more)
    assert (step.action, step.why) == (
        "update",
        "retry, because the last update failed: Capacity is not available.; minimum TPS: 1 → 4",
    )
    account.apply(more)
    assert account.one("Campaign")["minProvisionedTPS"] == 4


def test_a_failed_update_that_the_campaign_made_to_follow_is_found(account: Cloud) -> None:
    account.apply(SHOP)
    account.faults.fail(account.one("Campaign")["name"], "Capacity is not available.")
    account.clock.advance(8 * 86_400)
    newest = list(account.each("SolutionVersion"))[-1]["solutionVersionArn"]
    account.clock.advance(86_400)
    campaign = account.one("Campaign")
    assert campaign["latestCampaignUpdate"]["status"] == "CREATE FAILED"
    assert campaign["solutionVersionArn"] != newest
    assert any(one.kind == "Campaign" and "Capacity" in one.why for one in account.plan(SHOP))
    account.apply(SHOP)
    assert account.one("Campaign")["solutionVersionArn"] == newest


def test_a_failed_training_stops_with_its_reason_and_is_tried_again(account: Cloud) -> None:
    manual = changed(SHOP, {"solutions/for-you/automatic_training": False})
    (name,) = [one.name for one in account.plan(manual) if one.kind == "Solution"]
    account.faults.fail(f"{name}-1", "Training failed with an internal error.")
    with pytest.raises(ProvisionError, match="Training failed with an internal error") as caught:
        account.apply(manual)
    assert caught.value.place == f"SolutionVersion {name}"
    account.apply(manual)
    assert sorted(one["status"] for one in account.each("SolutionVersion")) == ["ACTIVE", "CREATE FAILED"]
    assert account.plan(manual) == []


@pytest.mark.parametrize("kind", ["Campaign", "Filter", "Solution"])
def test_what_failed_to_be_made_is_made_again_by_the_next_run(account: Cloud, kind: str) -> None:
    (name,) = [one.name for one in account.plan(SHOP) if one.kind == kind]
    account.faults.fail(name, "It just failed.")
    with pytest.raises(ProvisionError) as caught:
        account.apply(SHOP)
    assert caught.value.place == f"{kind} {name}"
    assert account.one(kind)["status"] == "CREATE FAILED"
    (step,) = [one for one in account.plan(SHOP) if one.kind == kind]
    assert step.action == "replace"
    assert "it failed" in step.why
    account.apply(SHOP)
    assert account.one(kind)["status"] == "ACTIVE"
    assert account.plan(SHOP) == []


def test_a_group_that_failed_is_made_again_by_the_next_run(account: Cloud) -> None:
    account.faults.fail("shop", "The key can't be used.")
    with pytest.raises(ProvisionError, match="The key can't be used"):
        account.apply(SMALL)
    account.apply(SMALL)
    assert account.one("DatasetGroup")["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("CreateDatasetGroup", "DatasetGroup"), ("CreateCampaign", "Campaign"), ("CreateFilter", "Filter")],
)
def test_a_limit_of_the_account_is_an_error_with_the_way_out(account: Cloud, operation: str, kind: str) -> None:
    # The words with which Personalize refuses the eleventh filter, or a second tracker.
    account.faults.fail_calls(operation, 5, "LimitExceededException")
    with pytest.raises(ProvisionError, match="LimitExceededException") as caught:
        account.apply(SHOP)
    assert caught.value.place.startswith(f"{kind} shop")
    assert "quota" in caught.value.remedy


def test_the_eleventh_filter_is_an_error_with_the_way_out(account: Cloud) -> None:
    document = changed(SMALL, {"filters": {f"f{one}": SHOP["filters"]["bought"] for one in range(11)}})
    with pytest.raises(ProvisionError, match="More than 10 resources") as caught:
        account.apply(document)
    assert "quota" in caught.value.remedy


@pytest.mark.parametrize("operation", ["CreateDatasetImportJob", "CreateSolutionVersion"])
def test_a_limit_of_jobs_at_a_time_is_waited_for(account: Cloud, operation: str) -> None:
    account.faults.fail_calls(operation, 3, "LimitExceededException")
    manual = changed(SHOP, {"solutions/for-you/automatic_training": False})
    account.apply(manual)
    assert account.plan(manual) == []


def test_a_filter_that_personalize_does_not_understand_is_refused_with_its_words(account: Cloud) -> None:
    with pytest.raises(ProvisionError, match="not a field of a dataset") as caught:
        account.apply(changed(SHOP, {"filters/bought": "EXCLUDE ItemID WHERE everything"}))
    assert caught.value.place.startswith("Filter shop-bought-")
    assert "expression in the spec" in caught.value.remedy


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"solutions/for-you/recipe": "aws-user-personalisation"}, id="recipe that is none"),
    ],
)
def test_a_mistake_in_the_spec_ends_the_command_instead_of_waiting_for_ever(
    account: Cloud, changes: dict[str, Any]
) -> None:
    with pytest.raises(ProvisionError) as caught:
        account.apply(changed(SHOP, changes))
    assert caught.value.place.startswith("Solution shop-for-you-")


def test_a_name_that_is_taken_elsewhere_ends_the_command_instead_of_waiting_for_ever(account: Cloud) -> None:
    # The stack "shop-eu" has a part called "x", the stack "shop" one called "eu-x": the same name.
    first = changed(SMALL, {"name": "shop-eu", "filters": {"x": SHOP["filters"]["bought"]}})
    second = changed(SMALL, {"filters": {"eu-x": SHOP["filters"]["bought"]}})
    account.apply(first)
    with pytest.raises(ProvisionError) as caught:
        account.apply(second)
    assert caught.value.place.startswith("Filter shop-eu-x-")
    assert "already exists" in caught.value.problem
    assert account.plan(first) == []


def test_a_hurried_deletion_beside_a_plan_is_no_error(account: Cloud) -> None:
    account.apply(SHOP)
    arn = account.one("Filter")["filterArn"]
    account.api.delete_filter(filterArn=arn)
    account.apply(SHOP)
    assert account.one("Filter")["status"] == "ACTIVE"
