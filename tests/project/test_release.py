"""`make release`: the same files from the same commit, complete, and with one version that every document names."""

import email
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.metadata import Metadata

import package
import tfmirror
from personalize_segment import __version__
from programs import needs
from words import tracked

ROOT = Path(__file__).parents[2]
WHEEL, SDIST = f"personalize_segment-{__version__}-py3-none-any.whl", f"personalize_segment-{__version__}.tar.gz"
PACKAGE = f"personalize-segment-package-{__version__}.zip"
STACK = f"personalize-segment-terraform-{__version__}.zip"
#: How a text names a version of this project.
VERSION = re.compile(
    r"(?:\?ref=v|tag `v|/download/v|/blob/v|personalize[_-]segment(?:-package|-terraform)?(?:-|==))(\d+\.\d+\.\d+)"
)


def _git(*arguments: str, folder: Path = ROOT) -> str:
    time = {"GIT_AUTHOR_DATE": "@1790000000 +0000", "GIT_COMMITTER_DATE": "@1790000000 +0000"}
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments]
    return subprocess.run(command, cwd=folder, env=os.environ | time, capture_output=True, text=True, check=True).stdout


def test_every_place_names_the_same_version() -> None:
    found: dict[str, str] = {}
    for name in tracked():
        if Path(name).suffix in {".md", ".tf", ".yml", ".toml", ".svg", ".html"}:
            text = (ROOT / name).read_text("utf-8")
            found |= {f"{name}: {match[0]}": match[1] for match in VERSION.finditer(text)}
    assert {place: version for place, version in found.items() if version != __version__} == {}
    modules = {f"modules/{name}/variables.tf" for name in ("monitoring", "refresh")}
    assert {place.partition(":")[0] for place in found} >= {"terraform/README.md", *modules}
    headings = re.findall(r"^## (\d\S+) - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == __version__
    assert f"| {__version__.partition('.')[0]}.x | yes" in (ROOT / "SECURITY.md").read_text("utf-8")


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two clones of these sources as they are now, with one small wheel for Glue instead of those of DuckDB."""
    folder = tmp_path_factory.mktemp("release")
    origin, cache = folder / "origin", folder / "cache"
    for name in tracked():
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)
    (ROOT / ".build" / "wheels").mkdir(parents=True, exist_ok=True)
    cache.mkdir()
    (cache / "wheels").symlink_to(ROOT / ".build" / "wheels")
    for python in package.GLUE_PYTHONS:
        (cache / f"glue-{python}").mkdir()
        (cache / f"glue-{python}" / "small-1.0-py3-none-any.whl").write_bytes(b"wheel")
    digest = hashlib.sha256(b"wheel").hexdigest()
    (origin / "requirements" / "glue.txt").write_text(f"small==1.0 --hash=sha256:{digest}\n")
    _git("init", "--quiet", folder=origin)
    _git("add", "--all", folder=origin)
    _git("commit", "--quiet", "--message", "Release", folder=origin)
    found = folder / "one", folder / "some other place"
    for clone in found:
        _git("clone", "--quiet", str(origin), str(clone), folder=folder)
        (clone / ".build").symlink_to(cache)
    return found


def _release(clone: Path, umask: int, **environment: str) -> Path:
    command = [sys.executable, str(clone / "tools" / "release.py")]
    done = subprocess.run(
        command, cwd="/", env=os.environ | environment, umask=umask, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [str(path) for path in _files(clone / "dist" / "release")]
    return clone / "dist" / "release"


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir(), key=lambda path: (path.name == "SHA256SUMS", path.name))


@pytest.fixture(scope="module")
def release(clones: tuple[Path, Path]) -> Path:
    return _release(clones[0], 0o022)


def test_another_clone_at_another_time_gives_the_same_bytes(clones: tuple[Path, Path], release: Path) -> None:
    other = clones[1]
    for path in (other / "python").rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1e9, 1e9))
    (other / "python" / "personalize_segment" / "left.py").write_text("uncommitted\n")
    (other / "README.md").write_text("uncommitted\n")
    changes = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7", "SOURCE_DATE_EPOCH": "1000000000"}
    again = _release(other, 0o077, **changes)
    assert [path.name for path in _files(release)] == [*sorted([PACKAGE, STACK, SDIST, WHEEL]), "SHA256SUMS"]
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in release.iterdir()
    }


def test_checksums_are_those_of_the_files(release: Path) -> None:
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=release, check=True)
    assert len((release / "SHA256SUMS").read_text().splitlines()) == 4


def test_the_sources_build_the_released_wheel(release: Path, tmp_path: Path) -> None:
    with tarfile.open(release / SDIST) as opened:
        opened.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    time = {"SOURCE_DATE_EPOCH": "1790000000"}
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(command, cwd=folder, env=os.environ | time, check=True, capture_output=True)
    assert (folder / "dist" / WHEEL).read_bytes() == (release / WHEEL).read_bytes()


def test_the_wheel_installs_every_file_of_the_package(release: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path], check=True)
    python = tmp_path / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, str(release / WHEEL)], check=True, capture_output=True)
    (packages,) = tmp_path.glob("lib/python*/site-packages")
    installed = {
        path.relative_to(packages).as_posix() for path in packages.glob("personalize_*/**/*") if path.is_file()
    }
    wanted = {name.removeprefix("python/") for name in tracked("python")}
    assert {name for name in installed if ".dist-info/" not in name and "__pycache__" not in name} == wanted
    assert (tmp_path / "share" / "personalize-segment" / "glue" / "segment_to_personalize.py").is_file()
    program = "import importlib.metadata as m, personalize_segment as p; print(m.version(p.__name__), p.__version__)"
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [__version__, __version__]


def test_the_metadata_is_valid_and_its_readme_links_to_this_version(release: Path) -> None:
    with zipfile.ZipFile(release / WHEEL) as opened:
        (name,) = (one for one in opened.namelist() if one.endswith(".dist-info/METADATA"))
        text = opened.read(name)
        assert f"{name.rpartition('/')[0]}/licenses/LICENSE" in opened.namelist()
    found = Metadata.from_email(text, validate=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert (found.name, str(found.version), found.license_expression) == (project["name"], __version__, "Apache-2.0")
    assert found.project_urls == project["urls"]
    assert found.summary == project["description"]
    assert email.message_from_bytes(text)["Description-Content-Type"] == "text/markdown"
    tested = {one.rpartition(" ")[2] for one in found.classifiers or [] if "Python :: 3." in one}
    assert found.requires_python is not None
    assert {version for version in tested if version in found.requires_python} == tested
    readme = found.description or ""
    assert f"{project['urls']['Repository']}/blob/v{__version__}/docs/" in readme
    assert list(_relative(readme)) == []


def _relative(text: str) -> Iterator[str]:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)|(?:src|href)=\"([^\"]+)", prose):
        if not "".join(target).startswith(("https://", "#")):
            yield "".join(target)


def test_the_stack_has_every_file_that_it_reads_and_no_tests(release: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(release / STACK) as opened:
        opened.extractall(tmp_path)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert not [name for name in names if "tests" in name.split("/")]
    wanted = {name for name in tracked("terraform", "modules") if "/tests/" not in name}
    assert wanted <= names
    for path in tmp_path.rglob("*.tf"):
        text = path.read_text("utf-8")
        for place in re.findall(r'"\$\{path\.module\}/(\.\./[^"$]+[^"$/-])"', text):
            assert (path.parent / place).is_file(), f"{path.relative_to(tmp_path)} reads {place}"
        for place in re.findall(r'source += "(\.[^"]*)"', text):
            assert (path.parent / place / "variables.tf").is_file(), f"{path.relative_to(tmp_path)} calls {place}"
    assert {name for name in names if name.endswith(".whl")} == {
        f"dist/glue-{python}/small-1.0-py3-none-any.whl" for python in package.GLUE_PYTHONS
    }
    assert (tmp_path / "dist" / "personalize-segment.zip").read_bytes() == (release / PACKAGE).read_bytes()


def test_the_stack_is_a_module_source(release: Path, tmp_path: Path) -> None:
    needs("terraform", "the stack's zip as a module source")
    (tmp_path / "main.tf").write_text(f"""
module "personalize" {{
  source               = "{release / STACK}//terraform"
  name                 = "shop"
  segment_external_ids = ["9sQx2TbZ4k"]
  write_key_secret     = {{ name = "segment/write-key" }}
}}
""")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
    environment |= tfmirror.environment(tmp_path / "terraform.tfrc", environment)
    for arguments in (["init", "-input=false"], ["validate"]):
        command = ["terraform", *arguments, "-no-color"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
