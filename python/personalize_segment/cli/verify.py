"""The verb `verify`: whether all parts of a deployed stack have the same event mapping."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ..contract.mapping import parse
from ..contract.strict_json import canonical
from .terminal import app, fail, messages, plain, read_bytes, read_mapping, requires


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
    with requires("provision"):
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    from ..provision import verify as work

    stack = work.read_stack(read_bytes(outputs), str(outputs))
    parsed = read_mapping(mapping) if mapping else parse(canonical(stack["personalize"]["event_mapping"]))
    try:
        lambda_, glue, personalize = boto3.client("lambda"), boto3.client("glue"), boto3.client("personalize")
        findings = work.verify(stack, parsed, sql or [], lambda_, glue, personalize)
    except (BotoCoreError, ClientError) as error:
        fail(f"{error}. Check your credentials, their rights and the region.")
    warnings = work.warnings(stack)
    if as_json:
        found = [asdict(finding) for finding in findings]
        print(json.dumps({"sha256": parsed.sha256, "findings": found, "warnings": warnings}, indent=2))
    else:
        table = Table("part", "found", "agrees", "what to do", title=f"event mapping {parsed.sha256}")
        for finding in findings:
            agrees = "[green]yes[/green]" if finding.agrees else "[red]no[/red]"
            remedy = "" if finding.agrees else plain(finding.remedy)
            table.add_row(plain(finding.place), plain(finding.found), agrees, remedy)
        messages.print(table)
        for warning in warnings:
            messages.print(f"[yellow]Warning:[/yellow] {plain(warning)}")
    if not all(finding.agrees for finding in findings):
        raise typer.Exit(1)
