"""Shared by all verbs: the application, options, messages, progress, and reading the mapping."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape

from ..contract.mapping import EventMapping, default_text, parse
from ..errors import MappingError, PersonalizeSegmentError, sentence
from .days import day

Verb = TypeVar("Verb", bound=Callable[..., Any])

app = typer.Typer(
    name="personalize-segment",
    help="Train Amazon Personalize on Segment events, and write its recommendations back to Segment.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)
#: Characters per line off a terminal, so that no cell wraps.
WIDEST = 100_000


def console(*, stderr: bool = False) -> Console:
    """Return a console for results (stdout) or messages (stderr). Off a terminal, only COLUMNS limits lines."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = WIDEST
    return made


messages = console(stderr=True)


def verb(
    example: str, panel: str | None = None, to: typer.Typer = app, name: str | None = None
) -> Callable[[Verb], Verb]:
    """Return a decorator that adds a verb with an example to a panel of the overview, or to a group of verbs."""
    return to.command(name, rich_help_panel=panel, epilog=f"Example: personalize-segment {escape(example)}")


def verbs(name: str, panel: str, about: str) -> typer.Typer:
    """Return a group of verbs in a panel of the overview."""
    made = typer.Typer(help=about, no_args_is_help=True)
    app.add_typer(made, name=name, rich_help_panel=panel)
    return made


def _ordered(context: typer.Context, parameter: typer.CallbackParam, value: date | None) -> date | None:
    """Refuse a window that ends before it begins. Called for both options, and checks at the second."""
    days = context.params | {parameter.name: value}
    if (since := days.get("since")) and (until := days.get("until")) and since >= until:
        raise typer.BadParameter(f"--since {since} isn't before --until {until}, the day after the last")
    return value


#: Panels of the overview, in its order.
PANELS = ("Event mapping", "Training data", "Amazon Personalize", "Operations", "Try it without AWS")
MAPPING, HISTORY, STACK, OPERATIONS, TRY = PANELS


MappingFile = Annotated[
    Path | None,
    typer.Option(
        "--mapping",
        "-m",
        help="Event mapping file (default: built-in e-commerce and video mapping).",
        show_default=False,
    ),
]
Since = Annotated[
    date | None,
    typer.Option(
        "--since", metavar="DAY", parser=day, callback=_ordered, help="First received day (UTC).", show_default=False
    ),
]
Until = Annotated[
    date | None,
    typer.Option(
        "--until",
        metavar="DAY",
        parser=day,
        callback=_ordered,
        help="Day after the last received day (UTC).",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask for confirmation.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]
Overlap = Annotated[int, typer.Option("--overlap", min=0, help="Days before --since to read, only to find duplicates.")]


def _memory(value: str) -> str:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)? ?([kmgt]i?)?b", value, re.IGNORECASE):
        raise typer.BadParameter(f"{value!r} isn't a size such as 1GB or 512MB")
    return value


Memory = Annotated[str, typer.Option(help="DuckDB memory limit before spilling to disk.", callback=_memory)]

#: Seconds between two lines of progress off a terminal.
HEARTBEAT_SECONDS = 60
#: Kinds of reasons in a table on the terminal.
SHOWN = 15


def printable(text: str) -> str:
    """Return the text with unprintable characters, such as control characters, escaped."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def plain(text: str) -> str:
    """Return a `printable` text in which rich finds no markup."""
    return escape(printable(text))


def fail(text: str, status: int = 1) -> NoReturn:
    """Print an error that ends with one full stop, and exit with this status."""
    messages.print(f"[red]personalize-segment:[/red] {plain(sentence(text))}", soft_wrap=True)
    sys.exit(status)


def confirm(question: str) -> None:
    """Ask on a terminal. Exit with 1 unless the answer is yes, or without a terminal."""
    if not sys.stdin.isatty():
        fail("not a terminal: pass --yes to confirm")
    typer.confirm(question, abort=True, err=True)


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Print the extra to install and exit with 1 if an import inside the context fails."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(f"{str(error.name).partition('.')[0]} isn't installed. Install personalize-segment[{extra}]")


def read_bytes(file: Path) -> bytes:
    """Return a file's bytes; - is stdin."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def utf8(data: bytes, file: Path, refused: type[PersonalizeSegmentError]) -> str:
    """Return the text of a file. Raises `refused` if it isn't UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise refused(str(file), "isn't UTF-8 text", "Save it as UTF-8") from None


def read_mapping(file: Path | None) -> EventMapping:
    """Return the event mapping in a file (- is stdin), or the default one."""
    if file is None:
        return parse(default_text())
    with naming(file):
        return parse(utf8(read_bytes(file), file, MappingError))


@contextmanager
def naming(file: Path) -> Iterator[None]:
    """Add the file's name to errors that name a JSON path in it."""
    try:
        yield
    except PersonalizeSegmentError as error:
        if error.place.startswith("$"):
            error.place = f"{'stdin' if str(file) == '-' else file}: {error.place}"
        raise


class Heartbeat:
    """A timer for one line every HEARTBEAT_SECONDS."""

    def __init__(self) -> None:
        self.last = time.monotonic()

    def due(self) -> bool:
        """Return whether a line is due. If so, start the next interval."""
        if time.monotonic() - self.last < HEARTBEAT_SECONDS:
            return False
        self.last = time.monotonic()
        return True


class Ages:
    """The time that each resource has had its current status."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str, float]] = {}

    def of(self, what: str, status: str) -> str:
        """Return the age of a status, such as `12 min`; an empty text if it is new."""
        before, since = self._since.get(what, (None, 0.0))
        if before != status:
            self._since[what] = status, time.monotonic()
            return ""
        seconds = time.monotonic() - since
        return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


@contextmanager
def progress_bar(title: str, *, of: Literal["bytes", "things"]) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that draws a bar on a terminal. Elsewhere it prints a line every minute."""
    if not messages.is_terminal:
        heart = Heartbeat()

        def heartbeat(done: int, total: int) -> None:
            if heart.due():
                unit = " bytes" if of == "bytes" else ""
                messages.print(f"{plain(title)}: {done:,} of about {total:,}{unit}", soft_wrap=True)

        yield heartbeat
        return
    # Loading takes longer than many verbs run, and only a terminal needs it.
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if of == "bytes" else MofNCompleteColumn()
    columns = (TextColumn(title), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_left_out(
    names: Sequence[str],
    reasons: Sequence[tuple[int, *tuple[str | None, ...]]],
    more: str,
    title: str = "Left out",
) -> None:
    """Print the first reasons with their counts. `more` names the place of the others."""
    if not reasons:
        return
    from rich.table import Table

    table = Table("count", *names, title=title, title_justify="left")
    table.columns[0].justify = "right"
    to = console()
    for count, *cells in reasons[:SHOWN]:
        table.add_row(f"{count:,}", *(plain(cell or "") for cell in cells))
    to.print(table)
    if len(reasons) > SHOWN:
        to.print(f"… and {len(reasons) - SHOWN} more kinds of reasons. See {more}")
