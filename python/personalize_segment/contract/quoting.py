"""Names and texts quoted for SQL, and file names for DuckDB."""


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def no_pattern(file: str) -> str:
    """Return what DuckDB, which takes file names for patterns, reads as just this name."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in file)
