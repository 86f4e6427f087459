"""Values of SSM parameters and Secrets Manager secrets, cached for a while.

A parameter that doesn't exist yet is None, and is found seconds after it was created. So provisioning needs no second
deployment.
"""

import json
import time
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.parameters import SecretsProvider, SSMProvider
from aws_lambda_powertools.utilities.parameters.base import BaseProvider
from aws_lambda_powertools.utilities.parameters.exceptions import GetParameterError
from botocore.exceptions import ClientError

from ..errors import SettingsError, TransientError
from .settings import Reference, SettingValue

#: Time in seconds before a value that was missing, or couldn't be read again, is read again.
PAUSE_SECONDS = 15
_NOT_THERE = ("ParameterNotFound", "ResourceNotFoundException")


class References:
    """Reads values and caches them for `refresh` seconds. A value that can't be read again stays.

    `client` returns the boto3 client of a service.
    """

    def __init__(self, client: Callable[[str], Any], refresh: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._refresh = refresh
        self._clock = clock
        self._providers: dict[str, BaseProvider] = {}
        self._last: dict[Reference, str | None] = {}
        self._pause_until: dict[Reference, float] = {}

    def value(self, value: SettingValue) -> str | None:
        """Return a setting's value, None if it isn't set or doesn't exist yet.

        Raises TransientError if it was never read and can't be read now, and SettingsError if it isn't text.
        """
        if not isinstance(value, Reference):
            return value
        if self._clock() < self._pause_until.get(value, 0):
            return self._last[value]
        try:
            self._last[value] = self._read(value)
        except GetParameterError as error:
            cause = error.__context__
            code = cause.response["Error"]["Code"] if isinstance(cause, ClientError) else type(cause).__name__
            if code in _NOT_THERE:
                self._last[value] = None
            elif value not in self._last:
                raise TransientError(
                    f"{value.service}:{value.name}", f"can't be read ({code})", "Check the function's permissions"
                ) from error
            self._pause_until[value] = self._clock() + PAUSE_SECONDS
        return self._last[value]

    def _read(self, reference: Reference) -> str | None:
        provider = self._provider(reference.service)
        more: dict[str, Any] = {"decrypt": True} if reference.service == "ssm" else {}
        value = provider.get(reference.name, max_age=self._refresh, **more)
        place = f"{reference.service}:{reference.name}"
        if reference.key is not None:
            try:
                value = json.loads(str(value))[reference.key]
            except (ValueError, LookupError, TypeError):
                remedy = f'Store JSON such as {{"{reference.key}": "…"}}'
                raise SettingsError(place, f"has no key {reference.key}", remedy) from None
        if not isinstance(value, str) or not value.strip():
            raise SettingsError(place, "isn't text", "Store the value as a string")
        return value.strip()

    def _provider(self, service: str) -> BaseProvider:
        # Two threads may each create one. Either will do.
        if service not in self._providers:
            client = self._client(service)
            provider = SSMProvider if service == "ssm" else SecretsProvider
            self._providers[service] = provider(boto3_client=client)
        return self._providers[service]
