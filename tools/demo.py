"""`make demo`: the whole loop against an emulated AWS: logs, training data, infrastructure, live events, profile.

    demo.py [--report FILE] [--image FILE]

It runs the same commands as a user, and fails if a result is wrong. ENGINE=spark exports with the Glue job's script.
KEEP=1 leaves everything running until Ctrl-C. AWS is in this process, so a killed run doesn't affect the next one.
The steps are in `walk`. `tools/acceptance.py` runs them in an AWS account.
"""

import argparse
import csv
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from rich.markup import escape
from rich.table import Table

from demo_segment import Api, Destination
from demo_stage import DemoError, Place, Stage, check, console, picture, show_json
from personalize_emulator.server import Server, ServerError
from personalize_segment.cli.terminal import Heartbeat
from personalize_segment.contract.mapping import default_text
from personalize_segment.errors import PersonalizeSegmentError, number
from personalize_segment.history.sample import sample
from stacks import ROOT, Stack, StackError

EVENTS = 40_000
#: Personalize's clock runs this many times faster, so that hours of training take seconds.
SPEED = 5_000
REGION = "us-west-2"
TASTE = "Audio"
FOLDER = ROOT / ".build" / "demo"
INFRASTRUCTURE = "Infrastructure: terraform apply"
PERSONALIZE = "Amazon Personalize: plan and apply"
LIVE = "Live: events in, recommendations back to the profile"
GLUE = "The Glue job: the same rows"
TRAIT = "Profiles: change one trait, keep the others"
DESTROY = "Destroy everything"
VISITORS = "History: attribute the visit before the login"
PLACE = Place(name="shop", external_id="9sQx2TbZ4k", local=True, train=True, write_key="a-write-key")
#: The keys of a spec that cost more than cents.
TRAINED = ("solutions", "campaigns", "recommenders", "metric_attribution")
#: States of a Glue job run that hasn't ended.
GLUE_RUNS = {"STARTING", "RUNNING", "STOPPING", "WAITING"}
#: Maximum delay of AWS queues and logs in seconds.
LAG_SECONDS = 300


def main(report: Path | None, image: Path | None, engine: str, *, keep: bool) -> None:
    """Run all steps. Raise DemoError, StackError or PersonalizeSegmentError if one fails."""
    check(shutil.which("terraform"), "Terraform isn't on the path: install 1.11 or newer")
    folder = own_folder()
    try:
        with Server(region=REGION, speed=SPEED) as server, Api() as api:
            os.environ.update(server.environment())
            stage = Stage(server.environment())
            stack = made(stage, folder)
            walk(stage, PLACE, stack, folder, engine, api)
            if keep:
                show_environment(stage, stack)
            destroy(stage, PLACE, stack)
        if report:
            stage.write(report)
        if image:
            picture(image, *stage.shown)
        stage.show()
        console.print("\n[bold green]All steps passed.[/bold green] Next: deploy to your account, as in the README.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def own_folder() -> Path:
    """Return a folder for this run, and remove those of runs that were killed."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for left in FOLDER.iterdir():
        try:
            os.kill(int(left.name), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
    folder = FOLDER / str(os.getpid())
    folder.mkdir(exist_ok=True)
    return folder


def made(stage: Stage, folder: Path, *, real: bool = False) -> Stack:
    """Build the package, and return the stack that uses it, with wheels for Glue if AWS is `real`."""
    package = folder / "personalize-segment.zip"
    with stage.step("Package", "the same zip for both Lambda functions and the Glue job"):
        command = [sys.executable, str(ROOT / "tools" / "package.py"), "--output", str(package)]
        made_by(command)
        if real:
            made_by([*command[:2], "--glue", "3.11"])
            wheels = ROOT / "dist" / "glue-3.11"
            return Stack(folder / "terraform", stage.environment, package, provider="", wheels=wheels)
    return Stack(folder / "terraform", stage.environment, package)


def made_by(command: list[str]) -> None:
    """Run tools/package.py and print its output."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    check(done.returncode == 0, f"tools/package.py failed: {done.stderr}")
    console.print(done.stdout.strip())


def walk(stage: Stage, place: Place, stack: Stack, folder: Path, engine: str, api: Api | None) -> None:
    """Run the steps, each with the results of earlier ones. `api` receives write-backs."""
    with stage.step(INFRASTRUCTURE, "the same command, in about the same time"):
        console.print("Terraform creates about 70 resources, which takes one to three minutes.")
        outputs = {name: one["value"] for name, one in stack.apply(variables(place, api), progress("created")).items()}
        stage.facts["outputs"] = outputs
        show_json({key: outputs["segment"][key] for key in ("role_arn", "external_ids", "function_arn", "region")}, 2)
    with stage.step("Logs: Segment's files in the bucket", "written by Segment's S3 destination"):
        logs(stage, folder, outputs["data"]["logs"])
    with stage.step(f"History: logs to training data ({engine})", "the same command on a laptop, or the Glue job"):
        export(stage, stack, folder, outputs, engine)
    if not place.local:
        with stage.step(GLUE, ""):
            by_glue_job(stage, outputs)
    given = stack("output", "-json")
    with stage.step("Profiles: load users and items from history", "the same command, or the Glue job itself"):
        load(stage, outputs["data"]["transformed"], given, loaded=engine == "spark" or not place.local)
    with stage.step("Preflight: check the export before training", "the same command"):
        page = folder / "preflight.html"
        stage.command("preflight", outputs["data"]["transformed"], "--html", str(page), shown=True)
        check(page.stat().st_size > 10_000, "the preflight page is empty")
    with stage.step(PERSONALIZE, "the same command, but training takes hours"):
        spec = given if place.train else json.dumps(untrained(outputs["personalize"]))
        stage.facts["results"] = json.loads(
            stage.command("apply", "--yes", "--poll", place.poll, "-", given=spec, shown=True)
        )
        stage.command("plan", "--check", "-", given=spec)
        print(stage.command("verify", "-", given=given), end="")
    with stage.step(LIVE, "Segment invokes the function"):
        live(stage, place, api, outputs)
    with stage.step(TRAIT, "Segment invokes the function"):
        change_one_trait(stage, place, outputs)
    with stage.step(VISITORS, "the next export from Segment's logs"):
        history_of_the_visit(stage, folder)
    with stage.step("Operation: rejected events and metrics", "the same command, and a dashboard"):
        operator(stage, outputs)


def destroy(stage: Stage, place: Place, stack: Stack) -> None:
    """Destroy all that exists. Raise an error that lists leftovers."""
    with stage.step(DESTROY, "the same two commands"):
        errors = []
        for part in (
            lambda: None if place.local else stop_glue_job(place),
            lambda: stage.command("destroy", "--yes", "--poll", place.poll, "--name", place.name),
            # Without a state, nothing was created.
            lambda: stack.destroy(progress("destroyed")) if stack.has_state() else None,
            lambda: delete_secret(place),
        ):
            try:
                part()
            except Exception as error:  # noqa: BLE001
                # Go on: the other parts cost money, too.
                errors.append(str(error) or repr(error))
        check(not errors, "\n".join(errors))


def variables(place: Place, api: Api | None) -> dict[str, Any]:
    """Return Terraform's variables: the three without a default, and settings for the demo."""
    if place.write_key:
        boto3.client("secretsmanager").create_secret(Name=place.secret, SecretString=place.write_key)
    return {
        "name": place.name,
        "segment_external_ids": [place.external_id],
        "segment_principal_arns": [place.trusted] if place.trusted else None,
        "source_conditions": place.source_conditions,
        "write_key_secret": {"name": place.secret},
        "write_back": {"events": ["*"], "segment_host": api.url if api else None, "interval_seconds": 0},
        # Don't collect users and items into batches.
        "profile_queue": {"batch": {"size": 10, "window_seconds": 0}},
        "profile_table": {"deletion_protection": False},
        "bucket": {"force_destroy": True},
    }


def stop_glue_job(place: Place) -> None:
    """Stop the Glue job, if it exists, and wait for it to end, because it writes into the bucket to delete."""
    glue, name, until = boto3.client("glue"), f"{place.name}-history", time.monotonic() + LAG_SECONDS
    with _unless_gone():
        while runs := [
            run["Id"] for run in glue.get_job_runs(JobName=name)["JobRuns"] if run["JobRunState"] in GLUE_RUNS
        ]:
            check(time.monotonic() < until, f"the Glue job {name} doesn't stop")
            glue.batch_stop_job_run(JobName=name, JobRunIds=runs)
            time.sleep(15)


def delete_secret(place: Place) -> None:
    """Delete the secret with the write key, if it exists."""
    with _unless_gone():
        boto3.client("secretsmanager").delete_secret(SecretId=place.secret, ForceDeleteWithoutRecovery=True)


@contextmanager
def _unless_gone() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ResourceNotFoundException", "EntityNotFoundException"):
            raise


def untrained(spec: dict[str, Any]) -> dict[str, Any]:
    """Return a spec without trained and serving resources."""
    return {key: value for key, value in spec.items() if key not in TRAINED}


def progress(done: str) -> Any:
    """Return a callback that prints the last line, and before it a count, in place on a terminal or once a minute."""
    counted: Counter[str] = Counter()
    began, heart = time.monotonic(), Heartbeat()

    def show(line: str) -> None:
        counted["resources"] += "complete after" in line and "Read complete" not in line
        said = f"{counted['resources']} resources {done} in {time.monotonic() - began:.0f} s"
        if line.startswith(("Apply complete", "Destroy complete")):
            console.print(escape(line))
        elif console.is_terminal:
            console.print(said, end="\r")
        elif heart.due():
            console.print(said)

    return show


def logs(stage: Stage, folder: Path, where: str) -> None:
    """Generate Segment logs and upload them like its S3 destination."""
    s3 = boto3.client("s3")
    bucket, _, prefix = where.removeprefix("s3://").partition("/")
    root = sample(folder, EVENTS)
    files = [one for one in root.rglob("*") if one.is_file()]
    for one in files:
        s3.upload_file(str(one), bucket, prefix + one.relative_to(root).as_posix())
    stage.facts["logs"] = len(files)
    console.print(f"About {EVENTS:,} events of a shop and a video service in {len(files)} files: {where}")


def export(stage: Stage, stack: Stack, folder: Path, outputs: dict[str, Any], engine: str) -> None:
    """Export from and to S3, and print the first rows."""
    data = outputs["data"]
    if engine == "spark":
        by_glue_script(stack, folder, outputs)
    else:
        stage.command("export", data["logs"], data["transformed"], shown=True)
    report = json.loads(read(data["transformed"] + "report.json"))
    stage.facts["report"] = report
    for name, counts in report["datasets"].items():
        check(counts["rows"] > 0, f"the export has no {name}")
    first = part(data["transformed"], "interactions")
    table = Table(*first[0], title="interactions, first rows", title_justify="left")
    for row in first[1:4]:
        table.add_row(*map(escape, row))
    console.print(table)


def load(stage: Stage, transformed: str, given: str, *, loaded: bool) -> None:
    """Load the export's users and items into the profile table. If `loaded`, the Glue job has already done so."""
    said = stage.command("profiles", "load", transformed, "-", "--rate", "2000", "--json", given=given)
    counts = json.loads(said)
    console.print(f"{counts['written']:,} profiles written, {counts['unchanged']:,} unchanged")
    check(counts["unchanged" if loaded else "written"] > 0, f"the table was loaded with {said}")
    stage.facts["loaded"] = counts


def by_glue_script(stack: Stack, folder: Path, outputs: dict[str, Any]) -> None:
    """Run the job's script with its arguments on local files, because plain PySpark doesn't read S3."""
    job = boto3.client("glue").get_job(JobName=outputs["operations"]["glue_job"])["Job"]
    out = folder / "transformed"
    wanted = ("--event_mapping", "--profile_table", "--profile_queue")
    arguments = {name: value for name, value in job["DefaultArguments"].items() if name in wanted}
    arguments |= {"--S3_JSON_INPUT_PATH": str(folder / "segment-logs"), "--S3_CSV_OUTPUT_PATH": str(out)}
    script = folder / "script.py"
    script.write_bytes(read(job["Command"]["ScriptLocation"]))
    console.print(f"[dim]$ {job['Command']['ScriptLocation']} --S3_JSON_INPUT_PATH … [/dim]", soft_wrap=True)
    command = [sys.executable, str(script), *(text for pair in arguments.items() for text in pair)]
    done = subprocess.run(command, capture_output=True, text=True, env=stack.environment, check=False)
    check(done.returncode == 0, f"the Glue job's script failed: {done.stderr[-2000:]}")
    bucket, _, prefix = outputs["data"]["transformed"].removeprefix("s3://").partition("/")
    for one in out.rglob("*"):
        if one.is_file():
            boto3.client("s3").upload_file(str(one), bucket, prefix + one.relative_to(out).as_posix())


def by_glue_job(stage: Stage, outputs: dict[str, Any]) -> None:
    """Run the job in AWS, and compare its rows with the earlier export."""
    glue, name = boto3.client("glue"), outputs["operations"]["glue_job"]
    run_id = glue.start_job_run(JobName=name)["JobRunId"]
    began, heart = time.monotonic(), Heartbeat()
    while (run := glue.get_job_run(JobName=name, RunId=run_id)["JobRun"])["JobRunState"] in GLUE_RUNS:
        if heart.due():
            console.print(f"{name} {run['JobRunState']}, for {(time.monotonic() - began) / 60:.0f} min")
        time.sleep(15)
    check(run["JobRunState"] == "SUCCEEDED", f"the Glue job ended {run['JobRunState']}: {run.get('ErrorMessage')}")
    report = json.loads(read(outputs["data"]["transformed"] + "report.json"))
    rows = [{key: one["rows"] for key, one in each["datasets"].items()} for each in (stage.facts["report"], report)]
    check(rows[0] == rows[1], f"the export wrote {rows[0]} rows, the Glue job {rows[1]}")
    console.print(f"{rows[1]} in {run.get('ExecutionTime')} seconds")


def read(place: str) -> bytes:
    """Return an object in S3."""
    bucket, _, key = place.removeprefix("s3://").partition("/")
    found: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return found


def part(transformed: str, dataset: str) -> list[list[str]]:
    """Return the lines of a dataset's first CSV file."""
    bucket, _, prefix = transformed.removeprefix("s3://").partition("/")
    found = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=f"{prefix}{dataset}/")["Contents"]
    return list(csv.reader(io.StringIO(read(f"s3://{bucket}/{found[0]['Key']}").decode(), newline="")))


def live(stage: Stage, place: Place, api: Api | None, outputs: dict[str, Any]) -> None:
    """Send events like Segment, and check decisions and recommendations."""
    segment = Destination(outputs["segment"], place)
    taken = api.taken if api else []
    header, *items = part(outputs["data"]["transformed"], "items")
    category = {row[header.index("ITEM_ID")]: row[header.index("CATEGORY")] for row in items}
    liked = [item for item, name in category.items() if name == TASTE]
    other = next(item for item, name in category.items() if name not in (TASTE, ""))
    chosen = random.Random(1).sample(liked, 3)

    def share(listed: list[str]) -> float:
        return sum(category.get(item) == TASTE for item in listed) / len(listed)

    table = Table("event", "decision", "rows", "recommendation", "write-back", f"{TASTE} items (of 25)")

    def send(what: str, event: dict[str, Any]) -> dict[str, Any]:
        before = len(taken)
        answer = segment.send(event)
        listed = api.last() if api and len(taken) > before else []
        rows = ", ".join(number(count, name.removesuffix("s")) for name, count in answer["rows"].items())
        shown = str(round(share(listed) * len(listed))) if listed else ""
        table.add_row(what, answer["decision"], rows, answer["recommendation"], answer["write_back"], shown)
        return answer

    def recommended(after: str, answer: dict[str, Any]) -> list[str]:
        if not place.train:
            return []
        if place.writes_back:
            check(answer["write_back"] == "sent", f"{after} led to no recommendations")
        if api:
            return api.last()
        campaign = next(iter(stage.facts["results"]["campaigns"].values()))
        return stage.command("recommend", campaign, "shopper-1").split()

    visit, view, who, order = stage.facts["story"] = story(other, chosen)
    check(send("an anonymous visit", visit)["decision"] == "recorded", "the visit wasn't recorded")
    before = recommended("the view", send("a product view", view))
    check(send("an identify", who)["rows"].get("users") == 1, "the identify produced no user")
    answer = send(f"an order of three from {TASTE}", order)
    check(answer["rows"] == {"interactions": 3}, f"the order produced {answer['rows']} instead of three interactions")
    after = recommended("the order", answer)
    sent = taken[-1:]
    check(send("the same order again", order)["decision"] == "recorded", "the replay wasn't acknowledged")
    # Personalize recognizes the eventIds, and Segment the messageId.
    again = [[one[key] for key in ("messageId", "traits")] for one in sent + taken[-1:]]
    check(again[:1] == again[1:], "a replay changed something")
    broken = event("track", "m-broken", event="Order Completed", userId="shopper-1", properties={"products": "none"})
    check(send("a malformed order", broken)["decision"] == "rejected", "the malformed order wasn't rejected")
    stage.show_table(table)
    if not place.train:
        return
    rose = f"after the order, {share(after):.0%} are {TASTE}; before, {share(before):.0%}"
    # In AWS, a trained model decides.
    check(share(after) > share(before) or not place.local, rose)
    shown = Table("rank", "before the order", "after the order")
    for rank, pair in enumerate(zip(before[:5], after[:5], strict=True), start=1):
        shown.add_row(str(rank), *(f"{item} ({category.get(item) or 'a film'})" for item in pair))
    stage.show_table(shown)
    stage.facts |= {"before": share(before), "after": share(after), "identifies": taken, "chosen": chosen}


def story(other: str, chosen: list[str]) -> list[dict[str, Any]]:
    """Return the events of a visitor who views a product, logs in and orders."""
    lines = [{"product_id": item, "price": 20 + number} for number, item in enumerate(chosen)]
    return [
        product("Product Viewed", "m-anonymous", other),
        product("Product Viewed", "m-view", other, userId="shopper-1"),
        event("identify", "m-identify", userId="shopper-1", traits={"plan": "pro"}),
        event("track", "m-order", event="Order Completed", userId="shopper-1", properties={"products": lines}),
    ]


def history_of_the_visit(stage: Stage, folder: Path) -> None:
    """Export the events of the visitor who logged in, and print how many interactions belong to the user."""
    source = folder / "visit"
    source.mkdir()
    (source / "log.json").write_text("".join(json.dumps(one) + "\n" for one in stage.facts["story"]), "utf-8")
    mapping = json.loads(default_text())
    table = Table("interactions.visitors", "interactions of shopper-1")
    for visitors in ("stitch", "drop"):
        mapping["interactions"]["visitors"] = visitors
        (folder / f"{visitors}.json").write_text(json.dumps(mapping), "utf-8")
        out = source / visitors
        stage.command("export", str(source / "log.json"), str(out), "--mapping", str(folder / f"{visitors}.json"))
        found = json.loads((out / "report.json").read_bytes())["datasets"]["interactions"]["rows"]
        stage.facts[visitors] = found
        table.add_row(visitors, str(found))
    console.print(table)
    check(stage.facts["stitch"] == stage.facts["drop"] + 1, "the visit before the login wasn't attributed to the user")


def change_one_trait(stage: Stage, place: Place, outputs: dict[str, Any]) -> None:
    """Change one trait of a user from history with an identify, and print the row in the table and in Personalize."""
    header, *users = part(outputs["data"]["transformed"], "users")
    rows = (dict(zip(header, user, strict=True)) for user in users)
    before = next({column: value for column, value in row.items() if value} for row in rows if row["COUNTRY"])
    name = before.pop("USER_ID")
    wanted = before | {"PLAN": "enterprise"}
    told = event("identify", "m-partial", userId=name, traits={"plan": "enterprise"})
    check(Destination(outputs["segment"], place).send(told)["rows"] == {"users": 1}, "the identify produced no user")
    stored = stored_profile(outputs["operations"]["profile_table"], f"users#{name}", wanted)
    # In AWS, this export takes a quarter of an hour.
    personalize = in_personalize(stage, outputs, name) if place.local else stored
    table = Table("column", "history", 'after identify {"plan": "enterprise"}', "in the table", "in Personalize")
    for column, value in wanted.items():
        said = value if column == "PLAN" else ""
        cells = (before.get(column, ""), said, stored.get(column, ""), personalize.get(column, ""))
        table.add_row(column, *map(escape, cells))
    console.print(f"User {escape(name)}")
    console.print(table)
    check(stored == personalize == wanted, f"the table has {stored} and Personalize {personalize}, instead of {wanted}")
    stage.facts["one trait"] = {"history": before, "table": stored, "personalize": personalize}


def in_personalize(stage: Stage, outputs: dict[str, Any], user: str) -> dict[str, str]:
    """Return the row that Personalize has of a user, from a dataset export job."""
    api, where = boto3.client("personalize"), f"{outputs['data']['reports']}users/"
    job = api.create_dataset_export_job(
        jobName="shop-users", datasetArn=stage.facts["results"]["datasets"]["users"], ingestionMode="PUT",
        roleArn=outputs["personalize"]["role_arn"], jobOutput={"s3DataDestination": {"path": where}},
    )["datasetExportJobArn"]  # fmt: skip
    for _ in range(100):
        found = api.describe_dataset_export_job(datasetExportJobArn=job)["datasetExportJob"]["status"]
        if found == "ACTIVE":
            break
        time.sleep(0.1)
    rows = list(csv.DictReader(io.StringIO(read(f"{where}shop-users.csv").decode(), newline=""), escapechar="\\"))
    row = next(one for one in rows if one.pop("USER_ID") == user)
    return {column: value for column, value in row.items() if value}


def product(name: str, message_id: str, item: str, **more: str) -> dict[str, Any]:
    """Return an event about one product."""
    return event("track", message_id, event=name, properties={"product_id": item, "price": 20}, **more)


def event(call: str, message_id: str, **more: Any) -> dict[str, Any]:
    """Return an event as Segment sends it."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    common = {"type": call, "messageId": message_id, "anonymousId": "visitor-1", "timestamp": now}
    return {**common, "receivedAt": now, "context": {}, **more}


def operator(stage: Stage, outputs: dict[str, Any]) -> None:
    """Print the rejected events and the metrics."""
    operations, until = outputs["operations"], time.monotonic() + LAG_SECONDS
    print(stage.command("redrive", operations["queues"]["rejected"], shown=True), end="")
    groups = [group for key, group in operations["log_groups"].items() if key != "history"]
    both: Counter[str] = Counter()
    while both["ProfilesRecorded"] < max(1, both["RowsUsers"] + both["RowsItems"]) and time.monotonic() < until:
        both = sum(map(metrics_in, groups), Counter())
        time.sleep(0.2)
    stage.facts["metrics"] = dict(both)
    table = Table("metric", "sum")
    for name, total in sorted(both.items()):
        if not name.endswith("Milliseconds"):
            table.add_row(name, f"{total:.0f}")
    console.print(table)
    check(both["ProfilesRecorded"] > 0, "no user or item went through the profile queue")
    check(both["ProfilesFailed"] == 0, "users or items failed")


def stored_profile(table: str, key: str, wanted: dict[str, str]) -> dict[str, str]:
    """Return the columns of a profile in the table, once they are as wanted and were sent to Personalize."""
    dynamodb, until = boto3.client("dynamodb"), time.monotonic() + LAG_SECONDS
    while True:
        item = dynamodb.get_item(TableName=table, Key={"id": {"S": key}}, ConsistentRead=True).get("Item", {})
        columns = json.loads(item["columns"]["S"]) if item else {}
        stored = {column: str(cell[0]) for column, cell in columns.items()}
        if (stored == wanted and "telling" not in item) or time.monotonic() > until:
            return stored
        time.sleep(0.2)


def metrics_in(group: str) -> Counter[str]:
    """Return the sums of the metrics in a log group, in CloudWatch's embedded format."""
    sums: Counter[str] = Counter()
    for page in boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group):
        for one in page["events"]:
            try:
                line = json.loads(one["message"])
            except ValueError:
                continue
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", []) if isinstance(line, dict) else ():
                for metric in directive["Metrics"]:
                    value = line[metric["Name"]]
                    sums[metric["Name"]] += sum(value) if isinstance(value, list) else value
    return sums


def show_environment(stage: Stage, stack: Stack) -> None:
    """Print the variables for another terminal, and wait for Ctrl-C."""
    console.print("\n[bold]KEEP=1:[/bold] everything keeps running until Ctrl-C. In another terminal:\n")
    for name, value in stage.environment.items():
        if name.startswith("AWS_"):
            console.print(f"export {name}={value}", soft_wrap=True)
    console.print(f"cd {stack.folder}  # terraform output", soft_wrap=True)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        console.print("\nDestroying everything.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="demo.py", description="The whole loop against an emulated AWS.")
    parser.add_argument("--report", type=Path, help="write the results of each step as JSON")
    parser.add_argument("--image", type=Path, help="write the tables of the live events, as SVG")
    options = parser.parse_args()
    try:
        main(options.report, options.image, os.environ.get("ENGINE", "duckdb"), keep=os.environ.get("KEEP") == "1")
    except (DemoError, StackError, ServerError, PersonalizeSegmentError, OSError) as error:
        console.print(f"[bold red]The demo failed:[/bold red] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
