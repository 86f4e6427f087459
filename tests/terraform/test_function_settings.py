"""The functions read exactly the settings that event-function and profile-queue put into their environments."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import hcl2
import pytest

import tfmirror
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.live.event import MARKED
from personalize_segment.live.handler import NAMESPACE
from personalize_segment.live.settings import Settings, load, table
from programs import needs

ROOT = Path(__file__).parents[2]

#: Settings with a default that are inputs of event-function, and their place in its inputs.
INPUTS = {
    "keep_unmapped": ("keep_unmapped",),
    "recommendation_count": ("recommend", "count"),
    "recommendations_per_minute": ("recommend", "per_minute"),
    "recommend_to_visitors": ("recommend", "to_visitors"),
    "recommendation_filter_values": ("recommend", "filter_values"),
    "recommendation_context": ("recommend", "context"),
    "write_back_interval_seconds": ("write_back", "interval_seconds"),
    "write_back_trait": ("write_back", "trait"),
    "write_back_shape": ("write_back", "shape"),
    "segment_host": ("write_back", "segment_host"),
    "time_budget_milliseconds": ("time_budget_milliseconds",),
}
DEFAULTS = {line.name: line.default for line in table()}
#: A provider that plans without AWS.
OFFLINE = {
    "region": "us-west-2",
    "access_key": "x",
    "secret_key": "x",
    "skip_credentials_validation": True,
    "skip_requesting_account_id": True,
    "skip_metadata_api_check": True,
    "skip_region_validation": True,
    "max_retries": 1,
}
#: Settings that Terraform always sets, that fit all stacks by default, or that have no default.
NO_INPUT_WITH_DEFAULT = {"profile_calls_per_second", "reference_refresh_seconds"} | {
    name for name, default in DEFAULTS.items() if not default
}

#: Inputs of both modules that aren't settings, and differ from the defaults.
COMMON: dict[str, Any] = {
    "package": {"s3": {"bucket": "artifacts", "key": "personalize-segment.zip", "sha256_base64": "c2hh"}},
    "memory_megabytes": 1024,
    "architecture": "x86_64",
    "log": {"level": "DEBUG", "retention_days": 7, "kms_key_arn": "arn:aws:kms:us-west-2:123456789012:key/logs"},
    "tracing": True,
    "permissions_boundary_arn": "arn:aws:iam::123456789012:policy/boundary",
    "source_conditions": True,
    "name_prefix": "eu",
    "iam_path": "/ours/",
    "tags": {"team": "shop"},
}

QUEUE = "https://sqs.us-west-2.amazonaws.com/123456789012/shop-"
QUEUE_ARN = "arn:aws:sqs:us-west-2:123456789012:shop-"


def defaults_as_inputs() -> dict[str, Any]:
    """Return inputs of event-function equal to the function's defaults."""
    inputs: dict[str, Any] = {}
    for name, (*groups, last) in INPUTS.items():
        place = inputs
        for group in groups:
            place = place.setdefault(group, {})
        try:
            place[last] = json.loads(DEFAULTS[name])
        except ValueError:
            place[last] = DEFAULTS[name]
    return inputs


def modules() -> dict[str, Any]:
    """Return a root module with both modules: minimal, with all options, and with the functions' defaults."""
    text = parse(default_text()).text
    small = json.dumps({"version": 1, "interactions": json.loads(text)["interactions"]}, separators=(",", ":"))
    event: dict[str, Any] = {
        "source": ROOT / "modules/event-function",
        "package": {"path": __file__},
        "event_mapping": {"text": text, "sha256": f"${{sha256({json.dumps(text)})}}"},
        "personalize": {"ssm_prefix": "/shop/personalize"},
    }
    profiles: dict[str, Any] = {
        "source": ROOT / "modules/profile-queue",
        "package": {"path": __file__},
        "personalize": {"ssm_prefix": "/shop/personalize"},
    }
    every: dict[str, Any] = {
        "event_mapping": {"text": small, "sha256": f"${{sha256({json.dumps(small)})}}"},
        "personalize": {"region": "eu-west-1", "ssm_prefix": "/shop/personalize", "campaign": "main"},
        "recommend": {
            "count": 10,
            "per_minute": 120,
            "to_visitors": True,
            "filter": "unseen",
            "filter_values": {"CATEGORY": "properties.category"},
            "context": {"DEVICE": "context.device.type"},
        },
        "write_back": {
            "events": ["Order Completed"],
            "interval_seconds": 3600,
            "trait": "for_you",
            "shape": "object",
            "segment_host": "https://events.eu1.segmentapis.com",
        },
        "write_key_secret": {"name": "shop/segment", "json_key": "write_key"},
        "profile_queue": {"url": QUEUE + "profiles", "arn": QUEUE_ARN + "profiles"},
        "profile_table": {
            "name": "shop-profiles",
            "arn": "arn:aws:dynamodb:us-west-2:123456789012:table/shop-profiles",
        },
        "rejected_queue": {"url": QUEUE + "rejected", "arn": QUEUE_ARN + "rejected"},
        "suppression_list": {"bucket": "shop", "key": "privacy/suppressed.csv"},
        "keep_unmapped": True,
        "time_budget_milliseconds": 3000,
        "timeout_seconds": 4,
        "reserved_concurrency": 5,
    } | COMMON
    of_queue = ("event_mapping", "suppression_list", *COMMON)
    return {
        "event-least": event | {"name": "event-least"},
        "event-all": event | every | {"name": "event-all"},
        "event-defaults": event | defaults_as_inputs() | {"name": "event-defaults"},
        # Without a queue, so that this function has the datasets.
        "event-direct": event | every | {"name": "event-direct", "profile_queue": None},
        "profiles-least": profiles | {"name": "profiles-least"},
        "profiles-all": profiles
        | {name: every[name] for name in of_queue}
        | {
            "name": "profiles-all",
            "timeout_seconds": 90,
            "personalize": {"region": "eu-west-1", "ssm_prefix": "/shop"},
        },
    }


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return the attributes that one plan, without AWS, has for each resource of the function, by module and type."""
    needs("terraform", "comparing what Terraform gives the functions with what they read")
    folder = tmp_path_factory.mktemp("settings")
    document = {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws"}}},
        # With an absolute path, the module's package would lack the module that it calls.
        "module": {
            name: one | {"source": os.path.relpath(one["source"], folder.resolve())} for name, one in modules().items()
        },
    }
    plan: dict[str, Any] = {
        "provider": {"aws": OFFLINE},
        "override_data": [
            {
                "target": f"module.{name}.{inner}data.aws_caller_identity.current",
                "values": {"account_id": "123456789012"},
            }
            for name in modules()
            for inner in ("", "module.function.")
        ],
        # An environment of which a part is unknown is all unknown to the provider.
        "override_resource": [
            {
                "target": f"module.{name}.aws_sqs_queue.rejected",
                "values": {"url": QUEUE + "rejected"},
                "override_during": "plan",
            }
            for name in modules()
            if name.startswith("profiles-")
        ],
        "run": {"plan": {"command": "plan"}},
    }
    (folder / "main.tf.json").write_text(json.dumps(document))
    (folder / "plan.tftest.json").write_text(json.dumps(plan))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    variables |= tfmirror.environment(folder / "terraform.tfrc", variables)
    run("terraform", "init", "-input=false")
    lines = map(json.loads, run("terraform", "test", "-json", "-verbose").splitlines())
    (made,) = [line["test_plan"] for line in lines if line["type"] == "test_plan"]
    found: dict[str, dict[str, Any]] = {}
    for one in made["resource_changes"]:
        if one["mode"] == "managed" and one.get("module_address", "").endswith(".module.function"):
            found.setdefault(one["module_address"].split(".")[1], {})[one["type"]] = one["change"]["after"]
    return found


@pytest.fixture(scope="module")
def environments(planned: dict[str, dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the environment of each module's function."""
    return {
        name: resources["aws_lambda_function"]["environment"][0]["variables"] for name, resources in planned.items()
    }


def variables(folder: str) -> dict[str, Any]:
    """Return the inputs of a module: their names, and what their blocks say."""
    blocks = hcl2.loads((ROOT / folder / "variables.tf").read_text("utf-8"))["variable"]
    return {name.strip('"'): body for block in blocks for name, body in block.items()}


def own(environment: dict[str, str]) -> set[str]:
    """Return the names in an environment that are not Powertools'."""
    return {name for name in environment if not name.startswith("POWERTOOLS_")}


def test_each_variable_is_a_setting_of_the_functions(environments: dict[str, dict[str, str]]) -> None:
    assert environments.keys() == modules().keys()
    assert set().union(*map(own, environments.values())) <= DEFAULTS.keys()


def test_powertools_gets_the_variables_of_the_documentation(environments: dict[str, dict[str, str]]) -> None:
    names = {"POWERTOOLS_LOG_LEVEL", "POWERTOOLS_SERVICE_NAME"}
    for module in ("event-all", "event-direct", "profiles-all"):
        assert environments[module].keys() - own(environments[module]) == names


def test_every_setting_can_be_set_to_something_else_than_its_default(environments: dict[str, dict[str, str]]) -> None:
    default, set_here = load({}), set()
    for module in ("event-all", "event-direct", "profiles-all"):
        settings = load(environments[module])
        set_here |= {one for one in Settings.__slots__ if getattr(settings, one) != getattr(default, one)}
    assert set_here == set(Settings.__slots__) - {"refresh"}


@pytest.mark.parametrize(("module", "suffix"), [("event-all", "event"), ("profiles-all", "profiles")])
def test_each_input_arrives(planned: dict[str, dict[str, Any]], module: str, suffix: str) -> None:
    function, role, logs, alias = (
        planned[module][f"aws_{kind}"]
        for kind in ("lambda_function", "iam_role", "cloudwatch_log_group", "lambda_alias")
    )
    assert (function["function_name"], alias["function_name"]) == (f"{module}-{suffix}", f"{module}-{suffix}")
    assert [function[name] for name in ("s3_bucket", "s3_key", "source_code_hash")] == [
        *COMMON["package"]["s3"].values()
    ]
    assert (function["memory_size"], function["architectures"]) == (1024, ["x86_64"])
    assert function["timeout"] == (4 if suffix == "event" else 90)
    assert function["reserved_concurrent_executions"] == (5 if suffix == "event" else -1)
    assert function["tracing_config"][0]["mode"] == "Active"
    assert (logs["retention_in_days"], logs["kms_key_id"]) == (7, COMMON["log"]["kms_key_arn"])
    assert (role["name"], role["path"]) == (f"eu-{suffix}", "/ours/")
    assert role["permissions_boundary"] == COMMON["permissions_boundary_arn"]
    assert "aws:SourceAccount" in role["assume_role_policy"]
    assert [one["tags"] for one in (function, role, logs)] == [COMMON["tags"]] * 3


@pytest.mark.parametrize("module", modules())
def test_the_functions_accept_their_environment(environments: dict[str, dict[str, str]], module: str) -> None:
    environment = environments[module]
    settings = load(environment)
    assert settings.region == ("eu-west-1" if module in ("event-all", "event-direct", "profiles-all") else None)


def test_the_least_leaves_all_else_at_its_default(environments: dict[str, dict[str, str]]) -> None:
    assert own(environments["event-least"]) == {
        "event_mapping",
        "personalize_tracking_id",
        "personalize_users_dataset_arn",
        "personalize_items_dataset_arn",
    }
    assert own(environments["profiles-least"]) == {
        "personalize_users_dataset_arn",
        "personalize_items_dataset_arn",
        "rejected_queue_url",
        "profile_calls_per_second",
        "profile_table",
    }


def test_the_modules_accept_the_defaults_of_the_functions(environments: dict[str, dict[str, str]]) -> None:
    assert INPUTS.keys() | NO_INPUT_WITH_DEFAULT == DEFAULTS.keys()
    assert load(environments["event-defaults"]) == load(environments["event-least"])


@pytest.mark.parametrize("folder", ["terraform", "modules/event-function", "modules/profile-queue"])
def test_no_input_repeats_a_default_of_the_functions(folder: str) -> None:
    """A null input leaves the default to live/settings.py. An empty map repeats nothing."""
    names = {name for *_, name in INPUTS.values()} | {"level"}
    inputs = variables(folder)
    repeated = {name for name in names & inputs.keys() if inputs[name]["default"] is not None}
    for body in inputs.values():
        repeated |= names & set(re.findall(r"(\w+) = optional\(\w+, ", body["type"]))
    assert repeated == set()


def test_alarms_are_on_the_namespace_that_is_the_functions_default() -> None:
    written = (ROOT / "modules/monitoring/main.tf").read_text("utf-8")
    assert re.findall(r'^  metrics_namespace += "(.*)"$', written, re.MULTILINE) == [NAMESPACE]


def test_the_mapping_arrives_as_it_is(environments: dict[str, dict[str, str]]) -> None:
    assert load(environments["event-least"]).mapping.sha256 == parse(default_text()).sha256
    direct, profiles = load(environments["event-direct"]).mapping, load(environments["profiles-all"]).mapping
    assert direct.sha256 == profiles.sha256 != parse(default_text()).sha256


def test_the_stack_warns_of_the_event_types_that_the_function_takes() -> None:
    text = (ROOT / "terraform" / "personalize.tf").read_text("utf-8")
    listed = re.findall(r"setintersection\(module\.event_mapping\.event_types, (\[.*?\])\)", text)
    assert [set(json.loads(one)) for one in listed] == [MARKED] * len(listed) != []
    described = Settings.__dataclass_fields__["triggers"].metadata["line"].meaning
    assert all(event_type in described and event_type in text for event_type in MARKED)
