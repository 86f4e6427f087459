"""A state machine drives the emulated Personalize like a stack's refresh: create, describe until done, continue."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from personalize_emulator.server import Server
from served import client, eventually

ROLE = "arn:aws:iam::123456789012:role/states"
ARN = "arn:aws:personalize:us-east-1:123456789012:dataset-group/{}"

#: Creates a dataset group, polls its status until it is ACTIVE, and catches that it already exists.
REFRESH: dict[str, Any] = {
    "StartAt": "Create",
    "States": {
        "Create": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:personalize:createDatasetGroup",
            "Parameters": {"Name.$": "$.name"},
            "Catch": [{"ErrorEquals": ["Personalize.ResourceAlreadyExistsException"], "Next": "Exists"}],
            "Next": "Describe",
        },
        "Describe": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:personalize:describeDatasetGroup",
            "Parameters": {"DatasetGroupArn.$": "$.DatasetGroupArn"},
            "ResultSelector": {"DatasetGroupArn.$": "$.DatasetGroup.DatasetGroupArn", "group.$": "$.DatasetGroup"},
            "Next": "Ready",
        },
        "Ready": {
            "Type": "Choice",
            "Choices": [{"Variable": "$.group.Status", "StringEquals": "ACTIVE", "Next": "Done"}],
            "Default": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": 1, "Next": "Describe"},
        "Done": {"Type": "Pass", "OutputPath": "$.group", "End": True},
        "Exists": {"Type": "Pass", "Result": {"was": "there"}, "End": True},
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    from personalize_emulator import Clock, Emulator, wsgi

    with Server(personalize=lambda moto: wsgi(Emulator(clock=Clock(speed=1000)), moto)) as found:
        yield found


def run(server: Server, group: str, **arguments: Any) -> dict[str, Any]:
    states = client(server, "stepfunctions")
    known = states.list_state_machines()["stateMachines"]
    arn = next((one["stateMachineArn"] for one in known if one["name"] == "refresh-personalize"), None)
    if arn is None:
        made = states.create_state_machine(name="refresh-personalize", definition=json.dumps(REFRESH), roleArn=ROLE)
        arn = made["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=arn, input=json.dumps({"name": group}), **arguments)
    return eventually(
        lambda: dict(states.describe_execution(executionArn=execution["executionArn"])),
        lambda found: found["status"] != "RUNNING",
    )


def test_a_task_creates_in_personalize_and_the_machine_waits_until_it_is_active(server: Server) -> None:
    done = run(server, "refreshed")
    assert done["status"] == "SUCCEEDED", done
    group = json.loads(done["output"])
    assert (group["DatasetGroupArn"], group["Status"]) == (ARN.format("refreshed"), "ACTIVE")
    assert group["CreationDateTime"].endswith("Z")
    (listed,) = client(server, "personalize").list_dataset_groups()["datasetGroups"]
    assert listed["name"] == "refreshed"


def test_an_error_of_personalize_is_caught_by_the_name_that_aws_gives_it(server: Server) -> None:
    client(server, "personalize").create_dataset_group(name="twice")
    assert json.loads(run(server, "twice")["output"]) == {"was": "there"}


def test_an_execution_keeps_the_name_it_is_given(server: Server) -> None:
    assert run(server, "named", name="monday")["executionArn"].endswith(":refresh-personalize:monday")
