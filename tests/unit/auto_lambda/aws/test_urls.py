from __future__ import annotations

import pytest

from auto_lambda.aws.urls import callable_url

LOCAL = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("https://a1.execute-api.us-east-1.amazonaws.com/api/", f"{LOCAL}/_aws/execute-api/a1/api/"),
        ("https://a1.execute-api.eu-west-1.amazonaws.com/api/x?y=1", f"{LOCAL}/_aws/execute-api/a1/api/x?y=1"),
        ("https://a1.execute-api.us-east-1.amazonaws.com/", f"{LOCAL}/_aws/execute-api/a1/$default/"),
        ("https://a1.execute-api.us-east-1.amazonaws.com", f"{LOCAL}/_aws/execute-api/a1/$default/"),
        ("wss://a1.execute-api.us-east-1.amazonaws.com/api/", "ws://127.0.0.1:4566/_aws/execute-api/a1/api/"),
        ("https://f1.lambda-url.us-east-1.on.aws/", f"{LOCAL}/_aws/lambda-url/f1/"),
        ("https://example.org/", "https://example.org/"),
    ],
)
def test_on_an_emulator_it_lies_below_the_endpoint(url: str, local: str) -> None:
    assert callable_url(url, LOCAL) == callable_url(url, f"{LOCAL}/") == local
    assert callable_url(url, None) == url
