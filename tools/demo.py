"""`make demo`: Segment logs become training data for Amazon Personalize, on this machine alone.

    demo.py [LOGS]

Without LOGS, a folder, it generates the logs of a shop and a video service. It runs the
commands that a user runs, and fails if one of them didn't do what it says.
"""

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax
from rich.table import Table

from personalize_segment import logs
from personalize_segment.errors import PersonalizeSegmentError
from personalize_segment.mapping import default_text, parse
from personalize_segment.rows import MISSING, parse_line, rows
from personalize_segment.sample import sample

EVENTS = 50_000
ROWS_SHOWN = 3
COMMAND = Path(sys.executable).with_name("personalize-segment")
WIDTH = None if sys.stdout.isatty() else 120
console = Console(highlight=False, width=WIDTH)


class DemoError(Exception):
    """A step didn't do what it says."""


class Steps:
    """The headings of the demo, and how long what stands below each one took."""

    def __init__(self) -> None:
        """Begin with no step."""
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Print a heading, and measure what is done below it."""
        console.print(f"\n[bold cyan]{len(self.seconds) + 1}. {title}[/bold cyan]\n")
        start = time.perf_counter()
        yield
        self.seconds[title] = time.perf_counter() - start

    def show(self) -> None:
        """Print how long each step took."""
        table = Table("step", "seconds", title="Time", title_justify="left")
        table.columns[1].justify = "right"
        for number, (title, seconds) in enumerate(self.seconds.items(), start=1):
            table.add_row(f"{number}. {title}", f"{seconds:.2f}")
        console.print()
        console.print(table)


def main(given: str | None) -> None:
    """Run all steps on the logs in `given`, or on generated ones."""
    steps = Steps()
    with tempfile.TemporaryDirectory(prefix="personalize-demo-") as folder:
        out = Path(folder, "transformed")
        with steps.step("Segment's logs"):
            root = Path(given) if given else _generated(Path(folder))
            files = logs.sort_out(logs.list_folder(root), logs.Window(), root=str(root)).inside
            console.print(
                f"{len(files)} files, {sum(one.bytes for one in files) / 1e6:,.1f} MB, below {escape(str(root))}"
            )
        with steps.step("One of its events, as Segment wrote it"):
            mapping = parse(default_text())
            order = _find(files, lambda event: any(row.index for row in rows(mapping, event)[0]))
            event = order or _find(files, lambda event: bool(rows(mapping, event)[0]))
            _show_json(_found(event, "not one event in these logs gives a row with the default mapping"), indent=None)
        with steps.step("Export: logs to CSV"):
            _command("export", str(root), str(out), shown=True)
            report = json.loads((out / "report.json").read_text("utf-8"))
            _check(report["datasets"]["interactions"]["rows"] > 0, "the export has no interaction")
        with steps.step("The first rows of each file"):
            schemas = json.loads(_command("schema"))
            for name, counts in report["datasets"].items():
                columns = [field["name"] for field in schemas[name]["fields"]]
                _show_csv(out / name, columns, counts["rows"])
        with steps.step("The Avro schema of the interactions"):
            table = Table("name", "type", "categorical")
            for field in schemas["interactions"]["fields"]:
                kinds = field["type"] if isinstance(field["type"], list) else [field["type"]]
                table.add_row(field["name"], " or ".join(kinds), "yes" if field.get("categorical") else "")
            console.print(table)
        with steps.step("Why did that event give no row?"):
            _explain(files, report["reasons"])
    steps.show()
    console.print(
        "\nEvery step did what it says. Next: your own logs, with [bold]make demo LOGS=folder[/bold], or the README."
    )


def _generated(folder: Path) -> Path:
    root = sample(folder, EVENTS)
    console.print(f"Generated about {EVENTS:,} events of a shop and a video service, with the quirks of real ones.")
    return root


def _find(files: list[logs.LogFile], wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    """Return the first event that is wanted; the logs are read only as far as it needs."""
    for file in files:
        with Path(file.name).open("rb") as opened:
            head = opened.read(logs.HEAD_BYTES)
            opened.seek(0)
            blocks = iter(lambda opened=opened: opened.read(logs.CHUNK_BYTES), b"")  # type: ignore[misc]
            for line in logs.lines(logs.unzip(blocks, []) if logs.compression(head) == "gzip" else blocks):
                event = parse_line(line)
                if event is not None and wanted(event):
                    return event
    return None


def _show_json(value: Any, indent: int | None = 2) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    console.print(Syntax(text, "json", background_color="default", word_wrap=True))


def _command(*arguments: str, given: str = "", shown: bool = False) -> str:
    """Run `personalize-segment` and return what it prints; messages go straight to the reader if `shown`."""
    console.print(f"[dim]$ personalize-segment {escape(' '.join(arguments))}[/dim]")
    sys.stdout.flush()
    done = subprocess.run(
        [COMMAND, *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=sys.stdout if shown else subprocess.PIPE,
        encoding="utf-8",
        env=os.environ if WIDTH is None else os.environ | {"COLUMNS": str(WIDTH)},
        check=False,
    )
    _check(
        done.returncode == 0, f"personalize-segment {arguments[0]} ended with {done.returncode}: {done.stderr or ''}"
    )
    return done.stdout


def _show_csv(folder: Path, columns: list[str], expected: int) -> None:
    """Print the first rows of a dataset, and check its header and the number of its rows."""
    first: list[list[str]] = []
    number = 0
    for part in sorted(folder.glob("part-*.csv")):
        with part.open(encoding="utf-8", newline="") as opened:
            reader = csv.reader(opened)
            header = next(reader)
            _check(header == columns, f"{part.name} has the header {header}, but the schema has {columns}")
            for row in reader:
                number += 1
                if len(first) < ROWS_SHOWN:
                    first.append(row)
    _check(number == expected, f"{folder.name} has {number} rows, but the report says {expected}")
    table = Table(*columns, title=f"{folder.name}: {number:,} rows", title_justify="left")
    for row in first:
        table.add_row(*map(escape, row))
    console.print(table)


def _explain(files: list[logs.LogFile], reasons: list[dict[str, Any]]) -> None:
    """Explain an event that a rule named and that gave no row, best one whose reason isn't plain."""
    refused = [one for one in reasons if one["dataset"] and one["example"]]
    if not refused:
        console.print("No rule refused an event of these logs.")
        return
    chosen = next((one for one in refused if one["reason"] != MISSING and one["call"] == "track"), refused[0])
    event = _find(files, lambda event: str(event.get("messageId")) == chosen["example"])
    event = _found(event, f"the logs have no event {chosen['example']}, which the report gives as an example")
    what = f"{chosen['field']} of {chosen['call']} {chosen['event'] or ''} was {chosen['reason']}"
    console.print(f"{chosen['count']:,} times {escape(what)}. One of these events:\n")
    _show_json(event, indent=None)
    console.print()
    answers = _command("explain", "-", given=json.dumps(event) + "\n").splitlines()
    _check(len(answers) == 1, f"explain gave {len(answers)} answers for one event")
    answer = json.loads(answers[0])
    _show_json(answer)
    why = {key: chosen[key] for key in ("dataset", "field", "reason")}
    _check(why in answer["reasons"], f"explain does not give the report's reason {why}")


def _found(event: dict[str, Any] | None, otherwise: str) -> dict[str, Any]:
    if event is None:
        raise DemoError(otherwise)
    return event


def _check(true: bool, otherwise: str) -> None:
    if not true:
        raise DemoError(otherwise)


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else None)
    except (DemoError, PersonalizeSegmentError, OSError) as error:
        console.print(f"[bold red]The demo failed:[/bold red] {escape(str(error))}")
        sys.exit(1)
