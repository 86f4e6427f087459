"""The files in sql/ are current, and a warehouse can run them once Terraform has filled them in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlglot

from personalize_segment.contract.mapping import default_text, parse
from warehouse_engine import ACCESS, plan

ROOT = Path(__file__).parents[2]
FILES = {"redshift": ROOT / "sql" / "redshift_unload.sql", "snowflake": ROOT / "sql" / "snowflake_copy.sql"}
FILLED = {
    "redshift": {
        "schema": "prod",
        "location": "s3://bucket/training/",
        "bucket_region": "eu-west-1",
        "role_arn": ACCESS["redshift"],
    },
    "snowflake": {"schema": "PROD", "location": "s3://bucket/training/", "integration": ACCESS["snowflake"]},
}
dialects = pytest.mark.parametrize("dialect", list(FILES))


def check(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "tools" / "generate_sql.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_files_are_current() -> None:
    assert (found := check("--check")).returncode == 0, found.stderr


@dialects
def test_a_file_begins_with_the_digest_of_its_mapping(dialect: str) -> None:
    first = FILES[dialect].read_text("utf-8").splitlines()[0]
    assert first == f"-- event mapping sha256: {parse(default_text()).sha256}"


@dialects
def test_a_file_has_the_blanks_that_are_documented_and_no_others(dialect: str) -> None:
    text = FILES[dialect].read_text("utf-8")
    assert set(re.findall(r"\{\{(.*?)\}\}", text)) == set(FILLED[dialect])
    documented = (ROOT / "docs" / "warehouse.md").read_text("utf-8")
    assert all(f"`{{{{{blank}}}}}`" in documented for blank in FILLED[dialect])


@dialects
def test_a_filled_file_is_the_statements_of_its_warehouse_one_after_the_other(dialect: str) -> None:
    text = FILES[dialect].read_text("utf-8")
    for blank, value in FILLED[dialect].items():
        text = text.replace(f"{{{{{blank}}}}}", value)
    made = plan(dialect, parse(default_text()), bucket_region="eu-west-1").statements
    # Only the last line of each statement ends with a semicolon.
    found = [re.sub(r"\A(--.*\n|\n)*", "", one) for one in text.removesuffix(";\n").split(";\n")]
    assert [one.lower() for one in found] == [one.sql.lower() for one in made if one.kind != "counts"]
    if dialect == "snowflake":
        assert all(sqlglot.parse_one(one, read=dialect) for one in found)


def test_a_file_that_is_not_current_is_named(tmp_path: Path) -> None:
    for part in ("tools", "sql"):
        (tmp_path / part).mkdir()
    script = (ROOT / "tools" / "generate_sql.py").read_text("utf-8")
    (tmp_path / "tools" / "generate_sql.py").write_text(script, "utf-8")
    run = [sys.executable, str(tmp_path / "tools" / "generate_sql.py")]
    assert subprocess.run(run, check=True, capture_output=True, text=True).stdout.split() == [
        "sql/redshift_unload.sql",
        "sql/snowflake_copy.sql",
    ]
    for file in FILES.values():
        assert (tmp_path / "sql" / file.name).read_bytes() == file.read_bytes()
    with (tmp_path / "sql" / "snowflake_copy.sql").open("a", encoding="utf-8") as file_:
        file_.write("SELECT 1;\n")
    found = subprocess.run([*run, "--check"], check=False, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (1, "sql/snowflake_copy.sql isn't current: run `make generate`\n")
