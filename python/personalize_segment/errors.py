"""The exceptions of this package.

    PersonalizeSegmentError
    ├── MappingError   the event mapping is invalid, or exceeds a limit of Personalize
    ├── LogsError      Segment's logs can't be found, listed, placed in a window or read
    ├── OutputError    the output can't be written
    ├── WarehouseError a statement for a warehouse can't be built from the arguments
    ├── UnloadError    a warehouse refuses, fails or loses a statement
    ├── PreflightError an export can't be read, or isn't one
    ├── EmptyError     the events produce no rows, or none that may replace those of an earlier export
    ├── SettingsError  a setting of the Lambda functions is missing or malformed
    ├── TransientError an event can't be recorded now; a retry may succeed
    ├── WriteBackError Segment didn't accept recommendations
    ├── RedriveError   rejected events can't be read or resent
    ├── ProfilesError  users and items of an export can't be read, or the profile table doesn't accept them
    ├── VerifyError    the deployed parts can't be compared
    ├── SpecError      the spec of the Personalize resources is invalid
    ├── ProvisionError Personalize refuses a resource of the spec, or fails to create it
    ├── WorkspaceError a Segment workspace can't be read or changed
    └── ForgetError    users can't be deleted: their ids, their list or their file is invalid

Each error has a place, a problem and a remedy, so that a user never needs a traceback.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contract.report import Report


def sentence(text: str) -> str:
    """Return the text with one full stop at its end, unless it ends with ? or !."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def number(count: int, what: str = "", plural: str | None = None) -> str:
    """Return a count with its noun, if it has one: `1,234`, `1 row`, `1,234 rows`."""
    return f"{count:,} {what if count == 1 else plural or f'{what}s'}" if what else f"{count:,}"


class PersonalizeSegmentError(Exception):
    """Base of all errors that this package raises on purpose.

    Attributes: `place` (a file, an S3 URI or a JSON path), `problem` and `remedy` (sentences without their full stop;
    `remedy` is an instruction).
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(place, problem, remedy)
        self.place = place
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place}: {sentence(self.problem)} {sentence(self.remedy)}"


class MappingError(PersonalizeSegmentError):
    """The event mapping is invalid. `place` is a JSON path such as `$.users.fields.PLAN`."""


class PlaceError(PersonalizeSegmentError):
    """A text is neither a path nor an S3 URI."""


class LogsError(PersonalizeSegmentError):
    """Segment's logs aren't at the given place, or can't be read."""


class OutputError(PersonalizeSegmentError):
    """The output can't be written. Existing output is unchanged."""


class WarehouseError(PersonalizeSegmentError):
    """A statement for a warehouse can't be built: a name, a place or the file of columns is invalid."""


class UnloadError(PersonalizeSegmentError):
    """A warehouse refuses, fails or loses a statement. `problem` names the datasets that are complete anyway."""


class PreflightError(PersonalizeSegmentError):
    """An export can't be read, or isn't one."""


class EmptyError(PersonalizeSegmentError):
    """The events produce no rows, or none of a dataset that an earlier export has. Nothing was written.

    `report` is the export's, or None for a warehouse.
    """

    def __init__(self, place: str, problem: str, remedy: str, report: "Report | None" = None) -> None:
        super().__init__(place, problem, remedy)
        self.report = report


class SettingsError(PersonalizeSegmentError):
    """A setting is invalid. `place` is its environment variable."""


class TransientError(PersonalizeSegmentError):
    """A failure that may pass. The function raises it, and its caller resends the event."""


class WriteBackError(PersonalizeSegmentError):
    """Segment didn't accept recommendations. `problem` is a short reason for metrics and logs."""


class RedriveError(PersonalizeSegmentError):
    """The queue of rejected events can't be read, or an event in it can't be resent. The event stays in the queue."""


class ProfilesError(PersonalizeSegmentError):
    """Some or all users and items of an export aren't loaded. Those already loaded stay in the table."""


class VerifyError(PersonalizeSegmentError):
    """The deployed parts can't be compared with the event mapping."""


class SpecError(PersonalizeSegmentError):
    """The spec is invalid; no call was made. `place` is a JSON path such as `$.campaigns.home.solution`."""


class ProvisionError(PersonalizeSegmentError):
    """A resource can't be created, changed or deleted. `place` is its kind and name. Rerun after the remedy."""


class WorkspaceError(PersonalizeSegmentError):
    """Segment's Public API refuses or can't be reached, or the workspace's owner must decide something."""


class ForgetError(PersonalizeSegmentError):
    """Ids, a webhook's signature or the suppression list are invalid. No message names a user."""
