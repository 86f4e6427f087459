"""Campaigns: deployed solution versions, and campaigns that follow the latest one."""

from .lifecycle import create, operation, update
from .resources import Resource
from .service_errors import invalid
from .service_model import Wire
from .store import Store

LATEST = "/$LATEST"


def _version(store: Store, arn: str, config: Wire) -> tuple[Resource, Resource]:
    """Return the requested version and its solution. Raises the service's errors if it can't be deployed."""
    if not arn.endswith(LATEST):
        if config.get("syncWithLatestSolutionVersion"):
            raise invalid(
                "To set syncWithLatestSolutionVersion, specify the solution version as "
                f"<solution ARN>{LATEST}, not {arn}."
            )
        version = store.usable("SolutionVersion", arn)
        return version, store.find("Solution", version.values["solutionArn"])
    solution = store.find("Solution", arn.removesuffix(LATEST))
    versions = store.each("SolutionVersion", solutionArn=solution.arn)
    trained = [version for version in versions if version.status == "ACTIVE"]
    if not trained:
        raise invalid(f"Solution {solution.arn} has no ACTIVE solution version yet.")
    return trained[-1], solution


@operation("CreateCampaign")
def create_campaign(store: Store, request: Wire) -> Wire:
    """Deploy an ACTIVE version, or the latest one of a solution with $LATEST."""
    config = request.get("campaignConfig", {})
    version, solution = _version(store, request["solutionVersionArn"], config)
    group = solution.values["datasetGroupArn"]
    values = {"minProvisionedTPS": 1} | request | {"solutionVersionArn": version.arn}
    campaign = create(store, "Campaign", values, group=group)
    campaign.hidden["solutionArn"] = solution.arn
    _follow(store, campaign, solution)
    return {"campaignArn": campaign.arn}


def _follow(store: Store, campaign: Resource, solution: Resource) -> None:
    """Deploy each new version to the campaign as soon as it is trained, if the campaign is configured to."""
    followers = solution.hidden.setdefault("followers", {})
    if campaign.arn in followers:
        return

    def take(version: Resource) -> None:
        alive = store.resources.get(campaign.arn) is campaign and campaign.status == "ACTIVE"
        if alive and campaign.values.get("campaignConfig", {}).get("syncWithLatestSolutionVersion"):
            # A later update overrides one in progress, whose steps belong to an earlier life.
            campaign.life += 1
            _update(store, campaign, {"solutionVersionArn": version.arn})

    followers[campaign.arn] = take


@operation("UpdateCampaign")
def update_campaign(store: Store, request: Wire) -> Wire:
    """Deploy another version, or change the TPS or the configuration. latestCampaignUpdate shows the progress."""
    campaign = store.find("Campaign", request["campaignArn"])
    if campaign.updating or campaign.status not in ("ACTIVE", "CREATE FAILED"):
        raise campaign.conflict()
    names = ("minProvisionedTPS", "campaignConfig")
    changes: Wire = {name: request[name] for name in names if name in request}
    config: Wire = request.get("campaignConfig") or campaign.values.get("campaignConfig") or {}
    if "solutionVersionArn" in request:
        version, solution = _version(store, request["solutionVersionArn"], config)
        if solution.arn != campaign.hidden["solutionArn"]:
            raise invalid(f"Solution version {version.arn} is not of the campaign's solution.")
        changes["solutionVersionArn"] = version.arn
    if not changes:
        raise invalid("The request has nothing to update.")
    _update(store, campaign, changes)
    return {"campaignArn": campaign.arn}


def _update(store: Store, campaign: Resource, changes: Wire) -> None:
    names = ("solutionVersionArn", "minProvisionedTPS", "campaignConfig")
    shown = {name: campaign.values[name] for name in names if name in campaign.values} | changes

    def apply() -> None:
        campaign.values.update(changes)
        campaign.values["status"] = "ACTIVE"
        campaign.values["lastUpdatedDateTime"] = store.now
        campaign.values.pop("failureReason", None)

    update(store, campaign, shown, apply)
