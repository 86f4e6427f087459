"""Solutions, their versions, automatic training and metrics."""

import re
from collections.abc import Iterator
from typing import Final

from . import recipes
from .datasets import fields_of
from .kinds import HOUR, KINDS
from .lifecycle import begin, create, operation
from .model import Wire
from .recipes import Recipe
from .service_errors import ServiceError, in_use, invalid, unsupported
from .training import MIN_INTERACTIONS, Interaction, Model
from .world import JobError, Resource, World

DAY: Final = 24 * HOUR
#: "Automatic training starts within one hour after the solution is ACTIVE."
_FIRST_TRAINING: Final = HOUR
_USUAL_DAYS: Final = 7


@operation("CreateSolution")
def create_solution(world: World, request: Wire) -> Wire:
    """A solution; automatic training is on unless the request says otherwise."""
    if request.get("performAutoML"):
        raise unsupported("performAutoML")
    if "recipeArn" not in request:
        raise invalid("Provide a recipeArn, or set performAutoML.")
    recipe = recipes.find(request["recipeArn"])
    if recipe.domain is not None:
        raise invalid(f"Recipe {recipe.name} is a domain use case. Create a recommender with it.")
    if recipe.kind == "PERSONALIZED_ACTIONS":
        raise unsupported(f"recipe {recipe.name}")
    group = world.usable("DatasetGroup", request["datasetGroupArn"])
    config = request.get("solutionConfig", {})
    days_of(config)
    check_columns(world, group.arn, config.get("trainingDataConfig", {}))
    request = {**dict.fromkeys(("performHPO", "performAutoML"), False), "performAutoTraining": True, **request}

    def run() -> None:
        plan_training(world, world.resources[arn], _FIRST_TRAINING)

    arn = world.arn(KINDS["Solution"].segment, request["name"])
    create(world, KINDS["Solution"], request, name=request["name"], group=group.arn, effect=run)
    return {"solutionArn": arn}


def days_of(config: Wire) -> int:
    """Return the days between automatic trainings. Raises InvalidInputException unless they are 1 to 30."""
    expression = config.get("autoTrainingConfig", {}).get("schedulingExpression")
    if expression is None:
        return _USUAL_DAYS
    days = int(re.sub(r"\D", "", expression))
    if not 1 <= days <= 30:
        raise invalid(f"The scheduling expression {expression} is not between rate(1 day) and rate(30 days).")
    return days


def check_columns(world: World, group: str, config: Wire) -> None:
    """Raise InvalidInputException unless the columns that training shall use exist."""
    included, excluded = config.get("includedDatasetColumns", {}), config.get("excludedDatasetColumns", {})
    if included and excluded:
        raise invalid("Provide either includedDatasetColumns or excludedDatasetColumns, not both.")
    for kind, columns in (included | excluded).items():
        dataset = world.dataset(group, kind.upper())
        if dataset is None:
            raise invalid(f"The dataset group has no dataset of type {kind}.")
        unknown = set(columns) - {field.name for field in fields_of(world, dataset)}
        if unknown:
            raise invalid(f"Dataset {dataset.arn} has no columns [{', '.join(sorted(unknown))}].")


@operation("UpdateSolution")
def update_solution(world: World, request: Wire) -> Wire:
    """Change the automatic training or the events of a solution; latestSolutionUpdate tells how it goes."""
    solution = world.usable("Solution", request["solutionArn"])
    if solution.updating:
        raise in_use(f"Resource Arn {solution.arn} is being updated.")
    names = ("performAutoTraining", "performIncrementalUpdate")
    changes: Wire = {name: request[name] for name in names if name in request}
    config = request.get("solutionUpdateConfig", {})
    if not changes and not config:
        raise invalid("There is nothing to update.")
    days_of(config)

    def run() -> None:
        solution.values.update(changes)
        solution.values["solutionConfig"] = solution.values.get("solutionConfig", {}) | config
        plan_training(world, solution, days_of(solution.values["solutionConfig"]) * DAY)

    update: Wire = {"creationDateTime": world.now, "lastUpdatedDateTime": world.now, **changes}
    if config:
        update["solutionUpdateConfig"] = config
    solution.values["latestSolutionUpdate"] = update
    begin(world, solution, solution.kind.words, update, run, (solution.values["name"],))
    return {"solutionArn": solution.arn}


def plan_training(world: World, solution: Resource, seconds: float) -> None:
    """Train automatically in so many seconds, and from then on as often as the solution says.

    What the clock jumped over is trained once. A version made by hand in time stands for the first.
    """
    plan = solution.hidden["plan"] = object()

    def train(now: float) -> None:
        alive = world.resources.get(solution.arn) is solution and solution.status == "ACTIVE"
        if solution.hidden.get("plan") is not plan or not alive or not solution.values["performAutoTraining"]:
            return
        since = world.now - seconds
        if not any(one.values["creationDateTime"] > since for one in _versions(world, solution)):
            begin_version(world, solution, {"trainingMode": "FULL"}, "AUTOMATIC")
        period = days_of(solution.values.get("solutionConfig", {})) * DAY
        plan_training(world, solution, period + max(0.0, now - world.now) // period * period)

    if solution.values["performAutoTraining"]:
        world.later(seconds, train)


def _versions(world: World, solution: Resource) -> Iterator[Resource]:
    return world.each("SolutionVersion", solutionArn=solution.arn)


@operation("CreateSolutionVersion")
def create_version(world: World, request: Wire) -> Wire:
    """Train now. What is missing in the data makes it fail later, what is missing in the group at once."""
    solution = world.usable("Solution", request["solutionArn"])
    if request.get("name") in [one.values["name"] for one in _versions(world, solution) if "name" in one.values]:
        message = f"Another resource with name {request['name']} already exists."
        raise ServiceError("ResourceAlreadyExistsException", message)
    recipe = recipes.find(solution.values["recipeArn"])
    if request.setdefault("trainingMode", "FULL") == "UPDATE":
        trained = any(one.status == "ACTIVE" for one in _versions(world, solution))
        if recipe.name != "aws-user-personalization" or not trained:
            raise invalid(
                "Training mode UPDATE needs an ACTIVE version trained with FULL and the User-Personalization recipe."
            )
    if world.dataset(solution.values["datasetGroupArn"], "INTERACTIONS") is None:
        raise invalid("The dataset group has no dataset of type INTERACTIONS.")
    if recipe.items and world.dataset(solution.values["datasetGroupArn"], "ITEMS") is None:
        raise invalid(f"Recipe {recipe.name} needs a dataset of type ITEMS.")
    return {"solutionVersionArn": begin_version(world, solution, request, "MANUAL").arn}


def begin_version(world: World, solution: Resource, request: Wire, training: str) -> Resource:
    """Begin to train a version of a solution."""
    kept = ("performHPO", "performAutoML", "performIncrementalUpdate", "recipeArn", "eventType", "solutionConfig")
    values = {name: solution.values[name] for name in (*kept, "datasetGroupArn") if name in solution.values}
    recipe = recipes.find(values["recipeArn"])

    def run() -> None:
        version.values["trainingHours"] = round((world.now - version.values["creationDateTime"]) / HOUR, 3)
        world.models[version.arn] = train(world, values["datasetGroupArn"], recipe, wanted_events(values))
        for follow in list(solution.hidden.get("followers", {}).values()):
            follow(version)

    version = create(
        world,
        KINDS["SolutionVersion"],
        values | request | {"trainingType": training, "solutionArn": solution.arn},
        name=f"{solution.values['name']}/{world.new_id()}",
        group=values["datasetGroupArn"],
        effect=run,
    )
    solution.values["latestSolutionVersion"] = version.values
    return version


def wanted_events(solution: Wire) -> dict[str, float]:
    """Return the event types that a solution trains on, each with its least value; none means all."""
    config = solution.get("solutionConfig", {})
    listed = config.get("eventsConfig", {}).get("eventParametersList", [])
    if listed:
        return {
            one["eventType"]: one.get("eventValueThreshold", float("-inf"))
            for one in listed
            if "eventType" in one and one.get("weight", 1.0) > 0
        }
    if "eventType" in solution:
        return {solution["eventType"]: float(config.get("eventValueThreshold") or "-inf")}
    return {}


def train(world: World, group: str, recipe: Recipe, events: dict[str, float]) -> Model:
    """Return the model of a recipe on the data of a dataset group. Raises JobError if it is too little."""
    dataset = world.dataset(group, "INTERACTIONS")
    held = world.interactions[dataset.arn] if dataset is not None else ()
    found = [
        Interaction(row["USER_ID"], row["ITEM_ID"], row["TIMESTAMP"])
        for row in held
        if row.get("ITEM_ID") and _wanted(row, events)
    ]
    items = world.dataset(group, "ITEMS")
    catalogue = [row["ITEM_ID"] for row in world.profiles[items.arn]] if items is not None else []
    if recipe.items and not catalogue:
        raise JobError(f"Create failed. Recipe {recipe.name} needs records in a dataset of type ITEMS.")
    if events and len(found) < MIN_INTERACTIONS:
        names = ", ".join(events)
        raise JobError(f"Dataset has fewer than {MIN_INTERACTIONS} interactions after filtering by event type: {names}")
    model = Model(found, catalogue)
    problem = model.too_little()
    if problem is not None:
        raise JobError(problem)
    return model


def _wanted(row: Wire, events: dict[str, float]) -> bool:
    if not events:
        return True
    least = events.get(row.get("EVENT_TYPE") or "")
    return least is not None and (least == float("-inf") or (row.get("EVENT_VALUE") or 0.0) >= least)


@operation("StopSolutionVersionCreation")
def stop_version(world: World, request: Wire) -> None:
    """Stop a training: one that waits at once, one that runs after a while."""
    version = world.find("SolutionVersion", request["solutionVersionArn"])
    if version.status not in ("CREATE PENDING", "CREATE IN_PROGRESS"):
        raise invalid(f"Resource Arn {version.arn} is in {version.status} state: there is nothing to stop.")
    version.life += 1
    life = version.life
    stops_at_once = version.status == "CREATE PENDING"
    version.values["status"] = "CREATE STOPPED" if stops_at_once else "CREATE STOPPING"
    version.values["lastUpdatedDateTime"] = world.now

    def stopped(_: float) -> None:
        if version.life == life:
            version.values["status"] = "CREATE STOPPED"

    world.later(version.kind.pending, stopped)


@operation("GetSolutionMetrics")
def metrics(world: World, request: Wire) -> Wire:
    """The metrics of a trained version."""
    version = world.usable("SolutionVersion", request["solutionVersionArn"])
    model = world.models[version.arn]
    if "metrics" not in version.hidden:
        version.hidden["metrics"] = model.metrics()
    return {"solutionVersionArn": version.arn, "metrics": version.hidden["metrics"]}
