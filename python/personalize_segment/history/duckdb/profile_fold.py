"""Fold the users or items of staged days: a CSV part, lines for `profiles load`, and a roll-up for the next fold."""

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from isal import igzip

from ...contract.columns import TEXTS
from ...contract.layout import PROFILES
from ...contract.mapping import Dataset
from . import selects
from .days import StagedDay
from .selects import parquet
from .tables import FoldTables


@dataclass(frozen=True, slots=True)
class ProfileFold:
    """Folds the `days` of a dataset, and the file that the last fold `rolled` up from earlier ones."""

    tables: FoldTables
    dataset: Dataset
    days: Sequence[StagedDay]
    rolled: Path | None

    def write(self) -> int:
        """Write a part and the lines, and return the number of rows. Without rows, leave none of both."""
        dataset, tables = self.dataset, self.tables
        folder = tables.folder / PROFILES / dataset.name
        folder.mkdir(parents=True)
        part = tables.folder / dataset.name / "part-00000.csv"
        files = self._files(self.days)
        if not files:
            return 0
        allowed = ""
        if dataset.user_column is not None:
            tables.ban([f"SELECT c0 FROM {parquet(files)}"])
            allowed = " WHERE c0 NOT IN (FROM banned)" if tables.suppressed else ""
        # A file instead of a table: it is sorted and merged once, read twice, and occupies no memory.
        all_of = f"{selects.merged(dataset, f'{parquet(files)}{allowed}')} ORDER BY c0"
        merged = parquet([tables.copy(all_of, tables.folder / f"{dataset.name}-all")])
        lines = folder / "part-00000.jsonl"
        options = "FORMAT csv, HEADER false, DELIMITER '\x01', QUOTE '', ESCAPE ''"
        if tables.copy_csv(_lines(dataset, merged), lines, options):
            # DuckDB's own gzip would take longer than all other work on profiles.
            with (
                lines.open("rb") as plain,
                Path(f"{lines}.gz").open("wb") as file,
                igzip.IGzipFile("", "wb", 1, file, mtime=0) as packed,  # type: ignore[no-untyped-call]
            ):
                shutil.copyfileobj(plain, packed, 1 << 20)
        lines.unlink()
        values = "".join(f", latest{at}.value AS c{at}" for at in range(1, len(dataset.columns)))
        rows = f"SELECT {selects.header(dataset, 'c{}')} FROM (SELECT c0{values} FROM {merged})"
        number = tables.copy_csv(rows, part)
        if not number:
            part.unlink()
        return number

    def roll_up(self, settled: frozenset[int]) -> str | None:
        """Return a SELECT of the rolled-up profiles of the settled days, or None without any. Call `write` first."""
        files = self._files(day for day in self.days if day.number in settled)
        return selects.merged(self.dataset, parquet(files)) if files else None

    def _files(self, days: Iterable[StagedDay]) -> list[Path]:
        earlier = [self.rolled] if self.rolled else []
        return [*earlier, *(file for day in days for file in self._merged(day))]

    def _merged(self, day: StagedDay) -> list[Path]:
        """Return the files with the latest observations of a day."""
        files = day.files(self.dataset.name)
        if self.dataset.user_column is None or not files:
            return files
        merged = self.tables.folder / f"{self.dataset.name}-{day.number}.parquet"
        if not merged.exists():
            rows = selects.latest(self.dataset, f"{parquet(files)} WHERE refusal = 0")
            self.tables.copy(rows, merged.with_suffix(""))
        return [merged]


def _lines(dataset: Dataset, merged: str) -> str:
    """Return a SELECT of the lines in `profiles/`. A profile without a known column has no line."""
    members = ["NULL"]
    for at, column in enumerate(dataset.columns[1:], start=1):
        # The CSV text of a number or a boolean is its JSON text.
        value = f"latest{at}.value" if column.type not in TEXTS else f"to_json(latest{at}.value)"
        cell = f"""'"{column.name}":[', {value}, ',', latest{at}.seconds, ',', to_json(latest{at}.fraction), ']'"""
        members.append(f"CASE WHEN latest{at} IS NOT NULL THEN concat({cell}) END")
    known = f"SELECT c0, concat_ws(',', {', '.join(members)}) AS known FROM {merged}"
    return f"SELECT concat('[', to_json(c0), ',{{', known, '}}]') FROM ({known}) WHERE known <> ''"
