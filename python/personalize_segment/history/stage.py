"""The stage: what each received day of logs gives, kept so that the next export doesn't read the day again.

What a day gives follows from its files and the event mapping alone, so a day is known by a digest of both. A stage is
a folder or an S3 prefix:

    {mapping}/about.json                             which mapping, and which version of this package
    {mapping}/days/{day}/{key}.json                  a staged day: its report, and the names of its files
    {mapping}/days/{day}/{key}.{run}.{n}.{kind}.parquet
    {mapping}/folds/{out}.json                       what the last export to an output took from the days
    {mapping}/folds/{out}.{run}.{kind}.parquet

A JSON file is written after the files that it names, and only what it names counts. So a killed run leaves nothing
that is read, and two runs at once each leave something whole. The next run removes leftovers that are a day old.
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

#: Of files that nobody names, how old they must be to be left over: another run may still write or read younger ones.
LEFT_OVER = timedelta(days=1)
#: Days at the end that may still get files: they aren't rolled up.
UNSETTLED = 2
#: Files that are fetched from S3 at the same time.
_FETCHES = 16

#: What a stage has written: nothing else below its place is read or deleted.
_OURS = re.compile(r"[0-9a-f]{16}/(about\.json|(days|folds)/.+)")

_REMEDY = "Name a stage that this user may read and write, or leave --stage out"


@dataclass(frozen=True, slots=True)
class Day:
    """The log files of one received day, or with `day` None those in no day's folder; `old` ones are an overlap's."""

    day: date | None
    files: tuple[LogFile, ...]
    old: bool = False

    @property
    def number(self) -> int:
        """As its files have it."""
        return self.files[0].number

    @property
    def name(self) -> str:
        """The name in a stage."""
        return "undated" if self.day is None else self.day.isoformat()

    @property
    def start(self) -> str:
        """What the names of its files in a stage begin with."""
        return f"days/{self.name}/{self.key}"

    @property
    def key(self) -> str:
        """The digest of the files: the paths below the tree, sizes and versions."""
        files = sorted((file.inner, file.bytes, file.version) for file in self.files)
        return hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]


def days_of(tree: Tree) -> list[Day]:
    """Return the days of a tree in their order."""
    days: dict[tuple[bool, date | None], list[LogFile]] = {}
    for old, files in ((True, tree.overlap), (False, tree.inside)):
        for file in files:
            days.setdefault((not old, file.day), []).append(file)
    found = [Day(day, tuple(files), not inside) for (inside, day), files in days.items()]
    return sorted(found, key=lambda day: day.number)


#: The name of a file below a mapping's folder, and its bytes.
Named = tuple[str, int]


class Staged(NamedTuple):
    """What a stage has of a day: the report, and the names of Parquet files by kind."""

    report: Report
    files: dict[str, list[str]]


class ListedDay(NamedTuple):
    """A day of a stage: the name of its JSON file, what is in that, and the names of its Parquet files by kind."""

    name: str
    content: dict[str, Any]
    files: dict[str, list[str]]


class StageSize(NamedTuple):
    """What a stage holds for one mapping."""

    name: str
    mapping_sha256: str
    days: list[str]
    bytes: int


@dataclass(slots=True)
class Stage:
    """The days that a folder or an S3 prefix has for one mapping; fetched files go below `work`.

    Methods raise OutputError if the place can't be read or written.
    """

    root: Place
    mapping: str
    work: Path
    #: What was listed when it was opened, by path below `root`.
    _listed: dict[str, File] = field(default_factory=dict)
    _run: str = field(default_factory=lambda: uuid4().hex)
    _written: int = 0
    #: The files that `remember` named.
    _remembered: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, text: str, mapping_key: str, mapping_sha256: str, work: Path) -> "Stage":
        """Return the stage in a folder or an S3 prefix, which need not exist."""
        stage = cls(place(text), mapping_key, work)
        stage.work.mkdir(parents=True, exist_ok=True)
        with errors_at(text, OutputError, _REMEDY):
            stage._listed = _listing(stage.root)
            if f"{mapping_key}/about.json" not in stage._listed:
                stage._write_json("about.json", {"mapping_sha256": mapping_sha256})
        return stage

    @property
    def others(self) -> bool:
        """Whether it has days for other mappings, or for other versions of this package, and none for this one."""
        mappings = {name.split("/")[0] for name in self._listed if "/days/" in name}
        return bool(mappings) and self.mapping not in mappings

    def find(self, days: Iterable[Day]) -> dict[Day, Staged]:
        """Return what it has of some days. What isn't whole isn't there."""
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
        """Take over the Parquet files, named KIND-*, that `folder` has of the day with this `start`."""
        files: dict[str, list[Named]] = {}
        for path in sorted(folder.glob("*")):
            kind = path.name.partition("-")[0]
            files.setdefault(kind, []).append(self._take(path, start, kind))
        return files

    def keep(self, day: Day, files: dict[str, list[Named]], report: Report) -> Staged:
        """Name all files of a day, which is then whole."""
        self._write_json(f"{day.start}.json", {"files": files, "report": report.as_dict(limit=None)})
        return Staged(report, {kind: [name for name, _ in named] for kind, named in files.items()})

    def last_fold(self, out: str) -> dict[str, Any]:
        """Return what `remember` wrote for an output; nothing if a file of it is missing."""
        name = f"folds/{_digest(out)}.json"
        found = self._read_json([name]).get(name) if f"{self.mapping}/{name}" in self._listed else None
        files = found.get("files", {}) if isinstance(found, dict) else {}
        whole = isinstance(files, dict) and all(f"{self.mapping}/{file}" in self._listed for file in files.values())
        return found if isinstance(found, dict) and whole else {}

    def remember(self, out: str, fold: Mapping[str, Any], files: Mapping[str, Path]) -> None:
        """Keep what an export to an output took from the days, with Parquet files by kind."""
        start = f"folds/{_digest(out)}"
        taken = {kind: self._take(path, start, kind)[0] for kind, path in files.items()}
        self._write_json(f"{start}.json", {**fold, "files": taken})
        self._remembered = list(taken.values())

    def fetch(self, names: Sequence[str]) -> list[Path]:
        """Return where some files can be read."""
        with errors_at(str(self.root), OutputError, _REMEDY), ThreadPoolExecutor(_FETCHES) as pool:
            return list(pool.map(self._fetch, names))

    def sweep(self, days: Mapping[Day, Staged]) -> None:
        """Delete leftovers: files of earlier states of these days, and those that nothing names."""
        files = (names for staged in days.values() for names in staged.files.values())
        named = {f"{self.mapping}/{name}" for names in (*files, self._remembered) for name in names}
        keys = {f"{self.mapping}/days/{day.name}/": day.key for day in days}
        for name in _left_over(self._listed, self.mapping, named, keys):
            self._delete(name)

    def days(self) -> Iterator[ListedDay]:
        """Yield all days that it has, whatever their logs are now."""
        start = f"{self.mapping}/"
        names = [name.removeprefix(start) for name in self._listed if name.startswith(f"{start}days/")]
        for name, content in self._read_json([name for name in names if name.endswith(".json")]).items():
            files: dict[str, list[str]] = {}
            for kind, named in (content or {}).get("files", {}).items():
                files[kind] = [file for file, _ in named if f"{start}{file}" in self._listed]
            yield ListedDay(name, content, files)

    def replace(self, day: ListedDay, made: Mapping[str, Path]) -> None:
        """Let files take the place of others of a day, and delete all that its JSON file doesn't name then."""
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
        """Delete what the last exports took from the days."""
        for name in self._listed:
            if name.startswith(f"{self.mapping}/folds/"):
                self._delete(name)

    def prune(self) -> int:
        """Delete what other mappings have, and leftovers; return the bytes."""
        gone = [name for name in self._listed if not name.startswith(f"{self.mapping}/")]
        gone += _left_over(self._listed, self.mapping, set(), {})
        for name in gone:
            self._delete(name)
        return sum(self._listed[name].bytes for name in gone)

    def _fetch(self, name: str) -> Path:
        copy = self.work / name.replace("/", "-")
        return copy if copy.exists() else (self.root / self.mapping / name).fetch(copy)

    def _take(self, path: Path, start: str, kind: str) -> Named:
        """Move a file into the stage; return its name and size."""
        self._written += 1
        name, size = f"{start}.{self._run}.{self._written}.{kind}.parquet", path.stat().st_size
        target = self.root / self.mapping / name
        with errors_at(str(self.root), OutputError, _REMEDY):
            if isinstance(target, LocalPlace):
                _private(target.path.parent, self.root)
                shutil.move(path, target.path)
            else:
                target.s3.upload_file(str(path), target.bucket, target.key)
                path.rename(self.work / name.replace("/", "-"))
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
    """Return what a stage has, by mapping. Raises OutputError if it can't be read."""
    root = place(text)
    with errors_at(text, OutputError, _REMEDY):
        listed = _listing(root)
    return [Stage(root, name, work, listed) for name in sorted({name.split("/")[0] for name in listed})]


def sizes(text: str) -> list[StageSize]:
    """Return what a stage holds, by mapping. Raises OutputError if it can't be read."""
    root = place(text)
    with errors_at(text, OutputError, _REMEDY):
        listed = _listing(root).values()
        found = []
        for name in sorted({file.inner.split("/")[0] for file in listed}):
            files = [file for file in listed if file.inner.startswith(f"{name}/")]
            about = (root / name / "about.json").read()
            days = sorted({file.inner.split("/")[2] for file in files if file.inner.startswith(f"{name}/days/")})
            sha256 = str(json.loads(about[0]).get("mapping_sha256", "")) if about else ""
            found.append(StageSize(name, sha256, days, sum(file.bytes for file in files)))
    return found


def _listing(root: Place) -> dict[str, File]:
    """Return the files of a stage, also those of killed runs, by path; what else is there is nobody's business."""
    return {file.inner: file for file in root.tree() if _OURS.fullmatch(file.inner)}


def _left_over(listed: Mapping[str, File], mapping: str, named: set[str], keys: Mapping[str, str]) -> list[str]:
    """Return the old files that nothing names: without a JSON file of their key, or of a key that isn't their day's."""
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
    """Make a folder of a stage, which has the ids of users."""
    if isinstance(root, LocalPlace) and not root.path.exists():
        root.path.mkdir(parents=True, mode=0o700)
    folder.mkdir(parents=True, exist_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settled(days: Iterable[Day]) -> frozenset[int]:
    """Return the numbers of the days that are likely to get no more files: all but the last ones."""
    return frozenset(sorted(day.number for day in days if not day.old)[:-UNSETTLED])
