"""`make release`: the files of a release and their checksums, from the last commit, in dist/release/.

    personalize_segment-VERSION-py3-none-any.whl   The Python package
    personalize_segment-VERSION.tar.gz             Its sources
    personalize-segment-package-VERSION.zip        The zip for AWS Lambda and AWS Glue
    personalize-segment-terraform-VERSION.zip      The stack and its modules with all files that they deploy
    SHA256SUMS

The same commit gives the same bytes. Files that aren't committed have no effect. Only the wheel and its sources
are compressed, so their bytes also depend on Python's zlib.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import package

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "dist" / "release"
#: What the stack reads, by its path in the repository.
STACK = (
    "LICENSE",
    "terraform/",
    "modules/",
    "glue/",
    "sql/",
    "python/personalize_segment/contract/event_mapping.json",
    "dist/",
)


def main() -> None:
    OUTPUT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="personalize-segment-") as folder:
        source = Path(folder, "source")
        export(source)
        built = build(source, Path(folder, "built"))
        shutil.rmtree(OUTPUT, ignore_errors=True)
        shutil.move(built, OUTPUT)
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(OUTPUT.iterdir())}
    (OUTPUT / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in files.items()))
    print(*(OUTPUT / name for name in (*files, "SHA256SUMS")), sep="\n")


def export(folder: Path) -> None:
    """Write the files of the last commit to `folder`, with the wheels that were downloaded before."""
    if changed := _git("status", "--porcelain").splitlines():
        print(f"Uncommitted changes aren't released: {len(changed)} files.", file=sys.stderr)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")
    (ROOT / ".build").mkdir(exist_ok=True)
    (folder / ".build").symlink_to(ROOT / ".build")


def build(source: Path, target: Path) -> Path:
    """Build the files of a release of `source` in `target` and return it."""
    _run(source, "tools/package.py")
    _run(source, "tools/package.py", "--glue")
    _run(source, "-m", "hatchling", "build", "--directory", str(target))
    (wheel,) = target.glob("*.whl")
    version = wheel.name.split("-")[1]
    shutil.copyfile(source / "dist" / package.OUTPUT.name, target / f"personalize-segment-package-{version}.zip")
    (target / f"personalize-segment-terraform-{version}.zip").write_bytes(package.zipped(stack(source)))
    return target


def stack(source: Path) -> dict[str, bytes]:
    """Return the files of the stack by name, without the tests of its modules."""
    names = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}
    return {
        name: path.read_bytes()
        for name, path in names.items()
        if name.startswith(STACK) and "tests" not in path.relative_to(source).parts
    }


def _run(source: Path, *arguments: str) -> None:
    environment = os.environ | {"SOURCE_DATE_EPOCH": _git("log", "-1", "--format=%ct").strip()}
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=True)


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        print(error.stderr or "", error, file=sys.stderr, sep="")
        sys.exit(1)
