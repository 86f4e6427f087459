"""The documentation is correct: commands run and print the shown output, links work, options exist.

In README.md and docs/*.md the blocks of a document run in order in one folder, as a reader would
run them in a checkout; the README's with Terraform, against the emulator:

- a `sh` block is run, or looked up if it would install or start something large; a `python` block is run alone;
- a `json` block below a line that ends with its name is that file;
- the tutorial's commands run in one shell, with the wheel and what pip installs with it, and nothing else of ours;
- a `json` or `text` block below a line that ends with "prints:" is what the last command printed; in `text`,
  a line "…" is any number of lines.
"""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from threading import Timer

import boto3
import hcl2
import pytest
import typer
from typer.testing import CliRunner

from attached import attached
from images import overview
from java import Java
from personalize_emulator.server import Server
from personalize_segment.cli import load
from programs import installed, needs
from stacks import Stack

ROOT = Path(__file__).parents[2]
RUN = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
TUTORIAL = ROOT / "docs" / "tutorial.md"
TROUBLESHOOTING, SEGMENT = ((ROOT / "docs" / name).read_text("utf-8") for name in ("troubleshooting.md", "segment.md"))
ALL = [
    *RUN,
    *(ROOT / name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md")),
    *sorted(ROOT.glob("docs/adr/*.md")),
]
#: Folders of the checkout that a command may need.
CHECKOUT = ("glue", "python")
LOOKED_UP = ("make", "pip", "git")
#: Glue's options in the documents.
GLUE = {"--additional-python-modules", "--extra-py-files"}
SECONDS = 120
#: Duration of operations that Terraform waits for.
TERRAFORM_SECONDS = 400
#: A bucket that Terraform makes.
MADE = re.compile(r".*-personalize-\d{12}-.*")


@dataclass(frozen=True)
class Block:
    """A fenced block, the line it begins at, and the text line above it."""

    place: str
    language: str
    text: str
    above: str


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _blocks(path: Path) -> Iterator[Block]:
    lines = iter(enumerate(path.read_text("utf-8").splitlines(), start=1))
    above = ""
    for number, line in lines:
        if line.startswith("```"):
            body = []
            for _, inner in lines:
                if inner == "```":
                    break
                body.append(inner)
            yield Block(f"{_name(path)}:{number}", line.removeprefix("```"), "\n".join(body) + "\n", above)
            above = ""
        elif line.strip():
            above = line.strip()


def _prose(path: Path) -> str:
    return re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


def _shell(path: Path) -> str:
    return "".join(block.text for block in _blocks(path) if block.language == "sh").replace("\\\n", " ")


@pytest.mark.usefixtures("s3_env")
@pytest.mark.parametrize("document", [one for one in RUN[1:] if one != TUTORIAL], ids=_name)
def test_commands_do_what_the_document_shows(document: Path, tmp_path: Path, shop: Path, java: Java) -> None:
    _fill_buckets(document, shop)
    operations = {"queues": {"rejected": boto3.client("sqs").create_queue(QueueName="rejected")["QueueUrl"]}}
    (tmp_path / "outputs.json").write_text(json.dumps({"operations": {"value": operations, "type": "object"}}))
    for name in CHECKOUT:
        (tmp_path / name).symlink_to(ROOT / name)
    _follow(document, tmp_path, partial(_run, tmp_path, java))


def test_commands_of_the_readme_build_a_stack_and_take_it_away(
    tmp_path: Path, shop: Path, package: Path, java: Java, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("terraform", "following the README")
    with Server(region="us-west-2", speed=100_000) as server:
        stack = Stack(tmp_path / "checkout", server.environment(), package)
        with attached(stack):
            for name, value in stack.environment.items():
                monkeypatch.setenv(name, value)
            # The README's reader confirms, and waits for Personalize.
            monkeypatch.setenv("TF_CLI_ARGS_apply", "-auto-approve")
            # The apply before it has read the resources.
            monkeypatch.setenv("TF_CLI_ARGS_destroy", "-auto-approve -refresh=false")
            monkeypatch.setenv("PERSONALIZE_SEGMENT_POLL", "0.2")
            _fill_buckets(RUN[0], shop)
            _follow(RUN[0], tmp_path / "checkout", partial(_run, tmp_path / "checkout", java))
            state = json.loads((stack.folder / "terraform.tfstate").read_text("utf-8"))
            assert state["resources"] == []
            assert boto3.client("personalize").list_dataset_groups()["datasetGroups"] == []
            assert (tmp_path / "checkout" / "preflight.html").exists()


def test_the_tutorial_works_word_by_word_with_the_wheel_alone(tmp_path: Path) -> None:
    (wheel,) = installed().parent.glob("*.whl")
    shutil.copy(wheel, tmp_path)
    with Shell(tmp_path) as shell:
        _follow(TUTORIAL, tmp_path, shell)


class Shell:
    """One shell for all commands of a document, so that variables persist between them."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON"))}
        path = f"{sys.base_prefix}/bin{os.pathsep}{os.environ['PATH']}"
        self._folder = folder
        self._bash = subprocess.Popen(
            [shutil.which("bash") or "bash", "-euo", "pipefail"],
            cwd=folder,
            # Compiling all installed modules takes longer than those that are imported.
            env=kept | {"PATH": path, "COLUMNS": "120", "PIP_NO_COMPILE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def __call__(self, block: Block) -> "subprocess.CompletedProcess[str]":
        """Run a block."""
        assert self._bash.stdin is not None
        assert self._bash.stdout is not None
        # Not pipes, because a server started by a block would keep them open.
        files = [self._folder / name for name in ("stdout", "stderr")]
        self._bash.stdin.write(f"{{ {block.text}\n}} </dev/null >stdout 2>stderr\necho done\n")
        self._bash.stdin.flush()
        timer = Timer(SECONDS, self._bash.kill)
        timer.start()
        status = 0 if self._bash.stdout.readline() else self._bash.wait()
        timer.cancel()
        return subprocess.CompletedProcess(block.text, status, *(one.read_text("utf-8") for one in files))

    def __enter__(self) -> "Shell":
        return self

    def __exit__(self, *_: object) -> None:
        # Also a running server. An ended shell may have left none.
        with suppress(ProcessLookupError):
            os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.communicate()


def _follow(document: Path, folder: Path, run: "Callable[[Block], subprocess.CompletedProcess[str]]") -> None:
    """Run a document's commands in a folder."""
    out = err = ""
    for block in _blocks(document):
        if block.language == "sh" and block.text.startswith(LOOKED_UP):
            _look_up(block)
        elif block.language in ("sh", "python"):
            done = run(block if block.language == "sh" else replace(block, text=f"python - <<'EOF'\n{block.text}EOF\n"))
            assert done.returncode == 0, f"{block.place} ended with {done.returncode}:\n{done.stderr}"
            out, err = done.stdout, done.stderr
        elif block.above.endswith("prints:"):
            _compare(block, out, err)
        elif block.language == "json" and (file := re.search(r"`([\w./-]+\.json)`:$", block.above)):
            (folder / file[1]).write_text(block.text, "utf-8")


def _run(folder: Path, java: Java, block: Block) -> "subprocess.CompletedProcess[str]":
    path = f"{installed()}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # The reader confirms.
    text = re.sub(r"^personalize-segment apply (?!--yes)", "personalize-segment apply --yes ", block.text, flags=re.M)
    with java.environment() as variables:
        return subprocess.run(
            [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env={**os.environ, **variables, "PATH": path, "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=TERRAFORM_SECONDS if "terraform" in block.text else SECONDS,
            check=False,
        )


def _fill_buckets(document: Path, shop: Path) -> None:
    """Create the document's buckets, with logs where it has them."""
    s3 = boto3.client("s3")
    there = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    for bucket, prefix in re.findall(r"s3://([a-z0-9.-]+)/(\S*)", _shell(document)):
        if bucket not in there and not MADE.fullmatch(bucket):
            # The same in every region, unlike boto3's for us-east-1.
            boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=bucket)
            there.add(bucket)
        if prefix == "segment-logs/":
            for file in shop.rglob("*.gz"):
                s3.upload_file(str(file), bucket, prefix + file.relative_to(shop).as_posix())


def _look_up(block: Block) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for line in block.text.splitlines():
        if install := re.fullmatch(r"pip install '\.\[([\w,]+)\]'", line):
            assert set(install[1].split(",")) <= set(extras), f"{block.place}: not all of {install[1]!r} are extras"
        else:
            assert re.match(r"make [a-z]|git clone ", line), f"{block.place}: {line!r} is neither run nor looked up"


def _compare(block: Block, out: str, err: str) -> None:
    if block.language == "json":
        assert json.loads(out) == json.loads(block.text), f"{block.place} no longer is what the command prints"
        return
    # Samples are seeded: counts, messageIds and widths are equal on every machine, with any number of cores.
    shown = [r"(?:.*\n)*?" if line == "…" else re.escape(line) + r" *\n" for line in block.text.splitlines()]
    # On a terminal, messages may come before the result or after it.
    printed = re.fullmatch("".join(shown), out + err) or re.fullmatch("".join(shown), err + out)
    assert printed, f"{block.place} isn't what is printed there:\n{out}{err}"


def test_blocks_are_of_a_kind_that_is_looked_at() -> None:
    for block in (block for document in ALL for block in _blocks(document)):
        assert block.language in ("sh", "python", "json", "hcl", "text"), block.place
        if block.language == "json":
            json.loads(block.text)
        elif block.language == "hcl":
            hcl2.loads(block.text)


def test_the_table_of_settings_is_the_one_that_is_printed() -> None:
    printed = CliRunner().invoke(load(), ["settings"]).stdout
    assert f"<!-- settings -->\n\n{printed}\n<!-- /settings -->" in (ROOT / "docs/settings.md").read_text("utf-8")


def test_the_table_of_alarms_has_each() -> None:
    alarms = (ROOT / "modules/monitoring/alarms.tf").read_text("utf-8")
    refresh = (ROOT / "modules/refresh/main.tf").read_text("utf-8")
    made = set(re.findall(r'^ +"?((?:\$\{key\}-)?[a-z-]+)"? = \{\n +means ', alarms, re.MULTILINE))
    wanted = {name.replace("${key}", function) for name in made for function in ("event", "profiles")}
    own = re.findall(r'alarm_name = "\$\{local\.machine_name\}-([a-z-]+)"', refresh)
    assert len(own) == refresh.count("aws_cloudwatch_metric_alarm")
    wanted |= {f"refresh-{name}" for name in own}
    assert len(wanted) > 10
    assert set(re.findall(r"`NAME-([a-z-]+)`", (ROOT / "docs/metrics.md").read_text("utf-8"))) == wanted


@cache
def _texts() -> list[str]:
    """Return all texts of the code in lower case, without the values in them."""
    files = [*ROOT.glob("python/**/*.py"), *ROOT.glob("glue/*.py")]
    nodes = (node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8"))))
    return [node.value.lower() for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_quoted_messages_are_those_of_the_code() -> None:
    for table in re.findall(r"^\| message .*(?:\n\|.*)+", TROUBLESHOOTING + SEGMENT, re.MULTILINE):
        for quoted in re.findall(r"`([^`]+)`", "".join(re.findall(r"^\|[^|]*", table, re.MULTILINE))):
            for part in filter(None, re.split(r"…|\d+", quoted)):
                assert any(part.strip().lower() in text for text in _texts()), f"no message has {part!r}"


def test_every_page_is_in_the_list_and_in_the_order_of_the_site() -> None:
    listed = re.findall(r"^- \[.*?\]\(([\w/-]+\.md)\)", (ROOT / "docs/index.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted([_name(page)[5:] for page in RUN[1:] if page.name != "index.md"] + ["adr/index.md"])
    site = (ROOT / "mkdocs.yml").read_text("utf-8").partition("\nnav:")[2]
    assert re.findall(r": ([\w/-]+\.md)$", site, re.MULTILINE) == ["index.md", *listed]


def test_the_list_of_decisions_has_each() -> None:
    listed = re.findall(r"^(\d+)\. \[(.*)\]\((.*)\)$", (ROOT / "docs/adr/index.md").read_text("utf-8"), re.MULTILINE)
    files = sorted(ROOT.glob("docs/adr/0*.md"))
    titles = [file.read_text("utf-8").partition("\n")[0] for file in files]
    assert [(f"# {number}. {title}", name) for number, title, name in listed] == [
        (title, file.name) for title, file in zip(titles, files, strict=True)
    ]


def test_the_overview_is_as_drawn() -> None:
    assert (ROOT / "docs" / "images" / "overview.svg").read_text("utf-8") == overview()


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for document in ALL:
        named = re.findall(r"^(?:\w+=\S+ )?make ([a-z-]+)", _shell(document), re.MULTILINE)
        named += re.findall(r"`(?:\w+=\S+ )?make ([a-z-]+)", _prose(document))
        assert set(named) <= targets, _name(document)


def _options() -> dict[str, set[str]]:
    """Return the options of each command by name. The key "" has the global ones."""
    command = typer.main.get_command(load())
    assert isinstance(command, typer.core.TyperGroup)
    verbs = {"": [command]} | {
        name: [verb, *getattr(verb, "commands", {}).values()] for name, verb in command.commands.items()
    }
    return {
        name: {one for verb in several for param in verb.params for one in (*param.opts, *param.secondary_opts)}
        | {"-h", "--help"}
        for name, several in verbs.items()
    }


def test_options_exist() -> None:
    options = _options()
    glue = set(re.findall(r'add_argument\(\s*"(--\w+)"', (ROOT / "glue/segment_to_personalize.py").read_text("utf-8")))
    every = GLUE.union(glue, *options.values())
    for document in ALL:
        spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", _prose(document))]
        for text in [*_shell(document).splitlines(), *spans]:
            named = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", text))
            place = f"{_name(document)}: {text}"
            if call := re.search(r"\bpersonalize-segment(?: ([a-z]+))?", text):
                assert (call[1] or "") in options, place
                assert named <= options[call[1] or ""], place
            elif "segment_to_personalize.py" in text:
                assert named <= glue, place
            elif text.startswith("--"):
                assert named <= every, place


def test_commands_of_the_operations_page_can_be_pasted() -> None:
    texts = re.findall(r"`(personalize-segment [^`]+)`", _prose(ROOT / "docs" / "operations.md"))
    assert texts
    for text in texts:
        _, *words = shlex.split(text)
        command = typer.main.get_command(load())
        while commands := getattr(command, "commands", None):
            command = commands[words.pop(0)]
        command.make_context(text, words)  # raises an error about an argument that is missing


def test_links_lead_somewhere() -> None:
    for document in ALL:
        for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", _prose(document)):
            if target.startswith("https://"):
                continue
            file = (document.parent / target).resolve() if target else document
            assert file.exists(), f"{_name(document)} links to {target}"
            assert ROOT in file.parents, f"{_name(document)} links out of the project: {target}"
            assert not anchor or anchor in _anchors(file), f"{_name(document)} links to {target}#{anchor}"


def _anchors(path: Path) -> set[str]:
    """Return the anchors of the headings, like GitHub's."""
    headings = re.findall(r"^#+ (.+)$", _prose(path), re.MULTILINE)
    kept = set(re.findall(r'^<a id="([\w-]+)"></a>$', _prose(path), re.MULTILINE))
    return kept | {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
