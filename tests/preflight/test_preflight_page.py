"""The page as text: complete, self-contained, and with the numbers of every plot."""

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from test_preflight import MAPPING, NOW, TYPE, USER, Data, a_lost_row

from personalize_segment.preflight import Assessment, preflight
from personalize_segment.preflight.page import TEMPLATES, page
from personalize_segment.preflight.plots import Bar, scale, short
from personalize_segment.preflight.verdict import visible

PLOTS: Any = TEMPLATES.get_template("plots.html").module
HOSTILE = '</script></style></title><img src=x onerror="document.title=1">'
VOID = {"meta", "br", "img"}


class Tags(HTMLParser):
    """Collects elements and their texts. Fails on unbalanced tags."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element without content."""
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Compare with what is open."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def parsed(text: str) -> Tags:
    """Return the elements of a page that is well-formed."""
    tags = Tags()
    tags.feed(text)
    tags.close()
    assert tags.open == []
    return tags


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Assessment:
    """Return the result of an export whose texts are hostile, and that lost rows."""
    data = Data.sound()
    data.each(USER, f'{HOSTILE}"', 7)
    data.each(TYPE, HOSTILE, 50)
    a_lost_row(data)
    return preflight(data.write(tmp_path_factory.mktemp("out") / "a<b>&c"), MAPPING, now=NOW)


def test_the_page_is_one_well_formed_file_that_needs_no_other(result: Assessment) -> None:
    tags = parsed(page(result))
    names = {name for name, _ in tags.found}
    assert {"html", "main", "svg", "table", "style"} <= names
    assert not names & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "foreignobject", "use"}
    for name, attributes in tags.found:
        assert not [one for one in attributes if one.startswith("on") or one in ("src", "style", "srcset")], name
        if "href" in attributes:
            assert name == "a"
            assert str(attributes["href"]).startswith(("#check-", "https://docs.aws.amazon.com/")), attributes
    (css,) = re.findall("<style>(.*?)</style>", page(result), re.DOTALL)
    assert not re.search(r"url\(|@import|@font-face|</", css)


def test_what_comes_from_the_data_is_text(result: Assessment) -> None:
    text = page(result)
    assert HOSTILE not in text
    assert visible(HOSTILE, 60) in parsed(text).text
    assert "a<b>&c" in parsed(text).text


def test_every_check_and_what_to_do_stand_on_the_page(result: Assessment) -> None:
    tags = parsed(page(result))
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {str(one["href"])[1:] for name, one in tags.found if name == "a" and str(one["href"]).startswith("#")}
    assert links == {f"check-{one.id}" for one in result.checks if one.remedy}
    for check in result.checks:
        assert f"check-{check.id}" in ids
        assert all(one in tags.text for one in (check.said, check.remedy, check.limit.text, check.limit.source.name))
    assert "Not ready: 1 problem prevents the import or the training" in tags.text


def test_plots_have_a_title_a_description_and_their_numbers(result: Assessment) -> None:
    tags = parsed(page(result))
    ids = {attributes.get("id") for _, attributes in tags.found}
    drawn = [one for name, one in tags.found if name == "svg" and one.get("class") is None]
    pictures = [one for one in drawn if one.get("role") == "img"]
    assert len(pictures) == 2
    for one in pictures:
        assert set(str(one["aria-labelledby"]).split()) <= ids
    # The others are bars in a table, next to their numbers.
    assert all(one.get("aria-hidden") == "true" for one in drawn if one not in pictures)
    assert sum(name == "table" for name, _ in tags.found) == sum(name == "figure" for name, _ in tags.found) == 4


def test_bars_are_as_high_as_their_numbers() -> None:
    drawn = PLOTS.columns("a", "A", "Of a.", [Bar("x", 50, "50"), Bar("y", 100, "100"), Bar("z", 0, "0")], ("l", "n"))
    assert re.findall(r'y="([\d.]+)" width="[\d.]+" height="([\d.]+)"', drawn) == [
        ("100.00", "100.00"), ("0.00", "200.00"), ("200.00", "0.00"),
    ]  # fmt: skip
    assert re.findall(r"<th scope=\"row\">(\w)</th><td>(\d+)</td>", drawn) == [("x", "50"), ("y", "100"), ("z", "0")]
    lying = PLOTS.rows("b", "B", "Of b.", [Bar("x", 0.25, "25%"), Bar("y", 1, "100%")], ("l", "n"), top=1, mark=0.7)
    assert re.findall(r'<rect width="([\d.]+)" height="10"/>', lying) == ["250.0", "1000.0"]
    assert lying.count('<line x1="700.0" x2="700.0"') == 2


@pytest.mark.parametrize("bars", [[], [Bar("only", 0, "0")], [Bar(str(n), n, str(n)) for n in range(40)]])
def test_plots_of_nothing_one_and_many_are_whole(bars: list[Bar]) -> None:
    parsed(PLOTS.columns("a", "A", "Of a.", bars, ("l", "n")))
    parsed(PLOTS.rows("b", "B", "Of b.", bars, ("l", "n"), top=40))


@pytest.mark.parametrize(
    ("most", "steps"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (2, [0, 1, 2]),
        (9, [0, 2, 4, 6, 8, 10]),
        (10, [0, 2, 4, 6, 8, 10]),
        (11, [0, 2.5, 5, 7.5, 10, 12.5]),
        (1234, [0, 250, 500, 750, 1000, 1250]),
    ],
)
def test_scales_have_few_round_steps(most: float, steps: list[float]) -> None:
    assert scale(most) == steps


@pytest.mark.parametrize("most", [10**n * k for n in range(10) for k in (1, 3, 7, 9.99)])
def test_scales_hold_what_is_drawn(most: float) -> None:
    steps = scale(most)
    assert steps[-1] >= most > steps[-2]
    assert 2 <= len(steps) <= 6


@pytest.mark.parametrize(("value", "text"), [(0, "0"), (999, "999"), (1500, "1.5k"), (2e6, "2M"), (3e9, "3bn")])
def test_numbers_on_a_scale_are_short(value: float, text: str) -> None:
    assert short(value) == text
