"""The verbs of Personalize's resources: plan, apply, status, destroy, import, train, recommend."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .plans import plan_progress, show_plan, waiting
from .stack import Poll, SpecFile, explain_refusals, make_clients, polling_every, read_spec
from .terminal import app, fail, messages, plain, requires

if TYPE_CHECKING:
    from ..provision.spec import Spec
    from ..provision.state import ProvisionClients

AsJson = Annotated[bool, typer.Option("--json", help="For machines, on stdout.")]
PriceFile = Annotated[Path | None, typer.Option("--prices", help="Your own table of prices.", show_default=False)]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]


@app.command()
@explain_refusals
def plan(
    spec: SpecFile,
    as_json: AsJson = False,
    prices: PriceFile = None,
    check: Annotated[bool, typer.Option("--check", help="End with status 3 if there is something to do.")] = False,
) -> None:
    """Show what `apply` would do, and what it will cost."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    parsed, table = read_spec(spec), read_prices(prices)
    steps = work.plan(make_clients(), parsed, table)
    if as_json:
        shown = ("action", "kind", "name", "why", "remedy", "cost")
        print(json.dumps([{key: getattr(step, key) for key in shown} for step in steps], indent=2))
    else:
        show_plan(steps, f"prices of {table.dated}, without warranty")
    if check and any(step.action != "nothing" for step in steps):
        raise typer.Exit(3)


@app.command()
@explain_refusals
def apply(spec: SpecFile, as_json: AsJson = False, prices: PriceFile = None, poll: Poll = 20.0) -> None:
    """Make Personalize be as the spec has it; stop and start it whenever you like. Prints the results."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    parsed, table, clients = read_spec(spec), read_prices(prices), make_clients()
    if not as_json:
        show_plan(work.plan(clients, parsed, table), f"prices of {table.dated}, without warranty")
    with plan_progress() as show:
        work.apply(clients, parsed, table, polling_every(poll), show)
    print(json.dumps(_results(clients, parsed), indent=2))


@app.command()
@explain_refusals
def status(spec: SpecFile, as_json: AsJson = False) -> None:
    """Show every resource of the stack, its status, and why it failed. Exit 1 if one has."""
    from ..provision.state import observe

    parsed = read_spec(spec)
    state, _ = observe(make_clients(), parsed, polling_every())
    rows = [
        {
            "kind": resource.kind,
            "name": resource.name,
            "status": resource.status,
            "update": resource.update.get("status"),
            "failure": resource.failure,
            "arn": resource.arn,
        }
        for resource in state.all()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        table = Table("kind", "name", "status", "update", "failure")
        for row in rows:
            table.add_row(*(plain(str(row[key] or "")) for key in ("kind", "name", "status", "update", "failure")))
        messages.print(table)
    if any(row["failure"] for row in rows):
        raise typer.Exit(1)


@app.command()
@explain_refusals
def destroy(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC]", help="The spec, or - for stdin.", allow_dash=True)
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the stack, when its spec is gone.", show_default=False)
    ] = None,
    ssm_prefix: Annotated[
        str | None,
        typer.Option(
            help="With --name, the prefix of its parameters (default: /NAME/personalize).", show_default=False
        ),
    ] = None,
    yes: Yes = False,
    poll: Poll = 20.0,
) -> None:
    """Delete everything of the stack, in AWS's order; shows it first, and asks."""
    from ..provision import teardown
    from ..provision.spec import of_name
    from ..provision.state import read_state

    if (spec is None) == (name is None) or (spec is not None and ssm_prefix is not None):
        fail("Set exactly one of SPEC and --name. --ssm-prefix belongs to --name")
    parsed = read_spec(spec) if spec is not None else of_name(name or "", ssm_prefix)
    clients, polling = make_clients(), polling_every(poll)
    steps = teardown.plan(read_state(clients, parsed, polling), parsed)
    if not steps:
        messages.print("Nothing is there.")
        return
    show_plan(steps, "")
    if not yes:
        if not sys.stdin.isatty():
            fail("nobody to ask: say --yes to delete all of this")
        typer.confirm(f"Delete all of this from {parsed.name}?", abort=True, err=True)
    with plan_progress() as show:
        teardown.destroy(clients, parsed, polling, show)
    messages.print("Nothing is left.")


@app.command(name="import")
@explain_refusals
def import_(spec: SpecFile, poll: Poll = 20.0) -> None:
    """Import what lies at the spec's locations now; what is imported already is left alone."""
    from ..provision import training

    parsed, clients = read_spec(spec), make_clients()
    with waiting() as show:
        jobs = training.import_data(clients, parsed, polling_every(poll), show)
    print(json.dumps(jobs, indent=2))


@app.command()
@explain_refusals
def train(
    spec: SpecFile,
    metric: Annotated[str, typer.Option(help="Metric that decides.")] = "normalized_discounted_cumulative_gain_at_25",
    tolerance: Annotated[float, typer.Option(min=0, max=1, help="How much lower it may be, as a share.")] = 0.05,
    rollback: Annotated[bool, typer.Option("--rollback", help="Serve the version before instead.")] = False,
    poll: Poll = 20.0,
) -> None:
    """Train a new version and let the campaigns serve it if it is good enough. Exit 1 if one wasn't promoted."""
    from ..provision import training

    parsed, clients, polling = read_spec(spec), make_clients(), polling_every(poll)
    with waiting() as show:
        if rollback:
            promotions = training.rollback(clients, parsed, polling, show)
        else:
            promotions = training.train(clients, parsed, polling, metric=metric, tolerance=tolerance, progress=show)
    print(json.dumps([asdict(promotion) for promotion in promotions], indent=2))
    if not all(promotion.promoted for promotion in promotions):
        raise typer.Exit(1)


@app.command()
def recommend(
    arn: Annotated[str, typer.Argument(metavar="ARN", help="Campaign or recommender.")],
    user: Annotated[str, typer.Argument(metavar="USER", help="User, or session of a visitor.")],
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=500, help="How many.")] = 25,
    filter_arn: Annotated[str | None, typer.Option("--filter", help="Filter's ARN.", show_default=False)] = None,
) -> None:
    """Ask for recommendations: one item id a line."""
    with requires("provision"):
        import boto3
        from botocore.exceptions import BotoCoreError, ClientError
    kind = "recommenderArn" if ":recommender/" in arn else "campaignArn"
    request: dict[str, Any] = {kind: arn, "userId": user, "numResults": number}
    request |= {"filterArn": filter_arn} if filter_arn else {}
    try:
        answer = boto3.client("personalize-runtime").get_recommendations(**request)
    except (BotoCoreError, ClientError) as error:
        fail(str(error))
    for item in answer["itemList"]:
        print(item["itemId"])


def _results(clients: "ProvisionClients", spec: "Spec") -> dict[str, Any]:
    from ..provision.state import observe

    state, _ = observe(clients, spec, polling_every())
    return {
        "tracking_id": state.tracker.detail["trackingId"] if state.tracker else None,
        "datasets": {key: dataset.arn for key, dataset in state.datasets.items()},
        "campaigns": {campaign.name: campaign.arn for campaign in state.campaigns},
        "recommenders": {recommender.name: recommender.arn for recommender in state.recommenders},
        "filters": {filter_.name: filter_.arn for filter_ in state.filters},
        "parameters": state.parameters,
    }
