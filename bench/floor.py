"""The floor: decompress and parse every line, nothing else, on all cores, start-up included.

DuckDB's reader, because it was the faster of those tried: zlib with orjson, a process a core, took
about twice as long.
"""

import sys

import duckdb


def main(logs: str) -> None:
    query = "SELECT count(*), count(json) FROM read_ndjson_objects(?, ignore_errors = true)"
    print(*duckdb.execute(query, [f"{logs}/**/*.gz"]).fetchone() or ())


if __name__ == "__main__":
    main(sys.argv[1])
