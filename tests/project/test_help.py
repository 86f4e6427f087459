"""Help, examples and options of every command, from its parser."""

import shlex
import subprocess
import sys

import pytest
import typer

import commands
from personalize_segment.cli import load

#: Commands without --json, because their result is a document, a file or a process.
NO_JSON = {
    ("emulator",): "lines for a shell",
    ("forget",): "the audit line is JSON",
    ("init",): "the mapping is JSON",
    ("sample",): "the name of a folder",
    ("schema",): "the schemas are JSON",
    ("sql", "redshift"): "SQL",
    ("sql", "snowflake"): "SQL",
    ("stage", "prune"): "nothing but a message",
}
GROUPS = {("profiles",), ("sql",), ("stage",), ("unload",)}
VERBS = [verb for verb in commands.verbs() if verb and verb not in GROUPS]


def command(verb: tuple[str, ...]) -> "typer.core.TyperCommand":
    """Return the parser of a verb."""
    found = typer.main.get_group(load())
    for name in verb:
        found = found.commands[name]  # type: ignore[assignment]
    return found  # type: ignore[return-value]


def test_the_help_of_every_verb_is_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COLUMNS", "NO_COLOR"):
        monkeypatch.setenv(name, "")  # the tool sets them, and later tests have tables of any width
    assert commands.PAGE.read_text("utf-8") == commands.text(), "run `make generate` and read the difference"


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_has_an_example_that_its_parser_takes(verb: tuple[str, ...]) -> None:
    epilog = str(command(verb).epilog).replace("\\[", "[")
    name, *arguments = shlex.split(epilog.removeprefix("Example: "))
    arguments = arguments[: arguments.index(">")] if ">" in arguments else arguments
    assert (name, tuple(arguments[: len(verb)])) == (commands.NAME, verb)
    command(verb).make_context(" ".join(verb), arguments[len(verb) :])


def test_every_verb_that_answers_something_has_json() -> None:
    without = {verb for verb in VERBS if "--json" not in {name for one in command(verb).params for name in one.opts}}
    assert without == set(NO_JSON)


def test_the_order_of_verbs_is_the_same_whichever_module_is_imported_first() -> None:
    code = "from personalize_segment.cli import preflight, load; print([one.name for one in load().registered_groups])"
    named = "print([one.name or one.callback.__name__ for one in load().registered_commands])"
    found = [
        subprocess.run([sys.executable, "-c", f"{one}; {named}"], capture_output=True, text=True, check=True).stdout
        for one in (code, code.replace("preflight, ", ""))
    ]
    assert found[0] == found[1]
