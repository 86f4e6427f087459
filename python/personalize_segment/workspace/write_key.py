"""The secret with the write key of the source that recommendations are written back to."""

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from ..errors import WorkspaceError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

#: The format of the function's setting.
_REFERENCE = re.compile(r"secretsmanager:([^#\s]+)(?:#(\S+))?")


@dataclass(frozen=True, slots=True)
class WriteKeySecret:
    """A secret's `name`, and the key in it if it is a JSON object."""

    name: str
    json_key: str | None
    client: "SecretsManagerClient" = field(repr=False)

    @classmethod
    def of(cls, reference: str, client: "SecretsManagerClient") -> "WriteKeySecret":
        """Return the secret of a reference. Raises WorkspaceError."""
        parts = _REFERENCE.fullmatch(reference)
        if not parts:
            problem = f"{reference!r} isn't secretsmanager:NAME"
            raise WorkspaceError("outputs: segment.write_key", problem, "Pass the output of `terraform output -json`")
        return cls(parts[1], parts[2], client)

    def read(self) -> str | None:
        """Return the write key; None if the secret has none yet."""
        text = self._text()
        if text is None or self.json_key is None:
            return text or None
        return self._object(text).get(self.json_key) or None

    def write(self, key: str) -> None:
        """Store a write key. Other keys of the JSON object stay, and the previous value stays as AWSPREVIOUS."""
        text = key
        if self.json_key is not None:
            text = json.dumps(self._object(self._text() or "{}") | {self.json_key: key})
        try:
            self.client.put_secret_value(SecretId=self.name, SecretString=text)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ResourceNotFoundException":
                raise
            self.client.create_secret(Name=self.name, SecretString=text, Description="Write key of a Segment source.")

    def _text(self) -> str | None:
        try:
            answer = self.client.get_secret_value(SecretId=self.name)
        except ClientError as error:
            # AWS also answers this for a secret without a value.
            if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException":
                return None
            raise
        if answer.get("SecretBinary"):
            remedy = "Store a text in it, or name another secret in `write_key_secret`"
            raise WorkspaceError(f"secret {self.name}", "has binary data instead of text", remedy)
        return answer["SecretString"]

    def _object(self, text: str) -> dict[str, str]:
        try:
            document = json.loads(text)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            problem = f"isn't a JSON object, but the stack reads its key {self.json_key!r}"
            remedy = "Remove `json_key` from `write_key_secret`, or store a JSON object"
            raise WorkspaceError(f"secret {self.name}", problem, remedy)
        return document
