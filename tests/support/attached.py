"""One AWS provider for many Terraform commands, which otherwise start it again, some of them for every run.

Starting the 700 MB provider takes more processor time than its work for one command. The provider's debug mode, and the
variable with which Terraform attaches to it, are made for this.
"""

import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import tfmirror
from stacks import Stack

_VARIABLE = re.compile(r"^\s*(TF_REATTACH_PROVIDERS)='(.*)'$", re.MULTILINE)


@contextmanager
def attached(stack: Stack) -> Iterator[None]:
    """Share one provider between all later commands of a stack."""
    stack("init", "-no-color")
    with provider(stack.folder, stack.environment) as variables:
        stack.environment |= variables
        yield


@contextmanager
def provider(folder: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Yield the variable for commands that attach to the provider of a `folder` where init ran.

    The provider has this folder and `environment`, whatever those of a command are, and is for one command at a time.
    """
    [program] = (folder / ".terraform" / "providers").glob(
        f"{tfmirror.HOST}/{tfmirror.PROVIDER}/*/*/terraform-provider-aws_*"
    )
    with tempfile.NamedTemporaryFile() as file:
        printed = Path(file.name)
        process = subprocess.Popen([program, "-debug"], cwd=folder, env=dict(environment), stdout=file, stderr=file)
        try:
            until = time.monotonic() + 60
            while not (found := _VARIABLE.search(printed.read_text("utf-8"))):
                assert process.poll() is None, printed.read_text("utf-8")
                assert time.monotonic() < until, printed.read_text("utf-8")
                time.sleep(0.05)
            yield {found[1]: found[2]}
        finally:
            process.terminate()
            process.wait()
