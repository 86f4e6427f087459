"""Updates of campaigns and solutions go through their statuses, and campaigns follow new versions."""

import pytest

from offline import DAY, Offline, walk


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


def test_a_campaign_is_updated_behind_its_active_status(offline: Offline) -> None:
    offline.everything()
    old = offline.arns["version"]
    new = offline.version()
    campaign = offline.arns["campaign"]
    offline.api.update_campaign(campaignArn=campaign, solutionVersionArn=new, minProvisionedTPS=3)
    found = offline.api.describe_campaign(campaignArn=campaign)["campaign"]
    assert (found["status"], found["solutionVersionArn"], found["minProvisionedTPS"]) == ("ACTIVE", old, 1)
    assert found["latestCampaignUpdate"]["status"] == "CREATE PENDING"
    assert offline.items(userId="u1")
    with pytest.raises(offline.api.exceptions.ResourceInUseException, match="being updated"):
        offline.api.update_campaign(campaignArn=campaign, minProvisionedTPS=4)
    with pytest.raises(offline.api.exceptions.ResourceInUseException):
        offline.api.delete_campaign(campaignArn=campaign)
    offline.clock.advance(1200)
    found = offline.api.describe_campaign(campaignArn=campaign)["campaign"]
    assert (found["solutionVersionArn"], found["minProvisionedTPS"]) == (new, 3)
    assert found["latestCampaignUpdate"]["status"] == "ACTIVE"


def test_a_failed_update_hides_behind_an_active_campaign(offline: Offline) -> None:
    offline.everything()
    campaign = offline.arns["campaign"]
    offline.faults.fail("campaign", "No capacity")
    offline.api.update_campaign(campaignArn=campaign, minProvisionedTPS=3)
    offline.clock.advance(1200)
    found = offline.api.describe_campaign(campaignArn=campaign)["campaign"]
    assert (found["status"], found["minProvisionedTPS"]) == ("ACTIVE", 1)
    update = found["latestCampaignUpdate"]
    assert (update["status"], update["failureReason"]) == ("CREATE FAILED", "No capacity")
    offline.api.update_campaign(campaignArn=campaign, minProvisionedTPS=3)
    offline.clock.advance(1200)
    assert offline.api.describe_campaign(campaignArn=campaign)["campaign"]["minProvisionedTPS"] == 3


def test_a_campaign_that_follows_takes_every_version_that_automatic_training_makes(offline: Offline) -> None:
    offline.everything()
    api = offline.api
    solution = offline.solution(name="auto", performAutoTraining=True)
    with pytest.raises(api.exceptions.InvalidInputException, match="no ACTIVE solution version"):
        api.create_campaign(name="c", solutionVersionArn=f"{solution}/$LATEST")
    offline.clock.advance(2 * 3600)  # the first training begins within an hour
    (first,) = api.list_solution_versions(solutionArn=solution)["solutionVersions"]
    assert first["trainingType"] == "AUTOMATIC"
    campaign = api.create_campaign(
        name="c",
        solutionVersionArn=f"{solution}/$LATEST",
        campaignConfig={"syncWithLatestSolutionVersion": True},
    )["campaignArn"]
    offline.clock.advance(1200)
    assert api.describe_campaign(campaignArn=campaign)["campaign"]["solutionVersionArn"] == first["solutionVersionArn"]
    offline.clock.advance(7 * DAY + 3600)
    _, second = api.list_solution_versions(solutionArn=solution)["solutionVersions"]
    found = api.describe_campaign(campaignArn=campaign)["campaign"]
    assert found["solutionVersionArn"] == second["solutionVersionArn"]
    offline.clock.advance(70 * DAY)  # missed trainings run once
    assert len(api.list_solution_versions(solutionArn=solution)["solutionVersions"]) == 3
    api.update_solution(solutionArn=solution, performAutoTraining=False)
    assert api.describe_solution(solutionArn=solution)["solution"]["latestSolutionUpdate"]["status"] == "CREATE PENDING"
    offline.clock.advance(30 * DAY)
    assert len(api.list_solution_versions(solutionArn=solution)["solutionVersions"]) == 3
    assert api.describe_solution(solutionArn=solution)["solution"]["performAutoTraining"] is False


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(0, ["CREATE STOPPED"], id="while it waits"),
        pytest.param(60, ["CREATE STOPPING", "CREATE STOPPED"], id="while it runs"),
    ],
)
def test_a_training_can_be_stopped(offline: Offline, seconds: int, expected: list[str]) -> None:
    offline.everything()
    version = offline.api.create_solution_version(solutionArn=offline.arns["solution"])["solutionVersionArn"]
    offline.clock.advance(seconds)
    offline.api.stop_solution_version_creation(solutionVersionArn=version)
    assert walk(offline, "SolutionVersion", version, 30) == expected
    with pytest.raises(offline.api.exceptions.InvalidInputException, match="can't be stopped"):
        offline.api.stop_solution_version_creation(solutionVersionArn=version)


def test_latest_means_the_version_that_was_trained_last(offline: Offline) -> None:
    offline.everything()
    new = offline.version()
    campaign = offline.campaign("latest", solutionVersionArn=f"{offline.arns['solution']}/$LATEST")
    assert offline.api.describe_campaign(campaignArn=campaign)["campaign"]["solutionVersionArn"] == new
    offline.version()  # and stays with it, unless it is told to follow
    assert offline.api.describe_campaign(campaignArn=campaign)["campaign"]["solutionVersionArn"] == new


def test_a_version_made_by_hand_stands_for_the_first_automatic_one(offline: Offline) -> None:
    offline.everything()
    solution = offline.solution(name="auto", performAutoTraining=True)
    offline.version()
    offline.clock.advance(DAY)
    assert len(offline.api.list_solution_versions(solutionArn=solution)["solutionVersions"]) == 1
    offline.clock.advance(7 * DAY)
    assert len(offline.api.list_solution_versions(solutionArn=solution)["solutionVersions"]) == 2
