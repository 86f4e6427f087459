"""A finding, which is one line of a check, and findings from AWS errors."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ..provision import failures
from ..provision.spec import Spec

Verdict = Literal["ok", "wrong", "unknown"]

ABSENT = "is absent"
#: The remedy for everything that Terraform creates.
TERRAFORM = "Run `terraform apply`"
#: Error codes for things that don't exist.
_ABSENT_CODES = frozenset(
    {
        "404",
        "AWS.SimpleQueueService.NonExistentQueue",
        "EntityNotFoundException",
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchKey",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "StateMachineDoesNotExist",
    }
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of a check: the checked `part`, and its state, `found`. `remedy` is an instruction, empty if ok.

    `arn` is set for resources of Personalize.
    """

    part: str
    verdict: Verdict
    found: str
    remedy: str = ""
    arn: str = ""


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployed stack: Terraform's outputs, the spec in them, and a function that returns a service's boto3 client."""

    outputs: Mapping[str, Any]
    spec: Spec
    client: Callable[[str], Any]

    @property
    def operations(self) -> Mapping[str, Any]:
        """The names of functions, queues and other resources."""
        found: Mapping[str, Any] = self.outputs["operations"]
        return found

    def arn(self, service: str, name: str) -> str:
        """Return the ARN of a resource in the stack's account and region."""
        partition, _, region, account = self.outputs["segment"]["function_arn"].split(":")[1:5]
        return f"arn:{partition}:{service}:{region}:{account}:{name}"


def is_absent(error: ClientError) -> bool:
    """Return whether AWS reports that a resource doesn't exist."""
    return error.response["Error"]["Code"] in _ABSENT_CODES


def examined(part: str, findings: Iterator[Finding], remedy: str = TERRAFORM) -> Iterator[Finding]:
    """Yield the findings. If an AWS call fails, yield that `part` is absent or can't be read."""
    try:
        yield from findings
    except ClientError as error:
        if is_absent(error):
            yield Finding(part, "wrong", ABSENT, remedy)
            return
        code, message = failures.code_and_message(error)
        permissions = "Check your permissions: docs/operations.md#rights-of-doctor lists them"
        yield Finding(part, "unknown", f"can't be read ({code}: {message})", permissions)
    except BotoCoreError as error:
        yield Finding(part, "unknown", f"can't be read ({error})", "Check the region and the connection")
