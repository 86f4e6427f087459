"""Make the images of the documentation in docs/images, or in the folder that is named.

    images.py [FOLDER]

`overview.svg` is drawn here. `recommendations.svg` has the tables of a demo's run, and `preflight.png` is the page of
the sample's export, as Chromium shows it ($CHROMIUM, or the one on the path). Takes five minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from personalize_segment.history.sample import sample

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("personalize-segment")
EVENTS = 40_000
#: Pixels of the screenshot: the verdict and the first findings.
WINDOW = "1080,1000"

#: Light and dark: page, areas, boxes, Segment, Personalize, text, small text, history, live, back to Segment.
LIGHT = (
    "#ffffff #f4f6f8 #d5dbe1 #ffffff #8a96a3 #e7f6ee #3f9c6b #fff3e0 #d98a1f #1c2733 #4a5662 #3b6fb6 #7a4bb0 #b8452f"
)
DARK = "#0d1117 #161b22 #30363d #21262d #6e7681 #12291d #4cb17d #33230c #e0a042 #e6edf3 #b3bdc7 #79a8e8 #b48ae6 #f08a73"
STYLE = """\
.page{{fill:{0}}} .area{{fill:{1};stroke:{2}}} .name{{font-size:14px;font-weight:600;fill:{10}}}
.aws rect{{fill:{3};stroke:{4}}} .segment rect{{fill:{5};stroke:{6}}} .personalize rect{{fill:{7};stroke:{8}}}
.title{{font-size:16px;font-weight:600;text-anchor:middle;fill:{9}}}
.small{{font-size:12.5px;text-anchor:middle;fill:{10}}}
.arrow{{fill:none;stroke-width:2}} .label{{font-size:12.5px;text-anchor:middle}}
.arrow.history{{stroke:{11}}} .label.history,.tip.history{{fill:{11}}}
.arrow.live{{stroke:{12}}} .label.live,.tip.live{{fill:{12}}}
.arrow.back{{stroke:{13}}} .label.back,.tip.back{{fill:{13}}}"""
AREAS = [("Segment", 16, 196), ("Your AWS account", 262, 560), ("Amazon Personalize", 872, 192)]
#: Kind, left, top, width, height, title and lines.
BOXES: list[tuple[str, int, int, int, int, str, list[str]]] = [
    ("segment", 36, 66, 156, 72, "Logs", ["S3 or a warehouse"]),
    ("segment", 36, 240, 156, 72, "Destination", ["one event per call"]),
    ("segment", 36, 416, 156, 72, "Profiles", ["for every destination"]),
    ("aws", 292, 66, 210, 72, "Training data", ["Glue job, a laptop, or SQL"]),
    ("aws", 586, 66, 206, 72, "Bucket", ["interactions, users, items"]),
    ("aws", 292, 240, 210, 72, "Event function", ["answers within five seconds"]),
    ("aws", 586, 240, 206, 72, "Profile queue", ["and table: merges updates"]),
    ("aws", 336, 416, 166, 64, "Rejected events", ["kept with the reason"]),
    ("aws", 586, 416, 206, 64, "Alarms, refresh", ["alarms link to remedies"]),
    ("personalize", 892, 66, 152, 96, "Datasets", ["schemas and imports", "follow the mapping"]),
    ("personalize", 892, 232, 152, 88, "Event tracker", ["live interactions"]),
    ("personalize", 892, 400, 152, 96, "Campaign", ["or recommender,", "retrained on schedule"]),
    ("aws", 292, 164, 500, 46, "One event mapping", ["defines each event, in history and live"]),
]
#: Kind, path, and labels with their place.
ARROWS: list[tuple[str, str, list[tuple[int, int, str]]]] = [
    ("history", "M192 102 H286", []),
    ("history", "M502 102 H580", [(541, 94, "CSV")]),
    ("history", "M792 102 H886", [(839, 94, "import")]),
    ("live", "M192 276 H286", []),
    ("live", "M502 262 H580", [(541, 240, "users,"), (541, 255, "items")]),
    ("live", "M792 276 H854 V144 H886", [(824, 252, "PutUsers"), (824, 267, "PutItems")]),
    ("live", "M462 312 V352 H866 V292 H886", [(690, 345, "PutEvents")]),
    ("live", "M419 312 V410", []),
    ("back", "M892 448 H854 V382 H366 V318", [(690, 399, "GetRecommendations")]),
    ("back", "M310 312 V452 H198", [(252, 444, "identify")]),
]
LEGEND = [("history", 322, "● history"), ("live", 394, "● live"), ("back", 548, "● recommendations, back to Segment")]
DESCRIPTION = (
    "History: Segment's logs become training data in a bucket, which Personalize imports. Live: Segment's destination "
    "invokes the event function. It records interactions with the event tracker, sends users and items through a queue "
    "and a table to the datasets, keeps rejected events, asks the campaign for recommendations, and writes them to the "
    "user's profile in Segment with identify."
)


def main(folder: Path) -> None:
    """Write all three."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "overview.svg").write_text(overview(), "utf-8")
    demo = [sys.executable, str(ROOT / "tools" / "demo.py"), "--image", str(folder / "recommendations.svg")]
    subprocess.run(demo, check=True)
    preflight(folder / "preflight.png")


def overview() -> str:
    """Return the picture of the whole, an SVG for light and dark pages."""
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1080 560" role="img" aria-labelledby="t d">',
        '<title id="t">From Segment to Amazon Personalize and back</title>',
        f'<desc id="d">{DESCRIPTION}</desc>',
        '<style>\nsvg{font-family:system-ui,-apple-system,"Segoe UI",sans-serif}',
        STYLE.format(*LIGHT.split()),
        "@media (prefers-color-scheme: dark){",
        STYLE.format(*DARK.split()),
        "}\n</style>\n<defs>",
    ]
    for kind in ("history", "live", "back"):
        lines.append(
            f'<marker id="{kind}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto">'
            f'<path class="tip {kind}" d="M0 0L10 5L0 10z"/></marker>'
        )
    lines.append('</defs>\n<rect class="page" width="1080" height="560" rx="16"/>')
    for name, left, width in AREAS:
        lines.append(f'<rect class="area" x="{left}" y="16" width="{width}" height="528" rx="14"/>')
        lines.append(f'<text class="name" x="{left + 16}" y="40">{name}</text>')
    for kind, left, top, width, height, title, small in BOXES:
        middle, first = left + width / 2, top + (height - 18 * len(small)) / 2 + 5
        lines.append(f'<g class="{kind}"><rect x="{left}" y="{top}" width="{width}" height="{height}" rx="10"/>')
        lines.append(f'<text class="title" x="{middle:g}" y="{first:g}">{title}</text>')
        for number, line in enumerate(small, start=1):
            lines.append(f'<text class="small" x="{middle:g}" y="{first + 18 * number + 1:g}">{line}</text>')
        lines.append("</g>")
    for kind, path, labels in ARROWS:
        lines.append(f'<path class="arrow {kind}" d="{path}" marker-end="url(#{kind})"/>')
        lines += [f'<text class="label {kind}" x="{x}" y="{y}">{label}</text>' for x, y, label in labels]
    lines += [f'<text class="label {kind}" x="{x}" y="526">{label}</text>' for kind, x, label in LEGEND]
    return "\n".join([*lines, "</svg>", ""])


def preflight(image: Path) -> None:
    """Write a screenshot of the preflight's page."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        sys.exit("Chromium is not installed: apt-get install chromium, or set CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="images-") as folder:
        sample(Path(folder, "shop"), EVENTS)
        # In the folder, because the page names the export.
        for words in ("export shop/segment-logs transformed", "preflight transformed --html page.html"):
            subprocess.run([COMMAND, *words.split()], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={WINDOW}"]
        flags += [f"--user-data-dir={folder}/profile", f"--screenshot={image.resolve()}"]
        page = Path(folder, "page.html").as_uri()
        subprocess.run([chromium, *flags, page], check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
