"""The verbs of Personalize's resources: plan, apply, status, destroy, import, train, recommend."""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer
from rich.markup import escape
from rich.table import Table

from ..errors import SpecError
from .plans import plan_progress, show_plan, waiting
from .terminal import app, fail, messages

if TYPE_CHECKING:
    from ..provision.apply import Clients, Pace
    from ..provision.draft import Step
    from ..provision.spec import Spec

P = ParamSpec("P")
SpecFile = Annotated[
    Path, typer.Argument(metavar="SPEC", help="The spec, or - for `terraform output -json` on stdin.", allow_dash=True)
]
AsJson = Annotated[bool, typer.Option("--json", help="For machines, on stdout.")]
PriceFile = Annotated[Path | None, typer.Option("--prices", help="Your own table of prices.", show_default=False)]
Poll = Annotated[
    float,
    typer.Option(
        "--poll", min=0.05, envvar="PERSONALIZE_SEGMENT_POLL", help="Seconds between two looks at what is going on."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


def _told(verb: Callable[P, None]) -> Callable[P, None]:
    """Return a verb that says in one line what AWS refuses it to read, or what is not installed."""

    @wraps(verb)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            from botocore.exceptions import ClientError
        except ModuleNotFoundError as error:
            fail(f"{error.name} is missing: install personalize-segment[provision]")
        try:
            verb(*args, **kwargs)
        except ClientError as error:
            fail(f"{error}. Check your credentials and their rights, and the buckets in the spec.")

    return told


@app.command()
@_told
def plan(
    spec: SpecFile,
    as_json: AsJson = False,
    prices: PriceFile = None,
    check: Annotated[bool, typer.Option("--check", help="End with status 3 if there is something to do.")] = False,
) -> None:
    """Show what `apply` would do, and what it will cost."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    parsed, table = _spec(spec), read_prices(prices)
    steps = work.plan(_clients(), parsed, table)
    if as_json:
        print(json.dumps([_as_dict(step) for step in steps], indent=2))
    else:
        show_plan(steps, f"prices of {table.dated}, without warranty")
    if check and any(step.action != "nothing" for step in steps):
        raise typer.Exit(3)


@app.command()
@_told
def apply(spec: SpecFile, as_json: AsJson = False, prices: PriceFile = None, poll: Poll = 20.0) -> None:
    """Make Personalize be as the spec has it; stop and start it whenever you like. Prints the results."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    parsed, table, clients = _spec(spec), read_prices(prices), _clients()
    if not as_json:
        show_plan(work.plan(clients, parsed, table), f"prices of {table.dated}, without warranty")
    with plan_progress() as show:
        work.apply(clients, parsed, table, _pace(poll), show)
    print(json.dumps(_results(clients, parsed), indent=2))


@app.command()
@_told
def status(spec: SpecFile, as_json: AsJson = False) -> None:
    """Show every resource of the stack, its status, and why it failed. Exit 1 if one has."""
    from ..provision import apply as work

    parsed = _spec(spec)
    account, _ = work.look(_clients(), parsed, work.Pace())
    found = [
        {
            "kind": one.kind,
            "name": one.name,
            "status": one.status,
            "update": one.update.get("status"),
            "failure": one.failure,
            "arn": one.arn,
        }
        for one in account.all()
    ]
    if as_json:
        print(json.dumps(found, indent=2))
    else:
        shown = Table("kind", "name", "status", "update", "failure")
        for one in found:
            shown.add_row(*(escape(str(one[key] or "")) for key in ("kind", "name", "status", "update", "failure")))
        messages.print(shown)
    if any(one["failure"] for one in found):
        raise typer.Exit(1)


@app.command()
@_told
def destroy(spec: SpecFile, yes: Yes = False, poll: Poll = 20.0) -> None:
    """Delete everything of the stack, in AWS's order; shows it first, and asks."""
    from ..provision import apply as work
    from ..provision import teardown

    parsed, clients, pace = _spec(spec), _clients(), _pace(poll)
    account, _ = work.look(clients, parsed, pace)
    steps = teardown.plan(account, parsed)
    if not steps:
        messages.print("Nothing is there.")
        return
    show_plan(steps, "")
    if not yes:
        if not sys.stdin.isatty():
            fail("nobody to ask: say --yes to delete all of this")
        typer.confirm(f"Delete all of this from {parsed.name}?", abort=True, err=True)
    with plan_progress() as show:
        teardown.destroy(clients, parsed, pace, show)
    messages.print("Nothing is left.")


@app.command(name="import")
@_told
def import_(spec: SpecFile, poll: Poll = 20.0) -> None:
    """Import what lies at the spec's locations now; what is imported already is left alone."""
    from ..provision import training

    parsed, clients = _spec(spec), _clients()
    with waiting() as show:
        jobs = training.import_data(clients, parsed, _pace(poll), show)
    print(json.dumps(jobs, indent=2))


@app.command()
@_told
def train(
    spec: SpecFile,
    metric: Annotated[str, typer.Option(help="Metric that decides.")] = "normalized_discounted_cumulative_gain_at_25",
    tolerance: Annotated[float, typer.Option(min=0, max=1, help="How much lower it may be, as a share.")] = 0.05,
    rollback: Annotated[bool, typer.Option("--rollback", help="Serve the version before instead.")] = False,
    poll: Poll = 20.0,
) -> None:
    """Train a new version and let the campaigns serve it if it is good enough. Exit 1 if one wasn't promoted."""
    from ..provision import training

    parsed, clients, pace = _spec(spec), _clients(), _pace(poll)
    with waiting() as show:
        if rollback:
            done = training.rollback(clients, parsed, pace, show)
        else:
            done = training.train(clients, parsed, pace, metric=metric, tolerance=tolerance, progress=show)
    print(json.dumps([asdict(one) for one in done], indent=2))
    if not all(one.promoted for one in done):
        raise typer.Exit(1)


@app.command()
def recommend(
    arn: Annotated[str, typer.Argument(metavar="ARN", help="Campaign or recommender.")],
    user: Annotated[str, typer.Argument(metavar="USER", help="User, or session of a visitor.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=500, help="How many.")] = 25,
    filter_arn: Annotated[str | None, typer.Option("--filter", help="Filter's ARN.", show_default=False)] = None,
) -> None:
    """Ask for recommendations: one item id a line."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    kind = "recommenderArn" if ":recommender/" in arn else "campaignArn"
    request: dict[str, Any] = {kind: arn, "userId": user, "numResults": number}
    request |= {"filterArn": filter_arn} if filter_arn else {}
    try:
        answer = boto3.client("personalize-runtime").get_recommendations(**request)
    except (BotoCoreError, ClientError) as error:
        fail(str(error))
    for one in answer["itemList"]:
        print(one["itemId"])


def _clients() -> "Clients":
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        from ..provision.apply import Clients
    except ModuleNotFoundError as error:
        fail(f"{error.name} is missing: install personalize-segment[provision]")
    config = Config(retries={"mode": "standard", "total_max_attempts": 5})
    try:
        return Clients(*(boto3.client(name, config=config) for name in ("personalize", "ssm", "s3")))
    except BotoCoreError as error:
        fail(str(error))


def _spec(file: Path) -> "Spec":
    from ..provision.spec import read

    try:
        if str(file) == "-":
            return read(sys.stdin.buffer.read().decode("utf-8"))
        return read(file.read_text("utf-8"), file.parent)
    except UnicodeDecodeError:
        raise SpecError(str(file), "is not UTF-8 text", "Save it as UTF-8") from None


def _pace(poll: float) -> "Pace":
    from ..provision.apply import Pace

    return Pace(poll_seconds=poll)


def _results(clients: "Clients", spec: "Spec") -> dict[str, Any]:
    from ..provision.apply import Pace, look

    account, _ = look(clients, spec, Pace())
    return {
        "tracking_id": account.tracker.detail["trackingId"] if account.tracker else None,
        "datasets": {kind.lower(): one.arn for kind, one in account.datasets.items()},
        "campaigns": {one.name: one.arn for one in account.campaigns},
        "recommenders": {one.name: one.arn for one in account.recommenders},
        "filters": {one.name: one.arn for one in account.filters},
        "parameters": account.parameters,
    }


def _as_dict(step: "Step") -> dict[str, Any]:
    return {key: value for key, value in asdict(step).items() if key != "call"}
