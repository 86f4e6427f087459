"""Every module passes its `terraform test`, which needs no network. test_examples applies the examples."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import attached
import tfmirror
from programs import needs

ROOT = Path(__file__).parents[2]
MODULES = sorted(one.name for one in (ROOT / "modules").iterdir())


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield a copy of all Terraform code, because Terraform writes next to it. Its commands share one provider."""
    needs("terraform", "testing the Terraform modules")
    folder = tmp_path_factory.mktemp("modules")
    for name in ("modules", "terraform", "sql"):
        if not (ROOT / name).exists():
            continue
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    for name in ("glue/segment_to_personalize.py", "python/personalize_segment/contract/event_mapping.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "provider").mkdir()
    (folder / "provider" / "main.tf").write_text((ROOT / "terraform" / "versions.tf").read_text("utf-8"))
    made = terraform(folder / "provider", "init", "-input=false", "-no-color")
    assert made.returncode == 0, made.stderr
    with (
        attached.provider(folder / "provider", environment(folder)) as variables,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in variables.items():
            patch.setenv(name, value)
        yield folder


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_VAR_"))}
    kept |= {"TF_IN_AUTOMATION": "1", "NO_COLOR": "1"}
    return kept | tfmirror.environment(folder / "terraform.tfrc", kept)


def terraform(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["terraform", *arguments], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_module_passes_its_own_tests(copy: Path, module: str) -> None:
    folder = copy / "modules" / module
    made = terraform(folder, "init", "-input=false", "-no-color")
    assert made.returncode == 0, made.stderr
    done = terraform(folder, "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr
    # Terraform also passes without any run.
    assert re.search(r"^Success! [1-9]\d* passed, 0 failed\.", done.stdout, re.MULTILINE), done.stdout


def test_the_stack_passes_its_own_tests(copy: Path) -> None:
    (copy / "dist" / "glue-3.11").mkdir(parents=True, exist_ok=True)
    (copy / "dist" / "glue-3.11" / "duckdb-2.0.0-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    (copy / "dist" / "personalize-segment.zip").write_bytes(b"PK\x05\x06" + b"\0" * 18)
    made = terraform(copy / "terraform", "init", "-input=false", "-no-color")
    assert made.returncode == 0, made.stderr
    done = terraform(copy / "terraform", "test", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stack_is_found_by_an_absolute_path(copy: Path, tmp_path: Path) -> None:
    readme = (ROOT / "terraform" / "README.md").read_text("utf-8")
    assert "/path/to/checkout//terraform" in readme
    inputs = 'name = "shop"\n segment_external_ids = ["9sQx2TbZ4k"]\n write_key_secret = null'
    (tmp_path / "main.tf").write_text(f'module "shop" {{\n source = "{copy}//terraform"\n {inputs}\n}}\n')
    made = terraform(tmp_path, "init", "-input=false", "-no-color")
    assert made.returncode == 0, made.stderr
    done = terraform(tmp_path, "validate", "-no-color")
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_has_terraforms_own_format(copy: Path) -> None:
    done = terraform(copy, "fmt", "-check", "-recursive", "-diff")
    assert done.returncode == 0, done.stdout
