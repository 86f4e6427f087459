"""`make generate`: write the help of every command to docs/commands.md.

    commands.py [--check]

With --check, writes nothing and exits with 1 if the page is stale.
"""

import argparse
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import typer
from typer.testing import CliRunner

from personalize_segment.cli import load

PAGE = Path(__file__).resolve().parents[1] / "docs" / "commands.md"
NAME = "personalize-segment"
HEADER = """# Commands

The help of every command. `make generate` writes this page from the help texts: edit those.

- Results go to stdout, messages and progress to stderr. Exit status: 0 success, 1 failure, 2 misuse. `plan --check`
  and `segment plan --check` exit with 3 if changes are pending.
- `--json` prints the result as JSON. `apply`, `forget`, `init` and `schema` always print JSON.
- Off a terminal, lines aren't wrapped or truncated unless `COLUMNS` is set. `NO_COLOR` turns colors off.
- `personalize-segment --install-completion` completes commands and options in bash, zsh, fish and PowerShell.
"""


def verbs() -> Iterator[tuple[str, ...]]:
    """Yield the arguments of each command, starting with none for the overview."""
    yield ()
    for name, command in typer.main.get_group(load()).commands.items():
        yield (name,)
        for inner in getattr(command, "commands", {}):
            yield name, inner


def text() -> str:
    """Return the page."""
    parts = [HEADER]
    os.environ |= {"COLUMNS": "100", "NO_COLOR": "1"}
    for verb in verbs():
        done = CliRunner().invoke(load(), [*verb, "--help"], prog_name=NAME, catch_exceptions=False)
        lines = (line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout).strip("\n ").splitlines())
        body = "\n".join(lines)
        parts.append(f"## {' '.join(verb) or NAME}\n\n```text\n{body}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if the page isn't current")
    check = parser.parse_args().check
    if PAGE.exists() and PAGE.read_text("utf-8") == text():
        return 0
    if check:
        print("docs/commands.md isn't current: run `make generate`", file=sys.stderr)
        return 1
    PAGE.write_text(text(), "utf-8")
    print("docs/commands.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
