"""Modules that pytest-terraform applies to the emulator, or replays without Terraform.

A recording has only `KEPT`. A run with Terraform updates differing recordings, and fails.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_terraform import terraform, tf

from attached import provider
from personalize_emulator.server import Server
from programs import needs
from roles import ROLES, A, allowed
from stacks import Stack

ROOT = Path(__file__).parents[2]
RECORDED = Path(__file__).parent / "recorded"
WRITE_KEY = "the-write-key-that-no-one-may-see"
#: Recorded attributes by type, which the tests read. None contains a user's value.
KEPT = {
    "aws_iam_role": ("name", "assume_role_policy"),
    "aws_iam_role_policy": ("role", "policy"),
}
#: The module that creates a role. profile-queue waits a minute for its queues, so only test_examples.py applies it.
MODULES = {
    "shop-us-east-1-event": "event_function",
    "shop-us-east-1-history": "training_job",
    "shop-us-east-1-personalize": "personalize_access",
    "shop-us-east-1-segment": "segment_access",
    "streaming-us-east-1-refresh": "refresh",
    "streaming-us-east-1-refresh-schedule": "refresh",
}
each_module = pytest.mark.parametrize("module", sorted(set(MODULES.values())))

for module in set(MODULES.values()):
    # Not for the session, because other tests of the process start their own emulators. Nothing is destroyed, because
    # the emulator ends with the module.
    terraform(module.replace("_", "-"), scope="module", name=module, teardown=terraform.TEARDOWN_OFF)


@pytest.fixture(scope="module", autouse=True)
def aws(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[None]:
    """Point pytest-terraform at an emulator and a copy of the modules, or at the recordings."""
    if "CI" in os.environ:
        needs("terraform", "what is recorded isn't compared with what is applied")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.LazyModuleDir, "value", str(RECORDED))
        if tf.LazyReplay.value:
            yield
            return
        package: Path = request.getfixturevalue("package")
        with Server() as server:
            stack = Stack(tmp_path_factory.mktemp("recorded"), server.environment(), package)
            root = stack.folder.parent / RECORDED.relative_to(ROOT)
            shutil.copytree(RECORDED, root, ignore=shutil.ignore_patterns("*.json*"))
            shutil.copy(package, root / "package.zip")
            for module in root.glob("*/"):
                shutil.copy(stack.folder / "zz_override.tf", module)
            patch.setattr(tf.LazyModuleDir, "value", str(root))
            stack("init", "-no-color")
            with provider(stack.folder, stack.environment) as variables:
                for name, value in (stack.environment | variables | {"TF_VAR_write_key": WRITE_KEY}).items():
                    patch.setenv(name, value)
                yield


def policies(state: Any, role: str) -> list[dict[str, Any]]:
    """Return the inline policies of a role."""
    return [json.loads(one["policy"]) for one in state.resources["aws_iam_role_policy"].values() if one["role"] == role]


@pytest.mark.parametrize("role", MODULES)
def test_a_role_may_do_what_the_code_calls_and_nothing_beside(role: str, request: pytest.FixtureRequest) -> None:
    found = policies(request.getfixturevalue(MODULES[role]), role)
    assert [pair for pair in ROLES[role].may if not allowed(found, *pair)] == []
    assert [pair for pair in ROLES[role].may_not if allowed(found, *pair)] == []


def recording(module: str) -> Path:
    return RECORDED / module.replace("_", "-") / "tf_resources.json"


def kept(state: dict[str, Any]) -> dict[str, Any]:
    """Return the recorded part of a state."""
    resources = {
        type_: {
            name: {attribute: one[attribute] for attribute in attributes}
            for name, one in sorted(state["resources"].get(type_, {}).items())
        }
        for type_, attributes in KEPT.items()
    }
    return {"pytest-terraform": 1, "outputs": {}, "resources": resources}


@pytest.mark.skipif(bool(tf.LazyReplay.value), reason="nothing is applied")
@each_module
def test_a_recording_is_what_is_applied(module: str, request: pytest.FixtureRequest) -> None:
    state = request.getfixturevalue(module)
    file = recording(module)
    text = json.dumps(kept({"resources": state.resources}), indent=1) + "\n"
    before = file.read_text("utf-8") if file.exists() else ""
    file.write_text(text, "utf-8")
    assert text == before, f"{file} is written again: commit it"


@each_module
def test_a_recording_keeps_no_secret(module: str) -> None:
    text = recording(module).read_text("utf-8")
    assert WRITE_KEY not in text
    found = json.loads(text)
    assert kept(found) == found, "more than KEPT"
    # Account numbers are only the emulator's and Segment's. It contains no AWS id, key or token.
    assert set(re.findall(r"\b\d{12}\b", text)) <= {A, "595280932656"}
    assert not re.search(r"\b(A[KSR][IO]A|AIDA|AROA)[A-Z0-9]{16}|-----BEGIN|eyJ[\w-]{10}", text)
