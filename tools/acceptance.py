"""`make acceptance`: the demo's steps in your AWS account, and a report that can be attached to an issue.

Credentials and region come from the environment. It says what it will make and what that costs, and asks; without a
terminal, YES=1 answers. It stops before anything is trained unless TRAIN=1. It destroys everything at the end, after a
failure, Ctrl-C or a closed terminal, too. If it was killed before it could, CLEAN=NAME does that later.

    TRAIN=1                            train and serve, too
    SOURCE_CONDITIONS=1                trust of Lambda's and Glue's roles with aws:SourceAccount and aws:SourceArn
    SEGMENT_WRITE_KEY                  with TRAIN=1, write back to this Segment source, which is for tests
    PUBLIC_API_TOKEN, SEGMENT_SOURCE   plan Segment's side for this source, which changes nothing there
"""

import argparse
import json
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.markup import escape

import demo
from demo_segment import Api
from demo_stage import DemoError, Place, Stage, check, console, reason
from personalize_segment import __version__
from personalize_segment.errors import PersonalizeSegmentError
from stacks import ROOT, Stack, StackError

FOLDER = ROOT / ".build" / "acceptance"
FAILURES = (DemoError, StackError, PersonalizeSegmentError, ClientError, BotoCoreError, OSError)
#: Without warranty: most of it are two Glue workers for ten minutes, and with TRAIN=1 a campaign for some hours.
COSTS = {False: "less than 1 USD, in about an hour", True: "about 5 USD, in about four hours"}
MADE = {
    False: "all that Terraform makes, and a dataset group with imports and an event tracker",
    True: "all that Terraform makes, and a dataset group with imports, a tracker, a trained solution and a campaign",
}
HIDDEN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SEGMENT_WRITE_KEY", "PUBLIC_API_TOKEN")


@dataclass(frozen=True)
class Unverified:
    """A thing that a document has not verified: words of it, the step that settles it, and what the step needs."""

    document: str
    words: str
    step: str
    needs: str | None = None


SEGMENT = "Segment's side: plan"
#: What a run may need to settle something.
TRAINED, CONDITIONS, NOT_ROOT = "TRAIN=1", "SOURCE_CONDITIONS=1", "a user or a role, not root"
#: Otherwise the caller asks, and not the function.
WRITTEN_BACK = "TRAIN=1 and SEGMENT_WRITE_KEY"
WITH_SEGMENT = "PUBLIC_API_TOKEN and SEGMENT_SOURCE"
UNVERIFIED = (
    Unverified("security.md", "Whether Segment's role may invoke", demo.LIVE, NOT_ROOT),
    Unverified("security.md", "Whether the function's role may ask", demo.LIVE, WRITTEN_BACK),
    Unverified("security.md", "Whether the role of the profile queue's consumer", demo.TRAIT),
    Unverified("security.md", "Whether the Glue job's role", demo.GLUE),
    Unverified("security.md", "Whether Personalize's role", demo.PERSONALIZE),
    Unverified("security.md", "Whether Lambda and Glue send", demo.LIVE, CONDITIONS),
    Unverified("provisioning.md", "Whether `apply` creates dataset group", demo.PERSONALIZE),
    Unverified("provisioning.md", "Whether it creates solutions", demo.PERSONALIZE, TRAINED),
    Unverified("provisioning.md", "Whether `destroy` deletes all", demo.DESTROY, TRAINED),
    Unverified("segment.md", "The id and slug of *Amazon Personalize*", SEGMENT, WITH_SEGMENT),
    Unverified("segment.md", "The settings of the destination", SEGMENT, WITH_SEGMENT),
)


def main(environment: Mapping[str, str], written: Path, facts: Path | None) -> int:
    """Take the steps, destroy everything and write the report; return the status."""
    check(shutil.which("terraform"), "Terraform is not on the path: install it, 1.11 or newer")
    environment = {**environment, **region_of(environment)}
    os.environ.update(region_of(environment))
    region = environment["AWS_REGION"]
    caller = boto3.client("sts").get_caller_identity()
    place, stage = chosen(environment, caller["Arn"]), Stage(environment)
    folder = FOLDER / place.name
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup has it
            signal.signal(number, interrupt)
    if environment.get("CLEAN"):
        check(folder.exists(), f"{folder} is not there: give the name of a run that left something")
        made = json.loads((folder / "run.json").read_text("utf-8"))
        here = {"account": caller["Account"], "region": region}
        check(made == here, f"{place.name} is in {made['account']}, {made['region']}: use its credentials and region")
        destroy(stage, place, Stack.again(folder / "terraform", stage.environment), folder)
        return 0
    known = versions()
    ask(place, caller["Account"], region, environment)
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"account": caller["Account"], "region": region}), "utf-8")
    began, status = datetime.now(UTC), 1
    try:
        run(stage, place, folder, environment)
        status = 0
    except BaseException as error:
        stage.failed = stage.failed or [("Between the steps", reason())]
        if not isinstance(error, (*FAILURES, KeyboardInterrupt, SystemExit)):
            raise
        console.print(f"[bold red]{escape(str(error) or 'Interrupted.')}[/bold red]", soft_wrap=True)
    finally:
        text = masked(report(stage, place, began, region, known), caller["Account"], environment)
        written.write_text(text, "utf-8")
        if facts:
            stage.write(facts)
        said = f"\n{written} says what was tried. It has neither secrets nor the account's number."
        console.print(said, soft_wrap=True)
    return status


def interrupt(*_: object) -> None:
    """End like Ctrl-C. After SIGHUP the terminal is gone, and printing would fail before all is destroyed."""
    for number in (1, 2):
        try:
            os.write(number, b"\n")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    raise KeyboardInterrupt


def region_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that name the region: boto3 reads one of them, Terraform rather the other."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    found = {environment[name] for name in names if environment.get(name)}
    check(len(found) < 2, "AWS_REGION and AWS_DEFAULT_REGION differ: set only one of them")
    region = next(iter(found), None) or boto3.session.Session().region_name
    check(region, "no region: set AWS_REGION")
    return dict.fromkeys(names, str(region))


def chosen(environment: Mapping[str, str], caller: str) -> Place:
    """Return where and how the steps are taken."""
    local = urlsplit(environment.get("AWS_ENDPOINT_URL", "")).hostname == "127.0.0.1"
    return Place(
        name=environment.get("CLEAN") or f"accept-{secrets.token_hex(3)}",
        external_id=f"acceptance-{secrets.token_hex(6)}",
        local=local,
        train=environment.get("TRAIN") == "1",
        write_key="a-write-key" if local else environment.get("SEGMENT_WRITE_KEY") or None,
        trusted=None if local else role_of(caller),
        source_conditions=environment.get("SOURCE_CONDITIONS") == "1",
    )


def role_of(arn: str) -> str | None:
    """Return the ARN of the role or user that calls, as a trust policy takes it; None for root."""
    if ":assumed-role/" in arn:
        return str(boto3.client("iam").get_role(RoleName=arn.split("/")[1])["Role"]["Arn"])
    return arn if ":user/" in arn else None


def ask(place: Place, account: str, region: str, environment: Mapping[str, str]) -> None:
    """Say what will be made and what it costs; raise DemoError unless the answer is yes."""
    console.print(
        f"Account {account}, region {region}. All names begin with {place.name}. All is destroyed at the end."
    )
    console.print(f"It makes: {MADE[place.train]}.")
    console.print(f"It costs {COSTS[place.train]}. Prices are without warranty.")
    if not place.train:
        console.print("It stops before training. TRAIN=1 trains and serves, too.")
    if environment.get("YES") != "1":
        check(sys.stdin.isatty(), "not a terminal: set YES=1 to confirm")
        check(input("Go on? [y/N] ").strip().lower() in ("y", "yes"), "nothing was made")


def run(stage: Stage, place: Place, folder: Path, environment: Mapping[str, str]) -> None:
    """Take all steps, and destroy everything after them, after a failure and after Ctrl-C."""
    stack = demo.made(stage, folder, real=not place.local)
    try:
        with Api() as api:
            demo.walk(stage, place, stack, folder, environment.get("ENGINE", "duckdb"), api if place.local else None)
        source = environment.get("SEGMENT_SOURCE")
        if source and environment.get("PUBLIC_API_TOKEN"):
            with stage.step(SEGMENT, "the same"):
                chosen_id = ("--external-id", place.external_id)
                arguments = ("segment", "plan", "-", "--source", source, *chosen_id, "--no-filter")
                stage.command(*arguments, given=stack("output", "-json"), shown=True)
    except KeyboardInterrupt:
        console.print("\nInterrupted. What was made is being destroyed, which takes some minutes.")
        raise
    finally:
        destroy(stage, place, stack, folder)


def destroy(stage: Stage, place: Place, stack: Stack, folder: Path) -> None:
    """Destroy everything, without regard to Ctrl-C; Terraform's state stays if something is left."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    try:
        demo.destroy(stage, place, stack)
    except BaseException:
        console.print(f"[bold red]Something is left.[/bold red] Run: CLEAN={place.name} make acceptance")
        raise
    shutil.rmtree(folder)


def report(stage: Stage, place: Place, began: datetime, region: str, known: Mapping[str, str]) -> str:
    """Return the report, in Markdown."""
    where = "the emulator, which settles nothing about AWS" if place.local else f"AWS, {region}"
    chose = f"TRAIN={int(place.train)}, SOURCE_CONDITIONS={int(place.source_conditions)}"
    lines = ["# Acceptance", "", f"{began:%Y-%m-%d %H:%M} UTC, on {where}. {chose}.", ""]
    lines += ["| what | version |", "|---|---|", *(f"| {name} | {version} |" for name, version in known.items())]
    lines += ["", "| step | result | seconds |", "|---|---|---:|"]
    lines += [f"| {title} | did what it says | {seconds:.0f} |" for title, seconds in stage.seconds.items()]
    lines += [f"| {title} | **failed** | |" for title, _ in stage.failed]
    lines += ["", "| not verified before | by the step | result |", "|---|---|---|"]
    lines += [f"| {one.document}: {one.words} … | {one.step} | {result(one, stage, place)} |" for one in UNVERIFIED]
    for title, why in stage.failed:
        lines += ["", f"## {title}", "", *(f"    {line}" for line in why[-4000:].splitlines())]
    return "\n".join(lines) + "\n"


def result(one: Unverified, stage: Stage, place: Place) -> str:
    """Return what a run says of a thing that wasn't verified."""
    failed = dict(stage.failed)
    given = {TRAINED: place.train, CONDITIONS: place.source_conditions, WRITTEN_BACK: place.writes_back}
    given[NOT_ROOT] = place.local or place.trusted is not None
    given[WITH_SEGMENT] = one.step in {**stage.seconds, **failed}
    if one.needs and not given[one.needs]:
        return f"not in this run: needs {one.needs}"
    if one.step in failed:
        return "the step failed, see below"
    if one.step not in stage.seconds:
        return "not reached"
    return "works on the emulator" if place.local else "works"


def versions() -> dict[str, str]:
    """Return the versions of what took part."""
    commit = _said("git", "rev-parse", "--short", "HEAD").strip() or "unknown"
    return {
        "personalize-segment": f"{__version__}, commit {commit}",
        "Python": platform.python_version(),
        "boto3": boto3.__version__,
        "Terraform": json.loads(_said("terraform", "version", "-json"))["terraform_version"],
        "system": platform.system(),
    }


def _said(*command: str) -> str:
    if shutil.which(command[0]) is None:
        return ""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def masked(text: str, account: str, environment: Mapping[str, str]) -> str:
    """Return a text without the account's number, credentials, keys and tokens, and the home folder."""
    hidden = {account: "************", str(Path.home()): "~"}
    hidden |= {environment[name]: f"({name})" for name in HIDDEN if environment.get(name)}
    for value in sorted(hidden, key=len, reverse=True):
        text = text.replace(value, hidden[value])
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="acceptance.py", description="The demo's steps in your AWS account.")
    parser.add_argument("--report", type=Path, default=Path("acceptance.md"), help="the report (acceptance.md)")
    parser.add_argument("--facts", type=Path, help="write what each step handed over, as JSON")
    options = parser.parse_args()
    for name in [one for one in os.environ if one.startswith(("TF_VAR_", "TF_CLI_ARGS"))]:
        del os.environ[name]  # meant for another stack
    try:
        sys.exit(main(os.environ, options.report, options.facts))
    except FAILURES as error:
        console.print(f"[bold red]acceptance:[/bold red] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
