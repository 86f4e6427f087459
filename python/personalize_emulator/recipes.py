"""The recipes of Amazon Personalize, for custom solutions and for the use cases of the two domains."""

from typing import Final, NamedTuple

from .lifecycle import operation, page
from .service_errors import not_found
from .service_model import Wire
from .store import Store

#: The creation time of the service's own resources. Any fixed time will do.
_CREATED: Final = 1_543_622_400.0


class Recipe(NamedTuple):
    """One recipe: its type, and the domain, interactions and dataset that it requires.

    `kind` is the recipeType. "POPULARITY" exists only in the emulator, and is shown as USER_PERSONALIZATION.
    """

    name: str
    kind: str
    domain: str | None = None
    event_type: str | None = None
    items: bool = False
    hides: str | None = None  # event type of the user whose items are left out, by the use case

    @property
    def arn(self) -> str:
        """The recipe's ARN, which has no region and no account."""
        return f"arn:aws:personalize:::recipe/{self.name}"

    @property
    def shown_kind(self) -> str:
        """The recipeType."""
        return "USER_PERSONALIZATION" if self.kind == "POPULARITY" else self.kind


_SHOP, _VIDEO = "ECOMMERCE", "VIDEO_ON_DEMAND"

RECIPES: Final[dict[str, Recipe]] = {
    recipe.arn: recipe
    for recipe in (
        Recipe("aws-user-personalization-v2", "USER_PERSONALIZATION"),
        Recipe("aws-user-personalization", "USER_PERSONALIZATION"),
        Recipe("aws-personalized-ranking-v2", "PERSONALIZED_RANKING"),
        Recipe("aws-personalized-ranking", "PERSONALIZED_RANKING"),
        Recipe("aws-similar-items", "RELATED_ITEMS"),
        Recipe("aws-sims", "RELATED_ITEMS"),
        Recipe("aws-semantic-similarity", "RELATED_ITEMS", items=True),
        Recipe("aws-trending-now", "POPULARITY"),
        Recipe("aws-popularity-count", "POPULARITY"),
        Recipe("aws-item-affinity", "USER_SEGMENTATION"),
        Recipe("aws-item-attribute-affinity", "USER_SEGMENTATION", items=True),
        Recipe("aws-next-best-action", "PERSONALIZED_ACTIONS"),
        Recipe("aws-ecomm-popular-items-by-views", "POPULARITY", _SHOP, "View"),
        Recipe("aws-ecomm-popular-items-by-purchases", "POPULARITY", _SHOP, "Purchase"),
        Recipe("aws-ecomm-frequently-bought-together", "RELATED_ITEMS", _SHOP, "Purchase"),
        Recipe("aws-ecomm-customers-who-viewed-x-also-viewed", "RELATED_ITEMS", _SHOP, "View", hides="Purchase"),
        Recipe("aws-ecomm-recommended-for-you", "USER_PERSONALIZATION", _SHOP, hides="Purchase"),
        Recipe("aws-vod-because-you-watched-x", "RELATED_ITEMS", _VIDEO, "Watch"),
        Recipe("aws-vod-more-like-x", "RELATED_ITEMS", _VIDEO, items=True),
        Recipe("aws-vod-most-popular", "POPULARITY", _VIDEO, "Watch"),
        Recipe("aws-vod-trending-now", "POPULARITY", _VIDEO),
        Recipe("aws-vod-top-picks", "USER_PERSONALIZATION", _VIDEO, hides="Watch"),
    )
}


def find(arn: str) -> Recipe:
    """Return a recipe. Raises ResourceNotFoundException."""
    if arn not in RECIPES:
        raise not_found(arn)
    return RECIPES[arn]


def _shown(recipe: Recipe) -> Wire:
    return {
        "name": recipe.name,
        "recipeArn": recipe.arn,
        "algorithmArn": f"arn:aws:personalize:::algorithm/{recipe.name}",
        "featureTransformationArn": "arn:aws:personalize:::feature-transformation/JSON-percentile-filtering",
        "status": "ACTIVE",
        "description": f"{recipe.shown_kind} recipe {recipe.name}",
        "recipeType": recipe.shown_kind,
        "domain": recipe.domain,
        "creationDateTime": _CREATED,
        "lastUpdatedDateTime": _CREATED,
    }


@operation("ListRecipes")
def list_recipes(_: Store, request: Wire) -> Wire:
    """Return the recipes of one domain, or all."""
    wanted = request.get("domain")
    recipes = [_shown(recipe) for recipe in RECIPES.values() if wanted in (None, recipe.domain)]
    return page("ListRecipes", recipes, request)


@operation("DescribeRecipe")
def describe_recipe(_: Store, request: Wire) -> Wire:
    """Return one recipe."""
    return {"recipe": _shown(find(request["recipeArn"]))}


@operation("DescribeAlgorithm")
def describe_algorithm(_: Store, request: Wire) -> Wire:
    """Return the algorithm of a recipe, which has the recipe's name."""
    arn = request["algorithmArn"]
    for recipe in RECIPES.values():
        shown = _shown(recipe)
        if shown["algorithmArn"] == arn:
            return {"algorithm": shown | {"trainingInputMode": "File"}}
    raise not_found(arn)


@operation("DescribeFeatureTransformation")
def describe_transformation(_: Store, request: Wire) -> Wire:
    """Return the one feature transformation that every recipe has."""
    arn = request["featureTransformationArn"]
    shown = _shown(next(iter(RECIPES.values())))
    if arn != shown["featureTransformationArn"]:
        raise not_found(arn)
    return {"featureTransformation": shown | {"name": "JSON-percentile-filtering", "defaultParameters": {}}}
