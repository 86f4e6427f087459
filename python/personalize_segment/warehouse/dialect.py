"""The SQL that Redshift and Snowflake have in common, and what each has to say in its own way.

No text in a statement has a backslash: one warehouse takes it for an escape where another doesn't.
docs/contract.md numbers the rules.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import ClassVar

from ..contract.columns import MAX_ID
from ..contract.quoting import identifier, literal
from ..contract.rows import INT32, INT64, PLACEHOLDERS
from ..errors import WarehouseError

#: Rule 4, without a backslash and with the year 0000 left out.
INSTANT = (
    "(000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-[0-9][0-9]-[0-9][0-9]"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)
DATE = INSTANT.partition("T")[0]
#: Rule 5: a JSON number, and one without fraction and exponent that may have 64 bits.
NUMBER = "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?"
INTEGER = "-?(0|[1-9][0-9]{0,18})"

#: type -> the condition that a number is an integer of that type.
RANGES = {name: f"BETWEEN {bounds.start} AND {bounds.stop - 1}" for name, bounds in (("long", INT64), ("int", INT32))}

#: Megabytes of a part: far from S3's and Personalize's limits, and small enough to be written in parallel.
MAX_PART_MB = 256

ROLE_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"

#: How a control character stands among the hexadecimal digits of a text in UTF-8: U+0000 to U+001F and
#: U+007F in one byte, U+0080 to U+009F in two. Digits are read in pairs, so that no half of one matches.
CONTROL = "(..)*([01].|7[Ff]|[Cc]2[89])"

#: Characters whose hexadecimal digits, eight for one, still fit in a text of Redshift's.
_CHUNK = 8000

#: A control character, which no text in domain has: it marks what is outside the domain in a list.
MARK = "CHR(1)"

#: What a placeholder may consist of: see `rows.id_text`.
BLANKS = "' ' || CHR(9) || CHR(10) || CHR(11) || CHR(12) || CHR(13)"

#: What is filled in later, such as {{schema}}. Nothing else gets past the checks of names and places.
_BLANK = re.compile(r"\{\{[a-z_]+\}\}")


def is_blank(text: str) -> bool:
    """Whether a text is a blank, and nothing but one."""
    return _BLANK.fullmatch(text) is not None


class Dialect(ABC):
    """How one warehouse says things. Arguments named `x` are SQL expressions, and so are results."""

    name: ClassVar[str]
    #: The types of SQL that hold text of any length and 64-bit floats.
    text_type: ClassVar[str]
    double_type: ClassVar[str]
    #: The longest name of a table or column, and the words that none may be without `_` in front.
    longest: ClassVar[int]
    reserved: ClassVar[frozenset[str]] = frozenset()

    def fold(self, name: str) -> str:
        """Return a name in the case in which the warehouse keeps it; a placeholder stays as it is."""
        return name if is_blank(name) else self._fold(name)

    @abstractmethod
    def _fold(self, name: str) -> str: ...

    def named(self, name: str) -> str:
        """Return a name of the warehouse, quoted; dots part database and schema."""
        parts = [name] if is_blank(name) else name.split(".")
        return ".".join(identifier(self.fold(part)) for part in parts)

    def literal(self, text: str) -> str:
        """Quote a text."""
        quoted = " || CHR(92) || ".join(map(literal, text.split("\\")))
        return quoted if "\\" not in text else f"({quoted})"

    def constant(self, text: str) -> str:
        """Quote a text that becomes a column: it has a type then, which a warehouse may not find for itself."""
        return self.short(self.literal(text), max(MAX_ID, len(text)))

    @abstractmethod
    def varchar(self, most: int) -> str:
        """Return the SQL type of texts of at most so many characters."""

    def short(self, x: str, most: int = MAX_ID) -> str:
        """A value of at most so many characters as text, in the type that it has on the way."""
        return f"CAST({x} AS {self.varchar(most)})"

    def null(self, kind: str) -> str:
        """Return a NULL of a type, so that the SELECTs of a UNION agree."""
        return f"CAST(NULL AS {self.type_of(kind)})"

    def type_of(self, kind: str) -> str:
        """Return the SQL type that a column of the dataset has on the way; of texts the shortest."""
        if kind in ("timestamp", "long", "int"):
            return "BIGINT"
        types = {"float": self.double_type, "double": self.double_type, "boolean": "BOOLEAN"}
        return types.get(kind) or self.varchar(MAX_ID)

    def as_text(self, x: str) -> str:
        """Turn anything but a boolean into text."""
        return f"CAST({x} AS {self.text_type})"

    @abstractmethod
    def float_text(self, x: str) -> str:
        """A 64-bit float as text from which the same float can be read."""

    @abstractmethod
    def float_written(self, x: str) -> str:
        """A 64-bit float as the unload has to be given it, so that the CSV has the same float."""

    def double(self, text: str) -> str:
        """A 64-bit float from its digits: as a bare number a warehouse may take them for a decimal."""
        return f"CAST({literal(text)} AS {self.double_type})"

    @abstractmethod
    def matches(self, x: str, pattern: str) -> str:
        """Whether a whole text matches an extended regular expression."""

    @abstractmethod
    def hexadecimal(self, x: str) -> str:
        """The bytes of a text in UTF-8 as hexadecimal digits."""

    def printable(self, x: str, most: int) -> str:
        """Rule 3: 1 to `most` characters, none of them a control character."""
        tests = [f"LENGTH({x}) BETWEEN 1 AND {most}"]
        for start in range(1, most, _CHUNK):
            size = min(_CHUNK, most - start + 1)  # a longer one is none anyway, and may have megabytes
            chunk = f"LEFT({x}, {size})" if start == 1 else f"SUBSTRING({x}, {start}, {size})"
            tests.append(f"NOT {self.matches(self.hexadecimal(chunk), f'{CONTROL}.*')}")
        return " AND ".join(tests)

    def is_placeholder(self, x: str) -> str:
        """Rule 3: whether a text stands for nothing."""
        # No comparison: Redshift takes texts for the same that differ in blanks at their ends.
        texts = "|".join(re.sub(r"[\[\]]", r"[\g<0>]", text) for text in sorted(PLACEHOLDERS))
        return f"(LENGTH(LTRIM({x}, {BLANKS})) = 0 OR {self.matches(x, texts)})"

    def one_line(self, x: str) -> str:
        """Rule 3: a textual string with a space for each end of a line and tab."""
        for end in ("CHR(13) || CHR(10)", "CHR(13)", "CHR(10)", "CHR(9)"):
            x = f"REPLACE({x}, {end}, ' ')"
        return x

    def seconds(self, x: str) -> str:
        """Rule 4: whole epoch seconds of a point in time, rounded down, whatever the session's time zone."""
        whole = f"DATE_TRUNC('second', {x})"
        return f"CAST({self.epoch(whole)} AS BIGINT)"

    def moment(self, seconds: int) -> str:
        """A point in time from its epoch seconds."""
        return f"CAST('{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}' AS TIMESTAMP)"

    @abstractmethod
    def epoch(self, x: str) -> str:
        """Epoch seconds of a point in time that is whole seconds."""

    @abstractmethod
    def fraction(self, x: str) -> str:
        """What orders points in time within one second."""

    @abstractmethod
    def iso_text(self, x: str) -> str:
        """A point in time as the text that libraries of Segment send."""

    def _days(self, x: str) -> str:
        return f"DATEDIFF(day, CAST('1970-01-01' AS DATE), TRY_CAST({x} AS DATE))"

    def date(self, x: str) -> str:
        """Rule 4: epoch seconds of a date as text; NULL if it is none."""
        return f"CASE WHEN {self.matches(x, DATE)} THEN CAST({self._days(x)} AS BIGINT) * 86400 END"

    def instant(self, x: str) -> str:
        """Rule 4: epoch seconds of an ISO-8601 text; NULL if it is none."""
        day = self._days(f"SUBSTRING({x}, 1, 10)")
        clock = " + ".join(
            f"CAST(SUBSTRING({x}, {at}, 2) AS BIGINT) * {factor}" for at, factor in ((12, 3600), (15, 60), (18, 1))
        )
        zone = f"RIGHT(REPLACE(RIGHT({x}, 6), ':', ''), 5)"
        shift = f"CAST(SUBSTRING({zone}, 2, 2) AS BIGINT) * 3600 + CAST(SUBSTRING({zone}, 4, 2) AS BIGINT) * 60"
        sign = f"CASE WHEN SUBSTRING({zone}, 1, 1) = '+' THEN -1 ELSE 1 END"
        offset = f"CASE WHEN RIGHT({x}, 1) = 'Z' THEN 0 ELSE {sign} * ({shift}) END"
        return f"CASE WHEN {self.matches(x, INSTANT)} THEN {day} * 86400 + {clock} + {offset} END"

    @abstractmethod
    def parts(self, x: str) -> str:
        """The array in a JSON text, in the warehouse's own type; NULL if it is none, or is cut off."""

    @abstractmethod
    def is_array(self, x: str) -> str:
        """Whether a text is a JSON array."""

    @abstractmethod
    def array(self, x: str) -> str:
        """The same of a value that has the warehouse's own type."""

    @abstractmethod
    def length(self, x: str) -> str:
        """How many elements an array has."""

    @abstractmethod
    def item(self, x: str, position: int) -> str:
        """One element of an array, counted from 0; NULL behind its end."""

    @abstractmethod
    def unnest(self, rows: str) -> tuple[str, str, str]:
        """What follows FROM to have a row for each element of `parts`, the element, and its position from 0."""

    @abstractmethod
    def member(self, x: str, key: str) -> str:
        """A member of an object; NULL if there is none, or `x` is no object (rule 2)."""

    @abstractmethod
    def present(self, x: str) -> str:
        """Whether a JSON value is there, and not null; NULL if it isn't there."""

    @abstractmethod
    def json_string(self, x: str) -> str:
        """Rule 3: a JSON string or a 64-bit integer as text, of any length."""

    @abstractmethod
    def json_text(self, x: str) -> str:
        """A JSON string as text; NULL for every other value."""

    @abstractmethod
    def json_number(self, x: str) -> str:
        """Rule 5: a JSON number as a 64-bit float."""

    @abstractmethod
    def json_integer(self, x: str) -> str:
        """Rule 5: a JSON integer of 64 bits."""

    @abstractmethod
    def json_boolean(self, x: str) -> str:
        """Rule 5: a JSON boolean."""

    def boolean_text(self, x: str) -> str:
        """A boolean as text: a warehouse may write t and f."""
        return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' END"

    def listed(self, x: str, *, booleans: bool) -> str:
        """An element of a list as text; MARK for what is there but has none, NULL where nothing is."""
        texts = [self.json_string(x), *([self.boolean_text(self.json_boolean(x))] if booleans else [])]
        return f"COALESCE({', '.join(texts)}, CASE WHEN {self.present(x)} THEN {MARK} END)"

    @abstractmethod
    def csv(self, x: str) -> str:
        """A text as the unload has to be given it, so that the CSV quotes what needs it."""

    @abstractmethod
    def columns_query(self, schemas: Sequence[str]) -> str:
        """What to ask the warehouse for `catalog.parse_columns`."""

    @abstractmethod
    def setup(self, to: str, access: str) -> list[str]:
        """What a session runs before anything else."""

    @abstractmethod
    def setup_of(self, dataset: str) -> list[str]:
        """What a session runs before the unload of a dataset."""

    def part(self, folder: str, dataset: str) -> str:
        """Return how the names of a dataset's files in a folder begin: as those of an export."""
        return f"{folder}{dataset}/part-"

    @abstractmethod
    def unload(self, select: str, to: str, dataset: str, access: str, region: str | None) -> str:
        """The statement that writes the rows of a SELECT to the dataset's folder; `region` is the bucket's."""

    def schema(self, name: str) -> str:
        """Check the name of a schema, and return it. Raises WarehouseError."""
        if not is_blank(name) and (not name or not name.isprintable() or not all(name.split("."))):
            raise WarehouseError(repr(name), "is no name of a schema", "Name one as Segment shows it, such as prod")
        return name

    @abstractmethod
    def access(self, value: str) -> str:
        """Check what gives access to the bucket: a role, or an integration. Raises WarehouseError."""
