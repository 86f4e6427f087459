"""The grammar of the spec: valid values, and errors with their place and remedy."""

import json
from pathlib import Path
from typing import Any

import pytest

from documents import Refused, changed, refused
from personalize_emulator import schemas
from personalize_segment.contract.mapping import default_text
from personalize_segment.errors import SpecError
from personalize_segment.provision import agreement
from personalize_segment.provision.spec import read
from stack import MAPPING, ROLE, SHOP

SPECS = Path(__file__).parent.parent / "specs"
VALID = SPECS / "valid"
REFUSED = refused(SPECS / "refused.json")
SMALLEST: dict[str, Any] = json.loads((VALID / "smallest.json").read_text("utf-8"))


@pytest.mark.parametrize("case", REFUSED.values(), ids=list(REFUSED))
def test_an_invalid_spec_is_refused_with_place_problem_and_remedy(case: Refused, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read(case.text, tmp_path)
    error = caught.value
    assert error.place == case.place
    assert case.problem in error.problem
    assert case.remedy in error.remedy


@pytest.mark.parametrize("name", sorted(file.name for file in VALID.iterdir()))
def test_a_valid_spec_is_taken(name: str, tmp_path: Path) -> None:
    (tmp_path / "mapping.json").write_text(json.dumps(MAPPING))
    assert read((VALID / name).read_text("utf-8"), tmp_path).datasets[0].type == "INTERACTIONS"


def test_every_key_arrives() -> None:
    spec = read((VALID / "every-key.json").read_text("utf-8"))
    assert (spec.name, spec.domain, spec.role, spec.kms_role) == ("Mall-2", "ECOMMERCE", ROLE, ROLE)
    assert spec.kms_key == "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1"
    assert [one.key for one in spec.datasets] == ["interactions", "users", "items"]
    loads = [one.load and (one.load.location, one.load.mode) for one in spec.datasets]
    assert loads == [("s3://data/t/interactions/", "FULL"), ("s3://data/users/", "INCREMENTAL"), None]
    one, other = spec.solutions
    assert (one.key, one.recipe, one.every_days) == ("for-you", "arn:aws:personalize:::recipe/aws-similar-items", 30)
    assert one.events == ({"eventType": "View", "eventValueThreshold": 1.0, "weight": 0.25},)
    assert one.columns == {"ITEMS": ["CATEGORY_L1", "PRICE"]}
    assert (other.recipe, other.every_days, other.events, other.columns) == (
        "arn:aws:personalize:::recipe/aws-personalized-ranking-v2", None, (), None,
    )  # fmt: skip
    (campaign,) = spec.campaigns
    assert (campaign.key, campaign.solution, campaign.minimum_tps) == ("home", "by-hand", 500)
    assert campaign.follow_latest is False
    (recommender,) = spec.recommenders
    assert (recommender.key, recommender.minimum_tps) == ("top", 2)
    assert recommender.recipe == "arn:aws:personalize:::recipe/aws-ecomm-recommended-for-you"
    assert spec.tracker is False
    assert spec.attribution is not None
    assert spec.attribution.location == "s3://data/metrics/"
    assert spec.attribution.metrics == {"views": ("View", "SAMPLECOUNT()")}
    assert (spec.tags, spec.ssm_prefix) == ({"team": "shop"}, "/mall/a.b_c")


def test_what_is_left_out_has_a_default() -> None:
    spec = read(json.dumps(SMALLEST))
    assert (spec.domain, spec.kms_key, spec.kms_role, spec.role, spec.ssm_prefix) == (None,) * 5
    assert (spec.solutions, spec.campaigns, spec.recommenders, spec.filters, spec.tags) == ((), (), (), {}, {})
    assert spec.tracker is True
    assert spec.attribution is None
    usual = read((VALID / "usual.json").read_text("utf-8"))
    assert usual.solutions[0].every_days == 7
    assert (usual.campaigns[0].minimum_tps, usual.campaigns[0].follow_latest) == (1, True)


def test_the_mapping_is_the_default_one_or_stands_inside_or_in_a_file(tmp_path: Path) -> None:
    assert json.loads(read(json.dumps(SMALLEST)).mapping.text) == json.loads(default_text())
    inside = read(json.dumps(SMALLEST | {"event_mapping": MAPPING}))
    (tmp_path / "mapping.json").write_text(json.dumps(MAPPING))
    by_path = read(json.dumps(SMALLEST | {"event_mapping": "mapping.json"}), tmp_path)
    absolute = read(json.dumps(SMALLEST | {"event_mapping": str(tmp_path / "mapping.json")}))
    assert inside.mapping.sha256 == by_path.mapping.sha256 == absolute.mapping.sha256
    names = [field["name"] for field in json.loads(inside.datasets[0].schema)["fields"]]
    assert names == ["USER_ID", "ITEM_ID", "TIMESTAMP", "EVENT_TYPE"]


def test_an_error_in_a_mapping_has_its_place_in_the_spec() -> None:
    wrong = changed(MAPPING, {"users/fields/PLAN/type": "text"})
    with pytest.raises(SpecError) as caught:
        read(json.dumps(SMALLEST | {"event_mapping": wrong}))
    assert caught.value.place.startswith("$.event_mapping.users.fields.PLAN")


def test_outputs_of_terraform_hold_the_same_spec() -> None:
    usual = read((VALID / "usual.json").read_text("utf-8"))
    text = (VALID / "terraform-output.json").read_text("utf-8")
    assert read(text) == usual
    # Another output may well be called "name".
    name = {"sensitive": False, "type": "string", "value": "shop"}
    assert read(json.dumps({"name": name} | json.loads(text))) == usual


def test_other_outputs_of_terraform_may_hold_anything() -> None:
    document = json.loads((VALID / "terraform-output.json").read_text("utf-8"))
    for name, value in {"tls_cert": "-----BEGIN\nMII\n", "é": "e\u0301", "list": ["\t", {"key": "\u0000"}]}.items():
        document[name] = {"sensitive": True, "type": "dynamic", "value": value}
    assert read(json.dumps(document)) == read((VALID / "usual.json").read_text("utf-8"))
    document["personalize"]["value"]["tags"] = {"team": "two\nlines"}
    with pytest.raises(SpecError) as caught:
        read(json.dumps(document))
    assert (caught.value.place, "control character" in caught.value.problem) == ("$.tags.team", True)


def test_an_error_in_an_output_of_terraform_names_its_place_in_the_spec() -> None:
    document = {"personalize": {"sensitive": False, "type": "dynamic", "value": SMALLEST | {"name": "a b"}}}
    with pytest.raises(SpecError) as caught:
        read(json.dumps(document))
    assert caught.value.place == "$.name"


@pytest.mark.parametrize(
    ("domain", "types"), [("ECOMMERCE", ("View", "Purchase")), ("VIDEO_ON_DEMAND", ("Watch", "Click"))]
)
def test_a_domain_takes_a_mapping_with_its_event_types(domain: str, types: tuple[str, str]) -> None:
    mapping = changed(
        MAPPING, {"interactions/track": {name: {"event_type": one} for name, one in zip("ab", types, strict=True)}}
    )
    assert read(json.dumps(SMALLEST | {"domain": domain, "event_mapping": mapping})).domain == domain
    for missing in "ab":
        less = changed(mapping, {f"interactions/track/{missing}": ...})
        with pytest.raises(SpecError, match=types["ab".index(missing)]) as caught:
            read(json.dumps(SMALLEST | {"domain": domain, "event_mapping": less}))
        assert caught.value.place == "$.domain"


def test_the_longest_names_stay_within_those_of_personalize() -> None:
    long = "x" * 24
    spec = read(json.dumps(changed(SHOP, {"name": long, f"filters/{long}": "EXCLUDE"})))
    assert len(f"{spec.name}-{long}-12345678") <= 63


def test_a_mapping_without_end_is_refused() -> None:
    with pytest.raises(SpecError, match=r"/dev/zero can't be read \(longer than 16 MiB\)"):
        read(json.dumps(SMALLEST | {"event_mapping": "/dev/zero"}))


def test_a_domain_requires_the_columns_that_the_emulator_requires() -> None:
    emulated = {domain: set(columns) for (domain, kind), columns in schemas._DOMAIN.items() if kind == "ITEMS"}
    assert {domain: set(columns) for domain, columns in agreement.DOMAIN_ITEMS.items()} == emulated
