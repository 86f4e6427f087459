"""The verbs for Personalize's resources: plan, apply, status, destroy, import, train, recommend."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from .doctor import show_findings
from .plans import plan_progress, show_plan, waiting
from .stack import (
    Poll,
    SpecFile,
    StackName,
    announce,
    client,
    explain_refusals,
    make_clients,
    open_stack,
    polling_every,
)
from .terminal import STACK, AsJson, Yes, confirm, console, messages, plain, verb

if TYPE_CHECKING:
    from ..provision.spec import Spec
    from ..provision.state import ProvisionClients
    from ..provision.steps import Step

PriceFile = Annotated[
    Path | None, typer.Option("--prices", help="File with your prices (default: built-in).", show_default=False)
]


@verb("plan spec.json --check", STACK)
@explain_refusals
def plan(
    spec: SpecFile,
    as_json: AsJson = False,
    prices: PriceFile = None,
    check: Annotated[bool, typer.Option("--check", help="Exit with 3 if there is something to do.")] = False,
    stack: StackName = None,
) -> None:
    """Preview the resources and their cost. Changes nothing."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    table, parsed = read_prices(prices), open_stack(spec, stack).spec
    steps = work.plan(make_clients(), parsed, table)
    if as_json:
        shown = ("action", "kind", "name", "why", "remedy", "cost")
        print(json.dumps([{key: getattr(step, key) for key in shown} for step in steps], indent=2))
    else:
        show_plan(steps, f"prices as of {table.dated}, without warranty", console())
    if check and any(step.action != "nothing" for step in steps):
        raise typer.Exit(3)


@verb("apply outputs.json", STACK)
@explain_refusals
def apply(
    spec: SpecFile,
    as_json: AsJson = False,
    prices: PriceFile = None,
    yes: Yes = False,
    poll: Poll = 20.0,
    stack: StackName = None,
) -> None:
    """Apply the spec: show the plan, ask, and print the results as JSON. Safe to interrupt and rerun."""
    from ..provision import apply as work
    from ..provision.prices import read as read_prices

    table, (parsed, _, home), clients = read_prices(prices), open_stack(spec, stack), make_clients()
    steps = work.plan(clients, parsed, table)
    if not (as_json and yes):
        show_plan(steps, f"prices as of {table.dated}, without warranty")
    if not yes:
        _confirm_plan(steps, f"Apply this to {parsed.name} in {home}?")
    with plan_progress() as show:
        work.apply(clients, parsed, table, polling_every(poll), show)
    print(json.dumps(_results(clients, parsed), indent=2))


@verb("status outputs.json", STACK)
@explain_refusals
def status(spec: SpecFile, as_json: AsJson = False, stack: StackName = None) -> None:
    """Print each current resource and its status. Exits with 1 if a resource is wrong, or if none exists."""
    from ..doctor.personalize import personalize
    from ..provision.state import no_group

    parsed, _, home = open_stack(spec, stack)
    findings = personalize(make_clients(), parsed, polling_every(), str(spec))
    if not findings:
        raise no_group(parsed.name, home.region)
    show_findings(findings, as_json)


@verb("destroy --name shop", STACK)
@explain_refusals
def destroy(
    spec: Annotated[
        Path | None, typer.Argument(metavar="[SPEC]", help="The spec, or - for stdin.", allow_dash=True)
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the stack in this region, if its spec is gone.", show_default=False),
    ] = None,
    ssm_prefix: Annotated[
        str | None,
        typer.Option(
            help="With --name, the prefix of its SSM parameters (default: /NAME/personalize).", show_default=False
        ),
    ] = None,
    yes: Yes = False,
    poll: Poll = 20.0,
    as_json: AsJson = False,
    stack: StackName = None,
) -> None:
    """Show all resources of the stack, ask, and delete them.

    Safe to interrupt and rerun. A stack without resources isn't an error. With --name, deletes in this region only.
    """
    from ..provision import teardown
    from ..provision.spec import of_name
    from ..provision.state import read_state

    if (spec is None) == (name is None) or (spec is not None and ssm_prefix is not None):
        raise typer.BadParameter("Set exactly one of SPEC and --name. --ssm-prefix belongs to --name")
    if spec is not None:
        parsed, _, home = open_stack(spec, stack)
    else:
        parsed = of_name(name or "", ssm_prefix)
        home = announce(f"stack {parsed.name}")
    clients, polling = make_clients(), polling_every(poll)
    steps = teardown.plan(read_state(clients, parsed, polling), parsed)
    if not steps:
        if as_json:
            print("[]")
        # Not a failure, because an interrupted destroy is rerun.
        elsewhere = " Other regions were not searched." if spec is None else ""
        messages.print(
            f'Nothing to delete: no dataset group "{parsed.name}" in {home.region}.{elsewhere}', soft_wrap=True
        )
        return
    show_plan(steps, "")
    if not yes:
        confirm(f"Delete all of this from {home}?")
    with plan_progress() as show:
        teardown.destroy(clients, parsed, polling, show)
    if as_json:
        print(json.dumps([{"kind": step.kind, "name": step.name} for step in steps], indent=2))
    messages.print("Nothing is left.")


@verb("import outputs.json", STACK, name="import")
@explain_refusals
def import_(spec: SpecFile, as_json: AsJson = False, poll: Poll = 20.0, stack: StackName = None) -> None:
    """Import new data from the spec's locations. Skips data that was imported before."""
    from ..provision import training

    parsed, clients = open_stack(spec, stack).spec, make_clients()
    with waiting() as show:
        jobs = training.import_data(clients, parsed, polling_every(poll), show)
    if as_json:
        print(json.dumps(jobs, indent=2))
        return
    table = Table("dataset", "import job")
    for dataset, job in jobs.items():
        table.add_row(dataset, job)
    console().print(table)


@verb("train outputs.json --rollback --once", STACK)
@explain_refusals
def train(
    spec: SpecFile,
    metric: Annotated[str, typer.Option(help="Metric to compare.")] = "normalized_discounted_cumulative_gain_at_25",
    tolerance: Annotated[float, typer.Option(min=0, max=1, help="Fraction by which the metric may be lower.")] = 0.05,
    rollback: Annotated[bool, typer.Option("--rollback", help="Serve the previous version instead.")] = False,
    once: Annotated[
        bool,
        typer.Option("--once", help="With --rollback, pin campaigns that follow the latest until the next apply."),
    ] = False,
    as_json: AsJson = False,
    poll: Poll = 20.0,
    stack: StackName = None,
) -> None:
    """Train new versions, and serve those that are good enough. Exits with 1 if a version wasn't promoted."""
    from ..provision import training

    if once and not rollback:
        raise typer.BadParameter("needs --rollback", param_hint="--once")
    parsed, clients, polling = open_stack(spec, stack).spec, make_clients(), polling_every(poll)
    with waiting() as show:
        if rollback:
            promotions = training.rollback(clients, parsed, polling, show, once=once)
        else:
            promotions = training.train(clients, parsed, polling, metric=metric, tolerance=tolerance, progress=show)
    if as_json:
        print(json.dumps([asdict(promotion) for promotion in promotions], indent=2))
    else:
        table = Table("campaign", "serves", "promoted", "why", "metric", "new", "serving")
        for one in promotions:
            numbers = ("" if number is None else f"{number:.4f}" for number in (one.new, one.serving))
            yes = "yes" if one.promoted else "no"
            table.add_row(*(plain(cell) for cell in (one.campaign, one.version, yes, one.why, one.metric, *numbers)))
        console().print(table)
    if not all(promotion.promoted for promotion in promotions):
        raise typer.Exit(1)


@verb("recommend outputs.json u-42 --number 10", STACK)
@explain_refusals
def recommend(
    place: Annotated[
        str,
        typer.Argument(metavar="SPEC", help="The spec (- is stdin), or the ARN of a campaign or recommender."),
    ],
    user: Annotated[str, typer.Argument(metavar="USER", help="User id, or the session id of a visitor.")],
    of: Annotated[
        str | None,
        typer.Option("--from", help="Campaign or recommender (default: the only one).", show_default=False),
    ] = None,
    number: Annotated[int, typer.Option("--number", "-n", min=1, max=500, help="Maximum number of items.")] = 25,
    filter_: Annotated[
        str | None, typer.Option("--filter", help="Name of a filter in the spec, or its ARN.", show_default=False)
    ] = None,
    as_json: AsJson = False,
    stack: StackName = None,
) -> None:
    """Print recommendations for a user, one item id per line."""
    from ..provision import names
    from ..provision.state import read_state, require_group

    if place.startswith("arn:"):
        announce(place.rpartition(":")[2])
        arn, filter_arn = place, filter_
    else:
        spec = open_stack(Path(place), stack).spec
        clients = make_clients()
        state = read_state(clients, spec, polling_every())
        require_group(clients, spec, state)
        arn = names.served(state, spec, of)
        filter_arn = names.filter_arn(state, spec, filter_) if filter_ else None
    request: dict[str, Any] = {"recommenderArn" if ":recommender/" in arn else "campaignArn": arn}
    request |= {"userId": user, "numResults": number} | ({"filterArn": filter_arn} if filter_arn else {})
    answer = client("personalize-runtime").get_recommendations(**request)
    if as_json:
        items = [{key: item[key] for key in ("itemId", "score") if key in item} for item in answer["itemList"]]
        print(
            json.dumps(
                {"arn": arn, "user": user, "recommendation_id": answer.get("recommendationId"), "items": items},
                indent=2,
            )
        )
        return
    for item in answer["itemList"]:
        print(item["itemId"])


def _confirm_plan(steps: "list[Step]", question: str) -> None:
    """Ask whether to carry out a plan. Without a terminal, refuse one that costs money or deletes something."""
    changes = [step for step in steps if step.action not in ("nothing", "wait", "blocked")]
    careful = [step for step in changes if step.cost or step.action in ("delete", "replace")]
    if changes and (sys.stdin.isatty() or careful):
        confirm(question)


def _results(clients: "ProvisionClients", spec: "Spec") -> dict[str, Any]:
    from ..provision.state import read_state

    state = read_state(clients, spec, polling_every())
    return {
        "tracking_id": state.tracker.detail["trackingId"] if state.tracker else None,
        "datasets": {key: dataset.arn for key, dataset in state.datasets.items()},
        "campaigns": {campaign.name: campaign.arn for campaign in state.campaigns},
        "recommenders": {recommender.name: recommender.arn for recommender in state.recommenders},
        "filters": {filter_.name: filter_.arn for filter_ in state.filters},
        "parameters": state.parameters,
    }
