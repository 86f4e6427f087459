"""Solutions, their versions, automatic training and metrics."""

import re
from collections.abc import Iterator
from typing import Any, Final

from . import recipes
from .datasets import fields_of
from .lifecycle import create, operation, update
from .recipes import Recipe
from .resources import HOUR, KINDS, Resource
from .service_errors import already_exists, in_use, invalid, unsupported
from .service_model import Wire
from .store import JobError, Store
from .training import MIN_INTERACTIONS, Interaction, Model

DAY: Final = 24 * HOUR
#: "Automatic training starts within one hour after the solution is ACTIVE."
_FIRST_TRAINING: Final = HOUR
_USUAL_DAYS: Final = 7


@operation("CreateSolution")
def create_solution(store: Store, request: Wire) -> Wire:
    """Create a solution. Automatic training is on unless the request turns it off."""
    if request.get("performAutoML"):
        raise unsupported("performAutoML")
    if "recipeArn" not in request:
        raise invalid("Provide a recipeArn, or set performAutoML.")
    recipe = recipes.find(request["recipeArn"])
    if recipe.domain is not None:
        raise invalid(f"Recipe {recipe.name} is a domain use case. Create a recommender with it.")
    if recipe.kind == "PERSONALIZED_ACTIONS":
        raise unsupported(f"recipe {recipe.name}")
    group = store.usable("DatasetGroup", request["datasetGroupArn"])
    config = request.get("solutionConfig", {})
    days_of(config)
    check_columns(store, group.arn, config.get("trainingDataConfig", {}))
    request = {**dict.fromkeys(("performHPO", "performAutoML"), False), "performAutoTraining": True, **request}

    def run() -> None:
        plan_training(store, store.resources[arn], _FIRST_TRAINING)

    arn = store.arn(KINDS["Solution"].segment, request["name"])
    create(store, "Solution", request, group=group.arn, effect=run)
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


def check_columns(store: Store, group: str, config: Wire) -> None:
    """Raise InvalidInputException unless the columns for training exist."""
    included, excluded = config.get("includedDatasetColumns", {}), config.get("excludedDatasetColumns", {})
    if included and excluded:
        raise invalid("Provide either includedDatasetColumns or excludedDatasetColumns, not both.")
    for kind, columns in (included | excluded).items():
        dataset = store.dataset(group, kind.upper())
        if dataset is None:
            raise invalid(f"The dataset group has no dataset of type {kind}.")
        unknown = set(columns) - {field.name for field in fields_of(store, dataset)}
        if unknown:
            raise invalid(f"Dataset {dataset.arn} has no columns [{', '.join(sorted(unknown))}].")


@operation("UpdateSolution")
def update_solution(store: Store, request: Wire) -> Wire:
    """Change the automatic training or the events of a solution. latestSolutionUpdate shows the progress."""
    solution = store.usable("Solution", request["solutionArn"])
    if solution.updating:
        raise in_use(f"Resource Arn {solution.arn} is being updated.")
    names = ("performAutoTraining", "performIncrementalUpdate")
    changes: Wire = {name: request[name] for name in names if name in request}
    config = request.get("solutionUpdateConfig", {})
    if not changes and not config:
        raise invalid("The request has nothing to update.")
    days_of(config)

    def run() -> None:
        solution.values.update(changes)
        solution.values["solutionConfig"] = solution.values.get("solutionConfig", {}) | config
        plan_training(store, solution, days_of(solution.values["solutionConfig"]) * DAY)

    update(store, solution, changes | ({"solutionUpdateConfig": config} if config else {}), run)
    return {"solutionArn": solution.arn}


def plan_training(store: Store, solution: Resource, seconds: float) -> None:
    """Train automatically in `seconds`, and from then on at the solution's interval.

    Trainings that the clock has skipped are done once. A version created manually in that time replaces the first one.
    """
    plan = solution.hidden["plan"] = object()

    def train(now: float) -> None:
        alive = store.resources.get(solution.arn) is solution and solution.status == "ACTIVE"
        if solution.hidden.get("plan") is not plan or not alive or not solution.values["performAutoTraining"]:
            return
        since = store.now - seconds
        if not any(version.values["creationDateTime"] > since for version in _versions(store, solution)):
            begin_version(store, solution, {"trainingMode": "FULL"}, "AUTOMATIC")
        period = days_of(solution.values.get("solutionConfig", {})) * DAY
        plan_training(store, solution, period + max(0.0, now - store.now) // period * period)

    if solution.values["performAutoTraining"]:
        store.later(seconds, train)


def _versions(store: Store, solution: Resource, **members: Any) -> Iterator[Resource]:
    return store.each("SolutionVersion", solutionArn=solution.arn, **members)


@operation("CreateSolutionVersion")
def create_version(store: Store, request: Wire) -> Wire:
    """Train now. A missing dataset is refused at once. Missing data fails the training."""
    solution = store.usable("Solution", request["solutionArn"])
    if "name" in request and any(_versions(store, solution, name=request["name"])):
        raise already_exists(f"Another resource with name {request['name']} already exists.")
    recipe = recipes.find(solution.values["recipeArn"])
    updatable = recipe.name == "aws-user-personalization" and any(_versions(store, solution, status="ACTIVE"))
    if request.setdefault("trainingMode", "FULL") == "UPDATE" and not updatable:
        raise invalid(
            "Training mode UPDATE needs an ACTIVE version trained with FULL and the User-Personalization recipe."
        )
    if store.dataset(solution.values["datasetGroupArn"], "INTERACTIONS") is None:
        raise invalid("The dataset group has no dataset of type INTERACTIONS.")
    if recipe.items and store.dataset(solution.values["datasetGroupArn"], "ITEMS") is None:
        raise invalid(f"Recipe {recipe.name} needs a dataset of type ITEMS.")
    return {"solutionVersionArn": begin_version(store, solution, request, "MANUAL").arn}


def begin_version(store: Store, solution: Resource, request: Wire, training: str) -> Resource:
    """Start the training of a version of a solution."""
    kept = ("performHPO", "performAutoML", "performIncrementalUpdate", "recipeArn", "eventType", "solutionConfig")
    values = {name: solution.values[name] for name in (*kept, "datasetGroupArn") if name in solution.values}
    recipe = recipes.find(values["recipeArn"])

    def run() -> None:
        version.values["trainingHours"] = round((store.now - version.values["creationDateTime"]) / HOUR, 3)
        store.models[version.arn] = train(store, values["datasetGroupArn"], recipe, wanted_events(values))
        for follow in list(solution.hidden.get("followers", {}).values()):
            follow(version)

    version = create(
        store,
        "SolutionVersion",
        values | request | {"trainingType": training, "solutionArn": solution.arn},
        name=f"{solution.values['name']}/{store.new_id()}",
        group=values["datasetGroupArn"],
        effect=run,
    )
    solution.values["latestSolutionVersion"] = version.values
    return version


def wanted_events(solution: Wire) -> dict[str, float]:
    """Return the event types that a solution trains on, each with its minimum value. Empty means all."""
    config = solution.get("solutionConfig", {})
    listed = config.get("eventsConfig", {}).get("eventParametersList", [])
    if listed:
        return {
            event["eventType"]: event.get("eventValueThreshold", float("-inf"))
            for event in listed
            if "eventType" in event and event.get("weight", 1.0) > 0
        }
    if "eventType" in solution:
        return {solution["eventType"]: float(config.get("eventValueThreshold") or "-inf")}
    return {}


def train(store: Store, group: str, recipe: Recipe, events: dict[str, float]) -> Model:
    """Return the model of a recipe on the data of a dataset group. Raises JobError if the data isn't enough."""
    dataset = store.dataset(group, "INTERACTIONS")
    held = store.interactions[dataset.arn] if dataset is not None else ()
    interactions = [
        Interaction(record["USER_ID"], record["ITEM_ID"], record["TIMESTAMP"])
        for record in held
        if record.get("ITEM_ID") and _wanted(record, events)
    ]
    items = store.dataset(group, "ITEMS")
    catalog = [record["ITEM_ID"] for record in store.profiles[items.arn]] if items is not None else []
    if recipe.items and not catalog:
        raise JobError(f"Create failed. Recipe {recipe.name} needs records in a dataset of type ITEMS.")
    if events and len(interactions) < MIN_INTERACTIONS:
        names = ", ".join(events)
        raise JobError(f"Dataset has fewer than {MIN_INTERACTIONS} interactions after filtering by event type: {names}")
    model = Model(interactions, catalog)
    problem = model.too_little()
    if problem is not None:
        raise JobError(problem)
    return model


def _wanted(record: Wire, events: dict[str, float]) -> bool:
    if not events:
        return True
    least = events.get(record.get("EVENT_TYPE") or "")
    return least is not None and (least == float("-inf") or (record.get("EVENT_VALUE") or 0.0) >= least)


@operation("StopSolutionVersionCreation")
def stop_version(store: Store, request: Wire) -> None:
    """Stop a training: a pending one at once, a running one after a while."""
    version = store.find("SolutionVersion", request["solutionVersionArn"])
    if version.status not in ("CREATE PENDING", "CREATE IN_PROGRESS"):
        raise invalid(f"Resource Arn {version.arn} is in {version.status} state: its training can't be stopped.")
    version.life += 1
    life = version.life
    stops_at_once = version.status == "CREATE PENDING"
    version.values["status"] = "CREATE STOPPED" if stops_at_once else "CREATE STOPPING"
    version.values["lastUpdatedDateTime"] = store.now

    def stopped(_: float) -> None:
        if version.life == life:
            version.values["status"] = "CREATE STOPPED"

    store.later(version.kind.pending, stopped)


@operation("GetSolutionMetrics")
def metrics(store: Store, request: Wire) -> Wire:
    """Return the metrics of a trained version."""
    version = store.usable("SolutionVersion", request["solutionVersionArn"])
    model = store.models[version.arn]
    if "metrics" not in version.hidden:
        version.hidden["metrics"] = model.metrics()
    return {"solutionVersionArn": version.arn, "metrics": version.hidden["metrics"]}
