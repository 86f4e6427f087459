"""Killed or interrupted commands leave nothing in the temporary folder, or the next command removes it."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from personalize_segment import places

ROWS = 400_000


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an export that takes a while to read."""
    out = tmp_path_factory.mktemp("export")
    (out / "interactions").mkdir()
    lines = (f"u{n % 999},i{n % 77},{1_700_000_000 + n},View,," for n in range(ROWS))
    header = "USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE,EVENT_VALUE,RECOMMENDATION_ID"
    (out / "interactions" / "part-00000.csv").write_text("\n".join([header, *lines]) + "\n")
    return out


def folders(temporary: Path) -> set[Path]:
    """Return our folders below the temporary one."""
    return set(temporary.glob(f"{places.TEMPORARY}*"))


def preflight(export: Path, temporary: Path) -> "subprocess.Popen[str]":
    """Start a command that needs a temporary folder, and return it once it has one."""
    command = [sys.executable, "-m", "personalize_segment", "preflight", str(export), "--json"]
    environment = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    before = folders(temporary)
    while process.poll() is None and folders(temporary) <= before:
        time.sleep(0.002)
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=["SIGTERM", "SIGHUP", "Ctrl-C"])
def test_a_command_that_is_interrupted_leaves_nothing(number: signal.Signals, export: Path, tmp_path: Path) -> None:
    # A signal between the call that makes the folder and the next statement leaves it to the next command.
    for delay in (0.05, 0.1, 0.2):
        process = preflight(export, tmp_path)
        assert {path.stat().st_mode & 0o777 for path in folders(tmp_path)} == {0o700}
        time.sleep(delay)
        process.send_signal(number)
        _, messages = process.communicate(timeout=60)
        assert (process.returncode, messages) == (128 + number, "Interrupted.\n")
        assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_sample_ends_at_once_and_leaves_nothing(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "personalize_segment", "sample", str(tmp_path / "a" / "b"), "--events", "9000000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        while process.poll() is None and not list(tmp_path.rglob("*.gz")):
            time.sleep(0.01)
        began = time.monotonic()
        os.killpg(process.pid, number)  # as a terminal does
        assert process.communicate(timeout=60)[1] == "Interrupted.\n"
        # The events that are left take a minute.
        assert time.monotonic() - began < 10
    assert process.returncode == 128 + number
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_command_leaves_is_cleared_away_by_the_next(export: Path, tmp_path: Path) -> None:
    killed = preflight(export, tmp_path)
    killed.kill()
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    [dead] = tmp_path.iterdir()
    (dead / "spill").write_text("user ids")
    _, messages = preflight(export, tmp_path).communicate(timeout=60)
    assert messages == ""
    assert list(tmp_path.rglob("*")) == []


def test_the_folder_of_a_command_that_lives_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with places.temporary() as first:
        (first / "rows").write_text("here")
        with places.temporary() as second:
            assert first != second
        assert not second.exists()
        assert (first / "rows").read_text() == "here"
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_looks_like_a_dead_folder_leads_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "temporary").mkdir()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_text("mine")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary" / f"{places.TEMPORARY}x").symlink_to(tmp_path / "precious")
    with places.temporary():
        pass
    assert (tmp_path / "precious" / "file").read_text() == "mine"


def run(*arguments: str | bytes) -> "subprocess.CompletedProcess[bytes]":
    """Run a verb to its end."""
    command: list[str | bytes] = [sys.executable, "-m", "personalize_segment", *arguments]
    return subprocess.run(command, capture_output=True, check=False)


EVENT = (
    b'{"type":"track","event":"Product Viewed","messageId":"m","userId":"u","timestamp":"2024-03-01T00:00:00Z",'
    b'"properties":{"product_id":"p"}}\n'
)


def test_any_name_of_a_file_is_told_and_none_steers_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    for name in (b"bad\xff.json", b"escape\x1b[31m.json", b"c1\xc2\x9b31m.gz", b"skipped\xfe.txt", b"no\xfd.gz"):
        data = EVENT + b"[1]\n" if name.endswith(b"json") else b"\x1f\x8bno gzip"
        (tmp_path / "logs" / os.fsdecode(name)).write_bytes(data)
    done = run("export", str(tmp_path / "logs"), str(tmp_path / "out"), "--report", str(tmp_path / "report.json"))
    assert done.returncode == 0, done.stderr
    said = (done.stdout + done.stderr).decode()  # UTF-8
    assert not [char for char in said if not char.isprintable() and char != "\n"]
    assert all(
        name in said for name in ("bad\\udcff.json:2", "escape\\x1b[31m.json:2", "c1\\x9b31m.gz", "skipped\\udcfe")
    )
    report = (tmp_path / "report.json").read_text("utf-8")
    assert report == (tmp_path / "out" / "report.json").read_text("utf-8")
    assert all(name in report for name in (r"bad\\xff.json", r"skipped\\xfe.txt", r"no\\xfd.gz"))
    assert run("preflight", str(tmp_path / "out")).returncode == 1


def test_an_argument_that_is_not_utf_8_is_refused() -> None:
    done = run("explain", b"events\xff.json")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"isn't UTF-8 text" in done.stderr


def test_what_is_written_is_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "events.json").write_bytes(EVENT)
    out, report, page = (tmp_path / name for name in ("out", "report.json", "page.html"))
    assert run("export", str(tmp_path / "events.json"), str(out), "--report", str(report)).returncode == 0
    run("preflight", str(out), "--html", str(page))
    for path in (out, *out.rglob("*"), report, page):
        assert path.stat().st_mode & 0o077 == 0, path
