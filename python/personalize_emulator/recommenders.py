"""Recommenders of domain dataset groups: trained, started, stopped, updated."""

from . import recipes
from .lifecycle import begin, create, operation, update
from .resources import Resource
from .service_errors import invalid
from .service_model import Wire
from .solutions import check_columns, train
from .store import Store


@operation("CreateRecommender")
def create_recommender(store: Store, request: Wire) -> Wire:
    """Create a recommender for a use case of the group's domain and train it on the datasets."""
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    recipe = recipes.find(request["recipeArn"])
    domain = group.values.get("domain")
    if domain is None:
        raise invalid("Recommenders need a domain dataset group. This one is custom.")
    if recipe.domain != domain:
        raise invalid(f"Recipe {recipe.name} is not a use case of the domain {domain}.")
    needed = ("INTERACTIONS", "ITEMS") if recipe.items else ("INTERACTIONS",)
    for kind in needed:
        if store.dataset(group.arn, kind) is None:
            raise invalid(f"The dataset group has no dataset of type {kind}.")
    config = {"minRecommendationRequestsPerSecond": 1} | request.get("recommenderConfig", {})
    check_columns(store, group.arn, config.get("trainingDataConfig", {}))
    events = {recipe.event_type: float("-inf")} if recipe.event_type else {}

    def run() -> None:
        store.models[recommender.arn] = train(store, group.arn, recipe, events)

    recommender = create(store, "Recommender", request | {"recommenderConfig": config}, group=group.arn, effect=run)
    return {"recommenderArn": recommender.arn}


@operation("UpdateRecommender")
def update_recommender(store: Store, request: Wire) -> Wire:
    """Change the configuration. latestRecommenderUpdate shows the progress."""
    recommender = _idle(store, request["recommenderArn"], "ACTIVE", "INACTIVE", "CREATE FAILED")
    config = request["recommenderConfig"]
    check_columns(store, recommender.hidden["datasetGroupArn"], config.get("trainingDataConfig", {}))

    def run() -> None:
        recommender.values["recommenderConfig"] = recommender.values["recommenderConfig"] | config

    update(store, recommender, {"recommenderConfig": config}, run)
    return {"recommenderArn": recommender.arn}


@operation("StopRecommender")
def stop_recommender(store: Store, request: Wire) -> Wire:
    """Stop a recommender. Until it is started again, it costs nothing and answers nothing."""
    recommender = _idle(store, request["recommenderArn"], "ACTIVE")
    words = ("STOP PENDING", "STOP IN_PROGRESS", "INACTIVE", "ACTIVE")
    begin(store, recommender, words, recommender.values)
    return {"recommenderArn": recommender.arn}


@operation("StartRecommender")
def start_recommender(store: Store, request: Wire) -> Wire:
    """Start a stopped recommender."""
    recommender = _idle(store, request["recommenderArn"], "INACTIVE")
    words = ("START PENDING", "START IN_PROGRESS", "ACTIVE", "INACTIVE")
    begin(store, recommender, words, recommender.values)
    return {"recommenderArn": recommender.arn}


def _idle(store: Store, arn: str, *statuses: str) -> Resource:
    recommender = store.find("Recommender", arn)
    if recommender.busy:
        raise recommender.conflict()
    if recommender.status not in statuses:
        raise invalid(f"Resource Arn {arn} is in {recommender.status} state, not {' or '.join(statuses)}.")
    return recommender
