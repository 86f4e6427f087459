"""A stack on the emulator: a copy of the files for `terraform apply`, applied, planned again and destroyed.

A copy, because Terraform writes its state and lock file next to the configuration, and to add a provider block. Without
that block, the provider would retry calls that the emulator doesn't support 25 times, which takes minutes. The
configuration itself is unchanged.
"""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tfmirror

ROOT = Path(__file__).parents[1]
MAPPING = "python/personalize_segment/contract/event_mapping.json"
PACKAGE, WHEELS = "dist/personalize-segment.zip", "dist/glue-3.11"
_PROVIDER = """
provider "aws" {
  max_retries = 2
}
"""
#: The stack's guard would refuse every destroy.
_UNPROTECTED = """
variable "deletion_protection" {
  default = false
}
"""


#: Variables that could select another AWS, other values, or a state in another folder.
_FOREIGN = ("AWS_", "TF_VAR_", "TF_WORKSPACE", "TF_DATA_DIR")


class StackError(Exception):
    """Terraform failed. The text is Terraform's."""


class Stack:
    """Terraform in a copy of `root`, a folder of the project: the stack itself or a configuration that calls it.

    `environment` selects the AWS. Your own variables don't. `package` is the zip of the functions, `provider` a
    provider block, and `wheels` a folder for the Glue job. The defaults are for the emulator, which installs none.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        package: Path,
        root: str = "terraform",
        provider: str = _PROVIDER,
        wheels: Path | None = None,
    ) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("terraform", "modules", "sql"):
            if (ROOT / name).exists():
                shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        for name, source in (
            (MAPPING, ROOT / MAPPING),
            (PACKAGE, package),
            *((f"glue/{one.name}", one) for one in (ROOT / "glue").glob("*.py")),
        ):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
        if wheels is None:
            (folder / WHEELS).mkdir()
            # The emulator installs no wheels. `doctor` would report an empty file.
            (folder / WHEELS / "duckdb-0-py3-none-any.whl").write_bytes(b"wheel")
        else:
            shutil.copytree(wheels, folder / WHEELS)
        self.folder = folder / root
        self.folder.mkdir(exist_ok=True)
        (self.folder / "zz_override.tf").write_text(provider)
        (folder / "terraform" / "unprotected_override.tf").write_text(_UNPROTECTED)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
        kept |= {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", **environment}
        self.environment = kept | tfmirror.environment(folder / "terraform.tfrc", kept)

    @classmethod
    def again(cls, folder: Path, environment: Mapping[str, str], root: str = "terraform") -> "Stack":
        """Return the stack in a folder from an earlier run that wasn't destroyed."""
        found = cls.__new__(cls)
        found.folder = folder / root
        found.environment = {**environment, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}
        found.environment |= tfmirror.environment(folder / "terraform.tfrc", found.environment)
        return found

    def __call__(self, *arguments: str, show: Callable[[str], None] = lambda line: None) -> str:
        """Return the output of a Terraform command, and pass its lines to `show`. Raise StackError if it fails."""
        command = ["terraform", *arguments]
        lines = []
        # Terraform gets Ctrl-C only from here: the first stops it gracefully, a second would lose its state.
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    lines.append(line)
                    show(line.rstrip())
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
                before = signal.signal(signal.SIGINT, signal.SIG_IGN)
                process.communicate()
                signal.signal(signal.SIGINT, before)
                raise
        if process.returncode:
            raise StackError(f"terraform {arguments[0]}: {''.join(lines)}")
        return "".join(lines)

    def apply(self, variables: Mapping[str, Any], show: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
        """Apply with these variables and return the outputs as `terraform output -json` prints them."""
        (self.folder / "stack.auto.tfvars.json").write_text(json.dumps(variables))
        self("init", "-no-color")
        # Slow resources wait concurrently.
        self("apply", "-auto-approve", "-no-color", "-parallelism=30", show=show)
        found: dict[str, Any] = json.loads(self("output", "-json"))
        return found

    def changes(self) -> dict[str, tuple[list[str], list[str]]]:
        """Return the changes that a plan finds now, by address: actions and attributes."""
        # Resources may move to other addresses.
        if re.search(
            r"No changes\.|Plan: 0 to add, 0 to change, 0 to destroy\.", self("plan", "-no-color", "-out=second")
        ):
            return {}
        plan = json.loads(self("show", "-json", "second"))
        found = {}
        for one in plan.get("resource_changes", []):
            change = one["change"]
            before, after = change["before"] or {}, change["after"] or {}
            names = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            if one["mode"] == "managed" and change["actions"] != ["no-op"]:
                found[one["address"]] = (change["actions"], sorted(names))
        return found

    def has_state(self) -> bool:
        """Whether Terraform has created anything."""
        return (self.folder / "terraform.tfstate").exists()

    def destroy(self, show: Callable[[str], None] = lambda line: None) -> None:
        """Destroy everything. Raise StackError if the state isn't empty."""
        self("destroy", "-auto-approve", "-no-color", "-parallelism=30", show=show)
        left = json.loads(self("state", "pull"))["resources"]
        if left:
            raise StackError(f"terraform destroy: left {', '.join(one['type'] for one in left)}")
