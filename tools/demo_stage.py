"""Output of the demo: numbered steps, commands, tables, checks and durations."""

import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

COMMAND = Path(sys.executable).with_name("personalize-segment")
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


class DemoError(Exception):
    """A step failed."""


def check(true: Any, otherwise: str) -> None:
    """Raise DemoError with `otherwise` unless it is true."""
    if not true:
        raise DemoError(otherwise)


def picture(path: Path, *shown: Table) -> None:
    """Write tables as an image of a terminal, an SVG without fonts from elsewhere."""
    terminal = Console(record=True, file=io.StringIO(), width=110, highlight=False)
    for table in shown:
        terminal.print(table)
    svg = terminal.export_svg(title="make demo", unique_id="demo")
    path.write_text(re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL), "utf-8")


def reason() -> str:
    """Return the current error with its traceback."""
    return traceback.format_exc(limit=-1, chain=False)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Settings of a run: a stack `name`, on the emulator (`local`) or in an AWS account.

    `train` is whether Personalize trains and serves. `write_key` belongs to the Segment source to write back to.
    `trusted` can assume Segment's role (None: Segment).
    """

    name: str
    external_id: str
    local: bool
    train: bool
    write_key: str | None
    trusted: str | None = None
    source_conditions: bool = False

    @property
    def secret(self) -> str:
        """The name of the secret with the write key."""
        return f"segment/{self.name}"

    @property
    def poll(self) -> str:
        """Polling interval in seconds."""
        return "0.2" if self.local else "20"

    @property
    def writes_back(self) -> bool:
        """Whether recommendations reach Segment."""
        return self.train and self.write_key is not None


class Stage:
    """The steps so far: their durations in seconds and their results.

    `failed` has the titles of failed steps, each with the reason.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = {**os.environ, **environment, "COLUMNS": str(console.width)}
        self.seconds: dict[str, float] = {}
        self.facts: dict[str, Any] = {}
        self.failed: list[tuple[str, str]] = []
        self.shown: list[Table] = []

    @contextmanager
    def step(self, title: str, in_aws: str) -> Iterator[None]:
        """Print a heading and its equivalent in AWS, and measure the block."""
        console.print(f"\n[bold cyan]{len(self.seconds) + 1}. {title}[/bold cyan]\n[dim]In AWS: {in_aws}[/dim]\n")
        start = time.perf_counter()
        try:
            yield
        except BaseException:
            self.failed.append((title, reason()))
            raise
        self.seconds[title] = time.perf_counter() - start
        console.print(f"[dim]{self.seconds[title]:.1f} s[/dim]")

    def show_table(self, table: Table) -> None:
        """Print a table and keep it for the picture."""
        self.shown.append(table)
        console.print(table)

    def command(self, *arguments: str, given: str = "", shown: bool = False, status: tuple[int, ...] = (0,)) -> str:
        """Run `personalize-segment` and return its output. If `shown`, print its messages."""
        console.print(f"[dim]$ personalize-segment {escape(' '.join(arguments))}[/dim]", soft_wrap=True)
        messages: list[str] = []
        end, begin = os.pipe()

        def tee() -> None:
            with os.fdopen(end, encoding="utf-8") as lines:
                for line in lines:
                    messages.append(line)
                    if shown:
                        print(line, end="", flush=True)

        reader = threading.Thread(target=tee)
        reader.start()
        try:
            done = subprocess.run(
                [COMMAND, *arguments],
                input=given,
                stdout=subprocess.PIPE,
                stderr=begin,
                encoding="utf-8",
                env=self.environment,
                check=False,
            )
        finally:
            os.close(begin)
            reader.join()
        said = f"personalize-segment {arguments[0]} ended with {done.returncode}: {''.join(messages)}"
        check(done.returncode in status, said)
        return done.stdout

    def write(self, file: Path) -> None:
        """Write the durations and results of the steps as JSON."""
        file.write_text(json.dumps({"seconds": self.seconds} | self.facts, indent=2), "utf-8")

    def show(self) -> None:
        """Print the duration of each step."""
        table = Table("step", "seconds", title="Time", title_justify="left")
        table.columns[1].justify = "right"
        for number, (title, seconds) in enumerate(self.seconds.items(), start=1):
            table.add_row(f"{number}. {title}", f"{seconds:.1f}")
        table.add_section()
        table.add_row("all", f"{sum(self.seconds.values()):.1f}")
        console.print()
        console.print(table)


def show_json(value: Any, indent: int | None = None) -> None:
    """Print a value in colors."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    console.print(Syntax(text, "json", background_color="default", word_wrap=True))
