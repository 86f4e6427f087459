"""GetRecommendations and GetPersonalizedRanking."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import filtering, recipes
from .filtering import Subjects, events_by
from .lifecycle import operation
from .recipes import Recipe
from .records import Record
from .resources import Resource
from .service_errors import ServiceError, invalid
from .service_model import Wire
from .store import Store
from .training import Model

USUAL_RESULTS = 25
MOST_RESULTS = 500


class Deployment(NamedTuple):
    """An active campaign or recommender."""

    resource: Resource
    group: str
    recipe: Recipe
    model: Model
    metadata: bool


def deployment(store: Store, campaign: str | None, recommender: str | None) -> Deployment:
    """Return the deployment in a request. Raises ResourceNotFoundException, even if it exists but isn't ACTIVE."""
    if (campaign is None) == (recommender is None):
        raise invalid("Provide either a campaignArn or a recommenderArn.")
    kind, arn = ("Campaign", campaign) if campaign is not None else ("Recommender", recommender)
    resource = store.find(kind, arn or "")
    if resource.status != "ACTIVE":
        raise ServiceError(
            "ResourceNotFoundException", f"Resource Arn {arn} is in {resource.status} state, not ACTIVE."
        )
    if kind == "Campaign":
        trained = store.find("SolutionVersion", resource.values["solutionVersionArn"])
        config = resource.values.get("campaignConfig", {})
    else:
        trained, config = resource, resource.values.get("recommenderConfig", {})
    return Deployment(
        resource,
        resource.hidden["datasetGroupArn"],
        recipes.find(trained.values["recipeArn"]),
        store.models[trained.arn],
        config.get("enableMetadataWithRecommendations", False),
    )


@operation("GetRecommendations")
def get_recommendations(store: Store, request: Wire) -> Wire:
    """Return up to `numResults` items for a user, a session or an item, depending on the recipe."""
    used = deployment(store, request.get("campaignArn"), request.get("recommenderArn"))
    number = request.get("numResults") or USUAL_RESULTS
    if number > MOST_RESULTS:
        raise invalid(f"numResults is {number}, more than {MOST_RESULTS}.")
    scored = _candidates(store, used, request)
    scores = dict(scored)
    related = request.get("itemId") if used.recipe.kind == "RELATED_ITEMS" else None
    subjects = subjects_for(store, used.group, request.get("userId"), related)
    ids = [item for item, _ in scored]
    if used.recipe.hides is not None:
        hidden = used.recipe.hides.lower()
        ids = [item for item in ids if hidden not in subjects.events.get(item, ())]
    if "filterArn" in request:
        ids = filtering.apply(store, request["filterArn"], used.group, request.get("filterValues", {}), ids, subjects)
    promoted = _promoted(store, used, request, scores, subjects, number)
    ids = [item for item in ids if item not in promoted][: number - len(promoted)]
    # Promoted items are spread evenly over the list.
    if promoted:
        step = number / len(promoted)
        for place, item in enumerate(promoted):
            ids.insert(int(place * step), item)
    metadata = _metadata(store, used, request)
    scoring = used.recipe.kind == "USER_PERSONALIZATION"
    return _answer(
        store,
        "itemList",
        [
            {
                "itemId": item,
                "score": scores[item] if scoring else None,
                "promotionName": promoted.get(item),
                "metadata": metadata(item),
            }
            for item in ids
        ],
    )


def _candidates(store: Store, used: Deployment, request: Wire) -> list[tuple[str, float]]:
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
    return used.model.for_user(items_of(store, used.group, request["userId"]), request["userId"])


def history_of(store: Store, group: str, user: str | None) -> list[Record]:
    """Return the imported and streamed records of a user or a session, oldest first."""
    dataset = store.dataset(group, "INTERACTIONS")
    if dataset is None or not user:
        return []
    return store.interactions[dataset.arn].history(user)


def items_of(store: Store, group: str, user: str) -> list[str]:
    """Return the items of a user's or a session's history, oldest first."""
    return [record["ITEM_ID"] for record in history_of(store, group, user) if record.get("ITEM_ID")]


def subjects_for(store: Store, group: str, user: str | None, item: str | None = None) -> Subjects:
    """Return the input of an item filter for a user, and for the item in a request for related items."""
    items, users = store.dataset(group, "ITEMS"), store.dataset(group, "USERS")
    record = store.profiles[items.arn].get if items is not None else lambda _: None
    current = store.profiles[users.arn].get(user) if users is not None and user else None
    named = None if item is None else record(item) or {}
    return Subjects(record, current, events_by("ITEM_ID", history_of(store, group, user)), named)


def _promoted(
    store: Store, used: Deployment, request: Wire, scores: Mapping[str, float], subjects: Subjects, number: int
) -> dict[str, str]:
    """Return promoted item -> name of the promotion."""
    promoted: dict[str, str] = {}
    for promotion in request.get("promotions", []):
        if "filterArn" not in promotion or "percentPromotedItems" not in promotion:
            raise invalid("A promotion needs a filterArn and percentPromotedItems.")
        ids = filtering.apply(
            store, promotion["filterArn"], used.group, promotion.get("filterValues", {}), list(scores), subjects
        )
        most = number * promotion["percentPromotedItems"] // 100
        promoted |= dict.fromkeys(ids[:most], promotion.get("name", ""))
    return promoted


def _metadata(store: Store, used: Deployment, request: Wire) -> Callable[[str], dict[str, str] | None]:
    """Return item -> texts of the requested columns, None for an item without a record."""
    wanted = request.get("metadataColumns", {})
    columns = wanted.get("ITEMS", [])
    if wanted and not used.metadata:
        raise invalid(f"{used.resource.arn} has enableMetadataWithRecommendations not set.")
    if set(wanted) - {"ITEMS"}:
        raise invalid("metadataColumns has only columns of the dataset type ITEMS.")
    dataset = store.dataset(used.group, "ITEMS")

    def metadata(item: str) -> dict[str, str] | None:
        record = store.profiles[dataset.arn].get(item) if dataset is not None and columns else None
        if record is None:
            return None
        return {name: str(record[name]) for name in columns if record.get(name) is not None}

    return metadata


@operation("GetPersonalizedRanking")
def get_ranking(store: Store, request: Wire) -> Wire:
    """Return the items of a list in the user's order of preference, unknown ones last."""
    used = deployment(store, request["campaignArn"], None)
    if used.recipe.kind != "PERSONALIZED_RANKING":
        raise invalid(f"Recipe {used.recipe.name} is not supported by GetPersonalizedRanking.")
    wanted = list(dict.fromkeys(request["inputList"]))
    if not wanted or len(wanted) > MOST_RESULTS:
        raise invalid(f"inputList has {len(wanted)} items, not 1 to {MOST_RESULTS}.")
    scores = dict(used.model.for_user(items_of(store, used.group, request["userId"]), request["userId"]))
    ids = sorted(wanted, key=lambda item: -scores.get(item, 0.0))
    if "filterArn" in request:
        subjects = subjects_for(store, used.group, request["userId"])
        ids = filtering.apply(store, request["filterArn"], used.group, request.get("filterValues", {}), ids, subjects)
    metadata = _metadata(store, used, request)
    total = sum(scores.get(item, 0.0) for item in ids) or 1.0
    ranked = [{"itemId": item, "score": scores.get(item, 0.0) / total, "metadata": metadata(item)} for item in ids]
    return _answer(store, "personalizedRanking", ranked)


def _answer(store: Store, member: str, items: list[Wire]) -> Wire:
    return {member: items, "recommendationId": f"RID-{store.new_id()}-{store.new_id()}"}
