"""The stage: the rows of each received day of logs, kept so that the next export doesn't read the day again.

The rows of a day depend only on its files and the event mapping. So a digest of both identifies them. A stage is a
folder or an S3 prefix:

    {mapping}/about.json                             the mapping, and the version of this package
    {mapping}/days/{day}/{key}.json                  a staged day: its report, and the names of its files
    {mapping}/days/{day}/{key}.{run}.{n}.{kind}.parquet
    {mapping}/folds/{out}.json                       the result of the last export to an output
    {mapping}/folds/{out}.{run}.{kind}.parquet

A JSON file is written after the files that it names, and only files that it names count. So a killed run leaves nothing
that is read, and of two concurrent runs, each leaves a complete result. The next run removes leftovers that are a day
old.
"""

import hashlib
import json
import re
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from ..contract.report import Report
from ..errors import OutputError
from ..places import File, LocalPlace, Place, errors_at, place
from .logs import LogFile, Tree

#: Age of unnamed files from which they are leftovers. Another run may still write or read younger ones.
LEFT_OVER = timedelta(days=1)
#: Number of last days that may still get files. They aren't rolled up.
UNSETTLED = 2
#: Concurrent downloads from S3.
_FETCHES = 16

#: The files of a stage. No other files below its place are read or deleted.
_OURS = re.compile(r"[0-9a-f]{16}/(about\.json|(days|folds)/.+)")

_REMEDY = "Choose a stage that this user can read and write, or omit --stage"


@dataclass(frozen=True, slots=True)
class Day:
    """The log files of one received day, or without a day if `day` is None. `old` ones belong to an overlap."""

    day: date | None
    files: tuple[LogFile, ...]
    old: bool = False

    @property
    def number(self) -> int:
        """The number of its files' day."""
        return self.files[0].number

    @property
    def name(self) -> str:
        """The name in a stage."""
        return "undated" if self.day is None else self.day.isoformat()

    @property
    def start(self) -> str:
        """The prefix of its files' names in a stage."""
        return f"days/{self.name}/{self.key}"

    @property
    def key(self) -> str:
        """A digest of the files' paths below the tree, sizes and versions."""
        files = sorted((file.inner, file.bytes, file.version) for file in self.files)
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def days_of(tree: Tree) -> list[Day]:
    """Return the days of a tree, in order."""
    days: dict[tuple[bool, date | None], list[LogFile]] = {}
    for old, files in ((True, tree.overlap), (False, tree.inside)):
        for file in files:
            days.setdefault((not old, file.day), []).append(file)
    found = [Day(day, tuple(files), not inside) for (inside, day), files in days.items()]
    return sorted(found, key=lambda day: day.number)


#: The name of a file below a mapping's folder, and its size in bytes.
Named = tuple[str, int]


class Staged(NamedTuple):
    """A day in a stage: the report, and the names of its Parquet files by kind."""

    report: Report
    files: dict[str, list[str]]


class ListedDay(NamedTuple):
    """A listed day: the name of its JSON file, its content, and the names of its Parquet files by kind."""

    name: str
    content: dict[str, Any]
    files: dict[str, list[str]]


class StageSize(NamedTuple):
    """The days and the size of a stage for one mapping."""

    name: str
    mapping_sha256: str
    days: list[str]
    bytes: int


@dataclass(slots=True)
class Stage:
    """The days of one mapping in a folder or an S3 prefix. Fetched files are written below `work`.

    Methods raise OutputError if the place can't be read or written.
    """

    root: Place
    mapping: str
    work: Path
    #: The files listed when it was opened, by path below `root`.
    _listed: dict[str, File] = field(default_factory=dict)
    _run: str = field(default_factory=lambda: uuid4().hex)
    _written: int = 0
    #: The files that `remember` has named.
    _remembered: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, text: str, mapping_key: str, mapping_sha256: str, work: Path) -> "Stage":
        """Return the stage in a folder or an S3 prefix, which needn't exist."""
        stage = cls(place(text), mapping_key, work)
        stage.work.mkdir(parents=True, exist_ok=True)
        with errors_at(text, OutputError, _REMEDY):
            stage._listed = _listing(stage.root)
            if f"{mapping_key}/about.json" not in stage._listed:
                stage._write_json("about.json", {"mapping_sha256": mapping_sha256})
        return stage

    @classmethod
    def existing(cls, text: str, mapping_key: str, work: Path) -> "Stage":
        """Return the stage in a folder or an S3 prefix, and write nothing. Raises OutputError if it doesn't exist."""
        root, listed = _existing(text)
        return cls(root, mapping_key, work, listed)

    @property
    def others(self) -> bool:
        """Whether it has days only for other mappings, or for other versions of this package."""
        mappings = {name.split("/")[0] for name in self._listed if "/days/" in name}
        return bool(mappings) and self.mapping not in mappings

    def find(self, days: Iterable[Day]) -> dict[Day, Staged]:
        """Return the days that it has of these. An incomplete day counts as missing."""
        wanted = {day: f"{day.start}.json" for day in days}
        read = self._read_json([name for name in wanted.values() if f"{self.mapping}/{name}" in self._listed])
        found = {}
        for day, name in wanted.items():
            try:
                about = read[name]
                sizes: dict[str, int] = {file: size for files in about["files"].values() for file, size in files}
                if all(self._listed[f"{self.mapping}/{file}"].bytes == size for file, size in sizes.items()):
                    files = {kind: [file for file, _ in files] for kind, files in about["files"].items()}
                    found[day] = Staged(Report.from_dict(about["report"]), files)
            except (LookupError, TypeError, ValueError, AttributeError):
                continue
        return found

    def put(self, start: str, folder: Path) -> dict[str, list[Named]]:
        """Move the Parquet files in `folder`, named KIND-*, to the day with this `start`."""
        files: dict[str, list[Named]] = {}
        for path in sorted(folder.glob("*")):
            kind = path.name.partition("-")[0]
            files.setdefault(kind, []).append(self._take(path, start, kind))
        return files

    def keep(self, day: Day, files: dict[str, list[Named]], report: Report) -> Staged:
        """Write the JSON file that names all files of a day, which completes it."""
        self._write_json(f"{day.start}.json", {"files": files, "report": report.as_dict(limit=None)})
        return Staged(report, {kind: [name for name, _ in named] for kind, named in files.items()})

    def last_fold(self, out: str) -> dict[str, Any] | None:
        """Return the record that `remember` wrote for an output: empty if damaged, None if there is none."""
        name = f"folds/{_digest(out)}.json"
        if f"{self.mapping}/{name}" not in self._listed:
            return None
        found = self._read_json([name])[name]
        try:
            sizes = {f"{self.mapping}/{file}": size for file, size in found["files"].values()}
            whole = all(self._listed[file].bytes == size for file, size in sizes.items())
        except (LookupError, TypeError, ValueError, AttributeError):
            whole = False
        return found if whole else {}

    def remember(self, out: str, fold: Mapping[str, Any], files: Mapping[str, Path]) -> None:
        """Record the result of an export to an output, with Parquet files by kind."""
        start = f"folds/{_digest(out)}"
        taken = {kind: self._take(path, start, kind) for kind, path in files.items()}
        self._write_json(f"{start}.json", {**fold, "files": taken})
        self._remembered = [name for name, _ in taken.values()]

    def fetch(self, names: Sequence[str]) -> list[Path]:
        """Return the local paths of some files, fetched if they are in S3."""
        if isinstance(self.root, LocalPlace):
            return [self.root.path / self.mapping / name for name in names]
        with errors_at(str(self.root), OutputError, _REMEDY), ThreadPoolExecutor(_FETCHES) as pool:
            return list(pool.map(self._fetch, names))

    def sweep(self, days: Mapping[Day, Staged]) -> None:
        """Delete leftovers: files of earlier states of these days, and files that no JSON file names."""
        files = (names for staged in days.values() for names in staged.files.values())
        named = {f"{self.mapping}/{name}" for names in (*files, self._remembered) for name in names}
        keys = {f"{self.mapping}/days/{day.name}/": day.key for day in days}
        for name in _left_over(self._listed, self.mapping, named, keys):
            self._delete(name)

    def days(self) -> Iterator[ListedDay]:
        """Yield all its days, whatever the current state of their logs."""
        start = f"{self.mapping}/"
        names = [name.removeprefix(start) for name in self._listed if name.startswith(f"{start}days/")]
        for name, content in self._read_json([name for name in names if name.endswith(".json")]).items():
            files: dict[str, list[str]] = {}
            for kind, named in (content or {}).get("files", {}).items():
                files[kind] = [file for file, _ in named if f"{start}{file}" in self._listed]
            yield ListedDay(name, content, files)

    def replace(self, day: ListedDay, made: Mapping[str, Path]) -> None:
        """Replace files of a day, and delete all files that its JSON file no longer names."""
        if not day.content:
            return
        start = day.name.removesuffix(".json")
        for kind, named in day.content["files"].items():
            named[:] = [self._take(made[name], start, kind) if name in made else (name, size) for name, size in named]
        if made:
            self._write_json(day.name, day.content)
        kept = {file for named in day.content["files"].values() for file, _ in named} | {day.name}
        for name in self._listed:
            if name.startswith(f"{self.mapping}/{start}.") and name.removeprefix(f"{self.mapping}/") not in kept:
                self._delete(name)

    def forget_folds(self) -> None:
        """Delete the results of the last exports."""
        for name in self._listed:
            if name.startswith(f"{self.mapping}/folds/"):
                self._delete(name)

    def prune(self) -> int:
        """Delete the files of other mappings and leftovers. Return their bytes.

        Raises OutputError if it has no day of this mapping and version, because it would delete all.
        """
        if self.others:
            problem = "has no day of this event mapping and version, so all days would be deleted"
            raise OutputError(str(self.root), problem, "Pass the mapping of its exports with --mapping")
        gone = [name for name in self._listed if not name.startswith(f"{self.mapping}/")]
        gone += _left_over(self._listed, self.mapping, set(), {})
        for name in gone:
            self._delete(name)
        return sum(self._listed[name].bytes for name in gone)

    def _fetch(self, name: str) -> Path:
        copy = self.work / name.replace("/", "-")
        return copy if copy.exists() else (self.root / self.mapping / name).fetch(copy)

    def _take(self, path: Path, start: str, kind: str) -> Named:
        """Move a file into the stage. Return its name and size."""
        self._written += 1
        name, size = f"{start}.{self._run}.{self._written}.{kind}.parquet", path.stat().st_size
        target = self.root / self.mapping / name
        with errors_at(str(self.root), OutputError, _REMEDY):
            if isinstance(target, LocalPlace):
                _private(target.path.parent, self.root)
                shutil.move(path, target.path)
            else:
                target.s3.upload_file(str(path), target.bucket, target.key)
                shutil.move(path, self.work / name.replace("/", "-"))
        return name, size

    def _write_json(self, name: str, content: Any) -> None:
        target = self.root / self.mapping / name
        data = json.dumps(content, ensure_ascii=False).encode()
        with errors_at(str(self.root), OutputError, _REMEDY):
            if isinstance(target, LocalPlace):
                _private(target.path.parent, self.root)
                target.swap(data, None)
            else:
                target.put(data, "application/json")

    def _read_json(self, names: Sequence[str]) -> dict[str, Any]:
        def read(name: str) -> Any:
            found = (self.root / self.mapping / name).read()
            try:
                return json.loads(found[0]) if found else None
            except ValueError:
                return None

        with errors_at(str(self.root), OutputError, _REMEDY), ThreadPoolExecutor(_FETCHES) as pool:
            return dict(zip(names, pool.map(read, names), strict=True))

    def _delete(self, name: str) -> None:
        with errors_at(str(self.root), OutputError, _REMEDY):
            (self.root / name).delete()


def stages(text: str, work: Path) -> list[Stage]:
    """Return the stages in a place, one per mapping. Raises OutputError if it can't be read."""
    root = place(text)
    with errors_at(text, OutputError, _REMEDY):
        listed = _listing(root)
    return [Stage(root, name, work, listed) for name in sorted({name.split("/")[0] for name in listed})]


def sizes(text: str) -> list[StageSize]:
    """Return the sizes of the stages in a place, one per mapping.

    Raises OutputError if it can't be read or doesn't exist.
    """
    root, named = _existing(text)
    listed, found = named.values(), []
    with errors_at(text, OutputError, _REMEDY):
        for name in sorted({file.inner.split("/")[0] for file in listed}):
            files = [file for file in listed if file.inner.startswith(f"{name}/")]
            about = (root / name / "about.json").read()
            days = sorted({file.inner.split("/")[2] for file in files if file.inner.startswith(f"{name}/days/")})
            sha256 = str(json.loads(about[0]).get("mapping_sha256", "")) if about else ""
            found.append(StageSize(name, sha256, days, sum(file.bytes for file in files)))
    return found


def _existing(text: str) -> tuple[Place, dict[str, File]]:
    """Return a place and its files. Raises OutputError if no export has written a stage there."""
    root = place(text)
    with errors_at(text, OutputError, _REMEDY):
        listed = _listing(root)
    if not listed:
        raise OutputError(text, "no such stage", "Pass the folder or s3:// prefix given to `export --stage`")
    return root, listed


def _listing(root: Place) -> dict[str, File]:
    """Return the files of a stage by path, including those of killed runs, and ignoring all other files."""
    return {file.inner: file for file in root.tree() if _OURS.fullmatch(file.inner)}


def _left_over(listed: Mapping[str, File], mapping: str, named: set[str], keys: Mapping[str, str]) -> list[str]:
    """Return the old files that nothing names: their key has no JSON file, or isn't their day's current one."""
    before = time.time() - LEFT_OVER.total_seconds()
    gone = []
    folds = {name.partition(".")[0] for name in named if name.startswith(f"{mapping}/folds/")}
    for name, file in listed.items():
        folder, _, end = name.rpartition("/")
        key, _, rest = end.partition(".")
        if not name.startswith((f"{mapping}/days/", f"{mapping}/folds/")) or file.modified > before or name in named:
            continue
        current = keys.get(f"{folder}/")
        stale = current is not None and (key != current or (rest != "json" and bool(named)))
        stale |= rest != "json" and f"{folder}/{key}" in folds
        if stale or f"{folder}/{key}.json" not in listed:
            gone.append(name)
    return gone


def _private(folder: Path, root: Place) -> None:
    """Create a folder of a stage. A new stage is private to this user, because it holds user ids."""
    if isinstance(root, LocalPlace) and not root.path.exists():
        root.path.mkdir(parents=True, mode=0o700)
    folder.mkdir(parents=True, exist_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settled(days: Iterable[Day]) -> frozenset[int]:
    """Return the numbers of the days that will probably get no more files: all but the last ones."""
    return frozenset(sorted(day.number for day in days if not day.old)[:-UNSETTLED])
