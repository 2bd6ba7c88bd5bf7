import pytest
from moto import mock_aws

from auto_lambda.aws.lean import make_lean_session
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
