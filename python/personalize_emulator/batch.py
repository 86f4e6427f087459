"""Batch inference and batch segment jobs: JSON lines in, JSON lines out."""

import json
from collections.abc import Callable, Iterator

from . import filtering, recipes
from .filtering import Subjects, events_by
from .lifecycle import create, operation
from .recipes import Recipe
from .resources import Resource
from .runtime import USUAL_RESULTS, items_of, subjects_for
from .s3 import objects, read, write
from .service_errors import ServiceError, invalid, unsupported
from .service_model import Wire
from .store import JobError, Store

#: Maximum results per line of a job.
MOST_ITEMS = 500
MOST_USERS = 5_000_000

#: One line of the input -> its output. Raises ServiceError or KeyError for a line without an answer.
LineHandler = Callable[[Wire], Wire]


@operation("CreateBatchInferenceJob")
def create_inference(store: Store, request: Wire) -> Wire:
    """Recommend items for every user, item or list of a file."""
    if request.setdefault("batchInferenceJobMode", "BATCH_INFERENCE") != "BATCH_INFERENCE":
        raise unsupported("batch inference jobs that generate themes")
    version = store.usable("SolutionVersion", request["solutionVersionArn"])
    recipe = recipes.find(version.values["recipeArn"])
    if recipe.kind == "USER_SEGMENTATION":
        raise invalid(f"Recipe {recipe.name} is for batch segment jobs.")
    number = _number(request, MOST_ITEMS)
    job = _create(
        store, "BatchInferenceJob", request, version, lambda line: _inference(store, request, version, line, number)
    )
    return {"batchInferenceJobArn": job.arn}


@operation("CreateBatchSegmentJob")
def create_segment(store: Store, request: Wire) -> Wire:
    """Return the users most likely to choose an item, for every item in a file."""
    version = store.usable("SolutionVersion", request["solutionVersionArn"])
    recipe = recipes.find(version.values["recipeArn"])
    if recipe.kind != "USER_SEGMENTATION":
        raise invalid(f"Recipe {recipe.name} is not for batch segment jobs.")
    if recipe.name != "aws-item-affinity":
        raise unsupported(f"batch segment jobs with recipe {recipe.name}")
    number = _number(request, MOST_USERS)
    job = _create(
        store, "BatchSegmentJob", request, version, lambda line: _segment(store, request, version, line, number)
    )
    return {"batchSegmentJobArn": job.arn}


def _number(request: Wire, most: int) -> int:
    number = int(request.get("numResults") or USUAL_RESULTS)
    if not 0 < number <= most:
        raise invalid(f"numResults is {number}, not between 1 and {most}.")
    return number


def _create(store: Store, kind: str, request: Wire, version: Resource, answer: LineHandler) -> Resource:
    source = request["jobInput"]["s3DataSource"]["path"]
    target = request["jobOutput"]["s3DataDestination"]["path"]
    if not source.startswith("s3://"):
        raise invalid("Invalid S3 input path")
    if not target.startswith("s3://") or target.rstrip("/") == source.rstrip("/"):
        raise invalid("Invalid S3 output path")
    group = version.values["datasetGroupArn"]
    if "filterArn" in request and store.find("Filter", request["filterArn"]).values["datasetGroupArn"] != group:
        raise invalid(f"Filter {request['filterArn']} is not of the dataset group {group}.")

    def run() -> None:
        for key, _ in objects(store, source):
            name = key.rsplit("/", 1)[-1]
            write(store, target, f"{name}.out", _lines(read(store, source, key), answer))

    return create(store, kind, request, group=group, effect=run)


def _lines(lines: Iterator[str], answer: LineHandler) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            asked = json.loads(line)
        except ValueError:
            raise JobError(f"Line {number} of the input is not JSON.") from None
        if not isinstance(asked, dict):
            raise JobError(f"Line {number} of the input is not a JSON object.")
        output, error = None, None
        try:
            output = answer(asked)
        except KeyError as missing:
            error = f"The line has no {missing.args[0]}."
        except ServiceError as refused:
            error = refused.message
        yield json.dumps({"input": asked, "output": output, "error": error})


def _inference(store: Store, request: Wire, version: Resource, line: Wire, number: int) -> Wire:
    recipe: Recipe = recipes.find(version.values["recipeArn"])
    model, group = store.models[version.arn], version.values["datasetGroupArn"]
    if recipe.kind == "RELATED_ITEMS":
        scored = model.for_item(line["itemId"])
    elif recipe.kind == "POPULARITY":
        scored = model.by_popularity()
    else:
        scored = model.for_user(items_of(store, group, line["userId"]), line["userId"])
        if recipe.kind == "PERSONALIZED_RANKING":
            wanted = set(line["itemList"])
            scored = [(item, score) for item, score in scored if item in wanted]
    ids = [item for item, _ in scored]
    if "filterArn" in request:
        subjects = subjects_for(store, group, line.get("userId"))
        ids = filtering.apply(store, request["filterArn"], group, line.get("filterValues", {}), ids, subjects)
    scores = dict(scored)
    ids = ids[:number]
    return {"recommendedItems": ids, "scores": [scores[item] for item in ids]}


def _segment(store: Store, request: Wire, version: Resource, line: Wire, number: int) -> Wire:
    """Return the users whose histories are closest to the item, the closest first."""
    model, group = store.models[version.arn], version.values["datasetGroupArn"]
    wanted = line["itemId"]
    alike = {item: place for place, (item, _) in enumerate(model.for_item(wanted)[:100])} | {wanted: -1}
    weights = {
        user: sum(1 / (2 + alike[item]) for item in history if item in alike)
        for user, history in model.histories.items()
    }
    ids = sorted((user for user, weight in weights.items() if weight > 0), key=lambda user: (-weights[user], user))
    if "filterArn" in request:
        interactions, users = store.dataset(group, "INTERACTIONS"), store.dataset(group, "USERS")
        records = store.interactions[interactions.arn] if interactions is not None else ()
        record = store.profiles[users.arn].get if users is not None else lambda _: None
        subjects = Subjects(record, None, events_by("USER_ID", records))
        ids = filtering.apply(store, request["filterArn"], group, line.get("filterValues", {}), ids, subjects)
    return {"usersList": ids[:number]}
