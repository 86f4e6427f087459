"""Tables and columns have the names that Segment gives them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personalize_segment.contract.mapping import Call, Path
from personalize_segment.warehouse.dialect import Dialect
from personalize_segment.warehouse.naming import Stored, column, snake_case, table
from personalize_segment.warehouse.redshift import RedshiftDialect
from personalize_segment.warehouse.snowflake import SnowflakeDialect
from warehouse_loader import slug

#: Test cases of segmentio/go-snakecase, and examples from its documentation.
SNAKE_CASE = [
    ("sample text", "sample_text"),
    ("sample-text", "sample_text"),
    ("sample_text", "sample_text"),
    ("sample___text", "sample_text"),
    ("sampleText", "sample_text"),
    ("samPLE text", "sam_ple_text"),
    ("inviteYourCustomersAddInvites", "invite_your_customers_add_invites"),
    ("sample 2 Text", "sample_2_text"),
    ("   sample   2    Text   ", "sample_2_text"),
    ("   $#$sample   2    Text   ", "sample_2_text"),
    ("SAMPLE 2 TEXT", "sample_2_text"),
    ("___$$Base64Encode", "base64_encode"),
    ("FOO:BAR$BAZ", "foo_bar_baz"),
    ("FOO#BAR#BAZ", "foo_bar_baz"),
    ("something.com", "something_com"),
    ("$something%", "something"),
    ("•¶§ƒ˚foo˙∆˚¬", "foo"),
    ("CStringRef", "cstring_ref"),
    ("5test", "5test"),
    ("test5", "test5"),
    ("THE5r", "the5r"),
    ("5TEst", "5test"),
    ("_5TEst", "5test"),
    ("@%#&5TEst", "5test"),
    ("edf_6N", "edf_6n"),
    ("f_pX9", "f_p_x9"),
    ("p_z9Rg", "p_z9_rg"),
    ("2FA Enabled", "2fa_enabled"),
    ("Enabled 2FA", "enabled_2fa"),
    ("@49L0S145_¬fwHƒ0TSLNVp", "49l0s145_fw_h_0tslnvp"),
    ("lk0B@bFmjrLQ_Z6YL", "lk0_b_b_fmjr_lq_z6yl"),
    ("Order Completed", "order_completed"),
    ("Née", "n_e"),
    ("!", ""),
    ("", ""),
]


@pytest.mark.parametrize(("name", "expected"), [pytest.param(*one, id=repr(one[0])) for one in SNAKE_CASE])
def test_names_are_in_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


@given(st.one_of(st.text(max_size=12), st.text("aBz09_ é$.-", max_size=12)))
def test_snake_case_agrees_with_the_loader_that_goes_byte_by_byte(name: str) -> None:
    assert snake_case(name) == slug(name)


@pytest.mark.parametrize(
    ("call", "event", "expected"),
    [
        pytest.param("track", "Order Completed", Stored(("order_completed", "_order_completed")), id="an event"),
        pytest.param("track", "2FA Enabled", Stored(("_2fa_enabled", "2fa_enabled")), id="a digit first"),
        pytest.param("track", "Order", Stored(("_order", "order")), id="a reserved word"),
        pytest.param("track", "Users", Stored(("_users",), sure=False), id="a table of Segment's own"),
        pytest.param("track", "!!!", None, id="no letter"),
        pytest.param("track", "x" * 128, Stored(("x" * 127,), sure=False), id="128 letters"),
        pytest.param("identify", None, Stored(("identifies",)), id="identify"),
        pytest.param("page", "Product", Stored(("pages",)), id="page"),
        pytest.param("screen", "Product", Stored(("screens",)), id="screen"),
    ],
)
def test_an_event_has_a_table(call: Call, event: str | None, expected: Stored | None) -> None:
    assert table(call, event, RedshiftDialect.reserved, RedshiftDialect.longest) == expected


@pytest.mark.parametrize(
    ("call", "path", "expected"),
    [
        pytest.param("track", "userId", Stored(("user_id",), kind="text"), id="userId"),
        pytest.param("track", "messageId", Stored(("id",), kind="text"), id="messageId"),
        pytest.param("track", "timestamp", Stored(("timestamp",), kind="timestamp"), id="timestamp"),
        pytest.param("track", "event", Stored(("event_text",), kind="text"), id="the event's name, not its slug"),
        pytest.param("page", "name", Stored(("name",), kind="text"), id="a page's name"),
        pytest.param("track", "name", None, id="an unnamed track"),
        pytest.param("page", "event", None, id="a page has no event"),
        pytest.param("track", "properties.product_id", Stored(("product_id", "_product_id")), id="a property"),
        pytest.param("track", "properties.a.bC", Stored(("a_b_c", "_a_b_c")), id="a property of an object"),
        pytest.param("track", "properties.$x.y", Stored(("x_y", "_x_y")), id="signs"),
        pytest.param("track", "properties.2x", Stored(("_2x", "2x")), id="a digit first"),
        pytest.param("track", "properties.user", Stored(("_user", "user")), id="a reserved word"),
        pytest.param("track", "properties.id", Stored(("_id",), sure=False), id="the name of Segment's own"),
        pytest.param("track", "properties.userId", Stored(("_user_id",), sure=False), id="the same in camelCase"),
        pytest.param("page", "properties.name", Stored(("_name",), sure=False), id="a page's own name"),
        pytest.param("track", "properties.context.ip", Stored(("_context_ip",), sure=False), id="like the context"),
        pytest.param("track", "properties", None, id="all properties"),
        pytest.param("track", "properties.€", None, id="a property without a letter"),
        pytest.param(
            "track", "context.device.type", Stored(("context_device_type", "_context_device_type")), id="context"
        ),
        pytest.param(
            "track", "context.traits.plan", Stored(("context_traits_plan", "_context_traits_plan")), id="traits"
        ),
        pytest.param(
            "identify", "traits.address.country", Stored(("address_country", "_address_country")), id="a trait"
        ),
        pytest.param("track", "traits.plan", None, id="traits of a track"),
        pytest.param("identify", "properties.plan", None, id="properties of an identify"),
        pytest.param("track", "integrations.All", None, id="what Segment keeps for itself"),
        pytest.param("track", "mine", None, id="keys of one's own"),
    ],
)
def test_a_path_has_a_column(call: Call, path: str, expected: Stored | None) -> None:
    assert column(call, Path(tuple(path.split("."))), RedshiftDialect.reserved, RedshiftDialect.longest) == expected


@pytest.mark.parametrize(
    ("dialect", "expected"),
    [
        pytest.param(RedshiftDialect(), '"prod"."products"', id="redshift"),
        pytest.param(SnowflakeDialect(), '"PROD"."PRODUCTS"', id="snowflake"),
    ],
)
def test_names_have_the_case_of_the_warehouse_and_stand_in_quotes(dialect: Dialect, expected: str) -> None:
    assert dialect.named("Prod.products") == expected
    assert dialect.named("{{schema}}") == '"{{schema}}"'
    assert dialect.named('a"b').count('"') == 4
