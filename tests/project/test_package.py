"""The zip of `make package`: its contents, its reproducible bytes, and its runtimes."""

import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from packaging.requirements import Requirement
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name

from live_function import ALL, ENVIRONMENT, PROFILES, track
from stub import Stub

ROOT = Path(__file__).parents[2]
ZIP = Path("dist", "personalize-segment.zip")
#: This Python replaces the runtime's, which the machine may not have.
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Packages of the Lambda runtime and Glue, which the zip omits.
SDK = ("boto3", "botocore", "s3transfer")
TOP = {"aws_lambda_powertools", "certifi", "charset_normalizer", "dateutil", "idna", "jmespath", "jwt",
       "personalize_segment", "requests", "segment", "six.py", "typing_extensions.py", "urllib3"}  # fmt: skip
JUNK = ("rows.py~", "rows.py.orig", ".#rows.py", "._rows.py", "rows (copy).py", ".DS_Store", "__pycache__/old.pyc",
        "__pycache__/rows.cpython-313.pyc", ".ipynb_checkpoints/rows-checkpoint.py", "notes.txt")  # fmt: skip
NOWHERE = {"PIP_CONFIG_FILE": os.devnull, "PIP_FIND_LINKS": "", "PIP_NO_INDEX": "1"}


def sources(source: Path, target: Path, *, wheels: bool = True) -> Path:
    """Copy the inputs of a build to `target`, without git, and with the wheels downloaded before."""
    for name in ("tools/package.py", "requirements/package.txt", "requirements/glue.txt", "LICENSE"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    shutil.copytree(source / "python", target / "python")
    if wheels:
        (target / ".build").symlink_to(ROOT / ".build")
    return target


def build(
    root: Path, *arguments: str, umask: int = 0o022, environment: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(root / "tools" / "package.py"), *arguments]
    return subprocess.run(
        command,
        cwd=root.parent,
        env=os.environ | dict(environment),
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a private copy of the sources, with its zip."""
    (ROOT / ".build").mkdir(exist_ok=True)
    tree = sources(ROOT, tmp_path_factory.mktemp("package") / "tree")
    done = build(tree)
    assert done.returncode == 0, done.stderr
    data = (tree / ZIP).read_bytes()
    said = [f"path {tree / ZIP}", f"bytes {len(data)}", f"sha256 {hashlib.sha256(data).hexdigest()}"]
    assert done.stdout.splitlines() == said
    return tree


@pytest.fixture(scope="session")
def compiled(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the zip with this Python's bytecode."""
    output = tmp_path_factory.mktemp("compiled") / "package.zip"
    done = build(tree, "--output", str(output), "--runtime", HERE, "--compile", sys.executable)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[3].startswith(f"compiled CPython {HERE}.")
    return output


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist() if not name.endswith("/")}


def disturbed(tree: Path, target: Path) -> Path:
    """Copy the sources with other times and modes, and with leftovers of editors and Python."""
    sources(tree, target)
    for name in JUNK:
        path = target / "python" / "personalize_segment" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"junk")
    for path in (target / "python").rglob("*"):
        path.chmod(0o700)
        os.utime(path, (1e9, 1e9))
    return target


def test_the_same_sources_give_the_same_bytes_elsewhere(tree: Path, tmp_path: Path) -> None:
    other = disturbed(tree, tmp_path / "some other place")
    changes = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    done = build(other, umask=0o077, environment=changes)
    assert done.returncode == 0, done.stderr
    assert (other / ZIP).read_bytes() == (tree / ZIP).read_bytes()


def test_compiling_gives_the_same_bytes_elsewhere(tree: Path, compiled: Path, tmp_path: Path) -> None:
    other = disturbed(tree, tmp_path / "some other place")
    arguments = ("--runtime", HERE, "--compile", sys.executable)
    changes = {"TZ": "Asia/Tokyo", "TMPDIR": str(tmp_path), "PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1",
               "PYTHONPYCACHEPREFIX": str(tmp_path / "cache")}  # fmt: skip
    done = build(other, *arguments, umask=0o077, environment=changes)
    assert done.returncode == 0, done.stderr
    assert (other / ZIP).read_bytes() == compiled.read_bytes()


def test_an_empty_cache_is_filled_from_the_index_and_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    other = sources(tree, tmp_path / "other", wheels=False)
    done = build(other, environment=NOWHERE | {"PIP_FIND_LINKS": str(ROOT / ".build" / "wheels")})
    assert done.returncode == 0, done.stderr
    assert (other / ZIP).read_bytes() == (tree / ZIP).read_bytes()
    assert build(other, environment=NOWHERE).returncode == 0  # from now on without an index


def test_entries_say_nothing_of_when_and_where_they_were_made(tree: Path) -> None:
    with zipfile.ZipFile(tree / ZIP) as opened:
        entries = opened.infolist()
    assert [one.filename for one in entries] == sorted({one.filename for one in entries})
    assert {(one.date_time, one.compress_type, one.create_system, one.extra) for one in entries} == {
        ((1980, 1, 1, 0, 0, 0), zipfile.ZIP_STORED, 3, b"")
    }
    assert {(one.is_dir(), oct(one.external_attr >> 16)) for one in entries} == {
        (True, "0o40755"),
        (False, "0o100644"),
    }


def test_the_zip_holds_our_package_and_what_is_pinned_and_nothing_else(tree: Path) -> None:
    top = {name.split("/")[0] for name in contents(tree / ZIP)}
    described = {name for name in top if name.endswith(".dist-info")}
    assert top - described == TOP
    assert {canonicalize_name(name.split("-")[0]) for name in described} == set(pins(tree))


def test_no_native_code_nothing_compiled_and_no_trace_of_the_build_is_in_the_zip(tree: Path) -> None:
    files = contents(tree / ZIP)
    assert not [name for name in files if re.search(r"\.(so|pyd|dll|dylib|exe|pyc)\b|/(RECORD|INSTALLER)$", name)]
    native = (b"\x7fELF", b"MZ", b"\xfe\xed\xfa", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
    assert not [name for name, data in files.items() if data.startswith(native)]
    assert not [name for name, data in files.items() if str(tree.parent).encode() in data]


def test_our_package_is_whole_but_for_what_is_for_laptops(tree: Path) -> None:
    folder = tree / "python" / "personalize_segment"
    wanted = {path.relative_to(folder.parent).as_posix(): path.read_bytes() for path in folder.rglob("*.*")
              if path.suffix in {".py", ".json", ".typed"}}  # fmt: skip
    left_out = re.compile(
        r"personalize_segment/((cli|doctor|preflight|privacy|provision|warehouse|workspace)/.*|__main__\.py"
        r"|history/(?!(__init__|export|last_fold|lines|logs|publish|stage)\.py|duckdb/).*)"
    )
    kept = {name: data for name, data in wanted.items() if not left_out.fullmatch(name)}
    assert "personalize_segment/cli/__init__.py" in set(wanted) - set(kept)
    ours = {name: data for name, data in contents(tree / ZIP).items() if name.startswith("personalize_segment/")}
    assert ours == kept | {"personalize_segment/LICENSE": (ROOT / "LICENSE").read_bytes()}


def test_licenses_stay_with_what_they_license(tree: Path) -> None:
    described = {name.split("/")[0] for name in contents(tree / ZIP) if ".dist-info/" in name}
    licensed = {name.split("/")[0] for name in contents(tree / ZIP) if re.search(r"LICEN[SC]E|COPYING", name)}
    assert described <= licensed


def pins(tree: Path, name: str = "package") -> dict[str, str]:
    text = (tree / "requirements" / f"{name}.txt").read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def unmet(wanted: list[str], versions: dict[str, str], python: str, extra: str = "") -> set[str]:
    """Return the names of `wanted` requirements that no version satisfies on Linux and this `python`."""
    found: set[str] = set()
    environment = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": "linux",
                   "platform_system": "Linux", "extra": extra}  # fmt: skip
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate(environment)
        if applies and not requirement.specifier.contains(versions.get(name, "0"), prereleases=True):
            found.add(name)
    return found


@pytest.mark.parametrize("python", ["3.13", "3.11"], ids=["Lambda", "Glue 5"])
def test_every_requirement_is_in_the_zip_but_for_oauth(tree: Path, python: str) -> None:
    described = [data.decode() for name, data in contents(tree / ZIP).items() if name.endswith(".dist-info/METADATA")]
    wanted = [one for text in described for one in re.findall(r"^Requires-Dist: (.*)", text, re.MULTILINE)]
    assert len(described) == len(pins(tree))
    assert unmet(wanted, pins(tree), python) == set()
    # Required by Segment's library with pyjwt[crypto], and used only for OAuth.
    assert unmet(wanted, pins(tree), python, extra="crypto") == {"cryptography"}


@pytest.mark.parametrize("name", SDK)
def test_the_runtimes_sdk_accepts_the_versions_that_the_zip_puts_before_its_own(tree: Path, name: str) -> None:
    brought = {one: importlib.metadata.version(one) for one in SDK}
    assert unmet(importlib.metadata.requires(name) or [], pins(tree) | brought, "3.13") == set()


def test_what_was_compiled_is_for_every_source_and_never_checked(compiled: Path, tree: Path) -> None:
    files = contents(compiled)
    binary = {name: data for name, data in files.items() if name.endswith(".pyc")}
    assert {name: data for name, data in files.items() if name not in binary} == contents(tree / ZIP)
    tag = sys.implementation.cache_tag
    expected = {re.sub(r"([^/]+)\.py$", rf"__pycache__/\1.{tag}.pyc", name) for name in files if name.endswith(".py")}
    assert set(binary) == expected
    assert {data[4:8] for data in binary.values()} == {b"\1\0\0\0"}  # PEP 552: a hash, not to be checked


#: Runs with only the package, the standard library and the runtime's SDK.
PROGRAM = """
import importlib, json, pkgutil, sys
package, runtime, url = sys.argv[1:]
sys.path[:] = [package, *sys.path, runtime]
import boto3, segment.analytics.client, aws_lambda_powertools, personalize_segment
from personalize_segment.contract import mapping, rows

event = {"type": "track", "event": "Product Viewed", "messageId": "m", "userId": "u",
         "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": "i"}}
found, _ = rows.rows(mapping.parse(mapping.default_text()), event)
secret = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-west-2", "endpoint_url": url}
record = {"eventType": "View", "sentAt": 1, "itemId": "i"}
boto3.client("personalize-events", **secret).put_events(trackingId="t", sessionId="s", eventList=[record])
segment.analytics.client.Client("key", host=url, sync_mode=True).identify("u", {"recommended": ["i"]})
aws_lambda_powertools.Logger(service="test", stream=sys.stderr).warning("said")

lost = []
for module in pkgutil.walk_packages(personalize_segment.__path__, "personalize_segment."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name.startswith("personalize_segment"):
            lost.append([module.name, error.name])
origins = {name.partition(".")[0]: module.__file__ for name, module in sorted(sys.modules.items(), reverse=True)
           if getattr(module, "__file__", None)}
print(json.dumps({"rows": [row.dataset.name for row in found], "lost": lost, "origins": origins}))
"""


def placed(path: Path, layout: str, folder: Path) -> Path:
    """Return the package on the import path: the zip for Glue, unpacked for Lambda."""
    if layout == "zip":
        return path
    with zipfile.ZipFile(path) as opened:
        opened.extractall(folder / "task")
    return folder / "task"


def sdk(folder: Path) -> Path:
    """Return a folder with only the SDK, like the runtime."""
    folder.mkdir()
    for name in SDK:
        found = importlib.metadata.distribution(name).locate_file(name)
        (folder / name).symlink_to(str(found))
    return folder


def run(program: str, *arguments: str, cwd: Path, environment: Mapping[str, str] = MappingProxyType({})) -> str:
    """Run `program` in a Python with only its standard library and an empty environment."""
    command = [sys.executable, "-I", "-S", "-B", "-c", program, *arguments]
    done = subprocess.run(command, cwd=cwd, env=dict(environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("layout", ["zip", "folder"])
def test_the_package_runs_with_the_runtimes_sdk_and_nothing_else(tree: Path, layout: str, tmp_path: Path) -> None:
    package = placed(tree / ZIP, layout, tmp_path)
    with Stub() as stub:
        said = json.loads(run(PROGRAM, str(package), str(sdk(tmp_path / "runtime")), stub.url, cwd=tmp_path))
        assert stub.calls("PutEvents")[0].body["eventList"][0]["itemId"] == "i"
        assert stub.calls("batch")[0].body["batch"][0]["traits"] == {"recommended": ["i"]}
    assert said["rows"] == ["interactions", "items"]
    assert said["lost"] == []
    brought = {name for name, file in said["origins"].items() if file.startswith(str(tmp_path / "runtime"))}
    assert brought == set(SDK)
    inside = {name for name, file in said["origins"].items() if file.startswith(str(package))}
    assert inside >= {name.removesuffix(".py") for name in TOP}


#: Calls a function like Lambda, by its module and name.
HANDLER = """
import importlib, json, sys
package, runtime, name, payload = sys.argv[1:]
sys.path[:] = [package, *sys.path, runtime]
class Context:
    aws_request_id = "r"
    def get_remaining_time_in_millis(self):
        return 30_000
function = getattr(importlib.import_module("personalize_segment.live.handler"), name)
print(json.dumps(function(json.loads(payload), Context())))
"""


@pytest.mark.parametrize("layout", ["zip", "folder"])
def test_both_functions_run_from_the_package(tree: Path, layout: str, tmp_path: Path) -> None:
    package, runtime = placed(tree / ZIP, layout, tmp_path), sdk(tmp_path / "runtime")
    with Stub() as stub:
        environment = ENVIRONMENT | ALL | {"AWS_ENDPOINT_URL": stub.url, "segment_host": stub.url}

        def call(name: str, payload: object) -> object:
            arguments = (str(package), str(runtime), name, json.dumps(payload))
            return json.loads(run(HANDLER, *arguments, cwd=tmp_path, environment=environment).splitlines()[-1])

        answer = call("segment_event", track("Product Viewed", {"product_id": "item-1", "price": 1}))
        assert isinstance(answer, dict)
        assert answer["decision"] == "recorded"
        queued = [{"messageId": str(number), "body": body} for number, body in enumerate(stub.messages(PROFILES))]
        assert call("profile_batch", {"Records": queued}) == {"batchItemFailures": []}
        assert [len(stub.calls(name)) for name in ("PutEvents", "PutItems")] == [1, 1]


def test_python_loads_what_was_compiled_and_not_the_source(compiled: Path, tmp_path: Path) -> None:
    package = placed(compiled, "folder", tmp_path)
    source = package / "personalize_segment" / "contract" / "columns.py"
    source.write_text("raise SystemExit('the source was compiled')\n")
    program = (
        "import sys; sys.path[:0] = sys.argv[1:]; import personalize_segment.contract.columns as c; print(c.__file__)"
    )
    assert run(program, str(package), cwd=tmp_path).strip() == str(source)


def native(root: Path) -> None:
    """Pin a package that has a wheel for this machine only, and no other."""
    name = f"needsc-1.0-{next(iter(sys_tags()))}.whl"
    (root / "index").mkdir()
    with zipfile.ZipFile(root / "index" / name, "w") as opened:
        opened.writestr("needsc-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: needsc\nVersion: 1.0\n")
    digest = hashlib.sha256((root / "index" / name).read_bytes()).hexdigest()
    (root / "requirements" / "package.txt").write_text(f"needsc==1.0 \\\n    --hash=sha256:{digest}\n")


def unknown(root: Path) -> None:
    (root / "requirements" / "package.txt").write_text(f"nowhere==1.0 --hash=sha256:{'0' * 64}\n")


def without_hash(root: Path) -> None:
    (root / "requirements" / "package.txt").write_text("six==1.17.0\n")


def too_large(root: Path) -> None:
    (root / "python" / "personalize_segment" / "contract" / "large.json").write_bytes(bytes(50 << 20))


def only(root: Path, **files: str) -> None:
    """Pin one package whose wheel exists, with these files and a folder entry."""
    (root / ".build").unlink()
    (root / ".build" / "wheels").mkdir(parents=True)
    wheel = root / ".build" / "wheels" / "twin-1.0-py3-none-any.whl"
    inside = ["twin/here.py", "twin-empty/", "twin-1.0.data/scripts/twin", "twin-1.0.dist-info/RECORD"]
    with zipfile.ZipFile(wheel, "w") as opened:
        for name in (*inside, *files.values()):
            opened.writestr(name, "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (root / "requirements" / "package.txt").write_text(f"twin==1.0 --hash=sha256:{digest}\n")


def colliding(root: Path) -> None:
    only(root, ours="personalize_segment/contract/rows.py")


def elsewhere(root: Path) -> None:
    only(root, library="twin-1.0.data/purelib/there.py")


def test_of_a_wheel_only_what_is_imported_goes_in(tree: Path, tmp_path: Path) -> None:
    root = sources(tree, tmp_path / "tree")
    only(root)
    done = build(root, environment=NOWHERE)
    assert done.returncode == 0, done.stderr
    assert [name for name in zipfile.ZipFile(root / ZIP).namelist() if "twin" in name] == ["twin/", "twin/here.py"]


def test_a_disk_that_is_full_leaves_the_zip_that_was_there(tree: Path, tmp_path: Path) -> None:
    root = sources(tree, tmp_path / "tree")
    (root / "dist").mkdir()
    (root / ZIP).write_bytes(b"earlier")
    command = ["sh", "-c", 'ulimit -f 1024; exec "$@"', "sh", sys.executable, str(root / "tools" / "package.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "File too large" in done.stderr
    assert {path.name: path.read_bytes() for path in (root / "dist").iterdir()} == {ZIP.name: b"earlier"}


def glued(root: Path, *tags: str) -> dict[str, str]:
    """Pin a package for AWS Glue, and return the environment of a pip that finds its wheels with these tags only."""
    (root / ".build").unlink()
    (root / "index").mkdir()
    hashes = []
    for tag in tags:
        wheel = root / "index" / f"needsc-1.0-{tag}.whl"
        with zipfile.ZipFile(wheel, "w") as opened:
            opened.writestr("needsc-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: needsc\nVersion: 1.0\n")
            opened.writestr("needsc-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
        hashes.append(f"--hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
    (root / "requirements" / "glue.txt").write_text(f"needsc==1.0 {' '.join(hashes)}\n")
    return NOWHERE | {"PIP_FIND_LINKS": str(root / "index")}


def test_the_wheels_for_glue_are_those_of_its_python_and_platform(tree: Path, tmp_path: Path) -> None:
    root = sources(tree, tmp_path / "tree")
    fits = "cp313-cp313-manylinux_2_28_x86_64"
    environment = glued(root, fits, "cp311-cp311-manylinux_2_28_x86_64", "cp313-cp313-manylinux_2_28_aarch64")
    folder = root / "dist" / "glue-3.13"
    folder.mkdir(parents=True)
    (folder / "needsc-0.9-cp313-cp313-manylinux_2_28_x86_64.whl").touch()
    done = build(root, "--glue", "3.13", environment=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"path {folder}"
    assert [path.name for path in folder.iterdir()] == [f"needsc-1.0-{fits}.whl"]
    assert build(root, "--glue", "3.13", environment=NOWHERE).returncode == 0  # from now on without an index
    failed = build(root, "--glue", "3.12", environment=environment)
    assert failed.returncode == 1
    assert "needsc==1.0: it has no wheel for AWS Glue and Python 3.12" in failed.stderr.splitlines()[-1]


def test_what_glue_installs_is_what_is_tested() -> None:
    assert {name: importlib.metadata.version(name) for name in pins(ROOT, "glue")} == pins(ROOT, "glue")


def nothing(root: Path) -> None:
    """Change nothing."""


@pytest.mark.parametrize(
    ("change", "arguments", "said"),
    [
        pytest.param(native, [], r"needsc==1\.0: it has no wheel for every platform.*--unsafe-package", id="native"),
        pytest.param(unknown, [], r"nowhere==1\.0: the package index can't be reached.*PIP_INDEX_URL", id="offline"),
        pytest.param(without_hash, [], r"'six==1\.17\.0' isn't a pin with hashes.*make requirements", id="no hash"),
        pytest.param(colliding, [], r"twin-1\.0.*/contract/rows\.py is in the zip already", id="colliding"),
        pytest.param(elsewhere, [], r"twin-1\.0.*purelib/there\.py is outside the import path", id="elsewhere"),
        pytest.param(too_large, [], r"and Lambda takes 52428800", id="too large"),
        pytest.param(nothing, ["--runtime", "3.99", "--compile", sys.executable],
                     r"it is CPython 3\..*Compile with CPython 3\.99", id="another version"),
        pytest.param(nothing, ["--compile", "no-such-python"], "no-such-python: No such file", id="no interpreter"),
    ],
)  # fmt: skip
def test_a_failed_build_says_why_and_leaves_the_zip_that_was_there(
    change: Callable[[Path], None], arguments: list[str], said: str, tree: Path, tmp_path: Path
) -> None:
    root = sources(tree, tmp_path / "tree")
    change(root)
    (root / "dist").mkdir()
    (root / ZIP).write_bytes(b"earlier")
    done = build(root, *arguments, environment=NOWHERE | {"PIP_FIND_LINKS": str(root / "index")})
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(said, done.stderr, re.DOTALL), done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in (root / "dist").iterdir()} == {ZIP.name: b"earlier"}
