"""Resources are created, updated and deleted as documented, on the emulator's clock."""

import pytest

from offline import INTERACTIONS, ITEMS, RECIPE, ROLE, Offline, interactions, schema, session, walk
from personalize_emulator import install
from personalize_emulator.resources import KINDS
from personalize_emulator.service_errors import ServiceError


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


CREATED = ["CREATE PENDING", "CREATE IN_PROGRESS", "ACTIVE"]


DELETED = ["DELETE PENDING", "DELETE IN_PROGRESS", "ResourceNotFoundException"]


def test_everything_comes_to_life_and_goes_in_the_documented_order(offline: Offline) -> None:
    api = offline.api
    group = api.create_dataset_group(name="shop")["datasetGroupArn"]
    assert walk(offline, "DatasetGroup", group, 1) == CREATED
    offline.arns["group"] = group
    text = schema("Interactions", INTERACTIONS)
    made = api.create_schema(name="s", schema=text)["schemaArn"]
    assert api.describe_schema(schemaArn=made)["schema"]["schema"] == text
    dataset = api.create_dataset(name="d", schemaArn=made, datasetGroupArn=group, datasetType="Interactions")[
        "datasetArn"
    ]
    assert dataset == "arn:aws:personalize:eu-west-1:123456789012:dataset/shop/INTERACTIONS"
    assert walk(offline, "Dataset", dataset, 1) == CREATED
    offline.arns["INTERACTIONS"] = dataset
    tracker = api.create_event_tracker(name="t", datasetGroupArn=group)["eventTrackerArn"]
    assert walk(offline, "EventTracker", tracker, 1) == CREATED
    found = api.create_filter(
        name="f", datasetGroupArn=group, filterExpression='EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")'
    )["filterArn"]
    assert walk(offline, "Filter", found, 1) == CREATED
    assert offline.load("INTERACTIONS", interactions())["status"] == "ACTIVE"
    solution = api.create_solution(name="s", datasetGroupArn=group, recipeArn=RECIPE)["solutionArn"]
    assert walk(offline, "Solution", solution, 1, times=30) == CREATED
    version = api.create_solution_version(solutionArn=solution)["solutionVersionArn"]
    assert walk(offline, "SolutionVersion", version, 10) == CREATED
    campaign = api.create_campaign(name="c", solutionVersionArn=version)["campaignArn"]
    assert walk(offline, "Campaign", campaign, 10) == CREATED
    for kind, arn in (
        ("Campaign", campaign),
        ("Filter", found),
        ("EventTracker", tracker),
        ("Solution", solution),
        ("Dataset", dataset),
    ):
        offline.emulator.call(f"Delete{kind}", {KINDS[kind].arn_member: arn}, "eu-west-1")
        assert walk(offline, kind, arn, 1, times=100) == DELETED
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.describe_solution_version(solutionVersionArn=version)
    api.delete_schema(schemaArn=made)
    with pytest.raises(api.exceptions.ResourceNotFoundException):
        api.describe_schema(schemaArn=made)
    api.delete_dataset_group(datasetGroupArn=group)
    assert walk(offline, "DatasetGroup", group, 1, times=100) == DELETED


def test_what_others_use_cannot_be_deleted(offline: Offline) -> None:
    offline.everything()
    offline.tracker()
    arns = offline.arns
    used = "ResourceInUseException"
    for kind, name in (("DatasetGroup", "group"), ("Schema", "ITEMS schema"), ("Solution", "solution")):
        assert refused(offline, kind, arns[name]) == (used, "uses it")
    new = offline.api.create_solution_version(solutionArn=offline.solution(name="other"))["solutionVersionArn"]
    assert refused(offline, "Solution", arns["solution"]) == (used, "is in CREATE PENDING state")
    assert refused(offline, "Dataset", arns["ITEMS"]) == (used, "is in CREATE PENDING state")
    offline.api.stop_solution_version_creation(solutionVersionArn=new)
    offline.api.create_dataset_import_job(
        jobName="running", datasetArn=arns["ITEMS"], dataSource={"dataLocation": "s3://b/c"}, roleArn=ROLE
    )
    assert refused(offline, "Dataset", arns["ITEMS"]) == (used, "is in CREATE PENDING state")
    offline.clock.advance(1200)
    offline.api.delete_dataset(datasetArn=arns["ITEMS"])
    offline.api.delete_solution(solutionArn=arns["solution"])
    assert refused(offline, "Solution", arns["solution"])[0] == used  # it is being deleted


def refused(offline: Offline, kind: str, arn: str) -> tuple[str, str]:
    """Return the code and the end of the message with which a deletion is refused."""
    with pytest.raises(ServiceError) as error:
        offline.emulator.call(f"Delete{kind}", {KINDS[kind].arn_member: arn}, "eu-west-1")
    why = error.value.message.partition(" can't be deleted while ")[2].partition(" ")[2]
    return error.value.code, why.removesuffix(".")


def test_a_dataset_goes_with_its_jobs_and_its_name_is_free_again(offline: Offline) -> None:
    offline.group()
    offline.dataset("INTERACTIONS")
    offline.load("INTERACTIONS", interactions())
    offline.api.delete_dataset(datasetArn=offline.arns["INTERACTIONS"])
    offline.clock.advance(60)
    assert offline.api.list_dataset_import_jobs()["datasetImportJobs"] == []
    offline.api.delete_schema(schemaArn=offline.arns["INTERACTIONS schema"])
    offline.dataset("INTERACTIONS")
    assert offline.load("INTERACTIONS", interactions())["status"] == "ACTIVE"


def test_children_wait_for_their_parents(offline: Offline) -> None:
    made = offline.api.create_dataset_group(name="shop")
    with pytest.raises(offline.api.exceptions.ResourceInUseException, match="is in CREATE PENDING state"):
        offline.api.create_solution(name="s", datasetGroupArn=made["datasetGroupArn"], recipeArn=RECIPE)
    with pytest.raises(offline.api.exceptions.InvalidInputException, match="is in CREATE PENDING state"):
        # CreateFilter's model has no ResourceInUseException.
        offline.api.create_filter(name="f", datasetGroupArn=made["datasetGroupArn"], filterExpression="EXCLUDE")
    offline.faults.fail("broken", "Internal error")
    broken = offline.api.create_dataset_group(name="broken")["datasetGroupArn"]
    offline.clock.advance(60)
    found = offline.api.describe_dataset_group(datasetGroupArn=broken)["datasetGroup"]
    assert (found["status"], found["failureReason"]) == ("CREATE FAILED", "Internal error")
    with pytest.raises(offline.api.exceptions.InvalidInputException, match="CREATE FAILED state, not ACTIVE"):
        offline.api.create_event_tracker(name="t", datasetGroupArn=broken)
    offline.api.delete_dataset_group(datasetGroupArn=broken)


def test_an_items_dataset_takes_a_schema_with_more_fields_that_may_be_null(offline: Offline) -> None:
    offline.group()
    dataset = offline.dataset("ITEMS")
    more = schema("Items", [*ITEMS, ("BRAND", ["null", "string"], "categorical")])
    new = offline.api.create_schema(name="more", schema=more)["schemaArn"]
    offline.api.update_dataset(datasetArn=dataset, schemaArn=new)
    found = offline.api.describe_dataset(datasetArn=dataset)["dataset"]
    assert found["schemaArn"] == offline.arns["ITEMS schema"]
    assert found["latestDatasetUpdate"]["status"] == "CREATE PENDING"
    offline.clock.advance(60)
    found = offline.api.describe_dataset(datasetArn=dataset)["dataset"]
    assert (found["schemaArn"], found["latestDatasetUpdate"]["status"]) == (new, "ACTIVE")
    lines = ["ITEM_ID,CATEGORY,PRICE,DESCRIPTION,SOLD_OUT,BRAND", "a,b,1.5,long,true,c"]
    assert offline.load("ITEMS", lines)["status"] == "ACTIVE"


def test_tags_are_added_changed_and_removed(offline: Offline) -> None:
    api = offline.api
    made = api.create_dataset_group(name="shop", tags=[{"tagKey": "stack", "tagValue": "a"}])["datasetGroupArn"]
    api.tag_resource(resourceArn=made, tags=[{"tagKey": "stack", "tagValue": "b"}, {"tagKey": "x", "tagValue": ""}])
    assert api.list_tags_for_resource(resourceArn=made)["tags"] == [
        {"tagKey": "stack", "tagValue": "b"},
        {"tagKey": "x", "tagValue": ""},
    ]
    api.untag_resource(resourceArn=made, tagKeys=["stack", "other"])
    assert api.list_tags_for_resource(resourceArn=made)["tags"] == [{"tagKey": "x", "tagValue": ""}]


def test_regions_know_nothing_of_each_other(offline: Offline) -> None:
    offline.group()
    other = session().client("personalize", region_name="us-east-1")
    install(offline.emulator, other)
    assert other.list_dataset_groups()["datasetGroups"] == []
    assert len(offline.api.list_dataset_groups()["datasetGroups"]) == 1


def test_lists_come_in_pages_and_know_their_parent(offline: Offline) -> None:
    names = [f"g{number}" for number in range(7)]
    for name in names:
        offline.group(name=name)
    offline.dataset("USERS")
    pages = list(offline.api.get_paginator("list_dataset_groups").paginate(PaginationConfig={"PageSize": 3}))
    assert [[one["name"] for one in page["datasetGroups"]] for page in pages] == [names[:3], names[3:6], names[6:]]
    assert len(offline.api.list_datasets(datasetGroupArn=offline.arns["group"])["datasets"]) == 1
    other = offline.arns["group"].replace("g6", "g1")
    assert offline.api.list_datasets(datasetGroupArn=other)["datasets"] == []
    token = offline.api.list_dataset_groups(maxResults=3)["nextToken"]
    for wrong in ("nonsense", token + "x", "bm9uc2Vuc2U6MQ=="):
        with pytest.raises(offline.api.exceptions.InvalidNextTokenException):
            offline.api.list_dataset_groups(nextToken=wrong)
    with pytest.raises(offline.api.exceptions.InvalidNextTokenException):
        offline.api.list_schemas(nextToken=token)
