"""Campaigns: a solution version at work, and those that follow the latest one."""

from .kinds import KINDS
from .lifecycle import begin, create, operation
from .model import Wire
from .service_errors import in_use, invalid
from .world import Resource, World

LATEST = "/$LATEST"


def _version(world: World, arn: str, config: Wire) -> tuple[Resource, Resource]:
    """Return the version that is meant and its solution. Raises what AWS answers if it can't be deployed."""
    if not arn.endswith(LATEST):
        if config.get("syncWithLatestSolutionVersion"):
            raise invalid(
                "To set syncWithLatestSolutionVersion, specify the solution version as "
                f"<solution ARN>{LATEST}, not {arn}."
            )
        version = world.usable("SolutionVersion", arn)
        return version, world.find("Solution", version.values["solutionArn"])
    solution = world.find("Solution", arn.removesuffix(LATEST))
    trained = [one for one in world.each("SolutionVersion", solutionArn=solution.arn) if one.status == "ACTIVE"]
    if not trained:
        raise invalid(f"Solution {solution.arn} has no ACTIVE solution version yet.")
    return trained[-1], solution


@operation("CreateCampaign")
def create_campaign(world: World, request: Wire) -> Wire:
    """A campaign of an ACTIVE version; with $LATEST of the latest one of a solution."""
    config = request.get("campaignConfig", {})
    version, solution = _version(world, request["solutionVersionArn"], config)
    group = solution.values["datasetGroupArn"]
    values = {"minProvisionedTPS": 1} | request | {"solutionVersionArn": version.arn}
    made = create(world, KINDS["Campaign"], values, name=request["name"], group=group)
    made.hidden["solutionArn"] = solution.arn
    _follow(world, made, solution)
    return {"campaignArn": made.arn}


def _follow(world: World, campaign: Resource, solution: Resource) -> None:
    """Let a campaign that wants it take every version as soon as it is trained."""
    followers = solution.hidden.setdefault("followers", {})
    if campaign.arn in followers:
        return

    def take(version: Resource) -> None:
        alive = world.resources.get(campaign.arn) is campaign and campaign.status == "ACTIVE"
        if alive and campaign.values.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
            # A later update overtakes one that is under way: its steps are of an earlier life.
            campaign.life += 1
            _update(world, campaign, {"solutionVersionArn": version.arn})

    followers[campaign.arn] = take


@operation("UpdateCampaign")
def update_campaign(world: World, request: Wire) -> Wire:
    """Deploy another version, change the TPS or the configuration; latestCampaignUpdate tells how it goes."""
    campaign = world.find("Campaign", request["campaignArn"])
    if campaign.updating or campaign.status not in ("ACTIVE", "CREATE FAILED"):
        raise in_use(f"Resource Arn {campaign.arn} is in {campaign.status} state or being updated.")
    names = ("minProvisionedTPS", "campaignConfig")
    changes: Wire = {name: request[name] for name in names if name in request}
    config: Wire = request.get("campaignConfig") or campaign.values.get("campaignConfig") or {}
    if "solutionVersionArn" in request:
        version, solution = _version(world, request["solutionVersionArn"], config)
        if solution.arn != campaign.hidden["solutionArn"]:
            raise invalid(f"Solution version {version.arn} is not of the campaign's solution.")
        changes["solutionVersionArn"] = version.arn
    if not changes:
        raise invalid("There is nothing to update.")
    _update(world, campaign, changes)
    return {"campaignArn": campaign.arn}


def _update(world: World, campaign: Resource, changes: Wire) -> None:
    names = ("solutionVersionArn", "minProvisionedTPS", "campaignConfig")
    update = {name: campaign.values[name] for name in names if name in campaign.values} | changes
    update |= {"creationDateTime": world.now, "lastUpdatedDateTime": world.now}

    def apply() -> None:
        campaign.values.update(changes)
        campaign.values["status"] = "ACTIVE"
        campaign.values["lastUpdatedDateTime"] = world.now
        campaign.values.pop("failureReason", None)

    campaign.values["latestCampaignUpdate"] = update
    begin(world, campaign, campaign.kind.words, update, apply, (campaign.values["name"],))
