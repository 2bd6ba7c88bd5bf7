"""What an EC2 machine hears about itself, from a double of the metadata service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from auto_lambda.aws.metadata import Metadata, NoMetadata
from auto_lambda_cli.local_stack.imds import Imds, imds


@pytest.fixture
def service() -> Iterator[Imds]:
    with imds() as running:
        yield running


def test_a_quiet_machine_knows_its_id_and_has_no_notice_with_one_token(service: Imds) -> None:
    metadata = Metadata(service.environ)
    assert metadata.instance() == "i-0123456789abcdef0"
    assert metadata.notice() is None
    assert service.tokens == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spot/instance-action", '{"action": "terminate", "time": "2026-01-02T12:00:00Z"}'),
        ("events/recommendations/rebalance", '{"noticeTime": "2026-01-02T12:00:00Z"}'),
        ("autoscaling/target-lifecycle-state", "Terminated"),
    ],
)
def test_each_notice_is_heard(service: Imds, path: str, value: str) -> None:
    service.values[path] = value
    assert Metadata(service.environ).notice()


def test_a_machine_in_service_is_not_leaving(service: Imds) -> None:
    service.values["autoscaling/target-lifecycle-state"] = "InService"
    assert Metadata(service.environ).notice() is None


def test_a_token_that_ran_out_too_soon_is_replaced(service: Imds) -> None:
    metadata = Metadata(service.environ)
    metadata.instance()
    service.refuse_once = True
    with pytest.raises(NoMetadata):
        metadata.instance()
    assert metadata.instance()
    assert service.tokens == 2


def test_where_nobody_answers_or_it_is_switched_off_there_is_no_metadata(service: Imds) -> None:
    with pytest.raises(NoMetadata):
        Metadata({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}).instance()
    with pytest.raises(NoMetadata):
        Metadata({**service.environ, "AWS_EC2_METADATA_DISABLED": "true"}).instance()
    assert service.tokens == 0
