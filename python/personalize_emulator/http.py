"""Answer HTTP requests. Every transport enters the emulator here."""

import json
import re
import uuid
from collections.abc import Mapping

from .service import Emulator
from .service_errors import ServiceError
from .service_model import OPERATIONS, Wire, route, status_of

#: Region and service in a SigV4 header. The signature isn't checked.
_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")


def scope(authorization: str) -> tuple[str, str] | None:
    """Return region and service of an Authorization header, None if it has no credential scope."""
    match = _SCOPE.search(authorization)
    return (match[1], match[2]) if match else None


def handle(
    emulator: Emulator, method: str, path: str, headers: Mapping[str, str | bytes], body: bytes | str | None
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the response to a request.

    The region comes from the credential scope. Without one, it is us-east-1.
    """
    plain = {name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in headers.items()}
    region, _ = scope(plain.get("authorization", "")) or ("us-east-1", "")
    operation = route(method, path, plain.get("x-amz-target"))
    answer = {"x-amzn-requestid": str(uuid.uuid4()), "content-type": "application/x-amz-json-1.1"}
    try:
        if operation is None:
            raise ServiceError("UnknownOperationException", f"No operation has the address {method} {path}.", 404)
        result = emulator.call(operation, _request(body), region)
    except ServiceError as error:
        status = error.status or status_of(operation, error.code)
        text = json.dumps({"__type": error.code, "message": error.message})
        return status, answer | {"x-amzn-errortype": error.code}, text.encode()
    if OPERATIONS[operation].output_shape is None:
        return 200, answer, b""
    return 200, answer, json.dumps(result, ensure_ascii=False).encode()


def _request(body: bytes | str | None) -> Wire:
    try:
        request = json.loads(body or b"{}")
    except ValueError:
        raise ServiceError("SerializationException", "The request is not valid JSON.") from None
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "The request is not a JSON object.")
    return request
