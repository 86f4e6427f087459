"""All operations of the three services work, or are refused as unsupported, and answer as in their model."""

import json
import math
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.parsers import create_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from offline import INTERACTIONS, RECIPE, ROLE, Offline, schema
from personalize_emulator import Clock, Emulator, handle
from personalize_emulator.constraints import check, pattern
from personalize_emulator.service_errors import ServiceError
from personalize_emulator.service_model import OPERATIONS, service_of

UNSUPPORTED = {"PutActions", "PutActionInteractions", "GetActionRecommendations"}
REGION = "eu-west-1"


@pytest.fixture
def offline(s3_env: str) -> Offline:
    return Offline(s3_env)


def test_the_models_have_the_operations_that_we_know() -> None:
    assert len(OPERATIONS) == 79


def test_every_operation_works_or_is_refused_as_unsupported(offline: Offline) -> None:
    calls = recorded(offline)
    offline.everything()
    arns = offline.arns
    group, version, campaign = arns["group"], arns["version"], arns["campaign"]
    tracker = offline.tracker()
    found = offline.filter('EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")')
    api, day = offline.api, {"eventType": "View", "sentAt": 1_700_000_000, "itemId": "g1-1"}
    offline.events.put_events(trackingId=tracker, sessionId="s", userId="u1", eventList=[day])
    offline.events.put_users(datasetArn=arns["USERS"], users=[{"userId": "u1", "properties": '{"age": 5}'}])
    offline.events.put_items(datasetArn=arns["ITEMS"], items=[{"itemId": "new"}])
    offline.items(userId="u1", filterArn=found)
    more = schema("Items", [("ITEM_ID", "string"), ("A", ["null", "int"])])
    offline.api.create_schema(name="more", schema=more)
    job: Any = {"roleArn": ROLE, "jobOutput": {"s3DataDestination": {"path": f"s3://{offline.bucket}/out/"}}}
    export = api.create_dataset_export_job(jobName="e", datasetArn=arns["USERS"], **job)["datasetExportJobArn"]
    users = offline.put("gone.csv", ["USER_ID", "u3"])
    gone = api.create_data_deletion_job(
        jobName="g", datasetGroupArn=group, roleArn=ROLE, dataSource={"dataLocation": users}
    )["dataDeletionJobArn"]
    lines = offline.put("in.json", ['{"userId": "u1"}'])
    job["jobInput"] = {"s3DataSource": {"path": lines}}
    batch = api.create_batch_inference_job(jobName="b", solutionVersionArn=version, **job)["batchInferenceJobArn"]
    affinity = offline.solution("arn:aws:personalize:::recipe/aws-item-affinity", name="affinity")
    segment = api.create_batch_segment_job(jobName="s", solutionVersionArn=offline.version(), **job)
    offline.solution("arn:aws:personalize:::recipe/aws-personalized-ranking-v2", name="ranking")
    offline.version()
    ranking = offline.campaign("ranking")
    offline.runtime.get_personalized_ranking(campaignArn=ranking, userId="u1", inputList=["g1-1", "x"])
    metric: Any = {"eventType": "e", "metricName": "m", "expression": "SAMPLECOUNT()"}
    attribution = api.create_metric_attribution(
        name="a", datasetGroupArn=group, metrics=[metric], metricsOutputConfig={"roleArn": ROLE}
    )["metricAttributionArn"]
    offline.clock.advance(3 * 3600)
    for name, arn in {
        "batch_inference_job": batch,
        "batch_segment_job": segment["batchSegmentJobArn"],
        "data_deletion_job": gone,
        "dataset_export_job": export,
    }.items():
        answer: Any = getattr(api, f"describe_{name}")(**{f"{camel(name)}Arn": arn})
        assert answer[camel(name)]["status"] in ("ACTIVE", "COMPLETED"), answer
    api.get_solution_metrics(solutionVersionArn=version)
    api.update_campaign(campaignArn=campaign, minProvisionedTPS=2)
    api.update_solution(solutionArn=affinity, performAutoTraining=True)
    api.update_metric_attribution(metricAttributionArn=attribution, removeMetrics=["m"], addMetrics=[metric])
    wide = offline.api.create_schema(
        name="wide", schema=schema("Users", [("USER_ID", "string"), *TWO, ("Z", ["null", "int"])])
    )
    api.update_dataset(datasetArn=arns["USERS"], schemaArn=wide["schemaArn"])
    stopped = api.create_solution_version(solutionArn=arns["solution"])["solutionVersionArn"]
    api.stop_solution_version_creation(solutionVersionArn=stopped)
    api.tag_resource(resourceArn=group, tags=[{"tagKey": "a", "tagValue": "b"}])
    api.untag_resource(resourceArn=group, tagKeys=["a"])
    api.list_tags_for_resource(resourceArn=group)
    recipe = api.describe_recipe(recipeArn=RECIPE)["recipe"]
    api.describe_algorithm(algorithmArn=recipe["algorithmArn"])
    api.describe_feature_transformation(featureTransformationArn=recipe["featureTransformationArn"])
    offline.group("VIDEO_ON_DEMAND", name="video")
    offline.dataset("INTERACTIONS", domain="VIDEO_ON_DEMAND")
    recommender = api.create_recommender(
        name="r", datasetGroupArn=arns["group"], recipeArn="arn:aws:personalize:::recipe/aws-vod-top-picks"
    )["recommenderArn"]
    offline.load("INTERACTIONS", offline.s3_lines("INTERACTIONS"), name="again")
    offline.clock.advance(2 * 3600)
    api.stop_recommender(recommenderArn=recommender)
    offline.clock.advance(2 * 3600)
    api.start_recommender(recommenderArn=recommender)
    offline.clock.advance(2 * 3600)
    api.update_recommender(recommenderArn=recommender, recommenderConfig={})
    offline.clock.advance(2 * 3600)
    every: dict[str, list[Any]] = {}
    for name in OPERATIONS:
        if name.startswith("List") and name not in calls:
            answer = offline.emulator.call(name, {}, REGION)
            assert answer != {}, name
            calls.add(name)
            every[name] = [one for rows in answer.values() if isinstance(rows, list) for one in rows]
            assert every[name], name
    described = {
        "BatchInferenceJob": batch, "BatchSegmentJob": segment["batchSegmentJobArn"], "Campaign": campaign,
        "DataDeletionJob": gone, "Dataset": arns["USERS"], "DatasetExportJob": export, "DatasetGroup": group,
        "EventTracker": arns["tracker"], "Filter": found, "MetricAttribution": attribution, "Recommender": recommender,
        "Schema": wide["schemaArn"], "Solution": affinity, "SolutionVersion": version,
    }  # fmt: skip
    for kind, arn in described.items():
        answer = offline.emulator.call(f"Describe{kind}", {f"{kind[0].lower()}{kind[1:]}Arn": arn}, REGION)
        assert arn in next(iter(answer.values())).values()
        calls.add(f"Describe{kind}")
    others = [one["campaignArn"] for one in every["ListCampaigns"]]
    for kind, arn in (
        *(("Campaign", one) for one in others), ("Recommender", recommender), ("Filter", found),
        ("EventTracker", arns["tracker"]), ("MetricAttribution", attribution),
        *(("Solution", one["solutionArn"]) for one in every["ListSolutions"]),
        *(("Dataset", one["datasetArn"]) for one in every["ListDatasets"]),
        *(("Schema", one["schemaArn"]) for one in every["ListSchemas"]),
        *(("DatasetGroup", one["datasetGroupArn"]) for one in every["ListDatasetGroups"]),
    ):  # fmt: skip
        offline.emulator.call(f"Delete{kind}", {f"{kind[0].lower()}{kind[1:]}Arn": arn}, REGION)
        offline.clock.advance(120)
        calls.add(f"Delete{kind}")
    assert set(OPERATIONS) - calls == UNSUPPORTED
    for name in ("ListDatasetGroups", "ListSchemas", "ListCampaigns", "ListDatasetImportJobs", "ListDataDeletionJobs"):
        assert not any(offline.emulator.call(name, {}, REGION).values())


TWO: Any = [("AGE", ["null", "int"]), ("PLAN", ["null", "string"], "categorical")]


def recorded(offline: Offline) -> set[str]:
    """Return the set that collects the operations that boto3's clients called successfully."""
    calls: set[str] = set()
    for client in (offline.api, offline.events, offline.runtime):
        client.meta.events.register("after-call", lambda model, **_: calls.add(model.name))
    return calls


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_is_not_supported_is_refused_as_such(name: str) -> None:
    shape: Any = OPERATIONS[name].input_shape
    request = {member: example(shape.members[member]) for member in shape.required_members}
    with pytest.raises(ServiceError, match=f"The emulator does not support {name}") as refused:
        Emulator().call(name, request)
    assert refused.value.code == "UnsupportedOperationException"


def example(shape: Shape) -> Any:
    """Return the least value that a shape allows."""
    if isinstance(shape, StructureShape):
        return {name: example(shape.members[name]) for name in shape.required_members}
    if isinstance(shape, ListShape):
        return [example(shape.member)]
    if isinstance(shape, StringShape) and ":personalize:" in shape.metadata.get("pattern", ""):
        return "arn:aws:personalize:a:b:c/d"
    return 1 if shape.type_name in ("integer", "timestamp") else "x"


_EXAMPLES = {
    ":personalize:": [
        "arn:aws:personalize:eu-west-1:123456789012:dataset-group/g",
        f"{RECIPE}",
        "arn:aws:personalize:::a",
    ],
    ":iam:": [ROLE],
    ":kms:": ["arn:aws:kms:eu-west-1:123456789012:key/k"],
    "s3|http": ["s3://bucket/folder/"],
    "rate": ["rate(3 days)", "rate(1 day)"],
    "zA-Z0-9\\-_": ["g", "name-1"],
    "A-Za-z_]+$": ["INTERACTIONS", "users", "Items"],
    "": ["x", "View", "u1"],
}


def valid(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return a strategy of what a shape allows."""
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if isinstance(shape, StructureShape):
        required = {name: valid(shape.members[name], depth + 1) for name in shape.required_members}
        rest = {name: valid(one, depth + 1) for name, one in shape.members.items() if name not in required}
        return st.fixed_dictionaries(required, optional=rest)
    if isinstance(shape, ListShape):
        return st.lists(valid(shape.member, depth + 1), min_size=least or 0, max_size=min(most or 3, (least or 0) + 2))
    if isinstance(shape, MapShape):
        return st.dictionaries(valid(shape.key), valid(shape.value), max_size=min(most or 2, 2))
    if isinstance(shape, StringShape):
        if shape.enum:
            return st.sampled_from(shape.enum)
        written = shape.metadata.get("pattern", "")
        texts = next(values for part, values in _EXAMPLES.items() if part in written)
        if shape.name == "AvroSchema":
            texts = [schema("Interactions", INTERACTIONS), "{}"]
        if shape.name == "FilterExpression":
            texts = ['EXCLUDE ItemID WHERE Interactions.EVENT_TYPE IN ("View")', "x"]
        return st.sampled_from([one for one in texts if not written or pattern(written).fullmatch(one)])
    if shape.type_name == "boolean":
        return st.booleans()
    if shape.type_name == "timestamp":
        return st.sampled_from([0, 1_700_000_000, 1_700_000_000.5])
    if shape.type_name == "integer":
        return st.integers(least if least is not None else -5, most if most is not None else 600)
    # One of the models' own ranges is empty: a maximum with only a minimum.
    return st.floats(least if least is not None else -5.0, most if most is not None else 5.0)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
@settings(max_examples=15)
@given(data=st.data())
def test_a_valid_request_has_an_answer_that_botocore_understands(name: str, data: st.DataObject) -> None:
    model = OPERATIONS[name]
    emulator = Emulator(Clock(speed=0))
    for operation, request in (
        ("CreateDatasetGroup", {"name": "g"}),
        ("CreateSchema", {"name": "name-1", "schema": schema("Interactions", INTERACTIONS)}),
    ):
        emulator.call(operation, request)
    emulator.clock.advance(60)
    request = data.draw(valid(model.input_shape)) if model.input_shape is not None else {}
    if model.input_shape is not None:
        check(model.input_shape, request)
    service = service_of(name)
    headers = {"x-amz-target": f"AmazonPersonalize.{name}"} if service == "personalize" else {}
    status, found, body = handle(emulator, "POST", model.http["requestUri"], headers, json.dumps(request).encode())
    parser = create_parser("json" if service == "personalize" else "rest-json")
    output: Any = model.output_shape  # None for operations without output, despite the stubs
    answer = parser.parse({"status_code": status, "headers": found, "body": body}, output)
    if status == 200:
        assert model.output_shape is None or not unknown(model.output_shape, json.loads(body))
        return
    assert status < 500
    known = {shape.name for shape in model.error_shapes} | {"UnsupportedOperationException"}
    assert answer["Error"]["Code"] in known
    assert answer["Error"]["Message"]


def unknown(shape: Shape, value: Any) -> list[str]:
    """Return the members of an answer that aren't in its model or have another type."""
    if isinstance(shape, StructureShape):
        missing = [name for name in shape.required_members if name not in value]
        extra = [name for name in value if name not in shape.members]
        return missing + extra + [x for name, one in value.items() for x in unknown(shape.members[name], one)]
    if isinstance(shape, ListShape):
        return [x for one in value for x in unknown(shape.member, one)]
    if isinstance(shape, MapShape):
        return [x for one in value.values() for x in unknown(shape.value, one)]
    types = {"string": str, "boolean": bool, "integer": int}.get(shape.type_name, int | float)
    fine = isinstance(value, types) and (not isinstance(value, float) or math.isfinite(value))
    return [] if fine else [f"{shape.name}: {value!r}"]
