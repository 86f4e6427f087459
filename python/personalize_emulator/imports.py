"""Read CSV from S3 as records of a dataset, with the reasons for which an import job fails.

Sources: "Bulk data format guidelines", "Common error messages" and "Endpoints and quotas" in the Amazon Personalize
developer guide. Where the guide has no message, the emulator uses its own. It is stricter in one respect: a column that
isn't in the schema fails the job. Columns are found by name, and an empty number is null whatever the schema says. Both
are shown by executed notebooks of aws-samples/amazon-personalize-samples.
"""

import csv
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from .records import Record
from .schemas import Field
from .store import JobError

GUIDE: Final = "https://docs.aws.amazon.com/personalize/latest/dg/data-prep-formatting.html"
MIN_ROWS: Final = 1000
#: Maximum bytes of an import, by mode.
MOST_BYTES: Final = {"FULL": 100 * 2**30, "INCREMENTAL": 2**30}
MAX_IMPRESSION: Final = 25
MOST_TYPES_AND_COLUMNS: Final = 10
#: Epoch seconds of the year 5138. Anything later is in milliseconds.
_LATEST: Final = 10**11
#: The greatest value of Avro's 32-bit float.
_MAX_FLOAT: Final = 3.4028234663852886e38
_MANDATORY: Final = ("USER_ID", "ITEM_ID", "TIMESTAMP")
_OWN_MEMBERS: Final = ("EVENT_TYPE", "IMPRESSION", "RECOMMENDATION_ID", "EVENT_ATTRIBUTION_SOURCE")


def rows(lines: Iterable[str], fields: tuple[Field, ...]) -> Iterator[Record]:
    """Yield the records of one CSV file. Raises JobError at the first line that doesn't fit the schema."""
    reader = csv.reader(_one_record_a_line(lines), doublequote=True, escapechar="\\", strict=True)
    try:
        header = next(reader, [])
        _check_header(header, fields)
        by_name = {field.name: field for field in fields}
        columns = [(by_name[name], PARSERS[by_name[name].type]) for name in header]
        for number, texts in enumerate(reader, start=2):
            if len(texts) != len(columns):
                raise JobError(f"Line {number} has {len(texts)} values for {len(columns)} columns.")
            yield {
                field.name: _value(field, parser, text, number)
                for (field, parser), text in zip(columns, texts, strict=True)
            }
    except csv.Error as error:
        raise JobError(f"Line {reader.line_num} is not valid CSV: {error}.") from None


def _one_record_a_line(lines: Iterable[str]) -> Iterator[str]:
    """Yield lines for the CSV reader. Each is a complete record, so an open quote is an error."""
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix("\ufeff") if number == 1 else line
        if number == 1 and '"' in text:
            raise JobError("The column headers are enclosed in quotation marks.")
        if text.replace("\\\\", "").replace('\\"', "").count('"') % 2:
            raise JobError(f"Line {number} ends inside quotation marks: each record must be on a single line.")
        yield text


def _check_header(header: list[str], fields: tuple[Field, ...]) -> None:
    names = [field.name for field in fields]
    missing = [name for name in names if name not in header]
    if missing:
        raise JobError(f"Input CSV is missing the following columns: [{', '.join(missing)}].")
    unknown = [name for name in header if name not in names]
    if unknown:
        raise JobError(f"Input CSV has columns that are not in the schema: [{', '.join(unknown)}].")
    if len(header) != len(names):
        raise JobError(f"Input CSV has a column twice: [{', '.join(header)}].")


def _value(field: Field, parser: Callable[[str], Any], text: str, line: int) -> Any:
    if text == "":
        if field.nullable or (field.type != "string" and field.name not in _MANDATORY):
            return None
        raise JobError(f"Column {field.name} has no value in line {line} and does not allow null.")
    if field.type == "string" and len(text) > field.most:
        raise JobError(too_long(field))
    try:
        return checked(field, parser(text))
    except ValueError as error:
        raise JobError(f"Column {field.name} in line {line}: {error}.") from None


def too_long(field: Field) -> str:
    """Return the documented message for a value that is too long."""
    return (
        f"Length cannot be more than {field.most} characters for {field.name}. If no values exceed the character "
        f"limit, make sure your data follows the formatting guidelines listed in {GUIDE}."
    )


def checked(field: Field, value: Any) -> Any:
    """Return a value of the field's type if it is in the field's domain. Raises ValueError otherwise."""
    if field.name in ("TIMESTAMP", "CREATION_TIMESTAMP") and not 0 <= value < _LATEST:
        raise ValueError(f"{value} is not a time in Unix epoch seconds")
    if field.name == "IMPRESSION" and len(value.split("|")) > MAX_IMPRESSION:
        raise ValueError(f"an impression has more than {MAX_IMPRESSION} items")
    return value


def _integer(bits: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text) if text.lstrip("+-").isdecimal() and text.isascii() else None
        if value is None or not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
            raise ValueError(f"{text!r} is not an integer of {bits} bits")
        return value

    return parse


def _real(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not abs(value) <= most or "_" in text:
            raise ValueError(f"{text!r} is not a number")
        return value

    return parse


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "int": _integer(32),
    "long": _integer(64),
    "float": _real(_MAX_FLOAT),
    "double": _real(sys.float_info.max),
    "boolean": _boolean,
}


def check_interactions(records: list[Record], fields: tuple[Field, ...]) -> None:
    """Raise JobError if an import of interactions is too small or has too many event types and columns."""
    if len(records) < MIN_ROWS:
        raise JobError(f"Input CSV has {len(records)} interactions, fewer than {MIN_ROWS}.")
    types = {record.get("EVENT_TYPE") for record in records} - {None}
    optional = [field for field in fields if field.name not in (*_MANDATORY, *_OWN_MEMBERS)]
    if len(types) + len(optional) > MOST_TYPES_AND_COLUMNS:
        raise JobError(
            f"{len(types)} event types and {len(optional)} optional columns are more than "
            f"{MOST_TYPES_AND_COLUMNS} together."
        )
