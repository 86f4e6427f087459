"""The page in a real browser: Chromium, headless, over its debugging pipe. Nothing is fetched, nothing runs."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_preflight import DEVICE, ITEM, MAPPING, NOW, TYPE, USER, Data
from test_preflight_page import HOSTILE

from personalize_segment.preflight import preflight
from personalize_segment.preflight.page import page

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--remote-debugging-pipe",
)  # fmt: skip
# Chromium reads from descriptor 3 and writes to 4.
_DESCRIPTORS = (
    "import os, sys\n"
    "for given, wanted in zip(sys.argv[1:3], (3, 4)): os.dup2(int(given), wanted)\n"
    "os.execvp(sys.argv[3], sys.argv[3:])"
)


class Browser:
    """One Chromium with one page. `events` are those since the page was opened."""

    def __init__(self, program: str, profile: Path) -> None:
        (read_here, write_there), (read_there, write_here) = os.pipe(), os.pipe()
        # High ones, so that none is 3 or 4, which are taken last.
        theirs = [os.dup(one) for one in (read_there, write_there)]
        command = [
            sys.executable,
            "-c",
            _DESCRIPTORS,
            *map(str, theirs),
            program,
            *_FLAGS,
            f"--user-data-dir={profile}",
        ]
        self._process = subprocess.Popen(
            command, pass_fds=theirs, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for one in (*theirs, read_there, write_there):
            os.close(one)
        self._to, self._from = os.fdopen(write_here, "wb", 0), os.fdopen(read_here, "rb")
        self._number, self._rest = 0, b""
        self.events: list[dict[str, Any]] = []
        self._session: str | None = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        """Stop the browser and wait for it to end."""
        self._session = None
        self.call("Browser.close")
        self._process.wait(timeout=30)
        self._to.close()
        self._from.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the answer to a DevTools command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        self._to.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            part = os.read(self._from.fileno(), 1 << 16)
            assert part, "Chromium has ended"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message

    def open(self, page: Path, *, width: int, scheme: str = "light", media: str = "screen") -> None:
        """Open a page, and wait until it is loaded."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """Return the result of a script in the page."""
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """Return the events of these kinds since the page was opened."""
        return [one["params"] for one in self.events if one.get("method") in methods]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Yield a browser. Without one, skip the tests, or fail them in CI."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if program is None:
        if "CI" in os.environ:
            pytest.fail("Chromium is not installed: apt-get install chromium, or set CHROMIUM")
        pytest.skip("Chromium is not installed (apt-get install chromium), or set CHROMIUM")
    browser = Browser(program, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of an export whose texts are hostile or long, with every color of verdict."""
    data = Data.sound()
    data.each(USER, HOSTILE, 7)
    data.each(ITEM, "w" * 257, 11)
    data.each(TYPE, HOSTILE, 50)
    data.each(DEVICE, "x" * 200, 3)
    folder = tmp_path_factory.mktemp("page")
    out = data.write(folder / ("long-name-" * 20))
    # Without its policy, which would block injected scripts: escaping alone must suffice.
    text = page(preflight(out, MAPPING, now=NOW))
    bare = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert bare != text
    (folder / "bare.html").write_text(bare, "utf-8")
    (folder / "page.html").write_text(text, "utf-8")
    return folder / "page.html"


@pytest.mark.parametrize("name", ["page.html", "bare.html"])
def test_nothing_in_the_data_runs_or_is_fetched(name: str, browser: Browser, written: Path) -> None:
    file = written.with_name(name)
    browser.open(file, width=1280)
    assert browser.value("document.images.length + document.scripts.length") == 0
    assert str(browser.value("document.title")).startswith("Preflight: Not ready")
    assert HOSTILE[:40] in str(browser.value("document.body.innerText"))
    assert [one["request"]["url"] for one in browser.said("Network.requestWillBeSent")] == [file.as_uri()]
    assert browser.said("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded") == []


def test_the_browser_would_tell_of_a_script_and_a_request(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<img src=gone.png><script>console.error(1); throw 2</script>")
    browser.open(tmp_path / "bad.html", width=1280)
    assert len(browser.said("Network.requestWillBeSent")) == 2
    assert browser.said("Runtime.consoleAPICalled")
    assert browser.said("Runtime.exceptionThrown")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 390, 760, 1280])
def test_the_page_never_scrolls_sideways(width: int, scheme: str, browser: Browser, written: Path) -> None:
    browser.open(written, width=width, scheme=scheme)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert browser.value("document.documentElement.scrollWidth") <= width
    assert browser.value(
        "[...document.querySelectorAll('main *:not(.aside, .aside *)')]"
        ".filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.outerHTML.slice(0, 80))"
    ) == []  # fmt: skip


# WCAG's contrast of an element's color with the first background behind it.
_CONTRAST = """
(() => {
  const parts = color => color.match(/[\\d.]+/g).map(Number)
  const light = color => {
    const [r, g, b] = parts(color).map(one => one / 255)
      .map(one => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const behind = one => {
    for (; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor
      if (parts(color)[3] !== 0) return color
    }
    return 'rgb(255, 255, 255)'
  }
  const low = []
  for (const one of document.querySelectorAll('body *')) {
    if (!one.innerText || ![...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue
    const [a, b] = [getComputedStyle(one).color, behind(one)].map(light)
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)
    if (ratio < 4.5) low.push([ratio, one.outerHTML.slice(0, 80)])
  }
  return low
})()
"""


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_texts_are_readable_in_light_and_dark(scheme: str, dark: bool, browser: Browser, written: Path) -> None:
    browser.open(written, width=1280, scheme=scheme)
    red, *_ = map(int, re.findall(r"\d+", str(browser.value("getComputedStyle(document.body).backgroundColor"))))
    assert (red < 60) is dark
    assert browser.value(_CONTRAST) == []


def test_pictures_have_names_and_bars_have_heights(browser: Browser, written: Path) -> None:
    browser.open(written, width=390)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    pictures = [one["name"]["value"] for one in nodes if one.get("role", {}).get("value") in ("image", "img")]
    assert {"Activity", "Users by interactions"} <= {
        one.split(" Interactions")[0].split(" Users by")[0] for one in pictures
    }
    assert all(pictures)
    heights = browser.value(
        "[...document.querySelectorAll('.area rect')].map(one => one.getBoundingClientRect().height)"
    )
    assert len(heights) > 20
    assert max(heights) > 100


def test_paper_shows_it_all_without_cutting(browser: Browser, written: Path) -> None:
    browser.open(written, width=1000)
    pdf = browser.call("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(pdf).startswith(b"%PDF-")
    browser.open(written, width=700, media="print")
    assert browser.value("document.documentElement.scrollWidth") <= 700
    assert browser.value("[...document.querySelectorAll('.numbers')].some(one => one.checkVisibility())") is False
