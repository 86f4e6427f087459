"""Partial reports from Spark, as JSON, add up to the report of the export."""

import json

from personalize_segment.contract.mapping import default_text, parse
from personalize_segment.contract.report import ColumnCount, DatasetCount, ReasonKey, Reasons, Report
from personalize_segment.contract.rows import MISSING, NO_CONDITION, UNMAPPED, Reason

KEY: ReasonKey = ("track", "View", "items", "ITEM_ID", MISSING)


def _report(times: int, key: ReasonKey, example: str | None) -> Report:
    return Report(
        mapping_sha256="digest",
        files_read=2 * times,
        files_skipped=[("notes.txt", "not a log")] * times,
        files_damaged=[("a.gz", "binary data")] * times,
        events_read=9 * times,
        lines_malformed=1 * times,
        events_unmapped=3 * times,
        events_overlap=4 * times,
        datasets={
            "items": DatasetCount(
                rows=5 * times,
                accepted=7 * times,
                refused=6 * times,
                ahead=2 * times,
                stitched=times,
                columns={"PRICE": ColumnCount(filled=3 * times, unusable=1 * times)},
            )
        },
        reasons=Reasons({key: (8 * times, example)}),
        unusable=Reasons({key: (times, example)}),
    )


def test_a_report_comes_back_from_json() -> None:
    report = _report(1, ("page", None, None, None, "no rule"), None)
    counted = json.loads(json.dumps(report.as_dict(limit=None)))
    columns = {"PRICE": {"filled": 3, "absent": 3, "unusable": 1}}
    assert counted["datasets"] == {
        "items": {"rows": 5, "deduplicated": 2, "refused": 6, "ahead": 2, "stitched": 1, "columns": columns}
    }
    assert Report.from_dict(counted) == report


def test_an_event_that_is_nearly_one_of_the_mapping_s_has_a_hint() -> None:
    report = Report.of(parse(default_text()))
    named = [("track", name) for name in ("Product Viewed ", "product viewed", "Saleor Order Completed")]
    for number, (call, name) in enumerate([*named, ("page", "Product Viewed "), ("group", None)]):
        report.refuse(
            {"type": call, "event": name, "name": name, "messageId": f"m{number}"}, Reason(None, None, UNMAPPED)
        )
    report.refuse({"type": "track", "event": "product viewed"}, Reason(None, None, NO_CONDITION))
    told = {(one["call"], one["event"]): one["hint"] for one in report.as_dict()["reasons"] if "hint" in one}
    assert told == {
        ("track", "Product Viewed "): 'differs from "Product Viewed" in a trailing space',
        ("track", "product viewed"): 'differs from "Product Viewed" in case',
    }
    assert Report.from_dict(report.as_dict()).reasons == report.reasons


def test_reports_add_up_and_keep_the_lowest_example() -> None:
    report = _report(2, KEY, "m2")
    report.merge(_report(1, KEY, "m1"))
    assert report == _report(3, KEY, "m1")
