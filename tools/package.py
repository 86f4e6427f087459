"""`make package`: one zip for AWS Lambda and AWS Glue, with the same bytes from the same sources on every machine.

    package.py [--output ZIP] [--compile PYTHON] [--runtime VERSION]
    package.py --glue [VERSION …]

The zip contains this package and the platform-independent wheels pinned in requirements/package.txt. --compile adds
bytecode, because Lambda can't store it. The interpreter must have the runtime's version. Reasons:
docs/adr/0007-one-zip-of-pure-python.md.

--glue collects the native wheels pinned in requirements/glue.txt for each Python of AWS Glue, or these, in dist/.

Prints the path, its size in bytes, its SHA-256 and the compiler. Exits with 1 and changes nothing if a file is missing.
Needs Python 3.11 or newer with pip, and the package index the first time.
"""

import argparse
import hashlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "python" / "personalize_segment"
PINS, GLUE_PINS = ROOT / "requirements" / "package.txt", ROOT / "requirements" / "glue.txt"
WHEELS = ROOT / ".build" / "wheels"
OUTPUT = ROOT / "dist" / "personalize-segment.zip"

#: Python version of the Lambda functions.
RUNTIME = "3.13"
#: Python versions of AWS Glue 5 and 6.
GLUE_PYTHONS = ("3.11", "3.13")
#: pip's names for the platform of AWS Glue 5 and 6, Amazon Linux 2023 on x86_64.
GLUE = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
#: The modules and folders that Lambda and Glue load from this package.
PARTS = (
    "__init__.py",
    "py.typed",
    "errors.py",
    "aws_errors.py",
    "duckdb_errors.py",
    "places.py",
    "contract/",
    "live/",
    "history/__init__.py",
    "history/export.py",
    "history/last_fold.py",
    "history/lines.py",
    "history/logs.py",
    "history/publish.py",
    "history/stage.py",
    "history/duckdb/",
)
#: Names of source files. Copies by editors (`rows.py~`, `.#rows.py`, `rows (1).py`) don't match.
SOURCE = re.compile(r"(\w+/)*(\w+\.(py|json)|py\.typed)", re.ASCII)
PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>\S+)(?P<hashes>( +--hash=sha256:[0-9a-f]{64})+)", re.ASCII)
#: Files that pip writes for this machine, and their descriptions.
NOT_OF_THE_WHEEL = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
#: Lambda's upload limit. Its limit of 250 MB unpacked is implied, because the zip isn't compressed.
MAX_BYTES = 50 << 20


class PackageError(Exception):
    """The zip can't be built: the place, the problem and the remedy."""

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(f"{place}: {problem}. {remedy}.")


def main(argv: Sequence[str]) -> None:
    """Write the zip for `argv` and print its path, size and SHA-256. Raise PackageError if it can't be built."""
    parser = argparse.ArgumentParser(prog="package.py", description="Build the zip for AWS Lambda and AWS Glue.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the zip to write (default: %(default)s)")
    parser.add_argument("--compile", metavar="PYTHON", help="add .pyc files that this interpreter compiles")
    parser.add_argument("--runtime", default=RUNTIME, help="Python version of the functions (default: %(default)s)")
    text = "collect the wheels for these Pythons of AWS Glue instead (default: all)"
    parser.add_argument("--glue", metavar="VERSION", nargs="*", help=text)
    options = parser.parse_args(argv)
    if options.glue is not None:
        for python in options.glue or GLUE_PYTHONS:
            collect(python)
        return
    contents = own_files()
    pure = ["--implementation", "py", "--abi", "none", "--platform", "any", "--python-version", options.runtime]
    for wheel in wheels(PINS, WHEELS, pure, _PURE):
        for name, data in unpacked(wheel).items():
            if name in contents:
                raise PackageError(wheel.name, f"{name} is in the zip already", "Pin packages that don't collide")
            contents[name] = data
    lines = []
    if options.compile:
        lines = [f"compiled {interpreter(options.compile, options.runtime)}"]
        contents |= compiled(contents, options.compile)
    data = zipped(contents)
    if len(data) > MAX_BYTES:
        problem = f"it would have {len(data)} bytes, and Lambda takes {MAX_BYTES}"
        raise PackageError(str(options.output), problem, "Take something out of requirements/package.in")
    _write(options.output, data)
    digest = hashlib.sha256(data).hexdigest()
    print(f"path {options.output}", f"bytes {len(data)}", f"sha256 {digest}", *lines, sep="\n")


def own_files() -> dict[str, bytes]:
    """Return the files of this package, including the license, by name in the zip."""
    found = {f"{PACKAGE.name}/LICENSE": (ROOT / "LICENSE").read_bytes()}
    for path in PACKAGE.rglob("*"):
        name = path.relative_to(PACKAGE).as_posix()
        if SOURCE.fullmatch(name) and path.is_file() and name.startswith(PARTS):
            found[f"{PACKAGE.name}/{name}"] = path.read_bytes()
    return found


def collect(python: str) -> None:
    """Write the wheels for a Python of AWS Glue to a folder in dist/, remove other files there, and print its path."""
    target = ["--implementation", "cp", "--python-version", python]
    target += [part for platform in GLUE for part in ("--platform", platform)]
    remedy = f"Pin a version that has one, or name a Python of AWS Glue: {' or '.join(GLUE_PYTHONS)}"
    found = wheels(GLUE_PINS, ROOT / ".build" / f"glue-{python}", target, remedy)
    folder = ROOT / "dist" / f"glue-{python}"
    for path in folder.glob("*.whl"):
        if path.name not in {wheel.name for wheel in found}:
            path.unlink()
    for wheel in found:
        _write(folder / wheel.name, wheel.read_bytes())
    print(f"path {folder}", f"bytes {sum(wheel.stat().st_size for wheel in found)}", sep="\n")


def wheels(requirements: Path, folder: Path, target: Sequence[str], remedy: str) -> list[Path]:
    """Return a wheel for each pin, downloaded to `folder` if missing. `target` has pip's platform options."""
    pins = _pins(requirements)
    found = _cached(pins, folder)
    if len(found) < len(pins):
        _download(requirements, folder, target, remedy)
        found = _cached(pins, folder)
    for pin in pins:
        if pin not in found:
            raise PackageError(pin, "pip downloaded no wheel for every platform (py3-none-any)", remedy)
    return [found[pin] for pin in pins]


def _pins(requirements: Path) -> dict[str, set[str]]:
    """Return the hashes of each `name==version`."""
    pins = {}
    for line in requirements.read_text("utf-8").replace("\\\n", " ").splitlines():
        requirement = line.partition("#")[0].strip()
        match = PIN.fullmatch(re.sub(r"\s+", " ", requirement))
        if match:
            pins[f"{match['name']}=={match['version']}"] = set(re.findall("[0-9a-f]{64}", match["hashes"]))
        elif requirement:
            raise PackageError(str(requirements), f"{requirement!r} isn't a pin with hashes", "Run `make requirements`")
    return pins


def _cached(pins: Mapping[str, set[str]], folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.whl")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        # Wheels in the zip must be platform-independent. Other folders have wheels for one platform.
        if folder != WHEELS or re.fullmatch(r"(\w+\.)*py3(\.\w+)*-none-any", "-".join(path.stem.split("-")[-3:])):
            found |= {pin: path for pin, hashes in pins.items() if digest in hashes}
    return found


def _download(requirements: Path, folder: Path, target: Sequence[str], remedy: str) -> None:
    options = ["--only-binary", ":all:", "--no-deps", "--require-hashes", *target]
    done = _pip("download", *options, "--requirement", str(requirements), "--dest", str(folder))
    if done.returncode == 0:
        return
    print(done.stderr, file=sys.stderr, end="")
    missing = re.search(r"No matching distribution found for (([\w.-]+)\S*)", done.stderr)
    if missing is None:
        raise PackageError("pip", f"it ended with {done.returncode}", "Fix what it says above")
    # pip reports missing packages and an unreachable index in the same words.
    if _pip("index", "versions", missing[2]).returncode == 0:
        python = target[target.index("--python-version") + 1]
        platform = "every platform" if folder == WHEELS else "AWS Glue"
        raise PackageError(missing[1], f"it has no wheel for {platform} and Python {python}", remedy)
    place = folder.relative_to(ROOT)
    remedy = f"Connect, tell pip another index with PIP_INDEX_URL, or put the pinned wheels into {place}"
    raise PackageError(missing[1], "the package index can't be reached, or doesn't have it", remedy)


def _pip(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


_PURE = (
    "Pin a version that has one or, if nothing we call needs it, leave it out with "
    "--unsafe-package in the Makefile's `requirements`"
)


def unpacked(wheel: Path) -> dict[str, bytes]:
    """Return the files that `wheel` adds to the import path, by name, without scripts and install records."""
    found = {}
    with zipfile.ZipFile(wheel) as opened:
        for name in sorted(opened.namelist()):
            top, _, rest = name.partition("/")
            if top.endswith(".data") and not rest.startswith("scripts/"):
                raise PackageError(wheel.name, f"{name} is outside the import path", "Take another version")
            if top.endswith(".data") or (top.endswith(".dist-info") and rest in NOT_OF_THE_WHEEL) or name[-1] == "/":
                continue
            found[name] = opened.read(name)
    return found


def interpreter(python: str, runtime: str) -> str:
    """Return the name and version of `python`. Raise PackageError unless it is CPython `runtime`."""
    code = "import platform as p; print(p.python_implementation(), p.python_version())"
    answer = _run([*shlex.split(python), "-I", "-S", "-c", code]).strip()
    if not re.fullmatch(rf"CPython {re.escape(runtime)}\.\S+", answer):
        raise PackageError(python, f"it is {answer}", f"Compile with CPython {runtime}, which runs the functions")
    return answer


def compiled(contents: Mapping[str, bytes], python: str) -> dict[str, bytes]:
    """Return the `.pyc` files of the sources in `contents`. The same `python` gives the same bytes.

    They contain the hash of their source, which Python doesn't check, and no path of this machine.
    """
    with tempfile.TemporaryDirectory(prefix="personalize-segment-") as folder:
        for name, data in contents.items():
            if name.endswith(".py"):
                Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
                Path(folder, name).write_bytes(data)
        # -P: no modules from the working folder. -W: hide warnings of third parties.
        command = [*shlex.split(python), "-P", "-s", "-S", "-W", "ignore", "-m", "compileall", "-q"]
        _run([*command, "--invalidation-mode", "unchecked-hash", "-s", folder, folder])
        found = Path(folder).rglob("*.pyc")
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _run(command: list[str]) -> str:
    # Variables such as PYTHONOPTIMIZE or PYTHONPYCACHEPREFIX would change the bytecode or its place. A fixed seed keeps
    # the order of sets.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    remedy = "Name a Python interpreter that works, as COMPILE=python3.13 does"
    try:
        done = subprocess.run(command, env=kept | {"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PackageError(command[0], error.strerror or str(error), remedy) from error
    if done.returncode:
        raise PackageError(command[0], (done.stderr or done.stdout).strip(), remedy)
    return done.stdout


def zipped(contents: Mapping[str, bytes]) -> bytes:
    """Return a zip of `contents`: sorted, without times, owners or compression.

    Compressed bytes depend on the build of zlib, and so on the machine. Folders have entries, because Python 3.11
    doesn't find namespace packages such as `segment` in a zip without them.
    """
    folders = {f"{parent}/" for name in contents for parent in PurePosixPath(name).parents if parent.name}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in sorted(folders | set(contents)):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, on every system
            # The high half is the Unix mode, the low half the MS-DOS directory attribute.
            entry.external_attr = (0o40755 << 16) | 0x10 if name in folders else 0o100644 << 16
            target.writestr(entry, contents.get(name, b""))
    return buffer.getvalue()


def _write(output: Path, data: bytes) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(output)
    finally:
        partial.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (PackageError, OSError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)
