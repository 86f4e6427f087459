"""Snowflake: VARIANT for arrays, COPY INTO a stage on a storage integration.

Source: Snowflake's SQL reference ("COPY INTO <location>", "CREATE STAGE", "CREATE STORAGE INTEGRATION", "FLATTEN",
"TYPEOF", "String & binary data types") and "Data unloading considerations". For the SQL in dialect.py, its pages
"LTRIM", "REPLACE", "CHR, CHAR", "MOD", "FLOOR", "SUBSTR, SUBSTRING", "NULLIF" and "REGEXP_LIKE".
"""

# ruff: noqa: D102, ARG002 - Dialect documents the methods

import re
from collections.abc import Sequence

from ..errors import WarehouseError
from .dialect import MAX_PART_MB, RANGES, ROLE_ARN, Dialect, is_blank

#: A stage for the session only, so that it can't refer to the location of an earlier run.
STAGE = "PERSONALIZE_SEGMENT"

_INTEGRATION = re.compile("[A-Za-z_][A-Za-z0-9_$]{0,254}")

#: An access key id, which would be a valid name.
_KEY = re.compile("A[KS]IA[A-Z0-9]{12,}", re.IGNORECASE)

_INT64 = RANGES["long"]


class SnowflakeDialect(Dialect):
    """Snowflake, in any edition and cloud, with a bucket in S3."""

    name = "snowflake"
    text_type = "VARCHAR"
    double_type = "DOUBLE"
    longest = 255

    def _fold(self, name: str) -> str:
        return name.upper()

    def varchar(self, most: int) -> str:
        return self.text_type

    def float_text(self, x: str) -> str:
        # The plain text is truncated. TME has all 17 digits, for floats that need them.
        short = f"TO_VARCHAR({x})"
        return f"CASE WHEN TRY_CAST({short} AS DOUBLE) = {x} THEN {short} ELSE TO_VARCHAR({x}, 'TME') END"

    def float_written(self, x: str) -> str:
        return self.float_text(x)  # COPY INTO writes floats with nine decimals

    def matches(self, x: str, pattern: str) -> str:
        return f"REGEXP_LIKE({x}, '{pattern}')"  # matches the whole text

    def hexadecimal(self, x: str) -> str:
        return f"HEX_ENCODE({x})"

    def epoch(self, x: str) -> str:
        return f"DATE_PART(EPOCH_SECOND, {x})"

    def fraction(self, x: str) -> str:
        return f"DATE_PART(NANOSECOND, {x})"

    def iso_text(self, x: str) -> str:
        return f"""TO_CHAR({x}, 'YYYY-MM-DD"T"HH24:MI:SS.FF3"Z"')"""

    def parts(self, x: str) -> str:
        return f"CASE WHEN {x} LIKE '[%' THEN TRY_PARSE_JSON({x}) END"

    def is_array(self, x: str) -> str:
        return f"{x} LIKE '[%' AND TRY_PARSE_JSON({x}) IS NOT NULL"

    def array(self, x: str) -> str:
        return f"CASE WHEN TYPEOF({x}) = 'ARRAY' THEN {x} END"

    def length(self, x: str) -> str:
        return f"ARRAY_SIZE({x})"

    def item(self, x: str, position: int) -> str:
        return f"GET({x}, {position})"

    def unnest(self, rows: str) -> tuple[str, str, str]:
        return f"{rows} AS base, LATERAL FLATTEN(INPUT => base.parts) AS part", "part.value", "part.index"

    def member(self, x: str, key: str) -> str:
        return f"GET({x}, {self.literal(key)})"

    def present(self, x: str) -> str:
        return f"TYPEOF({x}) <> 'NULL_VALUE'"

    def json_string(self, x: str) -> str:
        number = f"CAST({x} AS NUMBER(38, 0))"
        integer = f"WHEN TYPEOF({x}) = 'INTEGER' THEN CASE WHEN {number} {_INT64} THEN CAST({number} AS VARCHAR) END"
        return f"CASE WHEN TYPEOF({x}) = 'VARCHAR' THEN CAST({x} AS VARCHAR) {integer} END"

    def json_text(self, x: str) -> str:
        return f"CASE WHEN TYPEOF({x}) = 'VARCHAR' THEN CAST({x} AS VARCHAR) END"

    def json_number(self, x: str) -> str:
        return f"CASE WHEN TYPEOF({x}) IN ('INTEGER', 'DECIMAL', 'DOUBLE') THEN CAST({x} AS DOUBLE) END"

    def json_integer(self, x: str) -> str:
        number = f"CAST({x} AS NUMBER(38, 0))"
        return f"CASE WHEN TYPEOF({x}) = 'INTEGER' THEN CASE WHEN {number} {_INT64} THEN {number} END END"

    def json_boolean(self, x: str) -> str:
        return f"CASE WHEN TYPEOF({x}) = 'BOOLEAN' THEN CAST({x} AS BOOLEAN) END"

    def csv(self, x: str) -> str:
        # The warehouse's own quoting would also quote the header and all texts.
        needs = f"POSITION(',' IN {x}) > 0 OR POSITION('\"' IN {x}) > 0"
        return f"""CASE WHEN {needs} THEN '"' || REPLACE({x}, '"', '""') || '"' ELSE {x} END"""

    def columns_query(self, schemas: Sequence[str]) -> str:
        queries = []
        for name in schemas:
            database, _, schema = name.rpartition(".")
            source = f"{self.named(database)}.INFORMATION_SCHEMA.COLUMNS" if database else "INFORMATION_SCHEMA.COLUMNS"
            # The database as requested. Without one, the tables are in the session's database.
            catalog = self.constant(database)
            queries.append(
                f"SELECT {catalog} AS TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_SCALE\n"
                f"FROM {source} WHERE TABLE_SCHEMA = {self.literal(self.fold(schema))}"
            )
        return "\nUNION ALL\n".join(queries) + "\nORDER BY TABLE_CATALOG, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME"

    def setup(self, to: str, access: str) -> list[str]:
        stage = (
            f"CREATE OR REPLACE TEMPORARY STAGE {STAGE}\nURL = {self.literal(to)}\n"
            f"STORAGE_INTEGRATION = {self.named(access)}"
        )
        # Texts are read as ISO-8601, whatever the user's settings.
        formats = "DATE_INPUT_FORMAT = 'AUTO' TIMESTAMP_INPUT_FORMAT = 'AUTO'"
        return [f"ALTER SESSION SET TIMEZONE = 'UTC' {formats}", stage]

    def setup_of(self, dataset: str) -> list[str]:
        return [f"REMOVE @{STAGE}/{dataset}/"]  # OVERWRITE keeps files with other names

    def unload(self, select: str, to: str, dataset: str, access: str, region: str | None) -> str:
        return (
            f"COPY INTO {self.part(f'@{STAGE}/', dataset)} FROM (\n{select}\n)\n"
            "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE FIELD_DELIMITER = ',' FIELD_OPTIONALLY_ENCLOSED_BY = NONE"
            " ESCAPE_UNENCLOSED_FIELD = NONE NULL_IF = ('') EMPTY_FIELD_AS_NULL = FALSE FILE_EXTENSION = 'csv')\n"
            f"HEADER = TRUE OVERWRITE = TRUE SINGLE = FALSE MAX_FILE_SIZE = {MAX_PART_MB << 20}"
        )

    def access(self, value: str) -> str:
        if is_blank(value) or (_INTEGRATION.fullmatch(value) and not _KEY.fullmatch(value)):
            return value
        raise WarehouseError(
            "the integration", "isn't a valid name of an integration", "Pass one, such as PERSONALIZE_SEGMENT"
        )

    def integration(self, name: str, to: str, role_arn: str, grantee: str) -> list[str]:
        """Return the statements that an administrator runs once, so that the role `grantee` may unload below `to`.

        Snowflake assumes the role `role_arn`. The last statement shows the user and the external id that this role must
        trust. Raises WarehouseError.
        """
        if not re.fullmatch(ROLE_ARN, role_arn):
            remedy = "Pass one, such as arn:aws:iam::123456789012:role/snowflake"
            raise WarehouseError("the role", "isn't the ARN of an IAM role", remedy)
        if not _INTEGRATION.fullmatch(grantee):
            remedy = "Pass the role that unloads, such as LOADER"
            raise WarehouseError(repr(grantee), "isn't a valid Snowflake role name", remedy)
        named = self.named(self.access(name))
        create = (
            f"CREATE STORAGE INTEGRATION IF NOT EXISTS {named}\nTYPE = EXTERNAL_STAGE\n"
            f"STORAGE_PROVIDER = 'S3'\nENABLED = TRUE\nSTORAGE_AWS_ROLE_ARN = {self.literal(role_arn)}\n"
            f"STORAGE_ALLOWED_LOCATIONS = ({self.literal(to)})"
        )
        grant = f"GRANT USAGE ON INTEGRATION {named} TO ROLE {self.named(grantee)}"
        return [create, grant, f"DESC INTEGRATION {named}"]
