"""What verbs share: the application, options, messages, progress, the mapping."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from ..contract.mapping import EventMapping, default_text, parse
from ..errors import MappingError, PersonalizeSegmentError
from .days import day

app = typer.Typer(
    name="personalize-segment",
    help="Segment events into Amazon Personalize, and recommendations back into Segment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
#: Columns of a line that no terminal shows: wide enough for every cell.
WIDEST = 100_000


def console(*, stderr: bool = False) -> Console:
    """Return a console for results on stdout, or for messages. Off a terminal, COLUMNS alone limits lines."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = WIDEST
    return made


messages = console(stderr=True)

MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", "-m", help="Event mapping (JSON). Without it: e-commerce and video.", show_default=False),
]
Since = Annotated[
    date | None,
    typer.Option("--since", metavar="DAY", parser=day, help="First received day (UTC).", show_default=False),
]
Until = Annotated[
    date | None, typer.Option("--until", metavar="DAY", parser=day, help="The day after the last.", show_default=False)
]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
Overlap = Annotated[int, typer.Option("--overlap", min=0, help="Days before --since that are read for repeats only.")]

#: Seconds between two lines of progress off a terminal.
HEARTBEAT_SECONDS = 60
#: Kinds of reasons in a table on the terminal.
SHOWN = 15


def plain(text: str) -> str:
    """Return a text for rich as it is; what can't be printed, such as a control character, becomes its escape."""
    return escape("".join(char if char.isprintable() else repr(char)[1:-1] for char in text))


def fail(text: str) -> NoReturn:
    """Say what is wrong, and end with status 1."""
    messages.print(f"[red]personalize-segment:[/red] {plain(text)}", soft_wrap=True)
    sys.exit(1)


def confirm(question: str) -> None:
    """Ask on a terminal, and end with status 1 unless the answer is yes, or if there is no terminal."""
    if not sys.stdin.isatty():
        fail("not a terminal: pass --yes to confirm.")
    typer.confirm(question, abort=True, err=True)


@contextmanager
def requires(extra: str) -> Iterator[None]:
    """Say which extra to install, and end with status 1, if something that is imported inside is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        fail(f"{str(error.name).partition('.')[0]} is missing: install personalize-segment[{extra}]")


def number(count: int, what: str) -> str:
    """Return a count for people: `1 row`, `1,234 rows`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def read_bytes(file: Path) -> bytes:
    """Return what a file holds; - is stdin."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def utf8(data: bytes, file: Path, refused: type[PersonalizeSegmentError]) -> str:
    """Return the text of a file; raise `refused` if it isn't UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise refused(str(file), "is not UTF-8 text", "Save it as UTF-8") from None


def read_mapping(file: Path | None) -> EventMapping:
    """Return the event mapping in a file, or the default one; - is stdin."""
    return parse(default_text() if file is None else utf8(read_bytes(file), file, MappingError))


@contextmanager
def progress_bar(title: str, *, of: Literal["bytes", "things"]) -> Iterator[Callable[[int, int], None]]:
    """Yield what draws a bar on a terminal; elsewhere it prints a line each minute."""
    if not messages.is_terminal:
        began = [time.monotonic()]

        def heartbeat(done: int, total: int) -> None:
            if time.monotonic() - began[0] >= HEARTBEAT_SECONDS:
                began[0] = time.monotonic()
                unit = " bytes" if of == "bytes" else ""
                messages.print(f"{plain(title)}: {done:,} of about {total:,}{unit}", soft_wrap=True)

        yield heartbeat
        return
    # Not loaded for machines: many a verb is done before.
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
    to: Console = messages,
) -> None:
    """Print the first of the reasons, each with its count in front; `more` is where the others are."""
    if not reasons:
        return
    from rich.table import Table

    table = Table("count", *names, title=title, title_justify="left")
    table.columns[0].justify = "right"
    for count, *cells in reasons[:SHOWN]:
        table.add_row(f"{count:,}", *(plain(cell or "") for cell in cells))
    to.print(table)
    if len(reasons) > SHOWN:
        to.print(f"… and {len(reasons) - SHOWN} more kinds of reasons: see {more}")
