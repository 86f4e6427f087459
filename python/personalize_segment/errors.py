"""The exceptions of this package.

    PersonalizeSegmentError
    ├── MappingError   the event mapping breaks its grammar, or a rule of Personalize
    ├── LogsError      the Segment logs can't be found, listed, placed in a window or read
    ├── OutputError    the output can't be written
    └── EmptyError     the logs were read, but there is not one row to write

Each one carries where it happened, what was wrong and what to do about it, so that a
user never needs a traceback.
"""


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
        return f"{self.place}: {self.problem}. {self.remedy}."


class MappingError(PersonalizeSegmentError):
    """The event mapping is refused; `place` is a JSON path such as `$.users.fields.PLAN`."""


class LogsError(PersonalizeSegmentError):
    """The Segment logs are not where they were said to be, or can't be read."""


class OutputError(PersonalizeSegmentError):
    """The output can't be written; what stood there before still stands there."""


class EmptyError(PersonalizeSegmentError):
    """Not one row came out; nothing was written."""
