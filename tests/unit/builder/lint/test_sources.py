from typing import Any

import pytest

from builder.lint.sources import findings

QUEUE = {"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:orders"}
ORDERED = "arn:aws:sqs:eu-west-1:123456789012:orders.fifo"
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"


def found(**properties: Any) -> list[tuple[tuple[str, ...], str]]:
    template = {"Resources": {"One": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": properties}}}
    return [(one.path, one.reason) for one in findings(template)]


@pytest.mark.parametrize(
    ("properties", "path", "told"),
    [
        ({"EventSourceArn": QUEUE, "BatchSize": 11}, "BatchSize", "11 messages at once: above 10, Lambda wants"),
        ({"EventSourceArn": QUEUE, "BatchSize": 11, "MaximumBatchingWindowInSeconds": 0}, "BatchSize", "above 10"),
        ({"EventSourceArn": ORDERED, "BatchSize": 11}, "BatchSize", "of which a FIFO queue has at most 10"),
        ({"EventSourceArn": ORDERED, "MaximumBatchingWindowInSeconds": 3}, "MaximumBatchingWindowInSeconds", "3 sec"),
    ],
)
def test_a_batch_that_a_queue_does_not_give(properties: dict[str, Any], path: str, told: str) -> None:
    ((where, reason),) = found(**properties)
    assert where == (path,)
    assert told in reason


@pytest.mark.parametrize(
    "properties",
    [
        {"EventSourceArn": QUEUE},
        {"EventSourceArn": QUEUE, "BatchSize": 10},
        {"EventSourceArn": QUEUE, "BatchSize": 10_000, "MaximumBatchingWindowInSeconds": 1},
        {"EventSourceArn": QUEUE, "BatchSize": {"Ref": "Size"}},
        {"EventSourceArn": ORDERED, "BatchSize": 10, "MaximumBatchingWindowInSeconds": 0},
        {"EventSourceArn": STREAM, "BatchSize": 1000},
    ],
)
def test_a_batch_that_its_source_gives(properties: dict[str, Any]) -> None:
    assert found(**properties) == []
