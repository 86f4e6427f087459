"""The files of an export: its CSV parts, other files in their folders, and its report."""

import json
from dataclasses import dataclass

from ..contract.columns import DATASETS
from ..contract.layout import REPORT_NAME
from ..contract.report import Report
from ..errors import PreflightError
from ..places import errors_at, place


@dataclass(frozen=True, slots=True)
class Part:
    """One CSV file of a dataset: its path or S3 URI, and its size in bytes."""

    dataset: str
    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Export:
    """The CSV parts at `place`, other files in the datasets' folders, and the report, if any."""

    place: str
    parts: tuple[Part, ...]
    strays: tuple[str, ...]
    report: Report | None

    def bytes(self, dataset: str) -> int:
        """Return the size of a dataset's parts."""
        return sum(part.bytes for part in self.parts if part.dataset == dataset)


def find(out: str) -> Export:
    """Return the export in a folder or below an S3 URI.

    Raises PreflightError if it can't be read, has no CSV part of interactions, or has a report that no export wrote.
    """
    where = place(out)
    with errors_at(out, PreflightError):
        if not where.is_folder():
            raise PreflightError(str(where), "no such folder", "Name the output of `personalize-segment export`")
        listed = [Part(name, file.name, file.bytes) for name in DATASETS for file in (where / name).files()]
        found = (where / REPORT_NAME).read()
    for part in listed:
        if part.name != part.name.encode(errors="replace").decode():
            raise PreflightError(part.name, "has a name that isn't UTF-8", "Rename it, or move it out of the export")
    seen = [part for part in listed if not part.name.rsplit("/", 1)[-1].startswith((".", "_"))]
    parts = tuple(part for part in seen if part.name.endswith(".csv"))
    strays = tuple(part.name for part in seen if not part.name.endswith(".csv"))
    report = None
    if found is not None:
        try:
            report = Report.from_dict(json.loads(found[0]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            file = str(where / REPORT_NAME)
            raise PreflightError(file, "isn't the report of an export", "Delete it, or export again") from error
    if not any(part.dataset == "interactions" for part in parts):
        if report is not None:
            problem = f"the export has no interactions: {report.why_none('interactions')}"
            raise PreflightError(out, problem, "Compare the events with the event mapping, then export again")
        raise PreflightError(out, "has no interactions/*.csv", "Name the output of `personalize-segment export`")
    return Export(out, parts, strays, report)
