"""`make acceptance`: the demo's steps in your AWS account, and a report that can be attached to an issue.

Credentials and region come from the environment. It prints the resources and their cost, and asks. Without a terminal,
YES=1 confirms. It stops before training unless TRAIN=1. It destroys everything at the end, also after a failure, Ctrl-C
or a closed terminal. If it was killed before that, CLEAN=NAME destroys the rest later.

    TRAIN=1                            train and serve, too
    SOURCE_CONDITIONS=1                trust policies of Lambda and Glue with aws:SourceAccount and aws:SourceArn
    SEGMENT_WRITE_KEY                  with TRAIN=1, write back to this Segment test source
    PUBLIC_API_TOKEN, SEGMENT_SOURCE   plan Segment's side for this source, without changing it
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
#: Estimates. Mostly two Glue workers for ten minutes, and with TRAIN=1 a campaign for a few hours.
COSTS = {False: "less than 1 USD, in about an hour", True: "about 5 USD, in about four hours"}
MADE = {
    False: "all Terraform resources, and a dataset group with imports and an event tracker",
    True: "all Terraform resources, and a dataset group with imports, a tracker, a trained solution and a campaign",
}
HIDDEN = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SEGMENT_WRITE_KEY", "PUBLIC_API_TOKEN")


@dataclass(frozen=True)
class Unverified:
    """Unverified behavior: its document, words from it, the step that verifies it, and what the step needs."""

    document: str
    words: str
    step: str
    needs: str | None = None


SEGMENT = "Segment's side: plan"
#: What a run may need to verify a behavior.
TRAINED, CONDITIONS, NOT_ROOT = "TRAIN=1", "SOURCE_CONDITIONS=1", "a user or a role, not root"
#: Otherwise the caller requests recommendations instead of the function.
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
    """Run the steps, destroy everything, write the report, and return the exit status."""
    check(shutil.which("terraform"), "Terraform isn't on the path: install 1.11 or newer")
    environment = {**environment, **region_of(environment)}
    os.environ.update(region_of(environment))
    region = environment["AWS_REGION"]
    caller = boto3.client("sts").get_caller_identity()
    place, stage = chosen(environment, caller["Arn"]), Stage(environment)
    folder = FOLDER / place.name
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
            signal.signal(number, interrupt)
    if environment.get("CLEAN"):
        check(folder.exists(), f"{folder} doesn't exist: use the name of a run that left resources")
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
        said = f"\n{written} has the results. It contains no secrets and no account number."
        console.print(said, soft_wrap=True)
    return status


def interrupt(*_: object) -> None:
    """End like Ctrl-C. After SIGHUP the terminal is gone, and printing would fail before the destroy."""
    for number in (1, 2):
        try:
            os.write(number, b"\n")
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
    raise KeyboardInterrupt


def region_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that set the region: boto3 reads one of them, Terraform prefers the other."""
    names = ("AWS_REGION", "AWS_DEFAULT_REGION")
    found = {environment[name] for name in names if environment.get(name)}
    check(len(found) < 2, "AWS_REGION and AWS_DEFAULT_REGION differ: set only one of them")
    region = next(iter(found), None) or boto3.session.Session().region_name
    check(region, "no region: set AWS_REGION")
    return dict.fromkeys(names, str(region))


def chosen(environment: Mapping[str, str], caller: str) -> Place:
    """Return the settings of the run."""
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
    """Return the caller's role or user ARN for a trust policy, or None for root."""
    if ":assumed-role/" in arn:
        return str(boto3.client("iam").get_role(RoleName=arn.split("/")[1])["Role"]["Arn"])
    return arn if ":user/" in arn else None


def ask(place: Place, account: str, region: str, environment: Mapping[str, str]) -> None:
    """Print the resources and their cost. Raise DemoError unless the answer is yes."""
    console.print(
        f"Account {account}, region {region}. All names begin with {place.name}. Everything is destroyed at the end."
    )
    console.print(f"It creates {MADE[place.train]}.")
    console.print(f"It costs {COSTS[place.train]}. Prices are estimates.")
    if not place.train:
        console.print("It stops before training. With TRAIN=1, it also trains and serves.")
    if environment.get("YES") != "1":
        check(sys.stdin.isatty(), "not a terminal: set YES=1 to confirm")
        check(input("Continue? [y/N] ").strip().lower() in ("y", "yes"), "nothing was created")


def run(stage: Stage, place: Place, folder: Path, environment: Mapping[str, str]) -> None:
    """Run all steps, then destroy everything, also after a failure or Ctrl-C."""
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
        console.print("\nInterrupted. Destroying all created resources, which takes some minutes.")
        raise
    finally:
        destroy(stage, place, stack, folder)


def destroy(stage: Stage, place: Place, stack: Stack, folder: Path) -> None:
    """Destroy everything, ignoring Ctrl-C. Keep Terraform's state if something is left."""
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    try:
        demo.destroy(stage, place, stack)
    except BaseException:
        console.print(f"[bold red]Some resources are left.[/bold red] Run: CLEAN={place.name} make acceptance")
        raise
    shutil.rmtree(folder)


def report(stage: Stage, place: Place, began: datetime, region: str, known: Mapping[str, str]) -> str:
    """Return the report, in Markdown."""
    where = "the emulator, which verifies nothing about AWS" if place.local else f"AWS, {region}"
    chose = f"TRAIN={int(place.train)}, SOURCE_CONDITIONS={int(place.source_conditions)}"
    lines = ["# Acceptance", "", f"{began:%Y-%m-%d %H:%M} UTC, on {where}. {chose}.", ""]
    lines += ["| component | version |", "|---|---|", *(f"| {name} | {version} |" for name, version in known.items())]
    lines += ["", "| step | result | seconds |", "|---|---|---:|"]
    lines += [f"| {title} | passed | {seconds:.0f} |" for title, seconds in stage.seconds.items()]
    lines += [f"| {title} | **failed** | |" for title, _ in stage.failed]
    lines += ["", "| not verified before | step | result |", "|---|---|---|"]
    lines += [f"| {one.document}: {one.words} … | {one.step} | {result(one, stage, place)} |" for one in UNVERIFIED]
    for title, why in stage.failed:
        lines += ["", f"## {title}", "", *(f"    {line}" for line in why[-4000:].splitlines())]
    return "\n".join(lines) + "\n"


def result(one: Unverified, stage: Stage, place: Place) -> str:
    """Return the result of a run for an unverified behavior."""
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
    """Return the versions of the components."""
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
    parser.add_argument("--facts", type=Path, help="write the results of each step as JSON")
    options = parser.parse_args()
    for name in [one for one in os.environ if one.startswith(("TF_VAR_", "TF_CLI_ARGS"))]:
        del os.environ[name]  # belongs to another stack
    try:
        sys.exit(main(os.environ, options.report, options.facts))
    except FAILURES as error:
        console.print(f"[bold red]acceptance:[/bold red] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
