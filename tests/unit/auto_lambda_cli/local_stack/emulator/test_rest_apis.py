from __future__ import annotations

from auto_lambda_cli.local_stack.emulator.rest_apis import integration_of

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
