"""Finds sizes of batches that the source of an event source mapping does not allow.

The rules are those of the Lambda Developer Guide, 'Creating and configuring an Amazon SQS event source mapping'.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from auto_lambda.model import Template
from builder.lint.refusal import Refusal

_MAPPING = "AWS::Lambda::EventSourceMapping"
_SIZE, _WINDOW = "BatchSize", "MaximumBatchingWindowInSeconds"
_AT_ONCE = 10  # messages that a queue hands out in one call


def findings(template: Template) -> Iterator[Refusal]:
    """Yield batches of queues that Lambda refuses."""
    for name, resource in sorted(template["Resources"].items()):
        if resource["Type"] == _MAPPING:
            yield from (
                Refusal(name, _MAPPING, (path,), why) for path, why in _of_queue(resource.get("Properties", {}))
            )


def _of_queue(properties: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    source = json.dumps(properties.get("EventSourceArn"))
    if ":sqs:" not in source:
        return
    size, window = properties.get(_SIZE), properties.get(_WINDOW)
    large = isinstance(size, int) and size > _AT_ONCE
    if ".fifo" in source:
        if large:
            yield _SIZE, f"{size} messages at once, of which a FIFO queue has at most {_AT_ONCE}"
        if window:
            yield _WINDOW, f"{window} seconds, and Lambda waits for no more messages of a FIFO queue"
    elif large and (window is None or window == 0):
        yield _SIZE, f"{size} messages at once: above {_AT_ONCE}, Lambda wants a batching window of at least a second"
