"""What all verbs share: the application, messages, progress, the mapping."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from ..contract.mapping import EventMapping, default_text, parse
from ..errors import MappingError

app = typer.Typer(
    name="personalize-segment",
    help="Segment events into Amazon Personalize, and recommendations back into Segment.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
messages = Console(stderr=True, highlight=False)

MappingFile = Annotated[
    Path | None,
    typer.Option("--mapping", "-m", help="Event mapping (JSON). Without it: e-commerce and video.", show_default=False),
]


def fail(text: str) -> NoReturn:
    """Say what is wrong, and end with status 1."""
    messages.print(f"[red]personalize-segment:[/red] {escape(text)}", soft_wrap=True)
    sys.exit(1)


def read_mapping(path: Path | None) -> EventMapping:
    """Return the event mapping in a file, or the default one."""
    try:
        return parse(default_text() if path is None else path.read_text("utf-8"))
    except UnicodeDecodeError:
        raise MappingError(str(path), "is not UTF-8 text", "Save it as UTF-8") from None


@contextmanager
def progress_bar(title: str, *, of: Literal["bytes", "things"]) -> Iterator[Callable[[int, int], None]]:
    """Yield what draws a bar on a terminal and nothing elsewhere."""
    if not messages.is_terminal:
        yield lambda done, total: None
        return
    # Not loaded for machines: many a verb is done before.
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if of == "bytes" else MofNCompleteColumn()
    columns = (TextColumn(title), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=messages, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
