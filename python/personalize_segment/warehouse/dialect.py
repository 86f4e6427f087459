"""The SQL that Redshift and Snowflake share, and the parts in which they differ.

No text in a statement has a backslash, because only one of the warehouses treats it as an escape. docs/contract.md
numbers the rules.
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

#: An instant (rule 4) without backslashes. Excludes the year 0000.
INSTANT = (
    "(000[1-9]|00[1-9][0-9]|0[1-9][0-9][0-9]|[1-9][0-9][0-9][0-9])-[0-9][0-9]-[0-9][0-9]"
    "T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.,][0-9]+)?(Z|[+-]([01][0-9]|2[0-3]):?[0-5][0-9])"
)
DATE = INSTANT.partition("T")[0]
#: A JSON number (rule 5), and one without fraction and exponent that may fit 64 bits.
NUMBER = "-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?"
INTEGER = "-?(0|[1-9][0-9]{0,18})"

#: type -> the condition that a number is an integer of that type.
RANGES = {name: f"BETWEEN {bounds.start} AND {bounds.stop - 1}" for name, bounds in (("long", INT64), ("int", INT32))}

#: Megabytes of a part: far below the limits of S3 and Personalize, and small enough for parallel writes.
MAX_PART_MB = 256

ROLE_ARN = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"

#: A control character among the hexadecimal digits of a text in UTF-8: U+0000 to U+001F and U+007F in one byte, U+0080
#: to U+009F in two. Digits are read in pairs, so that no half of a pair matches.
CONTROL = "(..)*([01].|7[Ff]|[Cc]2[89])"

#: Characters whose hexadecimal digits, eight per character, still fit into a Redshift text.
_CHUNK = 8000

#: A control character, which no valid text has. It marks an element of a list that is outside the domain.
MARK = "CHR(1)"

#: White space that a placeholder may consist of: see `rows.id_text`.
BLANKS = "' ' || CHR(9) || CHR(10) || CHR(11) || CHR(12) || CHR(13)"

#: A blank to fill in later, such as {{schema}}. Names and places allow nothing else of this kind.
_BLANK = re.compile(r"\{\{[a-z_]+\}\}")


def is_blank(text: str) -> bool:
    """Return whether a text is a blank and nothing else."""
    return _BLANK.fullmatch(text) is not None


class Dialect(ABC):
    """The SQL of one warehouse. Arguments named `x` and all results are SQL expressions, unless stated otherwise."""

    name: ClassVar[str]
    #: The SQL types for text of any length and for 64-bit floats.
    text_type: ClassVar[str]
    double_type: ClassVar[str]
    #: The maximum length of a table or column name, and the words that Segment prefixes with `_`.
    longest: ClassVar[int]
    reserved: ClassVar[frozenset[str]] = frozenset()

    def fold(self, name: str) -> str:
        """Return a name in the case that the warehouse stores. A blank stays as it is."""
        return name if is_blank(name) else self._fold(name)

    @abstractmethod
    def _fold(self, name: str) -> str: ...

    def named(self, name: str) -> str:
        """Return a quoted name of the warehouse. Dots separate database and schema."""
        parts = [name] if is_blank(name) else name.split(".")
        return ".".join(identifier(self.fold(part)) for part in parts)

    def literal(self, text: str) -> str:
        """Return a quoted text."""
        quoted = " || CHR(92) || ".join(map(literal, text.split("\\")))
        return quoted if "\\" not in text else f"({quoted})"

    def constant(self, text: str) -> str:
        """Return a quoted text with a type, for a column. A warehouse may not find the type itself."""
        return self.short(self.literal(text), max(MAX_ID, len(text)))

    @abstractmethod
    def varchar(self, most: int) -> str:
        """Return the SQL type of texts with `most` characters at most."""

    def short(self, x: str, most: int = MAX_ID) -> str:
        """Return a value of `most` characters at most as text, in the type of intermediate columns."""
        return f"CAST({x} AS {self.varchar(most)})"

    def null(self, kind: str) -> str:
        """Return a NULL with a type, so that the SELECTs of a UNION agree."""
        return f"CAST(NULL AS {self.type_of(kind)})"

    def type_of(self, kind: str) -> str:
        """Return the SQL type of a dataset's column in intermediate results. Texts get the shortest."""
        if kind in ("timestamp", "long", "int"):
            return "BIGINT"
        types = {"float": self.double_type, "double": self.double_type, "boolean": "BOOLEAN"}
        return types.get(kind) or self.varchar(MAX_ID)

    def as_text(self, x: str) -> str:
        """Return any value except a boolean as text."""
        return f"CAST({x} AS {self.text_type})"

    @abstractmethod
    def float_text(self, x: str) -> str:
        """Return a 64-bit float as text that parses to the same float."""

    @abstractmethod
    def float_written(self, x: str) -> str:
        """Return a 64-bit float in the form in which the unload writes the same float to the CSV."""

    def double(self, text: str) -> str:
        """Return a 64-bit float from its digits. A warehouse may read a bare number as a decimal."""
        return f"CAST({literal(text)} AS {self.double_type})"

    @abstractmethod
    def matches(self, x: str, pattern: str) -> str:
        """Return whether a whole text matches an extended regular expression."""

    @abstractmethod
    def hexadecimal(self, x: str) -> str:
        """Return the bytes of a text in UTF-8 as hexadecimal digits."""

    def printable(self, x: str, most: int) -> str:
        """Return whether a text has 1 to `most` characters, and no control character (rule 3)."""
        tests = [f"LENGTH({x}) BETWEEN 1 AND {most}"]
        for start in range(1, most, _CHUNK):
            size = min(_CHUNK, most - start + 1)  # a longer text is invalid anyway, and may have megabytes
            chunk = f"LEFT({x}, {size})" if start == 1 else f"SUBSTRING({x}, {start}, {size})"
            tests.append(f"NOT {self.matches(self.hexadecimal(chunk), f'{CONTROL}.*')}")
        return " AND ".join(tests)

    def is_placeholder(self, x: str) -> str:
        """Return whether a text is a placeholder (rule 3)."""
        # Not by comparison, because Redshift ignores blanks at the end of texts.
        texts = "|".join(re.sub(r"[\[\]]", r"[\g<0>]", text) for text in sorted(PLACEHOLDERS))
        return f"(LENGTH(LTRIM({x}, {BLANKS})) = 0 OR {self.matches(x, texts)})"

    def one_line(self, x: str) -> str:
        """Return a textual string with a space for each line end and tab (rule 3)."""
        for end in ("CHR(13) || CHR(10)", "CHR(13)", "CHR(10)", "CHR(9)"):
            x = f"REPLACE({x}, {end}, ' ')"
        return x

    def seconds(self, x: str) -> str:
        """Return the whole epoch seconds of a point in time, rounded down, in any session time zone (rule 4)."""
        whole = f"DATE_TRUNC('second', {x})"
        return f"CAST({self.epoch(whole)} AS BIGINT)"

    def moment(self, seconds: int) -> str:
        """Return a point in time from its epoch seconds."""
        return f"CAST('{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}' AS TIMESTAMP)"

    @abstractmethod
    def epoch(self, x: str) -> str:
        """Return the epoch seconds of a point in time in whole seconds."""

    @abstractmethod
    def fraction(self, x: str) -> str:
        """Return a value that orders points in time within one second."""

    @abstractmethod
    def iso_text(self, x: str) -> str:
        """Return a point in time in the format that Segment's libraries send."""

    def _days(self, x: str) -> str:
        return f"DATEDIFF(day, CAST('1970-01-01' AS DATE), TRY_CAST({x} AS DATE))"

    def date(self, x: str) -> str:
        """Return the epoch seconds of a date in text form, NULL if it isn't one (rule 4)."""
        return f"CASE WHEN {self.matches(x, DATE)} THEN CAST({self._days(x)} AS BIGINT) * 86400 END"

    def instant(self, x: str) -> str:
        """Return the epoch seconds of an ISO-8601 text, NULL if it isn't one (rule 4)."""
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
        """Return the array in a JSON text in the warehouse's own type, NULL if it isn't an array or is cut off."""

    @abstractmethod
    def is_array(self, x: str) -> str:
        """Return whether a text is a JSON array."""

    @abstractmethod
    def array(self, x: str) -> str:
        """Return the array in a value of the warehouse's own type, NULL if it isn't an array."""

    @abstractmethod
    def length(self, x: str) -> str:
        """Return the number of elements of an array."""

    @abstractmethod
    def item(self, x: str, position: int) -> str:
        """Return one element of an array, counted from 0, NULL beyond its end."""

    @abstractmethod
    def unnest(self, rows: str) -> tuple[str, str, str]:
        """Return the FROM clause with a row per element of `parts`, the element, and its position from 0."""

    @abstractmethod
    def member(self, x: str, key: str) -> str:
        """Return a member of an object, NULL if it is missing or `x` isn't an object (rule 2)."""

    @abstractmethod
    def present(self, x: str) -> str:
        """Return whether a JSON value isn't null. NULL if it is absent."""

    @abstractmethod
    def json_string(self, x: str) -> str:
        """Return a JSON string or a 64-bit integer as text of any length (rule 3)."""

    @abstractmethod
    def json_text(self, x: str) -> str:
        """Return a JSON string as text, NULL for any other value."""

    @abstractmethod
    def json_number(self, x: str) -> str:
        """Return a JSON number as a 64-bit float (rule 5)."""

    @abstractmethod
    def json_integer(self, x: str) -> str:
        """Return a JSON integer of 64 bits (rule 5)."""

    @abstractmethod
    def json_boolean(self, x: str) -> str:
        """Return a JSON boolean (rule 5)."""

    def boolean_text(self, x: str) -> str:
        """Return a boolean as true or false. A warehouse's own text may be t or f."""
        return f"CASE WHEN {x} THEN 'true' WHEN NOT {x} THEN 'false' END"

    def listed(self, x: str, *, booleans: bool) -> str:
        """Return an element of a list as text, MARK if it has none, NULL if the element is null or absent."""
        texts = [self.json_string(x), *([self.boolean_text(self.json_boolean(x))] if booleans else [])]
        return f"COALESCE({', '.join(texts)}, CASE WHEN {self.present(x)} THEN {MARK} END)"

    @abstractmethod
    def csv(self, x: str) -> str:
        """Return a text in the form in which the unload quotes it correctly in the CSV."""

    @abstractmethod
    def columns_query(self, schemas: Sequence[str]) -> str:
        """Return the query whose result `catalog.parse_columns` reads."""

    @abstractmethod
    def setup(self, to: str, access: str) -> list[str]:
        """Return the statements that a session runs first."""

    @abstractmethod
    def setup_of(self, dataset: str) -> list[str]:
        """Return the statements that a session runs before the unload of a dataset."""

    def part(self, folder: str, dataset: str) -> str:
        """Return the prefix of a dataset's files in a folder, as in an export."""
        return f"{folder}{dataset}/part-"

    @abstractmethod
    def unload(self, select: str, to: str, dataset: str, access: str, region: str | None) -> str:
        """Return the statement that writes the rows of a SELECT to the dataset's folder. `region` is the bucket's."""

    def schema(self, name: str) -> str:
        """Return the checked name of a schema. Raises WarehouseError."""
        if not is_blank(name) and (not name or not name.isprintable() or not all(name.split("."))):
            raise WarehouseError(repr(name), "isn't a valid schema name", "Write it as Segment shows it, such as prod")
        return name

    @abstractmethod
    def access(self, value: str) -> str:
        """Return the checked role or integration that grants access to the bucket. Raises WarehouseError."""
