"""GetRecommendations and GetPersonalizedRanking."""

from collections.abc import Mapping
from typing import NamedTuple

from . import filtering, recipes
from .filtering import Subjects, events_by
from .lifecycle import operation
from .model import Wire
from .recipes import Recipe
from .records import Row
from .service_errors import ServiceError, invalid
from .training import Model
from .world import Resource, World

USUAL_RESULTS = 25
MOST_RESULTS = 500


class Deployment(NamedTuple):
    """A campaign or a recommender at work."""

    resource: Resource
    group: str
    recipe: Recipe
    model: Model
    metadata: bool


def deployment(world: World, campaign: str | None, recommender: str | None) -> Deployment:
    """Return what a request names. Raises ResourceNotFoundException also for what is not at work (yet)."""
    if (campaign is None) == (recommender is None):
        raise invalid("Provide either a campaignArn or a recommenderArn.")
    kind, arn = ("Campaign", campaign) if campaign is not None else ("Recommender", recommender)
    found = world.find(kind, arn or "")
    if found.status != "ACTIVE":
        raise ServiceError("ResourceNotFoundException", f"Resource Arn {arn} is in {found.status} state, not ACTIVE.")
    if kind == "Campaign":
        version = world.find("SolutionVersion", found.values["solutionVersionArn"])
        recipe, model, config = version.values["recipeArn"], version.arn, found.values.get("campaignConfig", {})
    else:
        recipe, model, config = found.values["recipeArn"], found.arn, found.values.get("recommenderConfig", {})
    group = found.hidden["datasetGroupArn"]
    return Deployment(
        found, group, recipes.find(recipe), world.models[model], config.get("enableMetadataWithRecommendations", False)
    )


@operation("GetRecommendations")
def get_recommendations(world: World, request: Wire) -> Wire:
    """Up to `numResults` items: for a user or a session, or like an item, as the recipe has it."""
    used = deployment(world, request.get("campaignArn"), request.get("recommenderArn"))
    number = request.get("numResults") or USUAL_RESULTS
    if number > MOST_RESULTS:
        raise invalid(f"numResults is {number}, more than {MOST_RESULTS}.")
    scored = _candidates(world, used, request)
    scores = dict(scored)
    subjects = subjects_for(world, used.group, request.get("userId"))
    ids = [item for item, _ in scored]
    if used.recipe.hides is not None:
        hidden = used.recipe.hides.lower()
        ids = [item for item in ids if hidden not in subjects.events.get(item, ())]
    if "filterArn" in request:
        ids = filtering.apply(world, request["filterArn"], used.group, request.get("filterValues", {}), ids, subjects)
    promoted = _promoted(world, used, request, scores, subjects, number)
    ids = [item for item in ids if item not in promoted][: number - len(promoted)]
    # Promoted items are spread over the list: one in every so many places.
    if promoted:
        step = number / len(promoted)
        for place, item in enumerate(promoted):
            ids.insert(int(place * step), item)
    rows = _metadata(world, used, request)
    scoring = used.recipe.kind == "USER_PERSONALIZATION"
    return _answer(
        world,
        "itemList",
        [
            {
                "itemId": item,
                "score": scores[item] if scoring else None,
                "promotionName": promoted.get(item),
                "metadata": rows(item),
            }
            for item in ids
        ],
    )


def _candidates(world: World, used: Deployment, request: Wire) -> list[tuple[str, float]]:
    kind = used.recipe.kind
    if kind in ("PERSONALIZED_RANKING", "USER_SEGMENTATION"):
        raise invalid(f"Recipe {used.recipe.name} of {used.resource.arn} is not supported by GetRecommendations.")
    if kind == "RELATED_ITEMS":
        if not request.get("itemId"):
            raise invalid(f"itemId is required with recipe {used.recipe.name}.")
        return used.model.for_item(request["itemId"])
    if not request.get("userId"):
        raise invalid(f"userId is required with recipe {used.recipe.name}.")
    if kind == "POPULARITY":
        return used.model.by_popularity()
    history = [row["ITEM_ID"] for row in history_of(world, used.group, request["userId"]) if row.get("ITEM_ID")]
    return used.model.for_user(history, request["userId"])


def history_of(world: World, group: str, user: str | None) -> list[Row]:
    """Return what a user or a session did up to now, imported and streamed, oldest first."""
    dataset = world.dataset(group, "INTERACTIONS")
    if dataset is None or not user:
        return []
    return world.interactions[dataset.arn].history(user)


def subjects_for(world: World, group: str, user: str | None) -> Subjects:
    """Return what a filter of items looks at for a user."""
    items, users = world.dataset(group, "ITEMS"), world.dataset(group, "USERS")
    row = world.profiles[items.arn].get if items is not None else lambda _: None
    current = world.profiles[users.arn].get(user) if users is not None and user else None
    return Subjects(row, current, events_by("ITEM_ID", history_of(world, group, user)))


def _promoted(
    world: World, used: Deployment, request: Wire, scores: Mapping[str, float], subjects: Subjects, number: int
) -> dict[str, str]:
    """Return promoted item -> name of its promotion."""
    found: dict[str, str] = {}
    for promotion in request.get("promotions", []):
        if "filterArn" not in promotion or "percentPromotedItems" not in promotion:
            raise invalid("A promotion needs a filterArn and percentPromotedItems.")
        ids = filtering.apply(
            world, promotion["filterArn"], used.group, promotion.get("filterValues", {}), list(scores), subjects
        )
        most = number * promotion["percentPromotedItems"] // 100
        found |= dict.fromkeys(ids[:most], promotion.get("name", ""))
    return found


def _metadata(world: World, used: Deployment, request: Wire) -> "Rows":
    wanted = request.get("metadataColumns", {})
    columns = wanted.get("ITEMS", [])
    if wanted and not used.metadata:
        raise invalid(f"{used.resource.arn} has enableMetadataWithRecommendations not set.")
    if set(wanted) - {"ITEMS"}:
        raise invalid("metadataColumns has only columns of the dataset type ITEMS.")
    dataset = world.dataset(used.group, "ITEMS")
    return Rows(world, dataset.arn if dataset is not None else None, columns)


class Rows:
    """Item -> the texts of the columns that a request wants to see; None if it wants none."""

    def __init__(self, world: World, dataset: str | None, columns: list[str]) -> None:
        self._held = world.profiles[dataset] if dataset is not None else None
        self._columns = columns

    def __call__(self, item: str) -> dict[str, str] | None:
        """Return an item's columns."""
        row = self._held.get(item) if self._held is not None and self._columns else None
        if row is None:
            return None
        return {name: str(row[name]) for name in self._columns if row.get(name) is not None}


@operation("GetPersonalizedRanking")
def get_ranking(world: World, request: Wire) -> Wire:
    """The items of a list, those first that the user would take first; unknown ones come last."""
    used = deployment(world, request["campaignArn"], None)
    if used.recipe.kind != "PERSONALIZED_RANKING":
        raise invalid(f"Recipe {used.recipe.name} is not supported by GetPersonalizedRanking.")
    wanted = list(dict.fromkeys(request["inputList"]))
    if not wanted or len(wanted) > MOST_RESULTS:
        raise invalid(f"inputList has {len(wanted)} items, not 1 to {MOST_RESULTS}.")
    history = [row["ITEM_ID"] for row in history_of(world, used.group, request["userId"]) if row.get("ITEM_ID")]
    scores = dict(used.model.for_user(history, request["userId"]))
    ids = sorted(wanted, key=lambda item: -scores.get(item, 0.0))
    if "filterArn" in request:
        subjects = subjects_for(world, used.group, request["userId"])
        ids = filtering.apply(world, request["filterArn"], used.group, request.get("filterValues", {}), ids, subjects)
    rows = _metadata(world, used, request)
    total = sum(scores.get(item, 0.0) for item in ids) or 1.0
    ranked = [{"itemId": item, "score": scores.get(item, 0.0) / total, "metadata": rows(item)} for item in ids]
    return _answer(world, "personalizedRanking", ranked)


def _answer(world: World, member: str, found: list[Wire]) -> Wire:
    return {member: found, "recommendationId": f"RID-{world.new_id()}-{world.new_id()}"}
