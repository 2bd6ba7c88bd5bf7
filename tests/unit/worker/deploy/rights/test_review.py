"""What a release asks for beyond what is granted, and how that is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from drafts import resource
from hypothesis import given
from hypothesis import strategies as st

from auto_lambda.errors import AppError, Code
from auto_lambda.grants import Grants
from auto_lambda.keys import App
from auto_lambda.model import Template
from auto_lambda.namespace import Place
from worker.deploy.rights.decide import Rights
from worker.deploy.rights.permissions import permissions_of
from worker.deploy.rights.review import needs_approval, require_granted, review
from worker.deploy.rights.suggest import suggested, unused

HERE = Place("aws", "eu-central-1", "123456789012")
SHOP = App("prod", "shop")
JOBS = "arn:aws:sqs:eu-central-1:123456789012:jobs"
ORDERS = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"


def template(*statements: Any) -> Template:
    policies = [{"PolicyName": "it", "PolicyDocument": {"Statement": list(statements)}}]
    return {"Resources": {"Role": resource("IAM::Role", Policies=policies)}}


def allow(action: Any, on: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": on, **more}


def test_what_is_not_granted_is_refused_with_the_grants_to_paste() -> None:
    made = template(allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::pictures/*"), allow("sqs:SendMessage", JOBS))
    with pytest.raises(AppError) as refused:
        require_granted(SHOP, review(SHOP, made, None, Grants(), HERE))
    error = refused.value
    assert error.code is Code.RIGHTS_NOT_GRANTED
    assert "Allow s3:GetObject on arn:aws:s3:::pictures/*" in error.message
    assert "auto-lambda grants set shop --stage prod --merge -" in error.hint
    pasted = json.loads(error.hint[error.hint.index("{") :])
    assert pasted == {
        "queues": [JOBS],
        "statements": [allow(["s3:GetObject", "s3:PutObject"], "arn:aws:s3:::pictures/*")],
    }
    require_granted(SHOP, review(SHOP, made, None, Grants.read(json.dumps(pasted)), HERE))


PIPELINE = ("auto-lambda-uploads-1", "auto-lambda-Queue-X1", "ledger", "auto-lambda-AlarmTopic-*")


def refusal(made: Template, grants: Grants | None = None) -> AppError:
    with pytest.raises(AppError) as refused:
        require_granted(SHOP, review(SHOP, made, None, grants or Grants(), HERE, PIPELINE))
    assert refused.value.code is Code.RIGHTS_NOT_GRANTED
    return refused.value


WIDE = [
    ("s3:GetObject", "arn:aws:s3:::auto-lambda-*"), ("s3:GetObject", "arn:aws:s3:::*/*"),
    ("s3:GetObject", "arn:aws:s3:::auto-lambda-?ploads-1/*"), ("sqs:SendMessage", "arn:aws:sqs:*:123456789012:a*"),
    ("dynamodb:PutItem", "arn:aws:dynamodb:*:*:table/l*r"), ("logs:PutLogEvents", "arn:aws:logs:*"),
    ("logs:PutLogEvents", "arn:aws:logs:*:*:log-group:/auto-lambda/w*"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "on"), WIDE)
def test_no_grant_is_offered_for_wildcards_that_reach_the_pipeline(action: str, on: str) -> None:
    error = refusal(template(allow(action, on)))
    assert f"Allow {action} on {on}: nobody can be granted this, it reaches what is the pipeline's own" in error.message
    assert "grants set" not in error.hint


@pytest.mark.parametrize(
    ("action", "on"),
    [("s3:GetObject", "arn:aws:s3:::pictures-*/*"), ("ec2:DescribeVpcs", "*"), ("sqs:SendMessage", JOBS + "*")],
)
def test_grants_are_offered_for_wildcards_that_do_not(action: str, on: str) -> None:
    assert on in refusal(template(allow(action, on))).hint


@pytest.mark.parametrize(
    ("action", "on"),
    [
        ("s3:GetObject", "arn:aws:s3:::auto-lambda-uploads-1/*"),
        ("s3:ListBucket", "arn:aws:s3:::auto-lambda-uploads-1"),
        ("sqs:SendMessage", "arn:aws:sqs:eu-central-1:123456789012:auto-lambda-Queue-X1"),
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:123456789012:table/ledger"),
        ("dynamodb:Query", "arn:aws:dynamodb:eu-central-1:123456789012:table/ledger/index/*"),
        ("sns:Publish", "arn:aws:sns:eu-central-1:123456789012:auto-lambda-AlarmTopic-Z9"),
        ("logs:GetLogEvents", "arn:aws:logs:eu-central-1:123456789012:log-group:/auto-lambda/worker:*"),
        ("ssm:GetParameter", "arn:aws:ssm:eu-central-1:123456789012:parameter/auto-lambda-fleet/auto-lambda/worker/a"),
    ],
)
def test_the_pipelines_own_is_offered_to_nobody(action: str, on: str) -> None:
    error = refusal(template(allow(action, on)))
    assert f"Allow {action} on {on}: nobody can be granted this, it is the pipeline's own" in error.message
    assert "grants set" not in error.hint
    granted = Grants.model_validate({"statements": [allow(action, on)]})
    assert "the pipeline's own" in refusal(template(allow(action, on)), granted).message


def test_the_pipelines_names_in_other_places_are_not_the_pipelines() -> None:
    error = refusal(
        template(
            allow("s3:GetObject", "arn:aws:s3:::pictures/ledger"),
            allow("sqs:SendMessage", "arn:aws:sqs:eu-central-1:999999999999:auto-lambda-Queue-X1"),
        )
    )
    assert "nobody can be granted" not in error.message
    assert "grants set" in error.hint


@pytest.mark.parametrize(
    ("action", "on", "reason"),
    [
        ("dynamodb:DeleteTable", {"Fn::GetAtt": ["Table", "Arn"]}, "resources of its own stack"),
        ("s3:GetObject", {"Fn::Sub": "${Pictures.Arn}/*"}, "write the ARN instead of a reference"),
        ("s3:GetObject", {"Fn::Split": ["a", "b"]}, "nobody can be granted"),
    ],
)
def test_what_no_grant_can_say_is_not_offered(action: str, on: Any, reason: str) -> None:
    made = template(allow(action, on))
    made["Resources"]["Table"] = resource("DynamoDB::Table")
    error = refusal(made)
    assert reason in error.message
    assert "grants set" not in error.hint


def test_each_list_is_offered_what_it_is_for() -> None:
    stream, topic = f"{ORDERS}/stream/2026", "arn:aws:sns:eu-central-1:123456789012:news"
    both = allow(
        ["sqs:SendMessage", "dynamodb:GetItem", "dynamodb:GetRecords", "sns:Publish"], [JOBS, ORDERS, stream, topic]
    )
    error = refusal(template(both))
    offered = json.loads(error.hint[error.hint.index("{") :])
    del offered["statements"]  # a statement pairs each action with each resource
    assert offered == {"queues": [JOBS], "tables": [ORDERS], "streams": [stream], "topics": [topic]}


def test_a_message_stays_short_however_much_is_asked_for() -> None:
    made = template(*(allow("s3:GetObject", f"arn:aws:s3:::bucket-{number}/*") for number in range(2_000)))
    with pytest.raises(AppError) as refused:
        require_granted(SHOP, review(SHOP, made, None, Grants(), HERE))
    assert "and 1980 more" in refused.value.message
    assert len(refused.value.message) + len(refused.value.hint) < 10_000


def test_statements_without_end_are_refused() -> None:
    made = template(allow([f"s3:{n}" for n in range(3_000)], [f"arn:{n}" for n in range(3_000)]))
    with pytest.raises(AppError) as refused:
        review(SHOP, made, None, Grants(), HERE)
    assert refused.value.code is Code.TEMPLATE_REFUSED


def test_the_changes_are_those_since_the_live_release() -> None:
    live, made = template(allow("sns:Publish", "arn:a")), template(allow(["sns:Publish", "s3:GetObject"], "arn:a"))
    found = review(SHOP, made, live, Grants(), HERE)
    assert found.diff.changes == ("+ Allow s3:GetObject on arn:a",)
    error = needs_approval(SHOP, found)
    assert error.code is Code.NEEDS_APPROVAL
    assert "+ Allow s3:GetObject on arn:a" in error.message
    assert "auto-lambda approve shop --stage prod" in error.hint


def test_rights_on_everything_are_told() -> None:
    found = review(SHOP, template(allow(["s3:GetObject", "logs:PutLogEvents"], "*")), None, Grants(), HERE)
    assert [str(one) for one in found.wide] == ["Allow s3:GetObject on *"]


ACTIONS = st.lists(
    st.sampled_from(["s3:GetObject", "sqs:SendMessage", "dynamodb:PutItem", "kms:Decrypt", "s3:*"]),
    min_size=1, unique=True,
)  # fmt: skip
RESOURCES = st.lists(
    st.sampled_from([JOBS, ORDERS, f"{ORDERS}/index/*", "arn:aws:s3:::a/*", "*", "nonsense", "a*?b"]),
    min_size=1, unique=True,
)  # fmt: skip
CONDITIONS = st.none() | st.just({"StringEquals": {"aws:ResourceAccount": "1"}})


@given(st.lists(st.tuples(ACTIONS, RESOURCES, CONDITIONS), max_size=3))
def test_what_is_suggested_is_enough_and_a_grants_file(asked: list[tuple[Any, Any, Any]]) -> None:
    made = template(*(allow(action, on, **({"Condition": if_} if if_ else {})) for action, on, if_ in asked))
    found = review(SHOP, made, None, Grants(), HERE)
    grants = Grants.read(json.dumps(suggested(found.refused)))
    rights = Rights(SHOP, HERE, grants, made)
    assert all(rights.allow(one) for one in permissions_of(made, HERE))


def test_grants_that_nothing_uses_are_named() -> None:
    made = template(allow("sqs:SendMessage", JOBS))
    made["Resources"]["App"] = resource("Lambda::Function", VpcConfig={"SubnetIds": ["subnet-1"]})
    used = {"queues": [JOBS], "subnets": ["subnet-1"]}
    idle = {"topics": ["arn:t"], "statements": [allow("s3:GetObject", "arn:aws:s3:::a/*")]}
    grants = Grants.model_validate({**used, **idle})
    found = unused(made, permissions_of(made, HERE), grants, HERE)
    assert [line.partition(":")[0] for line in found] == ["topics", "statements"]
