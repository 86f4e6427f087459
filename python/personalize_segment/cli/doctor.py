"""The verbs that examine a deployed stack: `doctor`, and `verify` for its event mapping only."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ..errors import VerifyError, sentence
from .stack import StackName, announce, client, explain_refusals, make_clients, polling_every
from .terminal import OPERATIONS, AsJson, console, messages, plain, read_bytes, read_mapping, utf8, verb

if TYPE_CHECKING:
    from ..doctor.finding import Finding, Verdict

Outputs = Annotated[
    Path, typer.Argument(metavar="OUTPUTS", help="Output of `terraform output -json`, or - for stdin.", allow_dash=True)
]
#: The colors of the verdicts, in the order of the closing line.
_COLORS: "dict[Verdict, str]" = {"wrong": "red", "unknown": "yellow", "ok": "green"}


@verb("doctor outputs.json", OPERATIONS)
@explain_refusals
def doctor(outputs: Outputs, as_json: AsJson = False, stack: StackName = None) -> None:
    """Check everything that a running stack needs. Exits with 1 if something is wrong.

    Changes nothing and records no event. To test the event function, it sends an event that the function ignores.
    """
    from ..doctor import diagnosis

    text = utf8(read_bytes(outputs), outputs, VerifyError)
    deployed = diagnosis.read_stack(text, str(outputs), client, name=stack)
    identity = diagnosis.identity(deployed, announce(f"stack {deployed.spec.name}"))
    findings = [identity]
    if identity.verdict == "ok":
        with messages.status("Checking the stack") as spinner:
            for finding in diagnosis.diagnose(deployed, make_clients(), polling_every(), _name(outputs)):
                findings.append(finding)
                spinner.update(f"Checking the stack: {plain(finding.part)}")
    show_findings(findings, as_json)


@verb("verify outputs.json --sql unload.sql", OPERATIONS)
@explain_refusals
def verify(
    outputs: Outputs,
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", "-m", help="Event mapping file (default: Terraform's).", show_default=False),
    ] = None,
    sql: Annotated[
        list[Path] | None,
        typer.Option("--sql", help="File with the SQL that your warehouse runs. Repeatable.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    stack: StackName = None,
) -> None:
    """Compare the event mapping in every part of the stack, as `doctor` does. Exits with 1 on a mismatch."""
    from ..doctor import diagnosis
    from ..doctor.personalize import personalize
    from ..provision.terraform_outputs import home

    wanted = read_mapping(mapping) if mapping else None
    text = utf8(read_bytes(outputs), outputs, VerifyError)
    deployed = diagnosis.read_stack(text, str(outputs), client, wanted, stack)
    announce(f"stack {deployed.spec.name}", home(text, stack))
    personalized = personalize(make_clients(), deployed.spec, polling_every(), _name(outputs))
    show_findings(diagnosis.same_mapping(deployed, sql or [], personalized), as_json)


def show_findings(findings: "Iterable[Finding]", as_json: bool) -> None:
    """Print findings as JSON, or as a table with the remedies below. Exits with 1 if one is wrong."""
    found = list(findings)
    if as_json:
        print(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        table, out = Table("", "part", "found"), console()
        for one in found:
            table.add_row(_colored(one.verdict), plain(one.part), plain(one.found))
        out.print(table)
        # Below the table, because remedies have commands to copy and cells wrap.
        for one in found:
            if one.remedy:
                out.print(f"{_colored(one.verdict)} {plain(f'{one.part}: {sentence(one.remedy)}')}", soft_wrap=True)
        counted = Counter(one.verdict for one in found)
        out.print(", ".join(f"{counted[verdict]} {verdict}" for verdict in _COLORS))
    if any(finding.verdict == "wrong" for finding in found):
        raise typer.Exit(1)


def _colored(verdict: "Verdict") -> str:
    return f"[{_COLORS[verdict]}]{verdict}[/]"


def _name(file: Path) -> str:
    """Return the file's name for remedies. Output that was read from stdin must be saved first."""
    return "outputs.json" if str(file) == "-" else str(file)
