"""Typed days: unambiguous ones are accepted, ambiguous ones are refused with both readings."""

from datetime import date

import pytest
import typer

from personalize_segment.cli.days import day


@pytest.mark.parametrize(
    "text",
    ["2024-03-01", "20240301", "2024/3/1", "2024 Mar 1", "1 Mar 2024", "Mar 1, 2024", "1 march 2024", "Fri 1 Mar 2024"],
)
def test_a_day_is_read(text: str) -> None:
    assert day(text) == date(2024, 3, 1)


def test_where_both_readings_are_one_day_it_is_read() -> None:
    assert day("13/02/2024") == day("02/13/2024") == date(2024, 2, 13)
    assert day("02.02.2024") == date(2024, 2, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("01/02/2024", "'01/02/2024' could be 2024-01-02 or 2024-02-01.", id="two days"),
        pytest.param("1. 3. 2024", "'1. 3. 2024' could be 2024-01-03 or 2024-03-01.", id="two days, with points"),
        pytest.param("Mar 2024", "complete date", id="no day"),
        pytest.param("1 Mar", "complete date", id="no year"),
        pytest.param("1 Mar 24", "complete date", id="half a year"),
        pytest.param("Monday", "complete date", id="a weekday"),
        pytest.param("2024-03-01T00:00", "has a time", id="midnight"),
        pytest.param("2024-03-01 12:00+02:00", "has a time", id="a time with an offset"),
        pytest.param("1 Mar 2024 UTC", "isn't a date", id="a zone"),
        pytest.param("1 Mar 2024 XYZ", "isn't a date", id="a zone that is none"),
        pytest.param("2024-02-30", "isn't a date", id="a day that isn't there"),
        pytest.param("yesterday", "isn't a date", id="a word"),
        pytest.param("", "isn't a date", id="nothing"),
        pytest.param("9" * 40, "isn't a date", id="a large number"),
    ],
)
def test_what_may_be_another_day_or_is_none_is_refused(text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter) as caught:
        day(text)
    assert said in str(caught.value)
    assert str(caught.value).endswith("Write it as 2024-03-01 or 1 Mar 2024.")
