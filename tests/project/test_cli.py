"""The command line: data on stdout, messages on stderr, an exit status, and never a traceback."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

import in_process
from documents import refused
from engines import write_log
from golden_cases import TESTS
from personalize_segment import __version__
from personalize_segment.cli import VERBS, load
from personalize_segment.contract import avro
from personalize_segment.contract.json_schema import json_schema
from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.rows import parse_line
from programs import installed
from visits import visitors

COMMAND = installed() / "personalize-segment"
REFUSED = refused(TESTS / "mappings" / "refused.json")
SMALLEST = TESTS / "mappings" / "valid" / "smallest.json"
CLICK = {
    "type": "track", "event": "Product Clicked", "messageId": "m1", "userId": "本",
    "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": 7},
}  # fmt: skip
ROW = {"USER_ID": "本", "ITEM_ID": "7", "TIMESTAMP": 1709251200, "EVENT_TYPE": "Click", "EVENT_VALUE": None}
ROW["RECOMMENDATION_ID"] = None
ONCE = {"count": 1, "elements": []}


def malformed(cause: str) -> dict[str, Any]:
    return {"dataset": None, "field": None, "reason": f"malformed: {cause}"} | ONCE


def run(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the command in this process, on a wide terminal, so that no message is wrapped."""
    environment = os.environ | {"COLUMNS": "500", "NO_COLOR": "1"}
    done = in_process.run(*arguments, text=stdin.decode(), environment=environment)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.encode(), done.stderr.encode())


def answered(*arguments: str | Path, stdin: bytes = b"") -> str:
    """Return the stdout of a successful command."""
    done = run(*arguments, stdin=stdin)
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return done.stdout.decode()


def explained(*arguments: str | Path, stdin: bytes = b"") -> list[dict[str, Any]]:
    """Return the answers of `explain`, one per line."""
    return [json.loads(line) for line in answered("explain", "--json", *arguments, stdin=stdin).splitlines()]


def test_the_installed_command_has_the_version_of_the_package() -> None:
    done = subprocess.run([COMMAND, "--version"], capture_output=True, check=True)
    assert (done.stdout.decode(), done.stderr) == (f"{__version__}\n", b"")


def test_check_prints_the_digest_of_the_default_mapping() -> None:
    assert answered("check") == f"{parse(default_text()).sha256}\n"


def test_check_prints_the_digest_of_a_file_whatever_its_white_space(tmp_path: Path) -> None:
    again = tmp_path / "mapping with blanks [1].json"
    again.write_text(json.dumps(json.loads(SMALLEST.read_bytes()), indent=7))
    assert answered("check", again) == answered("check", SMALLEST) == f"{parse(again.read_text()).sha256}\n"


VAIN = {
    "version": 1,
    "interactions": {
        "fields": {
            "USER_ID": {"from": ["userId"]},
            "ITEM_ID": {"from": ["properties.product_id", "properties.ids[0]"]},
            "TIMESTAMP": {"from": ["timestamp"]},
            "EVENT_VALUE": {"from": ["propertes.value"], "optional": True},
            "PLAN": {"from": ["traits.plan"], "type": "string", "optional": True},
        },
        "track": {"*": {"event_type": "Any"}, "Product Clicked": {}},
    },
}


def test_check_warns_of_what_can_never_match_and_strict_makes_it_an_error(tmp_path: Path) -> None:
    file = tmp_path / "[b]mapping.json"
    file.write_text(json.dumps(VAIN))
    done = run("check", file)
    lines = done.stderr.decode().splitlines()
    assert (done.returncode, done.stdout.decode()) == (0, f"{parse(file.read_text()).sha256}\n")
    assert all(re.fullmatch(re.escape(str(file)) + r": \$\S+( \S+)*: .+\. .+\.", line) for line in lines)
    for what in ("'propertes.value'", "[0]", "'traits.plan'", '$.interactions.track["*"]', "no rule can fill"):
        assert any(what in line for line in lines), what
    strict = run("check", file, "--strict")
    assert (strict.returncode, strict.stdout, strict.stderr) == (1, b"", done.stderr)
    found = json.loads(run("check", file, "--json").stdout)["findings"]
    assert [f"{file}: {one['place']}: {one['problem']}. {one['remedy']}." for one in found] == lines
    strict = run("check", file, "--strict", "--json")
    assert (strict.returncode, json.loads(strict.stdout)["findings"]) == (1, found)
    assert answered("check", "--strict", SMALLEST) == answered("check", SMALLEST)
    assert answered("check", "-", stdin=SMALLEST.read_bytes()) == answered("check", SMALLEST)


def test_check_says_what_a_mapping_finds_in_logs(tmp_path: Path) -> None:
    clicks = [CLICK, CLICK | {"event": "Product clicked "}, CLICK | {"messageId": None, "messageid": 3}]
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, clicks)))
    digest, *table = answered("check", "--logs", tmp_path).splitlines()
    shown = [re.sub(r"[ │]+", " ", line).strip() for line in table]
    assert digest == parse(default_text()).sha256
    assert shown[0] == "3 events read, 0 malformed lines"
    assert '$.interactions.track["Product Clicked"] 2 of 2 events 1 row' in shown
    assert "ITEM_ID properties.product_id 2 2" in shown
    assert "1 track 'Product clicked ' differs from \"Product Clicked\" in case and spaces" in shown
    assert shown[-1].endswith("messageId is missing 1 time, but found messageid, which differs in case")
    counts = json.loads(answered("check", "--logs", tmp_path, "--json"))
    assert (counts["mapping_sha256"], counts["events"], counts["findings"]) == (digest, 3, [])
    assert counts["unmapped"][0]["hint"] == 'differs from "Product Clicked" in case and spaces'
    assert json.loads(answered("check", "--logs", tmp_path, "--json", "--events", "1"))["events"] == 1


@pytest.mark.parametrize(("kept", "told"), [("stitch", True), ("as_users", False), ("drop", False)])
def test_check_says_which_rows_need_a_visitor_who_logs_in(kept: str, told: bool, tmp_path: Path) -> None:
    events = [CLICK, *[CLICK | {"userId": None, "anonymousId": "a", "messageId": f"a{n}"} for n in range(2)]]
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, events)))
    mapping = tmp_path / "mapping.txt"
    mapping.write_text(visitors(kept).text, "utf-8")
    shown = answered("check", mapping, "--logs", tmp_path / "a.json")
    footnote = "2 interactions without a userId are exported only if the visitor logs in on that session"
    assert (footnote in shown) is told
    counts = json.loads(answered("check", mapping, "--logs", tmp_path / "a.json", "--json"))
    assert counts["visitors"] == (0 if kept == "drop" else 2)


def test_export_says_which_names_are_nearly_right_and_which_clocks_were_ahead(tmp_path: Path) -> None:
    near = CLICK | {"event": "Product Clicked ", "messageId": "m2"}
    ahead = CLICK | {"timestamp": "2038-01-19T03:14:08Z", "receivedAt": "2024-03-01T00:00:00Z", "messageId": "m3"}
    (tmp_path / "a.json").write_text("\n".join(map(json.dumps, (CLICK, near, ahead))))
    done = run("export", tmp_path / "a.json", tmp_path / "out")
    told = re.sub(r"[ │]+", " ", done.stdout.decode())
    assert (done.returncode, done.stderr) == (0, b"")
    assert (
        '1 track "Product Clicked " no rule for this event; it differs from "Product Clicked" in a trailing space m2'
        in told
    )
    assert "1 row uses receivedAt, because the event's clock was more than a day ahead" in told


def test_init_writes_a_mapping_that_check_has_nothing_against(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "mapping.json"
    logs.mkdir()
    (logs / "a.json").write_text("\n".join(json.dumps(CLICK | {"messageId": f"m{n}"}) for n in range(9)))
    done = run("init", "--logs", logs, "--out", out)
    assert (done.returncode, done.stdout) == (0, b"")
    assert (
        '$.interactions.track["Product Clicked"]: mapped to Click, as Product Clicked in the default'
        in done.stderr.decode()
    )
    assert f"Written to {out}" in done.stderr.decode()
    named = tmp_path / json.loads(out.read_text())["$schema"]
    assert json.loads(named.read_text()) == json.loads(answered("schema", "mapping")) == json_schema()
    assert answered("check", "--strict", out) == f"{parse(out.read_text()).sha256}\n"
    assert run("init", "--logs", logs).stdout == out.read_bytes()
    nowhere = run("init", "--logs", logs, "--out", tmp_path / "none" / "mapping.json")
    assert (nowhere.returncode, nowhere.stdout) == (1, b"")
    assert nowhere.stderr.decode().endswith("none: no such folder for the mapping. Create it.\n")
    again = run("init", "--logs", logs, "--out", out)
    assert (again.returncode, again.stderr.decode()) == (
        1, f"personalize-segment: {out}: already exists. Name another file, or delete it.\n",
    )  # fmt: skip


def test_init_writes_nothing_for_logs_without_an_interaction(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"type": "track", "event": "Signed Up"}\n{"type": "page", "name": ["x"]}\n')
    done = run("init", "--logs", tmp_path, "--out", tmp_path / "mapping.json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert "no event that looks like an interaction" in done.stderr.decode()
    assert "The most frequent events: track Signed Up (1), page (1). Write a mapping" in done.stderr.decode()
    assert not (tmp_path / "mapping.json").exists()


def test_schema_prints_all_schemas_or_one() -> None:
    schemas = {one.name: avro.schema(one) for one in parse(default_text()).datasets}
    assert json.loads(answered("schema")) == schemas
    assert json.loads(answered("schema", "users")) == schemas["users"]


def test_schema_takes_a_mapping() -> None:
    (interactions,) = parse(SMALLEST.read_text()).datasets
    assert json.loads(answered("schema", "--mapping", SMALLEST)) == {"interactions": avro.schema(interactions)}
    assert json.loads(answered("schema", "interactions", "-m", SMALLEST)) == avro.schema(interactions)


def test_explain_says_of_each_line_what_it_gives_or_why_it_gives_nothing() -> None:
    click = json.dumps(CLICK).encode()
    anonymous = json.dumps(CLICK | {"userId": None, "messageId": 5}).encode()
    unmapped = b'{"type": "track", "event": "Other", "messageId": ""}'
    assert explained(stdin=b"\n".join([click, b"", anonymous, b"hello", unmapped, b" \r", b"{}"])) == [
        {"messageId": "m1", "rows": [{"dataset": "interactions", "values": ROW}], "reasons": [], "nulls": []},
        {
            "messageId": "5",
            "rows": [],
            "reasons": [{"dataset": "interactions", "field": "USER_ID", "reason": "missing"} | ONCE],
            "nulls": [],
        },
        {"messageId": None, "rows": [], "reasons": [malformed("not JSON at character 1")], "nulls": []},
        {
            "messageId": None,
            "rows": [],
            "reasons": [{"dataset": None, "field": None, "reason": "no rule for this event"} | ONCE],
            "nulls": [],
        },
        {"messageId": None, "rows": [], "reasons": [malformed("a JSON object without a type")], "nulls": []},
    ]


def test_explain_says_it_in_words_without_json() -> None:
    price = CLICK | {"event": "Product Viewed", "userId": None, "anonymousId": "a-1"}
    price["properties"] = {"product_id": 7, "price": "1,299.00", "category": ["a", "b"]}
    order = CLICK | {"event": "Order Completed", "properties": {"products": [{}, 0]}}
    events = [json.dumps(one) for one in (CLICK, price, order, {"type": "track", "event": "Other"})]
    assert answered("explain", stdin="\n".join([*events, "hello"]).encode()) == (
        "m1 track Product Clicked\n"
        "  interactions: USER_ID=本 ITEM_ID=7 TIMESTAMP=1709251200 EVENT_TYPE=Click\n"
        "m1 track Product Viewed\n"
        "  interactions: ITEM_ID=7 TIMESTAMP=1709251200 EVENT_TYPE=View (visitor a-1)\n"
        "  items: ITEM_ID=7 CATEGORY=a|b\n"
        "    PRICE is null: not a finite number of 32 bits; 1,299.00 has a comma: send 1299.00\n"
        "m1 track Order Completed\n"
        "  no row for 2 elements: interactions.ITEM_ID: missing\n"
        "track Other\n"
        "  no row: no rule for this event\n"
        "line 5\n"
        "  no row: malformed: not JSON at character 1\n"
    )


def test_explain_names_the_session_that_a_user_would_come_from(tmp_path: Path) -> None:
    view = json.dumps(CLICK | {"userId": None, "anonymousId": "a-1"}).encode()
    [answer] = explained(stdin=view)
    assert answer["rows"] == [{"dataset": "interactions", "values": ROW | {"USER_ID": None}, "visitor": "a-1"}]
    assert answer["reasons"] == []
    mapping = tmp_path / "mapping.json"
    mapping.write_text(visitors("drop").text, "utf-8")
    [answer] = explained("--mapping", mapping, stdin=view)
    assert [(one["field"], one["reason"]) for one in answer["reasons"]] == [("USER_ID", "missing")]


def test_explain_lists_values_that_are_there_but_unusable() -> None:
    view = CLICK | {"event": "Product Viewed", "properties": {"product_id": 7, "price": "1,299.00", "brand": "b"}}
    [answer] = explained(stdin=json.dumps(view).encode())
    null = {"dataset": "items", "field": "PRICE", "reason": "not a finite number of 32 bits"} | ONCE
    assert (answer["reasons"], answer["nulls"]) == ([], [null])


def test_explain_of_what_has_no_event_fails() -> None:
    done = run("explain", stdin=b"hello\n")
    assert done.returncode == 1
    assert done.stdout == b"line 1\n  no row: malformed: not JSON at character 1\n"
    assert "stdin: has no events (1 malformed line). " in done.stderr.decode()
    assert run("explain", "--json", stdin=b"hello\n").returncode == 1
    assert run("explain", stdin=b"hello\n" + json.dumps(CLICK).encode()).returncode == 0


def test_explain_says_nothing_about_nothing() -> None:
    assert explained(stdin=b"") == explained("-", stdin=b"\n\n") == []


def test_explain_takes_a_mapping() -> None:
    (answer,) = explained("-", "--mapping", SMALLEST, stdin=json.dumps(CLICK | {"event": "Product Viewed"}).encode())
    assert answer["rows"][0]["values"]["EVENT_TYPE"] == "Product Viewed"


@pytest.mark.parametrize("name", ["a.gz", "a.json", "gzip by its content.json", "plain by its content.gz"])
def test_explain_reads_a_file_by_what_it_holds(name: str, tmp_path: Path) -> None:
    line = json.dumps(CLICK, ensure_ascii=False).encode() + b"\n"
    zipped = name in ("a.gz", "gzip by its content.json")
    (tmp_path / name).write_bytes(gzip.compress(line) + gzip.compress(line) if zipped else line * 2)
    answers = explained(tmp_path / name)
    assert [answer["rows"][0]["values"] for answer in answers] == [ROW, ROW]


def test_explain_reads_a_damaged_file_up_to_the_damage_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "[bold]cut.gz"
    lines = [json.dumps(CLICK | {"messageId": os.urandom(32).hex()}) for _ in range(200)]
    file.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    done = run("explain", "--json", file)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    whole = [parse_line(line.encode()) for line in lines[: len(answers) - 1]]
    assert 0 < len(whole) < len(lines)
    assert [answer["messageId"] for answer in answers[:-1]] == [event and event["messageId"] for event in whole]
    assert "[bold]cut.gz: gzip ends too early" in done.stderr.decode()


def test_explain_writes_utf_8_whatever_the_locale_says() -> None:
    narrow = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    event = json.dumps(CLICK).encode()
    done = subprocess.run([COMMAND, "explain", "--json"], input=event, env=narrow, capture_output=True, check=True)
    assert json.loads(done.stdout)["rows"][0]["values"] == ROW


def test_explain_survives_a_number_of_5000_digits_in_a_broken_line() -> None:
    done = run("explain", "--json", stdin=b'{"type": "track", "a": ' + b"1" * 5000)
    answer = json.loads(done.stdout)
    assert answer["reasons"] == [malformed("cut off: a JSON object that doesn't end on its line")]


def test_a_reader_that_stops_reading_is_no_reason_for_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "events.json"
    file.write_bytes(json.dumps(CLICK).encode() + b"\n")
    file.write_bytes(file.read_bytes() * 5000)
    with subprocess.Popen([COMMAND, "explain", file], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()


def test_sample_writes_a_tree_that_explain_reads_and_the_same_seed_the_same_bytes(tmp_path: Path) -> None:
    trees = [tmp_path / name for name in ("one", "two", "three")]
    for tree, seed in zip(trees, "112", strict=True):
        # Not in this process, which may have threads and must not fork.
        command = [str(COMMAND), "sample", str(tree), "--events", "300", "--days", "1", "--seed", seed]
        printed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
        assert printed == f"{tree / 'segment-logs'}\n"
    one, two, three = ({str(f.relative_to(tree)): f.read_bytes() for f in tree.rglob("*.gz")} for tree in trees)
    assert one == two != three
    answers = [answer for file in trees[0].rglob("*.gz") for answer in explained(file)]
    assert len(answers) >= 300
    assert {row["dataset"] for answer in answers for row in answer["rows"]} == {"interactions", "users", "items"}


MISSING = "no [such] file.json"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(["check", "unknown-key-in-a-rule.json"], 1, "is unknown. Use only", id="unknown key"),
        pytest.param(["check", "lone-surrogate.json"], 1, "control character", id="lone surrogate"),
        pytest.param(["schema", "-m", "an-array.json"], 1, "$: isn't a JSON object. Write {…}", id="an array"),
        pytest.param(["explain", "-m", "no-rule.json"], 1, "$.interactions: has no rule", id="no rule"),
        pytest.param(["explain", MISSING], 1, f"{MISSING}: No such file", id="missing events"),
        pytest.param(["explain", "."], 1, "Is a directory", id="events are a folder"),
        pytest.param(["check", "latin-1.json"], 1, "latin-1.json", id="mapping is not UTF-8"),
        pytest.param(["explain", "-m", "latin-1.json"], 1, "latin-1.json", id="mapping of explain is not UTF-8"),
        pytest.param(["sample", "."], 1, "segment-logs: already exists. Name another", id="sample over a sample"),
        pytest.param(["sample", "latin-1.json"], 1, "Name another folder", id="sample below a file"),
        pytest.param(["schema", "users", "-m", SMALLEST], 2, "only interactions", id="dataset that is not mapped"),
        pytest.param(["sample", "new", "--events", "0"], 2, "--events", id="no events"),
        pytest.param(["sample", "new", "--events", "many"], 2, "--events", id="not a number of events"),
        pytest.param(["check", "--mapping", SMALLEST], 2, "--mapping", id="unknown option"),
        pytest.param(["init", "--logs", MISSING], 1, f"{MISSING}: no such file or folder", id="missing logs of init"),
        pytest.param(["init"], 2, "--logs", id="init without logs"),
        pytest.param(["check", "--events", "0"], 2, "--events", id="check of no events"),
        pytest.param(["import"], 2, "import", id="unknown command"),
    ],
)
def test_what_goes_wrong_is_said_on_stderr_alone(
    arguments: list[str | Path], status: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("unknown-key-in-a-rule", "lone-surrogate", "an-array", "no-rule"):
        (tmp_path / f"{name}.json").write_text(REFUSED[name].text, "utf-8")
    (tmp_path / "latin-1.json").write_bytes('{"version": 1, "Café": 0}'.encode("latin-1"))
    (tmp_path / "segment-logs").mkdir()
    monkeypatch.chdir(tmp_path)
    done = run(*arguments)
    said = done.stderr.decode()
    assert "Traceback" not in said
    assert message in said
    assert (done.returncode, done.stdout) == (status, b"")
    assert not (tmp_path / "new").exists()


def test_a_file_holds_the_whole_result(tmp_path: Path) -> None:
    name = "Signed up " * 60
    (tmp_path / "a.json").write_text(json.dumps(CLICK) + "\n" + json.dumps(CLICK | {"event": name}))
    for arguments in (["check", "--logs"], ["export", tmp_path / "a.json"]):
        with (tmp_path / "result.txt").open("w+") as result:
            environment = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
            subprocess.run(
                [COMMAND, *arguments, tmp_path / "a.json" if "check" in arguments else tmp_path / "out"],
                stdout=result,
                stderr=subprocess.DEVNULL,
                env=environment,
                check=True,
            )
        text = (tmp_path / "result.txt").read_text()
        assert name.strip() in text
        assert "\x1b" not in text


def test_a_shell_completes_verbs_and_options() -> None:
    words = {"COMP_WORDS": "personalize-segment export --si", "COMP_CWORD": "2"}
    environment = os.environ | words | {"_PERSONALIZE_SEGMENT_COMPLETE": "complete_bash"}
    assert subprocess.run([COMMAND], env=environment, capture_output=True, check=True).stdout == b"--since\n"
    # It searches for the shell that started it. A second command keeps bash from replacing itself with the first.
    shell = ["bash", "-c", f"{COMMAND} --show-completion; exit $?"]
    assert b"complete -o default -F" in subprocess.run(shell, capture_output=True, check=True).stdout
    assert run("check", "-h").stdout == run("check", "--help").stdout


def test_the_table_of_verbs_is_complete() -> None:
    everything = typer.main.get_group(load())
    assert set(everything.commands) == {verb for verbs in VERBS.values() for verb in verbs}


def test_a_verb_is_in_the_module_that_the_table_names() -> None:
    everything = typer.main.get_group(load())
    for module, verbs in VERBS.items():
        for name in verbs:
            verb = everything.commands[name]
            for one in getattr(verb, "commands", {name: verb}).values():
                assert one.callback.__module__ == f"personalize_segment.cli.{module}"


def test_control_characters_of_an_event_never_reach_the_terminal(tmp_path: Path) -> None:
    event = {"type": "track", "event": "a\x1b[31mb\x07", "messageId": "m", "userId": "u", "properties": {}}
    write_log(tmp_path / "logs" / "log.json", [json.dumps(event).encode()])
    ended = run("check", "--logs", tmp_path / "logs")
    assert ended.returncode == 0, ended.stderr
    assert b"a\\x1b[31mb\\x07" in ended.stdout
    assert not {0x1B, 0x07} & set(ended.stdout + ended.stderr)


def test_check_says_that_logs_have_no_event(tmp_path: Path) -> None:
    (tmp_path / "nothing.json").write_bytes(b"\0" * 100)
    ended = run("check", "--logs", tmp_path)
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert b"has no event" in ended.stderr
    assert b"Traceback" not in ended.stderr
