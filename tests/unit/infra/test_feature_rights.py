"""Whether apps get at run time what the settings that are carried need: the roles that front ends write, evaluated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from iam.evaluate import Document, Principal, Request, allowed
from iam.template import ACCOUNT, PARTITION, REGION, PipelineStack

from auto_lambda.keys import App
from auto_lambda.namespace import APP_TAG, STAGE_TAG, Place, namespace
from builder.frameworks.zappa import events, template
from builder.frameworks.zappa.settings import StageSettings

APP = App("dev", "shop")
PLACE = Place(PARTITION, REGION, ACCOUNT)
STACK = PipelineStack()
TAGS = {f"aws:PrincipalTag/{APP_TAG}": "shop", f"aws:PrincipalTag/{STAGE_TAG}": "dev"}
OWN = {f"aws:ResourceTag/{APP_TAG}": "shop", f"aws:ResourceTag/{STAGE_TAG}": "dev", "aws:ResourceAccount": ACCOUNT}
QUEUE, TOPIC = PLACE.arn("sqs", "orders"), PLACE.arn("sns", "news")
ACCESS_POINT = PLACE.arn("elasticfilesystem", "access-point/fsap-1")

SAME_ACTIONS_AS_OWN = {"events of a queue", "dead_letter_arn", "dead_letter_arn, a topic"}
"""Whose they are is a tag's question, which these requests answer with yes."""


def triggered_by(arn: str) -> dict[str, Any]:
    return {"events": [{"function": "app.f", "event_source": {"arn": arn, "events": ["s3:ObjectCreated:*"]}}]}


# What is the app's own. Everything of it is in the namespace.
OWN_FEATURES: dict[str, dict[str, Any]] = {
    "plain": {},
    "xray_tracing": {"xray_tracing": True},
    "vpc_config": {"vpc_config": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}},
    "async_source": {"async_source": "sns"},
    "async_response_table": {"async_response_table": "shop-dev-answers"},
    "events with a schedule": {"events": [{"function": "app.f", "expression": "rate(1 hour)"}]},
    "events of a topic": triggered_by(TOPIC),
}
# What is somebody else's, so that it needs a grant.
GRANTED_FEATURES: dict[str, dict[str, Any]] = {
    "events of a queue": triggered_by(QUEUE),
    "events of a stream": triggered_by(PLACE.arn("kinesis", "stream/clicks")),
    "events of a table": triggered_by(PLACE.arn("dynamodb", "table/t/stream/2026-01-01T00:00:00.000")),
    "events of a bucket": triggered_by("arn:aws:s3:::pictures"),
    "dead_letter_arn": {"dead_letter_arn": QUEUE},
    "dead_letter_arn, a topic": {"dead_letter_arn": TOPIC},
    "aws_kms_key_arn": {"aws_kms_key_arn": PLACE.arn("kms", "key/1")},
    "remote_env": {"remote_env": "s3://settings/env.json"},
    "efs_config": {"efs_config": [{"Arn": ACCESS_POINT}]},
}


def written(settings: dict[str, Any]) -> list[dict[str, Any]]:
    """The statements that the front end writes for an app with these settings."""
    chosen = StageSettings(settings)
    parts = [events.event_source_parts(chosen), events.async_task_parts(chosen, APP.function)]
    found = [*template._role_statements(chosen, APP.function), *(one for part in parts for one in part.statements)]
    resolved: list[dict[str, Any]] = STACK.resolve(found)
    return resolved


def requests(settings: dict[str, Any]) -> Iterator[Request]:
    """Everything that these statements allow."""
    for statement in written(settings):
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                assert "*" not in action
                context = OWN | {"elasticfilesystem:AccessPointArn": ACCESS_POINT}
                yield Request(action, resource, context)


def role(settings: dict[str, Any], boundary: Document) -> Principal:
    return Principal(PLACE.arn("iam", "role/r"), ({"Statement": written(settings)},), boundary, TAGS)


def denied(settings: dict[str, Any], boundary: Document) -> list[str]:
    return [str(one) for one in requests(settings) if not allowed(role(settings, boundary), one)]


@pytest.mark.parametrize("feature", OWN_FEATURES)
def test_what_is_the_apps_own_works_without_a_grant(feature: str) -> None:
    assert denied(OWN_FEATURES[feature], STACK.document("NamespaceBoundary")) == []
    assert denied(OWN_FEATURES[feature], namespace(APP, PLACE)) == []


@pytest.mark.parametrize("feature", [*OWN_FEATURES, *GRANTED_FEATURES])
def test_every_feature_works_within_the_wide_boundary(feature: str) -> None:
    assert denied({**OWN_FEATURES, **GRANTED_FEATURES}[feature], STACK.document("AppBoundary")) == []


@pytest.mark.parametrize(
    "feature", ["events of a stream", "events of a bucket", "aws_kms_key_arn", "remote_env", "efs_config"]
)
def test_what_is_not_the_apps_own_needs_a_grant(feature: str) -> None:
    assert denied(GRANTED_FEATURES[feature], STACK.document("NamespaceBoundary"))
