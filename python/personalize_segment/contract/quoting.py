"""Names and texts quoted for SQL, and file names for DuckDB."""


def identifier(name: str) -> str:
    """Quote a name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text."""
    return "'" + text.replace("'", "''") + "'"


def no_pattern(file: str) -> str:
    """Return a file name escaped for DuckDB, which reads file names as patterns."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in file)
