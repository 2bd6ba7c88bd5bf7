from __future__ import annotations

from types import SimpleNamespace

import pytest

from auto_lambda_cli.local_stack.emulator.rest_apis import _everything_is_binary, integration_of

PREFLIGHT = {
    "type": "mock",
    "passthroughBehavior": "when_no_match",
    "requestTemplates": {"application/json": '{"statusCode": 200}'},
    "responses": {
        "default": {"statusCode": "200", "responseParameters": {"method.response.header.Access-Control-Max-Age": "'9'"}}
    },
}


def test_an_integration_keeps_its_responses() -> None:
    kept = integration_of(PREFLIGHT)
    assert kept["passthroughBehavior"] == "WHEN_NO_MATCH"
    assert kept["requestTemplates"] == PREFLIGHT["requestTemplates"]
    (response,) = kept["integrationResponses"].values()
    assert (response["statusCode"], response["selectionPattern"]) == ("200", "")
    assert response["responseParameters"] == {"method.response.header.Access-Control-Max-Age": "'9'"}


def test_a_proxy_needs_none() -> None:
    assert integration_of({"type": "aws_proxy", "uri": "x"})["integrationResponses"] == {}


@pytest.mark.parametrize(
    ("media_type", "binary", "expected"),
    [
        (None, ["*/*"], True),
        ("", ["*/*"], True),
        ("", ["image/png"], False),
        (None, None, False),
        ("image/png", [], True),
    ],
)  # fmt: skip
def test_everything_is_binary_where_the_api_says_so(
    media_type: str | None, binary: list[str] | None, expected: bool
) -> None:
    apis = SimpleNamespace(_media_type_matches=lambda media_type, _: media_type == "image/png")
    _everything_is_binary(apis)
    assert apis._media_type_matches(media_type, binary) is expected
