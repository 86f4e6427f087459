"""The likeliest mistakes: their message on stderr, in one line, and the exit status.

A line has the place, the problem and the remedy, and one full stop at the end. `…` is any text: somebody else's words.
"""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from documents import changed
from personalize_segment.contract.mapping import default_text
from served_stack import Aws, aws
from stack import SHOP

CLICK = {
    "type": "track", "event": "Product Clicked", "messageId": "m1", "userId": "u1",
    "timestamp": "2024-03-01T00:00:00Z", "properties": {"product_id": 7},
}  # fmt: skip
SPEC = {"version": 1, "name": "shop", "datasets": {"interactions": {}}}
BAD_MAPPING = {"version": 1, "interactions": {"fields": {"USER_ID": {"form": ["userId"]}}, "track": {"*": {}}}}
QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/none"
HERE, OTHER = "123456789012", "111111111111"
ACCOUNT = f"Your credentials belong to account {HERE}."
NO_CREDENTIALS = (
    "AWS_PROFILE: isn't set, and no other credentials were found. "
    "Set it to a profile in ~/.aws/config, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
)
NO_REGION = "AWS_DEFAULT_REGION: isn't set, and no profile sets a region. Set it to the stack's region."
EMPTY = 'stack shop: no dataset group "shop" in us-east-1. Run `personalize-segment apply` first.'
NO_STAGE = "no such stage. Pass the folder or s3:// prefix given to `export --stage`."
#: Text that isn't Terraform output.
NO_JSON = "broken.json: isn't JSON. Pass the output of `terraform output -json`."
APPLY = "Run `terraform apply`, then pass the output of `terraform output -json`."
NO_SPEC = f"$: isn't a spec or the output of `terraform output -json`. {APPLY}"
NO_OUTPUTS = f"outputs.json: has no outputs of a stack. {APPLY}"

#: Command -> status and message, which follows "personalize-segment: ".
MISTAKES = {
    # The command line
    "exprot logs out": (2, "No such command 'exprot'. Did you mean 'export'? Run `personalize-segment --help`."),
    "export logs": (2, "Missing argument 'OUT'. Run `personalize-segment export --help`."),
    "export logs out --sinze 2024-03-01": (2, "No such option: --sinze … Run `personalize-segment export --help`."),
    "export logs out --since 03/04/2024": (
        2,
        "Invalid value for '--since': '03/04/2024' could be 2024-03-04 or 2024-04-03. "
        "Write it as 2024-03-01 or 1 Mar 2024. Run `personalize-segment export --help`.",
    ),
    "export logs out --since 2024-03-02 --until 2024-03-01": (
        2,
        "Invalid value for '--until': --since 2024-03-02 isn't before --until 2024-03-01, the day after "
        "the last. Run `personalize-segment export --help`.",
    ),
    "export logs out --until 2024-03-01 --since 2024-03-01": (
        2,
        "Invalid value for '--since': --since 2024-03-01 isn't before --until 2024-03-01, the day after "
        "the last. Run `personalize-segment export --help`.",
    ),
    "destroy": (
        2,
        "Invalid value: Set exactly one of SPEC and --name. --ssm-prefix belongs to --name. "
        "Run `personalize-segment destroy --help`.",
    ),
    "segment": (
        2,
        "Missing argument 'action'. Choose from: plan, apply. Run `personalize-segment segment --help`.",
    ),
    "recommend spec.json": (2, "Missing argument 'USER'. Run `personalize-segment recommend --help`."),
    "schema clicks": (
        2,
        "Invalid value for DATASET: the mapping has no 'clicks', only interactions, users, items. "
        "Run `personalize-segment schema --help`.",
    ),
    "unload redshift --schema web --to s3://bucket/t --role R --database dev": (
        2,
        "Invalid value for --workgroup / --cluster: Set exactly one of them. "
        "Run `personalize-segment unload redshift --help`.",
    ),
    # Files
    "export nowhere out": (1, "nowhere: no such file or folder. Check the path."),
    "export S3://bucket/logs out": (1, "S3://bucket/logs: isn't a path or an S3 URI. Write s3://BUCKET/PREFIX."),
    "export logs out --memory lots": (
        2,
        "Invalid value for '--memory': 'lots' isn't a size such as 1GB or 512MB. "
        "Run `personalize-segment export --help`.",
    ),
    "export '' out": (2, "an argument is empty. A variable of the shell may be unset."),
    "export logs out --stage=": (2, "--stage= is empty. A variable of the shell may be unset."),
    "export dated out --since 2030-01-01": (
        1,
        "dated: has 1 log file, but none in the window. Widen --since and --until.",
    ),
    "stage list nowhere": (1, f"nowhere: {NO_STAGE}"),
    "stage prune nowhere": (1, f"nowhere: {NO_STAGE}"),
    "export empty out": (1, "empty: contains no log files. Pass a folder of .gz, … files, such as segment-logs/."),
    "export logs out --mapping mapping.json": (
        1,
        "mapping.json: $.interactions.fields.USER_ID.form: is unknown. Use only from, … here.",
    ),
    "check broken.json": (1, "broken.json: $: isn't JSON: …. Write one JSON object."),
    "check none.json": (1, "none.json: No such file or directory. Check the path."),
    "check .": (1, ".: Is a directory. Check the path."),
    "init --logs logs --out spec.json": (1, "spec.json: already exists. Name another file, or delete it."),
    "preflight nowhere": (1, "nowhere: no such folder. Name the output of `personalize-segment export`."),
    "preflight logs": (1, "logs: has no interactions/*.csv. Name the output of `personalize-segment export`."),
    "profiles load out": (
        1,
        "OUTPUTS: has no profile table or no profile queue. Pass the output of `terraform output -json` for a stack "
        "with a profile table, or --table and --queue.",
    ),
    "plan typo.json": (1, "typo.json: $.solutionz: is unknown. Use only version, … here."),
    # Terraform's outputs
    "plan outputs.json": (1, f"outputs.json: $: has no spec. {APPLY}"),
    "plan two.json": (1, "two.json: $: has the outputs of 2 stacks: a, b. Select one with --stack: a, b."),
    "status logs/a.json": (1, f"logs/a.json: {NO_SPEC}"),
    "status default.json": (
        1,
        "default.json: $: is an event mapping, not a spec. Pass the spec, whose 'event_mapping' may name this file.",
    ),
    "explain logs/a.json --mapping spec.json": (
        1,
        "spec.json: $: is a spec, not an event mapping. Pass the file that its 'event_mapping' names.",
    ),
    "doctor broken.json": (1, NO_JSON),
    "verify broken.json": (1, NO_JSON),
    "redrive broken.json": (1, NO_JSON),
    "profiles load out broken.json": (1, NO_JSON),
    "segment plan broken.json --source web": (1, NO_JSON),
    "doctor outputs.json": (1, NO_OUTPUTS),
    "segment plan outputs.json --source web": (1, NO_OUTPUTS),
    "redrive outputs.json": (
        1,
        "outputs.json: has no queue of rejected events. Run `terraform apply`, then pass the output of "
        "`terraform output -json`, or the queue's URL.",
    ),
    # AWS
    "export s3://no-bucket/logs out": (
        1,
        f"s3://no-bucket/logs: no such bucket. Check its name, or create it. {ACCOUNT}",
    ),
    "export logs s3://no-bucket/out": (
        1,
        f"s3://no-bucket/out: no such bucket. Check its name, or create it. {ACCOUNT}",
    ),
    "export s3:///logs out": (1, "s3:///logs: isn't a valid S3 URI. Write s3://BUCKET/PREFIX."),
    "plan shop.json": (
        1,
        "s3://data/t/interactions/: can't be read (NoSuchBucket: …). "
        "Run `terraform apply`, or create the bucket if Terraform doesn't manage it.",
    ),
    "status spec.json": (1, EMPTY),
    "import spec.json": (1, EMPTY),
    "train spec.json": (1, EMPTY),
    "train spec.json --rollback": (1, EMPTY),
    "recommend spec.json u1": (1, EMPTY),
    "redrive arn:aws:sqs:us-east-1:123456789012:none": (
        1,
        "arn:aws:sqs:us-east-1:123456789012:none: is an ARN. Pass the queue's URL, or the output of "
        "`terraform output -json`.",
    ),
    f"redrive {QUEUE}": (1, f"{QUEUE}: An error occurred (…NonExistentQueue) …. Check the name, the region and …."),
    "apply priced.json": (1, "not a terminal: pass --yes to confirm."),
}

#: What `terraform output -json` prints.
DEPLOYED = {
    name: {"value": value, "type": "object"}
    for name, value in {
        "segment": {"function_arn": f"arn:aws:lambda:us-east-1:{HERE}:function:shop-event:live"},
        "personalize": SPEC,
        "event_mapping": {"sha256": "0" * 64},
        "operations": {
            "functions": {"event": "shop-event"},
            "glue_job": "shop-history",
            "queues": {"rejected": QUEUE, "profiles": QUEUE},
            "profile_table": "shop-profiles",
        },
    }.items()
}

#: Command and environment -> message; the status is 1.
SETTINGS = [
    ("plan spec.json", {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, NO_REGION),
    (f"redrive {QUEUE}", {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""}, NO_REGION),
    ("plan spec.json", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, NO_CREDENTIALS),
    ("export s3://bucket/logs out", {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}, NO_CREDENTIALS),
    (
        f"unload redshift --schema web --to s3://bucket/t --role {SHOP['role_arn']} --database d --cluster c",
        {"AWS_DEFAULT_REGION": "", "AWS_REGION": ""},
        NO_REGION,
    ),
    (
        "plan spec.json",
        {"AWS_PROFILE": "nope"},
        "AWS_PROFILE: 'nope' isn't a profile in ~/.aws/config. Run `aws configure list-profiles`.",
    ),
    (
        "plan spec.json",
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"},
        "Could not connect to the endpoint URL: …. Check the connection, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL.",
    ),
]

#: Status, stdout and stderr.
Ended = tuple[int, str, str]
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    """Yield an empty AWS."""
    with aws() as made:
        yield made


@pytest.fixture
def run(cloud: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs the command in a folder with files, and returns status, stdout and stderr."""
    files = {
        "logs/a.json": CLICK, "mapping.json": BAD_MAPPING, "spec.json": SPEC, "typo.json": SPEC | {"solutionz": {}},
        "shop.json": SHOP, "outputs.json": {}, "default.json": json.loads(default_text()),
        "deployed.json": DEPLOYED,
        "two.json": {name: {"value": SPEC | {"name": name}, "type": "object"} for name in "ab"},
        "priced.json": changed(SHOP, {f"datasets/{one}/import": ... for one in SHOP["datasets"]}),
    }  # fmt: skip
    for name, document in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(json.dumps(document))
    (tmp_path / "broken.json").write_text('{"version": 1,}')
    (tmp_path / "ids.txt").write_text("u1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dated/1709251200000").mkdir(parents=True)
    (tmp_path / "dated/1709251200000/a.json").write_text(json.dumps(CLICK))
    (tmp_path / "out/profiles/users").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def ended(line: str, **environment: str) -> Ended:
        aside = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "COLUMNS": ""}
        done = cloud.run(*shlex.split(line), **aside | {"AWS_EC2_METADATA_DISABLED": "true"} | environment)
        return done.returncode, done.stdout, done.stderr

    return ended


def said(stderr: str) -> str:
    """Return the message without the line with account and region, and without `apply`'s plan."""
    return stderr[stderr.index("personalize-segment: ") :]


def like(message: str) -> str:
    """Return a pattern of a message."""
    return "personalize-segment: " + re.escape(message).replace("…", ".+") + "\n"


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_one_line_with_a_remedy(command: str, run: Run) -> None:
    status, message = MISTAKES[command]
    ended, out, err = run(command)
    assert (ended, out) == (status, "")
    assert re.fullmatch(like(message), said(err)), said(err)
    assert re.search(r"[^.]\.\n\Z", err)


@pytest.mark.parametrize(("command", "environment", "message"), SETTINGS)
def test_a_missing_setting_of_aws_is_named(command: str, environment: dict[str, str], message: str, run: Run) -> None:
    status, out, err = run(command, **environment)
    assert (status, out) == (1, "")
    assert re.fullmatch(like(message), err), err


#: Every command that reads Terraform's outputs, whose stack is in us-east-1.
OF_OUTPUTS = (
    "plan deployed.json",
    "apply deployed.json --yes",
    "status deployed.json",
    "destroy deployed.json --yes",
    "import deployed.json",
    "train deployed.json",
    "train deployed.json --rollback --once",
    "recommend deployed.json u1",
    "verify deployed.json",
    "redrive deployed.json",
    "redrive deployed.json --send",
    "profiles load out deployed.json",
    "forget deployed.json --suppression list.json --users ids.txt",
)


@pytest.mark.parametrize(
    ("account", "environment", "region", "remedy"),
    [
        (HERE, {"AWS_DEFAULT_REGION": "eu-west-1"}, "eu-west-1", "AWS_DEFAULT_REGION to us-east-1"),
        (OTHER, {}, "us-east-1", f"AWS_PROFILE to a profile for account {OTHER}"),
        (
            OTHER,
            {"AWS_DEFAULT_REGION": "", "AWS_REGION": "eu-west-1"},
            "eu-west-1",
            f"AWS_PROFILE to a profile for account {OTHER} and AWS_DEFAULT_REGION to us-east-1",
        ),
    ],
)
@pytest.mark.parametrize("command", OF_OUTPUTS)
def test_outputs_of_another_region_or_account_are_refused(
    command: str, account: str, environment: dict[str, str], region: str, remedy: str, run: Run, tmp_path: Path
) -> None:
    deployed = tmp_path / "deployed.json"
    deployed.write_text(deployed.read_text().replace(HERE, account))
    message = f"Account and region: account {HERE}, region {region} instead of account {account}, region us-east-1."
    assert run(command, **environment) == (1, "", f"personalize-segment: {message} Set {remedy}.\n")


def test_doctor_says_of_another_region_what_the_others_say(run: Run) -> None:
    status, out, _ = run("doctor deployed.json --json", AWS_DEFAULT_REGION="eu-west-1")
    [finding] = json.loads(out)
    found = f"account {HERE}, region eu-west-1 instead of account {HERE}, region us-east-1"
    assert (status, finding["verdict"], finding["found"]) == (1, "wrong", found)
    assert finding["remedy"] == "Set AWS_DEFAULT_REGION to us-east-1"


def test_the_remedy_of_another_region_works(run: Run) -> None:
    for environment in ({"AWS_DEFAULT_REGION": "us-east-1", "AWS_REGION": "eu-west-1"}, {"AWS_DEFAULT_REGION": ""}):
        status, out, _ = run("destroy deployed.json --yes --json", **environment)
        assert (status, out) == (0, "[]\n")


def test_to_destroy_an_empty_world_is_no_mistake(run: Run) -> None:
    where = "account 123456789012, region us-east-1, stack shop\n"
    nothing = f'{where}Nothing to delete: no dataset group "shop" in us-east-1.\n'
    assert run("destroy spec.json") == (0, "", nothing)
    here_only = nothing.removesuffix("\n") + " Other regions were not searched.\n"
    assert run("destroy --name shop") == (0, "", here_only)
    assert run("destroy --name shop --json") == (0, "[]\n", here_only)


def test_preflight_names_another_mapping_before_the_headers_that_it_made_red(run: Run, tmp_path: Path) -> None:
    own = changed(json.loads(default_text()), {"interactions/fields/EXTRA": {"value": "x", "type": "string"}})
    (tmp_path / "own.json").write_text(json.dumps(own))
    assert run("export logs out --mapping own.json")[0] == 0
    status, out, err = run("preflight out")
    assert (status, err) == (
        1,
        "out: The export used another event mapping. "
        "Pass the Lambda function's mapping with --mapping, and export with it.\n",
    )
    assert "✗" in out
