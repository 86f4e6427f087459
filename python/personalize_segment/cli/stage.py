"""The verbs for the stage of `export --stage`: list its days, and delete days that no export needs."""

import json
from typing import Annotated

import typer

from ..errors import number
from .terminal import HISTORY, AsJson, MappingFile, messages, read_mapping, requires, verb, verbs

stage = verbs("stage", HISTORY, "List and prune the days that `export --stage` stores.")

StagePlace = Annotated[str, typer.Argument(metavar="STAGE", help="Folder or s3:// prefix given to `export --stage`.")]


@verb("stage list s3://bucket/stage/", to=stage, name="list")
def list_(place: StagePlace, as_json: AsJson = False) -> None:
    """List the staged days per event mapping and package version."""
    with requires("export"):
        from ..history.stage import sizes
    held = sizes(place)
    if as_json:
        print(json.dumps([one._asdict() for one in held]))
        return
    for one in held:
        days = f"{number(len(one.days), 'day')} from {one.days[0]} to {one.days[-1]}" if one.days else "no day"
        print(f"{one.name}  event mapping {one.mapping_sha256[:12]}  {days}  {one.bytes / 1e6:,.1f} MB")


@verb("stage prune s3://bucket/stage/ --mapping mapping.json", to=stage)
def prune(place: StagePlace, mapping: MappingFile = None) -> None:
    """Delete days of other event mappings and versions, and files of interrupted runs."""
    with requires("export"):
        from ..history.duckdb.compiler import Compiler
        from ..history.duckdb.engine import stage_key
        from ..history.stage import Stage
        from ..places import temporary
    parsed = read_mapping(mapping)
    with temporary() as folder:
        freed = Stage.existing(place, stage_key(Compiler(parsed)), folder).prune()
    messages.print(f"{freed / 1e6:,.1f} MB deleted")
