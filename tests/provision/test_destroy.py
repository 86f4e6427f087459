"""Destroying removes the whole stack in AWS's order, and no one else's resources."""

from collections.abc import Iterator
from typing import Any

import pytest

from documents import changed
from personalize_segment.errors import ProvisionError
from personalize_segment.provision import apply as applying
from personalize_segment.provision import teardown
from personalize_segment.provision.spec import of_name
from personalize_segment.provision.state import read_state
from personalize_segment.provision.steps import Step
from stack import DAY, SHOP, Cloud, cloud, read

RANK = (
    {"DeleteCampaign", "DeleteRecommender"},
    {"DeleteFilter", "DeleteEventTracker", "DeleteMetricAttribution"},
    {"DeleteSolution"},
    {"DeleteDataset"},
    {"DeleteSchema"},
    {"DeleteDatasetGroup"},
)
EUROPE = changed(SHOP, {"name": "shop-eu", "ssm_prefix": "/shop/personalize-eu"})


@pytest.fixture
def account() -> Iterator[Cloud]:
    with cloud() as found:
        yield found


def plan(account: Cloud, document: dict[str, Any]) -> list[Step]:
    """Return the steps of a destroy."""
    spec = read(document)
    return teardown.plan(read_state(account.clients(), spec, account.polling()), spec)


def by_hand(account: Cloud, name: str = "summer") -> str:
    """Create a campaign on the stack's solution and return its ARN."""
    version = account.one("SolutionVersion")["solutionVersionArn"]
    arn = account.api.create_campaign(name=name, solutionVersionArn=version)["campaignArn"]
    account.clock.advance(3600)
    return str(arn)


def test_deletions_come_in_the_order_of_aws(account: Cloud) -> None:
    account.apply(SHOP)
    account.calls.clear()
    account.destroy(SHOP)
    order = [name for name, _ in account.calls if name.startswith("Delete") and name != "DeleteParameter"]
    ranks = [next(rank for rank, names in enumerate(RANK) if name in names) for name in order]
    assert ranks == sorted(ranks)
    assert set(ranks) == set(range(len(RANK)))
    assert account.everything() == []


def test_the_plan_shows_all_that_will_go(account: Cloud) -> None:
    account.apply(SHOP)
    # Import jobs go with their datasets, versions with their solutions.
    wanted = {(kind, name) for kind, name, _ in account.everything()}
    wanted = {(kind, name) for kind, name in wanted if kind not in ("DatasetImportJob", "SolutionVersion")}
    before = account.everything()
    steps = plan(account, SHOP)
    assert {one.action for one in steps} == {"delete"}
    assert {(one.kind, one.name) for one in steps} == wanted
    assert account.everything() == before


def test_an_empty_account_has_nothing_to_destroy(account: Cloud) -> None:
    assert plan(account, SHOP) == []
    account.destroy(SHOP)
    assert account.made() == {}


def test_destroying_twice_is_destroying_once(account: Cloud) -> None:
    account.apply(SHOP)
    account.destroy(SHOP)
    account.calls.clear()
    account.destroy(SHOP)
    assert account.made() == {}


@pytest.mark.parametrize(("mine", "other"), [(SHOP, EUROPE), (EUROPE, SHOP)], ids=["shop", "shop-eu"])
def test_another_stack_and_what_was_made_by_hand_are_untouched(
    account: Cloud, mine: dict[str, Any], other: dict[str, Any]
) -> None:
    account.apply(other)
    by_hand(account)
    account.api.create_dataset_group(name="mine")
    account.ssm.put_parameter(Name="/shop/personalize/own", Value="x", Type="String")
    account.clock.advance(3600)
    before = account.everything()
    account.apply(mine)
    assert account.plan(other) == []
    account.destroy(mine)
    assert account.everything() == before
    assert account.plan(other) == []


@pytest.mark.parametrize("name", ["summer", "shop-summer"])
def test_a_campaign_made_by_hand_blocks_with_its_arn_before_anything_is_deleted(account: Cloud, name: str) -> None:
    account.apply(SHOP)
    arn = by_hand(account, name)
    before = account.everything()
    blocked = [one for one in plan(account, SHOP) if one.action == "blocked"]
    assert [arn in f"{one.name} {one.why}" for one in blocked] == [True]
    with pytest.raises(ProvisionError) as caught:
        account.destroy(SHOP)
    assert arn in str(caught.value)
    assert "by hand" in caught.value.remedy
    assert account.everything() == before
    account.api.delete_campaign(campaignArn=arn)
    account.clock.advance(3600)
    account.destroy(SHOP)
    assert account.everything() == []


def test_filters_and_solutions_made_by_hand_block_too(account: Cloud) -> None:
    account.apply(SHOP)
    group = account.one("DatasetGroup")["datasetGroupArn"]
    made = account.api.create_solution(
        name="mine", datasetGroupArn=group, recipeArn="arn:aws:personalize:::recipe/aws-similar-items"
    )["solutionArn"]
    filter_ = account.api.create_filter(name="mine", datasetGroupArn=group, filterExpression=SHOP["filters"]["bought"])[
        "filterArn"
    ]
    account.clock.advance(60)
    assert {one.name for one in plan(account, SHOP) if one.action == "blocked"} == {made, filter_}


def test_a_schema_that_another_group_uses_does_not_keep_destroy_for_ever(account: Cloud) -> None:
    account.apply(SHOP)
    group = account.api.create_dataset_group(name="mine")["datasetGroupArn"]
    account.clock.advance(60)
    schema = account.one("Dataset", "shop-users")["schemaArn"]
    account.api.create_dataset(name="mine", datasetGroupArn=group, datasetType="USERS", schemaArn=schema)
    account.clock.advance(60)
    with pytest.raises(ProvisionError, match="shop-users-"):
        account.destroy(SHOP)
    assert account.one("Dataset", "mine")["schemaArn"] == schema


@pytest.mark.parametrize("refused", [0, 1], ids=["in progress", "it ends meanwhile"])
def test_versions_in_training_are_stopped(account: Cloud, refused: int) -> None:
    account.apply(SHOP)
    solution = account.one("Solution")["solutionArn"]
    # A training of forty days, too long to wait for.
    account.faults.slow("SolutionVersion", 1440)
    account.api.create_solution_version(solutionArn=solution)
    account.clock.advance(DAY)
    account.faults.clear()
    account.faults.fail_calls("StopSolutionVersionCreation", refused, "InvalidInputException")
    (stopped,) = [one for one in plan(account, SHOP) if one.kind == "SolutionVersion"]
    assert (stopped.action, stopped.why) == ("delete", "after stopping its training")
    account.destroy(SHOP)
    assert account.made()["StopSolutionVersionCreation"] == 1
    assert account.everything() == []


def test_a_training_that_is_being_stopped_is_waited_for(account: Cloud) -> None:
    account.apply(SHOP)
    solution = account.one("Solution")["solutionArn"]
    version = account.api.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    account.clock.advance(60)
    account.api.stop_solution_version_creation(solutionVersionArn=version)
    found = [(one.action, one.why) for one in plan(account, SHOP) if one.kind == "SolutionVersion"]
    assert found == [("wait", "CREATE STOPPING")]
    account.destroy(SHOP)
    assert account.everything() == []


def test_an_import_is_waited_for_however_long_it_takes(account: Cloud) -> None:
    account.apply(SHOP)
    account.faults.slow("DatasetImportJob", 60)
    job = {
        "jobName": "shop-users-2024-03-01-0a1b2c3d",
        "roleArn": SHOP["role_arn"],
        "datasetArn": account.one("Dataset", "shop-users")["datasetArn"],
        "dataSource": {"dataLocation": "s3://data/t/users/"},
    }
    account.api.create_dataset_import_job(**job)
    assert ("wait", job["jobName"]) in {(one.action, one.name) for one in plan(account, SHOP)}
    account.destroy(SHOP)
    assert account.everything() == []


def test_a_destroy_in_the_middle_of_an_apply_waits_for_what_is_being_made(account: Cloud) -> None:
    for number in range(6):
        # This many minutes after the imports started: jobs, solutions, versions and campaigns are in progress.
        rounds = [0]

        class EnoughError(Exception):
            """The apply has come as far as it should."""

        def progress(_: list[Step], rounds: list[int] = rounds, number: int = number) -> None:
            rounds[0] += 1
            if rounds[0] > 4 * number:
                raise EnoughError

        with pytest.raises(EnoughError):
            applying.apply(account.clients(), read(SHOP), account.prices, account.polling(), progress)
        account.destroy(SHOP)
        assert account.everything() == []


def test_the_name_is_enough(account: Cloud) -> None:
    account.apply(SHOP)
    by_spec = plan(account, SHOP)
    spec = of_name("shop")
    assert teardown.plan(read_state(account.clients(), spec, account.polling()), spec) == by_spec
    teardown.destroy(account.clients(), spec, account.polling())
    assert account.everything() == []


def test_another_prefix_of_parameters_can_be_named(account: Cloud) -> None:
    account.apply(changed(SHOP, {"ssm_prefix": "/mine"}))
    teardown.destroy(account.clients(), of_name("shop", "/mine"), account.polling())
    assert account.everything() == []


def test_what_failed_is_destroyed_like_all_the_rest(account: Cloud) -> None:
    (campaign,) = [one.name for one in account.plan(SHOP) if one.kind == "Campaign"]
    account.faults.fail(campaign, "It just failed.")
    with pytest.raises(ProvisionError):
        account.apply(SHOP)
    account.destroy(SHOP)
    assert account.everything() == []


def test_parameters_of_parts_that_the_spec_had_once_go_too(account: Cloud) -> None:
    account.apply(SHOP)
    account.destroy(changed(SHOP, {"filters": {}, "campaigns": {}}))
    assert account.everything() == []


def test_a_right_to_delete_that_is_missing_is_an_error(account: Cloud) -> None:
    account.apply(SHOP)
    account.faults.fail_calls("DeleteCampaign", 1, "AccessDeniedException")
    with pytest.raises(ProvisionError, match="DeleteCampaign was refused") as caught:
        account.destroy(SHOP)
    assert caught.value.place.startswith("Campaign shop-home-")
    assert "permissions" in caught.value.remedy


def test_what_somebody_else_made_in_the_group_blocks_and_stays(account: Cloud) -> None:
    group = account.api.create_dataset_group(name="shop")["datasetGroupArn"]
    account.clock.advance(3600)
    schema = read(SHOP).datasets[0].schema
    arn = account.api.create_schema(name="their-schema", schema=schema)["schemaArn"]
    request = {"datasetGroupArn": group, "datasetType": "INTERACTIONS", "schemaArn": arn}
    dataset = account.api.create_dataset(name="their-interactions", **request)["datasetArn"]
    account.clock.advance(3600)
    tracker = account.api.create_event_tracker(name="their-tracker", datasetGroupArn=group)["eventTrackerArn"]
    account.clock.advance(3600)
    before = account.everything()
    with pytest.raises(ProvisionError, match="in the stack's dataset group, but not part of the stack") as raised:
        account.destroy(SHOP)
    assert raised.value.place == f"{dataset}, {tracker}"
    assert account.everything() == before
