"""The exceptions of this package.

    PersonalizeSegmentError
    ├── MappingError   the event mapping breaks its grammar, or a rule of Personalize
    ├── LogsError      the Segment logs can't be found, listed, placed in a window or read
    ├── OutputError    the output can't be written
    ├── WarehouseError a statement for a warehouse can't be made from what was given
    ├── UnloadError    a warehouse refuses, fails or loses a statement
    ├── PreflightError an export can't be read, or isn't one
    ├── EmptyError     the events were read, but give no rows, or none that may replace those of an earlier export
    ├── SettingsError  a setting of the Lambda functions is missing or malformed
    ├── TransientError an event can't be recorded now, but may be later
    ├── WriteBackError Segment did not take recommendations
    ├── RedriveError   rejected events can't be read, or sent again
    ├── ProfilesError  users and items of an export can't be read, or the profile table doesn't take them
    ├── VerifyError    what is deployed can't be compared
    ├── SpecError      the description of the Personalize resources is refused
    ├── ProvisionError Personalize refuses, or fails, what the description asks for
    ├── WorkspaceError a Segment workspace can't be read or changed as asked
    └── ForgetError    users can't be forgotten: who they are, their list or their file is refused

Each one carries where it happened, what was wrong and what to do about it, so that a
user never needs a traceback.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .contract.report import Report


def sentence(text: str) -> str:
    """Return a text that ends as a sentence does, once."""
    return text if text.endswith(("?", "!")) else f"{text.rstrip('.')}."


def number(count: int, what: str) -> str:
    """Return a count for people: `1 row`, `1,234 rows`."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


class PersonalizeSegmentError(Exception):
    """Base of everything this package raises on purpose.

    Attributes: `place` (a file, an S3 URI or a JSON path), `problem` and `remedy` (sentences
    without their final full stop; `remedy` is an instruction).
    """

    def __init__(self, place: str, problem: str, remedy: str) -> None:
        super().__init__(place, problem, remedy)
        self.place = place
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.place}: {sentence(self.problem)} {sentence(self.remedy)}"


class MappingError(PersonalizeSegmentError):
    """The event mapping is refused; `place` is a JSON path such as `$.users.fields.PLAN`."""


class LogsError(PersonalizeSegmentError):
    """The Segment logs are not where they were said to be, or can't be read."""


class OutputError(PersonalizeSegmentError):
    """The output can't be written; what stood there before still stands there."""


class WarehouseError(PersonalizeSegmentError):
    """A statement for a warehouse can't be made: a name, a place or the file of columns is refused."""


class UnloadError(PersonalizeSegmentError):
    """A warehouse refuses, fails or loses a statement; `problem` says which datasets are whole all the same."""


class PreflightError(PersonalizeSegmentError):
    """An export can't be read, or isn't one."""


class EmptyError(PersonalizeSegmentError):
    """Not one row came out, or none of a dataset of which an earlier export has some; nothing was written.

    `report` is that of the export, None for a warehouse's.
    """

    def __init__(self, place: str, problem: str, remedy: str, report: "Report | None" = None) -> None:
        super().__init__(place, problem, remedy)
        self.report = report


class SettingsError(PersonalizeSegmentError):
    """A setting is refused; `place` is its name in the environment."""


class TransientError(PersonalizeSegmentError):
    """Raised to whoever invoked the function, who sends the event again; nothing of it is lost."""


class WriteBackError(PersonalizeSegmentError):
    """Segment did not take recommendations; `problem` is a short word for metrics and logs."""


class RedriveError(PersonalizeSegmentError):
    """The queue of rejected events can't be read, or an event in it can't be sent again; it stays there."""


class ProfilesError(PersonalizeSegmentError):
    """Users and items of an export aren't loaded, or not all of them; what was loaded stays loaded."""


class VerifyError(PersonalizeSegmentError):
    """What is deployed can't be compared with the event mapping."""


class SpecError(PersonalizeSegmentError):
    """The spec is refused before any call; `place` is a JSON path such as `$.campaigns.home.solution`."""


class ProvisionError(PersonalizeSegmentError):
    """A resource can't be made, changed or deleted; `place` is its kind and name. Try again after the remedy."""


class WorkspaceError(PersonalizeSegmentError):
    """Segment's Public API refuses or can't be reached, or what is in the workspace has to be decided by its owner."""


class ForgetError(PersonalizeSegmentError):
    """Ids, a webhook's signature or the suppression list are refused; no message names a user."""
