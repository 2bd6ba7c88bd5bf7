import json

import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st
from moto import mock_aws

from auto_lambda.aws.lean import _read, make_core_session, make_lean_session
from auto_lambda.aws.session import client


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")


@mock_aws
def test_services_work_without_their_documentation() -> None:
    session = make_lean_session("us-east-1", ["s3", "sqs"])
    s3, sqs = client(session, "s3"), client(session, "sqs")
    s3.create_bucket(Bucket="uploads")
    s3.put_object(Bucket="uploads", Key="apps/a.zip", Body=b"zip")
    assert s3.head_object(Bucket="uploads", Key="apps/a.zip")["ContentLength"] == 3
    assert sqs.create_queue(QueueName="announcements")["QueueUrl"].endswith("/announcements")


@mock_aws
def test_a_session_without_boto3_has_what_is_called_and_no_more() -> None:
    session = make_core_session("us-east-1", ["s3", "sqs"], {"sqs": ["CreateQueue", "SendMessage"]})
    s3, sqs = client(session, "s3"), client(session, "sqs")
    s3.create_bucket(Bucket="uploads")
    url = sqs.create_queue(QueueName="announcements")["QueueUrl"]
    assert sqs.send_message(QueueUrl=url, MessageBody="hello")["MessageId"]
    assert not hasattr(sqs, "delete_queue")
    assert session.region_name == s3.meta.region_name == "us-east-1"


def test_its_region_is_that_of_the_environment_if_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-3")
    session = make_core_session(None, ["sqs"], {})
    made = session.client("sqs", config=Config(), endpoint_url=None)
    assert (session.region_name, made.meta.region_name) == ("eu-west-3", "eu-west-3")


def test_clients_share_the_certificates_of_authorities() -> None:
    session = make_lean_session("us-east-1", ["s3", "sqs"])
    used = [client(session, name)._endpoint.http_session._get_ssl_context() for name in ("s3", "sqs")]
    assert used[0] is used[1]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.dictionaries(st.sampled_from(["metadata", "operations", "shapes of old"]) | st.text(max_size=5), VALUES)


@given(
    TEXTS,
    st.dictionaries(st.text(max_size=5), st.dictionaries(st.text(max_size=5), VALUES)),
    st.sampled_from([None, 2]),
)
def test_a_description_is_read_as_it_is(rest: dict[str, object], shapes: dict[str, object], indent: int | None) -> None:
    whole = {**rest, "shapes": shapes}
    read = _read(json.dumps(without_documentation(whole), indent=indent))
    assert {name: read["shapes"][name] for name in read["shapes"]} == without_documentation(shapes)
    assert {**read, "shapes": None} == {**without_documentation(rest), "shapes": None}


def without_documentation(data: object) -> dict[str, object]:
    kept: dict[str, object] = json.loads(json.dumps(data), object_hook=lambda it: {**it} | _cleared(it))
    return kept


def _cleared(entry: dict[str, object]) -> dict[str, str]:
    return {"documentation": ""} if isinstance(entry.get("documentation"), str) else {}
