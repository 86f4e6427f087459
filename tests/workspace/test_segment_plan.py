"""`personalize-segment segment`: what it creates, changes and keeps in a Segment workspace."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import boto3
import pytest

from personalize_segment.errors import WorkspaceError
from personalize_segment.workspace.plan import Catalog, Change, apply, plan
from personalize_segment.workspace.public_api import PublicApi
from personalize_segment.workspace.wanted import Choices, Wanted, read, setting
from personalize_segment.workspace.write_key import WriteKeySecret
from segment_workspace import OPTIONS, TOKEN, WORKSPACE, Refusal, Workspace

FUNCTION = "arn:aws:lambda:us-west-2:123456789012:function:shop-event:live"
ROLE = "arn:aws:iam::123456789012:role/shop-us-west-2-segment"
OUTPUTS: dict[str, Any] = {
    "role_arn": ROLE,
    "external_ids": ["old", WORKSPACE],
    "function_arn": FUNCTION,
    "region": "us-west-2",
    "destination_filter": "(type = 'track' and event = 'Order Completed')",
    "events": {},
    "logs": None,
    "write_key": "secretsmanager:segment/shop#write_key",
}
SLUG = "shop-us-west-2-123456789012-recommendations"
SETTINGS = {
    "function": FUNCTION,
    "roleAddress": ROLE,
    "region": "us-west-2",
    "externalId": WORKSPACE,
    "logType": "None",
}
CHOICES = Choices(sources=["website"])
CONDITION = f"!( {OUTPUTS['destination_filter']} )"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Yield a workspace with one source, and fail on invalid requests."""
    with Workspace() as made:
        made.add_source("website")
        yield made
    assert made.problems == []


@pytest.fixture
def secret(s3_env: str) -> WriteKeySecret:
    """Return a secret that doesn't exist yet."""
    return WriteKeySecret(f"segment/{s3_env}", "write_key", boto3.client("secretsmanager"))


def wanted(**choices: Any) -> Wanted:
    return read("shop", OUTPUTS, Choices(**{"sources": ["website"], **choices}))


def public_api(workspace: Workspace, **more: Any) -> PublicApi:
    return PublicApi(TOKEN, workspace.url, **more)


def planned(workspace: Workspace, secret: WriteKeySecret | None, **choices: Any) -> list[tuple[str, str, str]]:
    """Return action, kind and name of the steps of a plan, after checking that planning changes nothing."""
    api = public_api(workspace)
    changes = plan(wanted(**choices), api, Catalog(api), secret)
    assert not workspace.asked("create", "update")
    return [(change.action, change.kind, change.name) for change in changes]


def applied(workspace: Workspace, secret: WriteKeySecret | None, **choices: Any) -> list[Change]:
    return apply(wanted(**choices), public_api(workspace), secret, lambda changes: None)


def refusal(do: Callable[[], object]) -> str:
    with pytest.raises(WorkspaceError) as refused:
        do()
    return str(refused.value)


def test_a_plan_names_all_that_an_apply_makes(workspace: Workspace, secret: WriteKeySecret) -> None:
    assert planned(workspace, secret) == [
        ("create", "Source", SLUG),
        ("create", "Secret", secret.name),
        ("create", "Destination", "shop: Amazon Personalize (website)"),
        ("create", "DestinationFilter", "shop: Amazon Personalize (website)"),
    ]
    applied(workspace, secret)
    (destination,) = workspace.destinations
    assert destination["settings"] == SETTINGS
    assert destination["enabled"]
    assert destination["sourceId"] == workspace.sources[0]["id"]
    (made,) = workspace.filters[destination["id"]]
    assert (made["if"], made["actions"], made["enabled"]) == (CONDITION, [{"type": "DROP"}], True)
    source = workspace.sources[1]
    assert (source["slug"], source["metadata"]["name"]) == (SLUG, "HTTP API")
    assert secret.read() == source["writeKeys"][0]


def test_a_second_apply_changes_nothing(workspace: Workspace, secret: WriteKeySecret) -> None:
    applied(workspace, secret)
    before = len(workspace.calls)
    changes = applied(workspace, secret)
    assert {change.action for change in changes} == {"nothing"}
    assert not [operation for operation, body in workspace.calls[before:] if body is not None]
    assert [change.id for change in changes if change.kind != "Secret"] == [
        workspace.sources[1]["id"],
        workspace.destinations[0]["id"],
        next(iter(workspace.filters.values()))[0]["id"],
    ]


def test_what_differs_is_changed_and_other_settings_stay(workspace: Workspace, secret: WriteKeySecret) -> None:
    applied(workspace, secret)
    (destination,) = workspace.destinations
    destination["settings"] |= {"roleAddress": "arn:old", "clientContext": {"a": "b"}}
    destination["enabled"] = False
    workspace.filters[destination["id"]][0].update(enabled=False, **{"if": "type = 'page'"})
    workspace.sources[1]["enabled"] = False
    changed = {change.kind: change for change in plan(wanted(), public_api(workspace), _catalog(workspace), secret)}
    assert changed["Destination"].why == f"roleAddress: arn:old → {ROLE}, enabled: false → true"
    assert changed["DestinationFilter"].why == "if, enabled differ"
    assert changed["Source"].why == "enabled: false → true"
    applied(workspace, secret)
    assert destination["settings"] == {**SETTINGS, "clientContext": {"a": "b"}}
    assert workspace.sources[1]["enabled"]
    assert len(workspace.destinations) == len(workspace.filters[destination["id"]]) == 1
    assert workspace.filters[destination["id"]][0]["if"] == CONDITION


def test_an_apply_that_was_stopped_goes_on(workspace: Workspace, secret: WriteKeySecret) -> None:
    workspace.answer("createDestination", Refusal(500, "oops"))
    said = refusal(lambda: applied(workspace, secret))
    assert said.startswith("POST /destinations: Segment answers 500: oops.")
    applied(workspace, secret)
    assert len(workspace.sources) == 2
    assert len(workspace.destinations) == 1


def test_several_sources_have_a_destination_each(workspace: Workspace) -> None:
    second = workspace.add_source("ios")
    applied(workspace, None, sources=["Website", second["id"]])
    assert [one["sourceId"] for one in workspace.destinations] == [one["id"] for one in workspace.sources]


def test_a_source_that_is_not_there_is_named_with_those_that_are(workspace: Workspace) -> None:
    said = refusal(lambda: applied(workspace, None, sources=["webiste"]))
    assert "no source 'webiste', only website" in said
    workspace.add_source("again", name="website")
    assert "Name it by its id" in refusal(lambda: applied(workspace, None))


# Destinations that others made


def test_a_destination_of_another_function_is_left_alone(workspace: Workspace) -> None:
    other = workspace.add_destination(workspace.sources[0], settings={"function": "other", "roleAddress": "r"})
    said = refusal(lambda: applied(workspace, None))
    assert "'Amazon Personalize', which invokes other" in said
    assert "--adopt" in said
    assert other["settings"] == {"function": "other", "roleAddress": "r"}
    applied(workspace, None, adopt=True)
    assert other["settings"] == SETTINGS
    assert other["name"] == "Amazon Personalize"


def test_a_destination_of_this_function_is_ours_whatever_its_name(workspace: Workspace) -> None:
    made = workspace.add_destination(workspace.sources[0], settings={"function": FUNCTION, "roleAddress": "r"})
    applied(workspace, None)
    assert workspace.destinations == [made]
    assert made["settings"] == SETTINGS
    workspace.add_destination(workspace.sources[0], settings={"function": FUNCTION, "roleAddress": "r"})
    assert "2 exist: " in refusal(lambda: applied(workspace, None))


# Destination filters


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_filter_that_segment_refuses_for_another_reason_has_its_words(workspace: Workspace, status: int) -> None:
    workspace.answer("createFilterForDestination", Refusal(status, "if: too long"))
    said = refusal(lambda: applied(workspace, None))
    assert f"Segment answers {status}: if: too long" in said
    assert "--no-filter" not in said


@pytest.mark.parametrize("status", [402, 403])
def test_a_filter_that_the_plan_of_segment_has_not_is_explained_after_all_else_is_done(
    workspace: Workspace, secret: WriteKeySecret, status: int
) -> None:
    workspace.answer("createFilterForDestination", Refusal(status, "Not in your plan"))
    said = refusal(lambda: applied(workspace, secret))
    assert f"Segment answers {status}: Not in your plan" in said
    assert "Business tier" in said
    assert "--no-filter" in said
    assert workspace.destinations[0]["settings"] == SETTINGS
    assert secret.read()
    asked = len(workspace.asked("createFilter", "listFilters"))
    assert {change.action for change in applied(workspace, secret, filtered=False)} == {"nothing"}
    assert len(workspace.asked("createFilter", "listFilters")) == asked


@pytest.mark.parametrize(
    ("sent", "shown", "same"),
    [
        ("(type = 'track' and event = 'A B')", '!((type="track"  and\nevent="A B"))', True),
        ('event = "It\'s"', "!(event = 'It\\'s')", True),
        ("event = 'a\\\\b \"c\"'", '!( event = "a\\\\b \\"c\\"" )', True),
        ("event = 'A B'", "!( event = 'A  B' )", False),
        ("event = 'type'", "!( event = type )", False),
        ("event = 'A' or event = 'B'", "!( event = 'A' and event = 'B' )", False),
        ("event = 'A'", "!( event != 'A' )", False),
        ("event = 'A'", "( event = 'A' )", False),
    ],
)
def test_blanks_and_quotes_of_a_condition_do_not_count(workspace: Workspace, sent: str, shown: str, same: bool) -> None:
    asked = read("shop", OUTPUTS | {"destination_filter": sent}, CHOICES)
    apply(asked, public_api(workspace), None, lambda changes: None)
    (made,) = workspace.filters[workspace.destinations[0]["id"]]
    made["if"] = shown
    changes = plan(asked, public_api(workspace), _catalog(workspace), None)
    (change,) = [change for change in changes if change.kind == "DestinationFilter"]
    assert (change.action, change.why) == (("nothing", "") if same else ("update", "if differs"))


def test_filters_that_may_not_be_listed_block_the_filter_only(workspace: Workspace) -> None:
    workspace.add_destination(workspace.sources[0], settings={"function": FUNCTION, "roleAddress": "r"})
    workspace.answer("listFiltersFromDestination", Refusal(403, "No"), Refusal(403, "No"))
    assert "Business tier" in refusal(lambda: applied(workspace, None))
    assert workspace.destinations[0]["settings"] == SETTINGS


# The write key


def test_the_secret_keeps_its_other_keys(workspace: Workspace, secret: WriteKeySecret) -> None:
    secret.client.create_secret(Name=secret.name, SecretString=json.dumps({"other": "value"}))
    applied(workspace, secret)
    held = json.loads(secret.client.get_secret_value(SecretId=secret.name)["SecretString"])
    assert held == {"other": "value", "write_key": workspace.sources[1]["writeKeys"][0]}


def test_a_secret_without_json_holds_the_key_alone(workspace: Workspace, secret: WriteKeySecret) -> None:
    plain = replace(secret, json_key=None)
    applied(workspace, plain)
    held = plain.client.get_secret_value(SecretId=plain.name)["SecretString"]
    assert held == plain.read() == workspace.sources[1]["writeKeys"][0]
    assert "isn't a JSON object" in refusal(secret.read)


def test_the_documented_resources_are_those_of_the_secret(secret: WriteKeySecret) -> None:
    text = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    missing, made = re.findall(r"`[^` ]*:secret:(NAME\S*)`", text)
    secret.write("key")
    arn = secret.client.describe_secret(SecretId=secret.name)["ARN"]
    assert missing == "NAME"
    assert fnmatch(arn.partition(":secret:")[2], made.replace("NAME", secret.name))


@pytest.mark.parametrize("json_key", [None, "write_key"])
def test_a_secret_of_bytes_is_refused(workspace: Workspace, secret: WriteKeySecret, json_key: str | None) -> None:
    secret.client.create_secret(Name=secret.name, SecretBinary=b"key")
    said = refusal(lambda: applied(workspace, replace(secret, json_key=json_key), replace_write_key=True))
    assert said.startswith(f"secret {secret.name}: has binary data")
    assert secret.client.get_secret_value(SecretId=secret.name)["SecretBinary"] == b"key"
    assert not workspace.asked("create")


def test_the_source_whose_key_the_secret_holds_is_written_back_to(workspace: Workspace, secret: WriteKeySecret) -> None:
    chosen = workspace.add_source("engage")
    secret.write(chosen["writeKeys"][0])
    assert ("nothing", "Source", "engage") in planned(workspace, secret)
    applied(workspace, secret)
    assert [one["slug"] for one in workspace.sources] == ["website", "engage"]


@pytest.mark.parametrize("known", [True, False])
def test_another_key_in_the_secret_is_replaced_only_on_demand(
    workspace: Workspace, secret: WriteKeySecret, known: bool
) -> None:
    key = workspace.add_source("engage")["writeKeys"][0] if known else "key-of-another-workspace"
    secret.write(key)
    choices = {"write_back_source": "website"} if known else {}
    said = refusal(lambda: applied(workspace, secret, **choices))
    assert "--replace-write-key" in said
    assert key not in said
    assert secret.read() == key
    applied(workspace, secret, **choices, replace_write_key=True)
    assert secret.read() in [one for source in workspace.sources for one in source["writeKeys"]]
    assert secret.read() != key


def test_a_token_that_sees_no_write_keys_is_explained(workspace: Workspace, secret: WriteKeySecret) -> None:
    workspace.add_source(SLUG)
    workspace.show_write_keys = False
    said = refusal(lambda: applied(workspace, secret))
    assert "Source Admin" in said
    assert secret.read() is None


def test_no_key_is_in_a_plan(workspace: Workspace, secret: WriteKeySecret) -> None:
    api, shown = public_api(workspace), []
    apply(wanted(), api, secret, lambda changes: shown.append(repr(changes)))
    key = workspace.sources[1]["writeKeys"][0]
    assert len(shown) > 2
    assert not any(key in text or TOKEN in text for text in shown)


@pytest.mark.parametrize("place", ["us-west-2:210987654321", "eu-west-1:123456789012"])
def test_the_source_of_a_stack_of_the_same_name_elsewhere_is_left_alone(
    workspace: Workspace, secret: WriteKeySecret, place: str
) -> None:
    function = FUNCTION.replace("us-west-2:123456789012", place)
    there = read("shop", OUTPUTS | {"function_arn": function}, replace(CHOICES, filtered=False))
    theirs = workspace.add_source(there.source_slug)
    applied(workspace, secret)
    assert secret.read() not in [None, *theirs["writeKeys"]]
    assert workspace.sources[-1]["slug"] == SLUG


# The catalog


def test_the_catalog_is_read_to_its_last_page_once(workspace: Workspace, secret: WriteKeySecret) -> None:
    applied(workspace, secret)
    assert workspace.asked("getDestinationsCatalog") == ["getDestinationsCatalog"] * 3


@pytest.mark.parametrize(
    "change", [{"slug": "personalize"}, {"name": "Personalize", "previousNames": ["Amazon Personalize"]}]
)
def test_the_type_is_found_by_its_name_or_slug(workspace: Workspace, change: dict[str, Any]) -> None:
    item = workspace.destination_types[-1]
    item.update({"slug": "x", "id": "other"}, **change)
    api = public_api(workspace)
    assert Catalog(api).destination("Amazon Personalize") == item
    assert Catalog(api).destination("other") == item


def test_a_type_that_is_gone_is_named(workspace: Workspace) -> None:
    del workspace.destination_types[-1]
    said = refusal(lambda: planned(workspace, None))
    assert said == (
        "Segment's catalog: has no destination 'Amazon Personalize'. Name its slug or id with --destination-type."
    )


def test_settings_are_those_that_the_catalog_declares(workspace: Workspace) -> None:
    options = workspace.destination_types[-1]["options"]
    next(one for one in options if one["name"] == "function")["name"] = "lambda"
    said = refusal(lambda: planned(workspace, None))
    assert "has no setting 'function', only clientContext, externalId, lambda" in said
    left_out = {"function": None}
    assert "also requires the setting 'lambda'" in refusal(lambda: planned(workspace, None, settings=left_out))
    applied(workspace, None, settings=left_out | {"lambda": FUNCTION})
    expected = {"lambda" if key == "function" else key: value for key, value in SETTINGS.items()}
    assert workspace.destinations[0]["settings"] == expected


def test_what_segment_does_not_keep_ends_the_apply(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    made = workspace.add_destination(workspace.sources[0], settings={"function": FUNCTION})
    monkeypatch.setattr(Workspace, "change", lambda *_: made)
    said = refusal(lambda: applied(workspace, None, filtered=False))
    assert "Segment accepted it, but doesn't show it (update, roleAddress: None → " in said
    assert workspace.asked("update") == ["updateDestination"]


# The desired state


@pytest.mark.parametrize(
    ("external_ids", "chosen", "found"),
    [
        (["old", WORKSPACE], None, WORKSPACE),
        (["src1"], None, "src1"),
        (["src1", WORKSPACE], "src1", "src1"),
        (["other"], "other", "other"),
    ],
)
def test_the_external_id_is_one_that_the_role_trusts(external_ids: list[str], chosen: str | None, found: str) -> None:
    asked = read("shop", OUTPUTS | {"external_ids": external_ids}, Choices(sources=["a"], external_id=chosen))
    assert asked.settings(WORKSPACE, "src1")["externalId"] == found


def test_an_external_id_that_the_role_does_not_trust_is_refused() -> None:
    asked = read("shop", OUTPUTS, Choices(sources=["a"], external_id="mine"))
    assert "doesn't trust 'mine', only old, 9sQx2TbZ4k" in refusal(lambda: asked.settings(WORKSPACE, "src1"))
    asked = read("shop", OUTPUTS, Choices(sources=["a"]))
    assert "--external-id" in refusal(lambda: asked.settings("another workspace", "src1"))


def test_outputs_of_an_older_stack_are_refused() -> None:
    older = {key: value for key, value in OUTPUTS.items() if key != "write_key"}
    assert "outputs: segment.write_key: is missing" in refusal(lambda: read("shop", older, Choices(sources=["a"])))


def test_a_setting_is_json_or_text() -> None:
    assert setting("logType=Tail") == ("logType", "Tail")
    assert setting('clientContext={"a": 1}') == ("clientContext", {"a": 1})
    assert setting("region=") == ("region", None)
    assert "isn't NAME=VALUE" in refusal(lambda: setting("region"))
    assert set(SETTINGS) < set(OPTIONS)


def _catalog(workspace: Workspace) -> Catalog:
    return Catalog(public_api(workspace))


def test_a_stack_of_the_same_name_elsewhere_is_left_alone(workspace: Workspace) -> None:
    applied(workspace, None)
    there = FUNCTION.replace("123456789012", "210987654321")
    workspace.destinations[0]["settings"]["function"] = there
    with pytest.raises(WorkspaceError, match=re.escape(there)):
        applied(workspace, None)
    assert workspace.destinations[0]["settings"]["function"] == there
    applied(workspace, None, adopt=True)
    assert workspace.destinations[0]["settings"]["function"] == FUNCTION
