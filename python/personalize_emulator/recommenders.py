"""Recommenders of domain dataset groups: trained, started, stopped, updated."""

from . import recipes
from .kinds import KINDS
from .lifecycle import begin, create, operation
from .model import Wire
from .service_errors import in_use, invalid
from .solutions import check_columns, train
from .world import Resource, World


@operation("CreateRecommender")
def create_recommender(world: World, request: Wire) -> Wire:
    """A recommender of a use case of the group's domain; it trains on what the datasets hold."""
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    recipe = recipes.find(request["recipeArn"])
    domain = group.values.get("domain")
    if domain is None:
        raise invalid("Recommenders are of domain dataset groups; this one is custom.")
    if recipe.domain != domain:
        raise invalid(f"Recipe {recipe.name} is not a use case of the domain {domain}.")
    needed = ("INTERACTIONS", "ITEMS") if recipe.items else ("INTERACTIONS",)
    for kind in needed:
        if world.dataset(group.arn, kind) is None:
            raise invalid(f"The dataset group has no dataset of type {kind}.")
    config = {"minRecommendationRequestsPerSecond": 1} | request.get("recommenderConfig", {})
    check_columns(world, group.arn, config.get("trainingDataConfig", {}))
    events = {recipe.event_type: float("-inf")} if recipe.event_type else {}

    def run() -> None:
        world.models[made.arn] = train(world, group.arn, recipe, events)

    made = create(
        world,
        KINDS["Recommender"],
        request | {"recommenderConfig": config},
        name=request["name"],
        group=group.arn,
        effect=run,
    )
    return {"recommenderArn": made.arn}


@operation("UpdateRecommender")
def update_recommender(world: World, request: Wire) -> Wire:
    """Change the configuration; latestRecommenderUpdate tells how it goes."""
    recommender = _idle(world, request["recommenderArn"], "ACTIVE", "INACTIVE", "CREATE FAILED")
    config = request["recommenderConfig"]
    check_columns(world, recommender.hidden["datasetGroupArn"], config.get("trainingDataConfig", {}))

    def run() -> None:
        recommender.values["recommenderConfig"] = recommender.values["recommenderConfig"] | config

    update: Wire = {"recommenderConfig": config, "creationDateTime": world.now, "lastUpdatedDateTime": world.now}
    recommender.values["latestRecommenderUpdate"] = update
    begin(world, recommender, recommender.kind.words, update, run, (recommender.values["name"],))
    return {"recommenderArn": recommender.arn}


@operation("StopRecommender")
def stop_recommender(world: World, request: Wire) -> Wire:
    """Stop a recommender: it costs and answers nothing until it is started."""
    recommender = _idle(world, request["recommenderArn"], "ACTIVE")
    words = ("STOP PENDING", "STOP IN_PROGRESS", "INACTIVE", "ACTIVE")
    begin(world, recommender, words, recommender.values)
    return {"recommenderArn": recommender.arn}


@operation("StartRecommender")
def start_recommender(world: World, request: Wire) -> Wire:
    """Start a stopped recommender."""
    recommender = _idle(world, request["recommenderArn"], "INACTIVE")
    words = ("START PENDING", "START IN_PROGRESS", "ACTIVE", "INACTIVE")
    begin(world, recommender, words, recommender.values)
    return {"recommenderArn": recommender.arn}


def _idle(world: World, arn: str, *statuses: str) -> Resource:
    found = world.find("Recommender", arn)
    if found.busy:
        raise in_use(f"Resource Arn {arn} is in {found.status} state or being updated.")
    if found.status not in statuses:
        raise invalid(f"Resource Arn {arn} is in {found.status} state, not {' or '.join(statuses)}.")
    return found
