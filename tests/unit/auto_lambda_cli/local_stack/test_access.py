from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda_cli.local_stack.access import Request, Verdict, is_signed, judge, owner, refusal

HOST = "127.0.0.1:4566"
SECRET = "a secret of this stack"
APP = "/_aws/execute-api/ab12cd34/api/"


def request(path: str = "/", method: str = "POST", target: str | None = None, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, path, target or path, {"host": HOST, **named})


def of(same_user: bool) -> Callable[[], bool]:
    return lambda: same_user


def test_the_stacks_own_user_needs_no_secret() -> None:
    assert judge(request(), of(True)) is Verdict.LET_IN


def test_another_user_must_sign() -> None:
    assert judge(request(), of(False)) is Verdict.IF_SIGNED


@pytest.mark.parametrize("host", [
    "127.0.0.1:80", "localhost:4566", "LOCALHOST", "[::1]:80", "uploads.localhost:4566", "uploads.s3.localhost",
])  # fmt: skip
def test_it_is_called_by_a_loopback_name(host: str) -> None:
    assert judge(request(host=host), of(True)) is Verdict.LET_IN


@pytest.mark.parametrize("path", ["/", APP])
@pytest.mark.parametrize("host", [
    "", "evil.example:4566", "localhost.evil.example", "127.0.0.1.evil.example", "notlocalhost",
    "127.0.0.1@evil.example", "evil.example/.localhost", "localhost:80:80", "10.0.0.1",
])  # fmt: skip
def test_a_name_that_a_page_has_pointed_here_is_refused(host: str, path: str) -> None:
    assert judge(request(path, host=host), of(True)) is Verdict.FOREIGN_HOST


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": f"http://{HOST}"},
    {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"}, {"sec_fetch_site": "same-origin"},
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_web_page_is_refused_whatever_its_user(headers: Mapping[str, str], method: str) -> None:
    assert judge(request(method=method, **headers), of(True)) is Verdict.WEB_PAGE


def test_a_url_that_a_person_types_into_a_browser_is_no_web_pages() -> None:
    assert judge(request(method="GET", sec_fetch_site="none"), of(True)) is Verdict.LET_IN


@pytest.mark.parametrize("path", [
    APP, "/_aws/lambda-url/0123456789abcdef/", "/restapis/ab12/api/_user_request_/pay",
    "/restapis/ab12/api/_user_request_",
])  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"origin": "https://shop.example"}, {"sec_fetch_site": "cross-site"}])
def test_a_deployed_app_is_open_to_everybody(path: str, headers: Mapping[str, str]) -> None:
    assert judge(request(path, **headers), of(False)) is Verdict.LET_IN


@pytest.mark.parametrize("path", [
    "/_aws/", "/_aws/lambda-url/", "/_aws/lambda-url//x", "/_aws/execute-api//x/y", "/restapis", "/restapis/ab12/api/",
    "/restapis/ab12/api/_user_request_x", "/bucket/_aws/execute-api/ab/cd/", "//_aws/execute-api/ab/cd/",
    "/_ministack/reset",
])  # fmt: skip
def test_what_only_looks_like_an_app_is_not_open(path: str) -> None:
    assert judge(request(path), of(False)) is Verdict.IF_SIGNED
    assert judge(request(path, origin="https://evil.example"), of(True)) is Verdict.WEB_PAGE


@pytest.mark.parametrize("host", ["ab12.execute-api.localhost:4566", "ab12.lambda-url.us-east-1.localhost"])
@pytest.mark.parametrize("headers", [{}, {"origin": "https://shop.example"}, {"sec_fetch_site": "cross-site"}])
def test_a_deployed_app_is_open_to_everybody_under_its_host_name(host: str, headers: Mapping[str, str]) -> None:
    assert judge(request("/any/path", host=host, **headers), of(False)) is Verdict.LET_IN


def test_an_apps_path_below_a_buckets_host_is_an_object() -> None:
    assert judge(request(APP, host="uploads.localhost:4566"), of(False)) is Verdict.IF_SIGNED


def test_a_page_may_use_a_presigned_url_if_its_signature_holds() -> None:
    found = _presigned("s3v4")
    page = Request(found.method, found.path, found.target, {**found.headers, "origin": "https://shop.example"})
    assert judge(page, of(True)) is Verdict.IF_SIGNED
    asks = Request("OPTIONS", page.path, page.target, page.headers)
    assert judge(asks, of(True)) is Verdict.LET_IN


def _sent(service: str, call: Callable[[Any], Any], secret: str = SECRET) -> tuple[Request, bytes]:
    """What a client sends."""
    client = boto3.client(  # type: ignore[call-overload]
        service,
        "us-east-1",
        endpoint_url=f"http://{HOST}",
        aws_access_key_id="local",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}),
    )
    sent: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        sent.append(request)
        return AWSResponse(request.url, 500, HTTPHeaders(), None)

    client.meta.events.register("before-send", answer)
    with pytest.raises(Exception, match=r"."):
        call(client)
    (found,) = sent
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else value for name, value in found.headers.items()
    }
    target = found.url.removeprefix(f"http://{HOST}")
    body = found.body.read() if hasattr(found.body, "read") else found.body or b""
    return Request(found.method, target.partition("?")[0], target, {"host": HOST, **headers}), body


CALLS: list[tuple[str, Callable[[Any], Any]]] = [
    (
        "s3",
        lambda s3: s3.put_object(Bucket="uploads", Key="apps/a b+ü.zip", Body=b"zip", ContentType="application/zip"),
    ),
    ("s3", lambda s3: s3.list_objects_v2(Bucket="uploads", Prefix="apps/dev&x=1", Delimiter="/")),
    ("sqs", lambda sqs: sqs.send_message(QueueUrl=f"http://{HOST}/123456789012/q", MessageBody="{}")),
    ("lambda", lambda client: client.get_function(FunctionName="shop:live")),
    ("cloudformation", lambda client: client.describe_stacks(StackName="al-shop-dev")),
    ("dynamodb", lambda client: client.get_item(TableName="ledger", Key={"pk": {"S": "ü"}})),
]


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_a_request_that_was_signed_with_the_secret_is_known(service: str, call: Callable[[Any], Any]) -> None:
    assert is_signed(*_sent(service, call), SECRET, datetime.now(UTC))


@pytest.mark.parametrize(("service", "call"), CALLS)
def test_another_secret_is_no_secret(service: str, call: Callable[[Any], Any]) -> None:
    assert not is_signed(*_sent(service, call, "test"), SECRET, datetime.now(UTC))


def test_a_signature_is_for_one_body() -> None:
    sent, body = _sent(*CALLS[2])
    assert not is_signed(sent, body.replace(b"q", b"r"), SECRET, datetime.now(UTC))


def _presigned(version: str, **more: Any) -> Request:
    s3 = boto3.client(
        "s3",
        "us-east-1",
        endpoint_url=f"http://{HOST}",
        aws_access_key_id="local",
        aws_secret_access_key=SECRET,
        config=Config(signature_version=version),
    )
    arguments = {"Params": {"Bucket": "uploads", "Key": "a b.txt"}, "ExpiresIn": 60, **more}
    url = s3.generate_presigned_url("put_object", **arguments)
    target = url.removeprefix(f"http://{HOST}")
    return Request("PUT", target.partition("?")[0], target, {"host": HOST})


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_presigned_url_counts_until_it_expires(version: str) -> None:
    found = _presigned(version)
    assert found.presigned
    assert is_signed(found, b"anything", SECRET, datetime.now(UTC))
    assert not is_signed(found, b"anything", "test", datetime.now(UTC))
    assert not is_signed(found, b"anything", SECRET, datetime.now(UTC) + timedelta(seconds=120))
    moved = Request("PUT", "/uploads/b", found.target.replace("a%20b", "b"), found.headers)
    assert not is_signed(moved, b"anything", SECRET, datetime.now(UTC))


CLAIM = "AWS4-HMAC-SHA256 Credential=a/20260101/r/s/aws4_request, SignedHeaders=x, Signature=" + "0" * 64


@given(target=st.text(max_size=60), authorization=st.text(max_size=60) | st.just(CLAIM))
def test_no_request_is_signed_by_chance(target: str, authorization: str) -> None:
    asked = Request("POST", "/", f"/{target}", {"host": HOST, "authorization": authorization, "x-amz-date": "now"})
    assert not is_signed(asked, b"", SECRET, datetime.now(UTC))


def test_other_users_are_told_what_to_do() -> None:
    status, headers, body = refusal(request(), Verdict.IF_SIGNED)
    assert (status, headers["x-amzn-ErrorType"]) == (403, "AccessDenied")
    assert b"must sign requests" in body


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_user_at_the_other_end_of_a_connection_is_known_while_it_is_open(family: socket.AddressFamily) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(family) as client:
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port) if family is socket.AF_INET else ("::ffff:127.0.0.1", port))
        accepted, address = server.accept()
        with accepted:
            assert owner(address, server.getsockname()) == os.getuid()
            client.close()
            assert accepted.recv(1) == b""
            assert owner(address, server.getsockname()) is None


def test_nobody_is_at_the_other_end_of_no_connection() -> None:
    assert owner(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
