"""Redshift: SUPER for arrays, UNLOAD to S3 with a role.

Source: Amazon Redshift Database Developer Guide ("UNLOAD", "Names and identifiers", "Reserved words",
"Querying semistructured data", "SUPER configurations", "TRY_CAST"). For the SQL in dialect.py, its pages "LTRIM",
"REPLACE", "CHR", "MOD", "FLOOR", "SUBSTRING", "NULLIF" and "POSIX operators".
"""

# ruff: noqa: D102, ARG002 - Dialect documents the methods

import re
from collections.abc import Sequence

from ..contract.quoting import identifier
from ..errors import WarehouseError
from .dialect import MARK, MAX_PART_MB, ROLE_ARN, Dialect, is_blank

_ROLES = re.compile(f"default|{ROLE_ARN}(,{ROLE_ARN})*")

_REGION = re.compile(r"[a-z]{2,5}(-[a-z]+)+-[0-9]{1,2}")

_SESSION = [
    # Otherwise quoted names become lower case: the header of the CSV, and the keys of paths.
    "SET enable_case_sensitive_identifier TO true",
    # By default floats have 15 digits, which may parse to another float. 17 digits are enough for all.
    "SET extra_float_digits TO 2",
    # A user's time zone may differ, and columns with a time zone are read in it.
    "SET timezone TO 'UTC'",
]

#: Names that Segment prefixes with `_`.
_RESERVED = frozenset(
    """
    aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup between binary
    blanksasnull both bytedict bzip2 case cast check collate column constraint create credentials cross
    current_date current_time current_timestamp current_user current_user_id default deferrable deflate defrag
    delta delta32k desc disable distinct do else emptyasnull enable encode encrypt encryption end except explicit
    false for foreign freeze from full globaldict256 globaldict64k grant group gzip having identity ignore ilike
    in initially inner intersect interval into is isnull join leading left like limit localtime localtimestamp lun
    luns lzo lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old on
    only open or order outer overlaps parallel partition percent permissions pivot placing primary raw readratio
    recover references rejectlog resort respect restore right select session_user similar snapshot some sysdate
    system table tag tdes text255 text32k then timestamp to top trailing true truncatecolumns union unique unnest
    unpivot user using verbose wallet when where with without
    """.split()  # noqa: SIM905 - a hundred lines less
)


class RedshiftDialect(Dialect):
    """Redshift, a provisioned cluster or serverless."""

    name = "redshift"
    text_type = "VARCHAR(65535)"  # a plain VARCHAR is cut off after 256 bytes
    double_type = "DOUBLE PRECISION"
    longest = 127
    reserved = _RESERVED

    def _fold(self, name: str) -> str:
        return name.lower()

    def varchar(self, most: int) -> str:
        return f"VARCHAR({min(4 * most, 65535)})"  # in bytes, enough for the longest text

    def float_text(self, x: str) -> str:
        return self.short(x)

    def float_written(self, x: str) -> str:
        return x  # the session sets the number of digits

    def matches(self, x: str, pattern: str) -> str:
        return f"({x} ~ '^({pattern})$')"

    def hexadecimal(self, x: str) -> str:
        return f"FROM_VARBYTE(TO_VARBYTE({x}, 'utf8'), 'hex')"

    def epoch(self, x: str) -> str:
        # EXTRACT returns an INTEGER, which ends in 2038.
        return f"DATEDIFF(second, CAST('1970-01-01 00:00:00' AS TIMESTAMP), {x})"

    def fraction(self, x: str) -> str:
        return f"CAST(EXTRACT(MICROSECOND FROM {x}) AS BIGINT)"

    def iso_text(self, x: str) -> str:
        return f"""TO_CHAR({x}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""

    def parts(self, x: str) -> str:
        return f"CASE WHEN {self.is_array(x)} THEN JSON_PARSE({x}) END"

    def is_array(self, x: str) -> str:
        return f"{x} LIKE '[%' AND CAN_JSON_PARSE({x})"

    def array(self, x: str) -> str:
        return f"CASE WHEN IS_ARRAY({x}) THEN {x} END"

    def length(self, x: str) -> str:
        return f"GET_ARRAY_LENGTH({x})"

    def item(self, x: str, position: int) -> str:
        return f"{x}[{position}]"

    def unnest(self, rows: str) -> tuple[str, str, str]:
        return f"{rows} AS base, base.parts AS part AT place", "part", "CAST(place AS BIGINT)"

    def member(self, x: str, key: str) -> str:
        return f"{x}.{identifier(key)}"

    def present(self, x: str) -> str:
        return f"JSON_TYPEOF({x}) <> 'null'"

    def json_string(self, x: str) -> str:
        integer = f"WHEN IS_BIGINT({x}) THEN CAST(CAST({x} AS BIGINT) AS VARCHAR(20))"
        return f"CASE WHEN IS_VARCHAR({x}) THEN CAST({x} AS {self.text_type}) {integer} END"

    def json_text(self, x: str) -> str:
        return f"CASE WHEN IS_VARCHAR({x}) THEN CAST({x} AS {self.text_type}) END"

    def json_number(self, x: str) -> str:
        return f"CASE WHEN JSON_TYPEOF({x}) = 'number' THEN CAST({x} AS DOUBLE PRECISION) END"

    def json_integer(self, x: str) -> str:
        return f"CASE WHEN IS_BIGINT({x}) THEN CAST({x} AS BIGINT) END"

    def json_boolean(self, x: str) -> str:
        return f"CASE WHEN IS_BOOLEAN({x}) THEN CAST({x} AS BOOLEAN) END"

    def listed(self, x: str, *, booleans: bool) -> str:
        # Shorter than the general form, because a list repeats it 25 times, and the Data API takes 100 KB.
        text = f"WHEN IS_VARCHAR({x}) THEN CAST({x} AS {self.text_type})"
        integer = f"WHEN IS_BIGINT({x}) THEN CAST(CAST({x} AS BIGINT) AS VARCHAR(20))"
        boolean = f" WHEN IS_BOOLEAN({x}) THEN CASE WHEN CAST({x} AS BOOLEAN) THEN 'true' ELSE 'false' END"
        return f"CASE {text} {integer}{boolean if booleans else ''} WHEN {self.present(x)} THEN {MARK} END"

    def csv(self, x: str) -> str:
        return x

    def columns_query(self, schemas: Sequence[str]) -> str:
        names = ", ".join(self.literal(self.fold(schema)) for schema in schemas)
        return (
            "SELECT table_schema, table_name, column_name, data_type, numeric_scale\n"
            f"FROM svv_columns WHERE table_schema IN ({names})\nORDER BY table_schema, table_name, ordinal_position"
        )

    def setup(self, to: str, access: str) -> list[str]:
        return _SESSION

    def setup_of(self, dataset: str) -> list[str]:
        return []  # CLEANPATH deletes the old files

    def unload(self, select: str, to: str, dataset: str, access: str, region: str | None) -> str:
        quoted = select.replace("\\", "\\\\").replace("'", "''")
        role = access if access == "default" else f"'{access}'"
        if region is not None and not is_blank(region) and not _REGION.fullmatch(region):
            raise WarehouseError(repr(region), "isn't an AWS region", "Write the bucket's region, such as eu-west-1")
        where = "" if region is None else f"\nREGION {self.literal(region)}"
        return (
            f"UNLOAD ('\n{quoted}\n')\nTO {self.literal(self.part(to, dataset))}\nIAM_ROLE {role}\n"
            f"FORMAT AS CSV HEADER NULL AS '' CLEANPATH PARALLEL ON MAXFILESIZE {MAX_PART_MB} MB EXTENSION 'csv'\n"
            f"ENCRYPTED AUTO{where}"  # with the bucket's own key, if it has one
        )

    def schema(self, name: str) -> str:
        super().schema(name)
        if "." in name:
            problem = "names a database, but Redshift lists only the columns of the connected database"
            raise WarehouseError(repr(name), problem, "Connect to that database, and pass the schema alone")
        return name

    def access(self, value: str) -> str:
        if is_blank(value) or _ROLES.fullmatch(value):
            return value
        raise WarehouseError(
            "the role",
            "isn't the ARN of an IAM role",
            "Pass one, such as arn:aws:iam::123456789012:role/unload, or default",
        )
