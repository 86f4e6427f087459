"""Plan and apply the changes in a Segment workspace.

As in `provision`, a state file isn't needed. Resources are found by their names, a plan follows from the workspace's
current state, and `apply` reads that again after each round until nothing is left.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from ..errors import WorkspaceError
from .public_api import PublicApi, RefusedRequestError
from .wanted import Wanted
from .write_key import WriteKeySecret

SOURCE, SECRET, DESTINATION, FILTER = "Source", "Secret", "Destination", "DestinationFilter"
#: Statuses for features that need another plan or permission. All others are about the request.
_OF_THE_TIER = (402, 403)
_WITHOUT_FILTERS = (
    "Destination filters are part of Segment's Business tier and need write access to the source."
    " To do without, pass --no-filter. Each event without a rule then costs one invocation"
)
_ADOPT = "Pass --adopt to let it invoke this stack's function instead, or delete it in Segment"
_REPLACE = (
    "Name the source of this key with --write-back-source, or pass --replace-write-key to store another key (the"
    " current one stays as the version AWSPREVIOUS)"
)
_NO_KEY = "Segment shows write keys only to Source Admins. Give the token that role for this source"


@dataclass(frozen=True, slots=True)
class Change:
    """A line of a plan. `id` is Segment's, if the resource exists.

    `call` makes the change. It is None if the change waits for another one, is blocked, or is done.
    """

    action: Literal["create", "update", "blocked", "nothing"]
    kind: str
    name: str
    why: str = ""
    remedy: str = ""
    id: str | None = None
    call: Callable[[], object] | None = field(default=None, repr=False, compare=False)
    #: Always empty: only plans of Personalize have costs.
    cost: str = ""

    @property
    def place(self) -> str:
        """The change's place in errors."""
        return f"{self.kind} {self.name}"


class Catalog:
    """Segment's catalogs of destinations and sources. Each is read once."""

    def __init__(self, api: PublicApi) -> None:
        self._api = api

    @cached_property
    def _destinations(self) -> list[dict[str, Any]]:
        return self._api.pages("/catalog/destinations", "destinationsCatalog")

    @cached_property
    def _sources(self) -> list[dict[str, Any]]:
        return self._api.pages("/catalog/sources", "sourcesCatalog")

    def destination(self, wanted: str) -> dict[str, Any]:
        """Return the destination type with this name, slug or id. Raises WorkspaceError."""
        return _type(self._destinations, wanted, "destination", "--destination-type")

    def source(self, wanted: str) -> dict[str, Any]:
        """Return the source type with this name, slug or id. Raises WorkspaceError."""
        return _type(self._sources, wanted, "source", "--write-back-type")


def plan(wanted: Wanted, api: PublicApi, catalog: Catalog, secret: WriteKeySecret | None) -> list[Change]:
    """Return all changes, including those with nothing to do. Raises WorkspaceError."""
    sources = api.pages("/sources", "sources")
    changes = [] if secret is None else list(_write_back(wanted, api, catalog, secret, sources))
    item = catalog.destination(wanted.choices.destination_type)
    destinations = [one for one in api.pages("/destinations", "destinations") if one["metadata"]["id"] == item["id"]]
    for name in wanted.choices.sources:
        source = _only([one for one in sources if name in (one["id"], one["slug"], one.get("name"))], name)
        if source is None:
            why = f"no source {name!r}, only {', '.join(sorted(one['slug'] for one in sources)) or 'none'}"
            changes.append(Change("blocked", SOURCE, name, why, "Name a source that sends events with --source"))
            continue
        settings = wanted.settings(source["workspaceId"], source["id"])
        _check_settings(item, settings)
        here = [one for one in destinations if one["sourceId"] == source["id"]]
        changes += _destination(wanted, api, item, source, here, settings)
    # Filters last, so that one that needs another Segment plan doesn't block the rest.
    return sorted(changes, key=lambda change: change.kind == FILTER)


def apply(
    wanted: Wanted,
    api: PublicApi,
    secret: WriteKeySecret | None,
    progress: Callable[[list[Change]], None],
) -> list[Change]:
    """Apply the changes, and return the final plan. Raises WorkspaceError. Finished changes stay done."""
    catalog, done = Catalog(api), set()
    while True:
        changes = plan(wanted, api, catalog, secret)
        progress(changes)
        ready = [(change, change.call) for change in changes if change.call is not None]
        if not ready:
            break
        for change, call in ready:
            if (change.place, change.action) in done:
                problem = f"Segment accepted it, but doesn't show it ({change.action}, {change.why or 'absent'})"
                raise WorkspaceError(change.place, problem, "Check it in Segment, and rerun this in a minute")
            done.add((change.place, change.action))
            call()
    for change in changes:
        if change.action != "nothing":
            raise WorkspaceError(change.place, change.why, change.remedy)
    return changes


def _write_back(
    wanted: Wanted, api: PublicApi, catalog: Catalog, secret: WriteKeySecret, sources: list[dict[str, Any]]
) -> Iterator[Change]:
    """Yield the changes of the write-back source, and of the secret with its write key."""
    key = secret.read()
    slug = wanted.choices.write_back_source
    owner = next((one for one in sources if key is not None and key in one["writeKeys"]), None)
    if slug is None and owner is None and key is not None and not wanted.choices.replace_write_key:
        yield Change("blocked", SECRET, secret.name, "its write key isn't of a source that the token can see", _REPLACE)
        return
    if slug is None:
        slug = owner["slug"] if owner else wanted.source_slug
    source = _only([one for one in sources if slug in (one["id"], one["slug"])], slug)
    if source is None:
        type_id = catalog.source(wanted.choices.write_back_type)["id"]
        body = {"slug": slug, "enabled": True, "metadataId": type_id, "settings": {}}
        yield Change(
            "create", SOURCE, slug, "to write back to", call=lambda: api.send("POST", "/sources", "source", body)
        )
        yield Change("create" if key is None else "update", SECRET, secret.name, f"after source {slug}")
        return
    if source["enabled"]:
        yield Change("nothing", SOURCE, source["slug"], id=source["id"])
    else:
        path = f"/sources/{source['id']}"
        yield Change(
            "update",
            SOURCE,
            source["slug"],
            "enabled: false → true",
            id=source["id"],
            call=lambda: api.send("PATCH", path, "source", {"enabled": True}),
        )
    keys = source["writeKeys"]
    if key is not None and key in keys:
        yield Change("nothing", SECRET, secret.name)
    elif not keys:
        yield Change("blocked", SECRET, secret.name, f"source {source['slug']} shows no write key", _NO_KEY)
    elif key is None or wanted.choices.replace_write_key:
        action: Literal["create", "update"] = "create" if key is None else "update"
        why = f"the write key of source {source['slug']}"
        yield Change(action, SECRET, secret.name, why, call=lambda: secret.write(keys[0]))
    else:
        whose = f"is of source {owner['slug']}" if owner else "isn't of a source that the token can see"
        yield Change("blocked", SECRET, secret.name, f"its write key {whose}", _REPLACE)


def _in_one_place(one: str | None, other: str | None) -> bool:
    """Return whether two ARNs have the same region and account. A missing one counts as the same."""
    return not one or not other or one.split(":")[3:5] == other.split(":")[3:5]


def _destination(
    wanted: Wanted,
    api: PublicApi,
    item: Mapping[str, Any],
    source: Mapping[str, Any],
    here: list[dict[str, Any]],
    settings: dict[str, Any],
) -> Iterator[Change]:
    """Yield the changes of a source's destination and filter. `here` are the source's destinations of this type."""
    name = f"{wanted.destination_name} ({source['slug']})"
    function = settings.get("function")
    ours = [one for one in here if one.get("name") == wanted.destination_name]
    ours = ours or [one for one in here if function is not None and one["settings"].get("function") == function]
    if not ours and wanted.choices.adopt:
        ours = here
    if len(ours) > 1:
        ids = ", ".join(one["id"] for one in ours)
        yield Change("blocked", DESTINATION, name, f"{len(ours)} exist: {ids}", "Delete all but one in Segment")
    elif ours and not wanted.choices.adopt and not _in_one_place(ours[0]["settings"].get("function"), function):
        # Perhaps a stack of the same name in another account or region.
        why = f"it invokes {ours[0]['settings']['function']}"
        yield Change("blocked", DESTINATION, name, why, _ADOPT, id=ours[0]["id"])
    elif not ours and here:
        now = here[0]["settings"].get("function")
        why = f"the source has {here[0].get('name') or here[0]['id']!r}, which invokes {now}"
        yield Change("blocked", DESTINATION, name, why, _ADOPT, id=here[0]["id"])
    elif not ours:
        body = {
            "sourceId": source["id"],
            "metadataId": item["id"],
            "enabled": True,
            "name": wanted.destination_name,
            "settings": settings,
        }
        yield Change("create", DESTINATION, name, call=lambda: api.send("POST", "/destinations", "destination", body))
        if wanted.choices.filtered:
            yield Change("create", FILTER, name, "after its destination")
    else:
        yield _updated(api, name, ours[0], settings)
        if wanted.choices.filtered:
            yield _filter(wanted, api, name, ours[0])


def _updated(api: PublicApi, name: str, destination: dict[str, Any], settings: dict[str, Any]) -> Change:
    known = destination["settings"]
    changed = [key for key, value in settings.items() if known.get(key) != value]
    why = [f"{key}: {known.get(key)} → {settings[key]}" for key in changed]
    why += [] if destination["enabled"] else ["enabled: false → true"]
    if not why:
        return Change("nothing", DESTINATION, name, id=destination["id"])
    # All settings are sent: it isn't documented whether Segment keeps the others.
    body = {"enabled": True, "settings": {**known, **settings}}
    path = f"/destinations/{destination['id']}"
    return Change(
        "update",
        DESTINATION,
        name,
        ", ".join(why),
        id=destination["id"],
        call=lambda: api.send("PATCH", path, "destination", body),
    )


def _filter(wanted: Wanted, api: PublicApi, name: str, destination: dict[str, Any]) -> Change:
    path = f"/destination/{destination['id']}/filters"
    try:
        filters = api.pages(path, "filters")
    except RefusedRequestError as error:
        if error.status not in _OF_THE_TIER:
            raise
        return Change("blocked", FILTER, name, error.problem, _WITHOUT_FILTERS)
    there = next((one for one in filters if one["title"] == wanted.filter_title), None)
    body = {"if": wanted.condition, "actions": [{"type": "DROP"}], "enabled": True}
    if there is None:
        made = {"sourceId": destination["sourceId"], "title": wanted.filter_title, **body}
        return Change("create", FILTER, name, call=lambda: _filtered(api, "POST", path, made))
    known = {**there, "actions": [{"type": action["type"]} for action in there["actions"]]}
    changed = [key for key, value in body.items() if known.get(key) != value]
    if _tokens(there["if"]) == _tokens(wanted.condition):
        changed = [key for key in changed if key != "if"]
    if not changed:
        return Change("nothing", FILTER, name, id=there["id"])
    path += f"/{there['id']}"
    why = f"{', '.join(changed)} differ" if len(changed) > 1 else f"{changed[0]} differs"
    return Change("update", FILTER, name, why, id=there["id"], call=lambda: _filtered(api, "PATCH", path, body))


def _tokens(condition: str) -> list[str]:
    """Return the tokens of a condition, independent of the whitespace and quotes that Segment writes."""
    parts = re.findall(r"""(["'])((?:\\.|(?!\1).)*)\1|(\w+|[^\s\w])""", condition, re.DOTALL)
    return [other or '"' + re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL) for _, text, other in parts]


def _filtered(api: PublicApi, method: str, path: str, body: dict[str, Any]) -> None:
    try:
        api.send(method, path, "filter", body)
    except RefusedRequestError as error:
        if error.status not in _OF_THE_TIER:
            raise
        raise WorkspaceError(error.place, f"{error.problem}. Everything else is done", _WITHOUT_FILTERS) from None


def _check_settings(item: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Raise WorkspaceError if the settings don't fit Segment's catalog."""
    place = f"Segment's catalog: {item['name']}"
    declared = {option["name"]: option["required"] for option in item["options"]}
    for name in settings:
        if name not in declared:
            problem = f"has no setting {name!r}, only {', '.join(sorted(declared))}"
            remedy = f"Remove it with --setting {name}= and set its replacement with --setting NAME=VALUE"
            raise WorkspaceError(place, problem, remedy)
    missing = [name for name, required in declared.items() if required and name not in settings]
    if missing:
        problem = f"also requires the setting {missing[0]!r}"
        raise WorkspaceError(place, problem, f"Set it with --setting {missing[0]}=VALUE")


def _type(items: list[dict[str, Any]], wanted: str, kind: str, option: str) -> dict[str, Any]:
    """Return the only type with this slug or id, or else with this current or previous name."""
    found = [one for one in items if wanted in (one["id"], one["slug"])]
    found = found or [one for one in items if one["name"].casefold() == wanted.casefold()]
    found = found or [one for one in items if wanted in one.get("previousNames", ())]
    if len(found) != 1:
        problem = f"has {len(found) or 'no'} {kind}s {wanted!r}" if found else f"has no {kind} {wanted!r}"
        raise WorkspaceError("Segment's catalog", problem, f"Name its slug or id with {option}")
    return found[0]


def _only(found: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    if len(found) > 1:
        ids = ", ".join(one["id"] for one in found)
        raise WorkspaceError(f"source {name}", f"{len(found)} exist: {ids}", "Name it by its id")
    return found[0] if found else None
