"""`make provider` finds names that a version of the AWS provider lacks, deprecates or defines differently."""

import io
import tarfile
import zipfile
from typing import Any

import pytest

import provider_schemas
from provider_schemas import Block, Schema, findings

OLD: dict[str, Any] = {
    "attributes": {
        "bucket": {"optional": True, "computed": True},
        "region": {"computed": True},
        "acl": {"optional": True, "deprecated": True},
        "arn": {"computed": True},
    },
    "block_types": {
        "rule": {"block": {"attributes": {"id": {"required": True}, "prefix": {"optional": True, "deprecated": True}}}},
        "logging": {"block": {"attributes": {"target": {"required": True}}, "deprecated": True}},
    },
}
NEW = """
class Bucket extends cdktn.TerraformResource {
    // https://registry.terraform.io/providers/hashicorp/aws/6.1.2/docs/resources/bucket
    constructor(scope, id, config) {
        // rule - computed: false, optional: true, required: false
        this._rule = new Bucket.RuleList(this, "rule", false);
    }
    get arn() {
        return this.getStringAttribute('arn');
    }
    get region() {
        return this.getStringAttribute('region');
    }
    synthesizeHclAttributes() {
        const attrs = {
            bucket: {
                value: cdktn.stringToHclTerraform(this._bucket),
                isBlock: false,
                type: "simple",
            },
            region: {
                value: cdktn.stringToHclTerraform(this._region),
                isBlock: false,
                type: "simple",
            },
            rule: {
                value: cdktn.listMapperHcl(bucketRulePropertyToHclTerraform, true)(this._rule.internalValue),
                isBlock: true,
                type: "list",
            },
        };
    }
}
Bucket.tfResourceType = "aws_bucket";
function bucketRulePropertyToHclTerraform(struct) {
    const attrs = {
        id: {
            value: cdktn.stringToHclTerraform(struct.id),
            isBlock: false,
            type: "simple",
        },
    };
}
"""


def wheel(*files: str) -> zipfile.ZipFile:
    """Return a wheel of bindings with these files."""
    packed, zipped = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for number, text in enumerate(files):
            member = tarfile.TarInfo(f"package/lib/{number}.js")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    with zipfile.ZipFile(zipped, "w") as made:
        made.writestr("bindings/_jsii/aws@1.jsii.tgz", packed.getvalue())
    return zipfile.ZipFile(zipped)


@pytest.fixture(scope="module")
def schemas() -> dict[str, Schema]:
    version, new = provider_schemas.from_bindings(wheel(NEW), {("resource", "aws_bucket")})
    return {"5.100.0": {("resource", "aws_bucket"): provider_schemas.from_json(OLD)}, version: new}


def test_bindings_are_read_as_the_schema_that_they_were_made_from(schemas: dict[str, Schema]) -> None:
    assert schemas["6.1.2"] == {
        ("resource", "aws_bucket"): Block(
            settable={"bucket", "region", "rule"}, computed={"arn"}, blocks={"rule": Block(settable={"id"})}
        )
    }


@pytest.mark.parametrize(
    ("body", "found"),
    [
        pytest.param('bucket = "x"', [], id="an argument of both"),
        pytest.param('rule {\n id = "x"\n }', [], id="a block of both"),
        pytest.param("depends_on = [aws_bucket.other]", [], id="what Terraform itself knows"),
        pytest.param('arn = "x"', ["argument arn isn't in 5.100.0", "argument arn isn't in 6.1.2"], id="only readable"),
        pytest.param('nothing = "x"', ["nothing isn't in 5.100.0", "nothing isn't in 6.1.2"], id="an unknown one"),
        pytest.param('region = "x"', ["argument region isn't in 5.100.0"], id="an argument of the newer one"),
        pytest.param(
            'acl = "x"', ["acl is deprecated in 5.100.0", "acl isn't in 6.1.2"], id="deprecated, then removed"
        ),
        pytest.param(
            'logging {\n target = "x"\n }',
            ["block logging is deprecated in 5.100.0", "block logging isn't in 6.1.2"],
            id="a deprecated block",
        ),
        pytest.param(
            'rule {\n prefix = "x"\n }',
            ["rule: argument prefix is deprecated in 5.100.0", "rule: argument prefix isn't in 6.1.2"],
            id="in a block",
        ),
        pytest.param(
            'dynamic "rule" {\n for_each = []\n content {\n other = "x"\n }\n }',
            ["rule: argument other isn't in 5.100.0", "rule: argument other isn't in 6.1.2"],
            id="in a dynamic block",
        ),
        pytest.param(
            'lifecycle {\n postcondition {\n condition = self.owner == ""\n error_message = ""\n }\n }',
            ["attribute owner isn't in 5.100.0", "attribute owner isn't in 6.1.2"],
            id="read of itself",
        ),
    ],
)
def test_a_resource_is_held_against_both(schemas: dict[str, Schema], body: str, found: list[str]) -> None:
    said = findings(f'resource "aws_bucket" "one" {{\n{body}\n}}\n', schemas)
    assert len(said) == len(found)
    assert all(text.endswith(end) for text, end in zip(said, found, strict=True)), said


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        pytest.param("aws_bucket.one.arn", [], id="of both"),
        pytest.param("aws_bucket.one", [], id="no attribute"),
        pytest.param("aws_bucket.one[0].owner", ["isn't in 5.100.0", "isn't in 6.1.2"], id="by index"),
        pytest.param("one(aws_bucket.one[*].owner)", ["isn't in 5.100.0", "isn't in 6.1.2"], id="by splat"),
        pytest.param('"-${aws_bucket.one.owner}"', ["isn't in 5.100.0", "isn't in 6.1.2"], id="in a text"),
        pytest.param("aws_bucket.one.region", ["doesn't mean the same"], id="an argument in one of them"),
        pytest.param("data.aws_region.current.name", ["is deprecated since 6.0"], id="what bindings don't tell"),
        pytest.param("1 # aws_bucket.one.owner", [], id="a comment"),
    ],
)
def test_an_attribute_that_is_read_is_held_against_both(
    schemas: dict[str, Schema], expression: str, found: list[str]
) -> None:
    said = findings(f"locals {{\n one = {expression}\n}}\n", schemas)
    assert len(said) == len(found)
    assert all(end in text for text, end in zip(said, found, strict=True)), said


def test_a_type_that_is_missing_is_found(schemas: dict[str, Schema]) -> None:
    said = findings('data "aws_bucket" "one" {}\n', schemas)
    assert said == ["data aws_bucket isn't in 5.100.0", "data aws_bucket isn't in 6.1.2"]


def test_bindings_of_another_layout_are_an_error() -> None:
    with pytest.raises(ValueError, match="layout"):
        provider_schemas.from_bindings(wheel("class Other {}"), {("resource", "aws_bucket")})
