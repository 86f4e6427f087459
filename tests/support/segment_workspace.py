"""A Segment workspace behind its Public API, on 127.0.0.1.

    with Workspace() as workspace:
        workspace.answer("createFilterForDestination", Refusal(403, "not in your plan"))
        ...
        assert workspace.problems == []

Requests and answers are checked against `segment_public_api.json`, the relevant parts of the API's description. An
invalid request gets a 422, and its errors are added to `problems`.
"""

import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

TOKEN = "sgp_a-token-of-the-tests"
WORKSPACE = "9sQx2TbZ4k"
DESCRIPTION = json.loads(Path(__file__).with_name("segment_public_api.json").read_text("utf-8"))
#: As Segment's documentation of the destination lists them.
OPTIONS = {
    "clientContext": ("map", False),
    "externalId": ("string", False),
    "function": ("string", True),
    "logType": ("select", False),
    "region": ("string", False),
    "roleAddress": ("string", True),
}
#: Page size, small so that a few entries need several pages.
_LARGEST_PAGE = 4
_KINDS: dict[str, Any] = {
    "string": str,
    "boolean": bool,
    "object": dict,
    "array": list,
    "integer": int,
    "number": (int, float),
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with a status of 4xx or 5xx."""

    status: int
    message: str = "refused"
    data: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Workspace:
    """The workspace's contents, its `calls` (operation and body), and their `problems`."""

    def __init__(self) -> None:
        self.sources: list[dict[str, Any]] = []
        self.destinations: list[dict[str, Any]] = []
        self.filters: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.calls: list[tuple[str, Any]] = []
        self.problems: list[str] = []
        self.show_write_keys = True
        self.destination_types = [_destination_type(f"filler-{number}") for number in range(9)]
        self.destination_types.append(_destination_type("amazon-personalize", "Amazon Personalize", OPTIONS))
        self.source_types = [_source_type("javascript", "Javascript"), _source_type("http-api", "HTTP API")]
        self._answers: dict[str, deque[Refusal]] = defaultdict(deque)
        self._ids = count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, operation: str, *refusals: Refusal) -> None:
        """Answer the next calls of an operation with these."""
        self._answers[operation].extend(refusals)

    def asked(self, *prefixes: str) -> list[str]:
        """Return the operations that were called and whose names begin with one of these."""
        return [operation for operation, _ in self.calls if operation.startswith(prefixes)]

    def add_source(self, slug: str, kind: int = 0, **more: Any) -> dict[str, Any]:
        """Add a source, and return it."""
        number = next(self._ids)
        source = {
            "id": f"src{number}",
            "slug": slug,
            "name": slug.title(),
            "metadata": self.source_types[kind],
            "workspaceId": WORKSPACE,
            "enabled": True,
            "writeKeys": [f"write-key-{number}"],
            "settings": {},
            "labels": [],
        } | more
        self.sources.append(source)
        return source

    def add_destination(self, source: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Add a destination of the type Amazon Personalize, and return it."""
        item = next(one for one in self.destination_types if one["slug"] == "amazon-personalize")
        destination = {
            "id": f"dst{next(self._ids)}",
            "enabled": True,
            "name": "Amazon Personalize",
            "metadata": item,
            "sourceId": source["id"],
            "settings": {},
        } | more
        self.destinations.append(destination)
        return destination

    # The operations, by their ids in the description.

    def list_of(self, operation: str, parameters: Mapping[str, str]) -> list[dict[str, Any]]:
        """Return all that a list has."""
        if operation == "listFiltersFromDestination":
            return self.filters[parameters["destinationId"]]
        if operation == "listSources":
            return [one if self.show_write_keys else {**one, "writeKeys": []} for one in self.sources]
        return {
            "getDestinationsCatalog": self.destination_types,
            "getSourcesCatalog": self.source_types,
            "listDestinations": self.destinations,
        }[operation]

    def change(self, operation: str, parameters: Mapping[str, str], body: dict[str, Any]) -> dict[str, Any]:
        """Create or update something, and return it."""
        if operation == "createSource":
            kind = next(number for number, one in enumerate(self.source_types) if one["id"] == body["metadataId"])
            return self.add_source(body["slug"], kind, enabled=body["enabled"])
        if operation == "createDestination":
            source = next(one for one in self.sources if one["id"] == body["sourceId"])
            return self.add_destination(source, **{key: body[key] for key in ("enabled", "name", "settings")})
        if operation == "createFilterForDestination":
            made = {**body, "id": f"flt{next(self._ids)}", **parameters, "createdAt": "t", "updatedAt": "t"}
            self.filters[parameters["destinationId"]].append(made)
            return made
        *_, one_id = parameters.values()
        everything = [*self.sources, *self.destinations, *(one for some in self.filters.values() for one in some)]
        changed = next(one for one in everything if one["id"] == one_id)
        changed.update(body)
        return changed

    def respond(
        self, method: str, target: str, headers: Mapping[str, str], text: bytes
    ) -> tuple[int, Any, Mapping[str, str]]:
        """Return status, body and headers of the answer."""
        parts = urlsplit(target)
        found = _operation(method.lower(), parts.path)
        if found is None:
            return self._wrong(f"no {method} {parts.path}")
        described, parameters = found
        operation = described["operationId"]
        body = json.loads(text) if text else None
        self.calls.append((operation, body))
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401, _envelope("Unauthorized"), {}
        if self._answers[operation]:
            refusal = self._answers[operation].popleft()
            return refusal.status, _envelope(refusal.message, refusal.data), refusal.headers
        query = dict(parse_qsl(parts.query))
        problems = list(_request_problems(described, headers, query, body))
        if problems:
            return self._wrong(f"{operation}: {'; '.join(problems)}")
        if body is None:
            data = _page(self.list_of(operation, parameters), described, query)
        else:
            (key,) = _data_schema(described)["required"]
            data = {key: self.change(operation, parameters, body)}
        self.problems += [f"{operation} answers: {one}" for one in _problems(data, _data_schema(described))]
        return int(next(iter(described["responses"]))), {"data": data}, {}

    def _wrong(self, problem: str) -> tuple[int, Any, Mapping[str, str]]:
        self.problems.append(problem)
        return 422, _envelope(problem), {}


def _handler(workspace: Workspace) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Headers and body in one packet: the second would wait for the first to be acknowledged.
        wbufsize = -1

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer, headers = workspace.respond(self.command, self.path, dict(self.headers), body)
            sent = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(sent)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = _do  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    return Handler


def _operation(method: str, path: str) -> tuple[dict[str, Any], dict[str, str]] | None:
    for template, operations in DESCRIPTION["paths"].items():
        matched = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template), path)
        if matched and method in operations:
            return operations[method], matched.groupdict()
    return None


def _request_problems(
    described: dict[str, Any], headers: Mapping[str, str], query: Mapping[str, str], body: Any
) -> Iterator[str]:
    (media_type,) = next(iter(described["responses"].values()))["content"]
    if headers.get("Accept") != media_type:
        yield f"Accept is {headers.get('Accept')}"
    allowed: set[str] = set()
    for parameter in described.get("parameters", ()):
        if parameter["in"] == "query":
            name, schema = parameter["name"], _resolved(parameter["schema"])
            allowed |= {f"{name}[{key}]" for key in schema["properties"]}
            given = {key: query[f"{name}[{key}]"] for key in schema["properties"] if f"{name}[{key}]" in query}
            yield from _problems({key: int(text) if text.isdigit() else text for key, text in given.items()}, schema)
    if set(query) - allowed:
        yield f"unknown parameters {set(query) - allowed}"
    if ("requestBody" in described) != (body is not None):
        yield "a body, or none"
    elif body is not None:
        content = described["requestBody"]["content"]
        if headers.get("Content-Type") not in content:
            yield f"Content-Type is {headers.get('Content-Type')}"
        else:
            yield from _problems(body, content[headers["Content-Type"]]["schema"])


def _resolved(schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    return DESCRIPTION["components"]["schemas"][name] if name else schema


def _problems(value: Any, schema: dict[str, Any], place: str = "$") -> Iterator[str]:
    """Yield the parts of a value that the schema doesn't allow."""
    schema = _resolved(schema)
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if kind is None:
        return
    if not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean"):
        yield f"{place}: {value!r} isn't a {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} isn't one of {schema['enum']}"
    if "minimum" in schema and not schema["minimum"] <= value <= schema["maximum"]:
        yield f"{place}: {value!r} is out of range"
    if kind == "array":
        for number, one in enumerate(value):
            yield from _problems(one, schema["items"], f"{place}[{number}]")
    if kind == "object":
        properties = schema.get("properties", {})
        yield from (f"{place}: lacks {key}" for key in schema.get("required", ()) if key not in value)
        for key, one in value.items():
            if key in properties:
                yield from _problems(one, properties[key], f"{place}.{key}")
            elif schema.get("additionalProperties") is False:
                yield f"{place}: has {key}, which is unknown"


def _data_schema(described: dict[str, Any]) -> dict[str, Any]:
    (content,) = next(iter(described["responses"].values()))["content"].values()
    found: dict[str, Any] = content["schema"]["properties"]["data"]
    return found


def _page(listed: list[dict[str, Any]], described: dict[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    start, size = int(query.get("pagination[cursor]", "=0")[1:]), min(int(query["pagination[count]"]), _LARGEST_PAGE)
    following = {"next": f"={start + size}"} if start + size < len(listed) else {}
    key = _data_schema(described)["required"][0]
    return {key: listed[start : start + size], "pagination": {"current": f"={start}", **following}}


def _envelope(message: str, data: Any = None) -> dict[str, Any]:
    return {"errors": [{"type": "RequestError", "message": message, **({} if data is None else {"data": data})}]}


def _type(slug: str, name: str | None, options: Mapping[str, tuple[str, bool]]) -> dict[str, Any]:
    return {
        "id": f"id-of-{slug}",
        "name": name or slug,
        "slug": slug,
        "description": "",
        "logos": {"default": ""},
        "options": [{"name": key, "type": kind, "required": required} for key, (kind, required) in options.items()],
        "categories": [],
        "status": "PUBLIC",
    }


def _source_type(slug: str, name: str) -> dict[str, Any]:
    return {**_type(slug, name, {}), "isCloudEventSource": False}


def _destination_type(
    slug: str, name: str | None = None, options: Mapping[str, tuple[str, bool]] | None = None
) -> dict[str, Any]:
    lists: dict[str, Any] = {key: [] for key in ("previousNames", "components", "actions", "presets")}
    supported: dict[str, Any] = {f"supported{key}": {} for key in ("Features", "Methods", "Platforms")}
    return {**_type(slug, name, options or {}), **lists, **supported, "website": "https://example.com"}
