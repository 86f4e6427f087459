"""Import, train and rollback in process: what starts, what decides, and how an interrupted run continues."""

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from documents import changed
from personalize_emulator.training import Model
from personalize_segment.errors import ProvisionError
from personalize_segment.provision import training
from personalize_segment.provision.training import Promotion
from stack import SHOP, Cloud, KilledError, cloud, csv, policy, read

NDCG = "normalized_discounted_cumulative_gain_at_25"
#: A stack whose campaign serves what `train` lets it serve.
GATED = changed(SHOP, {"solutions/for-you/automatic_training": False, "campaigns/home/follow_latest": False})
#: The minimum data for training.
LEAN = changed(GATED, {"datasets/users": ..., "datasets/items": ..., "filters": ..., "ssm_prefix": ..., "tags": ...})
FOLLOWS = changed(LEAN, {"campaigns/home/follow_latest": True})
INCREMENTAL = changed(GATED, {"datasets/interactions/import/mode": "INCREMENTAL"})


@pytest.fixture
def shop() -> Iterator[Cloud]:
    """Yield an account in which GATED was applied."""
    with cloud() as made:
        made.apply(GATED)
        made.calls.clear()
        yield made


@pytest.fixture
def lean() -> Iterator[Cloud]:
    """Yield an account in which LEAN was applied."""
    with cloud() as made:
        made.apply(LEAN)
        made.calls.clear()
        yield made


def _import(shop: Cloud, document: dict[str, Any] = GATED, **clients: Any) -> dict[str, str]:
    return training.import_data(shop.clients(**clients), read(document), shop.polling())


def _train(shop: Cloud, document: dict[str, Any] = LEAN, clients: Any = None, **more: Any) -> list[Promotion]:
    return training.train(clients or shop.clients(), read(document), shop.polling(), **more)


def _rollback(shop: Cloud, document: dict[str, Any] = LEAN, *, once: bool = False) -> list[Promotion]:
    return training.rollback(shop.clients(), read(document), shop.polling(), once=once)


def _jobs(shop: Cloud, dataset: str) -> list[dict[str, Any]]:
    found = [one for one in shop.each("DatasetImportJob") if one["jobName"].startswith(f"shop-{dataset}-")]
    return sorted(found, key=lambda one: one["creationDateTime"])


def _versions(shop: Cloud) -> list[str]:
    found = sorted(shop.each("SolutionVersion"), key=lambda one: one["creationDateTime"])
    return [one["solutionVersionArn"] for one in found]


def _serving(shop: Cloud) -> str:
    return str(shop.one("Campaign")["solutionVersionArn"])


def _metrics(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Give the versions these metrics, in the order of the requests, the serving one first."""
    left = iter(values)
    monkeypatch.setattr(Model, "metrics", lambda self: {NDCG: next(left), "coverage": 0.5})


def _taste(strength: float) -> bytes:
    """Return interactions of users with four tastes, who keep to theirs with this probability."""
    chance = random.Random(2)
    lines = ["USER_ID,ITEM_ID,TIMESTAMP,EVENT_TYPE"]
    for one in range(1500):
        group = one % 4 if chance.random() < strength else chance.randrange(4)
        lines.append(f"u{one % 100},i{group * 40 + chance.randrange(40)},{1_700_000_000 + one},View")
    return "\n".join(lines).encode()


def _forbid(shop: Cloud) -> None:
    shop.s3.delete_bucket_policy(Bucket="data")


def test_the_same_content_is_imported_once_and_new_content_by_a_new_job(shop: Cloud) -> None:
    first = {one: _jobs(shop, one)[0]["jobName"] for one in ("interactions", "users", "items")}
    assert _import(shop) == first
    assert not shop.made()
    shop.put("interactions", csv("interactions", 1200))
    made = _import(shop)
    assert made == _import(shop)
    assert made["interactions"] != first["interactions"]
    assert {one: made[one] for one in ("users", "items")} == {one: first[one] for one in ("users", "items")}
    assert shop.made() == {"CreateDatasetImportJob": 1}
    assert [one["status"] for one in _jobs(shop, "interactions")] == ["ACTIVE", "ACTIVE"]


def test_the_order_in_which_files_were_written_does_not_matter(shop: Cloud) -> None:
    files = [("part-0.csv", csv("interactions")), ("part-1.csv", csv("interactions", 1200))]
    for order in (files, files[::-1]):
        for name, _ in files:
            shop.s3.delete_object(Bucket="data", Key=f"t/interactions/{name}")
        for name, body in order:
            shop.s3.put_object(Bucket="data", Key=f"t/interactions/{name}", Body=body)
        _import(shop)
    assert shop.made() == {"CreateDatasetImportJob": 1}


def test_content_that_comes_back_takes_the_place_of_what_came_between(shop: Cloud) -> None:
    before = _jobs(shop, "items")[0]["jobName"]
    shop.put("items", csv("items") + b"i20,toys,2.5\n")
    _import(shop)
    shop.put("items", csv("items"))
    assert _import(shop)["items"] == f"{before}-2"
    assert _import(shop)["items"] == f"{before}-2"
    assert shop.made() == {"CreateDatasetImportJob": 2}


def test_what_was_added_to_interactions_is_not_added_again(shop: Cloud) -> None:
    first, second = csv("interactions"), csv("interactions", 1200)
    names = []
    for body in (first, second, first, second):
        shop.put("interactions", body)
        names.append(_import(shop, INCREMENTAL)["interactions"])
    jobs = _jobs(shop, "interactions")
    assert [one["importMode"] for one in jobs] == ["FULL", "INCREMENTAL"]
    assert names == [jobs[0]["jobName"], jobs[1]["jobName"]] * 2


def test_a_full_import_takes_the_place_of_what_was_added(shop: Cloud) -> None:
    shop.put("interactions", csv("interactions", 1200))
    _import(shop, INCREMENTAL)
    _import(shop)
    assert [one["importMode"] for one in _jobs(shop, "interactions")] == ["FULL", "INCREMENTAL", "FULL"]


def test_the_tags_of_the_spec_are_put_on_the_job(shop: Cloud) -> None:
    shop.put("users", csv("users") + b"u60,free\n")
    _import(shop)
    assert [one["tags"] for name, one in shop.calls if name == "CreateDatasetImportJob"] == [
        [{"tagKey": "team", "tagValue": "shop"}]
    ]


@pytest.mark.parametrize(
    ("spoil", "reason", "remedy"),
    [
        pytest.param(
            lambda shop: shop.put("users", b"USER_ID\nu1\n"),
            "missing the following columns",
            "Export again",
            id="columns",
        ),
        pytest.param(_forbid, "Insufficient privileges", "s3:GetObject", id="permission"),
        pytest.param(
            lambda shop: shop.put("interactions", csv("interactions", 10)), "10 interactions", "longer window", id="few"
        ),
    ],
)
def test_an_import_that_fails_tells_why_and_what_to_do(shop: Cloud, spoil: Any, reason: str, remedy: str) -> None:
    for kind in ("interactions", "users", "items"):
        shop.put(kind, csv(kind) + csv(kind).splitlines()[1] + b"\n")
    spoil(shop)
    with pytest.raises(ProvisionError) as caught:
        _import(shop)
    assert caught.value.place.startswith("DatasetImportJob shop-")
    assert reason in caught.value.problem
    assert remedy in caught.value.remedy
    with pytest.raises(ProvisionError, match=reason):
        _import(shop)  # still broken


def test_a_failed_import_is_tried_again_after_the_content_changed(shop: Cloud) -> None:
    shop.put("users", b"USER_ID\nu1\n")
    with pytest.raises(ProvisionError):
        _import(shop)
    shop.put("users", csv("users") + b"u60,free\n")
    made = _import(shop)["users"]
    jobs = _jobs(shop, "users")
    assert [one["status"] for one in jobs] == ["ACTIVE", "CREATE FAILED", "ACTIVE"]
    assert jobs[-1]["jobName"] == made
    assert made == _import(shop)["users"]


def test_a_failed_import_is_tried_again_after_only_the_permission_changed(shop: Cloud) -> None:
    shop.put("users", csv("users") + b"u60,free\n")
    _forbid(shop)
    for _ in range(2):
        with pytest.raises(ProvisionError):
            _import(shop)
    shop.s3.put_bucket_policy(Bucket="data", Policy=policy("data"))
    made = _import(shop)["users"]
    assert made == _import(shop)["users"] == f"{_jobs(shop, 'users')[1]['jobName']}-3"
    assert [one["status"] for one in _jobs(shop, "users")][1:] == ["CREATE FAILED", "CREATE FAILED", "ACTIVE"]


def test_two_imports_at_once_make_one_job_a_dataset(shop: Cloud) -> None:
    for kind in ("interactions", "users", "items"):
        shop.put(kind, csv(kind) + csv(kind).splitlines()[1] + b"\n")
    both = threading.Barrier(2)
    done: list[dict[str, str]] = []

    def one() -> None:
        def together(number: int, _operation: str) -> None:
            # Both have checked, and neither has seen the other's resource.
            if number == 1:
                both.wait(20)

        done.append(_import(shop, before=together))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert done[0] == done[1]
    assert shop.made() == {"CreateDatasetImportJob": 3}


@pytest.mark.parametrize("code", ["ResourceInUseException", "LimitExceededException"])
def test_an_import_waits_for_its_turn(shop: Cloud, code: str) -> None:
    shop.put("users", csv("users") + b"u60,free\n")
    shop.faults.fail_calls("CreateDatasetImportJob", 3, code)
    _import(shop)
    assert [one["status"] for one in _jobs(shop, "users")] == ["ACTIVE", "ACTIVE"]


def test_before_apply_import_train_and_rollback_send_to_it() -> None:
    with cloud() as shop:
        for verb in (_import, _train, _rollback):
            with pytest.raises(ProvisionError, match="Run `personalize-segment apply` first"):
                verb(shop)
        assert not shop.made()


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "promoted"),
    [
        pytest.param(0.4, 0.5, 0.05, True, id="rises"),
        pytest.param(0.4, 0.4, 0.0, True, id="stays"),
        pytest.param(0.4, 0.3999, 0.0, False, id="falls, no tolerance"),
        pytest.param(0.4, 0.38, 0.05, True, id="falls by just the tolerance"),
        pytest.param(0.202, 0.1919, 0.05, True, id="by just the tolerance, which floats don't hit"),
        pytest.param(0.4, 0.3799, 0.05, False, id="falls by more"),
        pytest.param(0.0, 0.0, 0.05, True, id="nothing was ever hit"),
        pytest.param(0.4, 0.0, 1.0, True, id="all is tolerated"),
    ],
)
def test_a_version_is_promoted_if_its_metric_is_not_lower_by_more_than_the_tolerance(
    lean: Cloud, monkeypatch: pytest.MonkeyPatch, old: float, new: float, tolerance: float, promoted: bool
) -> None:
    _metrics(monkeypatch, old, new)
    first = _serving(lean)
    (done,) = _train(lean, tolerance=tolerance)
    _, second = _versions(lean)
    assert (done.promoted, done.metric, done.new, done.serving) == (promoted, NDCG, new, old)
    assert done.version == _serving(lean) == (second if promoted else first)
    assert done.campaign == lean.one("Campaign")["name"]
    assert lean.made() == {"CreateSolutionVersion": 1} | ({"UpdateCampaign": 1} if promoted else {})


def test_data_without_taste_is_not_promoted_and_data_with_taste_is() -> None:
    with cloud() as shop:
        shop.put("interactions", _taste(1.0))
        shop.apply(LEAN)
        seen = []
        for strength in (0.0, 0.9, 1.0):
            shop.put("interactions", _taste(strength))
            _import(shop, LEAN)
            seen.append(_train(shop, tolerance=0.3)[0])
        assert [one.promoted for one in seen] == [False, True, True]
        assert f"{NDCG} fell by more than 30%" in seen[0].why
        assert seen[2].serving == seen[1].new
        assert _serving(shop) == _versions(shop)[3]


def test_what_was_not_promoted_is_trained_again_not_judged_again(lean: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    _metrics(monkeypatch, 0.5, 0.1, 0.6)
    assert not _train(lean)[0].promoted
    assert _train(lean)[0].promoted
    assert _serving(lean) == _versions(lean)[2]


def test_a_campaign_that_follows_the_latest_version_is_left_alone() -> None:
    with cloud() as shop:
        shop.apply(FOLLOWS)
        shop.calls.clear()
        (done,) = _train(shop, FOLLOWS)
        assert (done.promoted, done.why, done.new, done.serving) == (True, "follows the latest version", None, None)
        assert done.version == _versions(shop)[1]
        assert shop.made() == {"CreateSolutionVersion": 1}
        told = r"the latest version\. Set personalize\.campaigns\.home\.follow_latest to false in Terraform.*--once"
        with pytest.raises(ProvisionError, match=told):
            _rollback(shop, FOLLOWS)
        assert shop.made() == {"CreateSolutionVersion": 1}


def test_a_campaign_that_follows_is_rolled_back_once_and_follows_again_after_apply() -> None:
    with cloud() as shop:
        shop.apply(FOLLOWS)
        _train(shop, FOLLOWS)
        shop.clock.advance(3600)
        first, second = _versions(shop)
        assert _serving(shop) == second
        [done] = _rollback(shop, FOLLOWS, once=True)
        assert (done.version, _serving(shop)) == (first, first)
        shop.clock.advance(86_400)
        assert _serving(shop) == first
        assert [(one.action, one.kind) for one in shop.plan(FOLLOWS)] == [("update", "Campaign")]
        shop.apply(FOLLOWS)
        assert _serving(shop) == second


def test_a_campaign_that_follows_does_not_keep_another_one_from_being_rolled_back() -> None:
    both = changed(LEAN, {"campaigns/all": {"solution": "for-you"}})
    with cloud() as shop:
        shop.apply(both)
        first, after = _serving_of(shop, "shop-home"), _train(shop, both)
        assert sorted(one.why for one in after) == ["follows the latest version", "good enough"]
        assert [one.version for one in _rollback(shop, both)] == [first]
        assert _serving_of(shop, "shop-home") == first
        assert _serving_of(shop, "shop-all") == _versions(shop)[1]


def _serving_of(shop: Cloud, name: str) -> str:
    return str(shop.one("Campaign", name)["solutionVersionArn"])


def test_a_training_that_fails_tells_why_and_the_next_one_begins_anew(lean: Cloud) -> None:
    first = _serving(lean)
    solution = lean.one("Solution")["name"]
    lean.faults.fail(f"{solution}-2", "Create failed. Dataset has fewer than 25 users with 2 interactions each.")
    with pytest.raises(ProvisionError, match=r"fewer than 25 users.*Export a longer window") as caught:
        _train(lean)
    assert caught.value.place.startswith("SolutionVersion ")
    assert _serving(lean) == first
    assert _train(lean)[0].version == _versions(lean)[2] == _serving(lean)


def test_a_promotion_that_fails_tells_why_and_the_next_one_trains_nothing(lean: Cloud) -> None:
    first = _serving(lean)
    lean.faults.fail(lean.one("Campaign")["name"], "Internal limit reached.")
    with pytest.raises(ProvisionError, match="Internal limit reached"):
        _train(lean)
    assert _serving(lean) == first
    lean.apply(LEAN)  # finds nothing to change
    assert _serving(lean) == first


def test_a_metric_that_is_not_known_is_told_before_anything_is_trained(lean: Cloud) -> None:
    with pytest.raises(ProvisionError, match=rf"has no metric clicks\. Choose one of coverage, .*{NDCG}"):
        _train(lean, metric="clicks")
    assert not lean.made()


@pytest.mark.parametrize("metric", ["precision_at_5"])
def test_another_metric_may_decide(lean: Cloud, metric: str) -> None:
    assert _train(lean, metric=metric)[0].metric == metric


@pytest.mark.parametrize("code", ["ResourceInUseException", "LimitExceededException"])
def test_a_training_that_waits_for_its_turn_is_a_new_one(lean: Cloud, code: str) -> None:
    lean.faults.fail_calls("CreateSolutionVersion", 3, code)
    (done,) = _train(lean)
    assert [done.version] == _versions(lean)[1:]


def test_a_promotion_waits_for_an_update_that_is_under_way(lean: Cloud) -> None:
    started = [False]

    def before(_number: int, operation: str) -> None:
        if operation == "UpdateCampaign" and not started[0]:
            started[0] = True
            lean.api.update_campaign(campaignArn=lean.one("Campaign")["campaignArn"], minProvisionedTPS=2)

    (done,) = _train(lean, clients=lean.clients(before))
    assert started[0]
    assert _serving(lean) == done.version == _versions(lean)[1]
    assert lean.one("Campaign")["minProvisionedTPS"] == 2


def test_stopped_after_any_call_or_wait_it_trains_once_and_comes_to_the_same_end(lean: Cloud) -> None:
    points = 0
    while True:
        lean.calls.clear()
        before = len(_versions(lean))
        try:
            training.train(*_mortal(lean, points + 1), tolerance=1)
        except KilledError:
            points += 1
        else:
            break
        # Killed before it has said so, but all was done: another `train` would be a new one.
        if not lean.made()["UpdateCampaign"]:
            _train(lean, tolerance=1)
        lean.clock.advance(7200)
        assert lean.made() == {"CreateSolutionVersion": 1, "UpdateCampaign": 1}, points
        assert _versions(lean)[before:] == [_serving(lean)], points
    assert points > 8


def _mortal(shop: Cloud, last: int) -> tuple[Any, Any, Any]:
    """Return clients, spec and pace of a process that is killed at the end of its call or wait of this number.

    Reads change nothing, so kills at writes and at requests for metrics are enough.
    """
    count = [0]

    def passed(*_: Any, **__: Any) -> None:
        count[0] += 1
        if count[0] == last:
            raise KilledError

    clients, pace = shop.clients(after=passed), shop.polling()
    clients.personalize.meta.events.register_last("after-call.personalize.GetSolutionMetrics", passed)
    wait = pace.sleep

    def sleep(seconds: float) -> None:
        wait(seconds)
        passed()

    pace.sleep = sleep
    return clients, read(LEAN), pace


def test_two_at_once_train_once(lean: Cloud) -> None:
    others = []

    def before(number: int, _operation: str) -> None:
        # Another process took the name between the check and the call.
        if number == 1:
            solution = lean.one("Solution")["solutionArn"]
            others.append(lean.api.create_solution_version(solutionArn=solution)["solutionVersionArn"])
            lean.faults.fail_calls("CreateSolutionVersion", 1, "ResourceAlreadyExistsException")

    (done,) = _train(lean, clients=lean.clients(before))
    assert [done.version] == others == _versions(lean)[1:]
    assert lean.made() == {"UpdateCampaign": 1}


def test_a_training_under_way_is_joined(lean: Cloud) -> None:
    arn = lean.api.create_solution_version(solutionArn=lean.one("Solution")["solutionArn"])["solutionVersionArn"]
    assert _train(lean)[0].version == arn == _serving(lean)
    assert lean.made() == {"UpdateCampaign": 1}


def test_rollback_serves_the_version_before_until_there_is_none(lean: Cloud) -> None:
    _train(lean)
    _train(lean)
    first, second, third = _versions(lean)
    assert _serving(lean) == third
    for wanted in (second, first):
        (done,) = _rollback(lean)
        assert (done.version, done.promoted, done.why) == (wanted, True, "rolled back")
        assert _serving(lean) == wanted
    with pytest.raises(ProvisionError, match=r"has no version before the one that it serves\. Train a new version"):
        _rollback(lean)
    assert _serving(lean) == first


def test_what_was_rolled_back_is_not_promoted_again(lean: Cloud) -> None:
    _train(lean)
    _rollback(lean)
    assert _train(lean)[0].version == _versions(lean)[2] == _serving(lean)


def test_a_rollback_that_one_campaign_refuses_changes_none() -> None:
    both = changed(LEAN, {"campaigns/other": {"solution": "other", "follow_latest": False}})
    both = changed(both, {"solutions/other": {"recipe": "aws-popularity-count", "automatic_training": False}})
    with cloud() as shop:
        shop.apply(both)
        solution = shop.one("Solution", "shop-for-you")
        made = shop.api.create_solution_version(solutionArn=solution["solutionArn"])["solutionVersionArn"]
        shop.clock.advance(7200)
        campaign = shop.one("Campaign", "shop-home")["campaignArn"]
        shop.api.update_campaign(campaignArn=campaign, solutionVersionArn=made)
        shop.clock.advance(7200)
        with pytest.raises(ProvisionError, match=r"Campaign shop-other-\w+: has no version before"):
            _rollback(shop, both)
        assert _serving_of(shop, "shop-home") == made


def test_every_solution_of_a_campaign_is_trained() -> None:
    both = changed(LEAN, {"campaigns/other": {"solution": "other", "follow_latest": False}})
    both = changed(both, {"solutions/other": {"recipe": "aws-popularity-count", "automatic_training": False}})
    with cloud() as shop:
        shop.apply(both)
        done = _train(shop, both, tolerance=1)
        assert sorted(one.campaign[:10] for one in done) == ["shop-home-", "shop-other"]
        assert all(one.promoted for one in done)
        assert {one.version for one in done} == {one["solutionVersionArn"] for one in shop.each("Campaign")}
        assert len(_versions(shop)) == 4
