"""The floor: decompress and parse every line, nothing else, on all cores, start-up included.

ISA-L and DuckDB's parser, a thread a core, because that was the fastest of those tried: with DuckDB's own
decompression it takes a fifth longer, with zlib-ng a tenth, and zlib with orjson in a process a core takes
nearly three times as long.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from personalize_segment.history.duckdb.streams import LogStreams
from personalize_segment.history.logs import list_folder


def main(logs: str) -> None:
    files = list_folder(Path(logs))
    workers = os.cpu_count() or 1
    streams = LogStreams()
    connection = duckdb.connect(config={"threads": 1})
    connection.register_filesystem(streams)

    def parse(worker: int) -> tuple[int, ...]:
        mine = [(one, Path(one.name)) for one in files[worker::workers]]
        batch = streams.batch(mine)
        with connection.cursor() as cursor:
            options = "format = 'newline_delimited', compression = 'none', ignore_errors = true"
            query = f"SELECT count(*), count(json) FROM read_json_objects('{batch.path}', {options})"
            return cursor.execute(query).fetchone() or ()

    with ThreadPoolExecutor(workers) as threads:
        print(*map(sum, zip(*threads.map(parse, range(workers)), strict=True)))


if __name__ == "__main__":
    main(sys.argv[1])
