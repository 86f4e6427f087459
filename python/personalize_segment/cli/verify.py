"""The verb `verify`: whether all parts of a deployed stack have the same event mapping."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from ..contract.mapping import parse
from ..contract.strict_json import canonical
from ..errors import VerifyError
from .terminal import app, fail, messages, read_mapping


@app.command()
def verify(
    outputs: Annotated[
        Path, typer.Argument(metavar="OUTPUTS", help="What `terraform output -json` prints, or -.", allow_dash=True)
    ],
    mapping: Annotated[
        Path | None,
        typer.Option("--mapping", "-m", help="Event mapping (JSON). Without it: Terraform's.", show_default=False),
    ] = None,
    sql: Annotated[
        list[Path] | None, typer.Option("--sql", help="SQL that runs in your warehouse, too.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines, on stdout.")] = False,
) -> None:
    """Compare the event mapping in every part of the stack. Exit 1 if one has another."""
    try:
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: install personalize-segment[provision]")
    from ..provision import verify as work

    try:
        text = sys.stdin.buffer.read().decode() if str(outputs) == "-" else outputs.read_text("utf-8")
        document: Any = json.loads(text)
    except ValueError:
        raise VerifyError(str(outputs), "is not JSON", "Pass what `terraform output -json` prints") from None
    stack = work.stack(document)
    parsed = read_mapping(mapping) if mapping else parse(canonical(stack["personalize"]["event_mapping"]))
    try:
        found = work.verify(stack, parsed, lambda service: boto3.client(service), sql or [])
    except (BotoCoreError, ClientError) as error:
        fail(f"{error}. Check your credentials, their rights and the region.")
    if as_json:
        print(json.dumps({"sha256": parsed.sha256, "findings": [asdict(one) for one in found]}, indent=2))
    else:
        shown = Table("part", "found", "agrees", "what to do", title=f"event mapping {parsed.sha256}")
        for one in found:
            agrees = "[green]yes[/green]" if one.agrees else "[red]no[/red]"
            shown.add_row(escape(one.place), escape(one.found), agrees, "" if one.agrees else escape(one.remedy))
        messages.print(shown)
    if not all(one.agrees for one in found):
        raise typer.Exit(1)
